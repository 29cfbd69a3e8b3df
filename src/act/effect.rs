//! A change to the machine as a value: it can be shown, confirmed, carried out and logged.

use std::time::Duration;

use super::gauge::Measured;
use super::heap::Options;
use crate::model::cgroup::CgroupVersion;
use crate::model::key::ProcessKey;
use crate::model::text::Text;

/// Something that changes the machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Sends a signal to every target.
    Signal {
        /// Who.
        targets: Vec<Target>,
        /// Which.
        signal: Signal,
        /// Sends SIGKILL to whoever is still there after this time.
        escalate: Option<Duration>,
    },
    /// Writes to `/proc/sys/vm/drop_caches` after sync(2).
    DropCaches(DropLevel),
    /// Takes memory from a control group: `memory.reclaim` (Linux 5.19), on v1 `memory.force_empty`.
    Reclaim {
        /// From whom.
        group: GroupTarget,
        /// Bytes; `None` is all that can be taken.
        amount: Option<u64>,
    },
    /// Gives a control group a limit.
    Bound {
        /// Which.
        group: GroupTarget,
        /// Which limit.
        knob: Knob,
        /// Bytes; `None` is no limit.
        to: Option<u64>,
    },
    /// Writes `/proc/PID/oom_score_adj`, -1000 to 1000.
    OomScoreAdj {
        /// Who.
        target: Target,
        /// What.
        to: i32,
    },
    /// Changes a resource limit of a process (prlimit(2)).
    Limit {
        /// Who.
        target: Target,
        /// Which limit.
        resource: Resource,
        /// The soft limit; `None` is unlimited.
        soft: Option<u64>,
        /// The hard limit, where it is to change as well; else it is raised only as far as the soft one needs.
        hard: Option<u64>,
    },
    /// Tells the kernel what all memory of a process is worth (process_madvise(2), Linux 5.10).
    Advise {
        /// Who.
        target: Target,
        /// What.
        advice: Advice,
    },
    /// Asks a JVM for a full garbage collection.
    CollectGarbage(Target),
    /// Asks a JVM to write its live objects to a file.
    DumpHeap {
        /// Who.
        target: Target,
        /// The file, as the JVM sees it: an absolute path that does not exist yet.
        file: String,
    },
    /// Takes a V8 heap snapshot of Node.js.
    HeapSnapshot {
        /// Who.
        target: Target,
        /// The file, for us: an absolute path that does not exist yet.
        file: String,
        /// How.
        options: Options,
    },
    /// Takes every swap device out of use and back into it: what lies in swap returns to RAM.
    RecycleSwap,
}

impl Effect {
    /// Whether it takes its time and can be stopped in the middle.
    pub fn can_be_stopped(&self) -> bool {
        matches!(
            self,
            Self::Signal { escalate: Some(_), .. }
                | Self::Reclaim { .. }
                | Self::RecycleSwap
                | Self::Advise { .. }
                | Self::CollectGarbage(_)
                | Self::DumpHeap { .. }
                | Self::HeapSnapshot { .. }
        )
    }
}

/// A process as the person saw it when choosing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Pid and start time: checked again before anything is sent.
    pub key: ProcessKey,
    /// Effective user.
    pub uid: u32,
    /// User's name.
    pub user: String,
    /// Command line, escaped.
    pub command: String,
}

/// A control group as the person chose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupTarget {
    /// Its path in the hierarchy of the memory controller, from that hierarchy's root.
    pub path: Text,
    /// The hierarchy.
    pub version: CgroupVersion,
    /// The process through which it was chosen: it must still be there, and in the group.
    pub via: Option<Target>,
}

/// A limit of a control group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knob {
    /// `memory.high`: above it the group is slowed and its memory reclaimed (v2 alone).
    High,
    /// `memory.max`, on v1 `memory.limit_in_bytes`: above it processes of the group are killed.
    Max,
}

/// A resource limit (getrlimit(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// RLIMIT_NOFILE: the most open files, plus one.
    OpenFiles,
    /// RLIMIT_AS: the largest address space, bytes.
    AddressSpace,
}

/// What memory is worth (madvise(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// MADV_PAGEOUT: it goes now, to swap or back to its files.
    PageOut,
    /// MADV_COLD: it is the first to go once memory is short.
    Cold,
}

/// A signal by its kernel number, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signal(pub i32);

/// What drop_caches frees (Documentation/admin-guide/sysctl/vm.rst).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropLevel {
    /// 1: clean page cache.
    PageCache,
    /// 2: reclaimable slab: dentries and inodes.
    Slab,
    /// 3: both.
    Both,
}

/// What will happen, for the dialog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// A question in one line.
    pub title: String,
    /// Who or what is changed, a line each.
    pub targets: Vec<String>,
    /// What will happen and what will not, a sentence each.
    pub effects: Vec<String>,
    /// The right that it takes.
    pub needs: String,
    /// What may go wrong.
    pub risk: String,
    /// How to get back to what was.
    pub undo: String,
    /// Why it can't be done, and the exact command for whoever could; `None` where it can.
    pub refusal: Option<Refusal>,
}

impl Plan {
    /// What will happen, then what it needs, risks and how it is undone, a line each.
    pub fn lines(&self) -> Vec<String> {
        let rest = [(tr!("Needs"), &self.needs), (tr!("Risk"), &self.risk), (tr!("Undo"), &self.undo)];
        let rest =
            rest.iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| tr!("{name}: {text}", name, text));
        self.effects.iter().cloned().chain(rest).collect()
    }
}

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is needed, a sentence.
    pub reason: String,
    /// The same as a shell command for someone who has the rights; empty where there is none.
    pub command: String,
}

/// What came of an effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The effect.
    pub effect: Effect,
    /// When it began, milliseconds since the epoch. Outcomes of the same effect and moment are one action's.
    pub wall_ms: i64,
    /// How long it took so far.
    pub took: Duration,
    /// How far it is.
    pub stage: Stage,
    /// One line a target, in their order, or one for the machine.
    pub results: Vec<Result<String, String>>,
    /// Whether no more outcomes of the same action will follow.
    pub is_final: bool,
    /// What it was to change, before and after.
    pub measured: Vec<Measured>,
    /// The effect that brings back what was, where there is one.
    pub undo: Option<Effect>,
}

impl Outcome {
    /// Whether SIGKILL is still to come for who is deaf to another signal: nothing has been measured yet.
    pub fn awaits_kill(&self) -> bool {
        let escalates = matches!(self.effect, Effect::Signal { escalate: Some(_), .. });
        escalates && !self.is_final && self.measured.is_empty()
    }
}

/// How far an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Under way.
    Progress,
    /// Something was done, or nothing could be.
    Acted,
    /// Measured again some time later.
    Settled,
}
