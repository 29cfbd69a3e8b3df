//! One process whole, in the real program in a real terminal, on real processes.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::path::Path;

use support::live::{memtide, narrow};
use support::programs::Program;
use support::pty::Terminal;

/// The screen of a process.
fn open(word: &str, size: (u16, u16), args: &[&str]) -> Terminal {
    let terminal = memtide(args).size(size.0, size.1).start();
    narrow(&terminal, word);
    terminal.press("Enter");
    terminal.wait_for_text("1 Overview");
    terminal
}

/// The number that a line begins with.
fn number(line: &str) -> Option<u64> {
    line.split_whitespace().next()?.trim_start_matches('~').parse().ok()
}

#[test]
fn a_path_that_was_opened_300_times_is_one_line_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let zoo = Program::zoo("view-zoo", folder.path());
    let terminal = open("view-zoo", (120, 40), &[]);
    terminal.press("3");
    let screen = terminal.wait_for_text("app.log");
    let line = screen.lines().into_iter().find(|line| line.contains("/app.log")).unwrap();
    assert!(number(&line) == Some(300) && line.contains(" file "), "{}", screen.framed());
    let files = fs::read_dir(format!("/proc/{}/fd", zoo.pid())).unwrap().count();
    assert!(screen.contains(&format!(" {files} open of ")), "{files}\n{}", screen.framed());
    assert!(screen.contains(" CLOSE_WAIT") && screen.contains("1 deleted file holds"), "{}", screen.framed());
    terminal.press("2");
    terminal.wait_for_text("memfd zoo");
    terminal.press("4");
    let screen = terminal.wait_for_text("zoo-thread");
    assert!(screen.contains("2 threads"), "{}", screen.framed());
}

#[test]
fn where_a_leak_grows_is_seen_and_its_end_keeps_the_last_picture() {
    let mut leaker = Program::leaker("view-leaker", 512, 50);
    let terminal = open("view-leaker", (120, 40), &["--interval", "250ms"]);
    terminal.press("2");
    // Of what grows the line says how much, and the bar where.
    let screen = terminal.wait_for("growth of more than 1 MiB", |screen| {
        let lines = screen.lines();
        let grown = lines.iter().any(|line| line.ends_with(" anonymous") && line.contains('+'));
        grown && lines.iter().any(|line| line.contains("▲ +") && line.contains("M from "))
    });
    assert!(screen.contains("PSS▼"), "{}", screen.framed());
    leaker.end();
    let screen = terminal.wait_for_text("its last picture");
    assert!(screen.contains("anonymous") && screen.contains("CHANGE"), "{}", screen.framed());
    terminal.press("k");
    terminal.wait_for_text("has ended");
    terminal.press("Esc");
    terminal.wait_for_text("no process matches");
}

#[test]
fn a_signal_is_sent_from_here() {
    let mut victim = Program::sleeper("view-victim");
    let terminal = open("view-victim", (100, 30), &[]);
    terminal.keys("k Enter");
    terminal.wait_for_text(&format!("send SIGTERM to process {}?", victim.pid()));
    terminal.press("y");
    assert_eq!(victim.wait_for_signal(), Some(15));
    terminal.wait_for_text("its last picture");
}

#[test]
fn keys_are_answered_while_a_process_of_60000_mappings_and_100000_descriptors_is_read() {
    // As many as one may have here.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit { current: limit.maximum, ..limit },
    )
    .unwrap();
    let most = limit.maximum.map_or(100_000, |most| most.saturating_sub(100).min(100_000)) as u32;
    let crowd = Program::crowded("view-crowd", 60_000, most);
    let terminal = open("view-crowd", (120, 40), &["--interval", "250ms"]);
    for (key, text) in [("2", "MAPPING"), ("3", "LEADS TO"), ("4", "1 thread"), ("1", "EVERY FIELD")].repeat(3) {
        terminal.press(key);
        // Whatever is being read for it, the next key is answered.
        terminal.press("F1");
        terminal.wait_for_text("─ help ─");
        terminal.press("q");
        terminal.wait_until_gone("─ help ─");
        terminal.wait_for_text(text);
    }
    terminal.press("2");
    let screen = terminal.wait_for_text("mappings in");
    let maps = fs::read_to_string(format!("/proc/{}/maps", crowd.pid())).unwrap().lines().count();
    assert!(maps > 60_000 && screen.contains(&format!(" {maps} mappings in ")), "{maps}\n{}", screen.framed());
    terminal.press("3");
    let screen = terminal.wait_for_text("LEADS TO");
    let open = fs::read_dir(format!("/proc/{}/fd", crowd.pid())).unwrap().count();
    assert!(open >= most as usize && screen.contains(&format!(" {open} open of ")), "{open}\n{}", screen.framed());
}

#[test]
fn a_recorded_tree_is_looked_at_too() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/roots/amazon-linux-2-4.14");
    let terminal = memtide(["--root".as_ref(), tree.as_os_str()]).size(120, 30).start();
    narrow(&terminal, "node");
    terminal.press("2");
    let screen = terminal.wait_for_text("V8 heap");
    assert!(screen.contains("[heap]") && screen.contains("PSS▼"), "{}", screen.framed());
    terminal.press("3");
    terminal.wait_for_text("open of 1024");
}
