//! The filter language over the fields of a process: `rss>100M user=app node`.
//!
//! ```text
//! any     = all { ("or" | "|") all }
//! all     = term { ["and" | "&"] term }
//! term    = ("not" | "!") term | "(" any ")" | field op value | word
//! op      = "=" | "!=" | ">" | ">=" | "<" | "<=" | "~" | "!~"
//! ```
//! A bare word, or a "quoted text", is looked for in the command, the name, the user and as the pid. `=` on text
//! compares without regard to case and knows `*`; `~` is a regular expression. A reading that is unknown matches no
//! comparison; `field=unknown` finds those.

mod parse;

use std::cmp::Ordering;
use std::fmt;

use regex_lite::Regex;

use super::field::{ProcessField, Source, SourceSet, Value};
use super::snapshot::Row;

pub(crate) use parse::number;

pub use parse::QueryError;

/// A filter.
#[derive(Clone, Debug)]
pub struct Query {
    root: Node,
    text: String,
}

#[derive(Clone, Debug)]
enum Node {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Word(Word),
    Number { field: &'static ProcessField, op: Op, value: f64 },
    Text { field: &'static ProcessField, pattern: Pattern, is_negated: bool },
    Unknown { field: &'static ProcessField, is_negated: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Op {
    pub(super) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
        }
    }
}

/// A bare word.
#[derive(Clone, Debug)]
struct Word {
    lower: String,
    pid: Option<u32>,
}

#[derive(Clone, Debug)]
enum Pattern {
    /// Parts between asterisks, lower case.
    Glob(Vec<String>),
    Regex(Regex),
}

impl Query {
    /// Reads a filter. Text of blanks only matches everything.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        parse::parse(text).map(|root| Self { root, text: text.trim().to_owned() })
    }

    /// Whether the process passes.
    pub fn matches(&self, row: &Row<'_>) -> bool {
        self.root.matches(row)
    }

    /// What has to be read to answer.
    pub fn sources(&self) -> SourceSet {
        let mut sources = SourceSet::default();
        self.root.collect_sources(&mut sources);
        sources
    }
}

/// The filter as it was written.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Node {
    fn matches(&self, row: &Row<'_>) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.matches(row)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(row)),
            Self::Not(node) => !node.matches(row),
            Self::Word(word) => word.matches(row),
            Self::Number { field, op, value } => (field.get)(row)
                .value()
                .and_then(|reading| reading.number())
                .is_some_and(|reading| op.holds(reading.total_cmp(value))),
            Self::Text { field, pattern, is_negated } => match (field.get)(row).value() {
                Some(Value::Text(text) | Value::Ranked(_, text)) => pattern.matches(&text) != *is_negated,
                _ => false,
            },
            Self::Unknown { field, is_negated } => (field.get)(row).value().is_none() != *is_negated,
        }
    }

    fn collect_sources(&self, sources: &mut SourceSet) {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().for_each(|node| node.collect_sources(sources)),
            Self::Not(node) => node.collect_sources(sources),
            Self::Word(_) => sources.insert(Source::Identity),
            Self::Number { field, .. } | Self::Text { field, .. } | Self::Unknown { field, .. } => {
                sources.extend(field.sources());
            }
        }
    }
}

impl Word {
    fn matches(&self, row: &Row<'_>) -> bool {
        let process = row.process;
        self.pid == Some(process.key.pid)
            || contains(&process.identity.shown_command(), &self.lower)
            || contains(&process.identity.comm.escaped(), &self.lower)
            || contains(&row.user(), &self.lower)
    }
}

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Regex(regex) => regex.is_match(text),
            Self::Glob(parts) => glob_matches(parts, &text.to_lowercase()),
        }
    }
}

/// Whether `parts`, with anything between them, make up the text.
fn glob_matches(parts: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = parts else {
        return parts.first().is_none_or(|only| only == text);
    };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for part in middle {
        let Some(found) = rest.find(part.as_str()) else { return false };
        rest = &rest[found + part.len()..];
    }
    rest.ends_with(last.as_str())
}

/// Whether a text holds a word, both taken in lower case; ASCII needs no copy.
fn contains(text: &str, lower: &str) -> bool {
    if lower.is_empty() {
        return true;
    }
    if text.is_ascii() && lower.is_ascii() {
        return text.as_bytes().windows(lower.len()).any(|part| part.eq_ignore_ascii_case(lower.as_bytes()));
    }
    text.to_lowercase().contains(lower)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::judgement::Analysis;
    use crate::model::key::ProcessKey;
    use crate::model::process::{Identity, ProcessSample, Resident};
    use crate::model::reading::{BootMs, Denial, Reading, Stamped};
    use crate::model::sample::{Host, Sample, Scan};
    use crate::model::snapshot::Snapshot;
    use crate::model::system::SystemSample;
    use crate::model::text::Text;

    /// node of app with 840M RSS and 931 descriptors; nginx of root with 22M; both PSS denied.
    fn machine() -> Snapshot {
        let process = |pid, comm: &str, command: &str, uid, mib: u64, fds| {
            let identity = Identity { comm: comm.into(), command: command.into(), uid, ..Identity::default() };
            let mut process = ProcessSample::found(ProcessKey { pid, start_time: 0 }, Arc::new(identity));
            process.resident = Reading::Value(Resident { size: 0, rss: mib << 20, shared: 0, text: 0 });
            process.fds = Stamped::new(Reading::Value(fds), BootMs(600_000));
            process.rollup = Stamped::new(Reading::Denied(Denial::Ptrace), BootMs(600_000));
            Arc::new(process)
        };
        let host = Host {
            clock_ticks: 100,
            users: [(0, Text::from("root")), (1000, Text::from("app"))].into(),
            ..Host::default()
        };
        let sample = Sample {
            wall_ms: 0,
            at: BootMs(600_000),
            closer: None,
            deeds: Vec::new(),
            interval_ms: 1000,
            host: Arc::new(host),
            system: SystemSample::default(),
            processes: vec![
                process(1190, "nginx", "nginx: worker process", 0, 22, 41),
                process(1234, "node", "node app.js", 1000, 840, 931),
            ],
            scan: Scan::default(),
        };
        Snapshot::derive(None, Arc::new(sample), Analysis::default())
    }

    fn found(text: &str) -> Vec<u32> {
        let query = Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        machine().rows().filter(|row| query.matches(row)).map(|row| row.process.key.pid).collect()
    }

    #[test]
    fn what_people_write_finds_what_they_mean() {
        let (nginx, node, both) = (vec![1190], vec![1234], vec![1190, 1234]);
        let cases: [(&str, &Vec<u32>); 26] = [
            ("", &both),
            ("rss>100M user=app node", &node),
            ("node", &node),
            ("NODE", &node),
            ("1190", &nginx),
            ("119", &Vec::new()),
            ("root", &nginx),
            ("\"app.js\"", &node),
            ("rss > 100M", &node),
            ("rss<=22M", &nginx),
            ("rss=840M", &node),
            ("not node", &nginx),
            ("!node", &nginx),
            ("not not node", &node),
            ("node or nginx", &both),
            ("fds>900 | rss<1M", &node),
            ("(node or nginx) and user=root", &nginx),
            ("user!=root", &node),
            ("command~^node", &node),
            ("command~(worker|app)", &both),
            ("name=ng*", &nginx),
            ("name:node", &node),
            ("age>9m", &both),
            ("pss>0", &Vec::new()),
            ("pss=unknown rss>1M", &both),
            ("(((node)))", &node),
        ];
        for (text, expected) in cases {
            assert_eq!(&found(text), expected, "{text}");
        }
    }

    #[test]
    fn an_unknown_reading_matches_no_comparison() {
        assert!(found("pss!=5").is_empty() && found("pss<5").is_empty());
    }

    #[test]
    fn errors_say_where_and_what_instead() {
        let error = |text: &str| Query::parse(text).unwrap_err().to_string();
        assert_eq!(error("node rsss>1M"), "column 6: there is no field `rsss`: did you mean rss, pss or uss?");
        assert_eq!(error("rss>lots"), "column 5: `lots` does not fit: write a size, as in 100M or 1.5G");
        assert_eq!(error("user>5"), "column 6: `user` is text: compare it with = != ~ !~");
        assert_eq!(error("(node"), "column 6: a `(` is not closed: add `)`");
        assert_eq!(error("node)"), "column 5: a `)` without its `(`");
        assert!(error("\"node").contains("has no end"));
        assert!(error("rss>").contains("has no value"));
        assert!(error("command~(").contains("not a regular expression"));
        assert!(error(&"(".repeat(100_000)).contains("in one another"));
    }

    #[test]
    fn a_filter_tells_what_must_be_read() {
        let sources = Query::parse("pss>1M node").unwrap().sources();
        assert!(
            sources.contains(Source::Rollup) && sources.contains(Source::Identity) && !sources.contains(Source::Fds)
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
            if let Ok(query) = Query::parse(&text) {
                machine().rows().for_each(|row| { query.matches(&row); });
            }
        }

        #[test]
        fn any_words_of_the_language_are_read_or_refused(words in proptest::collection::vec(
            prop_oneof!["rss", "user", "node", "[<>=!~:|&()]", "not", "or", "and", "-?[0-9]{1,3}[KMG%sm]?", "\"", "'", " "], 0..20)) {
            if let Ok(query) = Query::parse(&words.concat()) {
                let again = Query::parse(&query.to_string()).unwrap();
                machine().rows().for_each(|row| assert_eq!(query.matches(&row), again.matches(&row)));
            }
        }
    }
}
