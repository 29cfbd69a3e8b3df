//! Lists beside the classes: what is there several times, what has many elements, where functions come from, what was
//! given up, what is largest.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::classes::retained_by_group;
use super::error::{Result, filled};
use super::explorer::{Explorer, NodeOrder};
use super::graph::{Attachment, Edge};
use super::kind::{EdgeKind, NodeKind};
use super::places::Place;

/// A string that is there several times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// One of its nodes.
    pub node: u32,
    /// How many there are.
    pub count: u64,
    /// Bytes that all of them take.
    pub total: u64,
    /// Bytes that all but one of them take.
    pub wasted: u64,
}

/// An object that holds many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its node.
    pub node: u32,
    /// Its elements. Small integers are part of the object itself, and no node: they are not counted.
    pub elements: u64,
    /// How many more there is room for is not known; what it takes itself is.
    pub shallow: u64,
    /// What would be freed with it.
    pub retained: u64,
}

/// The functions of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closures {
    /// One of them.
    pub node: u32,
    /// Where they are written; none for V8's own.
    pub place: Option<Place>,
    /// How many there are.
    pub count: u64,
    /// Bytes that they take themselves.
    pub shallow: u64,
    /// What would be freed with all of them.
    pub retained: u64,
}

impl Explorer {
    /// Strings that are there several times, those that waste most first. V8 cuts long strings in a snapshot: they
    /// count as the same only where their sizes are the same.
    pub fn duplicates(&self) -> Vec<Duplicate> {
        self.strings(2, "")
    }

    /// The same of strings that are there so many times at least and have a word of small letters in them.
    pub fn strings(&self, least: u64, word: &str) -> Vec<Duplicate> {
        let graph = self.graph();
        let mut first: HashMap<&[u8], u32> = HashMap::new();
        // Texts are there once each in what V8 writes; others may not keep to that.
        let mut same: HashMap<u32, u32> = HashMap::new();
        let mut groups: HashMap<(u32, u64), Duplicate> = HashMap::new();
        for node in graph.nodes().filter(|node| graph.kind(*node) == NodeKind::String) {
            let size = graph.size(node);
            if size == 0 || !contains(graph.name(node), word) {
                continue;
            }
            let text = graph.name_text(node);
            let text = match same.entry(text) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(place) => *place.insert(*first.entry(graph.name(node)).or_insert(text)),
            };
            let group = groups.entry((text, size));
            let group = group.or_insert(Duplicate { node, count: 0, total: 0, wasted: 0 });
            group.count += 1;
            group.total += size;
            group.wasted = group.total - size;
        }
        let mut found: Vec<Duplicate> = groups.into_values().filter(|group| group.count >= least).collect();
        found.sort_by_key(|group| (Reverse(group.wasted), group.node));
        found
    }

    /// Maps, sets and arrays, those with most elements first.
    pub fn collections(&self) -> Vec<Collection> {
        let graph = self.graph();
        let mut found = Vec::new();
        for node in graph.nodes().filter(|node| graph.kind(*node) == NodeKind::Object) {
            let elements = match graph.name(node) {
                b"Map" => self.table_entries(node, 3),
                b"Set" => self.table_entries(node, 2),
                b"WeakMap" | b"WeakSet" => self.weak_entries(node),
                _ => graph.edges(node).filter(|edge| edge.kind == EdgeKind::Element).count() as u64,
            };
            if elements > 1 {
                found.push(Collection {
                    node,
                    elements,
                    shallow: graph.size(node),
                    retained: self.dominators().retained(node),
                });
            }
        }
        found.sort_by_key(|found| (Reverse(found.elements), Reverse(found.retained), found.node));
        found
    }

    /// Entries of the hash table of a map or a set, each of `width` places of which some hold nodes: a key, a value. Where
    /// the first entry begins is not known: counted are places that can be of one entry.
    fn table_entries(&self, node: u32, width: u64) -> u64 {
        let graph = self.graph();
        let Some(table) = graph.internal(node, b"table") else { return 0 };
        let place = |edge: Edge| match graph.label(&edge) {
            None => Some(edge.label),
            Some(label) if edge.kind == EdgeKind::Internal => std::str::from_utf8(label).ok()?.parse::<u32>().ok(),
            Some(_) => None,
        };
        let mut places: Vec<u32> = graph.edges(table).filter_map(place).collect();
        places.sort_unstable();
        let entries = |start: u64| {
            let numbers = places.iter().map(|place| (u64::from(*place) + start) / width);
            numbers
                .fold((0, None), |(count, before), number| (count + u64::from(before != Some(number)), Some(number)))
                .0
        };
        (0..width).map(entries).min().unwrap_or(0)
    }

    /// Entries of a weak map or set.
    fn weak_entries(&self, node: u32) -> u64 {
        let graph = self.graph();
        let Some(table) = graph.internal(node, b"table") else { return 0 };
        let count = |is_one: &dyn Fn(&Edge) -> bool| graph.edges(table).filter(|edge| is_one(edge)).count() as u64;
        match count(&|edge| graph.ephemeron(edge).is_some()) {
            0 => count(&|edge| edge.kind == EdgeKind::Weak),
            pairs => pairs,
        }
    }

    /// Functions by where they are written, those that retain most first.
    pub fn closures(&self) -> Result<Vec<Closures>> {
        const NO_GROUP: u32 = u32::MAX;
        let graph = self.graph();
        let mut numbers: HashMap<(u32, Option<u32>), u32> = HashMap::new();
        let mut groups: Vec<Closures> = Vec::new();
        let mut group_of = filled(NO_GROUP, graph.node_count(), "closures")?;
        for node in graph.nodes().filter(|node| graph.kind(*node) == NodeKind::Closure) {
            let place = graph.places().number(node);
            // Functions of V8 have no place: their name tells them apart.
            let key = if place.is_some() { (0, place) } else { (graph.name_text(node), None) };
            let next = groups.len() as u32;
            let number = *numbers.entry(key).or_insert(next);
            if number == next {
                let place = place.map(|place| graph.places().get(place));
                groups.push(Closures { node, place, count: 0, shallow: 0, retained: 0 });
            }
            let group = &mut groups[number as usize];
            group.count += 1;
            group.shallow += graph.size(node);
            group_of[node as usize] = number;
        }
        let group = |node: u32| Some(group_of[node as usize]).filter(|group| *group != NO_GROUP);
        let retained = retained_by_group(graph, self.dominators(), self.children()?, groups.len(), group)?;
        for (group, retained) in groups.iter_mut().zip(retained) {
            group.retained = retained;
        }
        groups.sort_by_key(|group| (Reverse(group.retained), group.node));
        Ok(groups)
    }

    /// Native nodes that the page or the program has given up, the largest first.
    pub fn detached(&self) -> Vec<u32> {
        let graph = self.graph();
        let is_detached = |node: &u32| {
            graph.attachment(*node) == Attachment::Detached
                || graph.kind(*node) == NodeKind::Native && graph.name(*node).starts_with(b"Detached ")
        };
        let mut nodes: Vec<u32> = graph.nodes().filter(is_detached).collect();
        self.sort(&mut nodes, NodeOrder::Retained);
        nodes
    }

    /// What the program made, the largest first by what would be freed with it.
    pub fn biggest(&self, order: NodeOrder, most: usize) -> Vec<u32> {
        let graph = self.graph();
        let size = |node: u32| match order {
            NodeOrder::Retained => self.dominators().retained(node),
            NodeOrder::Shallow => graph.size(node),
        };
        let made = graph.nodes().filter(|node| graph.kind(*node).is_made_by_program() && graph.size(*node) > 0);
        let mut nodes: Vec<u32> = made.collect();
        if nodes.len() > most && most > 0 {
            nodes.select_nth_unstable_by_key(most - 1, |node| (Reverse(size(*node)), graph.id(*node)));
        }
        nodes.truncate(most);
        self.sort(&mut nodes, order);
        nodes
    }

    /// Nodes with a word in their name, whatever its case, the largest first.
    pub fn search(&self, word: &str) -> Result<Vec<u32>> {
        let graph = self.graph();
        let word = word.to_lowercase();
        let mut has = super::bits::Bits::new(graph.texts().len())?;
        for text in 0..graph.texts().len() as u32 {
            if contains(graph.texts().get(text), &word) {
                has.set(text);
            }
        }
        let is_found = |node: &u32| has.get(graph.name_text(*node)) && graph.kind(*node).is_made_by_program();
        let mut nodes: Vec<u32> = graph.nodes().filter(is_found).collect();
        self.sort(&mut nodes, NodeOrder::Retained);
        Ok(nodes)
    }
}

/// Whether a text has a word of small letters in it, whatever its own case.
pub fn contains(text: &[u8], word: &str) -> bool {
    if word.is_ascii() {
        let word = word.as_bytes();
        return word.is_empty() || text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    }
    String::from_utf8_lossy(text).to_lowercase().contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whatever_their_case() {
        assert!(contains(b"PooledRequest", "pooled") && contains("Größe".as_bytes(), "größe"));
        assert!(contains(b"x", "") && !contains(b"x", "xy") && !contains("é".as_bytes(), "e"));
    }
}
