//! Where functions and constructors are written: script, line and column, as V8 notes them beside a snapshot.

use std::collections::HashMap;

/// A place in a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// V8's number of the script.
    pub script: u32,
    /// The line, from 0.
    pub line: u32,
    /// The column, from 0.
    pub column: u32,
}

/// Places by node, and the names of scripts that are known.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// By node, each once.
    nodes: Vec<(u32, u32)>,
    all: Vec<Place>,
    numbers: HashMap<Place, u32>,
    /// Strings.
    scripts: HashMap<u32, u32>,
}

impl Places {
    pub(super) fn push(&mut self, node: u32, place: Place) {
        let next = self.all.len() as u32;
        let number = *self.numbers.entry(place).or_insert(next);
        if number == next {
            self.all.push(place);
        }
        self.nodes.push((node, number));
    }

    /// Puts what was pushed in order; of several places of a node the last one counts.
    pub(super) fn settle(&mut self) {
        if !self.nodes.is_sorted_by(|a, b| a.0 < b.0) {
            self.nodes.sort_by_key(|(node, _)| *node);
            self.nodes.reverse();
            self.nodes.dedup_by_key(|(node, _)| *node);
            self.nodes.reverse();
        }
        self.nodes.shrink_to_fit();
    }

    /// The number of a node's place.
    #[inline]
    pub(super) fn number(&self, node: u32) -> Option<u32> {
        let at = self.nodes.binary_search_by_key(&node, |(node, _)| *node).ok()?;
        Some(self.nodes[at].1)
    }

    /// Nodes and the numbers of their places, by node.
    pub(super) fn numbers(&self) -> &[(u32, u32)] {
        &self.nodes
    }

    /// The place of a number.
    pub(super) fn get(&self, number: u32) -> Place {
        self.all[number as usize]
    }

    /// The place of a node.
    pub fn of(&self, node: u32) -> Option<Place> {
        self.number(node).map(|number| self.get(number))
    }

    pub(super) fn name_script(&mut self, script: u32, text: u32) {
        self.scripts.insert(script, text);
    }

    /// The string that is the name of a script, where it is known.
    pub fn script(&self, script: u32) -> Option<u32> {
        self.scripts.get(&script).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_place_of_a_node_counts_in_whatever_order_they_come() {
        let place = |line| Place { script: 1, line, column: 0 };
        let mut places = Places::default();
        for (node, line) in [(5, 1), (2, 2), (5, 3), (9, 1)] {
            places.push(node, place(line));
        }
        places.settle();
        assert_eq!([2, 5, 9].map(|node| places.of(node)), [Some(place(2)), Some(place(3)), Some(place(1))]);
        assert_eq!((places.of(3), places.all.len()), (None, 3));
        places.name_script(1, 77);
        assert_eq!((places.script(1), places.script(2)), (Some(77), None));
    }
}
