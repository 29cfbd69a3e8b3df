//! How to find what opens descriptors, starts threads, or maps.

use super::bound::unit;
use super::{Advice, Case};
use crate::analyze::story::program::{Runtime, runtime};
use crate::analyze::story::sentence::Amount;
use crate::model::judgement::Limit;
use crate::model::shell::quote;

/// A limit is raised to so many times what it is.
const RAISE: f64 = 4.0;

/// Descriptors that are never closed.
pub(super) fn descriptors(case: &Case<'_>, given: &mut Vec<Advice>) {
    let Some(pid) = case.pid() else { return };
    let count = Amount::Count(case.finding.judgement.level);
    given.push(Advice {
        title: "See what is left open, grouped by target".into(),
        commands: vec![format!(
            "memtide inspect {pid} --part descriptors   # CLOSE_WAIT is closed by the peer, not by it"
        )],
        why: case.why().say(", and has ").put("fds", count).say(" open: what stands on top is what it does not close."),
        risk: None,
    });
    given.extend(raise(case, pid));
}

/// More descriptors, where a limit is in the way.
fn raise(case: &Case<'_>, pid: u32) -> Option<Advice> {
    let meeting = case.finding.meetings.iter().find(|meeting| meeting.limit == Limit::Files)?;
    let (limit, rate) = (meeting.size, case.finding.judgement.rate);
    let more = (limit * RAISE).floor();
    let bought_ms = (more - limit) / rate * 60_000.0;
    let identity = case.scene.processes(case.finding).first().map(|process| &process.identity)?;
    let mut commands =
        vec![format!("prlimit --pid {pid} --nofile={more:.0}:{more:.0}   # of the running process, at once")];
    if let Some(unit) = unit(&identity.cgroup) {
        let folder = quote(&format!("/etc/systemd/system/{unit}.d"));
        commands.push(format!(
            "mkdir -p {folder} && printf '[Service]\\nLimitNOFILE={more:.0}\\n' > {folder}/files.conf && systemctl \
             daemon-reload   # from its next start on"
        ));
    }
    Some(Advice {
        title: "Raise the limit to gain time, and time only".into(),
        commands,
        why: case
            .why()
            .say(", and its limit is ")
            .put("fd_limit", Amount::Count(limit))
            .say("; ")
            .put("advised", Amount::Count(more))
            .say(" would last ")
            .put("bought", Amount::Milliseconds(bought_ms))
            .say(" longer."),
        risk: Some(
            "the leak goes on: each open file or socket costs kernel memory, and often memory of its own".into(),
        ),
    })
}

/// Threads that never end.
pub(super) fn threads(case: &Case<'_>, given: &mut Vec<Advice>) {
    let processes = case.scene.processes(case.finding);
    let Some(process) = processes.first() else { return };
    let pid = process.key.pid;
    given.push(Advice {
        title: "See which threads there are, by name".into(),
        commands: vec![format!("memtide inspect {pid} --part threads")],
        why: case
            .why()
            .say(", and has ")
            .put("threads", Amount::Count(case.finding.judgement.level))
            .say(": a pool that only grows, or a thread for each request that waits for ever."),
        risk: None,
    });
    let (command, risk) = match runtime(&process.identity) {
        Runtime::Jvm => (format!("jcmd {pid} Thread.print | grep -A 8 '^\"' | head -n 200"), None),
        Runtime::Python => (format!("py-spy dump --pid {pid}"), None),
        _ => (
            format!("gdb -p {pid} -batch -ex 'thread apply all bt 12'"),
            Some("the program stands still while gdb looks at it".to_owned()),
        ),
    };
    given.push(Advice {
        title: "See what they wait for".into(),
        commands: vec![command],
        why: case.why().say(": where most of them stand is where they were started for and never end."),
        risk,
    });
}

/// Page tables that grow although no memory does.
pub(super) fn mappings(case: &Case<'_>, given: &mut Vec<Advice>) {
    let Some(pid) = case.pid() else { return };
    given.push(Advice {
        title: "See what is mapped".into(),
        commands: vec![format!("memtide inspect {pid} --part mappings --for 1m")],
        why: case.why().say(": page tables follow what is mapped, be it used or not."),
        risk: None,
    });
}
