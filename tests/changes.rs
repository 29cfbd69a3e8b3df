//! Changes of real processes and control groups, read back from the kernel, and brought back by their undo.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use memtide::act::change::{Change, Subject};
use memtide::act::control::Control;
use memtide::act::effect::{Effect, GroupTarget, Knob, Outcome, Resource, Stage, Target};
use memtide::act::plan::{Caches, plan};
use memtide::act::run::run;
use memtide::collect::cgroup::parse_membership;
use memtide::collect::parse::parse_stat;
use memtide::collect::root::ProcRoot;
use memtide::model::cgroup::CgroupVersion;
use memtide::model::key::ProcessKey;
use support::programs::Program;
use support::require::{has, has_programs};

const MIB: u64 = 1 << 20;

fn target(pid: u32) -> Target {
    let stat = fs::read(format!("/proc/{pid}/stat")).unwrap();
    let start_time = parse_stat(&stat).unwrap().start_time;
    Target { key: ProcessKey { pid, start_time }, uid: 0, user: "me".into(), command: "child".into() }
}

/// All that is told of an effect, on the running machine.
fn outcomes(effect: &Effect, control: &Control) -> Vec<Outcome> {
    let mut all = Vec::new();
    run(effect, &ProcRoot::live(), control, |outcome| all.push(outcome));
    assert!(all.iter().rev().skip(1).all(|outcome| !outcome.is_final) && all.last().unwrap().is_final);
    all
}

/// The last that is told of an effect that is not watched afterwards.
fn done(effect: &Effect) -> Outcome {
    outcomes(effect, &Control::new(Duration::ZERO)).pop().unwrap()
}

fn text(outcome: &Outcome) -> &str {
    outcome.results[0].as_ref().unwrap_or_else(|error| panic!("{error}"))
}

fn adj(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim().to_owned()
}

/// Soft and hard limit as the kernel prints them.
fn limits(pid: u32, name: &str) -> (String, String) {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let mut words = text.lines().find_map(|line| line.strip_prefix(name)).unwrap().split_whitespace();
    (words.next().unwrap().to_owned(), words.next().unwrap().to_owned())
}

#[test]
fn the_oom_killers_preference_is_read_back_and_undone() {
    let child = Program::sleeper("changes-adj");
    let before = adj(child.pid());
    let effect = Effect::OomScoreAdj { target: target(child.pid()), to: 777 };
    let outcome = done(&effect);
    assert!(text(&outcome).contains(&format!("oom_score_adj 777 (was {before})")), "{}", text(&outcome));
    assert_eq!(adj(child.pid()), "777");
    assert_eq!((outcome.measured[0].before, outcome.measured[0].after), (before.parse().ok(), Some(777)));
    let undo = outcome.undo.unwrap();
    // Back to it, and forth again.
    assert_eq!(done(&undo).undo, Some(effect));
    assert_eq!(adj(child.pid()), before);
}

#[test]
fn limits_of_a_running_process_are_read_back_and_undone() {
    let child = Program::opener("changes-limit", 20);
    for (resource, name, soft) in
        [(Resource::OpenFiles, "Max open files", 64), (Resource::AddressSpace, "Max address space", 8 << 30)]
    {
        let before = limits(child.pid(), name);
        let outcome = done(&Effect::Limit { target: target(child.pid()), resource, soft: Some(soft), hard: None });
        assert!(text(&outcome).contains(" (was "), "{}", text(&outcome));
        assert_eq!(limits(child.pid(), name), (soft.to_string(), before.1.clone()), "the hard limit stays");
        let used = outcome.measured[2].after.unwrap();
        match resource {
            Resource::OpenFiles => {
                assert_eq!(used as usize, fs::read_dir(format!("/proc/{}/fd", child.pid())).unwrap().count());
            }
            Resource::AddressSpace => assert!(used > 64 << 10, "{used}"),
        }
        text(&done(&outcome.undo.unwrap()));
        assert_eq!(limits(child.pid(), name), before);
    }
}

#[test]
fn a_hard_limit_is_raised_only_with_the_right_to_and_lowered_by_the_undo() {
    use rustix::thread::{CapabilitySet, capabilities};
    let child = Program::limited_file_leaker("changes-hard", 1, 60_000, 50);
    let both = |limit: &str| (limit.to_owned(), limit.to_owned());
    assert_eq!(limits(child.pid(), "Max open files"), both("50"));
    let effect = Change::OpenFiles.effect("100", &Subject { targets: vec![target(child.pid())], group: None }).unwrap();
    let plan = plan(&effect, &ProcRoot::live(), Caches::default());
    assert!(plan.effects.iter().any(|line| line.contains("from 50 to 100")), "{plan:?}");
    let outcome = done(&effect);
    // Root in a container may lack it.
    if capabilities(None).unwrap().effective.contains(CapabilitySet::SYS_RESOURCE) {
        assert_eq!(plan.refusal, None);
        assert_eq!(limits(child.pid(), "Max open files"), both("100"));
        text(&done(&outcome.undo.unwrap()));
    } else {
        assert!(plan.refusal.unwrap().reason.contains("CAP_SYS_RESOURCE"));
        assert!(outcome.results[0].as_ref().unwrap_err().contains("CAP_SYS_RESOURCE"), "{outcome:?}");
    }
    assert_eq!(limits(child.pid(), "Max open files"), both("50"));
}

#[test]
fn nothing_is_changed_of_who_took_over_the_pid() {
    let mut child = Program::sleeper("changes-reused");
    let mut chosen = target(child.pid());
    chosen.key.start_time -= 1;
    let before = (adj(child.pid()), limits(child.pid(), "Max open files"));
    for effect in [
        Effect::OomScoreAdj { target: chosen.clone(), to: 5 },
        Effect::Limit { target: chosen.clone(), resource: Resource::OpenFiles, soft: Some(5), hard: None },
        Effect::CollectGarbage(chosen.clone()),
        Effect::DumpHeap { target: chosen, file: "/nonexistent/x".into() },
    ] {
        let outcome = done(&effect);
        let told = outcome.results[0].as_ref().unwrap_err();
        assert!(told.contains("belongs to another process now"), "{told}");
        assert_eq!(outcome.undo, None);
    }
    assert_eq!(before, (adj(child.pid()), limits(child.pid(), "Max open files")));
    assert!(child.is_running());
}

#[test]
fn what_handles_no_sigquit_is_never_asked_as_a_jvm_and_lives_on() {
    let mut child = Program::sleeper("changes-no-jvm");
    let outcome = done(&Effect::CollectGarbage(target(child.pid())));
    assert!(outcome.results[0].as_ref().unwrap_err().contains("it is no JVM"), "{outcome:?}");
    assert!(child.is_running());
}

#[test]
fn an_effect_is_measured_again_after_a_while_and_a_stop_ends_the_wait() {
    let child = Program::sleeper("changes-later");
    let effect = Effect::OomScoreAdj { target: target(child.pid()), to: 10 };
    let all = outcomes(&effect, &Control::new(Duration::from_millis(50)));
    assert_eq!(all.iter().map(|outcome| outcome.stage).collect::<Vec<_>>(), [Stage::Acted, Stage::Settled]);
    assert_eq!((all[0].measured[0].later, all[1].measured[0].later), (None, Some(10)));
    assert_eq!(all[0].wall_ms, all[1].wall_ms);

    let control = Arc::new(Control::new(Duration::from_hours(1)));
    let mut all = Vec::new();
    run(&Effect::OomScoreAdj { target: target(child.pid()), to: 20 }, &ProcRoot::live(), &control, |outcome| {
        // What was done is told before the wait.
        if outcome.stage == Stage::Acted {
            control.cancel();
        }
        all.push(outcome);
    });
    assert_eq!((all.len(), all[1].measured[0].later), (2, None));
    assert_eq!(adj(child.pid()), "20");
}

/// A control group with a limit of its own in the hierarchy of v1, below the one of this test.
struct Group {
    folder: PathBuf,
    target: GroupTarget,
}

impl Group {
    /// `None` where the memory controller is not v1's, or none can be made.
    fn new(name: &str) -> Option<Self> {
        let own = parse_membership(&fs::read("/proc/self/cgroup").ok()?);
        if own.version != CgroupVersion::V1 {
            return None;
        }
        let path = format!("{}/memtide-{name}-{}", own.memory.escaped().trim_end_matches('/'), std::process::id());
        let folder = PathBuf::from(format!("/sys/fs/cgroup/memory{path}"));
        fs::create_dir(&folder).ok()?;
        Some(Self { folder, target: GroupTarget { path: path.as_str().into(), version: own.version, via: None } })
    }

    fn number(&self, file: &str) -> u64 {
        fs::read_to_string(self.folder.join(file)).unwrap().trim().parse().unwrap()
    }

    /// A shell in the group that runs a script, says ready and waits until it is killed.
    fn run(&self, script: &str, file: &Path) -> Member {
        let script = format!("echo $$ >\"$1\"/cgroup.procs && {script} && echo ready && exec sleep 1000");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, "sh"]).arg(&self.folder).arg(file);
        let mut member = Member(shell.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(member.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        member
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The last member is gone from it a moment after it was reaped.
        for _ in 0..500 {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(std::thread::panicking(), "{} can't be removed", self.folder.display());
    }
}

/// A process of a group.
struct Member(Child);

impl Drop for Member {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// File cache of so many MiB, written and clean.
fn cache(mib: u32) -> String {
    format!("dd if=/dev/zero of=\"$2\" bs=1M count={mib} conv=fsync 2>/dev/null")
}

#[test]
fn a_limit_of_a_v1_group_is_read_back_and_undone() {
    let Some(group) = Group::new("limit") else {
        // A machine of the other version has its test under another kernel (tests/qemu.rs).
        return;
    };
    let before = group.number("memory.limit_in_bytes");
    let outcome = done(&Effect::Bound { group: group.target.clone(), knob: Knob::Max, to: Some(64 * MIB) });
    assert!(text(&outcome).ends_with("memory.limit_in_bytes 64M (was max)"), "{}", text(&outcome));
    assert_eq!(group.number("memory.limit_in_bytes"), 64 * MIB);
    let limit = outcome.measured.iter().find(|measured| measured.name == "limit").unwrap();
    assert_eq!((limit.before, limit.after), (Some(i64::MAX), Some(64 << 20)));
    text(&done(&outcome.undo.unwrap()));
    assert_eq!(group.number("memory.limit_in_bytes"), before);
}

#[test]
fn clean_cache_is_reclaimed_from_a_v1_group_and_its_process_lives() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let Some(group) = Group::new("reclaim") else { return };
    let mut member = group.run(&cache(32), &folder.path().join("file"));
    let before = group.number("memory.usage_in_bytes");
    assert!(before >= 32 * MIB, "{before}");
    let outcome = done(&Effect::Reclaim { group: group.target.clone(), amount: None });
    assert!(text(&outcome).contains(" less in use"), "{}", text(&outcome));
    let after = group.number("memory.usage_in_bytes");
    assert!(after + 24 * MIB <= before, "{before} {after}");
    assert_eq!(outcome.measured[0].after.map(|after| after as u64 / MIB), Some(after / MIB));
    assert!(member.0.try_wait().unwrap().is_none());
    drop(member);
}

#[test]
fn a_v1_limit_that_can_not_be_met_is_told_and_nothing_changes() {
    let Some(group) = Group::new("busy") else { return };
    // What it has must not go to swap, should there be some.
    fs::write(group.folder.join("memory.swappiness"), "0").unwrap();
    // What a shell holds in a variable is anonymous memory, as long as it becomes no other program.
    let script = "held=$(head -c 16777216 /dev/zero | tr '\\0' x) && echo ready && kill -STOP $$";
    let member = group.run(script, Path::new(""));
    let before = group.number("memory.limit_in_bytes");
    let outcome = done(&Effect::Bound { group: group.target.clone(), knob: Knob::Max, to: Some(4 * MIB) });
    let told = outcome.results[0].as_ref().unwrap_err();
    assert!(told.contains("could not take enough"), "{told}");
    assert_eq!((group.number("memory.limit_in_bytes"), outcome.undo), (before, None));
    drop(member);
}

#[test]
fn a_group_is_left_alone_when_the_process_it_was_chosen_by_has_left_or_ended() {
    let Some(group) = Group::new("left") else { return };
    let member = group.run("true", Path::new(""));
    let of = |via| Effect::Bound {
        group: GroupTarget { via: Some(via), ..group.target.clone() },
        knob: Knob::Max,
        to: Some(64 * MIB),
    };
    let outside = Program::sleeper("changes-outside");
    let told = done(&of(target(outside.pid()))).results[0].clone().unwrap_err();
    assert!(told.contains("has left"), "{told}");
    let via = target(member.0.id());
    let outcome = done(&of(via.clone()));
    text(&outcome);
    // The undo is about the group, whoever is in it by then.
    drop(member);
    let told = done(&of(via)).results[0].clone().unwrap_err();
    assert!(told.contains("has ended"), "{told}");
    text(&done(&outcome.undo.unwrap()));
    assert!(group.number("memory.limit_in_bytes") > 1 << 60);
}

/// A JVM that waits: the registry of RMI, which every Java runtime has.
struct Java {
    child: Child,
    pid: u32,
}

impl Java {
    fn start(folder: &Path, options: &[&str]) -> Self {
        Self::by(&[], folder, options)
    }

    /// Starts it by way of another program, which becomes the JVM or has it as its only child.
    fn by(way: &[&str], folder: &Path, options: &[&str]) -> Self {
        let registry = ["-m", "java.rmi/sun.rmi.registry.RegistryImpl", "0"];
        let line = [way, &["java", "-Xmx64m", "-XX:+UseSerialGC"], options, &registry].concat();
        let mut java = Command::new(line[0]);
        java.args(&line[1..]).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = java.spawn().unwrap();
        let mut java = Self { pid: child.id(), child };
        // It handles SIGQUIT once its threads for that are there.
        for _ in 0..6000 {
            let children =
                fs::read_to_string(format!("/proc/{0}/task/{0}/children", java.child.id())).unwrap_or_default();
            java.pid = children.trim().parse().unwrap_or(java.child.id());
            let status = fs::read_to_string(format!("/proc/{}/status", java.pid)).unwrap_or_default();
            let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
            let caught = u64::from_str_radix(line("SigCgt:"), 16).unwrap_or(0);
            let is_up = line("Name:") == "java" && line("Threads:").parse::<u32>().is_ok_and(|threads| threads > 8);
            if is_up && (caught & 4 != 0 || options.contains(&"-Xrs")) {
                return java;
            }
            assert!(java.child.try_wait().unwrap().is_none(), "java ended");
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("java does not start");
    }

    fn target(&self) -> Target {
        target(self.pid)
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Java {
    fn drop(&mut self) {
        // Both fail only where it has ended already; so killed it leaves its socket, if it has one.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(format!("/tmp/.java_pid{}", self.pid));
    }
}

#[test]
fn a_jvm_collects_its_garbage_and_dumps_its_heap_and_lives_on() {
    if !has_programs(&["java"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut java = Java::start(folder.path(), &[]);
    let plan = plan(&Effect::CollectGarbage(java.target()), &ProcRoot::live(), Caches::default());
    assert_eq!(plan.refusal, None);
    // The first request makes it listen, the second one finds it so.
    for _ in 0..2 {
        let outcome = done(&Effect::CollectGarbage(java.target()));
        let told = text(&outcome);
        assert!(told.contains(" of heap in use before and "), "{told}");
        assert!(outcome.measured.iter().any(|measured| measured.name == "RSS" && measured.after > Some(0)));
    }
    let file = folder.path().join("heap dump.hprof");
    let dump = Effect::DumpHeap { target: java.target(), file: file.to_str().unwrap().into() };
    let outcome = done(&dump);
    assert!(text(&outcome).contains("created"), "{}", text(&outcome));
    assert!(fs::read(&file).unwrap().starts_with(b"JAVA PROFILE 1.0.2\0"));
    // What is there is not written over.
    let told = done(&dump).results[0].clone().unwrap_err();
    assert!(told.contains("exists"), "{told}");
    assert!(java.is_running());
    let left: Vec<_> = fs::read_dir("/tmp").unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.contains(&format!(".attach_pid{}", java.pid).into()));
}

#[test]
fn a_jvm_that_would_end_by_the_signal_is_refused_and_lives_on() {
    if !has_programs(&["java"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut java = Java::start(folder.path(), &["-Xrs"]);
    let told = done(&Effect::CollectGarbage(java.target())).results[0].clone().unwrap_err();
    assert!(told.contains("-Xrs"), "{told}");
    assert!(java.is_running());
}

#[test]
fn the_jvm_of_another_user_and_one_in_a_container_are_asked_by_root() {
    let is_root = rustix::process::geteuid().is_root();
    if !has_programs(&["java", "setpriv", "unshare"]) || !has(is_root, "root, to start a JVM of another user") {
        return;
    }
    let user = &["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"][..];
    // A pid and a /tmp of its own.
    let script = "mount -t tmpfs tmp /tmp && mount -t proc proc /proc && exec \"$@\"";
    let container = &["unshare", "--pid", "--mount", "--fork", "--kill-child", "sh", "-c", script, "sh"][..];
    for way in [user, container] {
        let mut java = Java::by(way, Path::new("/"), &[]);
        let told = done(&Effect::CollectGarbage(java.target()));
        assert!(text(&told).contains(" of heap in use before and "), "{told:?}");
        assert!(java.is_running());
    }
}
