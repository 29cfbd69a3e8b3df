//! The shape of a window: the floor below a sawtooth, whether growth is even, whether it was one step.

use super::trend::{Pairs, Slope, mann_kendall, theil_sen};

/// Values needed to tell a shape.
pub(super) const LEAST_PARTS: usize = 8;

/// Growth that goes on evenly to the end of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Growth {
    /// Units per part.
    pub(super) slope: Slope,
    /// Mann-Kendall's normal deviate.
    pub(super) z: f32,
    /// What the floor gained, units.
    pub(super) gain: f32,
    /// Nothing was ever given back: what is gained shows at once.
    pub(super) is_smooth: bool,
    /// The second half grew more slowly than the first, beyond doubt.
    pub(super) is_bent: bool,
}

/// Why a window is no even growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uneven {
    /// It gained too little to matter, or nothing.
    Flat,
    /// It gains less and less.
    Slowing,
    /// The gain came at once, or at some moments.
    Steps,
    /// It has only just begun.
    Late,
    /// It is not told from chance.
    Noise,
}

/// The reusable space of a look at a window.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    floor: Vec<f32>,
    differences: Vec<f32>,
    pairs: Pairs,
}

/// A fall of so large a share of the window's range is a collection, not noise.
const TOOTH: f32 = 0.2;

/// The floor that was never left again: at each place the smallest value from there on. Where the values fall now and
/// then, what was climbed since the last fall does not count, unless it is more than any fall ever took back.
/// Gives the depth of the deepest fall.
fn floor(values: &[f32], floor: &mut Vec<f32>) -> f32 {
    floor.clear();
    floor.extend_from_slice(values);
    let (low, high) = range(values);
    let tooth = TOOTH * (high - low);
    let mut deepest = 0.0f32;
    let mut last_fall = None;
    let mut crest = values.first().copied().unwrap_or(0.0);
    for (place, value) in values.iter().enumerate() {
        if *value > crest {
            crest = *value;
        } else if crest - *value > tooth {
            deepest = deepest.max(crest - *value);
            last_fall = Some(place);
            // The next fall is measured from the next crest.
            crest = *value;
        }
    }
    if let (Some(fall), Some(now)) = (last_fall, values.last()) {
        let trough = values[fall..].iter().copied().fold(f32::MAX, f32::min);
        if now - trough <= 1.5 * deepest {
            floor[fall..].iter_mut().for_each(|value| *value = trough);
        }
    }
    let mut lowest = f32::MAX;
    for value in floor.iter_mut().rev() {
        lowest = lowest.min(*value);
        *value = lowest;
    }
    deepest
}

/// The smallest and the largest value.
fn range(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::MAX, f32::MIN), |(low, high), value| (low.min(*value), high.max(*value)))
}

/// Whether the values grow evenly to the end, by at least `least` units.
pub(super) fn even_growth(values: &[f32], least: f32, scratch: &mut Scratch) -> Result<Growth, Uneven> {
    let count = values.len();
    if count < LEAST_PARTS {
        return Err(Uneven::Noise);
    }
    let deepest = floor(values, &mut scratch.floor);
    let floor = &scratch.floor;
    let gain = floor[count - 1] - floor[0];
    if gain < least {
        return Err(Uneven::Flat);
    }
    let rises = floor.windows(2).map(|pair| pair[1] - pair[0]);
    let largest = rises.clone().fold(0.0, f32::max);
    let distinct = rises.filter(|rise| *rise > gain / 64.0).count();
    let third = (count - 1) / 3;
    let gains =
        [floor[third] - floor[0], floor[count - 1 - third] - floor[third], floor[count - 1] - floor[count - 1 - third]];
    if distinct < 4 || largest > 0.5 * gain {
        return Err(if gains[2] < 0.1 * gain { Uneven::Flat } else { Uneven::Steps });
    }
    let even = gain / 3.0;
    if gains[1] < 0.25 * even {
        return Err(if gains[2] < 0.1 * gain { Uneven::Flat } else { Uneven::Steps });
    }
    if gains[0] < 0.4 * gains[2] {
        return Err(Uneven::Late);
    }
    let noise = roughness(values, &mut scratch.differences).max(deepest / 4.0);
    // Without noise a bend is seen early; in noise only a strong one is.
    let most_bent = if gains[0] - gains[2] > 4.0 * noise { 0.8 } else { 0.5 };
    if gains[2] < most_bent * gains[0] || gains[2] < 0.4 * even {
        return Err(if gains[2] < 0.03 * gain { Uneven::Flat } else { Uneven::Slowing });
    }
    let pairs = scratch.pairs.of(values).ok_or(Uneven::Noise)?;
    let kendall = mann_kendall(values, pairs.median());
    let slope = pairs.slope(kendall.inflation);
    if kendall.z < 3.0 || slope.mid <= 0.0 {
        return Err(Uneven::Noise);
    }
    let is_bent = is_bent(values, &mut scratch.pairs);
    Ok(Growth { slope, z: kendall.z, gain, is_smooth: deepest <= 0.0, is_bent })
}

/// Whether the slope of the second half is below that of the first by more than chance, and by enough to matter.
fn is_bent(values: &[f32], pairs: &mut Pairs) -> bool {
    let (first, second) = values.split_at(values.len() / 2);
    let (Some(first), Some(second)) = (theil_sen(first, 1.0, pairs), theil_sen(second, 1.0, pairs)) else {
        return false;
    };
    second.mid < 0.88 * first.mid && second.high < first.low
}

/// The standard deviation of the noise, from second differences: a slope or a bend does not count.
fn roughness(values: &[f32], scratch: &mut Vec<f32>) -> f32 {
    scratch.clear();
    scratch.extend(values.windows(3).map(|three| (three[0] - 2.0 * three[1] + three[2]).abs()));
    let middle = scratch.len() / 2;
    1.4826 * *scratch.select_nth_unstable_by(middle, f32::total_cmp).1 / 6.0f32.sqrt()
}

/// Whether nearly all that was gained came in one rise and stayed.
pub(super) fn is_one_step(values: &[f32], least: f32) -> bool {
    let [first, .., end] = values else { return false };
    let gain = (end - first).abs();
    let largest = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    gain >= least && largest >= 0.7 * gain
}

/// How often the values turn by at least a share of their range.
pub(super) fn teeth(values: &[f32], least: f32) -> usize {
    let (low, high) = range(values);
    if high - low < least {
        return 0;
    }
    let tooth = 0.4 * (high - low);
    let (mut count, mut extreme, mut is_up) = (0, values[0], true);
    for value in values {
        if (is_up && *value >= extreme) || (!is_up && *value <= extreme) {
            extreme = *value;
        } else if (value - extreme).abs() > tooth {
            count += usize::from(is_up);
            is_up = !is_up;
            extreme = *value;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(value: impl Fn(f32) -> f32) -> Result<Growth, Uneven> {
        let values: Vec<f32> = (0..32u8).map(|n| value(f32::from(n))).collect();
        even_growth(&values, 10.0, &mut Scratch::default())
    }

    #[test]
    fn a_line_is_even_growth() {
        let growth = shape(|t| 100.0 + 5.0 * t).unwrap();
        assert!((growth.gain - 155.0).abs() < 0.1 && growth.z > 7.0, "{growth:?}");
    }

    #[test]
    fn a_healthy_sawtooth_is_flat_wherever_it_is_cut() {
        for phase in 0..7u8 {
            let cut = shape(|t| 100.0 + 20.0 * ((t + f32::from(phase)) % 7.0));
            assert_eq!(cut, Err(Uneven::Flat), "{phase}");
        }
    }

    #[test]
    fn a_sawtooth_whose_floor_rises_grows() {
        for phase in 0..5u8 {
            let growth = shape(|t| 100.0 + 4.0 * t + 12.0 * ((t + f32::from(phase)) % 5.0)).unwrap();
            assert!((growth.slope.mid - 4.0).abs() < 1.5, "{growth:?}");
        }
    }

    #[test]
    fn what_saturates_is_slowing_long_before_it_is_flat() {
        for constant in [10.0, 16.0, 30.0, 60.0] {
            let cut = shape(|t| 1000.0 * (1.0 - (-t / constant).exp()));
            assert!(matches!(cut, Err(Uneven::Slowing | Uneven::Flat)), "{constant}: {cut:?}");
        }
        assert_eq!(shape(|t| 300.0 * (1.0 + t).ln()), Err(Uneven::Slowing));
    }

    #[test]
    fn a_step_is_no_growth() {
        let step = |t: f32| if t < 20.0 { 0.0 } else { 500.0 };
        assert!(shape(step).is_err());
        let values: Vec<f32> = (0..32u8).map(|n| step(f32::from(n))).collect();
        assert!(is_one_step(&values, 10.0));
    }

    #[test]
    fn teeth_are_counted() {
        let values: Vec<f32> = (0..32u8).map(|n| 20.0 * f32::from(n % 8)).collect();
        assert_eq!(teeth(&values, 10.0), 3);
        assert_eq!(teeth(&[1.0; 32], 10.0), 0);
    }
}
