//! A change to the machine as a value: it can be shown, confirmed, carried out and logged.

use std::time::Duration;

use crate::model::key::ProcessKey;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// A question in one line.
    pub title: String,
    /// Who or what is changed, a line each.
    pub targets: Vec<String>,
    /// What will happen and what will not, a sentence each.
    pub effects: Vec<String>,
    /// Why it can't be done with our rights, and the exact command that could; `None` where it can.
    pub refusal: Option<Refusal>,
}

/// Rights that are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is needed, a sentence.
    pub reason: String,
    /// The same as a shell command for someone who has the rights.
    pub command: String,
}

/// What came of an effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The effect.
    pub effect: Effect,
    /// When it began, milliseconds since the epoch.
    pub wall_ms: i64,
    /// How long it took.
    pub took: Duration,
    /// One line a target, in their order, or one for the machine.
    pub results: Vec<Result<String, String>>,
    /// Whether more outcomes of the same effect will follow (an escalation under way).
    pub is_final: bool,
    /// Memory before and after, for effects that free some.
    pub measured: Option<Measured>,
}

/// The machine's memory around an effect, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// MemFree before.
    pub free_before: u64,
    /// MemFree after.
    pub free_after: u64,
    /// MemAvailable before.
    pub available_before: u64,
    /// MemAvailable after.
    pub available_after: u64,
    /// Cached + Buffers before.
    pub cache_before: u64,
    /// Cached + Buffers after.
    pub cache_after: u64,
    /// SReclaimable before.
    pub slab_before: u64,
    /// SReclaimable after.
    pub slab_after: u64,
}
