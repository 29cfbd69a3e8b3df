//! What a face of the session asks of it.

use std::time::Duration;

use super::inspect::InspectWish;
use super::system::SystemWish;
use crate::analyze::evidence::EvidenceWish;
use crate::collect::demand::Demand;
use crate::model::key::ProcessKey;
use crate::model::reading::BootMs;

/// The whole wish of a face; the latest replaces the one before.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What to read.
    pub demand: Demand,
    /// Processes whose history is drawn.
    pub series: Vec<ProcessKey>,
    /// Points of a process's history: one a column, or two in braille.
    pub series_points: usize,
    /// How far back a process's history is drawn.
    pub series_span: Duration,
    /// Points of the machine's own history.
    pub machine_points: usize,
    /// How far back the machine's history is drawn.
    pub machine_span: Duration,
    /// The finding whose history is drawn, if one is.
    pub evidence: Option<EvidenceWish>,
    /// The process that is shown whole, if one is.
    pub inspect: Option<InspectWish>,
    /// What the view of the machine wishes, if it is shown.
    pub system: Option<SystemWish>,
    /// The moment to show; `None` shows the newest sample.
    pub at: Option<BootMs>,
    /// How many seconds of a recording pass in one; `None` while it stands still. The live past stands still always.
    pub play: Option<f32>,
    /// The event of a recording that is looked for.
    pub hunt: Option<Hunt>,
    /// Time between samples.
    pub interval: Duration,
}

/// A search through a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hunt {
    /// The moment it begins at.
    pub from: BootMs,
    /// Whether it looks at what came after it, or at what came before.
    pub is_forward: bool,
}
