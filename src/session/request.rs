//! What a face of the session asks of it.

use std::time::Duration;

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
    /// What the view of the machine wishes, if it is shown.
    pub system: Option<SystemWish>,
    /// The moment to show; `None` shows the newest sample.
    pub at: Option<BootMs>,
    /// Time between samples.
    pub interval: Duration,
}
