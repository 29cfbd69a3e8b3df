//! Lines of lists, as they are shown. What a program chose itself is escaped in them.

use super::list::Items;
use super::{Browser, Question, Subject};
use crate::heap::diff::{Change, Step};
use crate::heap::distances::SYSTEM;
use crate::heap::error::Result;
use crate::heap::explorer::Explorer;
use crate::heap::graph::{Attachment, Edge};
use crate::heap::kind::EdgeKind;
use crate::heap::places::Place;
use crate::model::histogram::HistogramRow;
use crate::model::text::escape;

/// What a line leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Opens {
    /// Nothing more is known.
    #[default]
    Nothing,
    /// The objects of a class.
    Class(u32),
    /// The new objects of a change.
    New(u32),
    /// An object.
    Object(u32),
}

/// A line. What its list does not have is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// What it leads to.
    pub opens: Opens,
    /// A class, a function, a field.
    pub name: String,
    /// What it is, in a few words.
    pub text: String,
    /// Where it is written.
    pub place: String,
    /// The number of the object, or of one of them.
    pub id: Option<u32>,
    /// How many there are.
    pub count: u64,
    /// What they take themselves, bytes.
    pub shallow: u64,
    /// What would be freed with them, bytes; of strings what all but one of each take.
    pub retained: u64,
    /// Steps from a root of the program; `None` where there is no way from one.
    pub distance: Option<u32>,
    /// What changed.
    pub change: Option<ChangeLine>,
    /// It is held itself only by what it holds.
    pub is_cycle: bool,
    /// It does not keep alive what it leads to.
    pub is_weak: bool,
    /// It was given up.
    pub is_detached: bool,
}

/// What a class gained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeLine {
    /// Objects that came.
    pub new: u64,
    /// Objects that went.
    pub deleted: u64,
    /// Objects gained.
    pub count: i64,
    /// Bytes that those gained take themselves.
    pub size: i64,
    /// Bytes that it retains more.
    pub retained: i64,
    /// Objects gained in each step.
    pub steps: Vec<i64>,
    /// Whether it has gained in every step.
    pub is_always: bool,
}

impl Browser {
    /// The line of a list at a place that it has.
    pub(super) fn line(&self, question: &Question, items: &Items, place: usize) -> Result<Line> {
        if let Subject::Histogram { latest, changes } = &self.subject {
            let Items::Numbers(list) = items else { return Ok(Line::default()) };
            let number = list[place] as usize;
            let changes = changes.as_deref().filter(|_| matches!(question, Question::Growth(_)));
            return Ok(match changes {
                None => of_row(&latest.rows[number]),
                Some(changes) => {
                    let change = &changes[number];
                    let (count, size) = (change.count, change.bytes);
                    Line { change: Some(ChangeLine { count, size, ..ChangeLine::default() }), ..of_row(&change.row) }
                }
            });
        }
        let Some(explorer) = self.explorer() else { return Ok(Line::default()) };
        Ok(match items {
            Items::Numbers(list) if matches!(question, Question::Growth(_)) => {
                of_change(explorer, list[place], &self.changes()[list[place] as usize])
            }
            Items::Numbers(list) => of_class(explorer, list[place]),
            Items::Nodes(list) => of_node(explorer, list[place]),
            Items::Edges(list) => {
                let edge = explorer.graph().edge(list[place]);
                of_edge(explorer, &edge, edge.target)
            }
            Items::Retainers(list) => {
                let retainer = &list[place];
                Line { is_cycle: retainer.is_cycle, ..of_edge(explorer, &retainer.edge, retainer.node) }
            }
            Items::Way(list) => {
                let (_, edge) = &list[place];
                of_edge(explorer, edge, edge.target)
            }
            Items::Strings(list) => {
                let found = &list[place];
                let line = of_node(explorer, found.node);
                let text = explorer.node_text(found.node);
                Line { count: found.count, shallow: found.total, retained: found.wasted, text, ..line }
            }
            Items::Closures(list) => {
                let found = &list[place];
                let (count, shallow, retained) = (found.count, found.shallow, found.retained);
                let place = place_text(explorer, found.place);
                let name = explorer.node_text(found.node);
                Line { name, place, count, shallow, retained, ..of_node(explorer, found.node) }
            }
            Items::Collections(list) => {
                let found = &list[place];
                let held = explorer.held(&[found.node], None)?;
                let by = held.first().map(|held| explorer.holder_text(held));
                let line = of_node(explorer, found.node);
                Line { count: found.elements, text: by.unwrap_or_default(), ..line }
            }
        })
    }
}

fn place_text(explorer: &Explorer, place: Option<Place>) -> String {
    place.map(|place| explorer.graph().place_text(place, true)).unwrap_or_default()
}

fn of_class(explorer: &Explorer, number: u32) -> Line {
    let class = &explorer.classes().all()[number as usize];
    Line {
        opens: Opens::Class(number),
        name: escape(&class.name).into_owned(),
        place: place_text(explorer, class.place),
        count: class.count,
        shallow: class.shallow,
        retained: class.retained,
        distance: Some(class.distance).filter(|distance| *distance < SYSTEM),
        ..Line::default()
    }
}

fn of_change(explorer: &Explorer, number: u32, change: &Change) -> Line {
    let whole = &change.whole;
    let steps = if change.steps.len() > 1 { change.steps.iter().map(Step::count).collect() } else { Vec::new() };
    Line {
        opens: Opens::New(number),
        name: escape(&change.name).into_owned(),
        place: place_text(explorer, change.place),
        count: change.counts.last().copied().unwrap_or(0),
        shallow: change.shallow.last().copied().unwrap_or(0),
        retained: change.retained.last().copied().unwrap_or(0),
        change: Some(ChangeLine {
            new: whole.new,
            deleted: whole.deleted,
            count: whole.count(),
            size: whole.size(),
            retained: whole.retained,
            steps,
            is_always: change.grows_always(),
        }),
        ..Line::default()
    }
}

fn of_node(explorer: &Explorer, node: u32) -> Line {
    let graph = explorer.graph();
    Line {
        opens: Opens::Object(node),
        name: explorer.class_text(node),
        text: explorer.preview(node),
        place: place_text(explorer, graph.places().of(node)),
        id: Some(graph.id(node)),
        count: 1,
        shallow: graph.size(node),
        retained: explorer.dominators().retained(node),
        distance: Some(explorer.distances().get(node)).filter(|distance| *distance < SYSTEM),
        is_detached: graph.attachment(node) == Attachment::Detached,
        ..Line::default()
    }
}

/// An edge with the node at one of its ends.
fn of_edge(explorer: &Explorer, edge: &Edge, node: u32) -> Line {
    let name = explorer.graph().edge_text(edge);
    let text = if node == explorer.graph().root() { tr!("(root)").into() } else { explorer.node_text(node) };
    Line { name, text, is_weak: edge.kind == EdgeKind::Weak, ..of_node(explorer, node) }
}

fn of_row(row: &HistogramRow) -> Line {
    Line {
        name: row.name.clone(),
        place: row.place.clone(),
        count: row.count,
        shallow: row.bytes,
        retained: row.cumulative,
        ..Line::default()
    }
}
