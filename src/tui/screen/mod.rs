//! The screens between the header and the function bar.

pub mod cgroups;
pub mod ended;
pub mod heap;
pub mod inspect;
pub mod leaks;
pub mod log;
pub mod processes;
pub mod system;

use super::action::Action;

/// Which screen is shown, and how far it is scrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    /// The list of processes.
    Processes,
    /// What grows.
    Leaks,
    /// One process whole.
    Inspect,
    /// Where every byte is.
    System,
    /// Control groups.
    Cgroups,
    /// A heap that is walked through.
    Heap,
    /// What was done.
    Log {
        /// Lines scrolled away.
        offset: usize,
    },
    /// Who has ended.
    Ended {
        /// Lines scrolled away.
        offset: usize,
    },
}

impl Screen {
    /// The log, from its top.
    pub const LOG: Self = Self::Log { offset: 0 };
    /// The ended, from the top.
    pub const ENDED: Self = Self::Ended { offset: 0 };

    /// Whether it is the same screen, wherever it is scrolled to.
    pub fn is_same_kind(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    /// Scrolls a screen of text, by at most so many lines from its top.
    pub fn scroll(&mut self, action: Action, most: usize) {
        let (Self::Log { offset } | Self::Ended { offset }) = self else { return };
        *offset = match action {
            Action::MoveDown => *offset + 1,
            Action::MoveUp => offset.saturating_sub(1),
            Action::PageDown => *offset + 10,
            Action::PageUp => offset.saturating_sub(10),
            Action::MoveToStart => 0,
            Action::MoveToEnd => most,
            _ => *offset,
        }
        .min(most);
    }
}
