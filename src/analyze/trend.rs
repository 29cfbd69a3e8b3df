//! The slope of a series that one step or one garbage collection does not move.

/// The Theil-Sen estimator: the median of the slopes between all pairs of points (Sen 1968). `points` are (time,
/// value); `None` for fewer than two distinct times.
pub fn theil_sen(points: &[(f32, f32)]) -> Option<f32> {
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (index, (t0, v0)) in points.iter().enumerate() {
        for (t1, v1) in &points[index + 1..] {
            let slope = (v1 - v0) / (t1 - t0);
            if slope.is_finite() {
                slopes.push(slope);
            }
        }
    }
    median(&mut slopes)
}

/// The upper median, where there are two.
fn median(values: &mut [f32]) -> Option<f32> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f32::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope() {
        let points: Vec<_> = (0..40u8).map(|n| (f32::from(n), 3.0 * f32::from(n) + 7.0)).collect();
        assert!((theil_sen(&points).unwrap() - 3.0).abs() < 1e-4);
    }

    #[test]
    fn one_step_is_no_slope() {
        let points: Vec<_> = (0..40u8).map(|n| (f32::from(n), if n < 6 { 0.0 } else { 1000.0 })).collect();
        assert!(theil_sen(&points).unwrap().abs() < 1e-3);
    }

    #[test]
    fn one_point_has_no_slope() {
        assert_eq!(theil_sen(&[(1.0, 2.0)]), None);
        assert_eq!(theil_sen(&[(1.0, 2.0), (1.0, 3.0)]), None);
    }
}
