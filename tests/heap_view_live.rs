//! The screen of a heap in a terminal: of a real Node.js process, taken, opened and compared by keys; of files; and what is
//! left of it in memory once it is closed.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use support::heaps::server;
use support::live::memtide;
use support::node::Node;
use support::pty::Terminal;
use support::require::has_programs;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/heap.js");

/// What stands in the last line of the list alone.
const LIST: &str = "enter details";

/// A machine of a few processes, whose list takes the same memory all the time.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/roots/cgroup-v2-6.8");

/// Takes a heap snapshot of the process that is shown, to a file.
fn take(terminal: &Terminal, file: &Path) {
    terminal.press("H");
    terminal.wait_for_text("heap_snapshot:");
    terminal.press("C-u");
    terminal.type_text(file.to_str().unwrap());
    terminal.wait_for_text(file.to_str().unwrap());
    terminal.press("Enter");
    terminal.wait_for_text("y yes");
    terminal.press("y");
    terminal.wait_for_text("is taken");
}

#[test]
fn a_leak_of_a_running_node_is_found_by_keys_and_what_grew_until_a_second_snapshot() {
    if !has_programs(&["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&["--inspect-port=0"], 3000, folder.path());
    let [first, second] = ["1.heapsnapshot", "2.heapsnapshot"].map(|name| folder.path().join(name));
    let terminal = memtide::<&str>([]).size(120, 30).folder(folder.path()).start();
    terminal.wait_for_text(LIST);
    terminal.press("/");
    terminal.wait_for_text("filter:");
    let filter = format!("pid={}", node.pid);
    terminal.type_text(&filter);
    terminal.wait_for_text(&format!("filter: {filter}"));
    terminal.press("Enter");
    terminal.wait_for_text(&format!("filter: {filter} (1 of "));
    terminal.press("Enter");
    terminal.wait_for_text("Overview");
    take(&terminal, &first);
    terminal.press("Enter");
    terminal.wait_for_text("(string)");
    terminal.press("/");
    terminal.wait_for_text("with in its name");
    terminal.type_text("Pooled");
    terminal.wait_for_text("with in its name: Pooled");
    terminal.press("Enter");
    terminal.wait_for("one class", |screen| screen.contains("/pooled") && !screen.contains("(string)"));
    terminal.press("Enter");
    terminal.wait_for_text("3,000 PooledRequest held by pool.items[…] of known-heap.js:");
    terminal.press("Enter");
    terminal.wait_for_text(".text");
    terminal.press("2");
    terminal.wait_for("who holds it", |screen| screen.contains("CYCLE") && screen.contains("Array"));
    for place in ["pool.items[…]", "/pooled", "(string)", "1 Overview"] {
        terminal.press("Esc");
        terminal.wait_for_text(place);
    }

    assert_eq!(node.get("/more"), "ok");
    take(&terminal, &second);
    terminal.type_text("compare");
    terminal.press("Enter");
    terminal.wait_for_text("DELTA");
    terminal.press("/");
    terminal.wait_for_text("with in its name");
    terminal.type_text("Pooled");
    terminal.wait_for_text("with in its name: Pooled");
    terminal.press("Enter");
    let screen = terminal.wait_for_text("(500 more) held by pool.items[…]");
    // Each capture is a session of its own: V8 has begun to count anew.
    assert!(screen.contains("PooledRequest") && screen.contains("+500"), "{}", screen.framed());
    assert!(screen.contains("numbered anew"), "{}", screen.framed());
    terminal.press("q");
}

#[test]
fn two_snapshots_of_a_real_program_are_opened_from_the_command_line() {
    if !has_programs(&["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let status = std::process::Command::new("node").arg(PROGRAM).arg(folder.path()).args(["1000", "1400"]).status();
    assert!(status.unwrap().success());
    let mut files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let files: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    let terminal = memtide([&["heap", "view"], files.as_slice()].concat()).start();
    let screen = terminal.wait_for_text("400 new PooledRequest held by Pool.items[…] of heap.js:");
    assert!(screen.line_with("PooledRequest").unwrap().contains("+400"), "{}", screen.framed());
    terminal.press("Enter");
    terminal.wait_for_text("1 of 400");
    terminal.press("Enter");
    terminal.wait_for_text("way: ");
    for place in ["1 of 400", "DELTA", LIST] {
        terminal.press("Esc");
        terminal.wait_for_text(place);
    }
    terminal.press("q");
}

/// Resident memory of a process, KiB.
fn rss(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_true() {
        assert!(since.elapsed() < Duration::from_mins(1), "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_a_heap_took_is_given_back_when_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.heapsnapshot");
    fs::write(&file, server(0..300_000).json()).unwrap();
    let terminal = memtide(["--root", ROOT]).size(100, 30).start();
    terminal.wait_for_text(LIST);
    let before = rss(terminal.pid());
    terminal.press("o");
    terminal.wait_for_text("heap:");
    terminal.type_text(file.to_str().unwrap());
    terminal.press("Enter");
    terminal.wait_for_text("300,000");
    terminal.wait_for_text("PooledRequest");
    // 900,000 nodes of some 20 bytes and 1.5 million edges of 8.
    let open = rss(terminal.pid());
    assert!(open > before + (20 << 10), "{before} {open}");
    terminal.press("Esc");
    terminal.wait_for_text(LIST);
    wait_until("its memory", || rss(terminal.pid()) < before + (open - before) / 4);
    terminal.press("q");
}

#[test]
fn what_cannot_be_opened_says_why_on_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let whole = server(0..50).json();
    let files = [
        ("cut.heapsnapshot", &whole.as_bytes()[..whole.len() / 2], "the snapshot is incomplete"),
        ("words.txt", b"hello, world\n".as_slice(), "it is no V8 heap snapshot"),
        ("empty", b"".as_slice(), "it is empty"),
        ("json", br#"{"a": 1}"#.as_slice(), "\"snapshot\" first"),
    ];
    for (name, bytes, why) in files {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        let terminal = memtide(["heap", "view", file.to_str().unwrap()]).start();
        let screen = terminal.wait_for(why, |screen| squeezed(screen).contains(why));
        assert!(screen.contains(name), "{}", screen.framed());
        terminal.press("q");
    }
    let terminal = memtide(["heap", "view", folder.path().join("none").to_str().unwrap()]).start();
    terminal.wait_for_text("No such file");
    terminal.press("Esc");
    terminal.wait_for_text(LIST);
    terminal.press("o");
    terminal.wait_for_text("heap:");
    terminal.type_text(folder.path().to_str().unwrap());
    terminal.press("Enter");
    terminal.wait_for_text("it is a folder");
    terminal.press("q");
}

/// The words of a screen with one blank between them, whatever line they stand in.
fn squeezed(screen: &support::screen::Screen) -> String {
    screen.text().split_whitespace().collect::<Vec<_>>().join(" ")
}
