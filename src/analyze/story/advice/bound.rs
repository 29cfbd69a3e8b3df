//! How to bound the damage of a leak: a limit of the runtime's own, a limit of the control group, a restart in time.

use super::{Advice, Case};
use crate::analyze::story::program::{Runtime, has_program, runtime};
use crate::analyze::story::sentence::{Amount, Sentence};
use crate::model::cgroup::Membership;
use crate::model::judgement::{Limit, Meeting};
use crate::model::process::Identity;
use crate::model::shell::quote;

/// The share of what is left for a leaking program that it may take.
const SHARE: f64 = 0.75;

/// What a program may have at most, and who says so.
#[derive(Clone, Copy)]
struct Room {
    /// What it has now and what it could still get, bytes.
    bytes: f64,
    /// The limit of the control group, where that is the tighter one.
    cgroup: Option<f64>,
    /// What it has now.
    level: f64,
    /// Processes that share it.
    members: usize,
}

/// Who manages a process, as far as its control group shows it.
enum Manager {
    Service(String),
    Container(String, String),
    Nobody,
}

/// The limits that a leak of private memory calls for.
pub(super) fn give(case: &Case<'_>, given: &mut Vec<Advice>) {
    let processes = case.scene.processes(case.finding);
    let Some(identity) = processes.first().map(|process| &*process.identity) else { return };
    let Some(room) = room(case, identity, processes.len()) else { return };
    let manager = manager(&identity.cgroup);
    given.extend(heap_limit(case, identity, room, &manager));
    given.extend(recycling(case, identity, processes.len()));
    given.extend(group_limit(case, identity, room, &manager));
    given.extend(guard(case, room, &manager));
}

/// What is left for a program: by the machine, and by the limit of its control group.
fn room(case: &Case<'_>, identity: &Identity, members: usize) -> Option<Room> {
    let system = &case.scene.last.system;
    let available = system.meminfo.mem_available.value()? as f64;
    let level = case.finding.judgement.level;
    let bound = system.bound_group(&identity.cgroup).map(|bound| &bound.limit);
    let under = bound.map(|limit| (limit.limit as f64, crate::analyze::track::left_of(limit) as f64));
    Some(match under {
        Some((limit, left)) if left < available => Room { bytes: level + left, cgroup: Some(limit), level, members },
        _ => Room { bytes: level + available, cgroup: None, level, members },
    })
}

impl Room {
    /// MiB that each of the processes may take.
    fn share_mib(self) -> u64 {
        ((self.bytes * SHARE / self.members.max(1) as f64) as u64 >> 20).max(1)
    }

    /// Why it is so many.
    fn explain(self, sentence: Sentence) -> Sentence {
        let sentence = sentence
            .say(" ")
            .put("advised", Amount::Bytes((self.share_mib() << 20) as f64))
            .say(" is 75% of the ")
            .put("room", Amount::Bytes(self.bytes))
            .say(" that it has (")
            .put("level", Amount::Bytes(self.level))
            .say(") and could still get ");
        let sentence = match self.cgroup {
            Some(limit) => {
                sentence.say("under its control group's limit of ").put("cgroup_limit", Amount::Bytes(limit))
            }
            None => sentence.say("of this machine's memory"),
        };
        match self.members {
            0 | 1 => sentence.say("."),
            more => sentence.say(", shared by ").put("members", Amount::Count(more as f64)).say(" processes."),
        }
    }
}

/// A limit that the runtime keeps to by itself.
fn heap_limit(case: &Case<'_>, identity: &Identity, room: Room, manager: &Manager) -> Option<Advice> {
    let mib = room.share_mib();
    let set = case.scene.own_limit(identity);
    let advised = mib << 20;
    let (variable, option, risk) = match (runtime(identity), &set) {
        // A limit that will be met before memory is full does its work already.
        (Runtime::Node, Some(limit))
            if limit.bytes <= advised || (limit.is_told && (limit.bytes as f64) < room.bytes) =>
        {
            return None;
        }
        (Runtime::Node, _) => (
            "NODE_OPTIONS",
            format!("--max-old-space-size={mib}"),
            "it bounds objects of JavaScript alone, not Buffers and native memory; at the limit the process ends, so \
             something must restart it",
        ),
        // Its heap is bounded, and what leaks is beside it.
        (Runtime::Jvm, Some(limit)) if (limit.bytes as f64) < room.bytes * SHARE => return None,
        (Runtime::Jvm, _) => (
            "JAVA_TOOL_OPTIONS",
            format!("-Xmx{mib}m"),
            "it bounds the heap alone; at the limit the program gets OutOfMemoryError",
        ),
        _ => return None,
    };
    let commands = match manager {
        Manager::Service(unit) => {
            let folder = quote(&format!("/etc/systemd/system/{unit}.d"));
            vec![
                format!("mkdir -p {folder}"),
                format!("printf '[Service]\\nEnvironment={variable}={option}\\n' > {folder}/memory.conf"),
                format!("systemctl daemon-reload && systemctl restart {}", quote(unit)),
            ]
        }
        Manager::Container(..) => vec![format!("export {variable}={option}   # in what its container starts with")],
        Manager::Nobody => vec![format!("export {variable}={option}   # in the shell or script that starts it")],
    };
    let why = match &set {
        Some(limit) => {
            let whose = if limit.is_told { "its heap may become " } else { "its heap may by default become " };
            let why = case.why().say(", and ").say(whose).put("heap_limit", Amount::Bytes(limit.bytes as f64));
            why.say(", which is not met in time.")
        }
        None => case.why().say(", and has no limit of its own that is met in time."),
    };
    Some(Advice {
        title: format!("Give its heap a limit: {option}"),
        commands,
        why: room.explain(why),
        risk: Some(risk.into()),
    })
}

/// Workers that are replaced after so many requests.
fn recycling(case: &Case<'_>, identity: &Identity, members: usize) -> Option<Advice> {
    let is_pool = members > 1;
    let command = match runtime(identity) {
        Runtime::Php if is_pool && identity.comm.as_bytes().starts_with(b"php-fpm") => {
            "grep -n max_requests /etc/php/*/fpm/pool.d/*.conf   # set pm.max_requests = 500, then reload php-fpm"
        }
        Runtime::Python if is_pool && has_program(identity, "gunicorn") => {
            "export GUNICORN_CMD_ARGS='--max-requests 1000 --max-requests-jitter 100'   # in what starts it"
        }
        _ => return None,
    };
    Some(Advice {
        title: "Replace workers before they are large".into(),
        commands: vec![command.into()],
        why: case.why().say(": spread over workers, it is given back whenever one of them is replaced."),
        risk: Some("it bounds the leak and does not mend it".into()),
    })
}

/// A limit of the control group, where none is in the way yet.
fn group_limit(case: &Case<'_>, identity: &Identity, room: Room, manager: &Manager) -> Option<Advice> {
    // The default of a heap was not made for this machine's other programs.
    let is_told =
        case.scene.own_limit(identity).is_some_and(|limit| limit.is_told && (limit.bytes as f64) < room.bytes);
    let is_bounded = |meeting: &Meeting| meeting.limit == Limit::Cgroup || (meeting.limit == Limit::Heap && is_told);
    if case.finding.meetings.iter().any(is_bounded) {
        return None;
    }
    let room = Room { members: 1, ..room };
    let mib = room.share_mib();
    let bytes = (mib << 20) as f64;
    let commands = match manager {
        Manager::Service(unit) => vec![format!("systemctl set-property {} MemoryMax={mib}M", quote(unit))],
        Manager::Container(engine, id) => match engine.as_str() {
            "docker" => vec![format!("docker update --memory {mib}m --memory-swap {mib}m {}", quote(id))],
            "libpod" => vec![format!("podman update --memory {mib}m {}", quote(id))],
            // Whoever manages it has its own file of limits.
            _ => return None,
        },
        Manager::Nobody => {
            let pid = case.pid()?;
            vec![
                format!("cp /proc/{pid}/cmdline cmdline.{pid}   # then stop it, and start it anew with a limit:"),
                format!("xargs -0 -a cmdline.{pid} systemd-run --scope -p MemoryMax={mib}M"),
            ]
        }
    };
    let why = case.why().say(
        ", and nothing bounds it but the machine: with a limit of its own it alone is killed, and \
                             the others are spared.",
    );
    let risk = if bytes < 1.1 * room.level {
        "it has about that much already: set now, the kernel kills in it at once; restart it first"
    } else {
        "at the limit the kernel kills in it: something must restart it (Restart=on-failure)"
    };
    Some(Advice {
        title: "Bound it, so that it does not take the machine along".into(),
        commands,
        why: room.explain(why),
        risk: Some(risk.into()),
    })
}

/// A rule that ends it in time, by whoever starts it anew.
fn guard(case: &Case<'_>, room: Room, manager: &Manager) -> Option<Advice> {
    let room = Room { members: 1, ..room };
    let mib = room.share_mib();
    let (whom, step, risk) = match manager {
        Manager::Service(unit) => (
            format!("--match {} --per unit", quote(&format!("unit={unit}"))),
            "restart unit",
            "a restart bounds the leak and does not mend it: requests under way fail",
        ),
        // Its engine restarts it, by the limit of the container.
        Manager::Container(..) => return None,
        Manager::Nobody => (
            format!("--pid {}", case.pid()?),
            "signal TERM+KILL",
            "it ends the program and starts none: with --then 'restart COMMAND' it does",
        ),
    };
    let why = case.why().say(", and a rule acts before the memory is gone, without cron.");
    Some(Advice {
        title: "Or hold it by a rule".into(),
        commands: vec![format!("memtide guard {whom} --footprint-over {mib}M --for 30s --then '{step}'")],
        why: room.explain(why),
        risk: Some(risk.into()),
    })
}

fn manager(membership: &Membership) -> Manager {
    if let Some(container) = membership.container() {
        let (engine, id) = container.split_once(':').unwrap_or(("", &container));
        return Manager::Container(engine.to_owned(), id.to_owned());
    }
    let is_system = membership.managed.as_bytes().starts_with(b"/system.slice/")
        || membership.memory.as_bytes().starts_with(b"/system.slice/");
    match membership.unit() {
        Some(unit) if is_system && unit.ends_with(".service") => Manager::Service(unit.into_owned()),
        _ => Manager::Nobody,
    }
}

/// The service that runs a process, for commands of systemd.
pub(super) fn unit(membership: &Membership) -> Option<String> {
    match manager(membership) {
        Manager::Service(unit) => Some(unit),
        Manager::Container(..) | Manager::Nobody => None,
    }
}
