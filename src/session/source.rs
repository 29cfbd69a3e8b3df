//! Where samples come from: the live kernel, or recorded trees. Nothing above knows which.

use std::path::Path;
use std::time::Duration;

use crate::collect::collector::Collector;
use crate::collect::demand::Demand;
use crate::collect::error::CollectError;
use crate::collect::root::ProcRoot;
use crate::model::sample::Sample;

/// Gives one sample after another.
pub trait Source {
    /// The next sample; `interval` is the time until the one after it.
    fn next(&mut self, demand: &Demand, interval: Duration) -> Result<Sample, CollectError>;

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
}

/// Recorded trees `t0`, `t1`, … of one machine, one a sample; the last one stays.
pub struct FixtureSource {
    trees: Vec<ProcRoot>,
    next: usize,
}

impl FixtureSource {
    /// The trees in `folder`, or `folder` itself where it is one.
    pub fn open(folder: &Path) -> Self {
        Self { trees: ProcRoot::recorded_steps(folder), next: 0 }
    }
}

impl Source for FixtureSource {
    fn next(&mut self, demand: &Demand, interval: Duration) -> Result<Sample, CollectError> {
        let tree = &self.trees[self.next.min(self.trees.len() - 1)];
        self.next += 1;
        // The whole tree belongs to one instant: there is no budget to keep.
        let complete = Demand { budget: 1.0, ..demand.clone() };
        let mut collector = Collector::new(tree.clone())?;
        collector.sample(&complete, Duration::from_mins(1)).and_then(|_| {
            let mut sample = collector.sample(&complete, Duration::from_mins(1))?;
            sample.interval_ms = interval.as_millis() as u64;
            Ok(sample)
        })
    }

    fn survey_root(&self) -> Option<ProcRoot> {
        self.trees.first().cloned()
    }
}
