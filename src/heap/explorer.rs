//! All questions about one snapshot. What is asked rarely is computed when it is first asked for; lists are given by page,
//! so that a view asks for no more than it shows.

use std::ops::Range;
use std::sync::OnceLock;

use super::classes::Classes;
use super::distances::{Distances, Ways};
use super::dominators::{Children, Dominators, Tree, Walk};
use super::error::Result;
use super::graph::{Edge, HeapGraph};
use super::kind::EdgeKind;
use super::retain::{Retaining, give_sizes_to_owners, owners, spread_attachment};
use super::shapes::Shapes;

/// What is being done, for who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The file is read.
    Reading,
    /// Whose each size is.
    Owners,
    /// What would be freed with what, and how far each node is from a root.
    Dominators,
    /// Which class each node is of.
    Classes,
}

/// What sorts nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeOrder {
    /// What would be freed with it, the largest first.
    Retained,
    /// Its own size, the largest first.
    Shallow,
}

/// A node that leads to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retainer {
    /// The node.
    pub node: u32,
    /// Its edge to the other.
    pub edge: Edge,
    /// Whether it is held itself only by what it holds: no way from a root.
    pub is_cycle: bool,
}

/// One snapshot with all that is known of it.
pub struct Explorer {
    graph: HeapGraph,
    retaining: Retaining,
    dominators: Dominators,
    distances: Distances,
    shapes: Shapes,
    classes: Classes,
    children: OnceLock<Children>,
    ways: OnceLock<Ways>,
}

impl Explorer {
    /// Computes what every question needs. `progress` is told what is being done.
    pub fn new(graph: HeapGraph, progress: &mut dyn FnMut(Phase)) -> Result<Self> {
        Self::stoppable(graph, None, &mut |phase| {
            progress(phase);
            Ok(())
        })
    }

    /// The same where whoever is told of a phase may end it all by an error. `later` is the snapshot that this one will be
    /// compared with: plain objects have the shapes of that.
    pub fn stoppable(
        mut graph: HeapGraph,
        later: Option<&Self>,
        progress: &mut dyn FnMut(Phase) -> Result<()>,
    ) -> Result<Self> {
        progress(Phase::Owners)?;
        spread_attachment(&mut graph)?;
        progress(Phase::Dominators)?;
        // Neither needs the other: two cores take half the time.
        let (owners, found) = beside(
            || owners(&graph),
            || {
                let retaining = Retaining::of(&graph)?;
                let walk = Walk::of(&graph, &retaining)?;
                Ok((retaining, walk))
            },
        );
        let (retaining, walk) = found?;
        give_sizes_to_owners(&mut graph, &owners?);
        let tree = Tree::of(&graph, &retaining, walk)?;
        let dominators = Dominators::of(&graph, tree);
        progress(Phase::Classes)?;
        let shapes = later.map_or_else(|| Shapes::infer(&graph), |later| later.shapes.clone());
        let (distances, found) = beside(
            || Distances::of(&graph),
            || {
                let mut classes = Classes::of(&graph, &shapes)?;
                let children = Children::of_dominators(&graph, &dominators)?;
                classes.add_retained(&graph, &dominators, &children)?;
                Ok((classes, children))
            },
        );
        let (distances, (mut classes, children)) = (distances?, found?);
        classes.add_distances(&distances);
        let ways = OnceLock::new();
        Ok(Self { graph, retaining, dominators, distances, shapes, classes, children: children.into(), ways })
    }

    /// The nodes, edges and strings.
    pub fn graph(&self) -> &HeapGraph {
        &self.graph
    }

    /// What dominates what.
    pub fn dominators(&self) -> &Dominators {
        &self.dominators
    }

    /// How far nodes are from the roots.
    pub fn distances(&self) -> &Distances {
        &self.distances
    }

    /// The classes.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Bytes that all nodes take together.
    pub fn total(&self) -> u64 {
        self.dominators.retained(self.graph.root())
    }

    /// The tree of dominators from above.
    pub fn children(&self) -> Result<&Children> {
        if let Some(children) = self.children.get() {
            return Ok(children);
        }
        let children = Children::of_dominators(&self.graph, &self.dominators)?;
        Ok(self.children.get_or_init(|| children))
    }

    /// The shortest ways from the roots.
    pub fn ways(&self) -> Result<&Ways> {
        if let Some(ways) = self.ways.get() {
            return Ok(ways);
        }
        let ways = Ways::of(&self.graph)?;
        Ok(self.ways.get_or_init(|| ways))
    }

    /// The nodes of a class, in order.
    pub fn instances(&self, class: u32, order: NodeOrder, page: Range<usize>) -> Vec<u32> {
        let mut nodes: Vec<u32> = self.classes.nodes(class).collect();
        self.sort(&mut nodes, order);
        cut(nodes, page)
    }

    /// Sorts nodes; those that are equal by their id.
    pub fn sort(&self, nodes: &mut [u32], order: NodeOrder) {
        let size = |node: u32| match order {
            NodeOrder::Retained => self.dominators.retained(node),
            NodeOrder::Shallow => self.graph.size(node),
        };
        nodes.sort_by_cached_key(|node| (std::cmp::Reverse(size(*node)), self.graph.id(*node)));
    }

    /// What a node refers to, in V8's order.
    pub fn fields(&self, node: u32, page: Range<usize>) -> Vec<Edge> {
        let numbers = self.graph.edge_numbers(node);
        let count = numbers.len();
        let (start, end) = (page.start.min(count), page.end.min(count));
        (numbers.start + start as u32..numbers.start + end as u32).map(|number| self.graph.edge(number)).collect()
    }

    /// Who leads to a node by an edge that retains: the nearest to a root first, what is held by the node itself last.
    pub fn retainers(&self, node: u32, page: Range<usize>) -> Vec<Retainer> {
        let edges = (0..self.graph.edge_count() as u32).filter(|edge| self.graph.target(*edge) == node);
        let mut retainers: Vec<Retainer> = edges
            .filter(|edge| self.graph.edge_kind(*edge) != EdgeKind::Weak)
            .map(|edge| {
                let source = self.graph.source(edge);
                Retainer { node: source, edge: self.graph.edge(edge), is_cycle: self.is_held_by(source, node) }
            })
            .collect();
        retainers.sort_by_key(|retainer| {
            let counts = self.retaining.has(retainer.edge.number);
            (retainer.is_cycle, !counts, self.distances.get(retainer.node), retainer.edge.number)
        });
        cut(retainers, page)
    }

    /// Whether every way from the root to `node` leads through `holder`.
    pub fn is_held_by(&self, node: u32, holder: u32) -> bool {
        let mut at = node;
        while at != holder {
            let above = self.dominators.nearest(at);
            if above == at {
                return false;
            }
            at = above;
        }
        true
    }

    /// The shortest way from the root to a node: each edge with the node that it comes from.
    pub fn way(&self, node: u32) -> Result<Vec<(u32, Edge)>> {
        let mut way: Vec<(u32, Edge)> = self.ways()?.back(&self.graph, node).collect();
        way.reverse();
        Ok(way)
    }

    /// What a node dominates directly, the largest first.
    pub fn dominated(&self, node: u32, page: Range<usize>) -> Result<Vec<u32>> {
        let mut nodes = self.children()?.of(node).to_vec();
        self.sort(&mut nodes, NodeOrder::Retained);
        Ok(cut(nodes, page))
    }
}

/// Does one thing on a thread of its own, if one can be had, while the other is done on this one.
fn beside<A: Send, B>(there: impl Fn() -> A + Sync, here: impl FnOnce() -> B) -> (A, B) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("heap".into()).spawn_scoped(scope, &there);
        let here = here();
        let there = match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => there(),
        };
        (there, here)
    })
}

/// The part of a list that is on a page.
pub(super) fn cut<T>(mut list: Vec<T>, page: Range<usize>) -> Vec<T> {
    list.truncate(page.end);
    list.drain(..page.start.min(list.len()));
    list
}
