//! Heap snapshots made by hand, as V8 writes them.

use std::collections::HashMap;
use std::fmt::Write as _;

/// Kinds of nodes and edges in V8's order.
pub const NODE_KINDS: &str = r#""hidden","array","string","object","code","closure","regexp","number","native","synthetic","concatenated string","sliced string","symbol","bigint","object shape""#;
pub const EDGE_KINDS: [&str; 7] = ["context", "element", "property", "internal", "hidden", "shortcut", "weak"];

/// A snapshot to be.
#[derive(Clone, Debug)]
pub struct HandMade {
    /// Without the field that tells detached nodes, as Node.js 12 has it.
    pub is_old: bool,
    nodes: Vec<Node>,
    strings: Vec<String>,
    numbers: HashMap<String, usize>,
    places: Vec<[u32; 4]>,
}

#[derive(Clone, Debug)]
struct Node {
    kind: usize,
    name: usize,
    id: u32,
    size: u64,
    detached: u32,
    edges: Vec<(usize, u32, usize)>,
}

impl HandMade {
    /// One with its root alone, which is node 0.
    pub fn new() -> Self {
        let mut made =
            Self { is_old: false, nodes: Vec::new(), strings: Vec::new(), numbers: HashMap::new(), places: Vec::new() };
        made.text("<dummy>");
        made.node("synthetic", "", 0);
        made
    }

    fn text(&mut self, text: &str) -> usize {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        self.strings.push(text.to_owned());
        self.numbers.insert(text.to_owned(), self.strings.len() - 1);
        self.strings.len() - 1
    }

    /// Adds a node; its number. Ids are odd, from 1.
    pub fn node(&mut self, kind: &str, name: &str, size: u64) -> usize {
        let kind = NODE_KINDS.split(',').position(|known| known.trim_matches('"') == kind).unwrap();
        let name = self.text(name);
        let id = self.nodes.len() as u32 * 2 + 1;
        self.nodes.push(Node { kind, name, id, size, detached: 0, edges: Vec::new() });
        self.nodes.len() - 1
    }

    pub fn object(&mut self, name: &str, size: u64) -> usize {
        self.node("object", name, size)
    }

    /// Says whether a native node is attached (1) or detached (2).
    pub fn detach(&mut self, node: usize, state: u32) {
        self.nodes[node].detached = state;
    }

    pub fn set_id(&mut self, node: usize, id: u32) {
        self.nodes[node].id = id;
    }

    pub fn id(&self, node: usize) -> u32 {
        self.nodes[node].id
    }

    /// Says where a node's function or constructor is written.
    pub fn place(&mut self, node: usize, script: u32, line: u32, column: u32) {
        self.places.push([node as u32, script, line, column]);
    }

    /// Adds an edge with a name.
    pub fn edge(&mut self, from: usize, kind: &str, label: &str, to: usize) {
        let label = self.text(label) as u32;
        self.nodes[from].edges.push((edge_kind(kind), label, to));
    }

    /// Adds an edge with a number.
    pub fn element(&mut self, from: usize, index: u32, to: usize) {
        self.nodes[from].edges.push((edge_kind("element"), index, to));
    }

    pub fn property(&mut self, from: usize, name: &str, to: usize) {
        self.edge(from, "property", name, to);
    }

    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// As V8 writes it.
    pub fn json(&self) -> String {
        let edges: usize = self.nodes.iter().map(|node| node.edges.len()).sum();
        self.json_with(self.nodes.len(), edges)
    }

    /// The same with these counts in its header.
    pub fn json_with(&self, node_count: usize, edge_count: usize) -> String {
        let width = if self.is_old { 6 } else { 7 };
        let detachedness = if self.is_old { "" } else { r#","detachedness""# };
        let kinds: Vec<String> = EDGE_KINDS.iter().map(|kind| format!("\"{kind}\"")).collect();
        let mut out = format!(
            r#"{{"snapshot":{{"meta":{{"node_fields":["type","name","id","self_size","edge_count","trace_node_id"{detachedness}],
"node_types":[[{NODE_KINDS}],"string","number","number","number","number","number"],
"edge_fields":["type","name_or_index","to_node"],"edge_types":[[{}],"string_or_number","node"],
"trace_function_info_fields":["function_id"],"trace_node_fields":["id"],"sample_fields":["timestamp_us"],
"location_fields":["object_index","script_id","line","column"]}},
"node_count":{node_count},"edge_count":{edge_count},"trace_function_count":0}},
"nodes":["#,
            kinds.join(",")
        );
        let mut lead = "";
        for node in &self.nodes {
            write!(out, "{lead}{},{},{},{},{},0", node.kind, node.name, node.id, node.size, node.edges.len()).unwrap();
            if !self.is_old {
                write!(out, ",{}", node.detached).unwrap();
            }
            out.push('\n');
            lead = ",";
        }
        out.push_str("],\n\"edges\":[");
        lead = "";
        for (kind, label, to) in self.nodes.iter().flat_map(|node| &node.edges) {
            writeln!(out, "{lead}{kind},{label},{}", to * width).unwrap();
            lead = ",";
        }
        out.push_str("],\n\"trace_function_infos\":[],\n\"trace_tree\":[],\n\"samples\":[],\n\"locations\":[");
        let places = self
            .places
            .iter()
            .map(|[node, script, line, column]| format!("{},{script},{line},{column}\n", *node as usize * width));
        out.push_str(&places.collect::<Vec<_>>().join(","));
        out.push_str("],\n\"strings\":[");
        let strings = self.strings.iter().map(|text| serde_json::to_string(text).unwrap());
        out.push_str(&strings.collect::<Vec<_>>().join(",\n"));
        out.push_str("]}");
        out
    }
}

fn edge_kind(kind: &str) -> usize {
    EDGE_KINDS.iter().position(|known| *known == kind).unwrap()
}

/// A server whose pool is never cleaned: requests with these numbers, their sessions, strings that are there several
/// times, functions, a map, a cycle, and names that a program chose to do harm.
pub fn server(live: std::ops::Range<u32>) -> HandMade {
    let mut made = HandMade::new();
    let global = made.object("global", 40);
    made.edge(0, "shortcut", "global", global);
    let [pool, items] = ["Pool", "Array"].map(|name| made.object(name, 32));
    made.property(global, "pool", pool);
    made.property(pool, "items", items);
    made.place(pool, 9, 11, 0);
    let [map, table] = [made.object("Map", 24), made.node("array", "", 200)];
    made.property(global, "sessions", map);
    made.edge(map, "internal", "table", table);
    for number in 0..4 {
        let session = made.object("Session", 56);
        made.element(table, 1 + 3 * number, session);
        // Each leads back to who holds it.
        made.property(session, "owner", map);
        let function = made.node("closure", "close", 64);
        made.property(session, "close", function);
        made.place(function, 9, 30, 4);
    }
    let shared = made.node("code", "shared", 16);
    let script = made.node("code", "/srv/app/server.js", 16);
    let first = made.node("closure", "main", 64);
    made.place(first, 9, 0, 0);
    made.property(global, "main", first);
    made.edge(first, "internal", "shared", shared);
    made.edge(shared, "internal", "script", script);
    let hostile = made.object("\u{1b}[31mRed\u{202e}", 900);
    let wide = made.object("数据库连接", 700);
    let long = made.object(&"VeryLongName".repeat(30), 500);
    let gone = made.node("native", "Socket", 300);
    made.detach(gone, 2);
    for (name, node) in [("red", hostile), ("wide", wide), ("long", long), ("gone", gone)] {
        made.property(global, name, node);
    }
    for (place, number) in live.enumerate() {
        let request = made.object("PooledRequest", 48);
        made.set_id(request, 100_001 + 20 * number);
        made.place(request, 9, 3, 0);
        made.element(items, place as u32, request);
        let url = made.node("string", ["/login", "/cart", "/search?q=\u{1b}]0;title\u{7}"][number as usize % 3], 32);
        made.set_id(url, 100_003 + 20 * number);
        made.property(request, "url", url);
        let next = made.object("Object", 28);
        made.set_id(next, 100_005 + 20 * number);
        made.property(request, "state", next);
        made.property(next, "request", request);
    }
    made
}
