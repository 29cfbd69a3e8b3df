//! Lists of a snapshot as sheets.

use std::cmp::Reverse;
use std::ops::Range;

use super::{Cell, Sheet};
use crate::heap::classes::Class;
use crate::heap::error::Result;
use crate::heap::explorer::{Explorer, NodeOrder};
use crate::heap::lists::contains;
use crate::heap::places::Place;
use crate::model::text::escape;

const CLASSES: &[(&str, &str)] = &[
    ("count", "COUNT"),
    ("shallow", "SHALLOW"),
    ("retained", "RETAINED"),
    ("distance", "DISTANCE"),
    ("class", "CLASS"),
    ("place", "WRITTEN IN"),
];

const NODES: &[(&str, &str)] = &[
    ("id", "OBJECT"),
    ("shallow", "SHALLOW"),
    ("retained", "RETAINED"),
    ("distance", "DISTANCE"),
    ("class", "CLASS"),
    ("value", "WHAT"),
];

const STRINGS: &[(&str, &str)] =
    &[("count", "COUNT"), ("wasted", "WASTED"), ("total", "TOTAL"), ("id", "ONE OF THEM"), ("value", "STRING")];

const COLLECTIONS: &[(&str, &str)] = &[
    ("elements", "ELEMENTS"),
    ("shallow", "SHALLOW"),
    ("retained", "RETAINED"),
    ("id", "OBJECT"),
    ("class", "CLASS"),
    ("held_by", "HELD BY"),
];

const CLOSURES: &[(&str, &str)] = &[
    ("count", "COUNT"),
    ("shallow", "SHALLOW"),
    ("retained", "RETAINED"),
    ("id", "ONE OF THEM"),
    ("function", "FUNCTION"),
    ("place", "WRITTEN IN"),
];

/// What sorts classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassOrder {
    /// What would be freed with them.
    Retained,
    /// What they take themselves.
    Shallow,
    /// How many there are.
    Count,
}

fn place(explorer: &Explorer, place: Option<Place>) -> Cell {
    Cell::Text(place.map(|place| explorer.graph().place_text(place, true)).unwrap_or_default())
}

/// Classes, of which `word` may be a part of the name.
pub fn classes(explorer: &Explorer, order: ClassOrder, word: &str, top: usize) -> Sheet {
    let mut all: Vec<&Class> = explorer.classes().all().iter().filter(|class| contains(&class.name, word)).collect();
    let size = |class: &Class| match order {
        ClassOrder::Retained => class.retained,
        ClassOrder::Shallow => class.shallow,
        ClassOrder::Count => class.count,
    };
    all.sort_by(|a, b| (Reverse(size(a)), &a.name, a.place).cmp(&(Reverse(size(b)), &b.name, b.place)));
    let row = |class: &&Class| {
        vec![
            Cell::Count(class.count),
            Cell::Bytes(class.shallow),
            Cell::Bytes(class.retained),
            Cell::Distance(class.distance),
            Cell::Text(escape(&class.name).into_owned()),
            place(explorer, class.place),
        ]
    };
    Sheet { name: "classes", columns: CLASSES, rows: all.iter().take(top).map(row).collect(), of: all.len() }
}

fn nodes(explorer: &Explorer, name: &'static str, nodes: &[u32], of: usize) -> Sheet {
    let row = |node: &u32| {
        vec![
            Cell::Id(explorer.graph().id(*node)),
            Cell::Bytes(explorer.graph().size(*node)),
            Cell::Bytes(explorer.dominators().retained(*node)),
            Cell::Distance(explorer.distances().get(*node)),
            Cell::Text(explorer.class_text(*node)),
            Cell::Text(explorer.preview(*node)),
        ]
    };
    Sheet { name, columns: NODES, rows: nodes.iter().map(row).collect(), of }
}

fn page(top: usize) -> Range<usize> {
    0..top
}

/// Objects of these classes.
pub fn objects(explorer: &Explorer, classes: &[u32], order: NodeOrder, top: usize) -> Sheet {
    let mut all: Vec<u32> = classes.iter().flat_map(|class| explorer.instances(*class, order, 0..usize::MAX)).collect();
    if classes.len() > 1 {
        explorer.sort(&mut all, order);
    }
    let of = all.len();
    all.truncate(top);
    nodes(explorer, "objects", &all, of)
}

/// Objects and strings that were found by a word.
pub fn found(explorer: &Explorer, word: &str, top: usize) -> Result<Sheet> {
    let mut all = explorer.search(word)?;
    let of = all.len();
    all.truncate(top);
    Ok(nodes(explorer, "found", &all, of))
}

/// The largest objects of the program.
pub fn biggest(explorer: &Explorer, order: NodeOrder, top: usize) -> Sheet {
    let all = explorer.biggest(order, top);
    nodes(explorer, "biggest", &all, all.len())
}

/// What was given up and is held.
pub fn detached(explorer: &Explorer, top: usize) -> Sheet {
    let mut all = explorer.detached();
    let of = all.len();
    all.truncate(top);
    nodes(explorer, "detached", &all, of)
}

/// What a node dominates directly.
pub fn dominated(explorer: &Explorer, node: u32, top: usize) -> Result<Sheet> {
    let of = explorer.children()?.of(node).len();
    Ok(nodes(explorer, "dominators", &explorer.dominated(node, page(top))?, of))
}

/// Strings that are there several times.
pub fn strings(explorer: &Explorer, word: &str, top: usize) -> Sheet {
    let mut all = explorer.duplicates();
    all.retain(|found| contains(explorer.graph().name(found.node), word));
    let row = |found: &crate::heap::lists::Duplicate| {
        vec![
            Cell::Count(found.count),
            Cell::Bytes(found.wasted),
            Cell::Bytes(found.total),
            Cell::Id(explorer.graph().id(found.node)),
            Cell::Text(explorer.node_text(found.node)),
        ]
    };
    Sheet { name: "strings", columns: STRINGS, rows: all.iter().take(top).map(row).collect(), of: all.len() }
}

/// Maps, sets and arrays.
pub fn collections(explorer: &Explorer, top: usize) -> Result<Sheet> {
    let all = explorer.collections();
    let mut rows = Vec::new();
    for found in all.iter().take(top) {
        let held = explorer.held(&[found.node], None)?;
        let by = held.first().map(|held| explorer.holder_text(held));
        rows.push(vec![
            Cell::Count(found.elements),
            Cell::Bytes(found.shallow),
            Cell::Bytes(found.retained),
            Cell::Id(explorer.graph().id(found.node)),
            Cell::Text(explorer.class_text(found.node)),
            Cell::Text(by.unwrap_or_default()),
        ]);
    }
    Ok(Sheet { name: "collections", columns: COLLECTIONS, rows, of: all.len() })
}

/// Functions by where they are written.
pub fn closures(explorer: &Explorer, word: &str, top: usize) -> Result<Sheet> {
    let mut all = explorer.closures()?;
    all.retain(|found| contains(explorer.graph().name(found.node), word));
    let row = |found: &crate::heap::lists::Closures| {
        vec![
            Cell::Count(found.count),
            Cell::Bytes(found.shallow),
            Cell::Bytes(found.retained),
            Cell::Id(explorer.graph().id(found.node)),
            Cell::Text(explorer.node_text(found.node)),
            place(explorer, found.place),
        ]
    };
    Ok(Sheet { name: "closures", columns: CLOSURES, rows: all.iter().take(top).map(row).collect(), of: all.len() })
}
