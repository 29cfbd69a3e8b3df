//! One object whole: what it is, the way to it from a root, its fields, and who leads to it.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::{Cell, Sheet};
use crate::heap::error::Result;
use crate::heap::explorer::Explorer;
use crate::heap::graph::{Attachment, Edge};

const FIELDS: &[(&str, &str)] = &[
    ("edge", "FIELD"),
    ("kind", "KIND"),
    ("id", "OBJECT"),
    ("shallow", "SHALLOW"),
    ("retained", "RETAINED"),
    ("value", "VALUE"),
];

const RETAINERS: &[(&str, &str)] = &[
    ("edge", "BY"),
    ("kind", "KIND"),
    ("id", "OBJECT"),
    ("retained", "RETAINED"),
    ("distance", "DISTANCE"),
    ("cycle", "CYCLE"),
    ("value", "WHO"),
];

fn fields(explorer: &Explorer, node: u32, top: usize) -> Sheet {
    let row = |edge: Edge| {
        vec![
            Cell::Text(explorer.graph().edge_text(&edge)),
            Cell::Text(edge.kind.name().into()),
            Cell::Id(explorer.graph().id(edge.target)),
            Cell::Bytes(explorer.graph().size(edge.target)),
            Cell::Bytes(explorer.dominators().retained(edge.target)),
            Cell::Text(explorer.node_text(edge.target)),
        ]
    };
    let rows = explorer.fields(node, 0..top).into_iter().map(row).collect();
    Sheet { name: "fields", columns: FIELDS, rows, of: explorer.graph().edge_numbers(node).len() }
}

fn retainers(explorer: &Explorer, node: u32, top: usize) -> Sheet {
    let mut all = explorer.retainers(node, 0..usize::MAX);
    let of = all.len();
    all.truncate(top);
    let row = |retainer: &crate::heap::explorer::Retainer| {
        vec![
            Cell::Text(explorer.graph().edge_text(&retainer.edge)),
            Cell::Text(retainer.edge.kind.name().into()),
            Cell::Id(explorer.graph().id(retainer.node)),
            Cell::Bytes(explorer.dominators().retained(retainer.node)),
            Cell::Distance(explorer.distances().get(retainer.node)),
            Cell::Flag(retainer.is_cycle),
            Cell::Text(explorer.node_text(retainer.node)),
        ]
    };
    Sheet { name: "retainers", columns: RETAINERS, rows: all.iter().map(row).collect(), of }
}

/// An object as JSON, to be added to the document.
pub fn object_json(explorer: &Explorer, node: u32, top: usize) -> Result<Map<String, Value>> {
    let graph = explorer.graph();
    let place = graph.places().of(node);
    let object = json!({
        "id": graph.id(node),
        "class": explorer.class_text(node),
        "kind": graph.kind(node).name(),
        "value": explorer.node_text(node),
        "shallow": graph.size(node),
        "retained": explorer.dominators().retained(node),
        "distance": Cell::Distance(explorer.distances().get(node)).json(),
        "detached": graph.attachment(node) == Attachment::Detached,
        "place": place.map(|place| json!({
            "script": graph.places().script(place.script).map(|text| String::from_utf8_lossy(graph.texts().get(text))),
            "script_id": place.script,
            "line": u64::from(place.line) + 1,
            "column": u64::from(place.column) + 1,
        })),
        "way": explorer.way_text(node)?,
    });
    let way: Vec<Value> = explorer
        .way(node)?
        .iter()
        .map(|(source, edge)| {
            json!({"id": graph.id(*source), "value": explorer.node_text(*source), "edge": graph.edge_text(edge)})
        })
        .collect();
    let (fields, retainers) = (fields(explorer, node, top), retainers(explorer, node, top));
    let mut document = Map::new();
    document.insert("object".into(), object);
    document.insert("way".into(), json!(way));
    for sheet in [fields, retainers] {
        document.insert(sheet.name.into(), sheet.json());
        document.insert(format!("{}_of", sheet.name), json!(sheet.of));
    }
    Ok(document)
}

/// An object as text.
pub fn write_object(
    explorer: &Explorer,
    node: u32,
    top: usize,
    is_bytes: bool,
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let graph = explorer.graph();
    let size = |bytes| Cell::Bytes(bytes).text(is_bytes);
    writeln!(out, "{} @{}, {}", explorer.node_text(node), graph.id(node), graph.kind(node).name())?;
    let place = graph.places().of(node).map(|place| format!(", written in {}", graph.place_text(place, true)));
    writeln!(
        out,
        "takes {}, retains {}, {} from a root{}{}",
        size(graph.size(node)),
        size(explorer.dominators().retained(node)),
        match Cell::Distance(explorer.distances().get(node)).text(false).as_str() {
            "-" => "not reached".into(),
            "1" => "1 step".into(),
            steps => format!("{steps} steps"),
        },
        place.unwrap_or_default(),
        if graph.attachment(node) == Attachment::Detached { ", detached" } else { "" },
    )?;
    let way = explorer.way_text(node).map_err(io::Error::other)?;
    if !way.is_empty() {
        writeln!(out, "shortest way: {way}")?;
    }
    writeln!(out, "\nFields")?;
    fields(explorer, node, top).write(out, is_bytes, width)?;
    writeln!(out, "\nHeld by")?;
    retainers(explorer, node, top).write(out, is_bytes, width)
}
