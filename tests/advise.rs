//! `memtide act pageout` and `cold` on real processes of the running machine, whose page tables say what came of it.
//! Without swap only pages of files go; with swap it is tested under another kernel (tests/qemu_act.rs).
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::thread::{CapabilitySet, capabilities};
use serde_json::Value;
use support::live::{memtide, narrow};
use support::programs::Program;
use support::require::{has, has_programs};

const MIB: u64 = 1 << 20;

fn act(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtide"));
    command.arg("act").args(args).env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

/// A line of `smaps_rollup`, bytes.
fn bytes(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    value.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

fn may() -> bool {
    has(capabilities(None).unwrap().effective.contains(CapabilitySet::SYS_NICE), "CAP_SYS_NICE")
}

/// A process that has a file of 32 MiB mapped, all of it in RAM, on a file system with a disk below.
fn mapper(name: &str, folder: &Path) -> Program {
    let file = folder.join("file");
    fs::write(&file, vec![1; 32 << 20]).unwrap();
    // What is dirty can't be dropped.
    fs::File::open(&file).unwrap().sync_all().unwrap();
    Program::mapper(name, &file)
}

#[test]
fn pages_of_files_are_dropped_by_perl_and_by_python_and_return_as_they_are_used() {
    if !may() || !has_programs(&["perl", "python3"]) {
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut child = mapper("advise-mapper", folder.path());
    let pid = child.pid().to_string();
    let only_python = folder.path().join("bin");
    fs::create_dir(&only_python).unwrap();
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    let python = String::from_utf8(python.stdout).unwrap();
    std::os::unix::fs::symlink(python.trim(), only_python.join("python3")).unwrap();
    for path in [None, Some(&only_python)] {
        let before = bytes(child.pid(), "Rss");
        assert!(before >= 32 * MIB, "{before}");
        let mut command = act(&["pageout", "--pid", &pid, "--yes", "--after", "10ms", "--format", "json"]);
        if let Some(path) = path {
            command.env("PATH", path);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let after = bytes(child.pid(), "Rss");
        assert!(after + 31 * MIB <= before, "{before} {after}: {}", said(&output));
        let lines: Vec<Value> = said(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let rss = &lines[1]["measured"][0];
        assert_eq!((&rss["name"], rss["before"].as_u64()), (&"RSS".into(), Some(before)));
        assert!(rss["after"].as_u64().unwrap() <= after && rss["later"].as_u64().unwrap() <= after, "{rss}");
        assert!(lines[0]["undo"].is_null());
        assert!(child.is_running());
        // Reading its memory from outside is a use of it.
        let read = "import sys; f = open(f'/proc/{sys.argv[1]}/mem', 'rb'); m = open(f'/proc/{sys.argv[1]}/maps')\n\
                    for line in m:\n a, b = [int(x, 16) for x in line.split()[0].split('-')]\n \
                    if line.rstrip().endswith('/file'): f.seek(a); assert set(f.read(b - a)) == {1}";
        assert!(Command::new("python3").args(["-c", read, &pid]).status().unwrap().success());
    }
}

#[test]
fn who_is_taken_for_cold_keeps_its_memory_and_no_page_counts_as_used() {
    if !may() || !has_programs(&["perl"]) {
        return;
    }
    let child = Program::holder("advise-holder", 16 << 10);
    let before = (bytes(child.pid(), "Rss"), bytes(child.pid(), "Referenced"));
    assert!(before.1 >= 16 * MIB, "{before:?}");
    let output = act(&["cold", "--pid", &child.pid().to_string(), "--yes", "--after", "0s"]).output().unwrap();
    assert!(output.status.success() && said(&output).contains("taken for cold"), "{}", said(&output));
    assert_eq!(bytes(child.pid(), "Rss"), before.0);
    assert!(bytes(child.pid(), "Referenced") <= MIB, "{}", said(&output));
}

#[test]
fn who_has_neither_the_right_nor_a_program_to_make_the_call_is_told_so() {
    let mut child = Program::holder("advise-refused", 1024);
    let pid = child.pid().to_string();
    if may() {
        let output = act(&["pageout", "--pid", &pid, "--yes"]).env("PATH", "/nonexistent").output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains("neither perl nor python3"), "{}", said(&output));
    }
    let is_root = rustix::process::geteuid().is_root();
    if !has(is_root, "root, to run as another user") || !has_programs(&["setpriv"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("memtide");
    support::copy::copy_program(env!("CARGO_BIN_EXE_memtide"), &program);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program);
    let output = command.args(["act", "cold", "--pid", &pid, "--yes"]).env("XDG_CONFIG_HOME", "/nonexistent").output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = said(&output);
    assert!(told.contains("Not permitted: it takes root (CAP_SYS_NICE"), "{told}");
    assert!(told.contains(&format!("sudo memtide act cold --pid {pid}")), "{told}");
    assert!(child.is_running());
}

#[test]
fn it_is_in_the_menu_asks_and_is_kept_in_the_log() {
    if !may() || !has_programs(&["perl"]) {
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let child = mapper("advise-menu", folder.path());
    let before = bytes(child.pid(), "Rss");
    let terminal = memtide([""; 0]).size(120, 40).start();
    narrow(&terminal, "advise-menu");
    terminal.press("a");
    terminal.wait_for_text(&format!("act on {}", child.pid()));
    terminal.type_text("page out");
    terminal.press("Enter");
    let screen = terminal.wait_for_text(&format!("page out process {}?", child.pid()));
    for part in ["Needs: root (CAP_SYS_NICE", "Risk: ", "Undo: none, and none is needed"] {
        assert!(screen.contains(part), "{part}\n{}", screen.framed());
    }
    assert_eq!(bytes(child.pid(), "Rss"), before, "nothing is done before the answer");
    terminal.press("y");
    terminal.wait_for_text("less in RAM");
    assert!(bytes(child.pid(), "Rss") + 31 * MIB <= before);
    terminal.press("L");
    let screen = terminal.wait_for_text("ACTION LOG");
    assert!(screen.contains("page out") && screen.contains("RSS 3"), "{}", screen.framed());
}
