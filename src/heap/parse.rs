//! Reads a `.heapsnapshot`: one pass over its bytes into the columns of a graph. Which fields a row has is read from the
//! header, never assumed: Node.js 12 to 24 differ in them.

use std::collections::HashMap;
use std::io::Read;

use super::error::{HeapError, Result, room};
use super::graph::{Ephemeron, HeapGraph, MOST_EDGES, MOST_NODES};
use super::header::{Header, MOST_FIELDS};
use super::kind::{EdgeKind, NodeKind};
use super::places::Place;
use super::scan::Scanner;
use super::sizes::Sizes;
use super::texts::Texts;

/// The longest header that is read: a real one has some 2 KB.
const LONGEST_HEADER: usize = 1 << 20;

/// The longest name of a part of the file.
const LONGEST_KEY: usize = 256;

/// Rows between two reports of progress.
const ROWS: usize = 1 << 16;

/// Items for which room is made before the file has shown that it has them.
const UNPROVEN: usize = 1 << 20;

/// A snapshot of which the header is read.
pub struct Opening<R> {
    scanner: Scanner<R>,
    header: Header,
    length: Option<u64>,
}

/// The largest number of a string that is named, and where.
#[derive(Clone, Copy, Default)]
struct Largest {
    text: u64,
    at: u64,
}

/// Parts of the file that must be there.
#[derive(Default)]
struct Seen {
    nodes: bool,
    edges: bool,
    texts: bool,
}

impl<R: Read> Opening<R> {
    /// Reads the header. `length` is that of the stream where it is known.
    pub fn begin(source: R, length: Option<u64>) -> Result<Self> {
        let mut scanner = Scanner::new(source);
        let Some(byte) = scanner.peek()? else {
            return Err(HeapError::Truncated { at: 0, what: "nothing yet: it is empty" });
        };
        if byte != b'{' {
            return Err(HeapError::Malformed { at: scanner.position(), wanted: "`{\"snapshot\":`" });
        }
        scanner.expect(b'{', "an object")?;
        if key(&mut scanner)? != b"snapshot" {
            return Err(HeapError::Malformed { at: scanner.position(), wanted: "\"snapshot\" first" });
        }
        let mut json = Vec::new();
        scanner.skip(Some(&mut json), LONGEST_HEADER)?;
        let header = Header::parse(&json)?;
        let opening = Self { scanner, header, length };
        opening.check()?;
        Ok(opening)
    }

    /// What the snapshot says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Refuses counts that can't be, before room is made for them.
    fn check(&self) -> Result<()> {
        let Header { node_count: nodes, edge_count: edges, root, .. } = self.header;
        for (what, count, most) in [("nodes", nodes, MOST_NODES), ("edges", edges, MOST_EDGES)] {
            if count > most {
                return Err(HeapError::TooLarge { what, count, most });
            }
        }
        if nodes == 0 {
            return Err(HeapError::Header("announces no nodes".into()));
        }
        if root / self.header.nodes.count as u64 >= nodes {
            return Err(HeapError::Header(format!("has its root at {root}, beyond its {nodes} nodes")));
        }
        // A number and what follows it take two bytes at least.
        let least = 2 * (nodes * self.header.nodes.count as u64 + edges * self.header.edges.count as u64);
        match self.length {
            Some(length) if least > length => Err(HeapError::Header(format!(
                "announces {nodes} nodes and {edges} edges, which do not fit into its {length} bytes"
            ))),
            _ => Ok(()),
        }
    }

    /// Room for so many items: all of it where the length of the file bounds it, otherwise as they come.
    fn room<T>(&self, count: u64, what: &'static str) -> Result<Vec<T>> {
        room(if self.length.is_some() { count as usize } else { (count as usize).min(UNPROVEN) }, what)
    }

    /// Reads the rest. `progress` is told from time to time how many bytes are behind.
    pub fn read(mut self, progress: &mut dyn FnMut(u64)) -> Result<HeapGraph> {
        let mut graph = HeapGraph {
            root: (self.header.root / self.header.nodes.count as u64) as u32,
            extra_native: self.header.extra_native,
            ..HeapGraph::default()
        };
        let mut seen = Seen::default();
        let mut largest = Largest::default();
        while self.scanner.take(b',')? {
            match key(&mut self.scanner)?.as_slice() {
                b"nodes" if !seen.nodes => {
                    self.nodes(&mut graph, &mut largest, progress)?;
                    seen.nodes = true;
                }
                b"edges" if !seen.edges => {
                    self.edges(&mut graph, &mut largest, progress)?;
                    seen.edges = true;
                }
                b"locations" if self.header.places.is_some() => self.places(&mut graph)?,
                b"strings" if !seen.texts => {
                    self.texts(&mut graph.texts, progress)?;
                    seen.texts = true;
                }
                b"nodes" | b"edges" | b"strings" => {
                    return Err(HeapError::Header("is followed by the same part twice".into()));
                }
                _ => {
                    self.scanner.what = "a part that is passed over";
                    self.scanner.skip(None, 0)?;
                }
            }
            self.scanner.what = "what follows a part";
        }
        self.scanner.expect(b'}', "a comma or the end")?;
        for (is_there, what) in [(seen.nodes, "nodes"), (seen.edges, "edges"), (seen.texts, "strings")] {
            if !is_there {
                return Err(HeapError::Header(format!("is followed by no {what}")));
            }
        }
        let count = graph.texts.len() as u64;
        if largest.text >= count {
            return Err(HeapError::Range { at: largest.at, what: "string", value: largest.text, count });
        }
        finish(&mut graph);
        Ok(graph)
    }

    fn nodes(&mut self, graph: &mut HeapGraph, largest: &mut Largest, progress: &mut dyn FnMut(u64)) -> Result<()> {
        self.scanner.what = "the nodes";
        self.scanner.expect(b'[', "an array")?;
        let announced = self.header.node_count;
        graph.kinds = self.room(announced, "nodes")?;
        graph.names = self.room(announced, "nodes")?;
        graph.ids = self.room(announced, "nodes")?;
        graph.sizes = if self.length.is_some() { Sizes::with_room(announced as usize)? } else { Sizes::default() };
        graph.first_edges = self.room(announced + 1, "nodes")?;
        let Self { scanner, header, .. } = self;
        let fields = &header.nodes;
        let kinds = &header.node_kinds;
        let mut row = [0; MOST_FIELDS];
        let row = &mut row[..fields.count];
        let mut edges = 0_u64;
        graph.first_edges.push(0);
        while scanner.row(row, graph.kinds.is_empty())? {
            let (kind, name, id, count) = (row[fields.kind], row[fields.name], row[fields.id], row[fields.edges]);
            if graph.kinds.len() as u64 == announced {
                return Err(HeapError::Count { what: "nodes", announced, found: announced + 1 });
            }
            let Some(kind) = kinds.get(kind as usize) else {
                return Err(range(scanner, "kind of node", kind, kinds.len() as u64));
            };
            if name > largest.text {
                *largest = Largest { text: name, at: scanner.position() };
            }
            if name > u32::MAX.into() || id > u32::MAX.into() {
                return Err(range(scanner, "string or id", name.max(id), 1 << 32));
            }
            edges += count;
            if count > header.edge_count || edges > header.edge_count {
                return Err(HeapError::Count { what: "edges", announced: header.edge_count, found: edges });
            }
            graph.push_kind(*kind, fields.attachment.map_or(0, |place| row[place]));
            graph.names.push(name as u32);
            graph.ids.push(id as u32);
            graph.sizes.push(row[fields.size]);
            graph.first_edges.push(edges as u32);
            if graph.kinds.len().is_multiple_of(ROWS) {
                progress(scanner.position());
            }
        }
        let found = graph.kinds.len() as u64;
        if found != announced {
            return Err(HeapError::Count { what: "nodes", announced, found });
        }
        if edges != header.edge_count {
            return Err(HeapError::Count { what: "edges of its nodes", announced: header.edge_count, found: edges });
        }
        Ok(())
    }

    fn edges(&mut self, graph: &mut HeapGraph, largest: &mut Largest, progress: &mut dyn FnMut(u64)) -> Result<()> {
        self.scanner.what = "the edges";
        self.scanner.expect(b'[', "an array")?;
        let announced = self.header.edge_count;
        graph.targets = self.room(announced, "edges")?;
        graph.labels = self.room(announced, "edges")?;
        let Self { scanner, header, .. } = self;
        let fields = &header.edges;
        let kinds = &header.edge_kinds;
        let width = header.nodes.count as u64;
        // Division by a number that is known only now, as a multiplication.
        let inverse = u64::MAX / width + 1;
        let end = header.node_count * width;
        let mut row = [0; MOST_FIELDS];
        let row = &mut row[..fields.count];
        while scanner.row(row, graph.targets.is_empty())? {
            let (kind, label, to) = (row[fields.kind], row[fields.label], row[fields.target]);
            if graph.targets.len() as u64 == announced {
                return Err(HeapError::Count { what: "edges", announced, found: announced + 1 });
            }
            let Some(kind) = kinds.get(kind as usize) else {
                return Err(range(scanner, "kind of edge", kind, kinds.len() as u64));
            };
            if to >= end {
                return Err(range(scanner, "node", to, end));
            }
            let target = if width == 1 { to } else { ((u128::from(to) * u128::from(inverse)) >> 64) as u64 };
            if target * width != to {
                return Err(HeapError::Malformed { at: scanner.position(), wanted: "the beginning of a node" });
            }
            if label > largest.text && !kind.is_numbered() {
                *largest = Largest { text: label, at: scanner.position() };
            }
            if label > u32::MAX.into() {
                return Err(range(scanner, "string or index", label, 1 << 32));
            }
            graph.push_edge(*kind, label as u32, target as u32);
            if graph.targets.len().is_multiple_of(ROWS) {
                progress(scanner.position());
            }
        }
        let found = graph.targets.len() as u64;
        if found != announced {
            return Err(HeapError::Count { what: "edges", announced, found });
        }
        Ok(())
    }

    fn places(&mut self, graph: &mut HeapGraph) -> Result<()> {
        self.scanner.what = "the places";
        self.scanner.expect(b'[', "an array")?;
        let Self { scanner, header, .. } = self;
        let Some(fields) = &header.places else { return Ok(()) };
        let width = header.nodes.count as u64;
        let mut row = [0; MOST_FIELDS];
        let row = &mut row[..fields.count];
        let mut is_first = true;
        while scanner.row(row, is_first)? {
            is_first = false;
            let node = row[fields.object] / width;
            if node >= header.node_count {
                return Err(range(scanner, "node", row[fields.object], header.node_count * width));
            }
            let part = |field: usize| row[field].min(u32::MAX.into()) as u32;
            let place = Place { script: part(fields.script), line: part(fields.line), column: part(fields.column) };
            graph.places.push(node as u32, place);
        }
        Ok(())
    }

    fn texts(&mut self, texts: &mut Texts, progress: &mut dyn FnMut(u64)) -> Result<()> {
        self.scanner.what = "the strings";
        self.scanner.expect(b'[', "an array")?;
        // They come last: what is left of the file bounds them, as no string grows when its escapes are undone.
        let left = self.length.map_or(0, |length| length.saturating_sub(self.scanner.position()));
        texts.reserve(left as usize)?;
        if !self.scanner.take(b']')? {
            loop {
                texts.push_with(|out| self.scanner.string(out))?;
                if texts.len().is_multiple_of(ROWS) {
                    progress(self.scanner.position());
                }
                if !self.scanner.take(b',')? {
                    break;
                }
            }
            self.scanner.expect(b']', "a comma or the end of the strings")?;
        }
        texts.shrink();
        Ok(())
    }
}

fn range<R: Read>(scanner: &Scanner<R>, what: &'static str, value: u64, count: u64) -> HeapError {
    HeapError::Range { at: scanner.position(), what, value, count }
}

/// The name of the next part, with its colon.
fn key<R: Read>(scanner: &mut Scanner<R>) -> Result<Vec<u8>> {
    let mut name = Vec::new();
    let at = scanner.position();
    scanner.string(&mut name)?;
    if name.len() > LONGEST_KEY {
        return Err(HeapError::Malformed { at, wanted: "the name of a part" });
    }
    scanner.expect(b':', "a colon")?;
    Ok(name)
}

/// What the strings tell once they are all there.
fn finish(graph: &mut HeapGraph) {
    graph.places.settle();
    let texts = &graph.texts;
    graph.ephemerons =
        (0..texts.len() as u32).filter_map(|text| Some((text, ephemeron(texts.get(text))?))).collect::<HashMap<_, _>>();
    name_scripts(graph);
}

/// Reads `3 / part of key (A @1) -> value (B @2) pair in WeakMap (table @3)`.
fn ephemeron(label: &[u8]) -> Option<Ephemeron> {
    let digits = label.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let pair = label.get(digits..).filter(|_| digits > 0)?;
    pair.strip_prefix(b" / part of key (")?;
    let table = pair.strip_suffix(b")")?;
    let at = table.iter().rposition(|byte| *byte == b'@')?;
    let (before, number) = (&table[..at], &table[at + 1..]);
    let before = before.strip_suffix(b") pair in WeakMap (table ")?;
    before.windows(11).any(|window| window == b") -> value ").then_some(())?;
    let table = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some(Ephemeron { table, pair: pair.to_vec() })
}

/// Finds the names of scripts: a function's shared part leads to the script that it is written in.
fn name_scripts(graph: &mut HeapGraph) {
    let mut named = Vec::new();
    let mut known = std::collections::HashSet::new();
    for (node, place) in graph.places.numbers() {
        let script = graph.places.get(*place).script;
        if graph.kind(*node) != NodeKind::Closure || known.contains(&script) {
            continue;
        }
        if let Some(text) = script_of(graph, *node) {
            known.insert(script);
            named.push((script, text));
        }
    }
    for (script, text) in named {
        graph.places.name_script(script, text);
    }
}

fn script_of(graph: &HeapGraph, closure: u32) -> Option<u32> {
    let shared = graph.internal(closure, b"shared")?;
    let leads_to_script = |label: &[u8]| label == b"script" || label == b"script_or_debug_info";
    let script = graph
        .edges(shared)
        .find(|edge| edge.kind == EdgeKind::Internal && leads_to_script(graph.texts.get(edge.label)))?
        .target;
    (!graph.name(script).is_empty()).then(|| graph.name_text(script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_of_a_pair_in_a_weak_map_is_taken_apart() {
        let label = b"12 / part of key (a (b) @1) -> value (c) @2) pair in WeakMap (table @345)";
        let found = ephemeron(label).unwrap();
        assert_eq!((found.table, found.pair.as_slice()), (345, &label[2..]));
        for other in
            ["12", "", "x / part of key (a @1) -> value (b @2) pair in WeakMap (table @3)", "1 / part of key ("]
        {
            assert_eq!(ephemeron(other.as_bytes()), None, "{other}");
        }
    }
}
