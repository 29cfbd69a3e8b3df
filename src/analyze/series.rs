//! One quantity over time in bounded memory: buckets of (min, max, last) in tiers of growing width. What does not
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

/// Tiers of a process's memory: 40 s by the second, 10 min by 10 s, 72 min by the minute, 6 h by 10 min.
pub const MEMORY_TIERS: &[TierSpec] = &[
    TierSpec { step_ms: 1_000, runs: 40 },
    TierSpec { step_ms: 10_000, runs: 60 },
    TierSpec { step_ms: 60_000, runs: 72 },
    TierSpec { step_ms: 600_000, runs: 36 },
];

/// Tiers of a process's counts, which move less.
pub const COUNT_TIERS: &[TierSpec] = &[TierSpec { step_ms: 60_000, runs: 30 }, TierSpec { step_ms: 600_000, runs: 10 }];

/// Tiers of the machine: there is only one.
pub const MACHINE_TIERS: &[TierSpec] = &[
    TierSpec { step_ms: 1_000, runs: 180 },
    TierSpec { step_ms: 10_000, runs: 360 },
    TierSpec { step_ms: 60_000, runs: 1_440 },
    TierSpec { step_ms: 600_000, runs: 1_008 },
];

/// A bucket, and all unchanged buckets after it, in which the value stays `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    at: u32,
    min: u32,
    max: u32,
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

#[derive(Clone, Debug)]
struct Tiers {
    specs: &'static [TierSpec],
    runs: Vec<Vec<Run>>,
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
        for (spec, runs) in tiers.specs.iter().zip(&mut tiers.runs) {
            push_run(runs, (at.0 / spec.step_ms) as u32, old, value, kept(spec, squeeze));
        }
        self.value = value;
        self.peak = self.peak.max(value);
    }

    /// Forgets what `squeeze` no longer allows.
    pub fn shrink(&mut self, squeeze: u32) {
        for (spec, runs) in self.tiers.iter_mut().flat_map(|tiers| tiers.specs.iter().zip(&mut tiers.runs)) {
            let surplus = runs.len().saturating_sub(kept(spec, squeeze));
            runs.drain(..surplus);
            runs.shrink_to_fit();
        }
    }

    /// Bytes held beyond the series itself.
    pub fn heap_bytes(&self) -> usize {
        self.tiers.as_ref().map_or(0, |tiers| {
            size_of::<Tiers>()
                + tiers
                    .runs
                    .iter()
                    .map(|runs| size_of::<Vec<Run>>() + runs.capacity() * size_of::<Run>())
                    .sum::<usize>()
        })
    }

    /// The value at a moment, `None` before the series began. The finest tier that reaches back so far answers.
    pub fn at(&self, at: BootMs) -> Option<u32> {
        self.look_up(at, |run, _| run.last)
    }

    /// The smallest value in the bucket around a moment: the lower envelope, which a garbage collector's sawtooth
    /// does not move.
    pub fn low_at(&self, at: BootMs) -> Option<u32> {
        self.look_up(at, |run, is_inside| if is_inside { run.min } else { run.last })
    }

    fn look_up(&self, at: BootMs, pick: impl Fn(Run, bool) -> u32) -> Option<u32> {
        if at < self.since {
            return None;
        }
        let Some(tiers) = &self.tiers else { return Some(self.value) };
        for (spec, runs) in tiers.specs.iter().zip(&tiers.runs) {
            let bucket = (at.0 / spec.step_ms) as u32;
            let after = runs.partition_point(|run| run.at <= bucket);
            if after > 0 {
                let run = runs[after - 1];
                return Some(pick(run, run.at == bucket));
            }
        }
        // Older than the coarsest tier remembers.
        None
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
        let first =
            |spec: &TierSpec| vec![Run { at: (since.0 / spec.step_ms) as u32, min: value, max: value, last: value }];
        Self { specs, runs: specs.iter().map(first).collect() }
    }
}

fn kept(spec: &TierSpec, squeeze: u32) -> usize {
    (spec.runs >> squeeze.min(8)).max(4)
}

fn push_run(runs: &mut Vec<Run>, bucket: u32, old: u32, value: u32, most: usize) {
    if let Some(run) = runs.last_mut()
        && run.at >= bucket
    {
        run.min = run.min.min(value);
        run.max = run.max.max(value);
        run.last = value;
        return;
    }
    if runs.len() >= most {
        let surplus = runs.len() + 1 - most;
        runs.drain(..surplus);
    }
    if runs.len() == runs.capacity() {
        runs.reserve_exact(8.min(most - runs.len()).max(1));
    }
    // Until this moment the bucket held the old value.
    runs.push(Run { at: bucket, min: old.min(value), max: old.max(value), last: value });
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
        assert!((3300..3310).contains(&five_minutes_ago), "{five_minutes_ago}");
        let long_ago = series.at(second(600)).unwrap();
        assert!((600..660).contains(&long_ago), "{long_ago}");
        assert_eq!(series.low_at(second(600)), Some(599));
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
        let mut counts = Series::new(0, second(0));
        (1..100_000u64).for_each(|n| counts.push((n % 3) as u32, second(n), COUNT_TIERS, 0));
        let total = series.heap_bytes() + counts.heap_bytes() + 2 * size_of::<Series>();
        assert!(total <= 4 * 1024 + 256, "{total}");
    }

    proptest! {
        #[test]
        fn any_values_at_any_times_are_answered(steps in proptest::collection::vec((0u64..5_000_000, any::<u32>()), 0..200)) {
            let mut series = Series::new(1, BootMs(0));
            let mut now = 0;
            for (step, value) in steps {
                now += step;
                series.push(value, BootMs(now), MEMORY_TIERS, 1);
                prop_assert_eq!(series.at(BootMs(now)), Some(value));
                prop_assert!(series.low_at(BootMs(now)) <= Some(value));
            }
            series.shrink(3);
            prop_assert!(series.at(BootMs(now)).is_some());
        }
    }
}
