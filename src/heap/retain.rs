//! What counts as retaining, and whose a size is: the rules by which Chrome DevTools reads a snapshot.
//!
//! - Weak edges and edges of a node to itself never retain; shortcuts only from the root, where they mark the program's
//!   global objects.
//! - A value in a `WeakMap` hangs from its key alone, not from the map as well.
//! - What the program reaches is not retained by what it does not reach (a debugger, say).
//! - Arrays and hidden nodes that one node alone leads to are part of it: their size is added to its own.

use super::bits::Bits;
use super::error::{Result, filled};
use super::graph::{Attachment, Edge, HeapGraph};
use super::kind::{EdgeKind, NodeKind};

/// Edges that retain.
pub struct Retaining(Bits);

impl Retaining {
    /// Decides on every edge.
    pub fn of(graph: &HeapGraph) -> Result<Self> {
        let program = reached_by_program(graph)?;
        let mut bits = Bits::new(graph.edge_count())?;
        for node in graph.nodes() {
            for number in graph.edge_numbers(node) {
                if retains(graph, node, &graph.edge(number), &program) {
                    bits.set(number);
                }
            }
        }
        Ok(Self(bits))
    }

    /// Whether an edge retains.
    #[inline]
    pub fn has(&self, edge: u32) -> bool {
        self.0.get(edge)
    }
}

#[inline]
fn retains(graph: &HeapGraph, source: u32, edge: &Edge, program: &Bits) -> bool {
    if edge.kind == EdgeKind::Weak || edge.target == source {
        return false;
    }
    if graph.ephemeron(edge).is_some_and(|ephemeron| ephemeron.table == graph.id(source)) {
        return false;
    }
    source == graph.root() || edge.kind != EdgeKind::Shortcut && (!program.get(edge.target) || program.get(source))
}

/// Nodes that the program's global objects, or documents, lead to.
fn reached_by_program(graph: &HeapGraph) -> Result<Bits> {
    let mut reached = Bits::new(graph.node_count())?;
    let is_entry = |edge: &Edge| match edge.kind {
        EdgeKind::Element => graph.is_document_root(edge.target),
        kind => kind == EdgeKind::Shortcut,
    };
    let mut pending: Vec<u32> = Vec::new();
    for edge in graph.edges(graph.root()).filter(is_entry) {
        if reached.insert(edge.target) {
            pending.push(edge.target);
        }
    }
    while let Some(node) = pending.pop() {
        for number in graph.edge_numbers(node) {
            if graph.edge_kind(number) != EdgeKind::Weak {
                let target = graph.target(number);
                if reached.insert(target) {
                    pending.push(target);
                }
            }
        }
    }
    Ok(reached)
}

/// Nobody has led to it yet.
const UNVISITED: u32 = u32::MAX;

/// More than one node owns it.
const SHARED: u32 = u32::MAX - 1;

/// Whose the size of each node is: arrays and hidden nodes are of the one node that owns them.
pub(super) struct Owners(Vec<u32>);

/// Finds the owners. A snapshot without roots of the program was taken to see V8's own memory as it is, and has none.
pub(super) fn owners(graph: &HeapGraph) -> Result<Owners> {
    if !graph.edges(graph.root()).any(|edge| graph.is_user_root(edge.target)) {
        return Ok(Owners(Vec::new()));
    }
    let external = graph.texts.find(b"system / ExternalStringData");
    let mut owners = filled(UNVISITED, graph.node_count(), "owners")?;
    let mut pending: Vec<u32> = Vec::new();
    for node in graph.nodes() {
        let is_part = match graph.kind(node) {
            NodeKind::Hidden | NodeKind::Array => true,
            NodeKind::Native => Some(graph.name_text(node)) == external,
            _ => false,
        };
        if !is_part {
            owners[node as usize] = node;
        }
    }
    let visit = |node: u32, pending: &mut Vec<u32>, owners: &mut [u32]| {
        let owner = owners[node as usize];
        for number in graph.edge_numbers(node) {
            if graph.edge_kind(number) == EdgeKind::Weak {
                continue;
            }
            let target = graph.target(number);
            let of_target = owners[target as usize];
            if of_target == UNVISITED {
                owners[target as usize] = owner;
                pending.push(target);
            } else if of_target != target && of_target != owner && of_target != SHARED {
                owners[target as usize] = SHARED;
                pending.push(target);
            }
        }
    };
    // The result does not depend on the order, so that those that own themselves need no list.
    for node in graph.nodes() {
        if owners[node as usize] == node {
            visit(node, &mut pending, &mut owners);
            while let Some(part) = pending.pop() {
                visit(part, &mut pending, &mut owners);
            }
        }
    }
    Ok(Owners(owners))
}

/// Adds the size of each node that is owned to its owner's.
pub(super) fn give_sizes_to_owners(graph: &mut HeapGraph, owners: &Owners) {
    for (node, owner) in (0..).zip(&owners.0) {
        let is_owned = *owner != UNVISITED && *owner != SHARED && *owner != node;
        if is_owned && graph.kind(*owner) != NodeKind::Synthetic && *owner != graph.root() {
            let size = graph.sizes.get(node);
            graph.sizes.set(node, 0);
            graph.sizes.add(*owner, size);
        }
    }
}

/// Carries over what is known of native nodes to the native nodes that they lead to: attached first, then detached.
pub(super) fn spread_attachment(graph: &mut HeapGraph) -> Result<()> {
    let mut visited = Bits::new(graph.node_count())?;
    let mut found: [Vec<u32>; 2] = [Vec::new(), Vec::new()];
    let mut process = |graph: &mut HeapGraph, node: u32, attachment: Attachment, found: &mut [Vec<u32>; 2]| {
        if !visited.insert(node) || graph.kind(node) != NodeKind::Native {
            return;
        }
        graph.set_attachment(node, attachment);
        found[usize::from(attachment == Attachment::Detached)].push(node);
    };
    for node in graph.nodes() {
        let attachment = graph.attachment(node);
        if attachment != Attachment::Unknown {
            process(graph, node, attachment, &mut found);
        }
    }
    for attachment in [Attachment::Attached, Attachment::Detached] {
        while let Some(node) = found[usize::from(attachment == Attachment::Detached)].pop() {
            for number in graph.edge_numbers(node) {
                if !matches!(graph.edge_kind(number), EdgeKind::Hidden | EdgeKind::Weak) {
                    let target = graph.target(number);
                    process(graph, target, attachment, &mut found);
                }
            }
        }
    }
    Ok(())
}
