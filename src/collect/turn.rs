//! Whose turn it is: which sources of which process are read now, so that what is seen is fresh, what is sorted is
//! right, and all of it stays inside a budget.
//!
//! `statm` is read of every process in every sample and is not decided here. The order of the rest:
//! rows on the screen; the largest by PSS; what has never been read; what changed; the others in turn, slowly.

use std::time::{Duration, Instant};

use super::demand::Demand;
use super::entry::{Entry, Life, SourceState};
use super::process::ProcessReader;
use super::top::Largest;
use crate::model::field::{Source, SourceSet};
use crate::model::reading::BootMs;

/// While something has never been read at all, reading may take this many times the budget: a column fills in
/// seconds, not in minutes.
const CATCH_UP: f64 = 10.0;

/// The first sample is for the eye: it may take this long, not more.
pub(super) const FIRST_LOOK: Duration = Duration::from_millis(12);

/// In the slow turn every process is visited this often.
const LAP: Duration = Duration::from_secs(20);

/// How closely a process is watched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    Visible,
    Other,
}

/// What one turn did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Turned {
    /// Places of entries that proved to have ended.
    pub(super) ended: Vec<usize>,
    /// Processes of which a wanted source has never been read.
    pub(super) pending: u32,
}

/// The reading order's memory between samples.
#[derive(Default)]
pub(super) struct Turn {
    /// Where the slow turn goes on.
    cursor: usize,
    /// Places of entries, the largest RSS first; kept because it changes little.
    by_rss: Vec<u32>,
    /// Whether the last turn left something unread.
    has_pending: bool,
}

/// One turn's circumstances.
struct Round<'a> {
    wanted: &'a [Source],
    now: BootMs,
    interval_ms: u64,
    deadline: Instant,
    reader: &'a mut ProcessReader,
    ended: Vec<usize>,
}

impl Turn {
    /// Reads what is due. `allowance` overrides the budget.
    pub(super) fn take(
        &mut self,
        entries: &mut [Entry],
        demand: &Demand,
        now: BootMs,
        interval: Duration,
        allowance: Option<Duration>,
        reader: &mut ProcessReader,
    ) -> Turned {
        let share = demand.budget * if self.has_pending { CATCH_UP } else { 1.0 };
        let allowance = allowance.unwrap_or_else(|| interval.mul_f64(share.clamp(0.0, 1.0)));
        let wanted: Vec<Source> = WATCHED.into_iter().filter(|source| demand.sources.contains(*source)).collect();
        let mut round = Round {
            wanted: &wanted,
            now,
            interval_ms: interval.as_millis() as u64,
            deadline: Instant::now() + allowance,
            reader,
            ended: Vec::new(),
        };
        for key in &demand.visible {
            let place = entries.binary_search_by_key(&key.pid, |entry| entry.process.key.pid);
            if let Ok(place) = place
                && entries[place].process.key == *key
                && !round.visit(entries, place, Rank::Visible, true)
            {
                break;
            }
        }
        self.order_by_rss(entries);
        self.read_largest(entries, demand.top_by_pss, demand.visible.is_empty(), &mut round);
        self.read_pending(entries, &mut round);
        self.walk(entries, interval, &mut round);
        let pending = entries.iter().filter(|entry| is_pending(entry, &wanted)).count() as u32;
        self.has_pending = pending > 0;
        Turned { ended: round.ended, pending }
    }

    fn order_by_rss(&mut self, entries: &[Entry]) {
        if self.by_rss.len() != entries.len() {
            self.by_rss = (0..entries.len() as u32).collect();
        }
        self.by_rss.sort_by_key(|place| std::cmp::Reverse(entries[*place as usize].rss()));
    }

    /// Before anything is known to be visible (`is_blind`) these are what will be: they are read whole.
    ///
    /// PSS <= RSS: going down by RSS, nothing below the `top`-th PSS found can be among the `top` largest.
    fn read_largest(&self, entries: &mut [Entry], top: usize, is_blind: bool, round: &mut Round<'_>) {
        if top == 0 || !round.wanted.contains(&Source::Rollup) {
            return;
        }
        let mut largest = Largest::new(top);
        for place in self.by_rss.iter().map(|place| *place as usize) {
            let most = |entry: &Entry| {
                let threads = entry.process.stat.reading.value().map_or(1, |stat| stat.threads);
                entry.rss().saturating_add(round.reader.rss_slack(threads))
            };
            if largest.bound().is_some_and(|bound| most(&entries[place]) < bound) {
                continue;
            }
            if !round.visit(entries, place, Rank::Other, is_blind) {
                break;
            }
            largest.push(entries[place].pss().unwrap_or(0));
        }
    }

    fn read_pending(&self, entries: &mut [Entry], round: &mut Round<'_>) {
        for place in self.by_rss.iter().map(|place| *place as usize) {
            if is_pending(&entries[place], round.wanted) && !round.visit(entries, place, Rank::Other, true) {
                return;
            }
        }
    }

    /// A part of the slow lap: the processes that changed come by their own haste, the others by age.
    fn walk(&mut self, entries: &mut [Entry], interval: Duration, round: &mut Round<'_>) {
        if entries.is_empty() {
            return;
        }
        for place in 0..entries.len() {
            if entries[place].changed_at == round.now && !round.visit(entries, place, Rank::Other, false) {
                return;
            }
        }
        let step = (entries.len() as f64 * interval.as_secs_f64() / LAP.as_secs_f64()).ceil() as usize;
        for _ in 0..step.min(entries.len()) {
            self.cursor = (self.cursor + 1) % entries.len();
            if !round.visit(entries, self.cursor, Rank::Other, true) {
                return;
            }
        }
    }
}

impl Round<'_> {
    /// Reads what is due of one process; without `all`, only what follows its memory. False when time is up.
    fn visit(&mut self, entries: &mut [Entry], place: usize, rank: Rank, all: bool) -> bool {
        let entry = &mut entries[place];
        let mut due = [Source::Key; WATCHED.len()];
        let mut count = 0;
        for source in self.wanted {
            let follows_memory = matches!(source, Source::Rollup | Source::Status);
            if (all || follows_memory) && self.is_due(entry, *source, rank) {
                due[count] = *source;
                count += 1;
            }
        }
        if count == 0 {
            return true;
        }
        if Instant::now() >= self.deadline {
            return false;
        }
        if entry.read(&due[..count], self.reader, self.now) == Life::Ended {
            self.ended.push(place);
        }
        true
    }

    fn is_due(&self, entry: &Entry, source: Source, rank: Rank) -> bool {
        let read_at = match entry.state_of(source) {
            SourceState::Pending => return true,
            SourceState::Refused(at) => return self.now.since(at) > 60_000,
            SourceState::Read(at) => at,
        };
        let age = self.now.since(read_at);
        let has_changed = entry.changed_at > read_at;
        // Timers drift: what is meant to be read in every sample is due a little early.
        let each_sample = self.interval_ms * 9 / 10;
        let most = match (rank, source, has_changed) {
            (Rank::Visible, Source::Stat | Source::Fds, _) | (Rank::Visible, Source::Rollup | Source::Status, true) => {
                each_sample
            }
            (_, Source::Limits, _) => 60_000,
            (Rank::Visible, ..) | (Rank::Other, Source::Stat, true) => 10_000,
            (Rank::Other, Source::Rollup | Source::Status, true) => each_sample.max(2_000),
            (Rank::Other, Source::Fds, _) => 15_000,
            (Rank::Other, Source::Identity, _) => 110_000,
            (Rank::Other, ..) => 50_000,
        };
        age >= most
    }
}

/// Sources that are read in turn.
const WATCHED: [Source; 7] =
    [Source::Identity, Source::Stat, Source::Status, Source::Rollup, Source::Fds, Source::Limits, Source::OomScore];

fn is_pending(entry: &Entry, wanted: &[Source]) -> bool {
    wanted.iter().any(|source| entry.state_of(*source) == SourceState::Pending)
}

/// Every source there is, for a sample that is to be complete.
pub fn all_sources() -> SourceSet {
    WATCHED.into_iter().collect()
}
