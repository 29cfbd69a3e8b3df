//! What is worth reading now: the sources that the visible fields need, and whose turn comes first.

use crate::model::field::SourceSet;
use crate::model::key::ProcessKey;

/// What the consumer of samples looks at. Everything else is read in turn inside the budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// Sources that some wanted field needs.
    pub sources: SourceSet,
    /// Processes on the screen, in its order: read first.
    pub visible: Vec<ProcessKey>,
    /// How many of the largest by PSS must be right: as many as can be seen at the top. Zero where PSS does
    /// not decide the order.
    pub top_by_pss: usize,
    /// Whether the tree of control groups is looked at.
    pub cgroups: bool,
    /// Share of one core, 0 to 1, that reading in turn may take.
    pub budget: f64,
}

impl Demand {
    /// The share of one core that reading in turn may take unless it is set.
    pub const BUDGET: f64 = 0.02;
}
