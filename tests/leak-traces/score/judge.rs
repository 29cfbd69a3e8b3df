//! What is scored: anything that takes in samples and says who leaks.

use memtide::model::key::ProcessKey;
use memtide::model::reading::BootMs;
use memtide::model::sample::Sample;

use crate::truth::Quantity;

/// A judge of one recording.
pub trait Judge {
    /// Takes in the next sample.
    fn ingest(&mut self, sample: &Sample);

    /// Everything that is called leaking now.
    fn verdicts(&self) -> Vec<Verdict>;
}

/// Somebody is called leaking.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Who.
    pub suspect: Suspect,
    /// What.
    pub quantity: Quantity,
    /// Growth in bytes or pieces a minute.
    pub per_minute: f64,
    /// When the nearest limit will be met, if one is known.
    pub exhausted_at: Option<BootMs>,
}

/// Who is called leaking.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suspect {
    /// One process.
    Process(ProcessKey),
    /// Processes that belong together, those that have ended among them.
    Group(Vec<ProcessKey>),
    /// Nobody: the machine.
    Machine,
}

/// How a judge is made: a new one for each recording.
pub struct Candidate {
    /// Its name in the table.
    pub name: &'static str,
    /// Makes one.
    pub make: fn() -> Box<dyn Judge>,
}
