//! One process whole, at one moment: who it is, what is mapped where, what it has open, its threads.
//!
//! `collect::inspect` reads an [`Inspection`]; the command, the screen and saved marks share it and what is derived
//! from it here: [`change`] compares two of one process, [`prefix`] sums descriptors by folder, [`space`] lays the
//! address space out for a bar. What was not read says why; what was read in part says how much of it ([`Coverage`]).

pub mod change;
pub mod descriptor;
pub mod fdinfo;
pub mod mapping;
pub mod memory;
pub mod overview;
pub mod prefix;
pub mod socket;
pub mod space;
pub mod thread;

use serde::{Deserialize, Serialize};

use self::descriptor::Descriptors;
use self::mapping::Mappings;
use self::overview::Overview;
use self::thread::Threads;
use super::key::ProcessKey;
use super::reading::{BootMs, Reading};
use super::runtime::Clues;

/// One process, looked at closely.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// Who: all of it was read of this process, never of another that has its pid now.
    pub key: ProcessKey,
    /// When, since boot.
    pub at: BootMs,
    /// When by the wall clock, milliseconds since the Unix epoch.
    pub wall_ms: i64,
    /// How long reading took, microseconds.
    pub took_us: u64,
    /// Identity, memory in total, limits.
    pub overview: Overview,
    /// What is mapped; `Pending` where it was not asked for.
    pub mappings: Reading<Mappings>,
    /// What is open; `Pending` where it was not asked for.
    pub descriptors: Reading<Descriptors>,
    /// Its threads; `Pending` where they were not asked for.
    pub threads: Reading<Threads>,
    /// What tells the runtime that it has, of which `analyze::runtime` makes the limit; `Pending` where it was not asked
    /// for.
    pub runtime: Reading<Clues>,
}

/// A part of an inspection that is read only where it is asked for. The overview always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// [`Inspection::mappings`].
    Mappings,
    /// [`Inspection::descriptors`].
    Descriptors,
    /// [`Inspection::threads`].
    Threads,
    /// [`Inspection::runtime`].
    Runtime,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 4] = [Self::Mappings, Self::Descriptors, Self::Threads, Self::Runtime];
}

/// Which parts are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartSet(u8);

impl PartSet {
    /// Adds a part.
    pub fn insert(&mut self, part: Part) {
        self.0 |= 1 << part as u8;
    }

    /// Whether the part is in the set.
    pub fn contains(self, part: Part) -> bool {
        self.0 & (1 << part as u8) != 0
    }

    /// All of them.
    pub fn all() -> Self {
        Part::ALL.into_iter().collect()
    }
}

impl FromIterator<Part> for PartSet {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Self {
        let mut set = Self::default();
        parts.into_iter().for_each(|part| set.insert(part));
        set
    }
}

/// How much of a part was read before its time was up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Items that were read.
    pub read: u64,
    /// Items there are.
    pub of: u64,
}

impl Coverage {
    /// Everything was read.
    pub fn is_whole(self) -> bool {
        self.read >= self.of
    }

    /// The share that was read, 0 to 1.
    pub fn share(self) -> f64 {
        if self.is_whole() { 1.0 } else { self.read as f64 / self.of as f64 }
    }

    /// A number of what was read, scaled to all: exact where all of it was read, an estimate otherwise.
    pub fn scale(self, number: u64) -> u64 {
        if self.is_whole() || self.read == 0 { number } else { (number as f64 / self.share()).round() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_read_by_half_is_scaled_to_all() {
        let half = Coverage { read: 50, of: 100 };
        assert!(!half.is_whole());
        assert_eq!(half.scale(7), 14);
        assert_eq!(Coverage { read: 9, of: 9 }.scale(7), 7);
        assert_eq!(Coverage::default().scale(0), 0);
    }

    #[test]
    fn a_set_of_parts_holds_what_was_put_in() {
        let set: PartSet = [Part::Threads].into_iter().collect();
        assert_eq!(Part::ALL.map(|part| set.contains(part)), [false, false, true, false]);
        assert!(Part::ALL.iter().all(|part| PartSet::all().contains(*part)));
    }
}
