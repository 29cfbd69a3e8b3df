//! Recording while somebody looks: samples go to the file before they are shown, whatever the face does.

use std::path::PathBuf;
use std::sync::Arc;

use super::update::Taped;
use crate::model::closer::Closer;
use crate::model::deed::Deed;
use crate::model::reading::BootMs;
use crate::model::sample::Sample;
use crate::record::recorder::{Appended, Recorder, Settings};

/// What was done while nothing could be written: beyond so much it is left to the log.
const MOST_DEEDS: usize = 1000;

/// A recording that was asked for.
pub(super) struct Taping {
    /// `None` where it could not begin.
    recorder: Option<Recorder>,
    path: PathBuf,
    problem: Option<String>,
    /// What was done and is not recorded yet.
    deeds: Vec<Deed>,
    closer: Option<Arc<Closer>>,
}

impl Taping {
    /// Begins it; why it could not is shown like all else about it.
    pub(super) fn begin(settings: Settings) -> Self {
        let path = settings.path.clone();
        match Recorder::open(settings) {
            Ok(recorder) => Self::of(Some(recorder), path, None),
            Err(error) => Self::of(None, path, Some(error.to_string())),
        }
    }

    fn of(recorder: Option<Recorder>, path: PathBuf, problem: Option<String>) -> Self {
        Self { recorder, path, problem, deeds: Vec::new(), closer: None }
    }

    /// Something was done: it is recorded with the next sample.
    pub(super) fn note(&mut self, deed: Deed) {
        if self.deeds.len() < MOST_DEEDS {
            self.deeds.push(deed);
        }
    }

    /// Records a sample, with what was done since the one before.
    pub(super) fn append(&mut self, sample: &mut Sample) {
        sample.deeds = std::mem::take(&mut self.deeds);
        self.closer.clone_from(&sample.closer);
        self.write(sample);
        if self.problem.is_some() {
            self.deeds.clone_from(&sample.deeds);
        }
    }

    /// Ends it. What was done since the last sample is recorded with that sample once more, a millisecond later.
    pub(super) fn end(mut self, last: Option<&Sample>) {
        if let Some(last) = last.filter(|_| !self.deeds.is_empty()) {
            let again = Sample {
                at: BootMs(last.at.0 + 1),
                wall_ms: last.wall_ms + 1,
                deeds: std::mem::take(&mut self.deeds),
                closer: self.closer.take(),
                ..last.clone()
            };
            self.write(&again);
        }
    }

    fn write(&mut self, sample: &Sample) {
        match self.recorder.as_mut().map(|recorder| recorder.append(sample)) {
            Some(Appended::Failed(error)) => self.problem = Some(error.to_string()),
            Some(Appended::Written | Appended::Resumed(_) | Appended::Replaced) => self.problem = None,
            Some(Appended::StillFailing) | None => {}
        }
    }

    /// How it stands.
    pub(super) fn shown(&self) -> Taped {
        Taped {
            path: self.path.clone(),
            bytes: self.recorder.as_ref().map_or(0, |recorder| recorder.progress().bytes),
            problem: self.problem.clone(),
        }
    }
}
