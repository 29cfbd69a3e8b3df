//! One value of a field: its order and its text for people.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use crate::model::judgement::Verdict;
use crate::units::{Bytes, BytesPerMinute, BytesPerSecond, Percent, Span};

/// A value with its unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Bytes.
    Bytes(u64),
    /// A change in bytes.
    BytesChange(f64),
    /// A change in a number of things.
    CountChange(f64),
    /// All that something has which was not there before.
    New(f64),
    /// Bytes per minute.
    BytesPerMinute(f64),
    /// Bytes per second.
    BytesPerSecond(f64),
    /// A number of things.
    Count(u64),
    /// Events per second.
    PerSecond(f64),
    /// 0 to 100.
    Percent(f64),
    /// Milliseconds.
    Milliseconds(u64),
    /// Words, already escaped.
    Text(Cow<'a, str>),
    /// Words that have an order of their own.
    Ranked(u32, Cow<'a, str>),
}

impl Value<'static> {
    /// A verdict, with its certainty in percent where it says that something rises.
    pub fn verdict(verdict: Verdict, percent: u8) -> Self {
        let word = verdict.word();
        let text = if verdict.is_rising() { format!("{word} {percent}").into() } else { word.into() };
        Self::Ranked(verdict as u32 * 100 + u32::from(percent), text)
    }
}

impl Value<'_> {
    /// The value as a number in its base unit (bytes, bytes per minute, percent, milliseconds); `None` for text.
    pub fn number(&self) -> Option<f64> {
        Some(match self {
            Self::Bytes(n) | Self::Count(n) | Self::Milliseconds(n) => *n as f64,
            Self::BytesPerMinute(n)
            | Self::BytesPerSecond(n)
            | Self::PerSecond(n)
            | Self::Percent(n)
            | Self::BytesChange(n)
            | Self::CountChange(n)
            | Self::New(n) => *n,
            Self::Text(_) | Self::Ranked(..) => return None,
        })
    }

    /// Total order within one field: by number, or by text without regard to case.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Ranked(a, _), Self::Ranked(b, _)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => {
                a.bytes().map(|byte| byte.to_ascii_lowercase()).cmp(b.bytes().map(|byte| byte.to_ascii_lowercase()))
            }
            (a, b) => a.number().unwrap_or(f64::MIN).total_cmp(&b.number().unwrap_or(f64::MIN)),
        }
    }
}

/// The short form of a table's cell.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(n) => Bytes(*n).fmt(f),
            // Signs and digits of a change are those of a rate.
            Self::BytesChange(n) | Self::BytesPerMinute(n) => BytesPerMinute(*n).fmt(f),
            Self::CountChange(n) if *n == 0.0 => f.pad("0"),
            Self::CountChange(n) => write!(f, "{n:+.0}"),
            Self::New(_) => f.pad(tr!("new")),
            Self::BytesPerSecond(n) => BytesPerSecond(*n).fmt(f),
            Self::Count(n) => fmt::Display::fmt(n, f),
            Self::PerSecond(n) => write!(f, "{n:.1}/s"),
            Self::Percent(n) => Percent(*n).fmt(f),
            Self::Milliseconds(n) => Span(Duration::from_millis(*n)).fmt(f),
            Self::Text(text) => f.pad(text),
            Self::Ranked(_, text) => {
                let word = text.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ');
                f.pad(&text.replacen(word, tr!(of word), 1))
            }
        }
    }
}
