//! What can stop the collector as a whole. A process that vanished or a file that may not be read never does:
//! those are readings.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no sample.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// procfs is not there.
    #[error("{path}: no process information here: mount it with `mount -t proc proc {path}`", path = path.display())]
    NoProc {
        /// Where it was expected.
        path: PathBuf,
    },
    /// A file of the whole machine can't be read.
    #[error("{path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the whole machine does not hold what the kernel writes there.
    #[error("{path}: {problem}: is this a Linux procfs?", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: &'static str,
    },
}

impl CollectError {
    pub(crate) fn read(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Read { path: path.to_owned(), source: source.into() }
    }
}
