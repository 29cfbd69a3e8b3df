//! The same heap snapshot read by Chrome DevTools' own code and by memlab: sizes, dominators, distances, classes and
//! differences are the same.
//!
//! Both come from npm: `npm install --prefix target/npm chrome-devtools-frontend esbuild @memlab/heap-analysis`, or any
//! folder that `MEMTIDE_NPM` names.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use memtide::heap::diff::{Numbering, Summary, compare};
use memtide::heap::distances::SYSTEM;
use memtide::heap::explorer::Explorer;
use memtide::heap::parse::Opening;
use serde_json::Value;
use support::require::{has, has_programs};

/// The folder of modules, if these are in it. Where npm could not be reached there is none, and nothing to compare with.
fn modules(names: &[&str]) -> Option<PathBuf> {
    let said = std::env::var_os("MEMTIDE_NPM").map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/npm/node_modules");
    let Some(folder) = said.or_else(|| own.is_dir().then_some(own)) else {
        let _ = writeln!(std::io::stderr(), "skipped: {names:?} of npm are not here (MEMTIDE_NPM names their folder)");
        return None;
    };
    let has_all =
        has_programs(&["node"]) && names.iter().all(|name| has(folder.join(name).is_dir(), &format!("{name} of npm")));
    has_all.then_some(folder)
}

/// Count, shallow and retained size, distance.
type Row = (u64, u64, u64, i64);

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name)
}

fn snapshots(folder: &Path) -> [PathBuf; 2] {
    let status = Command::new("node").arg(program("heap.js")).arg(folder).args(["1000", "1400"]).status().unwrap();
    assert!(status.success());
    [0, 1].map(|step| folder.join(format!("{step}.heapsnapshot")))
}

fn peer(script: &str, modules: &Path, out: &Path, files: &[&Path]) -> Value {
    let output = Command::new("node").arg(program(script)).arg(modules).arg(out).args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap()
}

fn graph(path: &Path) -> memtide::heap::graph::HeapGraph {
    let bytes = std::fs::read(path).unwrap();
    Opening::begin(bytes.as_slice(), Some(bytes.len() as u64)).unwrap().read(&mut |_| ()).unwrap()
}

/// A distance as DevTools writes it.
fn distance(number: u32) -> i64 {
    if number == memtide::heap::distances::NONE { -5 } else { number.into() }
}

#[test]
fn every_node_and_class_is_as_devtools_has_it() {
    let Some(modules) = modules(&["chrome-devtools-frontend", "esbuild"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = snapshots(folder.path());
    let theirs = peer("devtools.mjs", &modules, &folder.path().join("out"), &[&second, &first]);
    let explorer = Explorer::new(graph(&second), &mut |_| ()).unwrap();
    let ours = explorer.graph();
    let nodes = theirs["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), ours.node_count());
    let mut reached = 0;
    for (node, theirs) in (0..).zip(nodes) {
        let own = serde_json::json!([
            ours.id(node),
            ours.size(node),
            explorer.dominators().retained(node),
            distance(explorer.distances().get(node)),
            explorer.dominators().nearest(node),
        ]);
        assert_eq!(&own, theirs, "node {node}, {}", explorer.node_text(node));
        reached += u32::from(explorer.distances().get(node) < SYSTEM);
    }
    assert!(reached > 10_000, "{reached}");
    let key = |class: &memtide::heap::classes::Class| {
        let name = String::from_utf8_lossy(&class.name).into_owned();
        let place = class.place.map(|place| format!("{},{},{}", place.script, place.line, place.column));
        format!("{},{name}", place.unwrap_or_default())
    };
    let own: BTreeMap<String, Row> = explorer
        .classes()
        .all()
        .iter()
        .map(|class| (key(class), (class.count, class.shallow, class.retained, distance(class.distance))))
        .collect();
    let number = |row: &Value, key: &str| row[key].as_u64().unwrap();
    let theirs_classes: BTreeMap<String, Row> = theirs["classes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let numbers = (number(row, "count"), number(row, "shallow"), number(row, "retained"));
            (
                row["key"].as_str().unwrap().to_owned(),
                (numbers.0, numbers.1, numbers.2, row["distance"].as_i64().unwrap()),
            )
        })
        .collect();
    assert_eq!(own, theirs_classes);
    assert_eq!(explorer.total(), theirs["total"].as_u64().unwrap());
    // What changed from the first to the second.
    let before = Summary::of_earlier(graph(&first), &explorer, &mut |_| ()).unwrap();
    let changes = compare(&[before, Summary::of(&explorer).unwrap()], Numbering::Kept);
    let own: BTreeMap<String, [i64; 4]> = changes
        .iter()
        .filter(|change| change.whole.new + change.whole.deleted > 0)
        .map(|change| {
            let name = String::from_utf8_lossy(&change.name).into_owned();
            let place = change.place.map(|place| format!("{},{},{}", place.script, place.line, place.column));
            let whole = &change.whole;
            let numbers = [whole.new as i64, whole.deleted as i64, whole.count(), whole.size()];
            (format!("{},{name}", place.unwrap_or_default()), numbers)
        })
        .collect();
    let theirs: BTreeMap<String, [i64; 4]> = theirs["diff"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let numbers = ["new", "deleted", "delta", "size_delta"].map(|key| row[key].as_i64().unwrap());
            (row["key"].as_str().unwrap().to_owned(), numbers)
        })
        .collect();
    assert_eq!(own, theirs);
    assert!(own.len() > 10, "{own:?}");
}

#[test]
fn objects_and_what_they_retain_are_as_memlab_has_them() {
    let Some(modules) = modules(&["@memlab/heap-analysis"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let [_, file] = snapshots(folder.path());
    let theirs = peer("memlab.mjs", &modules, &folder.path().join("out"), &[&file]);
    let explorer = Explorer::new(graph(&file), &mut |_| ()).unwrap();
    let ours = explorer.graph();
    let nodes: BTreeMap<u64, &Value> =
        theirs["nodes"].as_array().unwrap().iter().map(|node| (node[0].as_u64().unwrap(), node)).collect();
    assert_eq!(nodes.len(), ours.node_count());
    // memlab leaves the size of a backing store where it is, and lets fewer edges retain (its rules are those of an
    // older DevTools): nodes and bytes must be the same, and of most nodes what they retain.
    let (mut total, mut same) = (0, 0);
    for node in ours.nodes() {
        let theirs = nodes[&u64::from(ours.id(node))];
        total += theirs[1].as_u64().unwrap();
        same += usize::from(theirs[2].as_u64() == Some(explorer.dominators().retained(node)));
    }
    assert_eq!(total, explorer.total());
    assert!(same * 4 > ours.node_count() * 3, "{same} of {}", ours.node_count());
    let requests = theirs["classes"].as_array().unwrap().iter().find(|class| class["key"] == "object/PooledRequest");
    assert_eq!(requests.unwrap()["count"], 1400);
}
