//! `memtide act` from outside: what it says, what it does, and its exit status.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use support::programs::Program;
use support::require::{has, has_programs};

fn memtide(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtide"));
    command.arg("act").args(args).env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
    command
}

fn act(args: &[&str]) -> Output {
    memtide(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn adj(child: &Program) -> String {
    fs::read_to_string(format!("/proc/{}/oom_score_adj", child.pid())).unwrap().trim().to_owned()
}

#[test]
fn a_dry_run_says_target_effect_right_risk_and_undo_and_does_nothing() {
    let mut child = Program::sleeper("act-dry");
    let pid = child.pid().to_string();
    for (args, parts) in [
        (&["signal", "KILL"][..], ["send SIGKILL to process", "- SIGKILL: ends at once", "- Undo: none"]),
        (&["oom_score_adj", "-500"], ["set oom_score_adj of process", "-50.0 %", "- Undo: back to"]),
        (&["nofile", "2"], ["set RLIMIT_NOFILE of process", "CAUTION: it has", "- Undo: back to"]),
    ] {
        let output = act(&[args, &["--pid", &pid, "--dry-run"]].concat());
        let told = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{told}{}", stderr(&output));
        for part in parts.iter().chain(&["act-dry", "- Needs: ", "- Risk: "]) {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    let json = act(&["signal", "TERM", "--pid", &pid, "--dry-run", "--format", "json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["schema"], &json["stage"]), (&json!("memtide.act/1"), &json!("planned")));
    assert_eq!((&json["on"][0]["pid"], &json["refused"]), (&json!(child.pid()), &Value::Null));
    assert!(child.is_running());
    assert_eq!(adj(&child), "0");
}

#[test]
fn nothing_is_done_without_a_yes() {
    let mut child = Program::sleeper("act-no-yes");
    let output = act(&["signal", "KILL", "--pid", &child.pid().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--yes"), "{}", stderr(&output));
    assert!(child.is_running());
}

#[test]
fn a_change_is_done_told_as_json_and_kept_in_a_file_for_its_owner() {
    let child = Program::sleeper("act-json");
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let pid = child.pid().to_string();
    let output = act(&[
        "oom-score-adj",
        "300",
        "--pid",
        &pid,
        "--yes",
        "--after",
        "10ms",
        "--format",
        "json",
        "--log",
        log.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(adj(&child), "300");
    let told = stdout(&output);
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!([&lines[0]["stage"], &lines[1]["stage"]], [&json!("acted"), &json!("settled")]);
    assert_eq!(
        lines[1]["measured"][0],
        json!({"name": "oom_score_adj", "unit": "count", "before": 0, "after": 300, "later": 300})
    );
    let undo = lines[0]["undo"].as_str().unwrap();
    assert_eq!(undo, format!("memtide act oom_score_adj 0 --pid {pid}"));
    assert_eq!(fs::read_to_string(&log).unwrap(), told);
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);

    // The line that undoes it is one that can be run.
    let words: Vec<&str> = undo.split(' ').skip(2).chain(["--yes", "--after", "0s"]).collect();
    let output = act(&words);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(adj(&child), "0");
    let told = stdout(&output);
    assert!(told.contains("oom_score_adj 0 (was 300)") && told.contains("oom_score_adj 300 -> 0"), "{told}");
}

#[test]
fn what_is_not_kept_is_not_done() {
    let child = Program::sleeper("act-log");
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("file"), &link).unwrap();
    let pid = child.pid().to_string();
    let output = act(&["oom_score_adj", "300", "--pid", &pid, "--yes", "--log", link.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("symbolic link"), "{}", stderr(&output));
    assert_eq!(adj(&child), "0");
    assert!(!folder.path().join("file").exists());
}

#[test]
fn wrong_usage_is_2_and_what_is_refused_is_1() {
    let child = Program::sleeper("act-usage");
    let pid = child.pid().to_string();
    for (args, status, part) in [
        (&["frobnicate"][..], 2, "use one of signal"),
        (&["signal", "TERM"], 2, "--pid"),
        (&["signal", "TREM", "--pid", &pid], 2, "TERM, KILL"),
        (&["reclaim", "1M"], 2, "--cgroup"),
        (&["drop_caches", "3", "--pid", &pid], 2, "whole machine"),
        (&["gc", "now", "--pid", &pid], 2, "takes no value"),
        (&["memory.max", "1G", "--cgroup", "app"], 2, "from the root"),
        (&["nofile", "5", "--pid", &pid, "--after", "2h"], 2, "0s to 1h"),
        (&["signal", "TERM", "--pid", "1", "--yes"], 1, "Pid 1 is refused"),
        (&["gc", "--pid", &pid, "--yes"], 1, "it is no JVM"),
        (&["memory.max", "1G", "--cgroup", "/memtide-nowhere", "--yes"], 1, "can't be seen from here"),
        (&["oom_score_adj", "1", "--pid", "1", "--dry-run"], 1, ""),
    ] {
        let output = act(args);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(part), "{args:?}: {}", stderr(&output));
    }
    // A pid that nobody has.
    let gone = {
        let mut gone = Program::sleeper("act-gone");
        gone.end();
        gone.pid().to_string()
    };
    let output = act(&["signal", "TERM", "--pid", &gone, "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&format!("there is no process {gone}")), "{}", stderr(&output));
}

#[test]
fn a_configuration_that_says_read_only_is_obeyed() {
    let child = Program::sleeper("act-read-only");
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    fs::write(&config, "read_only = true\n").unwrap();
    let pid = child.pid().to_string();
    let output = act(&["oom_score_adj", "9", "--pid", &pid, "--yes", "--config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("read_only"), "{}", stderr(&output));
    assert_eq!(adj(&child), "0");
}

#[test]
fn who_carries_memtide_is_named_loudly_and_not_hit_among_others() {
    let mut child = Program::sleeper("act-carrier");
    let script =
        "\"$0\" act signal TERM --pid $$ --dry-run; \"$0\" act signal TERM --pid $$,\"$1\" --yes; echo status $?";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_memtide"), &child.pid().to_string()])
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .output()
        .unwrap();
    let told = stdout(&output);
    assert!(told.contains("CAUTION: ") && told.contains("your session may end"), "{told}");
    assert!(told.ends_with("status 1\n"), "{told}");
    assert!(stderr(&output).contains("not hit among others"), "{}", stderr(&output));
    assert!(child.is_running());
}

#[test]
fn another_users_process_is_refused_with_the_command_that_could() {
    let is_root = rustix::process::geteuid().is_root();
    if !has(is_root, "root, to run as another user") || !has_programs(&["setpriv"]) {
        return;
    }
    let child = Program::sleeper("act-other");
    let pid = child.pid().to_string();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("memtide");
    support::copy::copy_program(env!("CARGO_BIN_EXE_memtide"), &program);
    for path in [folder.path(), &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (args, command) in [
        (&["signal", "TERM"][..], format!("sudo kill -TERM {pid}")),
        (&["oom_score_adj", "5"], format!("echo 5 | sudo tee /proc/{pid}/oom_score_adj")),
        (&["nofile", "5"], format!("sudo prlimit --pid {pid} --nofile=5:")),
        (&["gc"], format!("jcmd {pid} GC.run")),
    ] {
        let output = Command::new("setpriv")
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
            .arg(&program)
            .arg("act")
            .args(args)
            .args(["--pid", &pid, "--yes"])
            .env("XDG_CONFIG_HOME", "/nonexistent")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let told = stderr(&output);
        assert!(told.contains("Not permitted") && told.contains(&command), "{args:?}: {told}");
    }
    assert_eq!(adj(&child), "0");
}

#[test]
fn a_kill_to_come_is_stopped_by_ctrl_c() {
    let mut child = Program::stubborn("act-stop");
    let pid = child.pid().to_string();
    let mut memtide = memtide(&["signal", "TERM+KILL", "--pid", &pid, "--yes", "--after", "0s"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(memtide.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("still there after"), "{first}");
    rustix::process::kill_process(rustix::process::Pid::from_child(&memtide), rustix::process::Signal::INT).unwrap();
    let second = lines.next().unwrap().unwrap();
    assert!(second.contains("stopped before SIGKILL"), "{second}");
    assert_eq!(memtide.wait().unwrap().code(), Some(0));
    assert!(child.is_running());
}

#[test]
fn on_a_terminal_it_asks_and_only_yes_is_yes() {
    let child = Program::sleeper("act-asks");
    let pid = child.pid().to_string();
    for (answer, is_done) in [("n", false), ("", false), ("y", true)] {
        let mut terminal =
            support::live::memtide(["act", "oom_score_adj", "40", "--pid", &pid, "--after", "0s"]).start();
        terminal.wait_for_text("Do it? [y/N]");
        terminal.type_text(answer);
        terminal.press("Enter");
        assert_eq!(terminal.wait_for_exit().success(), is_done);
        assert_eq!(adj(&child), if is_done { "40" } else { "0" });
    }
}
