//! Where samples come from: the live kernel, or recorded trees. Nothing above knows which.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::inspect::{Inspector, Look};
use crate::collect::collector::Collector;
use crate::collect::demand::Demand;
use crate::collect::error::CollectError;
use crate::collect::inspect;
use crate::collect::root::ProcRoot;
use crate::model::sample::Sample;

/// Gives one sample after another.
pub trait Source {
    /// The next sample; `interval` is the time until the one after it.
    fn next(&mut self, demand: &Demand, interval: Duration) -> Result<Sample, CollectError>;

    /// What looks at one process whole, where the source is more than samples.
    fn inspector(&self) -> Option<Inspector> {
        None
    }

    /// Where more can be read than a sample has, if there is such a place.
    fn survey_root(&self) -> Option<ProcRoot> {
        None
    }
}

/// The running kernel, or one recorded tree read again and again.
pub struct LiveSource {
    collector: Collector,
    root: ProcRoot,
}

impl LiveSource {
    /// Opens procfs below the root.
    pub fn open(root: ProcRoot) -> Result<Self, CollectError> {
        Ok(Self { collector: Collector::new(root.clone())?, root })
    }
}

impl Source for LiveSource {
    fn next(&mut self, demand: &Demand, interval: Duration) -> Result<Sample, CollectError> {
        self.collector.sample(demand, interval)
    }

    fn survey_root(&self) -> Option<ProcRoot> {
        Some(self.root.clone())
    }

    fn inspector(&self) -> Option<Inspector> {
        let root = self.root.clone();
        Some(Box::new(move || look_at(root.clone())))
    }
}

/// Looks at processes below a root.
fn look_at(root: ProcRoot) -> Look {
    let mut opened = inspect::Inspector::open(root).map_err(|error| Arc::from(error.to_string()));
    Box::new(move |wish| {
        let inspector = opened.as_mut().map_err(|error| Arc::clone(error))?;
        let inspection = inspector.inspect(wish.key, wish.parts, inspect::BUDGET);
        inspection.map(Arc::new).map_err(|none| none.to_string().into())
    })
}

/// Recorded trees `t0`, `t1`, … of one machine, one a sample; the last one stays.
pub struct FixtureSource {
    trees: Vec<ProcRoot>,
    /// The tree of the next sample.
    next: Arc<AtomicUsize>,
}

impl FixtureSource {
    /// The trees in `folder`, or `folder` itself where it is one.
    pub fn open(folder: &Path) -> Self {
        Self { trees: ProcRoot::recorded_steps(folder), next: Arc::default() }
    }
}

impl Source for FixtureSource {
    fn next(&mut self, demand: &Demand, interval: Duration) -> Result<Sample, CollectError> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let tree = &self.trees[next.min(self.trees.len() - 1)];
        // The whole tree belongs to one instant: there is no budget to keep.
        let complete = Demand { budget: 1.0, ..demand.clone() };
        let mut collector = Collector::new(tree.clone())?;
        collector.sample(&complete, Duration::from_mins(1)).and_then(|_| {
            let mut sample = collector.sample(&complete, Duration::from_mins(1))?;
            sample.interval_ms = interval.as_millis() as u64;
            Ok(sample)
        })
    }

    fn inspector(&self) -> Option<Inspector> {
        let (trees, next) = (self.trees.clone(), Arc::clone(&self.next));
        Some(Box::new(move || {
            let (trees, next) = (trees.clone(), Arc::clone(&next));
            // The tree that the latest sample was taken from.
            Box::new(move |wish| {
                let shown = next.load(Ordering::Relaxed).saturating_sub(1).min(trees.len() - 1);
                look_at(trees[shown].clone())(wish)
            })
        }))
    }

    fn survey_root(&self) -> Option<ProcRoot> {
        self.trees.first().cloned()
    }
}
