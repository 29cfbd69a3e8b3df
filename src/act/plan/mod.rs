//! What an effect would do, in words, before it is done: whom it hits, what it takes, what it risks, how it is undone.

mod advise;
mod group;
pub mod heap;
mod machine;
mod process;
mod signal;

use super::effect::{Effect, Plan, Refusal, Target};
use super::rights::Carriers;
use crate::collect::root::ProcRoot;
use crate::collect::system::parse_meminfo;
use crate::model::reading::Reading;

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
    const WHY: &str = key!("Refused: this is a recorded tree and not the running machine. Nothing is done to either.");
    (!root.is_live).then(|| tr!(of WHY))
}

/// Why an effect is refused whatever the rights. Of signals every target is looked at when it is sent.
pub(super) fn refused_whoever_asks(effect: &Effect) -> Option<String> {
    match effect {
        Effect::OomScoreAdj { target, .. } | Effect::Limit { target, .. } if target.key.pid <= 1 => {
            Some(tr!("Pid 1 is refused: the machine, or the container, stands on it. If you mean it, run:").into())
        }
        _ => None,
    }
}

/// Says what an effect would do, whom it hits, and whether we may.
pub fn plan(effect: &Effect, root: &ProcRoot, caches: Caches) -> Plan {
    let mut plan = match effect {
        Effect::Signal { targets, signal, escalate } => signal::plan(targets, *signal, *escalate, root),
        Effect::DropCaches(level) => machine::drop_caches(*level, root, caches),
        Effect::RecycleSwap => machine::recycle_swap(root),
        Effect::Reclaim { group, amount } => group::reclaim(group, *amount, root),
        Effect::Bound { group, knob, to } => group::bound(group, *knob, *to, root),
        Effect::OomScoreAdj { target, to } => process::oom_score_adj(target, *to, root),
        Effect::Limit { target, resource, soft, hard } => process::limit(target, *resource, (*soft, *hard), root),
        Effect::Advise { target, advice } => advise::advise(target, *advice, root),
        Effect::CollectGarbage(target) => process::collect_garbage(target, root),
        Effect::DumpHeap { target, file } => process::dump_heap(target, file, root),
        Effect::HeapSnapshot { target, file, options } => heap::snapshot(target, file, *options, root),
    };
    if let Some(reason) = refused_whoever_asks(effect) {
        let command = process::shell_command(effect);
        plan.refusal = Some(Refusal { reason, command });
    }
    if let Some(reason) = not_here(root) {
        plan.refusal = Some(Refusal { reason: reason.into(), command: String::new() });
    }
    plan
}

/// `1234  app  node app.js  (started 3:12 after boot)`: enough to recognise who it is.
fn describe(target: &Target, root: &ProcRoot) -> String {
    let seconds = target.key.start_time / root.clock_ticks.max(1);
    let started = crate::units::Span(std::time::Duration::from_secs(seconds));
    tr!(
        "{pid}  {user}  {command}  (started {started} after boot)",
        pid = target.key.pid,
        user = target.user,
        command = target.command,
        started
    )
}

/// Says loudly who among the targets carries this session, or another one.
fn cautions(targets: &[Target], root: &ProcRoot) -> Vec<String> {
    let carriers = Carriers::read(root);
    let pids = |is_one: &dyn Fn(u32) -> bool| {
        let pids: Vec<String> =
            targets.iter().map(|target| target.key.pid).filter(|pid| is_one(*pid)).map(|pid| pid.to_string()).collect();
        pids.join(", ")
    };
    let own = pids(&|pid| carriers.is_own(pid));
    let doors = pids(&|pid| !carriers.is_own(pid) && carriers.is_door(pid));
    let mut cautions = Vec::new();
    if !own.is_empty() {
        cautions.push(tr!(
            "CAUTION: {own} is memtide itself or carries it (shell, terminal, sshd): your session may end.",
            own
        ));
    }
    if !doors.is_empty() {
        cautions.push(tr!(
            "CAUTION: {doors} is sshd: whoever is logged in through it, or wants to log in, may be shut out.",
            doors
        ));
    }
    cautions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::effect::{DropLevel, Resource};
    use crate::model::key::ProcessKey;

    fn target(pid: u32) -> Target {
        Target { key: ProcessKey { pid, start_time: 1 }, uid: 0, user: "root".into(), command: "x".into() }
    }

    fn signal(pids: &[u32]) -> Effect {
        Effect::Signal {
            targets: pids.iter().map(|pid| target(*pid)).collect(),
            signal: crate::act::signal::TERM,
            escalate: None,
        }
    }

    #[test]
    fn pid_1_is_refused_with_the_command_for_who_means_it() {
        let plan = plan(&signal(&[1]), &ProcRoot::live(), Caches::default());
        let refusal = plan.refusal.unwrap();
        assert!(refusal.reason.contains("Pid 1"), "{}", refusal.reason);
        assert_eq!(refusal.command, "kill -TERM 1");
    }

    #[test]
    fn nothing_else_changes_pid_1_either_and_the_command_for_who_means_it_is_shown() {
        let to = Some(5);
        for (effect, command) in [
            (Effect::OomScoreAdj { target: target(1), to: -7 }, "echo -7 | sudo tee /proc/1/oom_score_adj"),
            (
                Effect::Limit { target: target(1), resource: Resource::OpenFiles, soft: to, hard: None },
                "sudo prlimit --pid 1 --nofile=5:",
            ),
        ] {
            let refusal = plan(&effect, &ProcRoot::live(), Caches::default()).refusal.unwrap();
            assert!(refusal.reason.contains("Pid 1"), "{}", refusal.reason);
            assert_eq!(refusal.command, command);
        }
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
        for effect in [signal(&[std::process::id()]), Effect::DropCaches(DropLevel::Both), Effect::RecycleSwap] {
            let refusal = plan(&effect, &root, Caches::default()).refusal.unwrap();
            assert!(refusal.reason.contains("recorded tree"), "{}", refusal.reason);
        }
    }
}
