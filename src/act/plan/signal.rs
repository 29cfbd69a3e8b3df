//! Signals.

use std::time::Duration;

use super::{cautions, describe};
use crate::act::effect::{Plan, Refusal, Signal, Target};
use crate::act::rights::{Carriers, Missing, may_signal};
use crate::act::signal::{self, KILL, is_fatal, name};
use crate::collect::root::ProcRoot;

pub(super) fn plan(targets: &[Target], signal: Signal, escalate: Option<Duration>, root: &ProcRoot) -> Plan {
    Plan {
        title: match targets {
            [one] => tr!("send SIG{signal} to process {pid}?", signal = name(signal), pid = one.key.pid),
            many => tr!("send SIG{signal} to {count} processes?", signal = name(signal), count = many.len()),
        },
        targets: targets.iter().map(|target| describe(target, root)).collect(),
        effects: effects(targets, signal, escalate, root),
        needs: tr!("the process's own user, root or CAP_KILL.").into(),
        risk: risk(signal).into(),
        undo: undo(signal).into(),
        refusal: refusal(targets, signal, root),
    }
}

fn effects(targets: &[Target], signal: Signal, escalate: Option<Duration>, root: &ProcRoot) -> Vec<String> {
    let mut effects = Vec::new();
    let help = signal::menu().find(|known| known.signal == signal).map_or("", |known| known.help);
    effects.push(tr!("SIG{signal}: {help}.", signal = name(signal), help = tr!(of help)));
    if let Some(grace) = escalate {
        effects
            .push(tr!("Who is still there after {time} s gets SIGKILL and can save nothing.", time = grace.as_secs()));
    }
    effects.extend(cautions(targets, root));
    effects.push(tr!("The start time is checked first: a process that took over the pid is not hit.").into());
    effects
}

fn risk(signal: Signal) -> &'static str {
    match signal {
        KILL => tr!("what it has not written is lost, and its locks and temporary files stay."),
        Signal(19) => tr!("it answers nobody until SIGCONT: who waits for it waits as well."),
        signal if is_fatal(signal) => tr!("unless it handles the signal it ends, and what it does not save is lost."),
        _ => tr!("what the program makes of it is its own affair."),
    }
}

fn undo(signal: Signal) -> &'static str {
    match signal {
        Signal(18) => tr!("SIGSTOP stops it again."),
        Signal(19) => tr!("SIGCONT lets it go on."),
        signal if is_fatal(signal) => tr!("none: who has ended has to be started again."),
        _ => tr!("none."),
    }
}

fn refusal(targets: &[Target], signal: Signal, root: &ProcRoot) -> Option<Refusal> {
    let pids = |targets: &[&Target]| {
        let pids: Vec<String> = targets.iter().map(|target| target.key.pid.to_string()).collect();
        pids.join(" ")
    };
    if let Some(init) = targets.iter().find(|target| target.key.pid == 1) {
        return Some(Refusal {
            reason: tr!("Pid 1 is refused: the machine, or the container, stands on it. If you mean it, run:").into(),
            command: format!("kill -{} {}", name(signal), init.key.pid),
        });
    }
    if targets.len() > 1 {
        let carriers = Carriers::read(root);
        let refused: Vec<&Target> =
            targets.iter().filter(|target| carriers.refuse(target.key.pid, targets.len())).collect();
        if !refused.is_empty() {
            return Some(Refusal {
                reason: tr!(
                    "Refused: {refused} is memtide, carries it, or is sshd, and is not hit among others. Leave it out, or \
                     choose it alone.",
                    refused = pids(&refused)
                ),
                command: String::new(),
            });
        }
    }
    let denied: Vec<&Target> =
        targets.iter().filter(|target| may_signal(target.key.pid) == Err(Missing::Privilege)).collect();
    if denied.is_empty() {
        return None;
    }
    let whose: Vec<&str> = denied.iter().map(|target| target.user.as_str()).collect();
    Some(Refusal {
        reason: tr!(
            "Not permitted: {denied} of {targets} belong to {whose}; it takes that user, root or CAP_KILL. Run this, or memtide under sudo:",
            denied = denied.len(),
            targets = targets.len(),
            whose = whose[0]
        ),
        command: format!("sudo kill -{} {}", name(signal), pids(&denied)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::ProcessKey;

    /// A process called sshd that is not there: no right is asked for it.
    fn sshd(folder: &std::path::Path) -> (ProcRoot, Target) {
        let root = ProcRoot { is_live: true, ..ProcRoot::recorded(folder) };
        let pid = 999_999_999;
        let process = root.proc.join(pid.to_string());
        std::fs::create_dir_all(&process).unwrap();
        std::fs::write(process.join("comm"), "sshd-session\n").unwrap();
        (root, Target { key: ProcessKey { pid, start_time: 1 }, uid: 0, user: "root".into(), command: "sshd".into() })
    }

    #[test]
    fn who_carries_a_session_is_hit_alone_and_loudly_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (root, door) = sshd(folder.path());
        let other = Target { key: ProcessKey { pid: 999_999_998, start_time: 1 }, ..door.clone() };
        let alone = plan(std::slice::from_ref(&door), signal::TERM, None, &root);
        assert_eq!(alone.refusal, None);
        assert!(alone.effects.iter().any(|line| line.starts_with("CAUTION: 999999999 is sshd")), "{alone:?}");
        let among = plan(&[other, door], signal::TERM, None, &root);
        assert!(among.refusal.unwrap().reason.starts_with("Refused: 999999999 is"));
    }

    #[test]
    fn every_signal_says_what_it_risks_and_how_it_is_undone() {
        for known in signal::menu() {
            assert!(risk(known.signal).ends_with('.') && undo(known.signal).ends_with('.'));
        }
        assert!(undo(Signal(19)).contains("SIGCONT") && undo(KILL).starts_with("none"));
    }
}
