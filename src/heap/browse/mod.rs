//! Walking through heaps a page at a time: a question names a list, [`Browser`] answers with the part of it that is
//! looked at. A list is put in order once and kept for a while; no line is made that nobody sees.

mod line;
mod list;
mod order;
mod tell;

use std::collections::VecDeque;
use std::ops::Range;

use super::diff::{Change, Numbering, Summary};
use super::error::Result;
use super::explorer::Explorer;
use crate::model::histogram::{Histogram, HistogramChange, HistogramKind};
use list::Items;

pub use line::{ChangeLine, Line, Opens};
pub use order::{By, Sort};
pub use tell::{About, Aside};

/// Lists that are kept in order, so that a step back finds its list as it was.
const KEPT: usize = 4;

/// They hold no more entries than this together, unless one alone does.
const MOST_ENTRIES: usize = 4 << 20;

/// So much of what was told is kept: a key that changes nothing of it is answered at once.
const TOLD: usize = 64;

/// The largest objects that are listed.
const BIGGEST: usize = 10_000;

/// A list. Words are of small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Classes that changed, with this word in their name.
    Growth(String),
    /// Classes with this word in their name; of a histogram its lines.
    Classes(String),
    /// What the program made, by what would be freed with it.
    Biggest,
    /// What a node dominates directly.
    Dominated(u32),
    /// Strings that are there several times; with a word, all that hold it.
    Strings(String),
    /// Functions by where they are written, with this word in their name.
    Closures(String),
    /// Maps, sets and arrays.
    Collections,
    /// What was given up and is held still.
    Detached,
    /// Objects and strings with this word in their name.
    Found(String),
    /// The objects of a class.
    Instances(u32),
    /// The objects of a change that are new.
    New(u32),
    /// What a node refers to.
    Fields(u32),
    /// Who leads to a node.
    Retainers(u32),
    /// The shortest way to a node from a root.
    Way(u32),
}

impl Question {
    /// The node that it is about.
    pub fn node(&self) -> Option<u32> {
        match self {
            Self::Dominated(node) | Self::Fields(node) | Self::Retainers(node) | Self::Way(node) => Some(*node),
            _ => None,
        }
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// What was asked.
    pub question: Question,
    /// What sorts it.
    pub sort: Sort,
    /// The place of the first line.
    pub start: usize,
    /// The lines.
    pub lines: Vec<Line>,
    /// How many the list has in all.
    pub of: usize,
    /// The node that the list is about.
    pub about: Option<About>,
}

/// What was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Names of the files, escaped, and bytes of all that each holds; the oldest first.
    pub files: Vec<(String, u64)>,
    /// What they are.
    pub kind: Kind,
    /// Nodes and edges of the latest; of a histogram objects, and no edges.
    pub nodes: u64,
    /// See above.
    pub edges: u64,
    /// The node that all else hangs from.
    pub root: u32,
}

/// What can be asked of what was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One snapshot.
    Heap,
    /// Several of one process, and how their objects were told apart.
    Growth(Numbering),
    /// Counts by class.
    Histogram(HistogramKind),
    /// How counts by class changed.
    HistogramGrowth(HistogramKind),
}

/// What is walked through.
enum Subject {
    Heap(Box<Explorer>),
    Growth { latest: Box<Explorer>, first: Box<Summary>, changes: Vec<Change>, numbering: Numbering },
    Histogram { latest: Histogram, changes: Option<Vec<HistogramChange>> },
}

/// Answers questions.
pub struct Browser {
    subject: Subject,
    opened: Opened,
    /// The latest asked first.
    kept: VecDeque<Kept>,
    /// What was told, the latest first.
    told: VecDeque<(Aside, Vec<String>)>,
}

/// A list in an order.
struct Kept {
    question: Question,
    sort: Sort,
    items: Items,
}

impl Browser {
    /// Walks through one snapshot of this name.
    pub fn of_heap(name: String, explorer: Explorer) -> Self {
        let opened = opened(vec![(name, explorer.total())], Kind::Heap, &explorer);
        Self::on(Subject::Heap(Box::new(explorer)), opened)
    }

    /// Walks through what several snapshots differ in, and through the latest. `earlier` are the others with their names,
    /// the oldest first; there is one at least.
    pub fn of_growth(mut earlier: Vec<(String, Summary)>, name: String, latest: Explorer) -> Result<Self> {
        earlier.push((name, Summary::of(&latest)?));
        let (names, mut summaries): (Vec<String>, Vec<Summary>) = earlier.into_iter().unzip();
        let numbering = Numbering::of(&summaries);
        let changes = super::diff::compare(&summaries, numbering);
        let files = names.into_iter().zip(summaries.iter().map(Summary::total)).collect();
        let opened = opened(files, Kind::Growth(numbering), &latest);
        let first = Box::new(summaries.swap_remove(0));
        let subject = Subject::Growth { latest: Box::new(latest), first, changes, numbering };
        Ok(Self::on(subject, opened))
    }

    /// Walks through counts by class; where there are several, all are of one kind, and the first and the last of them are
    /// compared.
    pub fn of_histograms(first: Option<Histogram>, latest: Histogram, files: Vec<(String, u64)>) -> Self {
        let kind = if first.is_some() { Kind::HistogramGrowth } else { Kind::Histogram }(latest.kind);
        let changes = first.map(|first| crate::model::histogram::diff(&first, &latest));
        let opened = Opened { files, kind, nodes: latest.total().0, edges: 0, root: 0 };
        Self::on(Subject::Histogram { latest, changes }, opened)
    }

    fn on(subject: Subject, opened: Opened) -> Self {
        Self { subject, opened, kept: VecDeque::new(), told: VecDeque::new() }
    }

    /// What was opened.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// The snapshot that objects are of: the latest.
    fn explorer(&self) -> Option<&Explorer> {
        match &self.subject {
            Subject::Heap(explorer) | Subject::Growth { latest: explorer, .. } => Some(explorer),
            Subject::Histogram { .. } => None,
        }
    }

    fn changes(&self) -> &[Change] {
        match &self.subject {
            Subject::Growth { changes, .. } => changes,
            Subject::Heap(_) | Subject::Histogram { .. } => &[],
        }
    }

    /// The part of a list that is asked for; less where it ends before.
    pub fn ask(&mut self, question: &Question, sort: Sort, page: Range<usize>) -> Result<Page> {
        let known = self.kept.iter().position(|kept| kept.question == *question && kept.sort == sort);
        let kept = match known.and_then(|place| self.kept.remove(place)) {
            Some(kept) => kept,
            None => Kept { question: question.clone(), sort, items: self.items(question, sort)? },
        };
        self.kept.push_front(kept);
        let entries = |kept: &VecDeque<Kept>| kept.iter().map(|kept| kept.items.len()).sum::<usize>();
        while self.kept.len() > KEPT || self.kept.len() > 1 && entries(&self.kept) > MOST_ENTRIES {
            self.kept.pop_back();
        }
        let items = &self.kept[0].items;
        let of = items.len();
        let (start, end) = (page.start.min(of), page.end.min(of));
        let lines = (start..end.max(start)).map(|place| self.line(question, items, place)).collect::<Result<_>>()?;
        let about = match (question.node(), self.explorer()) {
            (Some(node), Some(explorer)) if node != explorer.graph().root() => Some(About::of(explorer, node)),
            _ => None,
        };
        Ok(Page { question: question.clone(), sort, start, lines, of, about })
    }
}

fn opened(files: Vec<(String, u64)>, kind: Kind, latest: &Explorer) -> Opened {
    let graph = latest.graph();
    let (nodes, edges) = (graph.node_count() as u64, graph.edge_count() as u64);
    Opened { files, kind, nodes, edges, root: graph.root() }
}
