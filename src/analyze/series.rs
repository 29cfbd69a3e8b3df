//! One quantity over time in bounded memory: buckets of (min, last) in tiers of growing width. What does not
//! change takes no space: a run stands for all buckets until the next one.

use std::time::Duration;

use crate::model::reading::BootMs;

/// A tier: how wide a bucket is and how many runs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierSpec {
    /// Width of a bucket, milliseconds.
    pub step_ms: u64,
    /// The most runs kept.
    pub runs: usize,
}

// A window needs eight parts to be judged, so each tier spans eight buckets of the next at least.

/// Tiers of a process's memory: 96 s by 3 s, 6 min by 12 s, 25 min by 48 s, 1 h 30 min by 192 s.
pub const MEMORY_TIERS: &[TierSpec] = &[
    TierSpec { step_ms: 192_000, runs: 28 },
    TierSpec { step_ms: 48_000, runs: 32 },
    TierSpec { step_ms: 12_000, runs: 32 },
    TierSpec { step_ms: 3_000, runs: 32 },
];

/// Tiers of a process's descriptors: 100 s by 5 s, 4 min by 12 s, 10 min by 30 s, 20 min by 75 s.
pub const FD_TIERS: &[TierSpec] = &[
    TierSpec { step_ms: 75_000, runs: 16 },
    TierSpec { step_ms: 30_000, runs: 20 },
    TierSpec { step_ms: 12_000, runs: 20 },
    TierSpec { step_ms: 5_000, runs: 20 },
];

/// The one tier of a process's other quantities, which widens as they move.
pub const OTHER_TIERS: &[TierSpec] = &[TierSpec { step_ms: 3_000, runs: 20 }];

/// Tiers of the machine's use of memory, which is drawn for days.
pub const MACHINE_TIERS: &[TierSpec] = &[
    TierSpec { step_ms: 600_000, runs: 1_008 },
    TierSpec { step_ms: 60_000, runs: 240 },
    TierSpec { step_ms: 12_000, runs: 150 },
    TierSpec { step_ms: 3_000, runs: 80 },
];

/// Tiers of the machine's other quantities and of groups: there are few.
pub const JUDGED_TIERS: &[TierSpec] = &[
    TierSpec { step_ms: 600_000, runs: 72 },
    TierSpec { step_ms: 60_000, runs: 90 },
    TierSpec { step_ms: 12_000, runs: 50 },
    TierSpec { step_ms: 3_000, runs: 40 },
];

/// The most tiers that a series has.
const MOST_TIERS: usize = 4;

/// A bucket, and all unchanged buckets after it, in which the value stays `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    at: u32,
    min: u32,
    last: u32,
}

/// Values over time. The unit is the caller's; 32 bits of KiB hold 4 TiB.
#[derive(Clone, Debug)]
pub struct Series {
    since: BootMs,
    value: u32,
    peak: u32,
    /// Only once the value has changed.
    tiers: Option<Box<Tiers>>,
}

/// All tiers behind each other, the coarsest first: the finest, which changes most often, is at the end.
#[derive(Clone, Debug)]
struct Tiers {
    specs: &'static [TierSpec],
    runs: Vec<Run>,
    /// Where each tier ends.
    ends: [u16; MOST_TIERS],
    /// How often the buckets of a lone tier have been doubled.
    doubled: u8,
}

/// A lone tier widens up to this, milliseconds; then it forgets.
const WIDEST_MS: u64 = 600_000;

/// What a series did in one part of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The smallest value.
    pub low: u32,
    /// The value at its end.
    pub last: u32,
}

impl Series {
    /// A series that begins with this value.
    pub fn new(value: u32, at: BootMs) -> Self {
        Self { since: at, value, peak: value, tiers: None }
    }

    /// The newest value.
    pub fn last(&self) -> u32 {
        self.value
    }

    /// The highest value ever.
    pub fn peak(&self) -> u32 {
        self.peak
    }

    /// When it began.
    pub fn since(&self) -> BootMs {
        self.since
    }

    /// Whether the value has ever changed.
    pub fn has_moved(&self) -> bool {
        self.tiers.is_some()
    }

    /// Adds a value. Times must not go back; one that does counts as the newest moment known. `squeeze` halves the
    /// number of runs kept so many times.
    pub fn push(&mut self, value: u32, at: BootMs, specs: &'static [TierSpec], squeeze: u32) {
        if value == self.value {
            return;
        }
        let (since, old) = (self.since, self.value);
        let tiers = self.tiers.get_or_insert_with(|| Box::new(Tiers::new(specs, since, old)));
        for tier in 0..tiers.specs.len() {
            tiers.push(tier, at, old, value, squeeze);
        }
        self.value = value;
        self.peak = self.peak.max(value);
    }

    /// Forgets what `squeeze` no longer allows.
    pub fn shrink(&mut self, squeeze: u32) {
        if let Some(tiers) = &mut self.tiers {
            for tier in 0..tiers.specs.len() {
                let surplus = tiers.runs(tier).len().saturating_sub(kept(&tiers.specs[tier], squeeze));
                tiers.forget(tier, surplus);
            }
            tiers.runs.shrink_to_fit();
        }
    }

    /// Bytes held beyond the series itself.
    pub fn heap_bytes(&self) -> usize {
        self.tiers.as_ref().map_or(0, |tiers| size_of::<Tiers>() + tiers.runs.capacity() * size_of::<Run>())
    }

    /// How far back each tier reaches from a moment, the furthest first, milliseconds: windows of these lengths are seen
    /// as sharply as may be.
    pub(super) fn reaches(&self, now: BootMs) -> impl Iterator<Item = u64> {
        let tiers = self.tiers.iter().flat_map(|tiers| {
            let began = |tier| tiers.runs(tier).first().map(|run| BootMs(u64::from(run.at) * tiers.step_ms(tier)));
            (0..tiers.specs.len()).filter_map(began)
        });
        tiers.map(move |began| now.since(began))
    }

    /// The value at a moment, `None` before the series began. The finest tier that reaches back so far answers.
    pub fn at(&self, at: BootMs) -> Option<u32> {
        if at < self.since {
            return None;
        }
        let Some(tiers) = &self.tiers else { return Some(self.value) };
        // Without an answer it is older than the coarsest tier remembers.
        tiers.finest_to(at).map(|(step_ms, runs)| {
            let bucket = (at.0 / step_ms) as u32;
            runs[runs.partition_point(|run| run.at <= bucket).saturating_sub(1)].last
        })
    }

    /// The window from `from` to `to` in at most `most` parts of equal width, the oldest first, and that width in
    /// milliseconds: no narrower than the buckets of the finest tier that reaches back to `from`.
    pub fn parts(&self, from: BootMs, to: BootMs, most: usize, parts: &mut Vec<Part>) -> f64 {
        parts.clear();
        let span = to.since(from) as f64;
        let Some(tiers) = &self.tiers else {
            parts.resize(most, Part { low: self.value, last: self.value });
            return span / most as f64;
        };
        let (step_ms, runs) = tiers.finest_or_coarsest(from);
        // Parts of whole buckets: else their lows would not advance as far as the parts do.
        let buckets = (span as u64 / step_ms).max(1);
        let each = buckets.div_ceil(most as u64);
        let count = buckets / each;
        let end = to.0 / step_ms + 1;
        let first = end.saturating_sub(count * each);
        let mut next = runs.partition_point(|run| u64::from(run.at) < first);
        // Before the first run nothing is known but what it began with.
        let mut value = match next.checked_sub(1).map(|before| runs[before]) {
            Some(before) => before.last,
            None => runs.first().map_or(self.value, |run| run.min),
        };
        for nth in 1..=count {
            let end = first + nth * each;
            let mut low = value;
            while let Some(run) = runs.get(next).filter(|run| u64::from(run.at) < end) {
                low = low.min(run.min);
                value = run.last;
                next += 1;
            }
            parts.push(Part { low, last: value });
        }
        (each * step_ms) as f64
    }

    /// The highest value known between two moments, by whichever tier saw it best.
    pub(super) fn highest(&self, from: BootMs, to: BootMs) -> u32 {
        let Some(tiers) = &self.tiers else { return self.value };
        let of_tier = |tier: usize| {
            let bucket = |at: BootMs| (at.0 / tiers.step_ms(tier)) as u32;
            let (first, end) = (bucket(from), bucket(to));
            tiers.runs(tier).iter().filter(move |run| (first..end).contains(&run.at)).map(|run| run.last)
        };
        (0..tiers.specs.len()).flat_map(of_tier).max().unwrap_or(0)
    }

    /// `count` evenly spaced values up to `until`, the oldest first; NaN where nothing is known.
    pub fn points(&self, until: BootMs, span: Duration, count: usize) -> Vec<f32> {
        let step = span.as_millis() as f64 / count.max(1) as f64;
        (0..count)
            .map(|index| {
                let back = (count - 1 - index) as f64 * step;
                let at = until.0.checked_sub(back as u64).map(BootMs);
                at.and_then(|at| self.at(at)).map_or(f32::NAN, |value| value as f32)
            })
            .collect()
    }
}

impl Tiers {
    fn new(specs: &'static [TierSpec], since: BootMs, value: u32) -> Self {
        debug_assert!(specs.len() <= MOST_TIERS);
        let first = |spec: &TierSpec| Run { at: (since.0 / spec.step_ms) as u32, min: value, last: value };
        let mut ends = [specs.len() as u16; MOST_TIERS];
        (1..).zip(&mut ends[..specs.len()]).for_each(|(count, end)| *end = count);
        Self { specs, runs: specs.iter().map(first).collect(), ends, doubled: 0 }
    }

    /// Milliseconds in a bucket of a tier.
    fn step_ms(&self, tier: usize) -> u64 {
        self.specs[tier].step_ms << self.doubled
    }

    /// Doubles the buckets of a lone tier until there is room.
    fn widen(&mut self, most: usize) {
        while self.runs.len() >= most && self.specs.len() == 1 && self.step_ms(0) < WIDEST_MS {
            self.doubled += 1;
            let mut wider: Vec<Run> = Vec::with_capacity(self.runs.capacity());
            for run in &self.runs {
                let at = run.at / 2;
                match wider.last_mut().filter(|last| last.at == at) {
                    Some(last) => {
                        last.min = last.min.min(run.min);
                        last.last = run.last;
                    }
                    None => wider.push(Run { at, ..*run }),
                }
            }
            self.ends = [wider.len() as u16; MOST_TIERS];
            self.runs = wider;
        }
    }

    fn bounds(&self, tier: usize) -> std::ops::Range<usize> {
        let start = tier.checked_sub(1).map_or(0, |before| self.ends[before]);
        usize::from(start)..usize::from(self.ends[tier])
    }

    fn runs(&self, tier: usize) -> &[Run] {
        &self.runs[self.bounds(tier)]
    }

    fn push(&mut self, tier: usize, at: BootMs, old: u32, value: u32, squeeze: u32) {
        let most = kept(&self.specs[tier], squeeze);
        let mut bucket = (at.0 / self.step_ms(tier)) as u32;
        let is_new = self.runs(tier).last().is_none_or(|run| run.at < bucket);
        if is_new && self.bounds(tier).len() >= most {
            self.widen(most);
            bucket = (at.0 / self.step_ms(tier)) as u32;
        }
        let bounds = self.bounds(tier);
        if let Some(run) = self.runs[bounds.clone()].last_mut()
            && run.at >= bucket
        {
            run.min = run.min.min(value);
            run.last = value;
            return;
        }
        self.forget(tier, (bounds.len() + 1).saturating_sub(most));
        if self.runs.len() == self.runs.capacity() {
            self.runs.reserve_exact(8);
        }
        // Until this moment the bucket held the old value.
        self.runs.insert(usize::from(self.ends[tier]), Run { at: bucket, min: old.min(value), last: value });
        self.ends[tier..].iter_mut().for_each(|end| *end += 1);
    }

    /// Drops the oldest `count` runs of a tier.
    fn forget(&mut self, tier: usize, count: usize) {
        let start = self.bounds(tier).start;
        self.runs.drain(start..start + count);
        self.ends[tier..].iter_mut().for_each(|end| *end -= count as u16);
    }

    /// The finest tier that knows what was at a moment: milliseconds in its buckets, and its runs.
    fn finest_to(&self, at: BootMs) -> Option<(u64, &[Run])> {
        (0..self.specs.len())
            .rev()
            .map(|tier| (self.step_ms(tier), self.runs(tier)))
            .find(|(step_ms, runs)| runs.first().is_some_and(|first| u64::from(first.at) <= at.0 / step_ms))
    }

    fn finest_or_coarsest(&self, at: BootMs) -> (u64, &[Run]) {
        self.finest_to(at).unwrap_or((self.step_ms(0), self.runs(0)))
    }
}

fn kept(spec: &TierSpec, squeeze: u32) -> usize {
    (spec.runs >> squeeze.min(8)).max(4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn second(n: u64) -> BootMs {
        BootMs(n * 1000)
    }

    #[test]
    fn a_constant_takes_no_space() {
        let mut series = Series::new(5, second(0));
        (1..100_000).for_each(|n| series.push(5, second(n), MEMORY_TIERS, 0));
        assert_eq!((series.heap_bytes(), series.at(second(77))), (0, Some(5)));
    }

    #[test]
    fn the_past_is_coarser_but_there() {
        let mut series = Series::new(0, second(0));
        (1..=3600).for_each(|n| series.push(n as u32, second(n), MEMORY_TIERS, 0));
        assert_eq!(series.at(second(3590)), Some(3590));
        let five_minutes_ago = series.at(second(3300)).unwrap();
        assert!((3290..3312).contains(&five_minutes_ago), "{five_minutes_ago}");
        let long_ago = series.at(second(600)).unwrap();
        assert!((600..1200).contains(&long_ago), "{long_ago}");
        let mut parts = Vec::new();
        let width = series.parts(second(600), second(3600), 30, &mut parts);
        assert_eq!((parts.len(), width), (15, 192_000.0));
        assert!(parts.windows(2).all(|pair| pair[0].low < pair[1].low), "{parts:?}");
    }

    #[test]
    fn points_before_the_start_are_unknown() {
        let series = Series::new(3, second(100));
        let points = series.points(second(110), Duration::from_secs(40), 4);
        assert!(points[0].is_nan() && points[1].is_nan(), "{points:?}");
        assert_eq!(points[3].to_bits(), 3.0f32.to_bits());
    }

    #[test]
    fn a_process_that_never_rests_stays_below_four_kibibytes() {
        let mut series = Series::new(0, second(0));
        (1..100_000u64).for_each(|n| series.push((n * 7919 % 10_007) as u32, second(n), MEMORY_TIERS, 0));
        let mut total = series.heap_bytes() + size_of::<Series>();
        for specs in [FD_TIERS, OTHER_TIERS, OTHER_TIERS, OTHER_TIERS, OTHER_TIERS] {
            let mut counts = Series::new(0, second(0));
            (1..100_000u64).for_each(|n| counts.push((n % 3) as u32, second(n), specs, 0));
            total += counts.heap_bytes() + size_of::<Series>();
        }
        assert!(total <= 4 * 1024, "{total}");
    }

    proptest! {
        #[test]
        fn any_values_at_any_times_are_answered(steps in proptest::collection::vec((0u64..5_000_000, any::<u32>()), 0..200)) {
            let mut series = Series::new(1, BootMs(0));
            let (mut now, mut parts) = (0, Vec::new());
            for (step, value) in steps {
                now += step;
                series.push(value, BootMs(now), MEMORY_TIERS, 1);
                prop_assert_eq!(series.at(BootMs(now)), Some(value));
                series.parts(BootMs(now / 2), BootMs(now), 20, &mut parts);
                prop_assert_eq!(parts.last().map(|part| part.last), Some(value));
                prop_assert!(parts.iter().all(|part| part.low <= part.last));
            }
            series.shrink(3);
            prop_assert!(series.at(BootMs(now)).is_some());
        }
    }
}
