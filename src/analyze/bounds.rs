//! The use of control groups that have a limit, over time: what fills it, whoever it belongs to.

use std::collections::BTreeMap;

use super::judge::{Case, Scratch};
use super::series::JUDGED_TIERS;
use super::track::{Circumstances, kib, least_kib, left_of};
use super::watch::Watch;
use crate::model::judgement::Judgement;
use crate::model::text::Text;

/// Use beyond what clean cache would give back, KiB, by the path of the group that sets the limit.
#[derive(Clone, Default)]
pub(super) struct Bounds(BTreeMap<Text, Watch>);

/// Limits that are watched at most.
const MOST: usize = 256;

impl Bounds {
    pub(super) fn push(&mut self, about: &Circumstances<'_>, scratch: &mut Scratch) {
        for bound in &about.system.bound_groups {
            let limit = &bound.limit;
            let used = kib(limit.limit.saturating_sub(left_of(limit)));
            if !self.0.contains_key(&limit.path) {
                if self.0.len() >= MOST {
                    continue;
                }
                self.0.insert(limit.path.clone(), Watch::new(used, about.now));
            }
            let Some(watch) = self.0.get_mut(&limit.path) else { continue };
            watch.push(used, about.now, JUDGED_TIERS, about.squeeze);
            let case = || Case::of_sum(least_kib(limit.limit), kib(left_of(limit)) as f32);
            watch.judge(about.now, case, scratch);
        }
    }

    /// How fast a limit is filled, where it is.
    pub(super) fn filling(&self, path: &Text) -> Option<&Judgement> {
        self.0.get(path).and_then(Watch::rising)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.values().map(|watch| size_of::<Watch>() + watch.heap_bytes()).sum()
    }
}
