//! Checks a recording: every block read whole, and what can't be read named.

use std::path::{Path, PathBuf};

use super::error::RecordError;
use super::format::BlockKind;
use super::place::segments;
use super::reader::{Loss, Reader};

/// What a recording holds and what of it can't be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Its files, in the order of the recording.
    pub files: Vec<PathBuf>,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Samples that can be read.
    pub samples: u64,
    /// Processes of all of them, each counted once a sample.
    pub process_samples: u64,
    /// Keys, anchors and deltas among them.
    pub blocks: [u64; 3],
    /// When the first and the last of them were taken, milliseconds since the epoch.
    pub wall_ms: Option<[i64; 2]>,
    /// What can't be read, in the order of the recording.
    pub losses: Vec<Loss>,
    /// What a newer version wrote and this one does not know.
    pub unknown: Vec<String>,
}

impl Verified {
    /// Whether all of it can be read. A block that is being written, or was when the recorder was killed, is no damage.
    pub fn is_sound(&self) -> bool {
        self.losses.iter().all(|loss| loss.why == super::reader::Lost::Torn)
    }
}

/// Reads a recording from its beginning to its end.
pub fn verify(path: &Path) -> Result<Verified, RecordError> {
    let mut reader = Reader::open(path)?;
    let mut verified = Verified { files: segments(path)?, bytes: reader.bytes(), ..Verified::default() };
    while let Some((sample, kind)) = reader.next_of_kind() {
        verified.samples += 1;
        verified.process_samples += sample.processes.len() as u64;
        let place = match kind {
            BlockKind::Key => 0,
            BlockKind::Anchor => 1,
            BlockKind::Delta => 2,
        };
        verified.blocks[place] += 1;
        let [first, last] = verified.wall_ms.get_or_insert([sample.wall_ms; 2]);
        (*first, *last) = ((*first).min(sample.wall_ms), sample.wall_ms.max(*last));
    }
    verified.losses = reader.losses().cloned().collect();
    verified.unknown = reader.unknown().map(str::to_owned).collect();
    Ok(verified)
}
