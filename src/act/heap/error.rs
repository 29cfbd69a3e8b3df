//! Why a heap could not be had.

use std::fmt;

/// What kind of reason it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It can't be done, or it would harm the process: nothing was begun.
    Refused,
    /// Memory or disk would not carry it by the estimate. Whoever knows better says so ([`super::Options::force`]).
    TooLittle,
    /// The time that was given is over.
    TimedOut,
    /// Whoever asked for it wants it no more.
    Stopped,
    /// The process has ended.
    Ended,
    /// It went wrong on the way.
    Failed,
}

/// A reason, with its words: a sentence without its full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeapError {
    /// Its kind.
    pub why: Why,
    /// Its words.
    pub text: String,
}

impl HeapError {
    pub(super) fn new(why: Why, text: impl Into<String>) -> Self {
        Self { why, text: text.into() }
    }

    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self::new(Why::Refused, text)
    }

    pub(super) fn failed(text: impl Into<String>) -> Self {
        Self::new(Why::Failed, text)
    }

    /// The same with more to say.
    #[must_use]
    pub(super) fn and(mut self, more: &str) -> Self {
        self.text.push_str("; ");
        self.text.push_str(more);
        self
    }
}

impl fmt::Display for HeapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for HeapError {}
