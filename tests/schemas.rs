//! What the real program prints as JSON is what its schemas say, by another's validator (python3-jsonschema).
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use memtide::export::schema::{find, schemas};
use serde_json::Value;
use support::heaps::HandMade;
use support::node::Node;
use support::programs::Program;
use support::require::{has, has_programs};

/// Reads lines of `{schema, document}` and says what each breaks, a line each.
const VALIDATE: &str = "
import json, sys
import jsonschema
for line in sys.stdin:
    pair = json.loads(line)
    check = jsonschema.Draft202012Validator
    check.check_schema(pair['schema'])
    for error in check(pair['schema']).iter_errors(pair['document']):
        place = '/'.join(str(part) for part in error.absolute_path)
        print(pair['document'].get('schema'), place, error.message[:300])
";

/// A Python that has the validator: the first of the path may be another than that of the distribution's packages.
fn python() -> Option<&'static str> {
    let has_it = |python: &&str| {
        let output = Command::new(python).args(["-c", "import jsonschema; jsonschema.Draft202012Validator"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    ["python3", "/usr/bin/python3"].into_iter().find(has_it)
}

fn has_validator() -> bool {
    has(python().is_some(), "python3-jsonschema")
}

/// What these documents break of the schemas that they name.
fn flaws(documents: &[Value]) -> String {
    let mut python = Command::new(python().unwrap());
    python.args(["-c", VALIDATE]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = python.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let lines: String = documents
        .iter()
        .map(|document| {
            let name = document["schema"].as_str().unwrap_or_else(|| panic!("it names no schema: {document}"));
            let schema = find(name).unwrap_or_else(|| panic!("{name} has no schema"));
            let schema: Value = serde_json::from_str(schema.text).unwrap();
            serde_json::json!({"schema": schema, "document": document}).to_string() + "\n"
        })
        .collect();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    writer.join().unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// What memtide prints, a document or one a line.
fn run(args: &[&str]) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtide"));
    let output = command.args(args).env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null()).output().unwrap();
    let read: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(&output.stdout).into_iter().collect();
    let read = read.unwrap_or_else(|error| panic!("{args:?}: {error}: {output:?}"));
    assert!(!read.is_empty(), "{args:?}: {output:?}");
    read
}

fn read(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Leaves forty of each long list: a machine of thousands of processes has no more kinds of them.
fn thin_out(document: &mut Value) {
    match document {
        Value::Array(list) => {
            list.truncate(40);
            list.iter_mut().for_each(thin_out);
        }
        Value::Object(object) => object.values_mut().for_each(thin_out),
        _ => {}
    }
}

/// A JVM. Dropping it ends it.
struct Jvm(Child);

impl Jvm {
    fn start() -> Self {
        let classes = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs");
        let mut java = Command::new("java");
        java.args(["-Xmx64m", "-XX:+UseSerialGC", "-cp", classes, "Known"]).stdin(Stdio::null()).stderr(Stdio::null());
        let mut child = java.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self(child)
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Everything that can be asked for without another program.
fn documents(folder: &Path) -> Vec<Value> {
    let child = Program::opener("schema-child", 4);
    let pid = child.pid().to_string();
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let [mark, machine, look, tape, log, heap, guard, saved] =
        ["mark", "machine", "look", "tape.memtide", "log", "a.heapsnapshot", "guard", "saved.memtide"].map(at);
    let mut all = Vec::new();
    let mut ask = |args: &[&str]| all.extend(run(&[args, &["--format", "json"]].concat()));
    ask(&["ps", "--save-mark", &mark, "--kernel-threads"]);
    ask(&["ps", "--since", &mark, "--total"]);
    ask(&["ps", "--group", "user"]);
    ask(&["free", "--full", "--save-mark", &machine]);
    ask(&["free", "--since", &machine]);
    ask(&["inspect", &pid, "--save-mark", &look]);
    ask(&["inspect", &pid, "--since", &look]);
    ask(&["inspect", &pid, "--for", "1s"]);
    ask(&["diagnose", "--for", "2s"]);
    ask(&["diagnose", "--for", "1s", &pid]);
    ask(&["doctor"]);
    ask(&["act", "oom_score_adj", "500", "--pid", &pid, "--dry-run"]);
    ask(&["act", "oom_score_adj", "500", "--pid", &pid, "--yes", "--after", "1s", "--log", &log]);
    ask(&["act", "memory.high", "max", "--cgroup", "/no-such-group", "--dry-run"]);
    for root in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/roots")).unwrap() {
        let root = root.unwrap().path().to_str().unwrap().to_owned();
        for args in [&["ps"][..], &["ps", "-g", "unit"], &["free", "--full"], &["doctor"]] {
            ask(&[args, &["--root", &root]].concat());
        }
    }
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recordings/v1-closer.memtide");
    ask(&["diagnose", old]);
    ask(&["report", old]);
    let recorded = Command::new(env!("CARGO_BIN_EXE_memtide"))
        .args(["record", "-o", &tape, "--for", "1s", "--interval", "200ms", "--actions", &log])
        .status();
    assert!(recorded.unwrap().success());
    ask(&["report", &tape]);
    ask(&["verify", &tape]);
    // Its tail is torn off.
    let bytes = fs::read(&tape).unwrap();
    fs::write(&tape, &bytes[..bytes.len() - 20]).unwrap();
    ask(&["verify", &tape]);
    ask(&["repair", &tape, "-o", &saved]);
    fs::write(&heap, heap_of_three()).unwrap();
    for what in ["classes", "strings", "collections", "closures", "detached", "biggest", "dominators"] {
        ask(&["heap", "show", &heap, "--what", what]);
    }
    ask(&["heap", "show", &heap, "--class", "Held"]);
    ask(&["heap", "show", &heap, "--object", "@3"]);
    ask(&["heap", "diff", &heap, &heap]);
    let rules =
        format!("[[rule]]\nname = 'a'\npid = {pid}\nwhen = 'rss > 1K'\nfor = '0s'\nthen = 'exec cat >{guard}.hook'\n");
    fs::write(at("rules.toml"), rules).unwrap();
    let mut guarding = Command::new(env!("CARGO_BIN_EXE_memtide"));
    guarding.args(["guard", "--log", &guard, "-c", &at("rules.toml")]).stderr(Stdio::null());
    let mut guarding = guarding.spawn().unwrap();
    let has_acted = || fs::read_to_string(&guard).is_ok_and(|log| log.contains("\"step\""));
    while !has_acted() {
        assert!(guarding.try_wait().unwrap().is_none(), "the guard has ended");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let id = rustix::process::Pid::from_child(&guarding);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    guarding.wait().unwrap();
    for file in [&mark, &machine, &look, &log, &guard, &format!("{guard}.hook")] {
        all.extend(read(Path::new(file)));
    }
    all
}

/// A heap in which each list has a line.
fn heap_of_three() -> String {
    let mut made = HandMade::new();
    let [holder, held] = ["Holder", "Held"].map(|name| made.object(name, 40));
    made.place(holder, 5, 7, 2);
    made.element(0, 1, holder);
    made.property(holder, "held", held);
    for _ in 0..2 {
        let text = made.node("string", "twice", 24);
        made.element(held, made.node_count() as u32, text);
    }
    let function = made.node("closure", "run", 64);
    made.property(holder, "run", function);
    made.detach(holder, 2);
    made.json()
}

#[test]
fn what_is_printed_and_kept_is_what_the_schemas_say() {
    if !has_validator() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut documents = documents(folder.path());
    if has_programs(&["node"]) {
        let node = Node::start(&["--inspect=127.0.0.1:0"], 10, folder.path());
        documents.extend(run(&["heap", "stats", &node.pid.to_string(), "--yes", "--format", "json"]));
        documents.extend(run(&["inspect", &node.pid.to_string(), "--format", "json"]));
    }
    if has_programs(&["java"]) {
        let jvm = Jvm::start();
        let pid = jvm.0.id().to_string();
        let histogram = run(&["heap", "histogram", &pid, "--yes", "--format", "json"]);
        let before = folder.path().join("before.json");
        fs::write(&before, histogram[0].to_string()).unwrap();
        let before = before.to_str().unwrap();
        documents.extend(run(&["heap", "histogram", &pid, "--yes", "--diff", before, "--format", "json"]));
        documents.extend(histogram);
    }
    documents.iter_mut().for_each(thin_out);
    assert_eq!(flaws(&documents), "");
    let seen: BTreeSet<&str> = documents.iter().filter_map(|document| document["schema"].as_str()).collect();
    let all: BTreeSet<String> = schemas().into_iter().map(|schema| schema.name).collect();
    let missing: Vec<&String> = all.iter().filter(|name| !seen.contains(name.as_str())).collect();
    if has_programs(&["node", "java"]) {
        assert_eq!(missing, Vec::<&String>::new(), "no document was made of these");
    }
}

#[test]
fn what_is_wrong_is_found() {
    if !has_validator() {
        return;
    }
    let sound = run(&["doctor", "--format", "json"]).remove(0);
    let mut more = sound.clone();
    more["surplus"] = 1.into();
    let mut less = sound.clone();
    less.as_object_mut().unwrap().remove("host");
    let mut other = sound.clone();
    other["powers"][0]["extent"] = "perhaps".into();
    for (document, said) in [(more, "surplus"), (less, "'host' is a required"), (other, "'perhaps' is not one of")] {
        let flaws = flaws(&[sound.clone(), document]);
        assert!(flaws.contains(said) && flaws.lines().count() == 1, "{flaws}");
    }
}

/// Every schema that the program names in its own source.
fn named(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            named(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for part in text.split("\"memtide.").skip(1) {
            let name = part.split(['"', '\\']).next().unwrap();
            if name.split_once('/').is_some_and(|(_, version)| version.chars().all(|c| c.is_ascii_digit())) {
                found.insert(format!("memtide.{name}"));
            }
        }
    }
}

#[test]
fn every_schema_that_the_program_names_is_there_and_printed() {
    let mut found = BTreeSet::new();
    named(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut found);
    // What a guard keeps for itself between its own end and start is no interface.
    assert!(found.remove("memtide.guard.state/1"));
    let all: BTreeSet<String> = schemas().into_iter().map(|schema| schema.name).collect();
    assert_eq!(found, all);
    let memtide =
        |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_memtide")).arg("schema").args(args).output().unwrap();
    let list = String::from_utf8(memtide(&[]).stdout).unwrap();
    assert_eq!(list.lines().count(), all.len());
    for name in &all {
        assert!(list.contains(name.as_str()));
        let printed: Value = serde_json::from_slice(&memtide(&[name]).stdout).unwrap();
        assert_eq!(printed["title"], name.as_str());
    }
    assert_eq!(memtide(&["nonsense"]).status.code(), Some(2));
    assert_eq!(memtide(&["heap", "diff"]).stdout, memtide(&["memtide.heap.diff/1"]).stdout);
}
