//! The recent past, whole: snapshots thinned with age and bounded in bytes, so that every view can show it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::update::Timespan;
use crate::model::judgement::Judged;
use crate::model::process::ProcessSample;
use crate::model::reading::BootMs;
use crate::model::sample::Sample;
use crate::model::snapshot::Snapshot;

/// Snapshots by time, the oldest first.
#[derive(Default)]
pub struct Timeline {
    kept: VecDeque<Kept>,
    bytes: usize,
    /// How often the spacing has been doubled to stay inside the bound.
    squeeze: u32,
}

struct Kept {
    snapshot: Arc<Snapshot>,
    /// What it holds beyond the one before it.
    bytes: usize,
}

/// Snapshots younger than `within_ms` stay if they are at least `apart_ms` from their neighbour.
struct Spacing {
    within_ms: u64,
    apart_ms: u64,
}

/// One minute by every sample, ten by 10 s, an hour by the minute.
const SPACINGS: [Spacing; 3] = [
    Spacing { within_ms: 60_000, apart_ms: 0 },
    Spacing { within_ms: 600_000, apart_ms: 10_000 },
    Spacing { within_ms: 3_660_000, apart_ms: 60_000 },
];

/// Memory that all snapshots together may take.
const TOTAL_BYTES: usize = 1 << 20;

/// Below so many snapshots the bound gives way: there must be a past.
const LEAST: usize = 3;

impl Timeline {
    /// Adds the newest snapshot and thins the older ones.
    pub fn push(&mut self, snapshot: Arc<Snapshot>) {
        let before = self.kept.back().map(|kept| &kept.snapshot.sample);
        let bytes = weight(before, &snapshot.sample);
        self.bytes += bytes;
        self.kept.push_back(Kept { snapshot, bytes });
        self.thin();
        while self.bytes > TOTAL_BYTES && self.kept.len() > LEAST {
            if self.squeeze < 6 {
                self.squeeze += 1;
                self.thin();
            } else {
                self.remove(0);
            }
        }
    }

    fn thin(&mut self) {
        let Some(newest) = self.kept.back().map(|kept| kept.snapshot.sample.at) else { return };
        let mut place = 0;
        while place + 1 < self.kept.len() {
            let age = newest.since(self.at(place));
            let keep = match SPACINGS.iter().find(|spacing| age < spacing.within_ms) {
                None => false,
                Some(spacing) if place == 0 => spacing.apart_ms == 0 || age < SPACINGS[2].within_ms,
                Some(spacing) => {
                    let apart =
                        if self.squeeze == 0 { spacing.apart_ms } else { spacing.apart_ms.max(1000) << self.squeeze };
                    // The neighbour after it would stand too near to the one before it without it.
                    self.at(place + 1).since(self.at(place - 1)) > apart
                }
            };
            if keep {
                place += 1;
            } else {
                self.remove(place);
            }
        }
    }

    fn at(&self, place: usize) -> BootMs {
        self.kept[place].snapshot.sample.at
    }

    fn remove(&mut self, place: usize) {
        let Some(removed) = self.kept.remove(place) else { return };
        self.bytes -= removed.bytes;
        if place < self.kept.len() {
            let before = place.checked_sub(1).map(|before| Arc::clone(&self.kept[before].snapshot.sample));
            let after = &mut self.kept[place];
            let bytes = weight(before.as_ref(), &after.snapshot.sample);
            self.bytes = self.bytes - after.bytes + bytes;
            after.bytes = bytes;
        }
    }

    /// The snapshot shown at a moment: the last one not after it, or the oldest.
    pub fn find(&self, at: BootMs) -> Option<&Arc<Snapshot>> {
        let after = self.kept.partition_point(|kept| kept.snapshot.sample.at <= at);
        self.kept.get(after.saturating_sub(1)).map(|kept| &kept.snapshot)
    }

    /// How the past looks from a moment.
    pub fn span(&self, at: BootMs, is_past: bool) -> Timespan {
        let times = || self.kept.iter().map(|kept| kept.snapshot.sample.at);
        Timespan {
            oldest: times().next().unwrap_or(at),
            newest: times().next_back().unwrap_or(at),
            shown: at,
            earlier: times().rev().find(|time| *time < at),
            later: times().find(|time| *time > at),
            is_past,
        }
    }

    /// Bytes held, at most.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What a sample takes in memory beyond what it shares with the one before it.
fn weight(before: Option<&Arc<Sample>>, sample: &Sample) -> usize {
    let place = size_of::<Arc<ProcessSample>>() + size_of::<Judged>();
    let mut changed = sample.processes.len();
    if let Some(before) = before {
        let mut old = before.processes.iter().peekable();
        for process in &sample.processes {
            while old.next_if(|old| old.key.pid < process.key.pid).is_some() {}
            if old.peek().is_some_and(|old| Arc::ptr_eq(old, process)) {
                changed -= 1;
            }
        }
    }
    size_of::<Snapshot>() + size_of::<Sample>() + sample.processes.len() * place + changed * size_of::<ProcessSample>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::judgement::Analysis;
    use crate::model::key::ProcessKey;
    use crate::model::process::Identity;
    use crate::model::sample::{Host, Scan};
    use crate::model::system::SystemSample;

    fn snapshot(second: u64, processes: &[Arc<ProcessSample>]) -> Arc<Snapshot> {
        let sample = Sample {
            wall_ms: 0,
            at: BootMs(second * 1000),
            closer: None,
            deeds: Vec::new(),
            interval_ms: 1000,
            host: Arc::new(Host::default()),
            system: SystemSample::default(),
            processes: processes.to_vec(),
            scan: Scan::default(),
        };
        Arc::new(Snapshot::derive(None, Arc::new(sample), Analysis::default()))
    }

    fn processes(count: u32) -> Vec<Arc<ProcessSample>> {
        let identity = Arc::new(Identity::default());
        (0..count)
            .map(|pid| Arc::new(ProcessSample::found(ProcessKey { pid, start_time: 1 }, Arc::clone(&identity))))
            .collect()
    }

    #[test]
    fn an_hour_is_kept_coarser_with_age() {
        let mut timeline = Timeline::default();
        (0..7200).for_each(|second| timeline.push(snapshot(second, &[])));
        let span = timeline.span(BootMs(7_199_000), false);
        assert!((3_500..3_700).contains(&(span.newest.since(span.oldest) / 1000)), "{span:?}");
        assert_eq!(span.earlier, Some(BootMs(7_198_000)));
        let shown = timeline.find(BootMs(7_199_000 - 300_000)).unwrap();
        assert!(BootMs(7_199_000 - 300_000).since(shown.sample.at) <= 20_000);
        assert!(timeline.kept.len() < 260, "{}", timeline.kept.len());
    }

    #[test]
    fn a_machine_where_everything_changes_is_kept_in_bounds() {
        let mut timeline = Timeline::default();
        (0..4000).for_each(|second| timeline.push(snapshot(second, &processes(400))));
        assert!(timeline.bytes() <= TOTAL_BYTES, "{}", timeline.bytes());
        assert!(timeline.kept.len() >= LEAST);
        let exact: usize = (0..timeline.kept.len())
            .map(|place| {
                weight(
                    place.checked_sub(1).map(|before| &timeline.kept[before].snapshot.sample),
                    &timeline.kept[place].snapshot.sample,
                )
            })
            .sum();
        assert_eq!(exact, timeline.bytes());
    }

    #[test]
    fn what_did_not_change_is_held_once() {
        let mut timeline = Timeline::default();
        let idle = processes(1000);
        (0..4000).for_each(|second| timeline.push(snapshot(second, &idle)));
        let span = timeline.span(BootMs(3_999_000), false);
        assert!(span.newest.since(span.oldest) > 3_000_000, "{span:?} {}", timeline.bytes());
    }
}
