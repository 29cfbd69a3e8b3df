//! A moment as a person says it: `14:03`, `-10m`, `+1h`, `2026-11-24 14:03`, `start`, `end`.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::units::parse_duration;

/// A moment, as it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The first sample.
    Start,
    /// The last sample.
    End,
    /// So long after the one that is shown.
    After(Duration),
    /// So long before it.
    Before(Duration),
    /// A time of day, on the day that is shown or the one nearest to it that has been recorded.
    OfDay(Time),
    /// A time of a day.
    At(DateTime),
    /// A moment with its zone.
    Instant(Timestamp),
}

/// Where a moment is looked for, milliseconds since the epoch.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// The first sample.
    pub oldest: i64,
    /// The last sample.
    pub newest: i64,
    /// The one that is shown.
    pub shown: i64,
}

impl std::str::FromStr for Moment {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let refuse = || tr!("`{text}` is no time: say 14:03, -10m, +1h, 2026-11-24 14:03, start or end", text);
        let span = |text: &str| parse_duration(text).map_err(|_| refuse());
        match text {
            "start" => return Ok(Self::Start),
            "end" => return Ok(Self::End),
            _ => {}
        }
        if let Some(ahead) = text.strip_prefix('+') {
            return span(ahead).map(Self::After);
        }
        if let Some(back) = text.strip_prefix('-') {
            return span(back).map(Self::Before);
        }
        if let Ok(at) = text.parse() {
            return Ok(Self::Instant(at));
        }
        if let Some((date, time)) = text.split_once([' ', 'T']) {
            let date: Date = date.parse().map_err(|_| refuse())?;
            return time_of(time).map(|time| Self::At(date.to_datetime(time))).ok_or_else(refuse);
        }
        if let Ok(date) = text.parse::<Date>() {
            return Ok(Self::At(date.to_datetime(Time::midnight())));
        }
        time_of(text).map(Self::OfDay).ok_or_else(refuse)
    }
}

impl Moment {
    /// Which moment of a recording that is that nothing is shown of yet: `+1h` is from its beginning, `-10m` before its
    /// end, a time of day on its last day that has it.
    pub fn of_span(self, [oldest, newest]: [i64; 2], zone: &TimeZone) -> i64 {
        let shown = if matches!(self, Self::After(_)) { oldest } else { newest };
        self.resolve(Around { oldest, newest, shown }, zone)
    }

    /// Which moment that is, milliseconds since the epoch, and never outside of what there is.
    pub fn resolve(self, around: Around, zone: &TimeZone) -> i64 {
        let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let at = |moment: DateTime| moment.to_zoned(zone.clone()).ok().map(|at| at.timestamp().as_millisecond());
        let moment = match self {
            Self::Start => around.oldest,
            Self::End => around.newest,
            Self::After(span) => around.shown.saturating_add(ms(span)),
            Self::Before(span) => around.shown.saturating_sub(ms(span)),
            Self::At(moment) => at(moment).unwrap_or(around.shown),
            Self::Instant(at) => at.as_millisecond(),
            Self::OfDay(time) => {
                let day = Timestamp::from_millisecond(around.shown).map(|shown| shown.to_zoned(zone.clone()).date());
                let days = [0, -1, 1].into_iter().filter_map(|days| day.clone().ok()?.checked_add(days.days()).ok());
                let moments: Vec<i64> = days.filter_map(|day| at(day.to_datetime(time))).collect();
                let is_there = |moment: &&i64| (around.oldest..=around.newest).contains(*moment);
                moments.iter().find(is_there).or(moments.first()).copied().unwrap_or(around.shown)
            }
        };
        moment.clamp(around.oldest, around.newest)
    }
}

/// `14:03` or `14:03:22`.
fn time_of(text: &str) -> Option<Time> {
    let mut parts = text.split(':').map(|part| part.parse::<i8>().ok().filter(|_| part.len() <= 2));
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().map_or(Some(0), |second| second)?;
    parts.next().is_none().then(|| Time::new(hour, minute, second, 0).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From 22:00 on the 24th to 16:00 on the 25th; 14:00 on the 25th is shown.
    fn resolve(text: &str) -> String {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let ms = |text: &str| text.parse::<DateTime>().unwrap().to_zoned(zone.clone()).unwrap().timestamp();
        let around = Around {
            oldest: ms("2026-11-24T22:00").as_millisecond(),
            newest: ms("2026-11-25T16:00").as_millisecond(),
            shown: ms("2026-11-25T14:00").as_millisecond(),
        };
        let moment = text.parse::<Moment>().unwrap().resolve(around, &zone);
        Timestamp::from_millisecond(moment).unwrap().to_zoned(zone).strftime("%d %H:%M:%S").to_string()
    }

    #[test]
    fn a_time_of_day_is_that_of_the_day_that_is_recorded() {
        assert_eq!(resolve("14:03"), "25 14:03:00");
        assert_eq!(resolve("8:03:22"), "25 08:03:22");
        assert_eq!(resolve("23:30"), "24 23:30:00");
    }

    #[test]
    fn steps_are_from_what_is_shown_and_end_where_the_recording_does() {
        assert_eq!(resolve("-10m"), "25 13:50:00");
        assert_eq!(resolve("+1h"), "25 15:00:00");
        assert_eq!(resolve("+3d"), "25 16:00:00");
        assert_eq!((resolve("start"), resolve("end")), ("24 22:00:00".into(), "25 16:00:00".into()));
    }

    #[test]
    fn of_a_span_steps_are_from_its_ends() {
        let at = |text: &str| text.parse::<Moment>().unwrap().of_span([1_000_000, 9_000_000], &TimeZone::UTC);
        assert_eq!((at("-10s"), at("+1m"), at("-9d")), (8_990_000, 1_060_000, 1_000_000));
        assert_eq!((at("1970-01-01T00:30:00Z"), at("1970-01-01T03:30:00+02:00")), (1_800_000, 5_400_000));
        assert_eq!(at("1970-01-01T00:40"), 2_400_000);
    }

    #[test]
    fn a_date_says_which_day() {
        assert_eq!(resolve("2026-11-24 23:15"), "24 23:15:00");
        assert_eq!(resolve("2026-11-25"), "25 00:00:00");
    }

    #[test]
    fn what_is_no_time_is_refused_with_what_would_be() {
        for text in ["", "25:00", "14", "-", "+1x", "14:03:22:1", "soon", "2026-13-01 14:00"] {
            let error = text.parse::<Moment>().unwrap_err();
            assert!(error.contains("14:03"), "{text}: {error}");
        }
    }
}
