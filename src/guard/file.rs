//! Rules in a TOML file: read with errors that name line, column and the mend. Nothing is opened here.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::measure::Test;
use super::rule::{Rule, Said};
use super::step::Step;
use crate::model::query::Query;
use crate::units::parse_duration;

/// What a file says.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The rules, in their order.
    pub rules: Vec<Rule>,
    /// The longest time between two looks, where it is said.
    pub interval: Option<Duration>,
}

/// Looks may be so far apart.
pub const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_mins(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    interval: Option<Spanned<Time>>,
    #[serde(default)]
    rule: Vec<Spanned<Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: Option<String>,
    #[serde(rename = "match")]
    filter: Option<Filter>,
    pid: Option<u32>,
    pid_file: Option<PathBuf>,
    when: Spanned<Texts>,
    #[serde(rename = "for")]
    span: Option<Time>,
    clear: Option<String>,
    per: Option<String>,
    which: Option<String>,
    then: Spanned<Texts>,
    cooldown: Option<Time>,
    max_per_hour: Option<u32>,
    max_matches: Option<u32>,
    timeout: Option<Time>,
    retry: Option<Time>,
    retries: Option<u32>,
}

/// Values read from text, so that an error has its line and column.
macro_rules! from_text {
    ($($name:ident $inner:ty, $parse:expr;)*) => { $(
        #[derive(Clone, Deserialize)]
        #[serde(try_from = "String")]
        struct $name($inner);

        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                let parse: fn(&str) -> Result<$inner, String> = $parse;
                parse(&text).map(Self)
            }
        }
    )* };
}

from_text! {
    Filter Query, |text| Query::parse(text).map_err(|error| error.to_string());
    Time Duration, |text| parse_duration(text).map_err(|error| error.to_string());
}

/// One text, or a list of them; of each in a list, where it stands.
struct Texts(Vec<(Option<usize>, String)>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Texts;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text in quotes, or a list of such")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Texts(vec![(None, text.to_owned())]))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = list.next_element::<Spanned<String>>()? {
                    all.push((Some(one.span().start), one.into_inner()));
                }
                Ok(Texts(all))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Reads each of the texts; the error is with the place of the one that makes no sense.
fn each<T>(texts: Spanned<Texts>, parse: fn(&str) -> Result<T, String>) -> Result<Vec<T>, (usize, String)> {
    let start = texts.span().start;
    let read = |(at, text): (Option<usize>, String)| parse(&text).map_err(|why| (at.unwrap_or(start), why));
    texts.into_inner().0.into_iter().map(read).collect()
}

/// Reads a file's text. The error is for people: line, column, what is wrong and what would do.
pub fn parse(text: &str) -> Result<Rules, String> {
    let document: Document = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let at = |offset: usize, why: &str| {
        let (line, column) = place(text, offset);
        format!("line {line}, column {column}: {why}")
    };
    if let Some(interval) = &document.interval
        && !INTERVALS.contains(&interval.get_ref().0)
    {
        return Err(at(interval.span().start, "interval: use 50ms to 1m"));
    }
    if document.rule.is_empty() {
        return Err(at(0, "there is no rule: begin one with [[rule]]"));
    }
    let mut names = BTreeSet::new();
    let mut rules = Vec::new();
    for (nth, table) in document.rule.into_iter().enumerate() {
        let offset = table.span().start;
        let name = format!("rule {}", nth + 1);
        let shown = table.get_ref().name.clone().unwrap_or_else(|| name.clone());
        let said = said(table.into_inner()).map_err(|(offset, why)| at(offset, &format!("{shown}: {why}")))?;
        let rule = said.rule(&name).map_err(|why| at(offset, &format!("{shown}: {why}")))?;
        if !names.insert(rule.name.clone()) {
            return Err(at(offset, &format!("{shown}: another rule has this name")));
        }
        rules.push(rule);
    }
    Ok(Rules { rules, interval: document.interval.map(|interval| interval.into_inner().0) })
}

fn said(table: Table) -> Result<Said, (usize, String)> {
    let time = |time: Option<Time>| time.map(|time| time.0);
    Ok(Said {
        name: table.name,
        filter: table.filter.map(|filter| filter.0),
        pid: table.pid,
        pid_file: table.pid_file,
        tests: each(table.when, Test::parse)?,
        span: time(table.span),
        clear: table.clear,
        per: table.per,
        which: table.which,
        steps: each(table.then, Step::parse)?,
        cooldown: time(table.cooldown),
        max_per_hour: table.max_per_hour,
        max_matches: table.max_matches,
        timeout: time(table.timeout),
        retry: time(table.retry),
        retries: table.retries,
    })
}

/// Line and column of a place, from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.split(|byte| *byte == b'\n').count();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    (line, String::from_utf8_lossy(&before[start..]).chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: &str = "[[rule]]\nmatch = \"node\"\nwhen = \"footprint > 400M\"\nthen = \"restart\"\n";

    #[test]
    fn a_file_is_read() {
        let text = format!(
            "interval = \"2s\"\n{RULE}for = \"30s\"\nclear = \"300M\"\n\n[[rule]]\nname = \"low\"\nwhen = [\"mem_available < 5%\", \"swap_free < 10%\"]\nthen = [\"notify syslog\", \"drop-caches\"]\n"
        );
        let rules = parse(&text).unwrap();
        assert_eq!(rules.interval, Some(Duration::from_secs(2)));
        let names: Vec<&str> = rules.rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["rule 1", "low"]);
        assert_eq!((rules.rules[0].span, rules.rules[1].tests.len()), (Duration::from_secs(30), 2));
    }

    #[test]
    fn an_error_names_line_column_and_the_mend() {
        for (text, parts) in [
            ("", &["line 1, column 1", "[[rule]]"][..]),
            ("interval = \"1h\"\n", &["line 1, column 12", "50ms to 1m"]),
            (
                "[[rule]]\nmatch = \"rss>\"\nwhen = \"rss > 1M\"\nthen = \"notify\"",
                &["line 2, column 9", "has no value"],
            ),
            (
                "[[rule]]\nmatch = \"x\"\nwhen = \"rsss > 1M\"\nthen = \"notify\"",
                &["line 3, column 8", "called `rsss`"],
            ),
            (
                "[[rule]]\nmatch = \"x\"\nwhen = [\"rss > 1M\",\n \"pss ~ 2\"]\nthen = \"notify\"",
                &["line 4, column 2", "compares nothing"],
            ),
            (
                "[[rule]]\nmatch = \"x\"\nwhen = \"rss > 1M\"\nthen = \"reboot\"",
                &["line 4, column 8", "nothing that can be done"],
            ),
            (
                "[[rule]]\nmatch = \"x\"\nwhen = \"rss > 1M\"\nthen = \"notify\"\nfor = \"soon\"",
                &["line 5, column 7", "not a duration"],
            ),
            ("[[rule]]\nmatsch = \"x\"", &["line 2, column 1", "unknown field `matsch`"]),
            (
                "[[rule]]\nwhen = \"rss > 1M\"\nthen = \"notify\"",
                &["line 1, column 1", "rule 1: `rss > 1M`: of which processes?"],
            ),
            (
                "[[rule]]\nname = \"a\"\nwhen = \"psi_some > 5%\"\nthen = \"notify\"\n[[rule]]\nname = \"a\"\nwhen = \"psi_some > 5%\"\nthen = \"notify\"",
                &["line 5, column 1", "another rule"],
            ),
            ("[[rule]]\nwhen = 5\nthen = \"notify\"", &["line 2, column 8", "text in quotes"]),
            ("[[rule]\n", &["line 1"]),
        ] {
            let error = parse(text).unwrap_err();
            for part in parts {
                assert!(error.contains(part), "{text}\n{error}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,80}", place in 0..RULE.len()) {
            let _ = parse(&text);
            let mut damaged = RULE.to_owned();
            damaged.insert_str(place, &text);
            let _ = parse(&damaged);
        }
    }
}
