//! Heap snapshots of running Node.js processes, prepared or not: what is taken is whole, and the process goes on as it
//! was, whatever happens meanwhile.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use memtide::act::control::Control;
use memtide::act::heap::{Options, Way, Why, capture};
use memtide::collect::root::ProcRoot;
use serde_json::Value;
use support::live;
use support::node::Node;
use support::programs::{Program, child_program};
use support::require::{has, has_programs};

/// Node picks a free port for its inspector: tests run side by side.
const ANY_PORT: &str = "--inspect-port=0";

fn memtide(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtide"));
    command.args(args).env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    memtide(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The arguments of a capture.
fn capture_args<'a>(pid: &'a str, file: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [&["heap", "capture", pid, "-o", file.to_str().unwrap(), "--yes"], more].concat()
}

/// Names of the files in a folder.
fn files(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    fs::read_dir(folder).unwrap().map(name).collect()
}

/// Checks that a file is a whole snapshot with so many `PooledRequest`, for its owner alone.
fn assert_snapshot(file: &Path, requests: usize) {
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let snapshot: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let numbers = |name: &str| snapshot[name].as_array().unwrap();
    let fields = snapshot["snapshot"]["meta"]["node_fields"].as_array().unwrap();
    let at = |name: &str| fields.iter().position(|field| field == name).unwrap();
    let (nodes, strings) = (numbers("nodes"), numbers("strings"));
    assert_eq!(snapshot["snapshot"]["node_count"], nodes.len() / fields.len());
    let types = snapshot["snapshot"]["meta"]["node_types"][0].as_array().unwrap();
    let object = types.iter().position(|kind| kind == "object").unwrap();
    let found = nodes.chunks(fields.len()).filter(|node| {
        node[at("type")] == object && strings[node[at("name")].as_u64().unwrap() as usize] == "PooledRequest"
    });
    // The prototype has the name of its class as well.
    let found = found.count();
    assert!((requests..=requests + 1).contains(&found), "{found} of {requests}");
}

fn assert_serves_as_before(node: &mut Node) {
    assert!(node.is_running());
    assert_eq!(node.get("/"), "ok");
    assert_eq!(node.other_ports(), Vec::<u16>::new());
}

#[test]
fn two_snapshots_of_one_process_are_compared_though_v8_numbers_its_objects_anew() {
    if !has_programs(&["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&[ANY_PORT], 1000, folder.path());
    let pid = node.pid.to_string();
    let [before, after] = ["before", "after"].map(|name| folder.path().join(name));
    assert!(run(&capture_args(&pid, &before, &[])).status.success());
    assert_eq!(node.get("/more"), "ok");
    assert!(run(&capture_args(&pid, &after, &[])).status.success());
    let [before, after] = [&before, &after].map(|file| file.to_str().unwrap());
    let output = run(&["heap", "diff", before, after, "--format", "json", "--top", "1000"]);
    let document: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(document["numbered_anew"], true);
    let classes = document["classes"].as_array().unwrap();
    let request = classes.iter().find(|class| class["class"] == "PooledRequest").unwrap();
    assert_eq!((&request["new"], &request["deleted"]), (&Value::from(500), &Value::from(0)), "{request:#}");
    let told = stdout(&run(&["heap", "diff", before, after]));
    assert!(told.contains("numbered anew") && told.contains("PooledRequest (500 more) held by"), "{told}");
}

#[test]
fn an_unprepared_process_gives_its_snapshot_and_is_as_before_afterwards_and_again() {
    if !has_programs(&["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(&[ANY_PORT], 1234, folder.path());
    let pid = node.pid.to_string();
    let file = folder.path().join("app.heapsnapshot");
    let dry = run(&["heap", "capture", &pid, "-o", file.to_str().unwrap(), "--dry-run"]);
    let told = stdout(&dry);
    for part in ["SIGUSR1 opens its inspector on the loopback", "of memory beside the heap", "stands still", "secrets"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!((dry.status.code(), node.other_ports(), files(folder.path()).len()), (Some(0), Vec::new(), 0));

    let asked = run(&["heap", "capture", &pid, "-o", file.to_str().unwrap()]);
    assert_eq!(asked.status.code(), Some(2), "{}", stderr(&asked));

    let output = run(&capture_args(&pid, &file, &["--series", "2", "--every", "10ms"]));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_serves_as_before(&mut node);
    let both = [folder.path().join("app-1.heapsnapshot"), folder.path().join("app-2.heapsnapshot")];
    for file in &both {
        assert_snapshot(file, 1234);
    }
    let told = stdout(&output);
    let (first, second) = (both[0].to_str().unwrap(), both[1].to_str().unwrap());
    assert!(told.contains(&format!("memtide heap show {first}")), "{told}");
    assert!(told.contains(&format!("memtide heap diff {first} {second}")), "{told}");
    assert_eq!(files(folder.path()).len(), 2);

    // What is there is not written over.
    let output = run(&capture_args(&pid, &both[0], &[]));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is there already"), "{}", stderr(&output));
}

#[test]
fn an_inspector_that_is_open_is_used_and_stays_open() {
    if !has_programs(&["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let node = Node::start(&[&format!("--inspect=127.0.0.1:{port}")], 77, folder.path());
    let ports = node.other_ports();
    assert_eq!(ports, [port]);
    let pid = node.pid.to_string();
    let file = folder.path().join("open.heapsnapshot");
    let output = run(&capture_args(&pid, &file, &["--format", "json"]));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&outcome["action"], &outcome["results"][0]["ok"]), (&"heap_snapshot".into(), &true.into()));
    assert_snapshot(&file, 77);
    assert_eq!((node.other_ports(), node.get("/")), (ports, "ok".into()));
    // Who wants it closed says so.
    let output = run(&["heap", "stats", &pid, "--close"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!((node.other_ports(), node.get("/")), (Vec::new(), "ok".into()));
}

#[test]
fn a_process_that_writes_snapshots_on_a_signal_is_asked_for_one_which_is_moved() {
    if !has_programs(&["node"]) {
        return;
    }
    let (folder, cwd) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut node = Node::start(&["--heapsnapshot-signal=SIGUSR2"], 55, cwd.path());
    let pid = node.pid.to_string();
    let file = folder.path().join("signal.heapsnapshot");
    let dry = run(&["heap", "capture", &pid, "-o", file.to_str().unwrap(), "--dry-run"]);
    assert!(stdout(&dry).contains("SIGUSR2 makes it write the snapshot"), "{}", stdout(&dry));
    let output = run(&capture_args(&pid, &file, &[]));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_snapshot(&file, 55);
    assert_eq!((files(cwd.path()).len(), files(folder.path()).len()), (0, 1));
    assert_serves_as_before(&mut node);
}

#[test]
fn a_process_that_sigusr1_would_end_gets_none() {
    let folder = tempfile::tempdir().unwrap();
    // Called as Node.js is, with no handler of anything.
    let program = folder.path().join("node");
    support::copy::copy_program(child_program(), &program);
    let mut deaf = Command::new(&program).args(["deaf", "sleep"]).stdout(Stdio::null()).spawn().unwrap();
    let pid = deaf.id().to_string();
    let is_called_node = || fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with("node"));
    while !is_called_node() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let file = folder.path().join("x");
    for args in [capture_args(&pid, &file, &["--force"]), vec!["heap", "stats", &pid, "--yes"]] {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("does not handle SIGUSR1 and would end by it"), "{}", stderr(&output));
    }
    assert!(deaf.try_wait().unwrap().is_none() && !file.exists());
    deaf.kill().unwrap();
    deaf.wait().unwrap();
}

#[test]
fn a_process_with_a_handler_of_its_own_is_told_of_and_lives_on() {
    if !has_programs(&["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start_with(Command::new("node").arg(ANY_PORT), 1, "own-handler", folder.path());
    let pid = node.pid.to_string();
    let file = folder.path().join("own.heapsnapshot");
    let output = run(&capture_args(&pid, &file, &["--timeout", "2s"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no inspector opened after SIGUSR1"), "{}", stderr(&output));
    assert_serves_as_before(&mut node);
    assert_eq!(files(folder.path()).len(), 0);
}

#[test]
fn what_is_not_node_is_refused_with_what_could_be_done_instead() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x");
    let mut sleeper = Program::sleeper("heap-sleeper");
    let output = run(&capture_args(&sleeper.pid().to_string(), &file, &["--force"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("it is not Node.js"), "{}", stderr(&output));
    assert!(sleeper.is_running());
    let output = run(&["heap", "histogram", &sleeper.pid().to_string(), "--yes"]);
    assert!(stderr(&output).contains("can't be asked"), "{}", stderr(&output));
    if !has_programs(&["python3"]) {
        return;
    }
    let script = "print('ready', flush=True); import time; time.sleep(1000)";
    let mut python = Command::new("python3").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 6];
    std::io::Read::read_exact(python.stdout.as_mut().unwrap(), &mut line).unwrap();
    let pid = python.id().to_string();
    for args in [capture_args(&pid, &file, &[]), vec!["heap", "histogram", &pid, "--yes"]] {
        let told = stderr(&run(&args));
        assert!(told.contains(&format!("memray attach --aggregate -o /var/tmp/{pid}.memray {pid}")), "{told}");
    }
    python.kill().unwrap();
    python.wait().unwrap();
    assert!(!file.exists());
}

#[test]
fn a_port_that_another_process_has_is_no_inspector_of_this_one() {
    if !has_programs(&["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let option = format!("--inspect-port={}", taken.local_addr().unwrap().port());
    let mut node = Node::start(&[&option], 1, folder.path());
    let pid = node.pid.to_string();
    let output = run(&capture_args(&pid, &folder.path().join("x"), &[]));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is another process's"), "{}", stderr(&output));
    assert_serves_as_before(&mut node);
}

/// Starts a capture, and waits until something of it is in the file.
fn begun(node: &Node, file: &Path) -> std::process::Child {
    let pid = node.pid.to_string();
    let child = memtide(&capture_args(&pid, file, &[])).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let part = PathBuf::from(format!("{}.part", file.display()));
    node.wait_for("something is written", || part.metadata().is_ok_and(|data| data.len() > 0));
    child
}

#[test]
fn a_process_that_ends_in_the_middle_is_told_of_and_leaves_no_file() {
    if !has_programs(&["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(&[ANY_PORT], 400_000, folder.path());
    let file = folder.path().join("dies.heapsnapshot");
    let child = begun(&node, &file);
    node.kill();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("it ended meanwhile"), "{}", stderr(&output));
    assert_eq!(files(folder.path()).len(), 0);
}

#[test]
fn a_capture_that_is_stopped_leaves_no_file_and_the_process_as_it_was() {
    if !has_programs(&["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(&[ANY_PORT], 400_000, folder.path());
    let file = folder.path().join("stopped.heapsnapshot");
    let child = begun(&node, &file);
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("stopped; the process goes on"), "{}", stderr(&output));
    assert_eq!(files(folder.path()).len(), 0);
    node.wait_for("its inspector is closed", || node.other_ports().is_empty());
    assert_serves_as_before(&mut node);
}

#[test]
fn a_process_that_stands_still_is_given_up_in_time_and_no_signal_is_left_behind() {
    if !has_programs(&["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(&[ANY_PORT], 10, folder.path());
    // For as long as nobody ends it: it is woken below.
    let waiting = node.stand_still();
    let pid = node.pid.to_string();
    let output = run(&capture_args(&pid, &folder.path().join("x"), &["--timeout", "1s"]));
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("stands still in a system call") && told.contains("nothing was sent"), "{told}");
    node.go_on();
    drop(waiting);
    assert_eq!(files(folder.path()), Vec::<String>::new());
    assert_serves_as_before(&mut node);
}

#[test]
fn a_disk_that_is_too_small_is_seen_before_and_a_full_one_meanwhile() {
    let is_root = rustix::process::geteuid().is_root();
    if !has_programs(&["node", "mount"]) || !has(is_root, "the right to mount a tmpfs") {
        return;
    }
    let (folder, small) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=1m", "small"]).arg(small.path());
    if !has(mount.status().unwrap().success(), "a tmpfs") {
        return;
    }
    let mut node = Node::start(&[ANY_PORT], 10, folder.path());
    let pid = node.pid.to_string();
    let file = small.path().join("x.heapsnapshot");
    let careful = run(&capture_args(&pid, &file, &[]));
    let ports = node.other_ports();
    let forced = run(&capture_args(&pid, &file, &["--force"]));
    let left = files(small.path());
    let gone = Command::new("umount").arg(small.path()).status().unwrap();
    assert_eq!((careful.status.code(), ports), (Some(1), Vec::new()));
    let told = stderr(&careful);
    assert!(told.contains("are free on its file system") && told.contains("--force"), "{told}");
    assert_eq!(forced.status.code(), Some(1));
    assert!(stderr(&forced).contains("No space left on device"), "{}", stderr(&forced));
    assert_eq!(left, Vec::<String>::new());
    assert!(gone.success());
    assert_serves_as_before(&mut node);
}

#[test]
fn a_process_in_another_network_namespace_is_reached_there_on_its_usual_port() {
    let may = has_programs(&["node", "unshare", "ip"])
        && has(
            Command::new("unshare").args(["-n", "ip", "link", "set", "lo", "up"]).status().unwrap().success(),
            "the right to make a network namespace",
        );
    if !may {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", "ip link set lo up; exec node \"$@\"", "sh"]);
    let node = Node::start_with(&mut command, 31, "", folder.path());
    let file = folder.path().join("container.heapsnapshot");
    let output = run(&capture_args(&node.pid.to_string(), &file, &[]));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_snapshot(&file, 31);
    assert_eq!(node.other_ports(), Vec::<u16>::new());
}

#[test]
fn whoever_has_no_terminal_takes_one_by_a_call_with_a_time_of_its_own() {
    if !has_programs(&["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(&[ANY_PORT], 12, folder.path());
    let (root, target, control) = (ProcRoot::live(), node.target(), Control::new(Duration::ZERO));
    let file = folder.path().join("call.heapsnapshot");
    let options = Options { timeout: Duration::from_mins(1), force: false };
    let mut told = Vec::new();
    let captured = capture(&root, &target, &file, options, &control, &mut |text| told.push(text)).unwrap();
    assert_snapshot(&file, 12);
    assert_eq!((captured.bytes, captured.left), (file.metadata().unwrap().len(), None));
    assert!(matches!(captured.way, Way::Opened(address) if address.ip().is_loopback()), "{:?}", captured.way);
    assert!(told.iter().any(|text| text.contains("looks at its objects")), "{told:?}");
    assert_serves_as_before(&mut node);

    let again = folder.path().join("again.heapsnapshot");
    let mut other = target.clone();
    other.key.start_time -= 1;
    let why = |target, timeout| {
        let options = Options { timeout, force: false };
        capture(&root, target, &again, options, &control, &mut |_| {}).unwrap_err().why
    };
    assert_eq!(why(&other, Duration::from_mins(1)), Why::Ended);
    assert_eq!(why(&target, Duration::ZERO), Why::TimedOut);
    control.cancel();
    assert_eq!(why(&target, Duration::from_mins(1)), Why::Stopped);
    assert!(!again.exists());
    node.wait_for("its inspector is closed", || node.other_ports().is_empty());
}

#[test]
fn the_statistics_are_those_that_v8_tells() {
    if !has_programs(&["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(&[ANY_PORT, "--max-old-space-size=150"], 10, folder.path());
    let pid = node.pid.to_string();
    let output = run(&["heap", "stats", &pid, "--yes", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let stats: Value = serde_json::from_slice(&output.stdout).unwrap();
    let own: Value = serde_json::from_str(&node.get("/stats")).unwrap();
    assert_eq!(stats["limit"], own["heap_size_limit"]);
    assert_eq!(stats["native_contexts"], own["number_of_native_contexts"]);
    assert_eq!((&stats["schema"], &stats["pid"]), (&"memtide.heap_stats/1".into(), &node.pid.into()));
    let spaces = stats["spaces"].as_array().unwrap();
    assert!(spaces.iter().any(|space| space["name"] == "old_space" && space["used"].as_u64() > Some(0)));
    let used: u64 = spaces.iter().map(|space| space["used"].as_u64().unwrap()).sum();
    // They are two calls, and the first makes some objects.
    assert!(stats["used"].as_u64().unwrap().abs_diff(used) < 1 << 20, "{stats}");
    let table = stdout(&run(&["heap", "stats", &pid, "--yes"]));
    assert!(table.contains("Node.js ") && table.contains("old_space") && table.contains("limit"), "{table}");
    assert_serves_as_before(&mut node);
}

#[test]
fn one_key_takes_a_snapshot_beside_the_screen_after_a_question_that_names_the_risks() {
    if !has_programs(&["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Its first word tells it from all others.
    let mut command = Command::new("bash");
    command.args(["-c", "exec -a heap-key node \"$@\"", "bash", ANY_PORT]);
    let mut node = Node::start_with(&mut command, 21, "", folder.path());
    let file = folder.path().join("key.heapsnapshot");
    let mut terminal = live::memtide([""; 0]).size(120, 40).start();
    live::narrow(&terminal, "heap-key");
    terminal.press("Enter");
    terminal.wait_for_text("Overview");
    terminal.press("5");
    terminal.wait_for_text("heap snapshot");
    terminal.press("H");
    // A name is proposed; this one is ours.
    terminal.wait_for_text(&format!("heap_snapshot: /var/tmp/node-{}-", node.pid));
    terminal.press("\u{15}");
    terminal.type_text(file.to_str().unwrap());
    terminal.press("Enter");
    let screen = terminal.wait_for_text(&format!("take a heap snapshot of process {}?", node.pid));
    for part in ["SIGUSR1 opens its inspector", "closed again afterwards", "of memory beside", "stands still meanwhile"]
    {
        let text: String = screen.lines().join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(part), "{part}\n{}", screen.framed());
    }
    assert!(!file.exists() && node.other_ports().is_empty());
    terminal.press("y");
    node.wait_for("the file is there", || file.exists());
    // What can be looked at is offered.
    let offer = format!("heap snapshot of {} is taken", node.pid);
    terminal.wait_for_text(&offer);
    terminal.press("Esc");
    terminal.wait_until_gone(&offer);
    terminal.press("L");
    let log = terminal.wait_for_text("ACTION LOG");
    assert!(log.contains("heap snapshot of") && log.contains("memtide heap show"), "{}", log.framed());
    terminal.press("q");
    assert!(terminal.wait_for_exit().success());
    assert_snapshot(&file, 21);
    assert_serves_as_before(&mut node);
}
