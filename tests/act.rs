//! Signals to real children: the chosen one is hit, or nobody.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use memtide::act::control::Control;
use memtide::act::effect::{DropLevel, Effect, Outcome, Signal, Target};
use memtide::act::run::run;
use memtide::act::signal::{KILL, TERM};
use memtide::collect::parse::parse_stat;
use memtide::collect::root::ProcRoot;
use memtide::model::key::ProcessKey;

/// A child that is killed when the test ends.
struct Sleeper(Child);

impl Sleeper {
    fn start(script: &str) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script]).stdout(Stdio::piped());
        let mut child = shell.spawn().expect("/bin/sh starts");
        // The script says when its traps are set.
        let mut line = [0; 6];
        let mut out = child.stdout.take().expect("its stdout is a pipe");
        std::io::Read::read_exact(&mut out, &mut line).expect("it says ready");
        Self(child)
    }

    fn target(&self) -> Target {
        let pid = self.0.id();
        let stat = std::fs::read(format!("/proc/{pid}/stat")).expect("the child is there");
        let start_time = parse_stat(&stat).expect("its stat can be read").start_time;
        Target { key: ProcessKey { pid, start_time }, uid: 0, user: "me".into(), command: "sh".into() }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const READY: &str = "echo ready; exec sleep 60";
const DEAF: &str = "trap '' TERM; echo ready; while :; do sleep 0.05; done";

fn send(targets: Vec<Target>, signal: Signal, escalate: Option<Duration>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let effect = Effect::Signal { targets, signal, escalate };
    run(&effect, &ProcRoot::live(), &Control::new(Duration::ZERO), |outcome| outcomes.push(outcome));
    outcomes
}

#[test]
fn several_chosen_processes_end_and_the_outcome_says_so() {
    let sleepers = [Sleeper::start(READY), Sleeper::start(READY)];
    let outcomes = send(sleepers.iter().map(Sleeper::target).collect(), TERM, None);
    assert_eq!(outcomes.len(), 1);
    assert!(outcomes[0].is_final);
    for result in &outcomes[0].results {
        assert!(result.as_ref().is_ok_and(|text| text.contains("ended within")), "{result:?}");
    }
}

#[test]
fn a_process_that_took_over_the_pid_is_not_hit() {
    let mut sleeper = Sleeper::start(READY);
    let mut target = sleeper.target();
    target.key.start_time -= 1;
    let outcomes = send(vec![target], KILL, None);
    let told = outcomes[0].results[0].as_ref().expect_err("nothing was sent");
    assert!(told.contains("belongs to another process now"), "{told}");
    assert!(sleeper.0.try_wait().expect("it can be waited for").is_none(), "the bystander lives");
}

#[test]
fn a_process_that_has_ended_is_said_to_have_ended() {
    let mut sleeper = Sleeper::start(READY);
    let target = sleeper.target();
    sleeper.0.kill().expect("our own child");
    sleeper.0.wait().expect("our own child");
    let outcomes = send(vec![target], TERM, None);
    let told = outcomes[0].results[0].as_ref().expect_err("nothing was sent");
    assert!(told.contains("has ended"), "{told}");
}

#[test]
fn who_is_deaf_to_term_is_killed_after_the_grace_and_not_before() {
    let mut sleeper = Sleeper::start(DEAF);
    let outcomes = send(vec![sleeper.target()], TERM, Some(Duration::from_millis(900)));
    assert_eq!(outcomes.len(), 2);
    assert!(!outcomes[0].is_final && outcomes[1].is_final);
    let first = outcomes[0].results[0].as_ref().expect("TERM was sent");
    assert!(first.contains("still there"), "{first}");
    assert!(outcomes[1].took >= Duration::from_millis(900), "{:?}", outcomes[1].took);
    let last = outcomes[1].results[0].as_ref().expect("KILL was sent");
    assert!(last.contains("SIGKILL sent"), "{last}");
    assert!(!sleeper.0.wait().expect("our own child").success());
}

#[test]
fn a_stopped_process_stays_and_is_not_called_deaf() {
    let sleeper = Sleeper::start(READY);
    let outcomes = send(vec![sleeper.target()], Signal(19), None);
    let told = outcomes[0].results[0].as_ref().expect("STOP was sent");
    assert!(told.ends_with("SIGSTOP sent"), "{told}");
    // The signal is on its way when it has been sent.
    let is_stopped = (0..1000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        let stat = std::fs::read(format!("/proc/{}/stat", sleeper.0.id())).expect("the child is there");
        parse_stat(&stat).expect("its stat can be read").stat.state == b'T'
    });
    assert!(is_stopped);
}

#[test]
fn pid_1_is_never_hit() {
    let stat = std::fs::read("/proc/1/stat").expect("there is an init");
    let start_time = parse_stat(&stat).expect("its stat can be read").start_time;
    let init = Target { key: ProcessKey { pid: 1, start_time }, uid: 0, user: "root".into(), command: "init".into() };
    assert!(send(vec![init], Signal(18), None)[0].results[0].is_err());
}

#[test]
fn what_carries_this_session_is_not_hit_among_others() {
    let sleeper = Sleeper::start(READY);
    let parent = std::os::unix::process::parent_id();
    let stat = std::fs::read(format!("/proc/{parent}/stat")).expect("there is a parent");
    let start_time = parse_stat(&stat).expect("its stat can be read").start_time;
    let key = ProcessKey { pid: parent, start_time };
    // URG, which nobody minds.
    let outcomes = send(vec![sleeper.target(), Target { key, ..sleeper.target() }], Signal(23), None);
    assert!(outcomes[0].results[0].is_ok(), "{outcomes:?}");
    let told = outcomes[0].results[1].as_ref().expect_err("nothing was sent");
    assert!(told.contains("is protected"), "{told}");
}

/// The recorded process has the pid and the start time of a living one, as after a capture on this machine.
#[test]
fn a_recorded_tree_never_leads_to_an_effect_on_this_machine() {
    let mut sleeper = Sleeper::start(READY);
    let target = sleeper.target();
    let folder = tempfile::tempdir().expect("a folder");
    let root = ProcRoot::recorded(folder.path());
    let process = root.proc.join(target.key.pid.to_string());
    std::fs::create_dir_all(&process).expect("it can be made");
    std::fs::copy(format!("/proc/{}/stat", target.key.pid), process.join("stat")).expect("it can be copied");
    let switch = root.proc.join("sys/vm");
    std::fs::create_dir_all(&switch).expect("it can be made");
    std::fs::write(switch.join("drop_caches"), "0").expect("it can be written");
    for effect in
        [Effect::Signal { targets: vec![target], signal: KILL, escalate: None }, Effect::DropCaches(DropLevel::Both)]
    {
        let mut outcomes = Vec::new();
        run(&effect, &root, &Control::new(Duration::ZERO), |outcome| outcomes.push(outcome));
        let told = outcomes[0].results[0].as_ref().expect_err("nothing was done");
        assert!(told.contains("recorded tree") && outcomes[0].is_final, "{told}");
    }
    assert!(sleeper.0.try_wait().expect("it can be waited for").is_none(), "the bystander lives");
    assert_eq!(std::fs::read_to_string(switch.join("drop_caches")).expect("it is there"), "0");
}
