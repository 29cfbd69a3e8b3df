//! What an effect would do, in words, before it is done.

use super::effect::{DropLevel, Effect, Plan, Refusal, Signal, Target};
use super::rights::{Missing, may_signal, may_write, own_line};
use super::signal::{self, KILL};
use crate::collect::root::ProcRoot;
use crate::collect::system::parse_meminfo;
use crate::model::reading::Reading;
use crate::units::Bytes;

/// Memory that the plan for dropping caches speaks of, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caches {
    /// Page cache that is neither dirty nor shared memory.
    pub clean: Option<u64>,
    /// Reclaimable slab.
    pub slab: Option<u64>,
}

impl Caches {
    /// What there is to drop now.
    pub fn read(root: &ProcRoot) -> Self {
        let mem = std::fs::read(root.proc.join("meminfo")).map(|bytes| parse_meminfo(&bytes)).unwrap_or_default();
        let held = [mem.shmem, mem.dirty, mem.writeback].into_iter().filter_map(Reading::value).sum::<u64>();
        let clean = mem.cached.and_then(|cached| mem.buffers.map(|buffers| (cached + buffers).saturating_sub(held)));
        Self { clean: clean.value(), slab: mem.s_reclaimable.value() }
    }
}

/// Why nothing may be changed where the files are a recorded tree's: its pids are strangers' on this machine.
pub(super) fn not_here(root: &ProcRoot) -> Option<&'static str> {
    const WHY: &str = "Refused: this is a recorded tree and not the running machine. Nothing is done to either.";
    (!root.is_live).then_some(WHY)
}

/// Says what an effect would do, whom it hits, and whether we may.
pub fn plan(effect: &Effect, root: &ProcRoot, caches: Caches) -> Plan {
    let mut plan = plan_here(effect, root, caches);
    if let Some(reason) = not_here(root) {
        plan.refusal = Some(Refusal { reason: reason.into(), command: String::new() });
    }
    plan
}

fn plan_here(effect: &Effect, root: &ProcRoot, caches: Caches) -> Plan {
    match effect {
        Effect::Signal { targets, signal, escalate } => Plan {
            title: match targets.as_slice() {
                [one] => format!("send SIG{} to process {}?", signal::name(*signal), one.key.pid),
                many => format!("send SIG{} to {} processes?", signal::name(*signal), many.len()),
            },
            targets: targets.iter().map(|target| describe(target, root)).collect(),
            effects: signal_effects(targets, *signal, *escalate, root),
            refusal: signal_refusal(targets, *signal),
        },
        Effect::DropCaches(level) => Plan {
            title: "drop caches?".into(),
            targets: vec![format!("this machine: sync, then vm.drop_caches={}", number(*level))],
            effects: drop_effects(*level, caches),
            refusal: drop_refusal(*level, root),
        },
    }
}

/// `1234  app  node app.js  (started 3:12 after boot)`: enough to recognise who it is.
fn describe(target: &Target, root: &ProcRoot) -> String {
    let seconds = target.key.start_time / root.clock_ticks.max(1);
    let started = crate::units::Span(std::time::Duration::from_secs(seconds));
    format!("{}  {}  {}  (started {started} after boot)", target.key.pid, target.user, target.command)
}

fn signal_effects(
    targets: &[Target],
    signal: Signal,
    escalate: Option<std::time::Duration>,
    root: &ProcRoot,
) -> Vec<String> {
    let mut effects = Vec::new();
    let help = signal::menu().find(|known| known.signal == signal).map_or("", |known| known.help);
    effects.push(format!("SIG{}: {help}.", signal::name(signal)));
    if let Some(grace) = escalate {
        effects.push(format!("Who is still there after {} s gets SIGKILL and can save nothing.", grace.as_secs()));
    }
    let line = own_line(root);
    let own: Vec<String> = targets
        .iter()
        .filter(|target| line.contains(&target.key.pid))
        .map(|target| target.key.pid.to_string())
        .collect();
    if !own.is_empty() {
        effects.push(format!(
            "CAUTION: {} is memtide itself or carries it (shell, terminal, sshd): your session may end.",
            own.join(", ")
        ));
    }
    effects.push("The start time is checked first: a process that took over the pid is not hit.".into());
    effects
}

fn signal_refusal(targets: &[Target], signal: Signal) -> Option<Refusal> {
    let pids = |targets: &[&Target]| {
        let pids: Vec<String> = targets.iter().map(|target| target.key.pid.to_string()).collect();
        pids.join(" ")
    };
    if let Some(init) = targets.iter().find(|target| target.key.pid == 1) {
        return Some(Refusal {
            reason: "Pid 1 is refused: the machine, or the container, stands on it. If you mean it, run:".into(),
            command: format!("kill -{} {}", signal::name(signal), init.key.pid),
        });
    }
    let denied: Vec<&Target> =
        targets.iter().filter(|target| may_signal(target.key.pid) == Err(Missing::Privilege)).collect();
    if denied.is_empty() {
        return None;
    }
    let whose: Vec<&str> = denied.iter().map(|target| target.user.as_str()).collect();
    Some(Refusal {
        reason: format!(
            "Not permitted: {} of {} belong to {}; it takes that user, root or CAP_KILL. Run this, or memtide under sudo:",
            denied.len(),
            targets.len(),
            whose[0]
        ),
        command: format!("sudo kill -{} {}", signal::name(signal), pids(&denied)),
    })
}

fn drop_effects(level: DropLevel, caches: Caches) -> Vec<String> {
    let show = |bytes: Option<u64>| bytes.map_or_else(|| "an unknown amount".into(), |bytes| Bytes(bytes).to_string());
    let mut effects = vec!["Dirty pages are written to disk first (sync), which can take a while.".to_owned()];
    if level != DropLevel::Slab {
        effects.push(format!("Frees up to {} of clean page cache.", show(caches.clean)));
    }
    if level != DropLevel::PageCache {
        effects.push(format!("Frees part of {} of reclaimable slab (dentries and inodes).", show(caches.slab)));
    }
    effects.push(
        "Frees nothing that a process allocated, no shared memory, no tmpfs, no mapped code in use: MemAvailable, which \
         counts caches as free already, hardly moves."
            .into(),
    );
    effects.push("Files are then read from disk again: the machine may be slower for minutes. No data is lost.".into());
    effects
}

fn drop_refusal(level: DropLevel, root: &ProcRoot) -> Option<Refusal> {
    let command = format!("sudo sh -c 'sync; sysctl -w vm.drop_caches={}'", number(level));
    let reason = match may_write(&root.proc.join("sys/vm/drop_caches")).err()? {
        Missing::Privilege => "Not permitted: it takes root. Run this, or memtide under sudo:",
        Missing::ReadOnly => "Not permitted: /proc/sys is read-only here (a container). Run this on the host:",
        Missing::Absent => "This kernel or container has no vm.drop_caches. Run this on the host:",
    };
    Some(Refusal { reason: reason.into(), command })
}

/// What is written to the file.
pub(super) fn number(level: DropLevel) -> u8 {
    match level {
        DropLevel::PageCache => 1,
        DropLevel::Slab => 2,
        DropLevel::Both => 3,
    }
}

/// Whether a signal to this target is refused whoever we are.
pub(super) fn is_protected(target: &Target) -> bool {
    target.key.pid <= 1
}

/// The signal of an escalation's second step.
pub(super) const LAST: Signal = KILL;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::ProcessKey;

    fn target(pid: u32) -> Target {
        Target { key: ProcessKey { pid, start_time: 1 }, uid: 0, user: "root".into(), command: "x".into() }
    }

    fn signal(pids: &[u32]) -> Effect {
        Effect::Signal { targets: pids.iter().map(|pid| target(*pid)).collect(), signal: signal::TERM, escalate: None }
    }

    #[test]
    fn pid_1_is_refused_with_the_command_for_who_means_it() {
        let plan = plan(&signal(&[1]), &ProcRoot::live(), Caches::default());
        let refusal = plan.refusal.unwrap();
        assert!(refusal.reason.contains("Pid 1"), "{}", refusal.reason);
        assert_eq!(refusal.command, "kill -TERM 1");
    }

    #[test]
    fn memtide_and_the_session_that_carries_it_are_pointed_out() {
        let parent = rustix::process::getppid().unwrap().as_raw_pid() as u32;
        let plan = plan(&signal(&[std::process::id(), parent]), &ProcRoot::live(), Caches::default());
        let caution = plan.effects.iter().find(|line| line.contains("CAUTION")).unwrap();
        assert!(caution.contains(&format!("{}, {parent} is", std::process::id())), "{caution}");
    }

    #[test]
    fn dropping_caches_says_what_it_frees_and_what_it_does_not() {
        let caches = Caches { clean: Some(168 << 20), slab: Some(25 << 20) };
        let plan = plan(&Effect::DropCaches(DropLevel::Both), &ProcRoot::live(), caches);
        let text = plan.effects.join(" ");
        assert!(
            text.contains("168M") && text.contains("25M") && text.contains("Frees nothing that a process"),
            "{text}"
        );
    }

    #[test]
    fn a_tree_without_drop_caches_refuses() {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot { is_live: true, ..ProcRoot::recorded(folder.path()) };
        let plan = plan(&Effect::DropCaches(DropLevel::Slab), &root, Caches::default());
        assert!(plan.refusal.unwrap().command.ends_with("vm.drop_caches=2'"));
    }

    #[test]
    fn on_a_recorded_tree_everything_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot::recorded(folder.path());
        for effect in [signal(&[std::process::id()]), Effect::DropCaches(DropLevel::Both)] {
            let refusal = plan(&effect, &root, Caches::default()).refusal.unwrap();
            assert!(refusal.reason.contains("recorded tree"), "{}", refusal.reason);
        }
    }
}
