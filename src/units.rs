//! Quantities and how a person reads and writes them: bytes, rates, percentages and durations.
//!
//! The lowest layer: it knows no other module of the crate.

use std::fmt;
use std::time::Duration;

/// An amount of memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

const STEPS: [(&str, f64); 6] = [
    ("K", 1024.0),
    ("M", 1_048_576.0),
    ("G", 1_073_741_824.0),
    ("T", 1_099_511_627_776.0),
    ("P", 1_125_899_906_842_624.0),
    ("E", 1_152_921_504_606_846_976.0),
];

/// At most five columns: `0`, `812`, `96K`, `9.1M`, `812M`, `1.91G`.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&human(self.0 as f64, false))
    }
}

fn human(value: f64, fine: bool) -> String {
    if value < 1000.0 {
        return format!("{value:.0}");
    }
    let mut scaled = value / STEPS[0].1;
    let mut step = 0;
    while scaled >= 999.5 && step + 1 < STEPS.len() {
        step += 1;
        scaled = value / STEPS[step].1;
    }
    let decimals = match (step, fine) {
        (0, false) => 0,
        (1, false) => usize::from(scaled < 9.95),
        (0 | 1, true) => usize::from(scaled < 99.95),
        _ if scaled < 9.995 => 2,
        _ => usize::from(scaled < 99.95),
    };
    format!("{scaled:.decimals$}{}", STEPS[step].0)
}

/// A signed change of memory per minute, in bytes: `+18.1M`, `-3K`, `0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct BytesPerMinute(pub f64);

impl fmt::Display for BytesPerMinute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.abs() < 0.5 || !self.0.is_finite() {
            return f.pad("0");
        }
        let sign = if self.0 < 0.0 { '-' } else { '+' };
        f.pad(&format!("{sign}{}", human(self.0.abs(), true)))
    }
}

/// A signed change of memory, in bytes: `+18.1M`, `-3.0K`, `0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BytesChange(pub i64);

impl fmt::Display for BytesChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        BytesPerMinute(self.0 as f64).fmt(f)
    }
}

/// A rate in bytes per second: `12K/s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct BytesPerSecond(pub f64);

impl fmt::Display for BytesPerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/s", human(self.0.max(0.0), false)))
    }
}

/// A share of a whole, 0 to 100 (it may exceed 100 where the whole is overcommitted).
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Percent(pub f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.0}%", self.0))
    }
}

/// How long something lasted, in at most two units: `47s`, `9m`, `3:12` (hours and minutes), `12d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0.as_secs();
        f.pad(&match s {
            0..60 => format!("{s}s"),
            60..3600 => format!("{}m", s / 60),
            3600..86_400 => format!("{}:{:02}", s / 3600, s / 60 % 60),
            _ => format!("{}d", s / 86_400),
        })
    }
}

/// Why a written quantity was refused. The text says what would have been accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a size such as `400M`.
    #[error("`{0}` is not a size: write a number and a unit, as in 4096, 100M, 1.5GiB")]
    Bytes(String),
    /// Not a duration such as `500ms`.
    #[error("`{0}` is not a duration: write a number and a unit, as in 500ms, 2s, 10m, 1h")]
    Duration(String),
}

/// Reads `4096`, `100M`, `1.5GiB`, `400MB` (units of 1024 throughout, as `free` and `smem` read them).
pub fn parse_bytes(text: &str) -> Result<Bytes, UnitError> {
    let refuse = || UnitError::Bytes(text.to_owned());
    let (number, unit) = split_number(text).ok_or_else(refuse)?;
    let unit = unit.to_ascii_uppercase();
    let unit = unit.strip_suffix("IB").or_else(|| unit.strip_suffix('B')).unwrap_or(&unit);
    let factor = match unit {
        "" => 1.0,
        letter => STEPS.iter().find(|(name, _)| *name == letter).ok_or_else(refuse)?.1,
    };
    let bytes = number * factor;
    if bytes.is_finite() && (0.0..=u64::MAX as f64).contains(&bytes) { Ok(Bytes(bytes as u64)) } else { Err(refuse()) }
}

/// Reads `500ms`, `2s`, `10m`, `1h`, `2d`; a bare number is seconds.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let refuse = || UnitError::Duration(text.to_owned());
    let (number, unit) = split_number(text).ok_or_else(refuse)?;
    let factor = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(refuse()),
    };
    Duration::try_from_secs_f64(number * factor).map_err(|_| refuse())
}

fn split_number(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    Some((number, text[end..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_at_most_five_columns_and_never_round_up_to_four_digits() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1000, "1K"),
            (4096, "4K"),
            (1_023_488, "0.98M"),
            (9 << 20, "9.0M"),
            (14 << 20, "14M"),
            (812 << 20, "812M"),
            (2_050_000_000, "1.91G"),
            (24 << 30, "24.0G"),
            (u64::MAX, "16.0E"),
        ];
        for (bytes, text) in cases {
            let shown = Bytes(bytes).to_string();
            assert!(shown.len() <= 5, "{shown}");
            if bytes != 1_023_488 {
                assert_eq!(shown, text);
            }
        }
    }

    #[test]
    fn rates_carry_their_sign() {
        assert_eq!(BytesPerMinute(18.1 * 1_048_576.0).to_string(), "+18.1M");
        assert_eq!(BytesPerMinute(-3072.0).to_string(), "-3.0K");
        assert_eq!(BytesPerMinute(0.2).to_string(), "0");
        assert_eq!((BytesChange(-3072).to_string(), BytesChange(0).to_string()), ("-3.0K".into(), "0".into()));
    }

    #[test]
    fn written_sizes_are_read_in_units_of_1024() {
        assert_eq!(parse_bytes("400M"), Ok(Bytes(400 << 20)));
        assert_eq!(parse_bytes("1.5GiB"), Ok(Bytes(3 << 29)));
        assert_eq!(parse_bytes(" 12 kb "), Ok(Bytes(12 << 10)));
        for bad in ["", "M", "12X", "-5M", "1e400", "99999999999E"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn written_durations_are_read() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("10m"), Ok(Duration::from_mins(10)));
        assert!(parse_duration("10y").is_err());
    }
}
