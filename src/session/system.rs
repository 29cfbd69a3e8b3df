//! What the view of the machine asks for and gets: its own part of a request and of an update.

use std::sync::Arc;
use std::time::Duration;

use crate::analyze::layers::LayerPoints;
use crate::model::survey::{Survey, SurveyWish};

/// What the view of the machine wishes.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemWish {
    /// What is to be surveyed while it is shown.
    pub survey: SurveyWish,
    /// Points of the layers over time.
    pub points: usize,
    /// How far back they are drawn.
    pub span: Duration,
}

/// What it gets.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemView {
    /// All of RAM over time.
    pub layers: LayerPoints,
    /// The last survey; `None` before the first one, and in the live past, of which surveys are not kept.
    pub survey: Option<Arc<Survey>>,
}
