//! Marks on a real machine: set on the screen, kept in a file, compared with.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::live::{memtide, narrow};
use support::programs::Program;

const MIB: i64 = 1 << 20;

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memtide")).args(args).output().unwrap()
}

fn json(args: &[&str]) -> Value {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The processes of `ps` with this word against a mark, sorted by change.
fn since(file: &str, word: &str) -> Value {
    json(&["ps", "--since", file, "--format", "json", &format!("command~^\\S+child.{word}")])
}

#[test]
fn who_grew_since_the_mark_stands_first_whoever_is_larger() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("before.json");
    let file = file.to_str().unwrap();
    let holder = Program::holder("mark-file-holder", 64 << 10);
    let leaker = Program::leaker("mark-file-leaker", 64, 20);
    let mut ending = Program::holder("mark-file-ending", 8 << 10);
    let ended_pid = ending.pid();
    let output = run(&["ps", "--save-mark", file, "--top", "1"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("mark `before` of "));
    ending.end();
    let newcomer = Program::holder("mark-file-new", 2 << 10);

    let began = Instant::now();
    let document = loop {
        let document = since(file, "mark-file");
        let grown = |process: &Value| {
            process["pid"] == leaker.pid() && process["pss_change"].as_i64().is_some_and(|by| by > 8 * MIB)
        };
        if document["processes"].as_array().unwrap().iter().any(grown) {
            break document;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{document:#}");
    };
    let processes = document["processes"].as_array().unwrap();
    let pids: Vec<u64> = processes.iter().map(|process| process["pid"].as_u64().unwrap()).collect();
    assert_eq!(pids, [leaker.pid(), newcomer.pid(), holder.pid()].map(u64::from), "{document:#}");
    assert_eq!((&processes[1]["new"], processes[0].get("new")), (&Value::from(true), None));
    assert!(processes[1]["pss_change"].as_i64().unwrap() > 2 * MIB, "all it has is new");
    assert!(processes[2]["rss_change"].as_i64().unwrap().abs() < MIB, "{document:#}");
    let ended = document["ended"].as_array().unwrap().iter().find(|process| process["pid"] == ended_pid).unwrap();
    assert!(
        ended["pss"].as_i64().unwrap() > 8 * MIB && ended["command"].as_str().unwrap().contains("mark-file-ending")
    );
    assert_eq!(document["since"]["name"], "before");

    let text = run(&["ps", "--since", file]);
    let text = String::from_utf8(text.stdout).unwrap();
    let (_, after) = text.split_once("ENDED SINCE").unwrap();
    assert!(after.contains("mark-file-ending") && after.contains(&ended_pid.to_string()), "{after}");
}

#[test]
fn the_machine_has_changed_by_what_its_figures_differ() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("machine.json");
    let file = file.to_str().unwrap();
    let output = run(&["free", "--save-mark", file, "--format", "json"]);
    assert!(output.status.success());
    let saved: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert!(saved["processes"].as_array().unwrap().len() > 1, "a mark is of the processes too");
    let now = json(&["free", "--since", file, "--format", "json"]);
    let change = now["change"].as_object().unwrap();
    for key in ["mem_used", "mem_available", "swap_used", "mem_anon"] {
        let by = now["system"][key].as_i64().unwrap() - saved["system"][key].as_i64().unwrap();
        assert_eq!(change[key].as_i64(), Some(by), "{key}");
    }
    let total: i64 = now["ram"].as_array().unwrap().iter().map(|part| part["change"].as_i64().unwrap()).sum();
    let overlap = now["overlap"].as_i64().unwrap();
    assert!(total.abs() <= overlap.max(64 * 4096), "what one part gains another loses: {total}");
    let table = String::from_utf8(run(&["free", "--since", file]).stdout).unwrap();
    assert_eq!(table.lines().filter(|line| line.trim_start().starts_with("since")).count(), 2, "{table}");
}

fn refused(args: &[&str], status: i32, says: &[&str]) {
    let output = run(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{error}");
    assert!(output.stdout.is_empty(), "{args:?} printed figures");
    for part in says {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_mark_that_can_not_be_compared_with_is_refused_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (good, old, torn, link) = (path("good.json"), path("old.json"), path("torn.json"), path("link.json"));
    assert!(run(&["ps", "--save-mark", &good]).status.success());
    let text = std::fs::read_to_string(&good).unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert!(text.contains(boot.trim()));
    std::fs::write(&old, text.replace(boot.trim(), "00000000-0000-0000-0000-000000000000")).unwrap();
    std::fs::write(&torn, &text[..text.len() / 2]).unwrap();
    std::os::unix::fs::symlink(&good, &link).unwrap();
    for command in ["ps", "free"] {
        refused(&[command, "--since", &old], 1, &[&old, "another boot", "--save-mark"]);
        refused(&[command, "--since", &torn], 1, &[&torn, "line 1 column", "--save-mark"]);
        refused(&[command, "--since", &link], 1, &[&link, "symbolic link"]);
    }
    refused(&["ps", "-o", "pid,pss_change"], 2, &["needs a mark", "--since FILE"]);
    refused(&["ps", "fds_change>3"], 2, &["needs a mark"]);
}

/// What grew of one process since its mark, as JSON: the most by which a group of mappings and a descriptor's target did.
fn grown(document: &Value) -> (i64, i64) {
    let most = |list: &Value, change: fn(&Value) -> Option<i64>| {
        list.as_array().unwrap().iter().map(|line| change(line).unwrap()).max().unwrap()
    };
    let bytes = most(&document["mappings"]["groups"], |group| group["change"]["pss"].as_i64());
    (bytes, most(&document["descriptors"]["targets"], |target| target["change"].as_i64()))
}

#[test]
fn what_a_process_gained_since_its_mark_stands_first_in_an_inspection() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("before.json");
    let file = file.to_str().unwrap();
    let (memory, files) =
        (Program::leaker("mark-inspect-leaker", 64, 20), Program::file_leaker("mark-inspect-files", 1, 20));
    for (program, part) in [(&memory, "mappings"), (&files, "descriptors")] {
        let pid = program.pid().to_string();
        // All is kept, whatever is printed.
        let output = run(&["inspect", &pid, "--part", "threads", "--budget", "1m", "--save-mark", file]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && error.contains("mark `before` of "), "{error}");
        let since = ["inspect", &pid, "--budget", "1m", "--since", file];
        let began = Instant::now();
        loop {
            let document = json(&[&since[..], &["--format", "json"]].concat());
            assert_eq!(document["since"]["name"], "before");
            let (bytes, targets) = grown(&document);
            if part == "mappings" && bytes > 8 * MIB || part == "descriptors" && targets > 50 {
                let kinds = document["descriptors"]["kinds"].as_array().unwrap();
                let most = kinds.iter().map(|kind| kind["change"].as_i64().unwrap()).max().unwrap();
                assert!(part == "mappings" || most > 50, "{document:#}");
                break;
            }
            assert!(began.elapsed() < Duration::from_mins(1), "{document:#}");
        }
        let output = run(&[&since[..], &["--part", part, "--top", "1"]].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("changes since mark `before`"), "{error}");
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines().skip_while(|line| !line.contains("CHANGE"));
        assert!(lines.next().is_some() && lines.next().is_some_and(|line| line.contains(" +")), "{text}");
    }
}

#[test]
fn a_mark_of_another_process_or_boot_is_no_mark_of_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (good, old, reused, all) = (path("good.json"), path("old.json"), path("reused.json"), path("all.json"));
    let (one, other) = (Program::sleeper("mark-inspect-one"), Program::sleeper("mark-inspect-other"));
    let (pid, other) = (one.pid().to_string(), other.pid().to_string());
    assert!(run(&["inspect", &pid, "--save-mark", &good]).status.success());
    assert!(run(&["ps", "--save-mark", &all]).status.success());
    let text = std::fs::read_to_string(&good).unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    std::fs::write(&old, text.replace(boot.trim(), "00000000-0000-0000-0000-000000000000")).unwrap();
    let start = json(&["inspect", &pid, "--format", "json", "--part", "overview"])["start_time"].as_u64().unwrap();
    let key = |start: u64| format!("\"start_time\":{start}");
    assert!(text.contains(&key(start)));
    std::fs::write(&reused, text.replace(&key(start), &key(start - 1))).unwrap();
    let inspect = |pid: &str, file: &str, says: &[&str]| {
        refused(
            &["inspect", pid, "--since", file],
            1,
            &[&[file, "`memtide inspect PID --save-mark FILE`"], says].concat(),
        );
    };
    inspect(&pid, &old, &["another boot"]);
    inspect(&pid, &reused, &[&format!("[{pid}]"), "which has ended", "has its pid now"]);
    inspect(&other, &good, &["this is another process"]);
    inspect(&pid, &all, &["memtide.mark/1", "memtide.inspection/1"]);
    refused(&["ps", "--since", &good], 1, &["memtide.inspection/1", "`memtide ps --save-mark FILE`"]);
    // Neither is written over the other.
    let saved = std::fs::read(&good).unwrap();
    let output = run(&["ps", "--save-mark", &good]);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("is no mark"));
    assert_eq!(std::fs::read(&good).unwrap(), saved);
}

/// A mark set on the screen.
#[test]
fn a_child_that_grows_after_the_mark_comes_first_by_change() {
    let _holder = Program::holder("mark-live-holder", 96 << 10);
    let leaker = Program::leaker("mark-live-leaker", 64, 20);
    let mut ending = Program::holder("mark-live-ending", 4 << 10);
    let terminal = memtide(["--interval", "500ms"]).size(200, 30).start();
    narrow(&terminal, "mark-live");
    // The values of the moment are there to be kept.
    terminal.wait_for("all PSS", |screen| {
        ["mark-live-holder", "mark-live-leaker", "mark-live-ending"]
            .iter()
            .all(|word| screen.cell(word, "PSS").is_some_and(|pss| pss.ends_with('M')))
    });
    terminal.press("m");
    terminal.wait_for("a mark and its columns", |screen| {
        screen.sorted_head().as_deref() == Some("+PSS▼") && screen.lines()[0].contains("  since ")
    });
    ending.end();
    let _newcomer = Program::sleeper("mark-live-new");
    let screen = terminal.wait_for("the leaker on top, and who is new and gone", |screen| {
        let first = screen.body().first().cloned().unwrap_or_default();
        let grown = |by: &str| by.trim_start_matches('+').trim_end_matches('M').parse::<f64>().is_ok_and(|by| by > 3.0);
        first.contains(&leaker.pid().to_string())
            && screen.cell("mark-live-leaker", "+PSS").is_some_and(|by| grown(&by))
            && screen.cell("mark-live-new", "+PSS").as_deref() == Some("new")
            && !screen.body().iter().any(|line| line.contains("mark-live-ending"))
    });
    assert!(screen.cell("mark-live-leaker", "PSS").unwrap().len() > 1, "{}", screen.framed());
    terminal.press("E");
    let screen = terminal.wait_for_text("AT MARK");
    assert!(screen.line_with("mark-live-ending").is_some_and(|line| line.contains("4.")), "{}", screen.framed());
    terminal.press("Esc");
    terminal.wait_for("the list", |screen| screen.sorted_head().is_some());
    terminal.press("'");
    terminal.wait_for_text("compare with");
    terminal.type_text("none");
    terminal.press("Enter");
    terminal.wait_for("the order that was before", |screen| screen.sorted_head().as_deref() == Some("PSS▼"));
}
