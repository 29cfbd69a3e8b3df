//! The sample of a moment, and its neighbours.

use std::sync::Arc;

use super::Recording;
use crate::model::judgement::Analysis;
use crate::model::sample::Sample;
use crate::model::snapshot::Snapshot;

/// Shows one moment after another.
pub(super) struct View<R> {
    recording: R,
}

/// What was sampled at a moment.
pub(super) struct Shown {
    /// Without what history says of it.
    pub(super) snapshot: Arc<Snapshot>,
    /// When the samples beside it were taken.
    pub(super) earlier: Option<i64>,
    pub(super) later: Option<i64>,
}

impl Shown {
    pub(super) fn wall_ms(&self) -> i64 {
        self.snapshot.sample.wall_ms
    }

    /// Whether it is what is shown at this moment.
    pub(super) fn is_at(&self, wall_ms: i64) -> bool {
        let is_after = self.wall_ms() <= wall_ms || self.earlier.is_none();
        // The end of a recording that is being written moves on.
        is_after && self.later.is_some_and(|later| wall_ms < later)
    }
}

impl<R: Recording> View<R> {
    pub(super) fn new(recording: R) -> Self {
        Self { recording }
    }

    pub(super) fn span(&self) -> [i64; 2] {
        self.recording.span().unwrap_or_default()
    }

    /// The last sample taken by this moment, or the first of all; `None` where none can be read.
    pub(super) fn show(&mut self, wall_ms: i64) -> Option<Shown> {
        self.recording.seek(wall_ms);
        let mut sample = self.recording.next()?;
        let before = self.recording.previous();
        if before.is_some() {
            // Back to where we were.
            sample = self.recording.next()?;
        }
        let later = self.recording.next().map(|sample| sample.wall_ms);
        let earlier = before.as_ref().map(|before| before.wall_ms);
        let before = before.filter(|before| is_one_boot(before, &sample));
        let snapshot = Snapshot::derive(before.as_ref(), Arc::new(sample), Analysis::default());
        Some(Shown { snapshot: Arc::new(snapshot), earlier, later })
    }
}

/// Whether two neighbours are of one run of the kernel: its clock goes on.
pub(super) fn is_one_boot(before: &Sample, after: &Sample) -> bool {
    before.at <= after.at
}
