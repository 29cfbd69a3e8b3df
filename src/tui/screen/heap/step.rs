//! A step of a walk: one list, or several of the same thing in tabs.

use super::list::List;
use crate::heap::browse::{Kind, Line, Opened, Question};

/// A step.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// What it is, for the line that tells the way.
    pub(super) title: String,
    /// Names of its lists, and shorter ones.
    pub(super) tabs: &'static [(&'static str, &'static str)],
    /// The list that is shown.
    pub(super) shown: usize,
    lists: Vec<List>,
}

/// The lists of one snapshot; those of several begin with what grew.
const HEAP: &[(&str, &str)] = &[
    (key!("Growth"), key!("Growth")),
    (key!("Classes"), key!("Class")),
    (key!("Biggest"), key!("Big")),
    (key!("Dominators"), key!("Dom")),
    (key!("Strings"), key!("Str")),
    (key!("Closures"), key!("Func")),
    (key!("Collections"), key!("Coll")),
    (key!("Detached"), key!("Det")),
];

const HISTOGRAM: &[(&str, &str)] = &[(key!("Growth"), key!("Growth")), (key!("Classes"), key!("Class"))];

const OBJECT: &[(&str, &str)] = &[
    (key!("Fields"), key!("Fields")),
    (key!("Held by"), key!("Held")),
    (key!("Way from a root"), key!("Way")),
    (key!("Dominates"), key!("Dom")),
];

impl Step {
    /// The first step: all lists of what was opened.
    pub(super) fn first(opened: &Opened) -> Self {
        let none = String::new;
        let classes = List::new(Question::Classes(none()), opened.kind, opened.files.len());
        let growth = List::new(Question::Growth(none()), opened.kind, opened.files.len());
        let rest = [
            Question::Biggest,
            Question::Dominated(opened.root),
            Question::Strings(none()),
            Question::Closures(none()),
            Question::Collections,
            Question::Detached,
        ];
        let rest = rest.map(|question| List::new(question, opened.kind, 1));
        let (tabs, lists): (_, Vec<List>) = match opened.kind {
            Kind::Heap => (&HEAP[1..], [classes].into_iter().chain(rest).collect()),
            Kind::Growth(_) => (HEAP, [growth, classes].into_iter().chain(rest).collect()),
            Kind::Histogram(_) => (&HISTOGRAM[1..], vec![classes]),
            Kind::HistogramGrowth(_) => (HISTOGRAM, vec![growth, classes]),
        };
        let names: Vec<&str> = opened.files.iter().map(|(name, _)| name.as_str()).collect();
        let title = match names.as_slice() {
            [one] => (*one).to_owned(),
            [first, last] => format!("{first} → {last}"),
            [first, .., last] => format!("{first} → … → {last}"),
            [] => String::new(),
        };
        Self { title, tabs, shown: 0, lists }
    }

    /// A list of its own.
    pub(super) fn of(title: String, question: Question) -> Self {
        Self { title, tabs: &[], shown: 0, lists: vec![List::new(question, Kind::Heap, 1)] }
    }

    /// An object, opened by a line of a list; who comes to it by the same kind of list goes on in that.
    pub(super) fn object(line: &Line, node: u32, before: &Question) -> Self {
        let id = line.id.map(|id| format!("@{id}")).unwrap_or_default();
        let title = match before {
            Question::Fields(_) | Question::Retainers(_) | Question::Way(_) => format!("{} {id}", line.name),
            _ => id,
        };
        let questions =
            [Question::Fields(node), Question::Retainers(node), Question::Way(node), Question::Dominated(node)];
        let shown = match before {
            Question::Retainers(_) => 1,
            Question::Dominated(_) => 3,
            _ => 0,
        };
        let lists = questions.map(|question| List::new(question, Kind::Heap, 1)).into();
        Self { title, tabs: OBJECT, shown, lists }
    }

    pub(super) fn list(&self) -> &List {
        &self.lists[self.shown]
    }

    pub(super) fn list_mut(&mut self) -> &mut List {
        &mut self.lists[self.shown]
    }
}
