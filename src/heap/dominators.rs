//! Dominators: a node dominates another where every way from the root to the latter leads through it, so that what is
//! freed with a node is what it dominates.
//!
//! Semi-NCA (Georgiadis 2005) over the edges that retain, without recursion. Its second half climbs from each node to an
//! ancestor; pointers that jump over stretches of the way keep that logarithmic, so that no graph, however deep or
//! wide, takes more than O(m log n). All arrays are by the number that the first walk gives a node.

use super::error::{Result, filled, room};
use super::graph::HeapGraph;
use super::retain::Retaining;
use super::sizes::Sizes;

/// Not reached yet.
const NONE: u32 = u32::MAX;

/// The dominator of each node, and what would be freed with it.
pub struct Dominators {
    /// The nearest; the root's is the root.
    nearest: Vec<u32>,
    retained: Sizes,
}

impl Dominators {
    /// The nearest node that dominates this one. The root dominates itself.
    #[inline]
    pub fn nearest(&self, node: u32) -> u32 {
        self.nearest[node as usize]
    }

    /// Bytes that would be freed with a node: its own size and that of all it dominates.
    #[inline]
    pub fn retained(&self, node: u32) -> u64 {
        self.retained.get(node)
    }

    /// Sums up what a tree of dominators retains, each node being of its size in the graph.
    pub(super) fn of(graph: &HeapGraph, tree: Tree) -> Self {
        let mut retained = graph.sizes.clone();
        // Dominators come before what they dominate: sizes run up the tree.
        for node in tree.order.iter().skip(1).rev() {
            retained.add(tree.nearest[*node as usize], retained.get(*node));
        }
        Self { nearest: tree.nearest, retained }
    }
}

/// Who dominates whom.
pub(super) struct Tree {
    nearest: Vec<u32>,
    /// All nodes from the root down.
    order: Vec<u32>,
}

impl Tree {
    /// Finds the nearest dominator of each node.
    pub(super) fn of(graph: &HeapGraph, retaining: &Retaining, walk: Walk) -> Result<Self> {
        let Walk { nodes: order, numbers, parents } = walk;
        let predecessors = Predecessors::of(&numbers, &parents, graph, retaining)?;
        drop(numbers);
        let idoms = number_dominators(parents, predecessors)?;
        let mut nearest = filled(graph.root(), graph.node_count(), "dominators")?;
        for (node, dominator) in order.iter().zip(idoms) {
            nearest[*node as usize] = order[dominator as usize];
        }
        Ok(Self { nearest, order })
    }
}

/// A depth-first walk over all nodes.
pub(super) struct Walk {
    /// By number.
    nodes: Vec<u32>,
    /// By node.
    numbers: Vec<u32>,
    /// Numbers of parents by number.
    parents: Vec<u32>,
}

impl Walk {
    /// Walks from the root over the edges that retain.
    pub(super) fn of(graph: &HeapGraph, retaining: &Retaining) -> Result<Self> {
        let count = graph.node_count();
        let mut walk = Self {
            nodes: room(count, "dominators")?,
            numbers: filled(NONE, count, "dominators")?,
            parents: room(count, "dominators")?,
        };
        let mut stack = Vec::new();
        walk.from(graph, retaining, graph.root(), &mut stack);
        if walk.nodes.len() < count {
            // What no edge retains hangs from the root, with all that it leads to; then what only holds itself.
            let mut is_retained = super::bits::Bits::new(count)?;
            for edge in 0..graph.edge_count() as u32 {
                if retaining.has(edge) {
                    is_retained.set(graph.target(edge));
                }
            }
            for node in graph.nodes() {
                if walk.numbers[node as usize] == NONE && !is_retained.get(node) {
                    walk.from(graph, retaining, node, &mut stack);
                }
            }
            for node in graph.nodes() {
                if walk.numbers[node as usize] == NONE {
                    walk.reach(node, 0);
                }
            }
        }
        Ok(walk)
    }

    fn reach(&mut self, node: u32, parent: u32) {
        self.numbers[node as usize] = self.nodes.len() as u32;
        self.nodes.push(node);
        self.parents.push(parent);
    }

    /// Walks from a node whose parent is the root. The stack holds where to go on: the next edge, the last one, and the
    /// number of the node that they are of.
    fn from(&mut self, graph: &HeapGraph, retaining: &Retaining, start: u32, stack: &mut Vec<(u32, u32, u32)>) {
        self.reach(start, 0);
        let edges = graph.edge_numbers(start);
        stack.push((edges.start, edges.end, self.numbers[start as usize]));
        while let Some((mut next, end, number)) = stack.pop() {
            while next < end {
                let edge = next;
                next += 1;
                let target = graph.target(edge);
                if self.numbers[target as usize] == NONE && retaining.has(edge) {
                    // A last edge needs no way back.
                    if next < end {
                        stack.push((next, end, number));
                    }
                    self.reach(target, number);
                    let edges = graph.edge_numbers(target);
                    stack.push((edges.start, edges.end, self.numbers[target as usize]));
                    break;
                }
            }
        }
    }
}

/// Numbers of the nearest dominators by number, of parents by number.
fn number_dominators(parents: Vec<u32>, mut predecessors: Predecessors) -> Result<Vec<u32>> {
    let count = parents.len();
    let mut labels: Vec<u32> = filled(0, count, "dominators")?;
    let mut ancestors: Vec<u32> = room(count, "dominators")?;
    ancestors.extend_from_slice(&parents);
    let mut path = Vec::new();
    for number in (1..count as u32).rev() {
        // The least number by which a node can be reached on ways that avoid the walk above it.
        let mut semi = parents[number as usize];
        for predecessor in predecessors.of_number(number) {
            semi = semi.min(least(*predecessor, number, &mut labels, &mut ancestors, &mut path));
        }
        labels[number as usize] = semi;
        // Labels get smaller as ways are shortened. The end of the list that was just read is not needed again.
        predecessors.first[number as usize + 1] = semi;
    }
    let Predecessors { first: semis, all } = predecessors;
    drop(all);
    Ok(climb(parents, &semis[1..], labels, ancestors))
}

/// The least label on the way from a node up to the part of the walk that is not dealt with yet. Shortens the way for
/// those who come later.
#[inline]
fn least(from: u32, current: u32, labels: &mut [u32], ancestors: &mut [u32], path: &mut Vec<u32>) -> u32 {
    if from <= current {
        return from;
    }
    let mut at = from;
    while ancestors[at as usize] > current {
        path.push(at);
        at = ancestors[at as usize];
    }
    let mut label = labels[at as usize];
    let end = ancestors[at as usize];
    while let Some(place) = path.pop() {
        label = label.min(labels[place as usize]);
        labels[place as usize] = label;
        ancestors[place as usize] = end;
    }
    label
}

/// The nearest dominator of each node: its nearest ancestor, in the tree of those found so far, with a number no larger
/// than its semidominator. `jumps` and `depths` are memory to be used.
fn climb(parents: Vec<u32>, semis: &[u32], mut jumps: Vec<u32>, mut depths: Vec<u32>) -> Vec<u32> {
    let mut idoms = parents;
    if let Some(root) = jumps.first_mut() {
        *root = 0;
    }
    if let Some(root) = depths.first_mut() {
        *root = 0;
    }
    for number in 1..idoms.len() {
        let semi = semis[number];
        let mut at = idoms[number];
        while at > semi {
            let jump = jumps[at as usize];
            at = if jump >= semi { jump } else { idoms[at as usize] };
        }
        idoms[number] = at;
        // A jump goes as far as two equal jumps above it together, or one step.
        let (jump, depth) = (jumps[at as usize], depths[at as usize]);
        let above = jumps[jump as usize];
        let is_double = depth - depths[jump as usize] == depths[jump as usize] - depths[above as usize];
        jumps[number] = if is_double { above } else { at };
        depths[number] = depth + 1;
    }
    idoms
}

/// The edges that retain, turned round: numbers by number. Those that the walk took are left out: they are known by the
/// parents.
struct Predecessors {
    first: Vec<u32>,
    all: Vec<u32>,
}

impl Predecessors {
    fn of(numbers: &[u32], parents: &[u32], graph: &HeapGraph, retaining: &Retaining) -> Result<Self> {
        let mut first: Vec<u32> = filled(0, numbers.len() + 1, "dominators")?;
        let mut total = 0;
        let targets = |node: u32| {
            let source = numbers[node as usize];
            let retaining = graph.edge_numbers(node).filter(|edge| retaining.has(*edge));
            let targets = retaining.map(|edge| numbers[graph.target(edge) as usize]);
            targets.filter(move |target| parents[*target as usize] != source)
        };
        for node in graph.nodes() {
            for target in targets(node) {
                first[target as usize] += 1;
                total += 1;
            }
        }
        // Each place holds where its list ends; filling it from behind makes it where the list begins.
        let mut sum = 0;
        for place in &mut first {
            sum += *place;
            *place = sum;
        }
        let mut all = filled(0, total, "dominators")?;
        for node in graph.nodes() {
            for target in targets(node) {
                let place = &mut first[target as usize];
                *place -= 1;
                all[*place as usize] = numbers[node as usize];
            }
        }
        Ok(Self { first, all })
    }

    #[inline]
    fn of_number(&self, number: u32) -> &[u32] {
        &self.all[self.first[number as usize] as usize..self.first[number as usize + 1] as usize]
    }
}

/// The tree of dominators from above: what each node dominates directly.
pub struct Children {
    first: Vec<u32>,
    all: Vec<u32>,
}

impl Children {
    /// Turns the dominators round.
    pub fn of_dominators(graph: &HeapGraph, dominators: &Dominators) -> Result<Self> {
        let mut first: Vec<u32> = filled(0, graph.node_count() + 1, "dominators")?;
        for node in graph.nodes().filter(|node| *node != graph.root()) {
            first[dominators.nearest(node) as usize] += 1;
        }
        let mut sum = 0;
        for place in &mut first {
            sum += *place;
            *place = sum;
        }
        let mut all = filled(0, graph.node_count() - 1, "dominators")?;
        for node in graph.nodes().rev().filter(|node| *node != graph.root()) {
            let place = &mut first[dominators.nearest(node) as usize];
            *place -= 1;
            all[*place as usize] = node;
        }
        Ok(Self { first, all })
    }

    /// What a node dominates directly, by node.
    #[inline]
    pub fn of(&self, node: u32) -> &[u32] {
        &self.all[self.first[node as usize] as usize..self.first[node as usize + 1] as usize]
    }
}
