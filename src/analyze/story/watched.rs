//! What was watched: the history, and the machine as it was first and last.

use std::sync::Arc;

use super::Story;
use super::scene::Scene;
use crate::analyze::history::History;
use crate::model::judgement::Finding;
use crate::model::key::ProcessKey;
use crate::model::reading::BootMs;
use crate::model::sample::Sample;

/// A watch in progress.
#[derive(Default)]
pub struct Watched {
    history: History,
    ends: Option<Ends>,
    samples: u64,
}

/// The samples that the story compares.
struct Ends {
    /// The moment of the very first sample, and the same in watched time and by the wall clock.
    began: BootMs,
    began_watched: BootMs,
    began_wall_ms: i64,
    /// The first sample in which nothing was left to be read for the first time.
    first: Arc<Sample>,
    last: Arc<Sample>,
}

/// The first look at a machine is incomplete; what is unread after this long stays unknown, milliseconds.
const SETTLING_MS: u64 = 5_000;

impl Watched {
    /// Takes in the next sample.
    pub fn push(&mut self, sample: Sample) {
        self.history.push(&sample);
        self.samples += 1;
        let sample = Arc::new(sample);
        match &mut self.ends {
            Some(ends) => {
                if ends.first.scan.pending > 0 && sample.at.since(ends.began) <= SETTLING_MS {
                    ends.first = Arc::clone(&sample);
                }
                ends.last = sample;
            }
            None => {
                self.ends = Some(Ends {
                    began: sample.at,
                    began_watched: self.history.watched(),
                    began_wall_ms: sample.wall_ms,
                    first: Arc::clone(&sample),
                    last: sample,
                });
            }
        }
    }

    /// The newest sample, shared.
    pub fn latest(&self) -> Option<&Arc<Sample>> {
        self.ends.as_ref().map(|ends| &ends.last)
    }

    /// The newest sample.
    pub fn last(&self) -> Option<&Sample> {
        self.ends.as_ref().map(|ends| &*ends.last)
    }

    /// What rises now, of all or of one process, the most urgent first.
    pub fn findings(&self, asked: Option<ProcessKey>) -> Vec<Finding> {
        let Some(mut scene) = self.scene(asked) else { return Vec::new() };
        scene.keep_what_was_asked();
        scene.findings
    }

    /// What is known now, of all or of one process; `None` before the first sample.
    pub fn tell(&self, asked: Option<ProcessKey>) -> Option<Story> {
        let began_wall_ms = self.ends.as_ref()?.began_wall_ms;
        Some(self.scene(asked)?.tell(self.samples, began_wall_ms))
    }

    fn scene(&self, asked: Option<ProcessKey>) -> Option<Scene<'_>> {
        let ends = self.ends.as_ref()?;
        Some(Scene {
            history: &self.history,
            first: &ends.first,
            last: &ends.last,
            watched_ms: self.history.watched().since(ends.began_watched),
            compared_ms: ends.last.at.since(ends.first.at),
            findings: self.history.findings(&ends.last),
            asked,
        })
    }
}
