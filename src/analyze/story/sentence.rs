//! A sentence and the numbers in it: a number gets into the text only together with its fact.

use std::fmt;

use crate::units::{Bytes, BytesPerMinute, BytesPerSecond};

/// A quantity with its unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Amount {
    /// Bytes.
    Bytes(f64),
    /// A change, in bytes, shown with its sign.
    Gain(f64),
    /// Bytes per minute.
    BytesPerMinute(f64),
    /// Bytes per second.
    BytesPerSecond(f64),
    /// A number of things.
    Count(f64),
    /// Things per minute.
    PerMinute(f64),
    /// Events per second.
    PerSecond(f64),
    /// A share of a whole, 0 to 100.
    Percent(f64),
    /// Milliseconds; infinite for never.
    Milliseconds(f64),
    /// A name, escaped.
    Text(String),
}

impl Amount {
    /// The unit's name for programs.
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Bytes(_) | Self::Gain(_) => "bytes",
            Self::BytesPerMinute(_) => "bytes/min",
            Self::BytesPerSecond(_) => "bytes/s",
            Self::Count(_) => "count",
            Self::PerMinute(_) => "1/min",
            Self::PerSecond(_) => "1/s",
            Self::Percent(_) => "percent",
            Self::Milliseconds(_) => "ms",
            Self::Text(_) => "text",
        }
    }

    /// The number, in its unit; `None` for a name.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Bytes(n)
            | Self::Gain(n)
            | Self::BytesPerMinute(n)
            | Self::BytesPerSecond(n)
            | Self::Count(n)
            | Self::PerMinute(n)
            | Self::PerSecond(n)
            | Self::Percent(n)
            | Self::Milliseconds(n) => Some(*n),
            Self::Text(_) => None,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(n) => Bytes(n.max(0.0) as u64).fmt(f),
            Self::Gain(n) => BytesPerMinute(*n).fmt(f),
            Self::BytesPerMinute(n) => write!(f, "{}/min", BytesPerMinute(*n)),
            Self::BytesPerSecond(n) => BytesPerSecond(*n).fmt(f),
            Self::Count(n) => write!(f, "{n:.0}"),
            Self::PerMinute(n) if n.abs() < 10.0 => write!(f, "{n:+.1}/min"),
            Self::PerMinute(n) => write!(f, "{n:+.0}/min"),
            Self::PerSecond(n) => write!(f, "{n:.0}/s"),
            Self::Percent(n) if *n > 0.0 && *n < 9.95 => write!(f, "{n:.1}%"),
            Self::Percent(n) => write!(f, "{n:.0}%"),
            Self::Milliseconds(n) => f.write_str(&span(*n)),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// A time in words, in at most two units: `47 s`, `1 min 52 s`, `12 min`, `3 h 5 min`, `12 days`.
fn span(ms: f64) -> String {
    let s = (ms / 1000.0).round();
    if !s.is_finite() || s > 3_650.0 * 86_400.0 {
        return "more than ten years".into();
    }
    let s = s.max(0.0) as u64;
    let two = |whole: u64, unit: &str, part: u64, small: &str| {
        if part == 0 { format!("{whole} {unit}") } else { format!("{whole} {unit} {part} {small}") }
    };
    match s {
        0..60 => format!("{s} s"),
        60..600 => two(s / 60, "min", s % 60, "s"),
        600..5400 => format!("{} min", s / 60),
        5400..172_800 => two(s / 3600, "h", s / 60 % 60, "min"),
        _ => format!("{} days", s / 86_400),
    }
}

/// A number behind a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// What it is, as a word for programs.
    pub key: &'static str,
    /// How much.
    pub amount: Amount,
}

/// What a sentence is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// What the watch comes to.
    Outcome,
    /// A leak.
    Leak,
    /// Growth that is no leak, or not yet.
    Growth,
    /// The kind of memory that grows.
    Kind,
    /// What will be full when.
    Limit,
    /// Restarts that hide a leak.
    Restart,
    /// Whose the machine's growth is.
    Share,
    /// The machine's memory, and what of it is mere cache.
    Memory,
    /// Swap.
    Swap,
    /// Waiting for memory.
    Pressure,
    /// What the kernel killed.
    Kill,
    /// Processes that ended.
    Ended,
    /// That nothing grows, and what would not have been seen.
    Clear,
    /// Who uses most.
    Users,
    /// What could not be read.
    Unknown,
    /// Why something is advised.
    Advice,
}

impl Topic {
    /// The word for JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Outcome => "outcome",
            Self::Leak => "leak",
            Self::Growth => "growth",
            Self::Kind => "kind",
            Self::Limit => "limit",
            Self::Restart => "restart",
            Self::Share => "share",
            Self::Memory => "memory",
            Self::Swap => "swap",
            Self::Pressure => "pressure",
            Self::Kill => "kill",
            Self::Ended => "ended",
            Self::Clear => "clear",
            Self::Users => "users",
            Self::Unknown => "unknown",
            Self::Advice => "advice",
        }
    }
}

/// One sentence or a few, with the numbers in them.
#[derive(Clone, Debug, PartialEq)]
pub struct Sentence {
    /// What it is about.
    pub topic: Topic,
    /// For people.
    pub text: String,
    /// For programs: every number of the text, unrounded.
    pub facts: Vec<Fact>,
    /// The place, among the story's findings, of the one that it is about.
    pub finding: Option<usize>,
}

impl Sentence {
    pub(super) fn new(topic: Topic) -> Self {
        Self { topic, text: String::new(), facts: Vec::new(), finding: None }
    }

    /// The finding that it is about.
    pub(super) fn about(mut self, finding: usize) -> Self {
        self.finding = Some(finding);
        self
    }

    /// Goes on with words.
    pub(super) fn say(mut self, words: &str) -> Self {
        self.text.push_str(words);
        self
    }

    /// Goes on with a number or a name, which becomes a fact.
    pub(super) fn put(mut self, key: &'static str, amount: Amount) -> Self {
        self.text.push_str(&amount.to_string());
        self.facts.push(Fact { key, amount });
        self
    }

    /// A fact that the text does not need.
    pub(super) fn know(mut self, key: &'static str, amount: Amount) -> Self {
        self.facts.push(Fact { key, amount });
        self
    }

    /// The fact of this name.
    pub fn fact(&self, key: &str) -> Option<&Amount> {
        self.facts.iter().find(|fact| fact.key == key).map(|fact| &fact.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_at_most_two_units() {
        for (seconds, text) in [
            (0.4, "0 s"),
            (47.0, "47 s"),
            (112.0, "1 min 52 s"),
            (120.0, "2 min"),
            (725.0, "12 min"),
            (11_100.0, "3 h 5 min"),
            (1_000_000.0, "11 days"),
            (f64::INFINITY, "more than ten years"),
        ] {
            assert_eq!(Amount::Milliseconds(seconds * 1000.0).to_string(), text);
        }
    }

    #[test]
    fn a_number_in_the_text_is_a_fact() {
        let sentence =
            Sentence::new(Topic::Leak).say("it gained ").put("gain", Amount::Gain(3.0 * 1_048_576.0)).say(".");
        assert_eq!(sentence.text, "it gained +3.0M.");
        assert_eq!(sentence.fact("gain").and_then(Amount::number), Some(3.0 * 1_048_576.0));
        assert_eq!(sentence.fact("other"), None);
    }
}
