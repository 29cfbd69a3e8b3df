//! How far each node is from the program's roots, as Chrome DevTools counts it, and the shortest way there.

use std::collections::HashSet;

use super::error::{Result, filled, room};
use super::graph::{Edge, HeapGraph};
use super::kind::{EdgeKind, NodeKind};

/// What only V8's own roots reach is at least so far away.
pub const SYSTEM: u32 = 100_000_000;

/// The distance of what nothing reaches.
pub const NONE: u32 = u32::MAX;

/// Distances by node.
#[derive(Clone, Debug)]
pub struct Distances(Vec<u32>);

impl Distances {
    /// Measures them.
    pub fn of(graph: &HeapGraph) -> Result<Self> {
        Ok(Self(walk(graph, &mut |_, _| ())?))
    }

    /// The distance of a node from a root of the program: [`SYSTEM`] and more where there is none, [`NONE`] where no
    /// root reaches it.
    #[inline]
    pub fn get(&self, node: u32) -> u32 {
        self.0[node as usize]
    }
}

/// The last edge of the shortest way to each node.
#[derive(Clone, Debug)]
pub struct Ways(Vec<u32>);

impl Ways {
    /// Finds them.
    pub fn of(graph: &HeapGraph) -> Result<Self> {
        let mut edges = filled(NONE, graph.node_count(), "ways")?;
        walk(graph, &mut |node, edge| edges[node as usize] = edge)?;
        Ok(Self(edges))
    }

    /// The edge by which the shortest way comes to a node; none to the root and to what nothing reaches.
    pub fn last(&self, graph: &HeapGraph, node: u32) -> Option<Edge> {
        let edge = self.0[node as usize];
        // What leads to the root makes no way from it.
        (edge != NONE && node != graph.root()).then(|| graph.edge(edge))
    }

    /// The shortest way to a node from its end: each edge with the node that it comes from.
    pub fn back<'a>(&'a self, graph: &'a HeapGraph, node: u32) -> impl Iterator<Item = (u32, Edge)> + 'a {
        let mut at = node;
        std::iter::from_fn(move || {
            let edge = self.last(graph, at)?;
            at = graph.source(edge.number);
            Some((at, edge))
        })
    }
}

/// Strings that the rules name.
struct Words {
    native_context: Option<u32>,
    sloppy_function_map: Option<u32>,
    map_descriptors: Option<u32>,
}

/// Walks breadth-first from the program's roots, then from all others; `reach` is told by which edge a node is reached.
fn walk(graph: &HeapGraph, reach: &mut dyn FnMut(u32, u32)) -> Result<Vec<u32>> {
    let words = Words {
        native_context: graph.texts.find(b"system / NativeContext"),
        sloppy_function_map: graph.texts.find(b"sloppy_function_map"),
        map_descriptors: graph.texts.find(b"(map descriptors)"),
    };
    let mut distances = filled(NONE, graph.node_count(), "distances")?;
    let mut queue = room(graph.node_count(), "distances")?;
    for edge in graph.edges(graph.root()) {
        if graph.is_user_root(edge.target) && distances[edge.target as usize] == NONE {
            distances[edge.target as usize] = 1;
            reach(edge.target, edge.number);
            queue.push(edge.target);
        }
    }
    let has_user_roots = !queue.is_empty();
    let mut pending = HashSet::new();
    spread(graph, &words, &mut distances, &mut queue, &mut pending, reach);
    let root = graph.root();
    distances[root as usize] = if has_user_roots { SYSTEM } else { 0 };
    queue.clear();
    queue.push(root);
    spread(graph, &words, &mut distances, &mut queue, &mut pending, reach);
    Ok(distances)
}

fn spread<'a>(
    graph: &'a HeapGraph,
    words: &Words,
    distances: &mut [u32],
    queue: &mut Vec<u32>,
    pending: &mut HashSet<&'a [u8]>,
    reach: &mut dyn FnMut(u32, u32),
) {
    let mut next = 0;
    while let Some(node) = queue.get(next).copied() {
        next += 1;
        let distance = distances[node as usize] + 1;
        let rule = Rule::of(graph, words, node);
        for number in graph.edge_numbers(node) {
            let target = graph.target(number);
            if distances[target as usize] != NONE || graph.edge_kind(number) == EdgeKind::Weak {
                continue;
            }
            let edge = graph.edge(number);
            let is_passed = match rule {
                Rule::Plain => true,
                Rule::Context => edge.kind.is_numbered() || Some(edge.label) != words.sloppy_function_map,
                Rule::Descriptors => is_own_descriptor(graph, &edge),
            };
            if !is_passed || rule != Rule::Descriptors && is_first_of_pair(graph, &edge, pending) {
                continue;
            }
            distances[target as usize] = distance;
            reach(target, number);
            queue.push(target);
        }
    }
}

/// Which edges of a node are passed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Plain,
    /// A native context: not its map of sloppy functions.
    Context,
    /// An array of descriptors, which maps share: not the descriptors, that may be of another map.
    Descriptors,
}

impl Rule {
    #[inline]
    fn of(graph: &HeapGraph, words: &Words, node: u32) -> Self {
        match graph.kind(node) {
            NodeKind::Hidden if Some(graph.name_text(node)) == words.native_context => Self::Context,
            NodeKind::Array if Some(graph.name_text(node)) == words.map_descriptors => Self::Descriptors,
            _ => Self::Plain,
        }
    }
}

fn is_own_descriptor(graph: &HeapGraph, edge: &Edge) -> bool {
    let index = match graph.label(edge) {
        None => Some(edge.label),
        Some(label) => {
            let digits = label.iter().take_while(|byte| byte.is_ascii_digit()).count();
            std::str::from_utf8(&label[..digits]).ok().and_then(|digits| digits.parse().ok())
        }
    };
    index.is_none_or(|index| index < 2 || index % 3 != 1)
}

/// A value in a `WeakMap` is as far away as the farther of the map and its key: the first edge that comes to it waits for
/// the other.
fn is_first_of_pair<'a>(graph: &'a HeapGraph, edge: &Edge, pending: &mut HashSet<&'a [u8]>) -> bool {
    let Some(ephemeron) = graph.ephemeron(edge) else { return false };
    if pending.remove(ephemeron.pair.as_slice()) {
        return false;
    }
    pending.insert(&ephemeron.pair);
    true
}
