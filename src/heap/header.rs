//! The header of a snapshot: which fields its rows have, which kinds there are, and how many rows follow.

use serde::Deserialize;
use serde_json::Value;

use super::error::{HeapError, Result};
use super::kind::{EdgeKind, NodeKind};

/// The most fields of a row: V8 has had up to eight.
pub(super) const MOST_FIELDS: usize = 16;

#[derive(Deserialize)]
struct Meta {
    node_fields: Vec<String>,
    /// A list of names for the field of the kind, a word for each other.
    node_types: Vec<Value>,
    edge_fields: Vec<String>,
    edge_types: Vec<Value>,
    #[serde(default)]
    location_fields: Vec<String>,
}

#[derive(Deserialize)]
struct Written {
    meta: Meta,
    node_count: u64,
    edge_count: u64,
    #[serde(default)]
    root_index: Option<u64>,
    #[serde(default)]
    extra_native_bytes: u64,
}

/// Where each field of a node stands in its row.
#[derive(Clone, Debug)]
pub(super) struct NodeFields {
    pub(super) count: usize,
    pub(super) kind: usize,
    pub(super) name: usize,
    pub(super) id: usize,
    pub(super) size: usize,
    pub(super) edges: usize,
    /// Since V8 8.0 (Node.js 14).
    pub(super) attachment: Option<usize>,
}

/// The same of an edge.
#[derive(Clone, Debug)]
pub(super) struct EdgeFields {
    pub(super) count: usize,
    pub(super) kind: usize,
    pub(super) label: usize,
    pub(super) target: usize,
}

/// The same of a place.
#[derive(Clone, Debug)]
pub(super) struct PlaceFields {
    pub(super) count: usize,
    pub(super) object: usize,
    pub(super) script: usize,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// What a snapshot says of itself.
#[derive(Clone, Debug)]
pub struct Header {
    /// How many nodes follow.
    pub node_count: u64,
    /// How many edges follow.
    pub edge_count: u64,
    pub(super) root: u64,
    pub(super) extra_native: u64,
    pub(super) nodes: NodeFields,
    pub(super) edges: EdgeFields,
    pub(super) places: Option<PlaceFields>,
    pub(super) node_kinds: Vec<NodeKind>,
    pub(super) edge_kinds: Vec<EdgeKind>,
}

fn find(fields: &[String], name: &str) -> Result<usize> {
    let missing = || HeapError::Header(format!("names no field `{name}`"));
    fields.iter().position(|field| field == name).ok_or_else(missing)
}

fn names<'a>(types: &'a [Value], place: usize, what: &str) -> Result<Vec<&'a str>> {
    let list = types.get(place).and_then(Value::as_array);
    let names = list.and_then(|list| list.iter().map(Value::as_str).collect());
    names.ok_or_else(|| HeapError::Header(format!("lists no kinds of {what}")))
}

fn count(fields: &[String], what: &str) -> Result<usize> {
    match fields.len() {
        count @ 1..=MOST_FIELDS => Ok(count),
        count => Err(HeapError::Header(format!("gives {what} {count} fields"))),
    }
}

impl Header {
    /// Reads the value of `"snapshot"`.
    pub(super) fn parse(json: &[u8]) -> Result<Self> {
        let written: Written =
            serde_json::from_slice(json).map_err(|error| HeapError::Header(format!("can't be read: {error}")))?;
        let meta = written.meta;
        let nodes = NodeFields {
            count: count(&meta.node_fields, "nodes")?,
            kind: find(&meta.node_fields, "type")?,
            name: find(&meta.node_fields, "name")?,
            id: find(&meta.node_fields, "id")?,
            size: find(&meta.node_fields, "self_size")?,
            edges: find(&meta.node_fields, "edge_count")?,
            attachment: find(&meta.node_fields, "detachedness").ok(),
        };
        let edges = EdgeFields {
            count: count(&meta.edge_fields, "edges")?,
            kind: find(&meta.edge_fields, "type")?,
            label: find(&meta.edge_fields, "name_or_index")?,
            target: find(&meta.edge_fields, "to_node")?,
        };
        let node_kinds = names(&meta.node_types, nodes.kind, "nodes")?.into_iter().map(NodeKind::named);
        let edge_kinds = names(&meta.edge_types, edges.kind, "edges")?.into_iter().map(EdgeKind::named);
        let fields = &meta.location_fields;
        let places = match (find(fields, "object_index"), find(fields, "script_id"), find(fields, "line")) {
            (Ok(object), Ok(script), Ok(line)) => Some(PlaceFields {
                count: count(fields, "places")?,
                object,
                script,
                line,
                column: find(fields, "column").unwrap_or(line),
            }),
            _ => None,
        };
        Ok(Self {
            node_count: written.node_count,
            edge_count: written.edge_count,
            root: written.root_index.unwrap_or(0),
            extra_native: written.extra_native_bytes,
            node_kinds: node_kinds.collect(),
            edge_kinds: edge_kinds.collect(),
            nodes,
            edges,
            places,
        })
    }

    /// Bytes that opening it takes at its peak, `file` being its length unpacked where that is known.
    pub fn memory(&self, file: Option<u64>) -> u64 {
        let (nodes, edges) = (self.node_count, self.edge_count);
        let graph = nodes * NODE_BYTES + edges * EDGE_BYTES;
        // What is neither a row of a node nor one of an edge is strings, or places.
        let rest = file.map_or(nodes * 8, |file| file.saturating_sub(nodes * ROW_BYTES + edges * EDGE_ROW_BYTES));
        graph + rest + BASE_BYTES
    }
}

/// What a node takes at the peak, while dominators are sought: its columns and theirs.
const NODE_BYTES: u64 = 16 + 24;

/// What an edge takes at the peak: its columns, and its place in the list that is turned round.
const EDGE_BYTES: u64 = 8 + 4;

/// Rows in the file take at least so much on average.
const ROW_BYTES: u64 = 24;

/// The same of edges.
const EDGE_ROW_BYTES: u64 = 14;

/// What the program takes whatever it reads.
const BASE_BYTES: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn header(node_fields: &str) -> Result<Header> {
        let json = format!(
            r#"{{"meta":{{"node_fields":[{node_fields}],"node_types":[["hidden","object","brand new"],"string"],
            "edge_fields":["type","name_or_index","to_node"],"edge_types":[["context","weak"],"string_or_number","node"]}},
            "node_count":7,"edge_count":9,"trace_function_count":0}}"#
        );
        Header::parse(json.as_bytes())
    }

    #[test]
    fn fields_are_found_by_name_in_any_order() {
        let old = header(r#""type","name","id","self_size","edge_count","trace_node_id""#).unwrap();
        assert_eq!((old.nodes.count, old.nodes.edges, old.nodes.attachment), (6, 4, None));
        assert_eq!(old.node_kinds, [NodeKind::Hidden, NodeKind::Object, NodeKind::Unknown]);
        assert_eq!((old.edge_kinds[1], old.root, old.places.is_none()), (EdgeKind::Weak, 0, true));
        let new = header(r#""type","detachedness","self_size","edge_count","new","id","name""#).unwrap();
        assert_eq!((new.nodes.count, new.nodes.name, new.nodes.attachment), (7, 6, Some(1)));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = header(r#""type","name","self_size","edge_count""#).unwrap_err().to_string();
        assert_eq!(error, "its header names no field `id`");
        let error = header(r#""name","type","id","self_size","edge_count""#).unwrap_err().to_string();
        assert_eq!(error, "its header lists no kinds of nodes");
        assert!(Header::parse(b"{}").unwrap_err().to_string().contains("meta"));
        let fields = format!(r#""type","name","id","self_size","edge_count"{}"#, r#","x""#.repeat(20));
        assert!(header(&fields).unwrap_err().to_string().contains("25 fields"));
    }
}
