//! Values as people write them. The same words are read from the file and from flags.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use crate::lang::Lang;
use crate::model::field::{PROCESS_FIELDS, ProcessField, process_field};
use crate::model::group::GroupBy;
use crate::model::query::Query;
use crate::tui::theme::Depth;
use crate::units::{parse_bytes, parse_duration};

/// Implements reading from TOML by reading from text, so that an error has its line and column.
macro_rules! from_text {
    ($($name:ident)*) => { $(impl TryFrom<String> for $name {
        type Error = String;
        fn try_from(text: String) -> Result<Self, String> {
            text.parse()
        }
    })* };
}

from_text! { FieldName Grouping Interval Share Filter }

/// A field by its key.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct FieldName(pub &'static ProcessField);

impl FromStr for FieldName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let keys = || PROCESS_FIELDS.iter().map(|field| field.key);
        process_field(text).map(Self).ok_or_else(|| {
            let all: Vec<&str> = keys().collect();
            format!("`{text}` is no field: use one of {}", all.join(", "))
        })
    }
}

/// A way of grouping, or none.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Grouping(pub Option<GroupBy>);

impl FromStr for Grouping {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match GroupBy::parse(text) {
            Some(by) => Ok(Self(Some(by))),
            None if text == "none" => Ok(Self(None)),
            None => Err(format!("`{text}` is no group: use command, user, unit, container or none")),
        }
    }
}

/// Time between samples.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Interval(pub Duration);

impl Interval {
    const SHORTEST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_hours(1);
}

impl FromStr for Interval {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let interval = parse_duration(text).map_err(|error| error.to_string())?;
        if (Self::SHORTEST..=Self::LONGEST).contains(&interval) {
            Ok(Self(interval))
        } else {
            Err(format!("`{text}` is out of range: use 100ms to 1h"))
        }
    }
}

/// For how long something goes on.
#[derive(Clone, Copy, Debug)]
pub struct Span(pub Duration);

impl Span {
    const SHORTEST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_hours(24 * 7);
}

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let span = parse_duration(text).map_err(|error| error.to_string())?;
        if (Self::SHORTEST..=Self::LONGEST).contains(&span) {
            Ok(Self(span))
        } else {
            Err(format!("`{text}` is out of range: use 1s to 7d"))
        }
    }
}

/// So much of something: so many bytes, or so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portion {
    /// Bytes.
    Bytes(u64),
    /// Time.
    Time(Duration),
}

impl FromStr for Portion {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("`{text}` is neither a size nor a time: use 100M, 2G, 10m, 1h, 7d");
        if text.ends_with(|c: char| c.is_ascii_digit()) {
            return Err(refuse());
        }
        // `10m` is ten minutes and `10M` a size.
        let portion = match parse_duration(text) {
            Ok(time) => Self::Time(time),
            Err(_) => Self::Bytes(parse_bytes(text).map_err(|_| refuse())?.0),
        };
        match portion {
            Self::Bytes(bytes) if bytes < Self::LEAST_BYTES => Err(format!("`{text}` is too little: use 64K or more")),
            Self::Time(time) if time < Span::SHORTEST => Err(format!("`{text}` is too short: use 1s or more")),
            portion => Ok(portion),
        }
    }
}

impl Portion {
    const LEAST_BYTES: u64 = 64 << 10;
}

/// A share of one core, written in percent.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Share(pub f64);

impl FromStr for Share {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>().ok();
        match number {
            Some(percent) if (0.1..=100.0).contains(&percent) => Ok(Self(percent / 100.0)),
            _ => Err(format!("`{text}` is no share of a core: use 0.1% to 100%")),
        }
    }
}

/// A filter that can be read.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Filter(String);

impl FromStr for Filter {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Query::parse(text).map(|_| Self(text.to_owned())).map_err(|error| error.to_string())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which end of the order is on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The smallest first.
    Ascending,
    /// The largest first.
    Descending,
}

impl Order {
    pub(super) fn is_descending(self) -> bool {
        self == Self::Descending
    }
}

/// How many colours to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// What the terminal says it has.
    Auto,
    /// None.
    Never,
    /// The 16 of ANSI.
    #[serde(rename = "16")]
    #[value(name = "16")]
    Ansi16,
    /// The 256 of xterm.
    #[serde(rename = "256")]
    #[value(name = "256")]
    Ansi256,
    /// 24 bits.
    True,
}

impl Color {
    pub(super) fn depth(self) -> Option<Depth> {
        match self {
            Self::Auto => None,
            Self::Never => Some(Depth::Mono),
            Self::Ansi16 => Some(Depth::Ansi16),
            Self::Ansi256 => Some(Depth::Ansi256),
            Self::True => Some(Depth::True),
        }
    }
}

/// The language of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
pub enum Language {
    /// What the locale says.
    #[serde(rename = "auto")]
    Auto,
    /// English.
    #[serde(rename = "en")]
    #[value(name = "en")]
    English,
    /// Chinese, simplified.
    #[serde(rename = "zh-CN")]
    #[value(name = "zh-CN")]
    Chinese,
}

impl Language {
    pub(super) fn lang(self) -> Option<Lang> {
        match self {
            Self::Auto => None,
            Self::English => Some(Lang::English),
            Self::Chinese => Some(Lang::Chinese),
        }
    }
}
