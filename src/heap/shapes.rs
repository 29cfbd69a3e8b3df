//! Plain objects (`{a: 1, b: 2}`) have no class of their own: they are told apart by their properties, as Chrome DevTools
//! does it. What many of them begin with becomes the name of a shape: `{a, b}`.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::graph::HeapGraph;
use super::kind::{EdgeKind, NodeKind};

/// The longest name of a shape, unless its first property alone is longer.
const LONGEST: usize = 120;

/// A shape has at least so many objects.
const FEWEST: usize = 2;

/// And at least one in so many of all plain objects.
const PROPORTION: usize = 1000;

/// Lists of properties that are remembered with the shape that they have, and how long these are at most.
const REMEMBERED: usize = 1 << 16;
const LONGEST_REMEMBERED: usize = 64;

/// A shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) name: String,
    properties: Vec<Vec<u8>>,
}

/// The shapes of a snapshot, the most frequent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shapes(pub(super) Vec<Shape>);

/// Strings that the rules name.
#[derive(Clone, Copy)]
struct Words {
    object: Option<u32>,
    proto: Option<u32>,
}

impl Words {
    fn of(graph: &HeapGraph) -> Self {
        Self { object: graph.texts().find(b"Object"), proto: graph.texts().find(b"__proto__") }
    }

    fn is_plain(self, graph: &HeapGraph, node: u32) -> bool {
        graph.kind(node) == NodeKind::Object && Some(graph.name_text(node)) == self.object
    }
}

impl Shapes {
    /// Finds the shapes that are frequent enough.
    pub(super) fn infer(graph: &HeapGraph) -> Self {
        let words = Words::of(graph);
        let mut candidates: HashMap<Box<[u32]>, (usize, usize)> = HashMap::new();
        let mut total = 0;
        let mut list = Vec::new();
        for node in graph.nodes().filter(|node| words.is_plain(graph, *node)) {
            total += 1;
            beginning(graph, words, node, &mut list);
            if list.is_empty() {
                continue;
            }
            if let Some((count, _)) = candidates.get_mut(list.as_slice()) {
                *count += 1;
            } else {
                let order = candidates.len();
                candidates.insert(list.clone().into(), (1, order));
            }
        }
        let least = |count: usize| count >= FEWEST && count * PROPORTION >= total;
        let mut found: Vec<_> = candidates.into_iter().filter(|(_, (count, _))| least(*count)).collect();
        found.sort_by_key(|(_, (count, order))| (std::cmp::Reverse(*count), *order));
        Self(found.into_iter().map(|(list, _)| shape(graph, &list)).collect())
    }

    /// Makes them applicable to a snapshot, which may be another than that they were found in.
    pub(super) fn matcher<'a>(&self, graph: &'a HeapGraph) -> Matcher<'a> {
        let mut numbers: HashMap<&[u8], u32> =
            self.0.iter().flat_map(|shape| &shape.properties).map(|name| (name.as_slice(), u32::MAX)).collect();
        for text in 0..graph.texts().len() as u32 {
            if let Some(number) = numbers.get_mut(graph.texts().get(text)) {
                *number = (*number).min(text);
            }
        }
        let mut by_least: HashMap<u32, Vec<(usize, Vec<u32>)>> = HashMap::new();
        for (place, shape) in self.0.iter().enumerate() {
            let mut list: Vec<u32> = shape.properties.iter().map(|name| numbers[name.as_slice()]).collect();
            list.sort_unstable();
            if list.last().is_some_and(|last| *last != u32::MAX) {
                by_least.entry(list[0]).or_default().push((place, list));
            }
        }
        Matcher { graph, words: Words::of(graph), by_least, remembered: HashMap::new() }
    }
}

/// The properties that an object begins with, as many as fit into a name.
fn beginning(graph: &HeapGraph, words: Words, node: u32, list: &mut Vec<u32>) {
    list.clear();
    let mut length = 1;
    for edge in graph.edges(node) {
        if edge.kind != EdgeKind::Property || Some(edge.label) == words.proto {
            continue;
        }
        let formatted = formatted_length(graph.texts().get(edge.label));
        if length > 1 && length + formatted > LONGEST {
            break;
        }
        length += formatted + if length > 1 { 2 } else { 0 };
        list.push(edge.label);
    }
}

fn shape(graph: &HeapGraph, list: &[u32]) -> Shape {
    let properties: Vec<Vec<u8>> = list.iter().map(|text| graph.texts().get(*text).to_vec()).collect();
    let names: Vec<String> = properties.iter().map(|name| formatted(name)).collect();
    Shape { name: format!("{{{}}}", names.join(", ")), properties }
}

fn needs_quotes(name: &[u8]) -> bool {
    name.iter().any(|byte| b",'\"{}".contains(byte))
}

/// The length of a formatted name in units of UTF-16, in which JavaScript counts.
fn formatted_length(name: &[u8]) -> usize {
    if name.is_ascii() && !needs_quotes(name) { name.len() } else { formatted(name).encode_utf16().count() }
}

/// A property's name, in quotes where it could be taken for more than one.
pub(super) fn formatted(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    if !needs_quotes(name) {
        return text.into_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 => {
                // Writing into a String can't fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Tells the shape of plain objects.
pub(super) struct Matcher<'a> {
    graph: &'a HeapGraph,
    words: Words,
    /// Shapes by the least of their properties, which are in order.
    by_least: HashMap<u32, Vec<(usize, Vec<u32>)>>,
    remembered: HashMap<Box<[u32]>, Option<usize>>,
}

impl Matcher<'_> {
    /// Whether a node is a plain object.
    pub(super) fn is_plain(&self, node: u32) -> bool {
        self.words.is_plain(self.graph, node)
    }

    /// The shape with the most properties that an object has all of; of several the most frequent.
    pub(super) fn shape_of(&mut self, node: u32, list: &mut Vec<u32>) -> Option<usize> {
        list.clear();
        let properties = self.graph.edges(node).filter(|edge| edge.kind == EdgeKind::Property);
        list.extend(properties.map(|edge| edge.label));
        list.sort_unstable();
        if let Some(known) = self.remembered.get(list.as_slice()) {
            return *known;
        }
        let shapes = list.iter().filter_map(|property| self.by_least.get(property)).flatten();
        let fitting = shapes.filter(|(_, wanted)| wanted.iter().all(|property| list.binary_search(property).is_ok()));
        let best = fitting.min_by_key(|(place, wanted)| (std::cmp::Reverse(wanted.len()), *place));
        let found = best.map(|(place, _)| *place);
        if self.remembered.len() < REMEMBERED && list.len() <= LONGEST_REMEMBERED {
            self.remembered.insert(list.clone().into(), found);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_properties_are_quoted_where_they_would_confuse() {
        assert_eq!(formatted(b"plain name"), "plain name");
        assert_eq!(formatted(b"a,b"), "\"a,b\"");
        assert_eq!(formatted(b"a'\"\\\n\x01"), "\"a'\\\"\\\\\\n\\u0001\"");
        assert_eq!((formatted_length("数据".as_bytes()), formatted_length("😀,".as_bytes())), (2, 5));
    }
}
