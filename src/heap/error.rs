//! Why a heap snapshot can't be read: what is wrong, and where in the file.

use std::io;

/// Why a snapshot is refused. Places are bytes from the beginning of the (unpacked) file.
#[derive(Debug, thiserror::Error)]
pub enum HeapError {
    /// The file itself can't be read.
    #[error("it can't be read at byte {at}: {source}")]
    Read {
        /// Where.
        at: u64,
        /// What the system says.
        source: io::Error,
    },
    /// The file ends too early.
    #[error("it ends at byte {at}, in the middle of {what}: the snapshot is incomplete")]
    Truncated {
        /// Its length.
        at: u64,
        /// What was being read.
        what: &'static str,
    },
    /// It is not what V8 writes.
    #[error("byte {at}: {wanted} was expected: it is no V8 heap snapshot, or a damaged one")]
    Malformed {
        /// Where.
        at: u64,
        /// What should have been there.
        wanted: &'static str,
    },
    /// The header does not say what is needed.
    #[error("its header {0}")]
    Header(String),
    /// Two counts that must agree do not.
    #[error("it announces {announced} {what} and has {found}")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many there should be.
        announced: u64,
        /// How many there are.
        found: u64,
    },
    /// A number leads nowhere.
    #[error("byte {at}: {what} {value} is out of range, there are {count}")]
    Range {
        /// Where.
        at: u64,
        /// What the number is.
        what: &'static str,
        /// The number.
        value: u64,
        /// The first number that is too large.
        count: u64,
    },
    /// It is larger than what this program counts to.
    #[error("it has {count} {what}, and more than {most} are not supported")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: u64,
        /// How many there may be.
        most: u64,
    },
    /// Memory was refused.
    #[error("{bytes} bytes for {what} can't be had")]
    Memory {
        /// How much.
        bytes: u64,
        /// For what.
        what: &'static str,
    },
    /// Who asked for it said no.
    #[error("{0}")]
    Refused(String),
}

/// The result of reading a snapshot.
pub type Result<T> = std::result::Result<T, HeapError>;

/// An empty list with room for `count` items, or the reason why there is none.
pub(super) fn room<T>(count: usize, what: &'static str) -> Result<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(count)
        .map_err(|_| HeapError::Memory { bytes: count as u64 * size_of::<T>() as u64, what })?;
    Ok(list)
}

/// A list of `count` times the same item, or the reason why there is none.
pub(super) fn filled<T: Clone>(item: T, count: usize, what: &'static str) -> Result<Vec<T>> {
    let mut list = room(count, what)?;
    list.resize(count, item);
    Ok(list)
}
