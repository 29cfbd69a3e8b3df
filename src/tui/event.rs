//! Everything that happens to the face, and the only clock in it.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The local time of day of a moment: `14:03:22`.
pub fn time_of_day(wall_ms: i64) -> String {
    match Timestamp::from_millisecond(wall_ms) {
        Ok(at) => at.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string(),
        Err(_) => "--:--:--".into(),
    }
}

/// The local day and time of a moment: `2026-11-25 14:03:22`.
pub fn moment(wall_ms: i64) -> String {
    match Timestamp::from_millisecond(wall_ms) {
        Ok(at) => at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => tr!("an impossible time").into(),
    }
}

/// The time of a moment so long after a known one, as exact as it can be meant: `14:12` today, `Fri 14:12` within a
/// week, `28 Nov` after that, `2027-02` beyond half a year.
pub fn time_ahead(wall_ms: i64, ahead_ms: f64) -> String {
    const DAY: f64 = 86_400_000.0;
    let form = match ahead_ms / DAY {
        0.0..0.9 => "%H:%M",
        0.9..7.0 => "%a %H:%M",
        7.0..180.0 => "%d %b",
        _ => "%Y-%m",
    };
    match Timestamp::from_millisecond(wall_ms.saturating_add(ahead_ms as i64)) {
        Ok(at) => at.to_zoned(TimeZone::system()).strftime(form).to_string(),
        Err(_) => tr!("never").into(),
    }
}

/// The time of day now.
pub(super) fn clock() -> String {
    Timestamp::now().to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
}

/// How long until the next full second, so that the clock turns on time.
pub(super) fn until_next_second() -> std::time::Duration {
    let past = Timestamp::now().subsec_millisecond().unsigned_abs();
    std::time::Duration::from_millis(u64::from(1001 - past.min(1000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_further_ahead_the_less_is_said() {
        let columns = |days: f64| time_ahead(1_785_000_000_000, days * 86_400_000.0).len();
        assert_eq!([0.01, 3.0, 30.0, 400.0].map(columns), [5, 9, 6, 7]);
        assert_eq!(time_ahead(i64::MAX - 5, 1e300), "never");
        assert_eq!(time_ahead(0, f64::NAN).len(), 7);
    }
}
