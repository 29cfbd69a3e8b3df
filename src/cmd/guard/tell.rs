//! What a guard says: to standard error, and as JSON lines to its log.

use std::io::{self, Write as _};
use std::path::Path;

use serde_json::Value;

use crate::act::journal::{Journal, JournalError};

/// Standard error and the log.
pub(super) struct Teller {
    journal: Option<Journal>,
    /// Whether the last line of the log could not be written: that is said once.
    is_failing: bool,
}

impl Teller {
    pub(super) fn open(log: Option<&Path>) -> Result<Self, JournalError> {
        Ok(Self { journal: log.map(Journal::open).transpose()?, is_failing: false })
    }

    /// Says a line, and keeps the same as JSON.
    pub(super) fn tell(&mut self, text: &str, line: &Value) {
        say(text);
        self.keep(line);
    }

    /// A line in the log. A log that can't be written stops no rule.
    pub(super) fn keep(&mut self, line: &Value) {
        let Some(journal) = &mut self.journal else { return };
        match journal.append(line) {
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                say("the log is written again");
            }
            Ok(()) => {}
            Err(_) if self.is_failing => {}
            Err(error) => {
                self.is_failing = true;
                say(&format!("the log is not written, the rules hold all the same: {error}"));
            }
        }
    }
}

/// A line on standard error. Nobody is the worse where it can't be said.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "memtide: {text}");
}

/// Milliseconds since the epoch.
pub(super) fn wall_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
