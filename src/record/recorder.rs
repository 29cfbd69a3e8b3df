//! Keeps a recording going: over full disks, from segment to segment, within what may be kept.

use std::io;
use std::path::{Path, PathBuf};

use super::error::RecordError;
use super::place::{Folder, Output, begun};
use super::redact::Redaction;
use super::scan::{self, Found};
use super::writer::{Sink as _, Writer};
use crate::model::reading::BootMs;
use crate::model::sample::Sample;

/// What is recorded where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A file, or the folder of the segments.
    pub path: PathBuf,
    /// When a segment ends; `None` where all goes to one file.
    pub segments: Option<Segments>,
    /// A group that may read what is recorded.
    pub group: Option<u32>,
    /// What is hidden of command lines.
    pub redaction: Redaction,
    /// Whether to wait now and then until what was written is on the disk. A power cut may cost what was not.
    pub is_synced: bool,
}

/// How a recording is cut into segments, and how many of them stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segments {
    /// A segment ends with so many bytes.
    pub rotate_bytes: Option<u64>,
    /// A segment ends after so many milliseconds.
    pub rotate_ms: Option<u64>,
    /// All segments together have at most so many bytes: the oldest go.
    pub keep_bytes: Option<u64>,
    /// A segment goes when all of it is older than so many milliseconds.
    pub keep_ms: Option<u64>,
}

impl Segments {
    /// The same with an end for each segment where only what stays was said: such that a small part of it goes at once.
    #[must_use]
    pub fn with_ends(mut self) -> Self {
        if self.rotate_ms.is_none() && self.rotate_bytes.is_none() {
            self.rotate_ms = self.keep_ms.map(|keep| (keep / 24).clamp(60_000, 24 * 3_600_000));
        }
        if self.rotate_bytes.is_none() {
            self.rotate_bytes = self.keep_bytes.map(|keep| (keep / 16).max(64 << 10));
        }
        self
    }
}

/// What became of a sample.
#[derive(Debug)]
pub enum Appended {
    /// It is recorded.
    Written,
    /// It is recorded, the first one after so many that were not.
    Resumed(u64),
    /// It is recorded, in a new file: somebody had removed the one before.
    Replaced,
    /// It is not recorded: the first one of a row.
    Failed(RecordError),
    /// It is not recorded, as the one before.
    StillFailing,
}

/// How far a recording is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Samples recorded.
    pub samples: u64,
    /// Bytes that they took.
    pub bytes: u64,
    /// Samples that could not be recorded.
    pub lost: u64,
}

/// A recording in progress.
pub struct Recorder {
    settings: Settings,
    folder: Option<Folder>,
    writer: Option<Writer<Output>>,
    /// When the segment began, and when it was last known to be on the disk.
    segment_at: BootMs,
    synced_at: BootMs,
    progress: Progress,
    /// Samples that were lost since the last one that was not.
    failing: u64,
}

/// At most so long a power cut costs, milliseconds.
const SYNC_MS: u64 = 30_000;

impl Recorder {
    /// Makes sure that it can be recorded there. Nothing is written yet.
    pub fn open(settings: Settings) -> Result<Self, RecordError> {
        let mut recorder = Self {
            settings,
            folder: None,
            writer: None,
            segment_at: BootMs(0),
            synced_at: BootMs(0),
            progress: Progress::default(),
            failing: 0,
        };
        if recorder.settings.segments.is_some() {
            recorder.folder = Some(Folder::open(&recorder.settings.path, recorder.settings.group)?);
        } else {
            let output = Output::open(&recorder.settings.path, recorder.settings.group)?;
            recorder.begin(output)?;
        }
        Ok(recorder)
    }

    /// Goes on behind what a file holds, which must be a recording or nothing.
    fn begin(&mut self, output: Output) -> Result<(), RecordError> {
        let end = output.end();
        let last_key = scan::last_key(output.file(), end);
        if last_key.is_none() && end > 0 {
            let path = output.path().to_owned();
            return Err(match scan::at(output.file(), 0, end) {
                Found::Version(version) => RecordError::Version { path, version },
                // A recorder was killed in its first block.
                Found::Torn => return self.write_to(output, None),
                _ => RecordError::NotARecording { path },
            });
        }
        self.write_to(output, last_key)
    }

    fn write_to(&mut self, output: Output, last_key: Option<u64>) -> Result<(), RecordError> {
        let path = output.path().to_owned();
        let writer = Writer::new(output, last_key, self.settings.redaction);
        self.writer = Some(writer.map_err(|error| RecordError::io(&path, error))?);
        Ok(())
    }

    /// Records a sample, if that is possible now.
    pub fn append(&mut self, sample: &Sample) -> Appended {
        let had_file = self.writer.is_some();
        let was_removed = self.settings.segments.is_none() && !had_file;
        match self.try_append(sample) {
            Ok(()) => {
                self.progress.samples += 1;
                match std::mem::take(&mut self.failing) {
                    0 if was_removed => Appended::Replaced,
                    0 => Appended::Written,
                    lost => Appended::Resumed(lost),
                }
            }
            Err(error) => {
                self.failing += 1;
                self.progress.lost += 1;
                if self.failing == 1 { Appended::Failed(error) } else { Appended::StillFailing }
            }
        }
    }

    fn try_append(&mut self, sample: &Sample) -> Result<(), RecordError> {
        self.turn_over(sample)?;
        let path = self.path().to_owned();
        let Some(writer) = &mut self.writer else { return Err(RecordError::io(&path, io::ErrorKind::NotFound)) };
        let before = writer.sink().end();
        writer.append(sample).map_err(|error| RecordError::io(&path, error))?;
        self.progress.bytes += writer.sink().end() - before;
        if sample.at.since(self.synced_at) >= SYNC_MS || sample.at < self.synced_at {
            self.synced_at = sample.at;
            if writer.sink().is_removed() {
                self.writer = None;
            } else if self.settings.is_synced
                && let Err(error) = writer.sink().sync()
            {
                // What was written since may be lost, and what rests on it with it.
                writer.begin_group();
                return Err(RecordError::io(&path, error));
            }
        }
        Ok(())
    }

    /// Begins what has to be begun before this sample: a segment, or the file anew that somebody has removed.
    fn turn_over(&mut self, sample: &Sample) -> Result<(), RecordError> {
        let (Some(folder), Some(segments)) = (&self.folder, self.settings.segments) else {
            if self.writer.is_none() {
                let output = Output::open(&self.settings.path, self.settings.group)?;
                self.begin(output)?;
            }
            return Ok(());
        };
        if let Some(writer) = &self.writer {
            let is_full = segments.rotate_bytes.is_some_and(|most| writer.sink().end() >= most);
            let is_old = segments.rotate_ms.is_some_and(|most| sample.at.since(self.segment_at) >= most);
            if !is_full && !is_old && sample.at >= self.segment_at {
                return Ok(());
            }
            if self.settings.is_synced {
                writer.sink().sync().map_err(|error| RecordError::io(writer.sink().path(), error))?;
            }
        }
        // What goes makes room for what comes.
        drop_old(folder, segments, sample.wall_ms);
        let output = folder.begin(sample.wall_ms)?;
        self.segment_at = sample.at;
        self.synced_at = sample.at;
        self.write_to(output, None)
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// The file that is written to now.
    pub fn path(&self) -> &Path {
        self.writer.as_ref().map_or(&self.settings.path, |writer| writer.sink().path())
    }

    /// Ends it, with all of it on the disk.
    pub fn finish(self) -> Result<Progress, RecordError> {
        if let Some(writer) = &self.writer {
            writer.sink().sync().map_err(|error| RecordError::io(writer.sink().path(), error))?;
        }
        Ok(self.progress)
    }
}

/// Removes the oldest segments of a folder, so that a further one finds its place within what is kept. What can't be
/// removed stays; the next time it is tried again.
fn drop_old(folder: &Folder, segments: Segments, now_ms: i64) {
    let mut kept = folder.segments();
    let oldest = segments.keep_ms.map(|keep| now_ms.saturating_sub_unsigned(keep));
    let most = segments.keep_bytes.map(|keep| keep.saturating_sub(segments.rotate_bytes.unwrap_or(0)));
    while let Some((path, _)) = kept.first() {
        let ended_ms = kept.get(1).map_or(Some(now_ms), |(next, _)| begun(next));
        let is_old = oldest.is_some_and(|oldest| ended_ms.is_some_and(|ended| ended < oldest));
        let is_too_much = most.is_some_and(|most| kept.iter().map(|(_, bytes)| bytes).sum::<u64>() > most);
        if !is_old && !is_too_much {
            return;
        }
        // A folder where nothing can be removed is told by the disk that it fills.
        let _ = std::fs::remove_file(path);
        kept.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_tells_how_long_a_segment_is() {
        let day = Segments { keep_ms: Some(24 * 3_600_000), ..Segments::default() }.with_ends();
        assert_eq!((day.rotate_ms, day.rotate_bytes), (Some(3_600_000), None));
        let size = Segments { keep_bytes: Some(1 << 30), ..Segments::default() }.with_ends();
        assert_eq!((size.rotate_ms, size.rotate_bytes), (None, Some(64 << 20)));
        let said = Segments { rotate_ms: Some(5), keep_ms: Some(24 * 3_600_000), ..Segments::default() };
        assert_eq!(said.with_ends(), said);
    }
}
