//! Why there is no recording to write to or to read from. Damage inside a recording is none of these: the reader goes
//! on and names it.

use std::io;
use std::path::{Path, PathBuf};

/// What went wrong, and where.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system said no.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another recorder writes there.
    #[error("{path}: {} records there already", holder(*pid), path = path.display())]
    Busy {
        /// Where.
        path: PathBuf,
        /// Its pid, where the kernel tells it.
        pid: Option<u32>,
    },
    /// A place where a recording would not be safe.
    #[error("{path}: {why}", path = path.display())]
    Unsafe {
        /// Where.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: &'static str,
    },
    /// There is no block in it.
    #[error("{path}: this is no recording of memtide", path = path.display())]
    NotARecording {
        /// The file.
        path: PathBuf,
    },
    /// All of it was written by a version that this one does not know.
    #[error("{path}: a recording of format version {version}: this memtide reads version {ours}", path = path.display(), ours = super::format::VERSION)]
    Version {
        /// The file.
        path: PathBuf,
        /// Of the format.
        version: u8,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another recorder".into(), |pid| format!("process {pid}"))
}

impl RecordError {
    pub(super) fn io(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { path: path.to_owned(), source: source.into() }
    }
}
