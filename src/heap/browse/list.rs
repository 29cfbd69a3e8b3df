//! Lists in their order: numbers of things, from which lines are made when they are looked at.

use super::order::{By, Key, Sort, arranged, number};
use super::{BIGGEST, Browser, Question, Subject};
use crate::heap::classes::Class;
use crate::heap::diff::{Change, new_nodes};
use crate::heap::error::Result;
use crate::heap::explorer::{Explorer, NodeOrder, Retainer};
use crate::heap::graph::Edge;
use crate::heap::lists::{Closures, Collection, Duplicate, contains};
use crate::model::histogram::{HistogramChange, HistogramRow};

/// Entries of a list.
pub(super) enum Items {
    /// Classes, changes or lines of a histogram.
    Numbers(Vec<u32>),
    Nodes(Vec<u32>),
    /// Edges of one node.
    Edges(Vec<u32>),
    Retainers(Vec<Retainer>),
    Way(Vec<(u32, Edge)>),
    Strings(Vec<Duplicate>),
    Closures(Vec<Closures>),
    Collections(Vec<Collection>),
}

impl Items {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Numbers(list) | Self::Nodes(list) | Self::Edges(list) => list.len(),
            Self::Retainers(list) => list.len(),
            Self::Way(list) => list.len(),
            Self::Strings(list) => list.len(),
            Self::Closures(list) => list.len(),
            Self::Collections(list) => list.len(),
        }
    }
}

impl Browser {
    /// Makes a list. What the subject does not have is an empty one.
    pub(super) fn items(&self, question: &Question, sort: Sort) -> Result<Items> {
        if let Subject::Histogram { latest, changes } = &self.subject {
            return of_histogram(&latest.rows, changes.as_deref(), question, sort);
        }
        let Some(explorer) = self.explorer() else { return Ok(Items::Numbers(Vec::new())) };
        let nodes = |nodes: Vec<u32>| of_nodes(explorer, nodes, sort);
        match question {
            Question::Growth(word) => self.of_changes(word, sort),
            Question::Classes(word) => of_classes(explorer, word, sort),
            Question::Biggest if sort.by == By::Shallow => nodes(explorer.biggest(NodeOrder::Shallow, BIGGEST)),
            Question::Biggest => nodes(explorer.biggest(NodeOrder::Retained, BIGGEST)),
            Question::Dominated(node) => nodes(explorer.children()?.of(*node).to_vec()),
            Question::Detached => nodes(explorer.detached()),
            Question::Found(word) => nodes(explorer.search(word)?),
            Question::Instances(class) => nodes(explorer.classes().nodes(*class).collect()),
            Question::New(change) => nodes(self.new_of(*change)),
            Question::Strings(word) => of_strings(explorer, word, sort),
            Question::Closures(word) => of_closures(explorer, word, sort),
            Question::Collections => of_collections(explorer, sort),
            Question::Fields(node) => of_fields(explorer, *node, sort),
            Question::Retainers(node) => of_retainers(explorer, *node, sort),
            Question::Way(node) => Ok(Items::Way(explorer.way(*node)?)),
        }
    }

    /// The new objects of a change.
    pub(super) fn new_of(&self, change: u32) -> Vec<u32> {
        let Subject::Growth { latest, first, changes, numbering } = &self.subject else { return Vec::new() };
        let change = changes.get(change as usize);
        change.map(|change| new_nodes(latest, first, change, *numbering)).unwrap_or_default()
    }

    fn of_changes(&self, word: &str, sort: Sort) -> Result<Items> {
        let changes = self.changes();
        let change = |place: &u32| &changes[*place as usize];
        let mut list: Vec<u32> =
            (0..changes.len() as u32).filter(|place| contains(&change(place).name, word)).collect();
        if sort.by == By::Given {
            // What the program made before what V8 needs for it: code is compiled all the time.
            list.sort_by_key(|place| {
                let change = change(place);
                let is_more = change.whole.count() > 0;
                (!(is_more && change.grows_always()), !is_more, !change.kind.is_made_by_program())
            });
        }
        let newest = |counts: &[u64]| number(counts.last().copied().unwrap_or(0));
        let key = |place: &u32| {
            let change: &Change = change(place);
            Some(Key::Number(match sort.by {
                By::New => number(change.whole.new),
                By::Deleted => number(change.whole.deleted),
                By::Delta => change.whole.count(),
                By::SizeDelta => change.whole.size(),
                By::RetainedDelta => change.whole.retained,
                By::Count => newest(&change.counts),
                By::Retained => newest(&change.retained),
                By::Name => return Some(Key::Text(&change.name)),
                _ => return None,
            }))
        };
        Ok(Items::Numbers(arranged(list, sort, key)?))
    }
}

fn of_classes(explorer: &Explorer, word: &str, sort: Sort) -> Result<Items> {
    let all = explorer.classes().all();
    let list = (0..all.len() as u32).filter(|class| contains(&all[*class as usize].name, word)).collect();
    let key = |class: &u32| {
        let class: &Class = &all[*class as usize];
        Some(match sort.by {
            By::Count => Key::Number(number(class.count)),
            By::Shallow => Key::Number(number(class.shallow)),
            By::Retained => Key::Number(number(class.retained)),
            By::Distance => Key::Number(class.distance.into()),
            By::Name => Key::Text(&class.name),
            _ => return None,
        })
    };
    Ok(Items::Numbers(arranged(list, sort, key)?))
}

/// What a node can be sorted by.
fn key_of_node(explorer: &Explorer, node: u32, by: By) -> Option<Key<'_>> {
    Some(match by {
        By::Shallow => Key::Number(number(explorer.graph().size(node))),
        By::Retained => Key::Number(number(explorer.dominators().retained(node))),
        By::Distance => Key::Number(explorer.distances().get(node).into()),
        By::Id => Key::Number(explorer.graph().id(node).into()),
        By::Name => {
            let class = explorer.classes().of_node(node);
            Key::Text(class.map_or(&[], |class| &explorer.classes().all()[class as usize].name))
        }
        _ => return None,
    })
}

fn of_nodes(explorer: &Explorer, nodes: Vec<u32>, sort: Sort) -> Result<Items> {
    Ok(Items::Nodes(arranged(nodes, sort, |node| key_of_node(explorer, *node, sort.by))?))
}

fn of_fields(explorer: &Explorer, node: u32, sort: Sort) -> Result<Items> {
    let edges = explorer.graph().edge_numbers(node).collect();
    let target = |edge: &u32| explorer.graph().target(*edge);
    let key = |edge: &u32| match sort.by {
        By::Shallow | By::Retained | By::Id => key_of_node(explorer, target(edge), sort.by),
        _ => None,
    };
    Ok(Items::Edges(arranged(edges, sort, key)?))
}

fn of_retainers(explorer: &Explorer, node: u32, sort: Sort) -> Result<Items> {
    let retainers = explorer.retainers(node, 0..usize::MAX);
    let key = |retainer: &Retainer| match sort.by {
        By::Shallow | By::Retained | By::Id => key_of_node(explorer, retainer.node, sort.by),
        _ => None,
    };
    Ok(Items::Retainers(arranged(retainers, sort, key)?))
}

/// Entries that can't be copied, in an order.
fn arranged_by<T>(list: Vec<T>, sort: Sort, key: impl Fn(&T) -> Option<i64>) -> Result<Vec<T>> {
    let order = arranged((0..list.len()).collect(), sort, |place| key(&list[*place]).map(Key::Number))?;
    let mut list: Vec<Option<T>> = list.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|place| list[place].take()).collect())
}

fn of_strings(explorer: &Explorer, word: &str, sort: Sort) -> Result<Items> {
    let all = explorer.strings(if word.is_empty() { 2 } else { 1 }, word);
    let key = |found: &Duplicate| match sort.by {
        By::Count => Some(number(found.count)),
        By::Shallow => Some(number(found.total)),
        By::Retained => Some(number(found.wasted)),
        _ => None,
    };
    Ok(Items::Strings(arranged_by(all, sort, key)?))
}

fn of_closures(explorer: &Explorer, word: &str, sort: Sort) -> Result<Items> {
    let mut all = explorer.closures()?;
    all.retain(|found| contains(explorer.graph().name(found.node), word));
    let key = |found: &Closures| match sort.by {
        By::Count => Some(number(found.count)),
        By::Shallow => Some(number(found.shallow)),
        By::Retained => Some(number(found.retained)),
        _ => None,
    };
    Ok(Items::Closures(arranged_by(all, sort, key)?))
}

fn of_collections(explorer: &Explorer, sort: Sort) -> Result<Items> {
    let key = |found: &Collection| match sort.by {
        By::Count => Some(number(found.elements)),
        By::Shallow => Some(number(found.shallow)),
        By::Retained => Some(number(found.retained)),
        _ => None,
    };
    Ok(Items::Collections(arranged_by(explorer.collections(), sort, key)?))
}

fn of_histogram(
    rows: &[HistogramRow],
    changes: Option<&[HistogramChange]>,
    question: &Question,
    sort: Sort,
) -> Result<Items> {
    let (Question::Classes(word) | Question::Growth(word)) = question else {
        return Ok(Items::Numbers(Vec::new()));
    };
    let changes = changes.filter(|_| matches!(question, Question::Growth(_)));
    let row = |place: &u32| changes.map_or_else(|| &rows[*place as usize], |changes| &changes[*place as usize].row);
    let count = changes.map_or(rows.len(), <[_]>::len) as u32;
    let list = (0..count).filter(|place| contains(row(place).name.as_bytes(), word)).collect();
    let key = |place: &u32| {
        let row = row(place);
        let change = changes.map(|changes| &changes[*place as usize]);
        Some(Key::Number(match sort.by {
            By::Count => number(row.count),
            By::Shallow => number(row.bytes),
            By::Retained => number(row.cumulative),
            By::Delta => change?.count,
            By::SizeDelta => change?.bytes,
            By::Name => return Some(Key::Text(row.name.as_bytes())),
            By::Place => return Some(Key::Text(row.place.as_bytes())),
            _ => return None,
        }))
    };
    Ok(Items::Numbers(arranged(list, sort, key)?))
}
