//! Classes: nodes by constructor, or by what V8 calls them, with their number and sizes. The names, the parts and the
//! sums are those of Chrome DevTools.

use std::collections::HashMap;

use super::distances::Distances;
use super::dominators::{Children, Dominators};
use super::error::{Result, filled, room};
use super::graph::{Attachment, HeapGraph};
use super::kind::NodeKind;
use super::places::Place;
use super::shapes::Shapes;

/// The class of a node of no class: those that take nothing of their own.
const NONE: u32 = u32::MAX;

/// Nodes of one name and place.
#[derive(Clone, Debug)]
pub struct Class {
    /// The constructor, or what V8 calls it: `(string)`, `(system)`.
    pub name: Vec<u8>,
    /// Where the constructor is written, if it is one of the program.
    pub place: Option<Place>,
    /// What its nodes are.
    pub kind: NodeKind,
    /// How many there are.
    pub count: u64,
    /// What they take themselves, in bytes.
    pub shallow: u64,
    /// What would be freed with all of them.
    pub retained: u64,
    /// The distance of the nearest one.
    pub distance: u32,
}

/// All classes, and the class of each node.
#[derive(Clone, Debug)]
pub struct Classes {
    all: Vec<Class>,
    of_node: Vec<u32>,
}

/// Numbers for names: those of the snapshot, and beyond them names that it does not have.
struct Names<'a> {
    graph: &'a HeapGraph,
    more: Vec<Vec<u8>>,
    numbers: HashMap<Vec<u8>, u32>,
}

impl Names<'_> {
    fn number(&mut self, name: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = (self.graph.texts().len() + self.more.len()) as u32;
        self.more.push(name.to_vec());
        self.numbers.insert(name.to_vec(), number);
        number
    }

    fn get(&self, number: u32) -> &[u8] {
        let place = (number as usize).checked_sub(self.graph.texts().len());
        place.map_or_else(|| self.graph.texts().get(number), |place| &self.more[place])
    }
}

impl Classes {
    /// Sorts all nodes that take memory into classes. Shapes of plain objects are those given.
    pub(super) fn of(graph: &HeapGraph, shapes: &Shapes) -> Result<Self> {
        let mut names = Names { graph, more: Vec::new(), numbers: HashMap::new() };
        let fixed: Vec<u32> = (0..=NodeKind::Unknown as u8)
            .map(|code| {
                let kind = NodeKind::of_code(code);
                names.number(&match kind {
                    NodeKind::Hidden => b"(system)".to_vec(),
                    NodeKind::Code => b"(compiled code)".to_vec(),
                    NodeKind::Closure => b"Function".to_vec(),
                    NodeKind::RegExp => b"RegExp".to_vec(),
                    kind => format!("({})", kind.name()).into_bytes(),
                })
            })
            .collect();
        let mut matcher = shapes.matcher(graph);
        let shape_names: Vec<u32> = shapes.0.iter().map(|shape| names.number(shape.name.as_bytes())).collect();
        let mut list = Vec::new();
        let mut numbers: HashMap<(u32, u32), u32> = HashMap::new();
        let mut classes = Self { all: Vec::new(), of_node: room(graph.node_count(), "classes")? };
        let mut places = graph.places.numbers().iter().peekable();
        for node in graph.nodes() {
            let place = places.next_if(|(placed, _)| *placed == node).map(|(_, place)| *place);
            let size = graph.size(node);
            if size == 0 {
                classes.of_node.push(NONE);
                continue;
            }
            let kind = graph.kind(node);
            let name = match kind {
                NodeKind::Object if matcher.is_plain(node) => {
                    matcher.shape_of(node, &mut list).map_or(graph.name_text(node), |shape| shape_names[shape])
                }
                NodeKind::Object | NodeKind::Native => object_name(graph, node, &mut names),
                kind => fixed[kind as usize],
            };
            let place = place.filter(|_| kind == NodeKind::Object);
            let next = classes.all.len() as u32;
            let number = *numbers.entry((name, place.unwrap_or(NONE))).or_insert(next);
            if number == next {
                classes.all.push(Class {
                    name: names.get(name).to_vec(),
                    place: place.map(|place| graph.places.get(place)),
                    kind,
                    count: 0,
                    shallow: 0,
                    retained: 0,
                    distance: u32::MAX,
                });
            }
            let class = &mut classes.all[number as usize];
            class.count += 1;
            class.shallow += size;
            classes.of_node.push(number);
        }
        Ok(classes)
    }

    /// Adds how far the nearest node of each class is.
    pub(super) fn add_distances(&mut self, distances: &Distances) {
        for (node, class) in (0..).zip(&self.of_node) {
            if let Some(class) = self.all.get_mut(*class as usize) {
                class.distance = class.distance.min(distances.get(node));
            }
        }
    }

    /// Adds what each class retains.
    pub(super) fn add_retained(
        &mut self,
        graph: &HeapGraph,
        dominators: &Dominators,
        children: &Children,
    ) -> Result<()> {
        let retained = retained_by_group(graph, dominators, children, self.all.len(), |node| self.of_node(node))?;
        for (class, retained) in self.all.iter_mut().zip(retained) {
            class.retained = retained;
        }
        Ok(())
    }

    /// All classes.
    pub fn all(&self) -> &[Class] {
        &self.all
    }

    /// The class of a node: none where it takes no memory of its own.
    #[inline]
    pub fn of_node(&self, node: u32) -> Option<u32> {
        let class = self.of_node[node as usize];
        (class != NONE).then_some(class)
    }

    /// The nodes of a class.
    pub fn nodes(&self, class: u32) -> impl Iterator<Item = u32> + '_ {
        let nodes = self.of_node.iter().enumerate();
        nodes.filter(move |(_, of)| **of == class).map(|(node, _)| node as u32)
    }
}

/// What would be freed with each of `count` groups: the sum over its nodes that no other of them dominates.
pub(super) fn retained_by_group(
    graph: &HeapGraph,
    dominators: &Dominators,
    children: &Children,
    count: usize,
    group: impl Fn(u32) -> Option<u32>,
) -> Result<Vec<u64>> {
    let mut retained = filled(0_u64, count, "classes")?;
    let mut is_open = filled(false, count, "classes")?;
    // Groups that were opened, with the length to which the stack shrinks where they are closed again.
    let mut opened: Vec<(usize, u32)> = Vec::new();
    let mut stack = vec![graph.root()];
    while let Some(node) = stack.pop() {
        let below = children.of(node);
        if let Some(group) = group(node)
            && !is_open[group as usize]
        {
            let sum = &mut retained[group as usize];
            *sum = sum.saturating_add(dominators.retained(node));
            if !below.is_empty() {
                is_open[group as usize] = true;
                opened.push((stack.len(), group));
            }
        }
        stack.extend_from_slice(below);
        while let Some((_, group)) = opened.pop_if(|(length, _)| *length == stack.len()) {
            is_open[group as usize] = false;
        }
    }
    Ok(retained)
}

/// The class name of an object or a native node: of `<div id="a">` the tag alone.
fn object_name(graph: &HeapGraph, node: u32, names: &mut Names<'_>) -> u32 {
    let name = graph.name(node);
    let is_detached = graph.attachment(node) == Attachment::Detached;
    if !is_detached && !name.starts_with(b"<") && !name.starts_with(b"Detached <") {
        return graph.name_text(node);
    }
    let mut whole = if is_detached { b"Detached ".to_vec() } else { Vec::new() };
    whole.extend_from_slice(name);
    let tag = if whole.starts_with(b"<") { 0 } else { 10 };
    if (whole.starts_with(b"<") || whole.starts_with(b"Detached <"))
        && let Some(space) = whole.get(tag..).and_then(|rest| rest.iter().position(|byte| *byte == b' '))
    {
        whole.truncate(tag + space);
        whole.push(b'>');
    }
    names.number(&whole)
}
