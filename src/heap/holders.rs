//! Who holds many objects, in a few words: `Pool.items[…] of server.js:12`. Each object's shortest way to a root is
//! followed up to the first field or variable that a person would name; ways that read the same are counted together.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::model::text::escape;

use super::error::Result;
use super::explorer::Explorer;
use super::graph::Edge;
use super::kind::{EdgeKind, NodeKind};
use super::places::Place;

/// Different fields of one object by which others of a class are held: with more than that it is a dictionary.
const FIELDS: usize = 8;

/// Fields that are named, from the object up.
const HOPS: usize = 4;

/// Objects, and who holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// How many.
    pub count: u64,
    /// By what: `Pool.items[…]`.
    pub by: String,
    /// How many such holders there are.
    pub holders: u64,
    /// Where the holder's class, or the function of the variable, is written.
    pub place: Option<Place>,
    /// One of the objects.
    pub example: u32,
}

/// The first named step of the way from a node to a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    /// The object that has the field, or the scope that has the variable.
    owner: u32,
    /// Its edge.
    edge: Edge,
    /// What stands between the field and the object.
    through: Through,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Through {
    Nothing,
    /// Elements of an array.
    Elements,
    /// The inside of an object: a map, a promise, a bound function.
    Inside(u32),
}

/// Finds steps, each once.
struct Climber<'a> {
    explorer: &'a Explorer,
    /// The class that is asked for: who holds its own kind is passed, as in a linked list.
    class: Option<u32>,
    known: HashMap<u32, Option<Step>>,
}

impl Climber<'_> {
    fn step(&mut self, node: u32) -> Result<Option<Step>> {
        let graph = self.explorer.graph();
        let ways = self.explorer.ways()?;
        let mut passed = Vec::new();
        let mut at = node;
        let mut through = Through::Nothing;
        let found = loop {
            let Some(edge) = ways.last(graph, at) else { break None };
            let owner = graph.source(edge.number);
            if owner == graph.root() || graph.kind(owner) == NodeKind::Synthetic {
                break Some(Step { owner, edge, through });
            }
            let is_own_kind = self.class.is_some() && self.explorer.classes().of_node(owner) == self.class;
            if is_own_kind {
                if let Some(known) = self.known.get(&owner) {
                    break *known;
                }
                passed.push(owner);
                through = Through::Nothing;
            } else {
                match edge.kind {
                    EdgeKind::Property | EdgeKind::Context | EdgeKind::Shortcut => {
                        break Some(Step { owner, edge, through });
                    }
                    EdgeKind::Element => through = Through::Elements,
                    _ if graph.kind(owner) == NodeKind::Object => through = Through::Inside(owner),
                    _ => {}
                }
            }
            at = owner;
        };
        for node in passed {
            self.known.insert(node, found);
        }
        Ok(found)
    }
}

/// A step in words.
struct Words {
    by: String,
    place: Option<Place>,
}

impl Explorer {
    /// Who holds these nodes, those who hold most first. `class` is theirs, where they are of one.
    pub fn held(&self, nodes: &[u32], class: Option<u32>) -> Result<Vec<Held>> {
        let mut climber = Climber { explorer: self, class, known: HashMap::new() };
        let mut steps: Vec<(u32, Step)> = Vec::new();
        for node in nodes {
            if let Some(step) = climber.step(*node)? {
                steps.push((*node, step));
            }
        }
        let mut fields: HashMap<u32, HashSet<u32>> = HashMap::new();
        for (_, step) in &steps {
            let fields = fields.entry(step.owner).or_default();
            if fields.len() <= FIELDS {
                fields.insert(step.edge.label);
            }
        }
        let mut climber = Climber { explorer: self, class: None, known: HashMap::new() };
        let mut said: HashMap<(u32, u32, Option<u32>), usize> = HashMap::new();
        let mut places: HashMap<(String, Option<Place>), usize> = HashMap::new();
        let mut all: Vec<Held> = Vec::new();
        for (node, step) in steps {
            let is_dictionary = fields.get(&step.owner).is_some_and(|fields| fields.len() > FIELDS);
            let inside = match step.through {
                Through::Inside(node) => self.classes().of_node(node),
                Through::Nothing | Through::Elements => None,
            };
            let label = if is_dictionary { u32::MAX } else { step.edge.label };
            let place = if let Some(place) = said.get(&(step.owner, label, inside)) {
                *place
            } else {
                let words = self.words(&mut climber, &step, is_dictionary)?;
                let place = *places.entry((words.by.clone(), words.place)).or_insert(all.len());
                if place == all.len() {
                    all.push(Held { count: 0, by: words.by, holders: 0, place: words.place, example: node });
                }
                all[place].holders += 1;
                said.insert((step.owner, label, inside), place);
                place
            };
            all[place].count += 1;
        }
        all.sort_by_key(|held| (Reverse(held.count), held.holders, held.example));
        Ok(all)
    }

    fn words(&self, climber: &mut Climber<'_>, step: &Step, is_dictionary: bool) -> Result<Words> {
        let graph = self.graph();
        let mut tail = match step.through {
            Through::Nothing => String::new(),
            Through::Elements => "[…]".into(),
            Through::Inside(node) => format!(" ({})", self.class_text(node)),
        };
        let mut step = *step;
        let mut is_dictionary = is_dictionary;
        for hop in 0.. {
            let owner = step.owner;
            if owner == graph.root() || graph.kind(owner) == NodeKind::Synthetic {
                let name = if owner == graph.root() { self.node_text(step.edge.target) } else { self.node_text(owner) };
                return Ok(Words { by: name + &tail, place: None });
            }
            if step.edge.kind == EdgeKind::Context {
                let name = escape(graph.texts().get(step.edge.label)).into_owned();
                return Ok(Words { by: name + &tail, place: self.place_of_scope(owner)? });
            }
            let field = if is_dictionary { "[…]".into() } else { graph.edge_text(&step.edge) };
            tail = field + &tail;
            is_dictionary = false;
            let place = graph.places().of(owner).filter(|_| self.is_of_a_class(owner));
            let next = if place.is_some() || hop >= HOPS { None } else { climber.step(owner)? };
            match next {
                // A global object is where names begin.
                Some(next) if next.owner != graph.root() && graph.kind(next.owner) != NodeKind::Synthetic => {
                    match next.through {
                        Through::Nothing => {}
                        Through::Elements => tail = "[…]".to_owned() + &tail,
                        Through::Inside(node) => tail = format!(" ({})", self.class_text(node)) + &tail,
                    }
                    step = next;
                }
                _ => return Ok(Words { by: self.owner_text(owner) + &tail, place }),
            }
        }
        Ok(Words { by: tail, place: None })
    }

    /// Whether an object is made by a constructor that a person would name.
    fn is_of_a_class(&self, node: u32) -> bool {
        let graph = self.graph();
        match graph.kind(node) {
            NodeKind::Closure => true,
            NodeKind::Object => !matches!(graph.name(node), b"Object" | b"Array" | b""),
            _ => false,
        }
    }

    fn owner_text(&self, node: u32) -> String {
        let name = self.node_text(node);
        // `global / file:///srv/app` is the global object, of a page or a program.
        if name == "global" || name.starts_with("global / ") { "global".into() } else { name }
    }

    /// Where the function is written whose variables a scope holds: the one by which the way comes to it.
    fn place_of_scope(&self, scope: u32) -> Result<Option<Place>> {
        let graph = self.graph();
        let way = self.ways()?.back(graph, scope);
        Ok(way.take(HOPS).find_map(
            |(node, _)| {
                if graph.kind(node) == NodeKind::Closure { graph.places().of(node) } else { None }
            },
        ))
    }

    /// The same in one sentence: `41200 PooledRequest held by Pool.items[…] of server.js:12`.
    pub fn held_text(&self, held: &Held, class: &str) -> String {
        let (count, holder) = (grouped(held.count), self.holder_text(held));
        if held.holders > 1 {
            tr!("{count} {class} held by {holders} {holder}", count, class, holders = grouped(held.holders), holder)
        } else {
            tr!("{count} {class} held by {holder}", count, class, holder)
        }
    }

    /// By what they are held: `Pool.items[…] of server.js:12`.
    pub fn holder_text(&self, held: &Held) -> String {
        match held.place {
            Some(place) => tr!("{by} of {place}", by = held.by, place = self.graph().place_text(place, false)),
            None => held.by.clone(),
        }
    }
}

/// A number with its thousands apart: `41,200`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([7, 999, 1000, 41_200, 1_234_567].map(grouped), ["7", "999", "1,000", "41,200", "1,234,567"]);
    }
}
