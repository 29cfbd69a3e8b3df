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

/// The time of day now.
pub(super) fn clock() -> String {
    Timestamp::now().to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
}

/// How long until the next full second, so that the clock turns on time.
pub(super) fn until_next_second() -> std::time::Duration {
    let past = Timestamp::now().subsec_millisecond().unsigned_abs();
    std::time::Duration::from_millis(u64::from(1001 - past.min(1000)))
}
