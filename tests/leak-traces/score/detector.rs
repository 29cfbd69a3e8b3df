//! The folk methods: each looks at one series of numbers alone.

use std::collections::VecDeque;

/// Looks at one series.
pub trait Detector {
    /// The next value, at so many milliseconds.
    fn push(&mut self, at: u64, value: f64);

    /// Growth a millisecond, where the series is called leaking; `room` is what it can still grow by.
    fn slope(&self, room: Option<f64>) -> Option<f64>;
}

/// Prometheus's `predict_linear`: a least-squares line over a window, called when it meets the limit within a horizon.
#[derive(Default)]
pub struct Linear {
    points: VecDeque<(f64, f64)>,
}

/// Prometheus users look back an hour and ahead four; the recordings run faster.
const WINDOW_MS: f64 = 120_000.0;
const HORIZON_MS: f64 = 4.0 * WINDOW_MS;

impl Detector for Linear {
    fn push(&mut self, at: u64, value: f64) {
        let at = at as f64;
        self.points.push_back((at, value));
        while self.points.front().is_some_and(|(first, _)| at - first > WINDOW_MS) {
            self.points.pop_front();
        }
    }

    fn slope(&self, room: Option<f64>) -> Option<f64> {
        let (first, last) = (self.points.front()?.0, self.points.back()?.0);
        if last - first < WINDOW_MS / 2.0 {
            return None;
        }
        let count = self.points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| self.points.iter().map(of).sum::<f64>() / count;
        let (mean_at, mean_value) = (mean(|point| point.0), mean(|point| point.1));
        let (mut both, mut square) = (0.0, 0.0);
        for (at, value) in &self.points {
            both += (at - mean_at) * (value - mean_value);
            square += (at - mean_at) * (at - mean_at);
        }
        let slope = both / square;
        (slope > 0.0 && slope * HORIZON_MS > room?).then_some(slope)
    }
}

/// Mann-Kendall's test with ties, on a value every ten seconds, and Sen's slope.
#[derive(Default)]
pub struct Rank {
    points: VecDeque<(f64, f64)>,
    slope: Option<f64>,
}

const STEP_MS: f64 = 10_000.0;
const MOST_POINTS: usize = 60;
const LEAST_POINTS: usize = 12;

/// Significant at 1 %, one-sided.
const Z: f64 = 2.326;

impl Detector for Rank {
    fn push(&mut self, at: u64, value: f64) {
        let at = at as f64;
        if self.points.back().is_some_and(|(last, _)| at - last < STEP_MS) {
            return;
        }
        if self.points.len() == MOST_POINTS {
            self.points.pop_front();
        }
        self.points.push_back((at, value));
        self.slope = (self.points.len() >= LEAST_POINTS && self.z() > Z).then(|| self.sen()).flatten();
    }

    fn slope(&self, _: Option<f64>) -> Option<f64> {
        self.slope
    }
}

impl Rank {
    fn pairs(&self) -> impl Iterator<Item = ((f64, f64), (f64, f64))> {
        let points = &self.points;
        (0..points.len()).flat_map(move |a| (a + 1..points.len()).map(move |b| (points[a], points[b])))
    }

    fn z(&self) -> f64 {
        let s: f64 = self
            .pairs()
            .map(|(a, b)| {
                if b.1 > a.1 {
                    1.0
                } else if b.1 < a.1 {
                    -1.0
                } else {
                    0.0
                }
            })
            .sum();
        let mut values: Vec<f64> = self.points.iter().map(|point| point.1).collect();
        values.sort_by(f64::total_cmp);
        let spread = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
        let ties: f64 = values.chunk_by(|a, b| a.total_cmp(b).is_eq()).map(|tie| spread(tie.len() as f64)).sum();
        let variance = (spread(values.len() as f64) - ties) / 18.0;
        if variance > 0.0 { (s - s.signum()) / variance.sqrt() } else { 0.0 }
    }

    fn sen(&self) -> Option<f64> {
        super::metric::median(self.pairs().map(|(a, b)| (b.1 - a.1) / (b.0 - a.0)).collect())
            .filter(|slope| *slope > 0.0)
    }
}

/// "It rose by 20 %" since it was first seen at rest, half a minute after it appeared.
#[derive(Default)]
pub struct Rose {
    began: Option<u64>,
    base: Option<(u64, f64)>,
    last: (u64, f64),
}

const SETTLE_MS: u64 = 30_000;

impl Detector for Rose {
    fn push(&mut self, at: u64, value: f64) {
        let began = *self.began.get_or_insert(at);
        if at - began >= SETTLE_MS {
            self.base.get_or_insert((at, value));
        }
        self.last = (at, value);
    }

    fn slope(&self, _: Option<f64>) -> Option<f64> {
        let (at, base) = self.base?;
        (self.last.1 > base * 1.2).then(|| (self.last.1 - base) / (self.last.0 - at) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: f64 = 1_048_576.0;

    /// Five minutes by the second.
    fn slope(mut detector: impl Detector, value: impl Fn(f64) -> f64) -> Option<f64> {
        for second in 0..300_u32 {
            detector.push(u64::from(second) * 1000, value(f64::from(second)));
        }
        detector.slope(Some(100.0 * MIB))
    }

    #[test]
    fn each_method_finds_a_straight_line_and_its_slope() {
        let line = |second: f64| 50.0 * MIB + second * MIB;
        let slopes = [slope(Linear::default(), line), slope(Rank::default(), line), slope(Rose::default(), line)];
        for slope in slopes {
            assert!((slope.unwrap() * 1000.0 / MIB - 1.0).abs() < 1e-6, "{slopes:?}");
        }
    }

    #[test]
    fn each_method_leaves_what_does_not_move_alone() {
        let flat = |_| 50.0 * MIB;
        let slopes = [slope(Linear::default(), flat), slope(Rank::default(), flat), slope(Rose::default(), flat)];
        assert_eq!(slopes, [None; 3]);
    }

    #[test]
    fn a_line_that_meets_no_limit_in_time_is_not_called_by_least_squares() {
        assert_eq!(slope(Linear::default(), |second| second * MIB / 10.0), None);
    }

    #[test]
    fn a_fall_is_no_growth() {
        let fall = |second: f64| 400.0 * MIB - second * MIB;
        let slopes = [slope(Linear::default(), fall), slope(Rank::default(), fall), slope(Rose::default(), fall)];
        assert_eq!(slopes, [None; 3]);
    }
}
