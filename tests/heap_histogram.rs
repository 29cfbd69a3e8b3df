//! `memtide heap histogram`: classes of a real JVM, and profiles of Go that are made here.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use support::require::has_programs;

/// Objects of class `Known` in the JVM.
const KNOWN: u64 = 4321;

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtide"));
    command.args(["heap", "histogram"]).args(args).env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A JVM with objects of a known class. Dropping it ends it.
struct Jvm(Child);

impl Jvm {
    fn start() -> Self {
        let mut java = Command::new("java");
        java.args(["-Xmx64m", "-XX:+UseSerialGC", "-cp"]);
        java.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")).arg("Known");
        let mut child = java.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The count and bytes of a class in the text of jcmd.
fn of_jcmd(text: &str, class: &str) -> (u64, u64) {
    let line = text.lines().find(|line| line.split_whitespace().nth(3) == Some(class)).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    (words[1].parse().unwrap(), words[2].parse().unwrap())
}

#[test]
fn the_classes_of_a_jvm_are_counted_as_jcmd_does_and_compared_with_what_was_kept() {
    if !has_programs(&["java"]) {
        return;
    }
    let jvm = Jvm::start();
    let pid = jvm.pid();
    let asked = run(&[&pid]);
    assert_eq!(asked.status.code(), Some(2), "{}", stderr(&asked));

    let text = stdout(&run(&[&pid, "--yes", "--format", "json"]));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&document["schema"], &document["kind"]), (&"memtide.heap_histogram/1".into(), &"jvm_classes".into()));
    let rows = document["rows"].as_array().unwrap();
    let known = rows.iter().find(|row| row["name"] == "Known").unwrap();
    assert_eq!(known["count"], KNOWN);
    let sum: u64 = rows.iter().map(|row| row["bytes"].as_u64().unwrap()).sum();
    assert_eq!(document["bytes"], sum);
    // Not every Java runtime has it.
    if let Ok(jcmd) = Command::new("jcmd").args([&pid, "GC.class_histogram"]).output() {
        let jcmd = String::from_utf8(jcmd.stdout).unwrap();
        let counted = (known["count"].as_u64().unwrap(), known["bytes"].as_u64().unwrap());
        assert_eq!(of_jcmd(&jcmd, "Known"), counted, "{jcmd}");
    }

    let folder = tempfile::tempdir().unwrap();
    let (kept, other) = (folder.path().join("kept.json"), folder.path().join("other.json"));
    fs::write(&kept, text.replacen(&format!("\"count\": {KNOWN}"), "\"count\": 4000", 1)).unwrap();
    fs::write(&other, "{}").unwrap();
    let compared = stdout(&run(&[&pid, "--yes", "--diff", kept.to_str().unwrap(), "--top", "100"]));
    let line = compared.lines().find(|line| line.contains(" Known")).unwrap();
    assert!(line.contains("+321"), "{compared}");
    let csv = stdout(&run(&[&pid, "--yes", "--all", "--format", "csv"]));
    assert!(csv.lines().any(|line| line.starts_with(&format!("Known,,{KNOWN},"))), "{csv}");
    let wrong = run(&[&pid, "--yes", "--diff", other.to_str().unwrap()]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("it is no histogram that --format json wrote"), "{}", stderr(&wrong));
}

/// Fields of Protocol Buffers.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

/// A heap profile in which `main.leak` has so much in use, called by `main.main`.
fn profile(leaked: u64) -> Vec<u8> {
    let strings = ["", "alloc_space", "inuse_objects", "inuse_space", "main.leak", "/src/app.go", "main.main"];
    let packed = |values: &[u64]| values.iter().flat_map(|value| varint(*value)).collect::<Vec<u8>>();
    let types = [1, 2, 3].map(|name| bytes(1, &number(1, name)));
    let sample =
        |stack: &[u64], values: &[u64]| bytes(2, &[bytes(1, &packed(stack)), bytes(2, &packed(values))].concat());
    let location = |id, line| bytes(4, &[number(1, id), bytes(4, &[number(1, id), number(2, line)].concat())].concat());
    let function = |id, name| bytes(5, &[number(1, id), number(2, name), number(4, 5)].concat());
    let strings: Vec<u8> = strings.iter().flat_map(|text| bytes(6, text.as_bytes())).collect();
    [
        types.concat(),
        sample(&[1, 2], &[9 << 30, 7, leaked]),
        sample(&[2], &[1 << 20, 1, 4096]),
        [location(1, 12), location(2, 30), function(1, 4), function(2, 6), strings].concat(),
    ]
    .concat()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, content) = (gzip.stdin.take().unwrap(), content.to_vec());
    // Beside the reading: what it writes does not fit into a pipe.
    let writer = std::thread::spawn(move || stdin.write_all(&content).unwrap());
    let output = gzip.wait_with_output().unwrap();
    writer.join().unwrap();
    output.stdout
}

#[test]
fn a_profile_of_go_is_shown_by_the_line_that_allocated_what_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let (packed, plain) = (folder.path().join("heap.pb.gz"), folder.path().join("heap.pb"));
    fs::write(&packed, gzip(&profile(64 << 20))).unwrap();
    fs::write(&plain, profile(32 << 20)).unwrap();
    let table = stdout(&run(&[packed.to_str().unwrap()]));
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(lines.contains(&vec!["64M", "64M", "7", "main.leak", "/src/app.go:12"]), "{table}");
    assert!(lines.contains(&vec!["4K", "64M", "1", "main.main", "/src/app.go:30"]), "{table}");

    let json = stdout(&run(&[plain.to_str().unwrap(), "--format", "json"]));
    let kept = folder.path().join("kept.json");
    fs::write(&kept, json).unwrap();
    let compared = stdout(&run(&[packed.to_str().unwrap(), "--diff", kept.to_str().unwrap()]));
    assert!(compared.lines().nth(2).unwrap().starts_with("+32.0M"), "{compared}");
    assert!(!compared.contains("main.main"), "{compared}");
}

#[test]
fn a_profile_is_fetched_over_http_and_what_is_none_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answers = std::thread::spawn(move || {
        let mut asked = Vec::new();
        let packed = gzip(&profile(64 << 20));
        let head = "HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n";
        for body in [packed.as_slice(), b"<html>"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let count = stream.read(&mut request).unwrap();
            asked.push(String::from_utf8_lossy(&request[..count]).lines().next().unwrap().to_owned());
            stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        }
        asked
    });
    let url = format!("http://{address}/debug/pprof/heap?gc=1");
    assert!(stdout(&run(&[&url])).contains("main.leak"));
    let none = run(&[&url]);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("it is no profile of pprof"), "{}", stderr(&none));
    assert_eq!(answers.join().unwrap(), ["GET /debug/pprof/heap?gc=1 HTTP/1.0"; 2]);
    // Nobody listens any more.
    let gone = run(&[&url]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(stderr(&gone).contains("no connection to"), "{}", stderr(&gone));
}

#[test]
fn half_a_profile_and_a_bomb_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("heap.pb.gz");
    let packed = gzip(&profile(1));
    fs::write(&file, &packed[..packed.len() / 2]).unwrap();
    let half = run(&[file.to_str().unwrap()]);
    assert_eq!(half.status.code(), Some(1));
    assert!(stderr(&half).contains("can't be decompressed"), "{}", stderr(&half));
    fs::write(&file, gzip(&vec![0; 600 << 20])).unwrap();
    let bomb = run(&[file.to_str().unwrap()]);
    assert!(stderr(&bomb).contains("can't be decompressed"), "{}", stderr(&bomb));
    let absent = run(&["/nonexistent/heap.pb.gz"]);
    assert!(stderr(&absent).contains("/nonexistent/heap.pb.gz"), "{}", stderr(&absent));
}
