//! `memtide guard` on the running kernel, with real processes that leak, hang, end too soon and come back.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use support::guard::{Guard, PATIENCE, memtide, wait_until};
use support::programs::Program;
use support::require::{has, has_programs};

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn json_lines(path: &Path) -> Vec<Value> {
    text(path).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_leaking_node_app_is_restarted_by_the_command_of_the_rule_and_not_in_a_loop() {
    if !has_programs(&["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (pids, log) = (folder.path().join("pids"), folder.path().join("log"));
    let app = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/leak.js");
    // What a supervisor does: it starts the application, and starts it anew once it has ended.
    let script = "while :; do node \"$0\" \"$2\" >/dev/null & echo $! >>\"$1\"; wait $!; done";
    // A name that no other run of the tests has.
    let name = format!("guard-node-app-{}", std::process::id());
    let mut keeper = Command::new("sh");
    keeper.args(["-c", script, app]).arg(&pids).arg(&name).process_group(0);
    let keeper = support::keeper::Keeper(keeper.spawn().unwrap());
    let began = |count| text(&pids).lines().count() >= count;
    wait_until("the application starts", || began(1));
    let mut guard = Guard::start(&[
        "--match",
        &format!("command~^node {name}"),
        "--footprint-over",
        "90M",
        "--for",
        "300ms",
        "--cooldown",
        "10m",
        "--then",
        "restart kill $MEMTIDE_PID && echo restarted $MEMTIDE_PID",
        "--log",
        log.to_str().unwrap(),
    ]);
    let said = guard.wait_for("restarted");
    wait_until("it is started anew", || began(2));
    let first: u32 = text(&pids).lines().next().unwrap().parse().unwrap();
    assert!(said.ends_with(&format!("restarted {first}")), "{said}");
    let second: u32 = text(&pids).lines().nth(1).unwrap().parse().unwrap();
    let over = || {
        let rollup = text(Path::new(&format!("/proc/{second}/smaps_rollup")));
        let pss =
            rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        pss.is_some_and(|kib| kib > 100 << 10)
    };
    wait_until("the new one grows over the limit too", over);
    let said = guard.end();
    drop(keeper);
    assert_eq!(said.matches("FAILED").count() + said.matches(&format!(": restarted {second}")).count(), 0, "{said}");
    let lines = json_lines(&log);
    let fired: Vec<&Value> = lines.iter().filter(|line| line["event"] == "fired").collect();
    assert_eq!(fired.len(), 1, "{lines:?}");
    let fact = &fired[0]["tests"][0];
    assert!(fact["value"].as_f64().unwrap() > fact["limit"].as_f64().unwrap(), "{fact}");
    assert_eq!(fired[0]["targets"][0]["pid"], first);
    assert!(lines.iter().any(|line| line["event"] == "step" && line["ok"] == true), "{lines:?}");
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn who_ignores_sigterm_is_killed_after_its_grace() {
    let mut child = Program::stubborn("guard-stubborn");
    let mut guard =
        Guard::start(&["--match", "guard-stubborn", "--rss-over", "1K", "--then", "signal TERM+KILL 300ms"]);
    guard.wait_for("SIGKILL sent");
    assert_eq!(child.wait_for_signal(), Some(9));
    guard.end();
}

#[test]
fn a_kill_that_was_begun_is_brought_to_its_end_by_the_next_guard() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut child = Program::stubborn("guard-killed");
    let args = [
        "--match",
        "guard-killed",
        "--rss-over",
        "1K",
        "--then",
        "signal TERM+KILL 8s",
        "--state",
        state.to_str().unwrap(),
    ];
    let mut guard = Guard::start(&args);
    guard.wait_for("rss > 1K");
    wait_until("the intention is kept", || text(&state).contains("\"steps\":[\"signal TERM+KILL 8s\"]"));
    guard.signal(Signal::KILL);
    drop(guard);
    assert!(child.is_running(), "the grace was not over");
    assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o600);
    let mut guard = Guard::start(&args);
    guard.wait_for("taken up again");
    guard.wait_for("SIGKILL sent");
    assert_eq!(child.wait_for_signal(), Some(9));
    let said = guard.end();
    assert_eq!(said.matches("SIGKILL").count(), 1, "{said}");
}

#[test]
fn cooldowns_outlive_the_guard() {
    let folder = tempfile::tempdir().unwrap();
    let (state, log) = (folder.path().join("state"), folder.path().join("log"));
    let _child = Program::sleeper("guard-cooldown");
    let args = [
        "--match",
        "name=child guard-cooldown",
        "--rss-over",
        "1K",
        "--then",
        "exec echo acted",
        "--cooldown",
        "1h",
        "--state",
        state.to_str().unwrap(),
        "--log",
        log.to_str().unwrap(),
    ];
    let mut guard = Guard::start(&args);
    guard.wait_for("acted");
    wait_until("the cooldown is kept", || text(&state).contains("\"running\":[]"));
    guard.signal(Signal::KILL);
    drop(guard);
    let second = Guard::start(&args);
    // Of a second rule it is known that it has looked, and what it did not do.
    wait_until("it runs", || json_lines(&log).iter().filter(|line| line["event"] == "started").count() == 2);
    let mut probe = Guard::start(&["--match", "name=child guard-cooldown", "--rss-over", "1K", "--then", "notify"]);
    probe.wait_for("told");
    probe.end();
    second.end();
    let fired = json_lines(&log).iter().filter(|line| line["event"] == "fired").count();
    assert_eq!(fired, 1);
    assert!(json_lines(&log).iter().all(|line| line["event"] != "resumed"), "{}", text(&log));
}

#[test]
fn a_hook_that_hangs_and_one_that_floods_hold_up_no_other_rule() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    let facts = folder.path().join("facts.json");
    let mut child = Program::stubborn("guard-hooked");
    let test = "match = 'guard-hooked'\nwhen = 'rss > 1K'\ncooldown = '1h'\nretries = 0\n";
    let hook = |name: &str, then: &str| format!("[[rule]]\nname = '{name}'\n{test}{then}\n");
    let all = [
        hook("hangs", "then = 'exec trap \"\" TERM; sleep 1000'\ntimeout = '500ms'"),
        hook("floods", "then = 'exec yes'\ntimeout = '500ms'"),
        hook("facts", &format!("then = 'exec cat >{}; echo $MEMTIDE_RULE of $MEMTIDE_PID'", facts.display())),
        hook("kills", "for = '100ms'\nthen = 'signal KILL'"),
    ];
    fs::write(&rules, all.concat()).unwrap();
    let mut guard = Guard::start(&["-c", rules.to_str().unwrap()]);
    let pid = child.pid();
    assert_eq!(child.wait_for_signal(), Some(9));
    let mut said = Vec::new();
    while said.len() < 2 {
        said.push(guard.wait_for("longer than it may"));
    }
    assert!(
        said.iter().any(|line| line.contains("hangs")) && said.iter().any(|line| line.contains("floods: ")),
        "{said:?}"
    );
    let said = guard.end();
    assert!(said.contains(&format!("facts of {pid}")), "{said}");
    let facts: Value = serde_json::from_str(&text(&facts)).unwrap();
    assert_eq!(
        (&facts["schema"], &facts["rule"], &facts["targets"][0]["pid"]),
        (&"memtide.guard/1".into(), &"facts".into(), &pid.into())
    );
    assert!(said.len() < 20_000, "a flood is not passed on");
}

#[test]
fn rules_are_read_again_and_bad_ones_leave_the_old() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    let _child = Program::sleeper("guard-reload");
    let rule = |when: &str| {
        format!("[[rule]]\nname = 'r'\nmatch = 'guard-reload'\nwhen = '{when}'\nthen = 'exec echo acted'\n")
    };
    fs::write(&rules, rule("rss > 900G")).unwrap();
    let mut guard = Guard::start(&["-c", rules.to_str().unwrap()]);
    guard.wait_for("1 rule is kept");
    fs::write(&rules, rule("rsss > 1K")).unwrap();
    guard.signal(Signal::HUP);
    let said = guard.wait_for("the rules stay as they were");
    assert!(said.contains("line 4, column 8"), "{said}");
    fs::write(&rules, rule("rss > 1K")).unwrap();
    guard.signal(Signal::HUP);
    guard.wait_for("read again, 1 rules");
    guard.wait_for("acted");
    guard.end();
}

#[test]
fn a_full_disk_under_log_and_state_stops_no_rule() {
    let is_root = rustix::process::geteuid().is_root();
    if !has(is_root, "root, to mount") || !has_programs(&["unshare", "mount"]) {
        return;
    }
    let mut child = Program::stubborn("guard-full-disk");
    let folder = tempfile::tempdir().unwrap();
    // A file system of one page, which a file fills.
    let script = "mount -t tmpfs -o size=4k none \"$1\" && head -c 4096 /dev/zero >\"$1/full\" && exec \"$0\" guard \
                  --match guard-full-disk --rss-over 1K --then 'signal KILL' --log \"$1/log\" --state \"$1/state\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, env!("CARGO_BIN_EXE_memtide")]).arg(folder.path());
    let mut guard = Guard::of(command.stdin(Stdio::null()));
    guard.wait_for("the log is not written, the rules hold all the same");
    guard.wait_for("the state is not kept");
    assert_eq!(child.wait_for_signal(), Some(9));
    guard.end();
}

#[test]
fn a_target_that_ends_between_decision_and_act_is_told_so_and_nothing_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let mut child = Program::sleeper("guard-ends-early");
    let rules = folder.path().join("rules.toml");
    let hook = format!("exec cat {} >/dev/null", fifo.display());
    let rule =
        format!("[[rule]]\nmatch = 'guard-ends-early'\nwhen = 'rss > 1K'\nthen = ['{hook}', 'signal TERM+KILL']\n");
    fs::write(&rules, rule).unwrap();
    let mut guard = Guard::start(&["-c", rules.to_str().unwrap()]);
    // Its reader is the hook: the decision is made, and its second step not yet begun.
    let mut opened = None;
    wait_until("the hook reads", || {
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        opened = fs::OpenOptions::new().write(true).custom_flags(nonblocking).open(&fifo).ok();
        opened.is_some()
    });
    let mut writer = opened.unwrap();
    child.end();
    writer.write_all(b"go\n").unwrap();
    drop(writer);
    guard.wait_for("ended by itself: nothing was done");
    guard.end();
}

#[test]
fn who_took_over_the_pid_is_not_hit() {
    let is_root = rustix::process::geteuid().is_root();
    if !has(is_root, "root, for a pid namespace") || !has_programs(&["unshare", "mount", "mkfifo"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    // In a namespace of its own pids come round soon, from 300 on. The first step of the rule holds the decision up until the target
    // is gone and somebody else has its pid.
    fs::write(
        &script,
        "cd \"$2\"; mkfifo begun go\n\
         echo 400 >/proc/sys/kernel/pid_max\n\
         n=0; while [ $n -lt 310 ]; do (:); n=$((n+1)); done\n\
         sleep 1001 & victim=$!\n\
         \"$1\" guard --match 'sleep 1001' --rss-over 1K --then 'exec echo x >begun; read y <go' \
           --then 'signal KILL' --interval 100ms 2>said & guard=$!\n\
         read x <begun\n\
         kill -9 $victim; wait $victim 2>/dev/null\n\
         n=0; heir=0\n\
         while [ $heir != $victim ] && [ $n -lt 3000 ]; do\n\
           sleep 1002 & heir=$!; n=$((n+1))\n\
           [ $heir = $victim ] || kill -9 $heir\n\
           [ $heir = $victim ] || wait $heir 2>/dev/null\n\
         done\n\
         echo victim $victim heir $heir\n\
         echo y >go\n\
         n=0; while ! grep -q 'nothing was done' said && [ $n -lt 600 ]; do sleep 0.1; n=$((n+1)); done\n\
         cat said\n\
         kill -0 $heir && echo alive\n\
         kill -TERM $guard; kill -9 $heir\n",
    )
    .unwrap();
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount", "--mount-proc", "--kill-child", "sh"]);
    command.arg(&script).args([env!("CARGO_BIN_EXE_memtide")]).arg(folder.path());
    // `$1` is the program: the script itself is `$0`.
    let output = command.env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = said.lines().find(|line| line.starts_with("victim")).unwrap_or_else(|| panic!("{output:?}"));
    let pids: Vec<&str> = told.split(' ').collect();
    if !has(pids[1] == pids[3], "a pid_max of its own in a pid namespace (Linux 6.14)") {
        return;
    }
    assert!(said.contains("nothing was done") && said.contains("alive"), "{said}");
}

#[test]
fn without_the_right_it_says_what_it_lacks_and_tries_again_as_the_rule_says() {
    let is_root = rustix::process::geteuid().is_root();
    if !has(is_root, "root, to run as another user") || !has_programs(&["setpriv"]) {
        return;
    }
    let mut child = Program::sleeper("guard-not-mine");
    let folder = tempfile::tempdir().unwrap();
    let (program, rules) = (folder.path().join("memtide"), folder.path().join("rules.toml"));
    support::copy::copy_program(env!("CARGO_BIN_EXE_memtide"), &program);
    let rule = "[[rule]]\nmatch = 'guard-not-mine'\nwhen = 'rss > 1K'\nthen = 'signal KILL'\nretry = '100ms'\nretries = 1\n\
                [[rule]]\nmatch = 'guard-not-mine'\nwhen = 'pss > 1K'\nthen = 'signal KILL'\n";
    fs::write(&rules, rule).unwrap();
    for path in [folder.path(), &program, &rules] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program);
    command.args(["guard", "--interval", "100ms", "-c"]).arg(&rules).env("XDG_CONFIG_HOME", "/nonexistent");
    let mut guard = Guard::of(command.stdin(Stdio::null()));
    guard.wait_for("FAILED");
    guard.wait_for("FAILED");
    let said = guard.end();
    assert!(said.contains("not permitted: it takes the process's own user, root or CAP_KILL"), "{said}");
    assert!(said.contains("CAP_SYS_PTRACE"), "PSS is not to be seen: {said}");
    assert!(child.is_running());
}

#[test]
fn a_dry_run_says_what_it_would_do_and_does_nothing() {
    let mut child = Program::holder("guard-dry", 8 << 10);
    let mut guard = Guard::start(&[
        "--match",
        "guard-dry",
        "--footprint-over",
        "8M",
        "--then",
        "notify",
        "--then",
        "signal KILL",
        "--dry-run",
        "--format",
        "json",
    ]);
    let line: Value = serde_json::from_str(&guard.wait_for("would_fire")).unwrap();
    assert_eq!((&line["targets"][0]["pid"], &line["steps"][1]), (&child.pid().into(), &"signal KILL".into()));
    guard.end();
    assert!(child.is_running());
}

/// A Node.js application that waits, started like this in a folder of its own.
fn node(name: &str, folder: &Path, args: &[&str]) -> Child {
    let script = "setInterval(() => {}, 1000); process.on('SIGTERM', () => process.exit(0)); console.log('ready')";
    let mut node = Command::new("node");
    node.args(args).args(["-e", script, name]).current_dir(folder).env_remove("NODE_OPTIONS");
    let mut node = node.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(node.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    node
}

#[test]
fn a_heap_snapshot_of_any_node_is_beside_the_state_before_it_is_restarted() {
    if !has_programs(&["node"]) {
        return;
    }
    for (name, args) in [("guard-prepared", &["--heapsnapshot-signal=SIGUSR2"][..]), ("guard-unprepared", &[])] {
        let (folder, states) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut node = node(name, folder.path(), args);
        let state = states.path().join("state");
        let rule = ["--match", name, "--rss-over", "1M", "--then", "heap-snapshot", "--then", "signal TERM+KILL"];
        let mut guard = Guard::of(memtide().args(rule).arg("--state").arg(&state));
        let said = guard.wait_for("memtide heap show ");
        assert!(!said.contains("But "), "what was closed before is closed again: {said}");
        let path: PathBuf = said.split(' ').find(|word| word.ends_with(".heapsnapshot")).unwrap().into();
        assert!(node.wait().unwrap().success(), "it ended by the signal that it handles");
        guard.end();
        assert_eq!(path.parent(), Some(states.path()), "{name}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let snapshot: Value = serde_json::from_str(&text(&path)).unwrap();
        assert!(snapshot["snapshot"]["node_count"].as_u64().unwrap() > 1000);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left where it ran");
    }
}

#[test]
fn a_heap_snapshot_that_takes_longer_than_the_rule_gives_it_fails_and_the_next_step_is_done() {
    if !has_programs(&["node"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut node = node("guard-in-a-hurry", folder.path(), &[]);
    let rule = ["--match", "guard-in-a-hurry", "--rss-over", "1M", "--timeout", "1ms", "--then", "heap-snapshot"];
    let mut command = memtide();
    command.args(rule).args(["--then", "signal TERM+KILL"]).current_dir(folder.path());
    let mut guard = Guard::of(&mut command);
    guard.wait_for("heap-snapshot: FAILED");
    guard.wait_for("SIGTERM sent");
    node.wait().unwrap();
    guard.end();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "no half of a file is left");
}

#[test]
fn who_is_no_node_is_left_alone_by_a_heap_snapshot() {
    let child = Program::sleeper("guard-no-snapshot");
    let mut guard = Guard::start(&["--match", "guard-no-snapshot", "--rss-over", "1K", "--then", "heap-snapshot"]);
    guard.wait_for("heap-snapshot: FAILED");
    guard.end();
    assert!(is_running(child.pid()));
}

#[test]
fn a_second_guard_of_one_state_file_is_told_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let args = ["--available-under", "1K", "--then", "notify", "--state", state.to_str().unwrap()];
    let mut first = Guard::start(&args);
    first.wait_for("1 rule is kept");
    let second = memtide().args(args).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("another guard, pid {},", first.pid().as_raw_pid())), "{said}");
    // However the first one ends, the next one has it.
    first.signal(Signal::KILL);
    drop(first);
    let mut third = Guard::start(&args);
    third.wait_for("1 rule is kept");
    third.end();
}

#[test]
fn systemd_is_told_that_it_is_ready_alive_and_reloading() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, rules) = (folder.path().join("notify"), folder.path().join("rules.toml"));
    fs::write(&rules, "[[rule]]\nwhen = 'mem_available < 1K'\nthen = 'notify'\n").unwrap();
    let notify = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    notify.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = memtide();
    command.arg("-c").arg(&rules).env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "300000");
    let guard = Guard::of(&mut command);
    let wait_for = |part: &str| loop {
        let mut buffer = [0; 1024];
        let length = notify.recv(&mut buffer).unwrap();
        let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if said.contains(part) {
            return said;
        }
    };
    wait_for("READY=1");
    wait_for("WATCHDOG=1");
    wait_for("WATCHDOG=1");
    guard.signal(Signal::HUP);
    assert!(wait_for("RELOADING=1").contains("MONOTONIC_USEC="));
    wait_for("READY=1");
    guard.signal(Signal::TERM);
    wait_for("STOPPING=1");
    guard.end_quietly();
}

#[test]
fn its_own_preference_is_changed_and_not_handed_down() {
    let _child = Program::sleeper("guard-adj");
    let mut guard = Guard::start(&[
        "--match",
        "guard-adj",
        "--rss-over",
        "1K",
        "--oom-score-adj",
        "300",
        "--then",
        "exec echo adj $(cat /proc/self/oom_score_adj)",
    ]);
    guard.wait_for("adj 0");
    let mut own = String::new();
    let path = format!("/proc/{}/oom_score_adj", guard.pid().as_raw_pid());
    fs::File::open(path).unwrap().read_to_string(&mut own).unwrap();
    assert_eq!(own.trim(), "300");
    guard.end();
}
