//! Recording while somebody looks: samples go to the file before they are shown, whatever the face does.

use std::path::PathBuf;

use super::update::Taped;
use crate::model::sample::Sample;
use crate::record::recorder::{Appended, Recorder, Settings};

/// A recording that was asked for.
pub(super) struct Taping {
    /// `None` where it could not begin.
    recorder: Option<Recorder>,
    path: PathBuf,
    problem: Option<String>,
}

impl Taping {
    /// Begins it; why it could not is shown like all else about it.
    pub(super) fn begin(settings: Settings) -> Self {
        let path = settings.path.clone();
        match Recorder::open(settings) {
            Ok(recorder) => Self { recorder: Some(recorder), path, problem: None },
            Err(error) => Self { recorder: None, path, problem: Some(error.to_string()) },
        }
    }

    /// Records a sample.
    pub(super) fn append(&mut self, sample: &Sample) {
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
