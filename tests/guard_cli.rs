//! `memtide guard` where nothing is done: wrong usage, rules that are checked, rules over a recording.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::machine::Crowd;
use support::programs::Program;
use support::recordings::{seconds, write};

fn memtide() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtide"));
    command.arg("guard").env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
    command
}

#[test]
fn a_file_of_rules_is_checked_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    let check = |text: &str| {
        fs::write(&rules, text).unwrap();
        let output = memtide().args(["--check", "-c"]).arg(&rules).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let sound = "[[rule]]\nname = 'low'\nwhen = 'mem_available < 5%'\nthen = 'drop-caches'\n";
    assert_eq!(check(sound), (Some(0), "1 rules are sound: low\n".into()));
    let (status, said) = check("[[rule]]\nmatch = 'node'\nwhen = 'rss ~ 5M'\nthen = 'restart'\n");
    assert_eq!(status, Some(1));
    for part in ["rules.toml: ", "line 3, column 8", "write `footprint > 400M`"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn wrong_usage_is_2_and_says_what_would_do() {
    for (args, part) in [
        (&[][..], "say when"),
        (&["--match", "node"], "tests nothing"),
        (&["--match", "node", "--rss-over", "1G"], "does nothing"),
        (&["--rss-over", "1G", "--then", "notify"], "of which processes?"),
        (&["--match", "node", "--pid", "5"], "cannot be used with"),
        (&["-c", "x", "--match", "node"], "cannot be used with"),
        (&["--match", "node", "--rss-over", "lots", "--then", "notify"], "`lots` does not fit rss"),
        (&["--match", "node", "--rss-over", "1G", "--then", "reboot"], "nothing that can be done"),
        (&["--recording", "x"], "--dry-run"),
        (&["--pid", "1", "--rss-over", "1G", "--then", "notify"], "pid 1"),
    ] {
        let output = memtide().args(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(part), "{args:?}: {said}");
    }
}

#[test]
fn a_recording_tells_what_rules_would_have_done() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("night").to_str().unwrap().to_owned();
    let leaker = Program::leaker("guard-recorded", 1024, 10);
    let pid = leaker.pid();
    let pid_word = pid.to_string();
    let recorded = Command::new(env!("CARGO_BIN_EXE_memtide"))
        .args(["record", "-o", &file, "--for", "3s", "--interval", "100ms"])
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .output()
        .unwrap();
    assert!(recorded.status.success(), "{recorded:?}");
    drop(leaker);
    let dry = |args: &[&str]| {
        let rule = ["--pid", &pid_word, "--rss-over", "20M", "--cooldown", "0s", "--dry-run", "--recording", &file];
        let output = memtide().args(rule).args(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // Who was restarted would not have grown on; who is only told of would.
    let told = dry(&["--then", "restart", "--format", "json"]);
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1, "{told}");
    assert_eq!((&lines[0]["event"], &lines[0]["targets"][0]["pid"]), (&"would_fire".into(), &pid.into()));
    let told = dry(&["--then", "restart"]);
    assert!(told.contains("would restart unit") && told.ends_with("inline: would have acted 1 time\n"), "{told}");
    let told = dry(&["--then", "notify", "--max-per-hour", "3"]);
    assert!(told.ends_with("inline: would have acted 3 times\n"), "{told}");
    assert_eq!(dry(&["--then", "notify", "--max-per-hour", "3"]), told, "it is the same each time");
}

#[test]
fn what_a_history_says_is_a_test_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("leak").to_str().unwrap().to_owned();
    fs::write(&file, write(&seconds(Crowd::Server, 240)).bytes).unwrap();
    let fired = |test: &str| {
        let rule = ["--match", "node", "--when", test, "--then", "notify", "--cooldown", "1h"];
        let output =
            memtide().args(rule).args(["--dry-run", "--format", "json", "--recording", &file]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).next()
    };
    for (test, measure) in
        [("verdict = leaking", "verdict"), ("eta < 30m", "eta"), ("growth > 1M", "growth"), ("fds > 1%", "fds")]
    {
        let fired = fired(test).unwrap_or_else(|| panic!("{test} never held"));
        let fact = &fired["tests"][0];
        assert_eq!((&fact["measure"], &fired["targets"][0]["name"]), (&measure.into(), &"node".into()), "{fired}");
    }
    for test in ["verdict = sawtooth", "eta < 1s", "growth > 100G", "fds > 999%"] {
        assert_eq!(fired(test), None, "{test}");
    }
}
