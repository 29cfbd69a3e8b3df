//! Heap snapshots of a real Node.js program whose heap is known, through the program as a person runs it.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use support::require::has_programs;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/heap.js");

/// Three snapshots of the program with 1000, 1400 and 1700 pooled requests, made once.
fn snapshots() -> &'static [PathBuf; 3] {
    static MADE: OnceLock<[PathBuf; 3]> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("heap-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let status = Command::new("node").arg(PROGRAM).arg(&folder).args(["1000", "1400", "1700"]).status().unwrap();
        assert!(status.success());
        [0, 1, 2].map(|step| folder.join(format!("{step}.heapsnapshot")))
    })
}

fn memtide(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memtide")).arg("heap").args(args).output().unwrap()
}

fn text(args: &[&str]) -> String {
    let output = memtide(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&text(&[args, &["--format", "json"]].concat())).unwrap()
}

fn path(step: usize) -> &'static str {
    snapshots()[step].to_str().unwrap()
}

/// The line of the program, from 1, that has this in it.
fn line(part: &str) -> usize {
    let source = std::fs::read_to_string(PROGRAM).unwrap();
    source.lines().position(|line| line.contains(part)).unwrap() + 1
}

fn row<'a>(list: &'a Value, key: &str, wanted: &str) -> &'a Value {
    let found = list.as_array().unwrap().iter().find(|row| row[key] == wanted);
    found.unwrap_or_else(|| panic!("no {wanted} in {list:#}"))
}

#[test]
fn classes_of_a_program_have_the_objects_that_it_made() {
    if !has_programs(&["node"]) {
        return;
    }
    let document = json(&["show", path(0), "--top", "100000"]);
    assert_eq!(document["schema"], "memtide.heap.show/1");
    let classes = &document["classes"];
    for (class, count) in [("PooledRequest", 1000), ("Session", 500), ("Link", 2000), ("Pool", 1)] {
        assert_eq!(row(classes, "class", class)["count"], count, "{class}");
    }
    for (class, count) in [("{gamma, delta}", 700), ("{alpha, beta}", 500)] {
        // V8 may keep one more, to copy from.
        let found = row(classes, "class", class)["count"].as_u64().unwrap();
        assert!((count..=count + 1).contains(&found), "{class}: {found}");
    }
    let request = row(classes, "class", "PooledRequest");
    let place = request["place"].as_str().unwrap();
    assert!(place.ends_with(&format!("tests/programs/heap.js:{}", line("class PooledRequest") + 1)), "{place}");
    let number = |value: &Value| value.as_u64().unwrap();
    // Of the pool hang its requests, and of the requests their bodies.
    let pool = row(classes, "class", "Pool");
    assert!(number(&pool["retained"]) > number(&request["retained"]));
    assert!(number(&request["retained"]) > number(&request["shallow"]));
    let shallow: u64 = classes.as_array().unwrap().iter().map(|class| number(&class["shallow"])).sum();
    assert_eq!(shallow, number(&document["total"]));
}

#[test]
fn one_object_is_followed_from_its_class_to_the_root() {
    if !has_programs(&["node"]) {
        return;
    }
    let pool = &json(&["show", path(0), "--class", "Pool"])["objects"][0];
    let id = format!("@{}", pool["id"]);
    let document = json(&["show", path(0), "--object", &id, "--top", "1000"]);
    assert_eq!(document["object"]["class"], "Pool");
    assert_eq!(document["object"]["retained"], pool["retained"]);
    let items = row(&document["fields"], "edge", ".items");
    assert_eq!((items["value"].as_str(), items["kind"].as_str()), (Some("Array"), Some("property")));
    let by = row(&document["retainers"], "edge", ".pool");
    assert_eq!(by["cycle"], false);
    let shown = text(&["show", path(0), "--object", &id]);
    for wanted in ["Pool @", ".items", "\nHeld by\n", "shortest way: "] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    let first = json(&["show", path(0), "--class", "PooledRequest", "--top", "1"]);
    let request = json(&["show", path(0), "--object", &first["objects"][0]["id"].to_string()]);
    let body = row(&request["fields"], "edge", ".body");
    let value = body["value"].as_str().unwrap();
    assert!(value.starts_with("\"body of request "), "{value}");
    let output = memtide(&["show", path(0), "--object", "@4294967295"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has no object @4294967295"));
}

#[test]
fn strings_collections_and_functions_of_a_program_are_listed() {
    if !has_programs(&["node"]) {
        return;
    }
    let strings = json(&["show", path(0), "--what", "strings", "--top", "100000"]);
    let same = row(&strings["strings"], "value", "\"the very same text, again and again\"");
    // And the one that stands in the program.
    assert_eq!(same["count"], 201);
    let collections = json(&["show", path(0), "--what", "collections", "--top", "30"]);
    let by = |class: &str, count: u64| {
        let all = collections["collections"].as_array().unwrap();
        let found = all.iter().any(|found| found["class"] == class && found["elements"] == count);
        assert!(found, "{class} of {count}: {collections:#}");
    };
    by("Array", 1000);
    by("Set", 700);
    by("Map", 500);
    let closures = json(&["show", path(0), "--what", "closures", "--top", "100000"]);
    let all = closures["closures"].as_array().unwrap();
    let handlers = all.iter().find(|found| found["count"] == 300).unwrap();
    let place = handlers["place"].as_str().unwrap();
    assert!(place.ends_with(&format!("heap.js:{}", line("handlers.push"))), "{place}");
    let found = json(&["show", path(0), "--search", "pooledreq"]);
    assert_eq!(row(&found["classes"], "class", "PooledRequest")["count"], 1000);
}

#[test]
fn two_snapshots_tell_what_grew_and_who_holds_it() {
    if !has_programs(&["node"]) {
        return;
    }
    let document = json(&["diff", path(0), path(1), "--top", "1000"]);
    assert_eq!(document["schema"], "memtide.heap.diff/1");
    let request = row(&document["classes"], "class", "PooledRequest");
    assert_eq!((request["new"].as_u64(), request["deleted"].as_u64()), (Some(400), Some(0)));
    let place = line("constructor() {");
    assert_eq!(
        request["held"][0]["text"],
        format!("400 PooledRequest held by Pool.items[…] of heap.js:{place}"),
        "{request:#}"
    );
    let noise = row(&document["classes"], "class", "{noise}");
    assert_eq!((noise["new"].as_u64(), noise["deleted"].as_u64()), (Some(400), Some(400)));
    let shown = text(&["diff", path(0), path(1)]);
    assert!(shown.contains(&format!("- 400 new PooledRequest held by Pool.items[…] of heap.js:{place}")), "{shown}");
}

#[test]
fn of_three_snapshots_the_leak_is_told_from_the_noise() {
    if !has_programs(&["node"]) {
        return;
    }
    let document = json(&["diff", path(0), path(1), path(2), "--top", "1000"]);
    let request = row(&document["classes"], "class", "PooledRequest");
    assert_eq!(request["grows_always"], true);
    assert_eq!(request["counts"], serde_json::json!([1000, 1400, 1700]));
    assert_eq!(row(&document["classes"], "class", "{noise}")["grows_always"], false);
    let first = &document["classes"][0];
    assert_eq!(first["grows_always"], true);
    let shown = text(&["diff", path(0), path(1), path(2)]);
    assert!(shown.contains("more in every step") && shown.contains("+400 +300"), "{shown}");
}

#[test]
fn compressed_snapshots_and_those_of_a_pipe_read_the_same() {
    if !has_programs(&["node", "gzip", "sh"]) {
        return;
    }
    let plain = text(&["show", path(0), "--format", "csv"]);
    let packed = snapshots()[0].with_extension("gz");
    let status = Command::new("sh").arg("-c").arg("gzip -1 <\"$0\" >\"$1\"").arg(path(0)).arg(&packed).status();
    assert!(status.unwrap().success());
    assert_eq!(text(&["show", packed.to_str().unwrap(), "--format", "csv"]), plain);
    let zstd = snapshots()[0].with_extension("zst");
    let bytes = std::fs::read(&snapshots()[0]).unwrap();
    std::fs::write(&zstd, zstd::encode_all(bytes.as_slice(), 1).unwrap()).unwrap();
    assert_eq!(text(&["show", zstd.to_str().unwrap(), "--format", "csv"]), plain);
    let mut child = Command::new(env!("CARGO_BIN_EXE_memtide"))
        .args(["heap", "show", "/dev/stdin", "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), plain);
    // A compressed one that is cut off says so.
    let cut = std::fs::read(&packed).unwrap();
    std::fs::write(&packed, &cut[..cut.len() / 2]).unwrap();
    let output = memtide(&["show", packed.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("it can't be read at byte") || error.contains("incomplete"), "{error}");
    assert!(output.stdout.is_empty());
}

#[test]
fn what_is_no_snapshot_is_refused_with_the_reason() {
    let refused = |path: &str, wanted: &str| {
        let output = memtide(&["show", path]);
        assert_eq!(output.status.code(), Some(1), "{path}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.starts_with(&format!("memtide: {path}")) && error.contains(wanted), "{error}");
    };
    refused(PROGRAM, "byte 0: `{\"snapshot\":` was expected");
    refused("/nonexistent", "No such file");
    refused("/", "it is a folder");
    refused("/dev/null", "it is empty");
    let made = support::heaps::HandMade::new().json();
    let folder = tempfile::tempdir().unwrap();
    let huge = folder.path().join("huge");
    // A pipe's length is not known: only memory can refuse what is announced.
    let script = format!(
        "printf '%s' '{}'",
        made.replace("\"node_count\":1,\"edge_count\":0", "\"node_count\":500000000,\"edge_count\":4000000000")
    );
    let output = Command::new("sh")
        .args(["-c", &format!("{script} | {} heap show /dev/stdin", env!("CARGO_BIN_EXE_memtide"))])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("of memory and") && error.contains("--force"), "{error}");
    assert!(!huge.exists());
}
