//! The menu of changes in a real terminal, on real processes.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::live::{memtide, narrow};
use support::programs::Program;
use support::require::has;

fn adj(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim().to_owned()
}

#[test]
fn a_change_is_chosen_asked_about_done_undone_and_kept_in_a_file() {
    let child = Program::sleeper("menu-child");
    let pid = child.pid();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut terminal = memtide(["--log", log.to_str().unwrap()]).size(120, 40).start();
    narrow(&terminal, "menu-child");
    terminal.press("a");
    let screen = terminal.wait_for_text(&format!("act on {pid}"));
    for part in ["Preference of the OOM killer", "Limit of open files", "Recycle swap", "Reclaim memory"] {
        assert!(screen.contains(part), "{part}\n{}", screen.framed());
    }
    terminal.type_text("preference");
    terminal.press("Enter");
    terminal.wait_for_text("oom_score_adj:");
    terminal.type_text("5000");
    terminal.press("Enter");
    terminal.wait_for_text("`5000` is no value");
    terminal.keys("Backspace Enter");
    let screen = terminal.wait_for_text(&format!("set oom_score_adj of process {pid} to 500?"));
    for part in ["+50.0 %", "Needs: ", "Risk: ", "Undo: back to 0"] {
        assert!(screen.contains(part), "{part}\n{}", screen.framed());
    }
    assert_eq!(adj(pid), "0");
    terminal.press("y");
    terminal.wait_for_text("oom_score_adj 500 (was 0)");
    assert_eq!(adj(pid), "500");
    terminal.press("u");
    terminal.wait_for_text(&format!("set oom_score_adj of process {pid} to 0?"));
    terminal.press("y");
    terminal.wait_for_text("oom_score_adj 0 (was 500)");
    assert_eq!(adj(pid), "0");
    terminal.press("L");
    let screen = terminal.wait_for_text("ACTION LOG");
    assert!(screen.contains(&format!("undo: memtide act oom_score_adj 500 --pid {pid}")), "{}", screen.framed());
    terminal.press("q");
    assert!(terminal.wait_for_exit().success());
    terminal.assert_restored();
    let text = fs::read_to_string(&log).unwrap();
    let kept: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let titles: Vec<&str> = kept.iter().map(|line| line["title"].as_str().unwrap()).collect();
    assert!(titles[0].starts_with("oom_score_adj 500 of") && titles[1].starts_with("oom_score_adj 0 of"), "{titles:?}");
}

#[test]
fn who_took_over_the_pid_while_the_question_stood_is_not_changed() {
    let last_pid = Path::new("/proc/sys/kernel/ns_last_pid");
    let may = fs::read_to_string(last_pid).is_ok_and(|pid| fs::write(last_pid, pid).is_ok());
    if !has(may, "the right to choose the next pid (/proc/sys/kernel/ns_last_pid)") {
        return;
    }
    let mut victim = Program::sleeper("menu-reused");
    let pid = victim.pid();
    let terminal = memtide([""; 0]).size(120, 40).start();
    narrow(&terminal, "menu-reused");
    terminal.press(":");
    terminal.wait_for_text("command");
    terminal.type_text("oom_score_adj 500");
    terminal.press("Enter");
    terminal.wait_for_text(&format!("set oom_score_adj of process {pid} to 500?"));
    victim.end();
    // Others start processes too: whoever gets the pid, it is not the one that was chosen.
    let mut others = Vec::new();
    while !Path::new(&format!("/proc/{pid}")).exists() {
        fs::write(last_pid, (pid - 1).to_string()).unwrap();
        others.push(Program::sleeper("menu-heir"));
    }
    terminal.press("y");
    terminal.wait_for_text("its pid belongs to another process now: nothing was done");
    assert!(others.iter().all(|other| adj(other.pid()) == "0"));
}

#[test]
fn read_only_refuses_the_menu_and_every_word() {
    let child = Program::sleeper("menu-read-only");
    let terminal = memtide(["--read-only"]).size(120, 30).start();
    narrow(&terminal, "menu-read-only");
    terminal.press("a");
    terminal.wait_for_text("refused, memtide was started with --read-only");
    terminal.press(":");
    terminal.wait_for_text("command");
    terminal.type_text("oom_score_adj 500");
    terminal.press("Enter");
    terminal.wait_for_text("refused, memtide was started with --read-only");
    assert_eq!(adj(child.pid()), "0");
}

#[test]
fn a_log_that_can_not_be_kept_is_told_before_the_screen_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = memtide(["--log", folder.path().to_str().unwrap()]).start();
    assert!(!terminal.wait_for_exit().success());
    terminal.assert_restored();
    assert!(terminal.screen().contains(folder.path().to_str().unwrap()), "{}", terminal.screen().framed());
}
