//! What a judgement rests on, to be drawn: what was measured, the floor below it, and the line through the floor.

use std::time::Duration;

use super::series::{Part, Series};
use crate::model::judgement::{Finding, Judgement, Quantity, Subject};
use crate::model::reading::BootMs;

/// What is wanted of a finding's history.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceWish {
    /// Whose.
    pub subject: Subject,
    /// What.
    pub quantity: Quantity,
    /// Points over the span.
    pub points: usize,
    /// How far back, at most.
    pub span: Duration,
}

impl EvidenceWish {
    /// Whether it is about this finding.
    pub fn is_about(&self, finding: &Finding) -> bool {
        (&self.subject, self.quantity) == (&finding.subject, finding.quantity)
    }
}

/// The history behind a judgement, in the quantity's units. Times are as watched: a suspended hour is not in them.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Whose.
    pub subject: Subject,
    /// What.
    pub quantity: Quantity,
    /// How far back it reaches: no further than the wish, nor than what was watched.
    pub span: Duration,
    /// The moment at which it begins.
    pub began: BootMs,
    /// Evenly spaced values up to the moment shown, the oldest first; NaN where nothing is known.
    pub points: Vec<f32>,
    /// The lowest value in each of so many equal parts of the span: what garbage collection leaves.
    pub floor: Vec<f32>,
    /// What is said of it.
    pub judgement: Judgement,
    /// How long ago the present behaviour began, at most the span.
    pub since: Duration,
    /// Where the line through the floor stands now.
    pub fitted: f64,
}

/// Parts of the floor, as many as the judge looks at.
const PARTS: usize = 32;

/// The history of a series up to a moment of watched time.
pub(super) struct Past {
    pub(super) span: Duration,
    pub(super) points: Vec<f32>,
    pub(super) floor: Vec<f32>,
}

impl Past {
    /// Looks back from `until` by at most `span`; values are times `unit`.
    pub(super) fn of(series: &Series, until: BootMs, span: Duration, count: usize, unit: f32) -> Self {
        let known = Duration::from_millis(until.since(series.since()));
        let span = span.min(known).max(Duration::from_secs(1));
        let from = BootMs(until.0.saturating_sub(span.as_millis() as u64));
        let mut parts: Vec<Part> = Vec::new();
        series.parts(from, until, PARTS, &mut parts);
        let points = series.points(until, span, count).into_iter().map(|point| point * unit).collect();
        Self { span, points, floor: parts.iter().map(|part| part.low as f32 * unit).collect() }
    }

    /// Where a line of this rate per minute through the floor of the last `since` stands at the end.
    pub(super) fn fitted(&self, rate: f64, since: Duration) -> f64 {
        let width_ms = self.span.as_millis() as f64 / self.floor.len().max(1) as f64;
        let first = (self.span.saturating_sub(since).as_millis() as f64 / width_ms).round() as usize;
        let first = first.min(self.floor.len().saturating_sub(1));
        let mut ends: Vec<f32> = (first..self.floor.len())
            .map(|part| {
                let to_end_ms = (self.floor.len() - part) as f64 * width_ms;
                (f64::from(self.floor[part]) + rate * to_end_ms / 60_000.0) as f32
            })
            .collect();
        if ends.is_empty() {
            return 0.0;
        }
        let middle = ends.len() / 2;
        f64::from(*ends.select_nth_unstable_by(middle, f32::total_cmp).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::series::MEMORY_TIERS;

    fn sawtooth() -> (Series, BootMs) {
        let mut series = Series::new(100_000, BootMs(0));
        // A MiB a minute below teeth of five.
        for second in 1..=600u64 {
            let value = 100_000 + second * 1024 / 60 + second % 20 * 256;
            series.push(value as u32, BootMs(second * 1000), MEMORY_TIERS, 0);
        }
        (series, BootMs(600_000))
    }

    #[test]
    fn the_floor_lies_below_the_teeth_and_the_line_on_the_floor() {
        let (series, now) = sawtooth();
        let past = Past::of(&series, now, Duration::from_mins(10), 120, 1.0);
        assert_eq!((past.points.len(), past.span), (120, Duration::from_mins(10)));
        let height = |values: &[f32]| values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(height(&past.floor) < height(&past.points) / 2.0, "{:?}", past.floor);
        let fitted = past.fitted(1024.0, Duration::from_mins(10));
        assert!((fitted - 110_240.0).abs() < 1500.0, "{fitted}");
        // The line leaves what came before the growth aside.
        let late = past.fitted(1024.0, Duration::from_mins(2));
        assert!((late - 110_240.0).abs() < 1500.0, "{late}");
    }

    #[test]
    fn what_was_not_watched_is_not_in_the_span() {
        let (series, now) = sawtooth();
        let past = Past::of(&series, now, Duration::from_hours(2), 60, 1024.0);
        assert_eq!(past.span, Duration::from_mins(10));
        assert!(past.points.iter().all(|point| point.is_finite()), "{:?}", past.points);
        let young = Past::of(&Series::new(7, now), now, Duration::from_hours(2), 60, 1.0);
        assert_eq!((young.span, young.floor[0].to_bits()), (Duration::from_secs(1), 7.0f32.to_bits()));
        assert_eq!(young.fitted(0.0, Duration::ZERO).to_bits(), 7.0f64.to_bits());
    }
}
