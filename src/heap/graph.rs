//! A heap as a graph in columns: some twenty bytes a node and eight an edge.

use std::collections::HashMap;
use std::ops::Range;

use super::kind::{EdgeKind, NodeKind};
use super::places::Places;
use super::sizes::Sizes;
use super::texts::Texts;

/// The most nodes: the kind of an edge stands in the three bits above its target.
pub const MOST_NODES: u64 = 1 << TARGET_BITS;

/// The most edges.
pub const MOST_EDGES: u64 = u32::MAX as u64;

const TARGET_BITS: u32 = 29;
const TARGET: u32 = (1 << TARGET_BITS) - 1;

/// Kinds take so many bits of a node's byte; what is known of its attachment takes the rest.
const KIND_BITS: u32 = 6;

/// Whether a native node still belongs to the page or the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// V8 does not say.
    Unknown,
    /// It does.
    Attached,
    /// It was given up, and something still holds it.
    Detached,
}

/// A value of a `WeakMap`, which the map and its key hold together: V8 writes an edge from each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ephemeron {
    /// The id of the map's table.
    pub table: u32,
    /// What the labels of both edges have in common.
    pub pair: Vec<u8>,
}

/// The nodes, edges and strings of a snapshot.
#[derive(Clone, Debug, Default)]
pub struct HeapGraph {
    pub(super) kinds: Vec<u8>,
    /// Strings.
    pub(super) names: Vec<u32>,
    pub(super) ids: Vec<u32>,
    pub(super) sizes: Sizes,
    /// Where each node's edges begin, and one more: where the last one's end.
    pub(super) first_edges: Vec<u32>,
    /// Nodes, and in the upper bits kinds.
    pub(super) targets: Vec<u32>,
    /// Strings or numbers.
    pub(super) labels: Vec<u32>,
    pub(super) texts: Texts,
    pub(super) places: Places,
    pub(super) ephemerons: HashMap<u32, Ephemeron>,
    pub(super) root: u32,
    /// Bytes outside of V8's heap that no node stands for (newer versions say so).
    pub(super) extra_native: u64,
}

/// A reference from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Its number in the graph.
    pub number: u32,
    /// What it is.
    pub kind: EdgeKind,
    /// A string, or a number where [`EdgeKind::is_numbered`].
    pub label: u32,
    /// The node it leads to.
    pub target: u32,
}

impl HeapGraph {
    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.kinds.len()
    }

    /// How many edges there are.
    pub fn edge_count(&self) -> usize {
        self.targets.len()
    }

    /// All nodes.
    pub fn nodes(&self) -> Range<u32> {
        0..self.node_count() as u32
    }

    /// The node that all else hangs from.
    pub fn root(&self) -> u32 {
        self.root
    }

    /// What a node is.
    #[inline]
    pub fn kind(&self, node: u32) -> NodeKind {
        NodeKind::of_code(self.kinds[node as usize] & ((1 << KIND_BITS) - 1))
    }

    #[inline]
    pub(super) fn push_kind(&mut self, kind: NodeKind, attachment: u64) {
        // What is no known attachment is unknown.
        let attachment = if attachment > 2 { 0 } else { attachment as u8 };
        self.kinds.push(kind as u8 | attachment << KIND_BITS);
    }

    /// Whether a native node is given up.
    #[inline]
    pub fn attachment(&self, node: u32) -> Attachment {
        match self.kinds[node as usize] >> KIND_BITS {
            1 => Attachment::Attached,
            2 => Attachment::Detached,
            _ => Attachment::Unknown,
        }
    }

    pub(super) fn set_attachment(&mut self, node: u32, attachment: Attachment) {
        let kind = self.kinds[node as usize] & ((1 << KIND_BITS) - 1);
        self.kinds[node as usize] = kind | (attachment as u8) << KIND_BITS;
    }

    /// What V8 calls a node: the constructor of an object, the text of a string, the name of a function.
    #[inline]
    pub fn name(&self, node: u32) -> &[u8] {
        self.texts.get(self.names[node as usize])
    }

    /// The number of that name among the strings.
    #[inline]
    pub fn name_text(&self, node: u32) -> u32 {
        self.names[node as usize]
    }

    /// The number by which a node is known in all snapshots of its process.
    #[inline]
    pub fn id(&self, node: u32) -> u32 {
        self.ids[node as usize]
    }

    /// The node of an id.
    pub fn node_of_id(&self, id: u32) -> Option<u32> {
        self.ids.iter().position(|known| *known == id).map(|node| node as u32)
    }

    /// What a node takes itself, in bytes, with what V8 keeps for it alone.
    #[inline]
    pub fn size(&self, node: u32) -> u64 {
        self.sizes.get(node)
    }

    /// The strings.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// Where functions and constructors are written.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Bytes outside of V8's heap that no node stands for.
    pub fn extra_native(&self) -> u64 {
        self.extra_native
    }

    /// The numbers of a node's edges.
    #[inline]
    pub fn edge_numbers(&self, node: u32) -> Range<u32> {
        self.first_edges[node as usize]..self.first_edges[node as usize + 1]
    }

    /// The node that an edge leads to.
    #[inline]
    pub fn target(&self, edge: u32) -> u32 {
        self.targets[edge as usize] & TARGET
    }

    /// What an edge is.
    #[inline]
    pub fn edge_kind(&self, edge: u32) -> EdgeKind {
        EdgeKind::of_code(self.targets[edge as usize] >> TARGET_BITS)
    }

    /// An edge by its number.
    #[inline]
    pub fn edge(&self, number: u32) -> Edge {
        Edge { number, kind: self.edge_kind(number), label: self.labels[number as usize], target: self.target(number) }
    }

    #[inline]
    pub(super) fn push_edge(&mut self, kind: EdgeKind, label: u32, target: u32) {
        self.targets.push(target | (kind as u32) << TARGET_BITS);
        self.labels.push(label);
    }

    /// A node's edges.
    pub fn edges(&self, node: u32) -> impl Iterator<Item = Edge> + '_ {
        self.edge_numbers(node).map(|number| self.edge(number))
    }

    /// The node that an edge comes from.
    pub fn source(&self, edge: u32) -> u32 {
        // The last node whose edges begin at or before it: those without edges come before.
        self.first_edges.partition_point(|first| *first <= edge).saturating_sub(1) as u32
    }

    /// The label of an edge, where it is a string.
    pub fn label(&self, edge: &Edge) -> Option<&[u8]> {
        (!edge.kind.is_numbered()).then(|| self.texts.get(edge.label))
    }

    /// The first internal edge of a node with this label.
    pub fn internal(&self, node: u32, label: &[u8]) -> Option<u32> {
        self.edges(node)
            .find(|edge| edge.kind == EdgeKind::Internal && self.texts.get(edge.label) == label)
            .map(|edge| edge.target)
    }

    /// Whether an edge keeps the distance of what it leads to: weak ones do not, and not each part of a pair in a
    /// `WeakMap`.
    pub(super) fn ephemeron(&self, edge: &Edge) -> Option<&Ephemeron> {
        if edge.kind != EdgeKind::Internal || self.ephemerons.is_empty() {
            return None;
        }
        self.ephemerons.get(&edge.label)
    }

    /// Whether a node is one that the program's own roots are: what is no synthetic group of V8's.
    pub(super) fn is_user_root(&self, node: u32) -> bool {
        self.kind(node) != NodeKind::Synthetic || self.is_document_root(node)
    }

    pub(super) fn is_document_root(&self, node: u32) -> bool {
        self.kind(node) == NodeKind::Synthetic && self.name(node) == b"(Document DOM trees)"
    }
}
