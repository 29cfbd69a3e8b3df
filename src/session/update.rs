//! What a session publishes after every sample and every request.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::inspect::Looked;
use super::request::Hunt;
use super::system::SystemView;
use crate::analyze::events::Event;
use crate::analyze::evidence::Evidence;
use crate::model::cgroup_tree::CgroupTree;
use crate::model::key::ProcessKey;
use crate::model::process::ProcessSample;
use crate::model::reading::BootMs;
use crate::model::snapshot::Snapshot;

/// One state of the world, live or of the past: no view knows which.
#[derive(Clone, Debug)]
pub struct Update {
    /// The moment shown.
    pub snapshot: Arc<Snapshot>,
    /// Used memory (MemTotal - MemAvailable, bytes) over the requested span up to that moment.
    pub machine: Points,
    /// Private memory and swap, in bytes, of the processes that were asked for, over the requested span.
    pub series: HashMap<ProcessKey, Points>,
    /// What the finding that was asked for rests on; `None` where it is no finding at that moment.
    pub evidence: Option<Evidence>,
    /// What came of the last look at the process that is shown whole; `None` before the first, and of the past.
    pub inspection: Option<Looked>,
    /// What the view of the machine asked for.
    pub system: Option<SystemView>,
    /// The tree of control groups, while it is asked for; none in the live past, of which it is not kept.
    pub cgroups: Option<Arc<CgroupTree>>,
    /// Processes that ended before that moment and are still remembered, the latest first.
    pub ended: Arc<[Ended]>,
    /// How far the past reaches and where in it we are.
    pub timeline: Timespan,
    /// How a recording's replay goes; `None` live.
    pub replay: Option<Replay>,
    /// The recording that goes on beside it, or could not begin.
    pub taped: Option<Taped>,
}

/// How a replay goes.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// How much of what has to be judged before this moment has been, percent; `None` once all of it has: until then
    /// there are no verdicts and no lines.
    pub judged: Option<u8>,
    /// What happened in the part that has been looked through, which reaches up to `known_to`.
    pub events: Arc<[(BootMs, Event)]>,
    /// How far events are known.
    pub known_to: BootMs,
    /// What came of the search that was asked for.
    pub found: Option<(Hunt, Option<Event>)>,
    /// Whether moments pass by themselves.
    pub is_playing: bool,
}

/// A recording that goes on while somebody looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taped {
    /// The file.
    pub path: PathBuf,
    /// Bytes written so far.
    pub bytes: u64,
    /// Why nothing is recorded at the moment, if that is so.
    pub problem: Option<String>,
}

/// Evenly spaced values, the oldest first; NaN where nothing is known.
pub type Points = Vec<f32>;

/// The past that can be walked. Moments are milliseconds since boot; those of a recording, which may know several
/// boots, are counted from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timespan {
    /// The oldest sample kept.
    pub oldest: BootMs,
    /// The newest.
    pub newest: BootMs,
    /// The sample shown.
    pub shown: BootMs,
    /// The sample before the one shown, if there is one.
    pub earlier: Option<BootMs>,
    /// The sample after the one shown, if there is one.
    pub later: Option<BootMs>,
    /// Whether the moment shown is the past.
    pub is_past: bool,
}

/// A process that is no more.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// As it was last seen.
    pub process: Arc<ProcessSample>,
    /// The first sample without it.
    pub at: BootMs,
    /// The same by the wall clock, milliseconds since the epoch.
    pub wall_ms: i64,
    /// Its highest private memory and swap while it was watched, bytes.
    pub peak_private: u64,
}
