//! Closer looks for a recording: once a minute what the views of the machine and of its control groups show, so that a
//! replay has it.

use std::sync::Arc;
use std::time::Duration;

use crate::collect::root::ProcRoot;
use crate::collect::survey::Surveyor;
use crate::model::cgroup_tree::CgroupTree;
use crate::model::closer::Closer;
use crate::model::reading::BootMs;
use crate::model::sample::Sample;
use crate::model::survey::SurveyWish;

/// Between two looks, milliseconds.
pub const EVERY_MS: u64 = 60_000;

/// Who holds shared memory takes a look at all processes: too dear for every minute of a month.
const WISH: SurveyWish = SurveyWish { slab: true, shared: true, holders: false, settings: true };

/// Makes closer looks, and gives every sample the latest of them.
pub struct CloserLooks {
    surveyor: Option<Surveyor>,
    latest: Option<Arc<Closer>>,
    looked_at: Option<BootMs>,
    last_at: BootMs,
}

impl CloserLooks {
    /// Nothing has been looked at yet. Without a root there is nothing to look at.
    pub fn new(root: Option<ProcRoot>) -> Self {
        Self { surveyor: root.map(Surveyor::new), latest: None, looked_at: None, last_at: BootMs(0) }
    }

    /// Whether the sample that is taken next is to have the tree of control groups, for a look with it.
    pub fn is_due(&self, interval: Duration) -> bool {
        let next = BootMs(self.last_at.0.saturating_add(interval.as_millis() as u64));
        self.surveyor.is_some() && self.looked_at.is_none_or(|looked| next.since(looked) >= EVERY_MS)
    }

    /// Looks where that is due, and gives the sample what was found last.
    pub fn add_to(&mut self, sample: &mut Sample, is_due: bool) {
        self.last_at = sample.at;
        if let Some(surveyor) = self.surveyor.as_mut().filter(|_| is_due) {
            self.looked_at = Some(sample.at);
            // The first look of a surveyor reads everything; what it costs is told in the recording.
            let survey = surveyor.look(WISH, 1.0, 0).clone();
            let nothing = CgroupTree::default();
            self.latest = Some(Arc::new(Closer::of(survey, sample.system.cgroups.as_deref().unwrap_or(&nothing))));
        }
        sample.closer.clone_from(&self.latest);
    }
}
