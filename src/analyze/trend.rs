//! Slopes and trends that one step or one garbage collection does not move. Values are evenly spaced in time.

/// The normal quantile of a two-sided interval of 95 %.
const Z_95: f32 = 1.96;

/// A slope per step with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// The median of the slopes between all pairs of values (Theil 1950, Sen 1968).
    pub mid: f32,
    /// The lower end of its 95 % interval.
    pub low: f32,
    /// The upper end.
    pub high: f32,
}

/// The slopes between all pairs of values a step apart.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    slopes: Vec<f32>,
    values: usize,
}

impl Pairs {
    /// Takes the slopes of these values; `None` for fewer than two.
    pub fn of(&mut self, values: &[f32]) -> Option<&mut Self> {
        self.values = values.len();
        self.slopes.clear();
        for (index, first) in values.iter().enumerate() {
            let later = values[index + 1..].iter().zip(1u16..);
            self.slopes.extend(later.map(|(second, apart)| (second - first) / f32::from(apart)));
        }
        (!self.slopes.is_empty()).then_some(self)
    }

    /// Their median: the Theil-Sen slope.
    pub fn median(&mut self) -> f32 {
        self.pick(self.slopes.len() / 2)
    }

    /// The slope with Sen's interval by ranks. `inflation` is how many times wider the variance of Kendall's S is than for
    /// independent values.
    pub fn slope(&mut self, inflation: f32) -> Slope {
        // Gilbert (1987), 16.4: the interval holds the slopes whose ranks are within z * sd(S) / 2 of the middle.
        let reach = Z_95 * (variance_of_s(self.values, 0.0) * inflation).sqrt();
        let count = self.slopes.len() as f32;
        let (low, high) = ((count - reach) / 2.0, f32::midpoint(count, reach));
        Slope { mid: self.median(), low: self.pick(low.max(0.0) as usize), high: self.pick(high as usize) }
    }

    fn pick(&mut self, rank: usize) -> f32 {
        let rank = rank.min(self.slopes.len() - 1);
        *self.slopes.select_nth_unstable_by(rank, f32::total_cmp).1
    }
}

/// The Theil-Sen slope of values a step apart, with its interval; `None` for fewer than two values.
pub fn theil_sen(values: &[f32], inflation: f32, pairs: &mut Pairs) -> Option<Slope> {
    pairs.of(values).map(|pairs| pairs.slope(inflation))
}

/// The outcome of a Mann-Kendall test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kendall {
    /// The normal deviate of S: above 1.96 the values rise with 95 %, below -1.96 they fall.
    pub z: f32,
    /// How many times wider the variance of S is for these values than for independent ones.
    pub inflation: f32,
}

/// The Mann-Kendall test (Mann 1945, Kendall 1975) with ties, its variance corrected for autocorrelation of what is
/// left when the trend is taken out (Hamed and Rao 1998). `slope` is the trend per step.
pub fn mann_kendall(values: &[f32], slope: f32) -> Kendall {
    let mut s = 0i32;
    for (index, first) in values.iter().enumerate() {
        for second in &values[index + 1..] {
            s += i32::from(second > first) - i32::from(second < first);
        }
    }
    let inflation = inflation(values, slope);
    let deviation = (variance_of_s(values.len(), ties(values)) * inflation).sqrt();
    let z = if deviation > 0.0 { (s - s.signum()) as f32 / deviation } else { 0.0 };
    Kendall { z, inflation }
}

fn variance_of_s(count: usize, ties: f32) -> f32 {
    let n = count as f32;
    (n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0
}

/// The term that groups of equal values take from the variance of S. Only runs of neighbours count: values that meet
/// again by chance are rare, and a floor that stays is a run.
fn ties(values: &[f32]) -> f32 {
    values
        .chunk_by(|a, b| a.to_bits() == b.to_bits())
        .map(|run| run.len() as f32)
        .map(|run| run * (run - 1.0) * (2.0 * run + 5.0))
        .sum()
}

/// Lags beyond which autocorrelation is not looked for.
const MOST_LAGS: usize = 6;

fn inflation(values: &[f32], slope: f32) -> f32 {
    let n = values.len() as f32;
    if values.len() < 8 {
        return 1.0;
    }
    let left = |index: usize| values[index] - slope * index as f32;
    let mean = (0..values.len()).map(left).sum::<f32>() / n;
    let covariance =
        |lag: usize| (lag..values.len()).map(|index| (left(index) - mean) * (left(index - lag) - mean)).sum::<f32>();
    let variance = covariance(0);
    if variance <= 0.0 {
        return 1.0;
    }
    let significant = Z_95 / n.sqrt();
    let sum: f32 = (1..=MOST_LAGS.min(values.len() / 4))
        .map(|lag| (lag as f32, covariance(lag) / variance))
        .filter(|(_, correlation)| correlation.abs() > significant)
        .map(|(lag, correlation)| (n - lag) * (n - lag - 1.0) * (n - lag - 2.0) * correlation)
        .sum();
    // Negative correlation would make the test bolder than independence: it does not.
    (1.0 + 2.0 / (n * (n - 1.0) * (n - 2.0)) * sum).max(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(slope: f32) -> Vec<f32> {
        (0..32u8).map(|n| slope * f32::from(n) + 7.0).collect()
    }

    fn slope(values: &[f32]) -> Slope {
        theil_sen(values, 1.0, &mut Pairs::default()).unwrap()
    }

    /// Noise of the same kind on every run, in [-1, 1].
    fn noise(seed: u32, count: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761).max(1);
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state as f32 / u32::MAX as f32) * 2.0 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn a_line_has_its_slope_and_no_doubt() {
        let slope = slope(&line(3.0));
        assert!((slope.mid - 3.0).abs() < 1e-4 && (slope.low - 3.0).abs() < 1e-4 && (slope.high - 3.0).abs() < 1e-4);
        assert!(mann_kendall(&line(3.0), 3.0).z > 7.0);
    }

    #[test]
    fn one_step_is_no_slope() {
        let values: Vec<_> = (0..32u8).map(|n| if n < 5 { 0.0 } else { 1000.0 }).collect();
        assert!(slope(&values).mid.abs() < 1e-3);
    }

    #[test]
    fn one_value_has_no_slope() {
        assert_eq!(theil_sen(&[1.0], 1.0, &mut Pairs::default()), None);
        assert!(mann_kendall(&[1.0], 0.0).z.abs() < f32::EPSILON);
    }

    #[test]
    fn noise_rises_about_as_seldom_as_it_should() {
        let alarms = (0..1000).filter(|seed| mann_kendall(&noise(*seed, 32), 0.0).z.abs() > 1.96).count();
        assert!((20..90).contains(&alarms), "{alarms} of 1000, 50 expected");
    }

    #[test]
    fn a_wandering_series_is_doubted_more_than_independent_noise() {
        let wander = |seed: u32| -> Vec<f32> {
            let mut level = 0.0f32;
            noise(seed, 32)
                .into_iter()
                .map(|step| {
                    level = 0.9 * level + step;
                    level
                })
                .collect()
        };
        let alarms = |corrected: bool| {
            (1..400u32)
                .filter(|seed| {
                    let values = wander(*seed);
                    let kendall = mann_kendall(&values, slope(&values).mid);
                    let z = if corrected { kendall.z } else { kendall.z * kendall.inflation.sqrt() };
                    z.abs() > 3.0
                })
                .count()
        };
        assert!(alarms(true) * 2 < alarms(false), "{} of {}", alarms(true), alarms(false));
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_slope(values in proptest::collection::vec(-1e12f32..1e12, 2..40)) {
            let slope = slope(&values);
            prop_assert!(slope.low <= slope.mid && slope.mid <= slope.high);
            prop_assert!(mann_kendall(&values, slope.mid).z.is_finite());
        }
    }
}
