//! What follows from one sample and the one before it: rates, and rows that the fields read.

use std::sync::Arc;

use super::judgement::{Analysis, Judged, Verdict};
use super::key::ProcessKey;
use super::mark::Mark;
use super::process::ProcessSample;
use super::reading::{BootMs, Reading, Stamped};
use super::sample::Sample;

/// A sample with what is derived from it. Views, exporters and rules see this and nothing below it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The raw sample.
    pub sample: Arc<Sample>,
    /// Rates since the sample before; `Pending` on the first.
    pub rates: Reading<SystemRates>,
    /// What the history says of it.
    pub analysis: Analysis,
    /// The mark that it is compared with, if there is one.
    pub mark: Option<Arc<Mark>>,
}

/// Per-second rates of the machine's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SystemRates {
    /// Bytes swapped in a second.
    pub swap_in: f64,
    /// Bytes swapped out a second.
    pub swap_out: f64,
    /// Major faults a second.
    pub major_faults: f64,
    /// Allocation stalls a second.
    pub stalls: f64,
}

impl Snapshot {
    /// Derives rates from two neighbouring samples.
    pub fn derive(before: Option<&Sample>, sample: Arc<Sample>, analysis: Analysis) -> Self {
        let rates = before.map_or(Reading::Pending, |before| derive_rates(before, &sample));
        Self { sample, rates, analysis, mark: None }
    }

    /// The same, compared with a mark or with none.
    #[must_use]
    pub fn compared_with(self, mark: Option<Arc<Mark>>) -> Self {
        Self { mark, ..self }
    }

    /// The process at `index` of the sample as a row of fields.
    pub fn row(&self, index: usize) -> Row<'_> {
        Row { snapshot: self, index, process: &self.sample.processes[index] }
    }

    /// The row of this process, if it is alive here.
    pub fn row_of(&self, key: ProcessKey) -> Option<Row<'_>> {
        self.sample.index_of(key).map(|index| self.row(index))
    }

    /// Every process as a row, by pid.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.sample.processes.len()).map(|index| self.row(index))
    }

    /// How old a reading may be, in milliseconds, before it is shown as stale.
    pub fn fresh_ms(&self) -> u64 {
        (2 * self.sample.interval_ms).max(Self::FRESH_MS)
    }

    /// Readings younger than this are drawn as new, whatever the interval.
    pub const FRESH_MS: u64 = 12_000;
}

fn derive_rates(before: &Sample, sample: &Sample) -> Reading<SystemRates> {
    let elapsed_ms = sample.at.since(before.at);
    if elapsed_ms == 0 {
        return Reading::Pending;
    }
    let rate = |old: Reading<u64>, new: Reading<u64>| -> f64 {
        match (old.value(), new.value()) {
            (Some(old), Some(new)) => new.saturating_sub(old) as f64 * 1000.0 / elapsed_ms as f64,
            _ => 0.0,
        }
    };
    let (old, new) = (&before.system.vmstat, &sample.system.vmstat);
    let page = sample.host.page_size as f64;
    new.swap_in.map(|_| SystemRates {
        swap_in: rate(old.swap_in, new.swap_in) * page,
        swap_out: rate(old.swap_out, new.swap_out) * page,
        major_faults: rate(old.major_faults, new.major_faults),
        stalls: rate(old.allocation_stalls, new.allocation_stalls),
    })
}

/// One process of a snapshot, as the fields read it.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Where it stands.
    pub snapshot: &'a Snapshot,
    /// Its place in the sample.
    pub index: usize,
    /// What was read of it.
    pub process: &'a ProcessSample,
}

impl<'a> Row<'a> {
    /// A stamped part of the process as it stands now: stale where it is old.
    pub fn aged<T: Copy>(&self, stamped: &Stamped<T>) -> Reading<T> {
        stamped.at(self.now(), self.snapshot.fresh_ms())
    }

    /// The sample's time.
    pub fn now(&self) -> BootMs {
        self.snapshot.sample.at
    }

    /// The user's name.
    pub fn user(&self) -> std::borrow::Cow<'a, str> {
        self.snapshot.sample.host.user(self.process.identity.uid)
    }

    /// Growth of private memory and swap in bytes per minute.
    pub fn growth(&self) -> Reading<f64> {
        match self.judged() {
            Some(judged) if judged.growth.is_finite() => Reading::Value(f64::from(judged.growth)),
            _ => Reading::Pending,
        }
    }

    /// What is said of the process's memory, descriptors and threads; `None` where there is no history.
    pub fn judged(&self) -> Option<&'a Judged> {
        self.snapshot.analysis.judged.get(self.index)
    }

    /// The verdict with its certainty in percent, `Pending` while there is not enough to tell.
    pub fn verdict(&self) -> Reading<(Verdict, u8)> {
        match self.judged() {
            Some(judged) if judged.verdict != Verdict::NotEnoughData => {
                Reading::Value((judged.verdict, judged.percent))
            }
            _ => Reading::Pending,
        }
    }

    /// Swapped-out anonymous memory; zero without a read where the machine has no swap in use.
    pub fn swap(&self) -> Reading<u64> {
        if self.snapshot.sample.system.meminfo.swap_used().value() == Some(0) {
            return Reading::Value(0);
        }
        self.aged(&self.process.status).map(|status| status.swap)
    }
}
