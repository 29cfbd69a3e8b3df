//! Faults of a real machine: processes that vanish between any two reads, pids used again at once, files that another
//! user may not read, a /proc that hides or is not there, no descriptors left.
//!
//! What needs a namespace or another user of its own runs this test program again inside it.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use memtide::collect::collector::Collector;
use memtide::collect::demand::Demand;
use memtide::collect::once::{Once, read_once};
use memtide::collect::root::ProcRoot;
use memtide::collect::turn::all_sources;
use memtide::model::process::ProcessSample;
use memtide::model::reading::{BootMs, Need, Reading};
use memtide::model::sample::Sample;
use serde_json::Value;
use support::programs::{Program, compiler};
use support::require::{has, has_programs};

/// The user whom everybody agrees to have no rights.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether what starts children as other users and in namespaces of their own is here.
fn can_set_apart() -> bool {
    has(is_root(), "root") && has_programs(&["unshare", "setpriv", "prlimit", "mount", "sh", &compiler()])
}

fn once(top_by_pss: Option<usize>) -> Sample {
    read_once(&ProcRoot::live(), &Once { sources: all_sources(), top_by_pss }).unwrap()
}

/// A wish for all there is of everybody, those of the sample before first.
fn everything(before: Option<&Sample>) -> Demand {
    let visible = before.map(|sample| sample.processes.iter().map(|process| process.key).collect());
    Demand { sources: all_sources(), visible: visible.unwrap_or_default(), top_by_pss: 10, cgroups: false, budget: 1.0 }
}

fn process_of(sample: &Sample, pid: u32) -> &ProcessSample {
    sample.processes.iter().find(|process| process.key.pid == pid).unwrap()
}

/// Runs an ignored test of this program by way of another program, as `unshare`, and gives what came of it.
fn run_apart(way: &[&str], test: &str) -> Output {
    let (program, arguments) = way.split_first().unwrap();
    let mut command = Command::new(program);
    command.args(arguments).arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads", "1"]);
    command.stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn assert_passed(output: &Output) {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Processes started since boot, all of this kernel.
fn started() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    stat.lines().find_map(|line| line.strip_prefix("processes ")).unwrap().trim().parse().unwrap()
}

#[test]
fn a_storm_of_processes_that_vanish_while_they_are_read_is_no_error() {
    if !has_programs(&[&compiler()]) {
        return;
    }
    let storm = Program::burst("storm");
    let mut collector = Collector::new(ProcRoot::live()).unwrap();
    let before = started();
    let (mut last, mut samples) = (None, 0);
    // As long as thousands have come and gone meanwhile, however fast they do.
    while started() - before < 5_000 || samples < 20 {
        let in_turn = collector.sample(&everything(last.as_ref()), Duration::from_millis(50)).unwrap();
        let largest = once(Some(5));
        assert!((1..=5).contains(&largest.processes.len()), "{}", largest.processes.len());
        for sample in [once(None), in_turn] {
            assert!(sample.processes.is_sorted_by_key(|process| process.key.pid));
            for pid in [std::process::id(), storm.pid()] {
                assert!(process_of(&sample, pid).resident.value().is_some_and(|resident| resident.rss > 0));
            }
            last = Some(sample);
        }
        samples += 1;
    }
}

#[test]
fn no_value_is_given_to_another_process_that_took_over_the_pid() {
    if !can_set_apart() {
        return;
    }
    assert_passed(&run_apart(
        &["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"],
        "reads_where_pids_are_used_again_at_once",
    ));
}

/// Of the few pids of this namespace each is used again within some tens of milliseconds. Every process of the storm
/// bears its kind in its name, and all that is read of it must be of that kind.
#[test]
#[ignore = "run by no_value_is_given_to_another_process_that_took_over_the_pid"]
fn reads_where_pids_are_used_again_at_once() {
    // Since Linux 6.14 a namespace has a largest pid of its own; before, this would be the machine's.
    if release() >= [6, 14] {
        fs::write("/proc/sys/kernel/pid_max", "350").unwrap();
    }
    let storm = Program::kinds("storm", 30);
    let base = fs::read_dir(format!("/proc/{}/fd", storm.pid())).unwrap().count() as u32;
    let mut collector = Collector::new(ProcRoot::live()).unwrap();
    let before = started();
    let (mut last, mut checked) = (None, 0);
    while started() - before < 10_000 {
        let in_turn = collector.sample(&everything(last.as_ref()), Duration::from_millis(50)).unwrap();
        for sample in [once(None), once(Some(3)), in_turn] {
            checked += sample.processes.iter().filter(|process| is_of_its_kind(process, sample.at, base)).count();
            last = Some(sample);
        }
    }
    assert!(checked > 1000, "only {checked} were of a kind");
}

/// Checks what was read at `now` of a process of the storm; false for any other. What was read earlier has been
/// checked then, and may be from before it was all that it bears in its name.
fn is_of_its_kind(process: &ProcessSample, now: BootMs, base: u32) -> bool {
    let Some(kind) = process.identity.comm.as_bytes().strip_prefix(b"kind-") else { return false };
    let kind: u32 = std::str::from_utf8(kind).unwrap().parse().unwrap();
    // Who ends closes its files first and keeps its name.
    if let Some(fds) = process.fds.reading.value().filter(|_| process.fds.at == now) {
        assert!(fds == 0 || fds == base + kind, "{fds} files, {base} of them inherited: {process:?}");
    }
    if let Some(rollup) = process.rollup.reading.value().filter(|_| process.rollup.at == now) {
        // It may have been read before the name, when not all of it was there; more than it has, it never had. Beside
        // it there are its stack and what it wrote of the program's data.
        let most = (u64::from(kind) * 16 + 192) * 1024;
        assert!(rollup.uss < most, "{} bytes, it never had {most}: {process:?}", rollup.uss);
    }
    if let Some(limit) = process.fd_limit.reading.value().filter(|_| process.fd_limit.at == now) {
        assert_eq!(limit, u64::from(1000 + kind), "{process:?}");
    }
    // Until it has been read it is root's.
    let uid = process.identity.uid;
    assert!(uid == 0 || uid == 10_000 + kind, "{process:?}");
    true
}

/// This program's binary with the way it is started.
fn memtide_by(way: &[&str], args: &[&str]) -> Output {
    let (program, arguments) = way.split_first().unwrap();
    let mut command = Command::new(program);
    command.args(arguments).arg(env!("CARGO_BIN_EXE_memtide")).args(args);
    command.stdin(Stdio::null()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What `memtide ps` prints of all processes as a user without rights, on a new /proc with these options. The binary
/// is started by its descriptor: the folders above it may be closed to that user.
fn ps_as_nobody(proc_options: &str) -> (Vec<Value>, String) {
    let script = format!(
        "mount -t proc -o {proc_options} proc /proc && exec 3<\"$0\" && exec setpriv --reuid {NOBODY} --regid {NOBODY} \
         --clear-groups /proc/self/fd/3 ps --format json --kernel-threads -o pid,user,rss,pss,uss,swap_pss,fds"
    );
    let output = memtide_by(&["unshare", "--mount", "sh", "-c", &script], &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    (document["processes"].as_array().unwrap().clone(), stderr(&output))
}

fn pids(processes: &[Value]) -> Vec<u64> {
    processes.iter().map(|process| process["pid"].as_u64().unwrap()).collect()
}

#[test]
fn another_users_processes_are_denied_with_what_would_grant_it() {
    if !can_set_apart() {
        return;
    }
    let roots = Program::sleeper("root's");
    let own = Program::of_user("nobody's", NOBODY);
    let (processes, told) = ps_as_nobody("hidepid=0");
    let of = |pid: u32| processes.iter().find(|process| process["pid"] == pid).unwrap();
    let files = fs::read_dir(format!("/proc/{}/fd", roots.pid())).unwrap().count();
    let (roots, own) = (of(roots.pid()), of(own.pid()));
    assert!(roots["rss"].as_u64().unwrap() > 0 && own["pss"].as_u64().unwrap() > 0, "{roots} {own}");
    let is_denied = |field: &str| {
        let why = roots["unknown"][field].as_str();
        roots[field].is_null() && why.is_some_and(|why| why.contains("CAP_SYS_PTRACE"))
    };
    assert!(["pss", "uss", "swap_pss"].into_iter().all(is_denied), "{roots}");
    // The size of a folder, which is the number since Linux 6.2, is everybody's to see.
    assert!(if release() >= [6, 2] { roots["fds"] == files } else { is_denied("fds") }, "{roots}");
    assert!(told.contains("setcap cap_sys_ptrace+ep memtide"), "{told}");
    assert!(!told.contains("hidepid"), "{told}");
}

#[test]
fn a_proc_that_hides_others_shows_only_the_own_ones_and_it_is_said() {
    if !can_set_apart() {
        return;
    }
    let roots = Program::sleeper("root's");
    let own = Program::of_user("nobody's", NOBODY);
    // 1 shows the folders of others and nothing in them, 2 not even those.
    for hidepid in ["hidepid=1", "hidepid=2"] {
        let (processes, told) = ps_as_nobody(hidepid);
        let pids = pids(&processes);
        assert!(pids.contains(&own.pid().into()) && !pids.contains(&roots.pid().into()), "{hidepid}: {pids:?}");
        assert!(processes.iter().all(|process| process["unknown"].is_null()), "{hidepid}: {processes:?}");
        assert!(told.contains("hidepid"), "{hidepid}: {told}");
    }
}

#[test]
fn a_zombie_and_a_kernel_thread_have_no_memory_that_could_be_shared() {
    let mut child = Command::new("/bin/sh").args(["-c", "read line"]).stdin(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    drop(child.stdin.take());
    // It is a zombie once it has ended, until it is waited for.
    let wait = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
    rustix::process::waitid(rustix::process::WaitId::Pid(rustix::process::Pid::from_child(&child)), wait).unwrap();
    let mut collector = Collector::new(ProcRoot::live()).unwrap();
    let mut in_turn = || collector.sample(&everything(None), Duration::from_secs(1)).unwrap();
    // The first one is cut short.
    in_turn();
    for sample in [once(None), in_turn()] {
        let zombie = process_of(&sample, pid);
        assert!(zombie.is_zombie());
        assert_eq!(zombie.resident.value().unwrap().rss, 0);
        assert_eq!(zombie.rollup.reading, Reading::Unsupported(Need::NotApplicable));
        assert_eq!(zombie.identity.shown_command(), "[sh]");
    }
    child.wait().unwrap();
    // Kernel threads are there only where this pid namespace is the machine's first.
    let sample = once(None);
    for thread in sample.processes.iter().filter(|process| process.identity.is_kernel_thread) {
        assert_eq!(thread.resident.value().unwrap().rss, 0, "{thread:?}");
        assert_eq!(thread.rollup.reading, Reading::Unsupported(Need::NotApplicable));
        assert!(thread.identity.command.is_empty() && !thread.identity.comm.is_empty(), "{thread:?}");
    }
}

#[test]
fn a_few_descriptors_are_enough_for_many_processes() {
    if !can_set_apart() {
        return;
    }
    let family = Program::family("family", 200);
    let few = &["prlimit", "--nofile=64:64"][..];
    let output = memtide_by(few, &["ps", "--format", "json", "-o", "pid,ppid,rss,pss,fds,fd_limit"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let children = document["processes"].as_array().unwrap().iter().filter(|child| child["ppid"] == family.pid());
    let mut count = 0;
    for child in children {
        assert!(child["rss"].as_u64().unwrap() > 0 && child["fds"].as_u64().unwrap() >= 3, "{child}");
        assert!(child["pss"].as_u64().unwrap() > 0, "{child}");
        count += 1;
    }
    assert_eq!(count, 200);
    assert_passed(&run_apart(few, "samples_with_few_descriptors"));
}

#[test]
#[ignore = "run by a_few_descriptors_are_enough_for_many_processes"]
fn samples_with_few_descriptors() {
    let family = Program::family("family", 200);
    let mut collector = Collector::new(ProcRoot::live()).unwrap();
    let mut last = None;
    for _ in 0..3 {
        let sample = collector.sample(&everything(last.as_ref()), Duration::from_secs(1)).unwrap();
        let is_child = |process: &&std::sync::Arc<ProcessSample>| {
            process.stat.reading.value().is_some_and(|stat| stat.ppid == family.pid())
        };
        let children: Vec<_> = sample.processes.iter().filter(is_child).collect();
        assert_eq!(children.len(), 200);
        assert!(children.iter().all(|child| child.resident.value().is_some_and(|resident| resident.rss > 0)));
        last = Some(sample);
    }
    // What is not held is found to have ended all the same.
    let pid = family.pid();
    drop(family);
    let sample = collector.sample(&everything(last.as_ref()), Duration::from_secs(1)).unwrap();
    assert!(sample.processes.iter().all(|process| process.key.pid != pid));
}

#[test]
fn without_proc_every_command_says_how_to_mount_it_and_fails() {
    if !can_set_apart() {
        return;
    }
    let script = "mount -t tmpfs none /proc && exec \"$0\" \"$@\"";
    let bare = &["unshare", "--mount", "sh", "-c", script][..];
    for args in [&["ps"][..], &["ps", "--top", "3"], &["free"], &["ps", "--format", "json"]] {
        let output = memtide_by(bare, args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("mount -t proc proc /proc"), "{args:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    let mut terminal = support::pty::Command::new("unshare")
        .args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_memtide")])
        .size(120, 24)
        .start();
    terminal.wait_for_text("mount -t proc proc /proc");
    assert_eq!(terminal.wait_for_exit().exit_code(), 1);
    terminal.assert_restored();
}

fn release() -> [u32; 2] {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = text.split(['.', '-']).map(|part| part.trim().parse().unwrap_or(0));
    [(); 2].map(|()| numbers.next().unwrap_or(0))
}

/// Where nearly all are alike their bounds spare nothing and are not read: the largest are found all the same.
#[test]
fn the_largest_among_a_crowd_that_is_alike_are_found() {
    if !has_programs(&[&compiler()]) {
        return;
    }
    let crowd = Program::family("alike", 600);
    let large: Vec<Program> = (1..=3).map(|nth| Program::holder("alike-large", 300 << (10 + nth))).collect();
    for holder in &large {
        holder.freeze();
    }
    let pss = |process: &Arc<ProcessSample>| process.rollup.reading.value().map_or(0, |rollup| rollup.pss);
    let ranked = |sample: Sample| {
        let ours = |process: &&Arc<ProcessSample>| large.iter().any(|holder| holder.pid() == process.key.pid);
        let mut found: Vec<_> = sample.processes.iter().filter(ours).cloned().collect();
        found.sort_by_key(|process| std::cmp::Reverse(pss(process)));
        found.iter().map(|process| process.key.pid).collect::<Vec<_>>()
    };
    let expected: Vec<u32> = large.iter().rev().map(Program::pid).collect();
    assert_eq!(ranked(once(None)), expected);
    // Others on this machine may be larger than ours.
    assert_eq!(ranked(once(Some(40))), expected);
    drop(crowd);
}
