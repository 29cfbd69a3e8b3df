//! What is said of a quantity's growth: a verdict, how sure it is, how fast, since when, and what it will meet.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::key::ProcessKey;
use super::process::{Identity, ProcessSample};
use super::reading::BootMs;
use super::text::Text;

/// How a quantity behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// There is not enough to tell yet.
    #[default]
    NotEnoughData,
    /// It stays where it is.
    Steady,
    /// It falls and keeps falling.
    Shrinking,
    /// It goes up and down over a floor that stays.
    Sawtooth,
    /// It moved to another level and stays there.
    Stepped,
    /// It grows ever more slowly: a cache that fills, a start.
    WarmingUp,
    /// It grows, and there is not yet enough to call it a leak.
    Growing,
    /// It has been growing steadily for long, to where it has never been.
    Leaking,
}

impl Verdict {
    /// The word for people and for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotEnoughData => key!("not enough data"),
            Self::Steady => key!("steady"),
            Self::Shrinking => key!("shrinking"),
            Self::Sawtooth => key!("sawtooth"),
            Self::Stepped => key!("stepped"),
            Self::WarmingUp => key!("warming up"),
            Self::Growing => key!("growing"),
            Self::Leaking => key!("leaking"),
        }
    }

    /// Every verdict, from the least to the worst.
    pub const ALL: [Self; 8] = [
        Self::NotEnoughData,
        Self::Steady,
        Self::Shrinking,
        Self::Sawtooth,
        Self::Stepped,
        Self::WarmingUp,
        Self::Growing,
        Self::Leaking,
    ];

    /// The verdict of this place among all.
    pub fn of_rank(rank: u32) -> Self {
        Self::ALL.get(rank as usize).copied().unwrap_or_default()
    }

    /// Whether it rises now.
    pub fn is_rising(self) -> bool {
        matches!(self, Self::WarmingUp | Self::Growing | Self::Leaking)
    }
}

/// What is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Quantity {
    /// Anonymous memory in RAM and in swap, bytes: what a heap is made of.
    Private,
    /// Proportional set size, bytes.
    Pss,
    /// Shared memory and tmpfs mapped by a process (RssShmem), or all of the machine's (Shmem), bytes.
    Shmem,
    /// Page tables, bytes.
    PageTables,
    /// Open file descriptors.
    Fds,
    /// Threads.
    Threads,
    /// MemTotal - MemAvailable, bytes.
    Used,
    /// Slab that can't be given back (SUnreclaim), bytes.
    SlabUnreclaimable,
    /// Kernel stacks, bytes.
    KernelStack,
    /// Per-CPU allocations, bytes.
    Percpu,
    /// vmalloc in use, bytes.
    Vmalloc,
    /// RAM that no counter of the kernel has, bytes.
    Unaccounted,
}

impl Quantity {
    /// The machine's own quantities that may leak without a process to blame.
    pub const OF_KERNEL: [Self; 7] = [
        Self::Shmem,
        Self::SlabUnreclaimable,
        Self::PageTables,
        Self::KernelStack,
        Self::Percpu,
        Self::Vmalloc,
        Self::Unaccounted,
    ];

    /// Its name in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Pss => "pss",
            Self::Shmem => "shmem",
            Self::PageTables => "page_tables",
            Self::Fds => "fds",
            Self::Threads => "threads",
            Self::Used => "used",
            Self::SlabUnreclaimable => "slab_unreclaimable",
            Self::KernelStack => "kernel_stack",
            Self::Percpu => "percpu",
            Self::Vmalloc => "vmalloc",
            Self::Unaccounted => "unaccounted",
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Private => key!("private memory"),
            Self::Pss => "PSS",
            Self::Shmem => key!("shared memory and tmpfs"),
            Self::PageTables => key!("page tables"),
            Self::Fds => key!("file descriptors"),
            Self::Threads => key!("threads"),
            Self::Used => key!("used memory"),
            Self::SlabUnreclaimable => key!("kernel slab"),
            Self::KernelStack => key!("kernel stacks"),
            Self::Percpu => key!("per-CPU memory"),
            Self::Vmalloc => "vmalloc",
            Self::Unaccounted => key!("unaccounted memory"),
        }
    }

    /// Whether it is counted in bytes; otherwise in things.
    pub fn is_bytes(self) -> bool {
        !matches!(self, Self::Fds | Self::Threads)
    }
}

/// The judgement of one quantity over its history.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// How it behaves.
    pub verdict: Verdict,
    /// How sure that is, 0 to 1.
    pub confidence: f32,
    /// Units (bytes, things) per minute.
    pub rate: f64,
    /// The lower end of the rate's interval (Sen 1968, 95 %).
    pub rate_low: f64,
    /// Its upper end.
    pub rate_high: f64,
    /// When the present behaviour began, as far as it was seen.
    pub since: BootMs,
    /// The floor it stood on then.
    pub from: f64,
    /// Where it stands now.
    pub level: f64,
    /// For how much longer it has to go on like this before more can be said, milliseconds; zero where nothing more is
    /// to be said.
    pub needs_ms: u64,
}

impl Judgement {
    /// Nothing known yet of what was first seen at `since`.
    pub fn unknown(since: BootMs, level: f64, needs_ms: u64) -> Self {
        Self {
            verdict: Verdict::NotEnoughData,
            confidence: 0.0,
            rate: 0.0,
            rate_low: 0.0,
            rate_high: 0.0,
            since,
            from: level,
            level,
            needs_ms,
        }
    }

    /// How much was gained since it began, in units.
    pub fn gain(&self) -> f64 {
        self.level - self.from
    }
}

/// What is said of a process in one line of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Growth of private memory and swap, bytes per minute; NaN where unknown.
    pub growth: f32,
    /// How its memory behaves; a leak of descriptors or threads counts as the process's.
    pub verdict: Verdict,
    /// How sure that is, percent, 0 to 99.
    pub percent: u8,
}

impl Judged {
    /// A judgement's line.
    pub fn new(growth: f32, verdict: Verdict, confidence: f32) -> Self {
        Self { growth, verdict, percent: (confidence * 100.0).clamp(0.0, 99.0) as u8 }
    }
}

/// What the history of many samples adds to one.
#[derive(Clone, Debug, Default)]
pub struct Analysis {
    /// Growth and verdict, by place among the sample's processes; empty where there is no history.
    pub judged: Arc<[Judged]>,
    /// All that rises, the most urgent first.
    pub findings: Arc<[Finding]>,
    /// What rises beside, and can't be judged yet.
    pub early: Early,
}

/// Processes that rise and are too young, or have gained too little, to be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Early {
    /// How many.
    pub processes: usize,
    /// After so long the last of them can be, milliseconds.
    pub needs_ms: u64,
}

/// Whose quantity it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// One process.
    Process(ProcessKey),
    /// A unit, a container, or all processes of one name and owner: a leak spread over workers.
    Group(Text),
    /// What no process owns.
    Machine,
}

impl Subject {
    /// Whether this process is it, or one of it.
    pub fn includes(&self, process: &ProcessSample) -> bool {
        self.is_of(process.key, &process.identity)
    }

    /// The same of a process of which no more is known.
    pub fn is_of(&self, process: ProcessKey, identity: &Identity) -> bool {
        match self {
            Self::Process(key) => *key == process,
            Self::Group(key) => {
                let (name, owner) = (identity.comm.as_bytes(), identity.uid.to_ne_bytes());
                let is_of_name = || {
                    let rest = key.as_bytes().strip_prefix(name).and_then(|rest| rest.strip_prefix(b"\0"));
                    rest.is_some_and(|rest| rest == owner.as_slice())
                };
                *key == identity.cgroup.memory || is_of_name()
            }
            Self::Machine => false,
        }
    }
}

/// Something that ends growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Limit {
    /// The tightest memory limit of the control group or its ancestors.
    Cgroup,
    /// MemAvailable: from there on the kernel reclaims and swaps.
    Memory,
    /// RAM and swap together: from there on the OOM killer acts.
    Swap,
    /// RLIMIT_NOFILE.
    Files,
    /// The heap limit that was set for the runtime.
    Heap,
}

impl Limit {
    /// Its name for people, as what becomes full.
    pub fn title(self) -> &'static str {
        match self {
            Self::Cgroup => key!("cgroup limit"),
            Self::Memory => key!("memory"),
            Self::Swap => key!("memory and swap"),
            Self::Files => key!("fd limit"),
            Self::Heap => key!("heap limit"),
        }
    }

    /// Its name in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::Memory => "memory",
            Self::Swap => "swap",
            Self::Files => "nofile",
            Self::Heap => "heap",
        }
    }
}

/// When a limit will be met if the growth goes on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meeting {
    /// What is met.
    pub limit: Limit,
    /// Its size, in units of the quantity.
    pub size: f64,
    /// What is left until then, in units.
    pub left: f64,
    /// Milliseconds until then.
    pub in_ms: f64,
    /// The earliest, by the upper end of the rate.
    pub earliest_ms: f64,
    /// The latest, by the lower end of the rate; infinite where that end is no growth.
    pub latest_ms: f64,
    /// Whether it is the end: a kill, or a refusal. Otherwise the kernel makes room, by swapping.
    pub is_end: bool,
}

/// A subject whose quantity does something worth knowing.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Whose.
    pub subject: Subject,
    /// What.
    pub quantity: Quantity,
    /// The subject's name for people: `node[1234]`, `php-fpm (40)`, `machine`; escaped.
    pub name: String,
    /// How it behaves.
    pub judgement: Judgement,
    /// The limits in its way, the first to be met first.
    pub meetings: Vec<Meeting>,
}

impl Finding {
    /// The limit that is met first.
    pub fn first_meeting(&self) -> Option<&Meeting> {
        self.meetings.first()
    }

    /// The first limit that has not been met yet; where all have, the last one.
    pub fn ahead(&self) -> Option<&Meeting> {
        self.meetings.iter().find(|meeting| meeting.left > 0.0).or(self.meetings.last())
    }

    /// The limit at which it ends.
    pub fn end(&self) -> Option<&Meeting> {
        self.meetings.iter().find(|meeting| meeting.is_end)
    }
}

/// Milliseconds until leaks fill the machine's memory; `None` where none ever does.
pub fn memory_full_in(findings: &[Finding]) -> Option<f64> {
    let leaks = findings.iter().filter(|finding| finding.judgement.verdict == Verdict::Leaking);
    let meetings = leaks.flat_map(|leak| &leak.meetings).filter(|meeting| meeting.limit == Limit::Memory);
    meetings.map(|meeting| meeting.in_ms).filter(|ms| ms.is_finite()).min_by(f64::total_cmp)
}
