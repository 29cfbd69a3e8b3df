//! What a rule tests: a quantity of a process, of a group or of the machine, against a limit.

use std::fmt;

use crate::model::field::{PROCESS_FIELDS, ProcessField, SYSTEM_FIELDS, Source, SystemField, Unit, process_field};
use crate::model::judgement::Verdict;
use crate::model::query::number;
use crate::units::{Bytes, BytesPerMinute, Span};

/// A quantity that a rule can test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// A field of a process, or its sum over a group.
    Process(&'static ProcessField),
    /// A field of the machine.
    Machine(&'static SystemField),
    /// How memory, descriptors and threads behave over time.
    Verdict,
    /// Time until the first limit is met, milliseconds.
    Eta,
    /// Use of the control group that binds the process, percent of its limit.
    Cgroup,
}

impl PartialEq for SystemField {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

/// Words beside the keys of the fields.
const WORDS: [(&str, Measure); 3] = [("verdict", Measure::Verdict), ("eta", Measure::Eta), ("cgroup", Measure::Cgroup)];

impl Measure {
    /// The measure of this name.
    pub fn parse(name: &str) -> Option<Self> {
        let of_word = WORDS.iter().find(|(word, _)| *word == name).map(|(_, measure)| *measure);
        of_word
            .or_else(|| process_field(name).filter(|field| is_testable(field)).map(Self::Process))
            .or_else(|| SYSTEM_FIELDS.iter().find(|field| field.key == name).map(Self::Machine))
    }

    /// Its name in rules.
    pub fn key(self) -> &'static str {
        match self {
            Self::Process(field) => field.key,
            Self::Machine(field) => field.key,
            Self::Verdict => "verdict",
            Self::Eta => "eta",
            Self::Cgroup => "cgroup",
        }
    }

    /// What it is counted in.
    pub fn unit(self) -> Unit {
        match self {
            Self::Process(field) => field.unit,
            Self::Machine(field) => field.unit,
            Self::Verdict => Unit::Text,
            Self::Eta => Unit::Milliseconds,
            Self::Cgroup => Unit::Percent,
        }
    }

    /// Whether it is the machine's, and no process's.
    pub fn is_of_machine(self) -> bool {
        matches!(self, Self::Machine(_))
    }

    /// Whether it takes a history of samples.
    pub fn takes_history(self) -> bool {
        matches!(self, Self::Verdict | Self::Eta)
            || matches!(self, Self::Process(field) if field.source == Source::History)
    }

    /// What a share of it is a share of; `None` where there is no whole.
    fn whole(self) -> Option<Whole> {
        match self {
            Self::Process(field) if field.key == "fds" => Some(Whole::Files),
            Self::Process(field) if field.unit == Unit::Bytes && field.key.starts_with("swap") => Some(Whole::Swap),
            Self::Process(field) if field.unit == Unit::Bytes => Some(Whole::Ram),
            Self::Machine(field) if field.key.starts_with("swap_") && field.unit == Unit::Bytes => Some(Whole::Swap),
            Self::Machine(field) if field.unit == Unit::Bytes => Some(Whole::Ram),
            _ => None,
        }
    }

    /// A value of it for people.
    pub fn show(self, value: f64) -> String {
        match self.unit() {
            Unit::Bytes | Unit::BytesChange => Bytes(value.max(0.0) as u64).to_string(),
            Unit::BytesPerMinute | Unit::Series => format!("{}/min", BytesPerMinute(value)),
            Unit::BytesPerSecond => format!("{}/s", Bytes(value.max(0.0) as u64)),
            Unit::Percent => format!("{value:.1}%"),
            Unit::PerSecond => format!("{value:.1}/s"),
            Unit::Milliseconds => {
                Span(std::time::Duration::try_from_secs_f64(value / 1000.0).unwrap_or_default()).to_string()
            }
            Unit::Text => Verdict::of_rank(value as u32).word().to_owned(),
            Unit::Count | Unit::CountChange => format!("{value:.0}"),
        }
    }
}

/// A change since a mark has no meaning here, and a pid is no quantity.
fn is_testable(field: &ProcessField) -> bool {
    field.unit.is_number() && !matches!(field.key, "pid" | "ppid" | "history") && field.source != Source::Mark
}

/// What percent are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// MemTotal.
    Ram,
    /// SwapTotal.
    Swap,
    /// The process's limit of open files.
    Files,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `>`
    Over,
    /// `>=`
    AtLeast,
    /// `<`
    Under,
    /// `<=`
    AtMost,
    /// `=`, of verdicts alone.
    Is,
}

/// Longer words first.
const OPS: [(&str, Op); 6] =
    [(">=", Op::AtLeast), ("<=", Op::AtMost), ("==", Op::Is), (">", Op::Over), ("<", Op::Under), ("=", Op::Is)];

impl Op {
    /// Whether a value is past a limit.
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Over => value > limit,
            Self::AtLeast => value >= limit,
            Self::Under => value < limit,
            Self::AtMost => value <= limit,
            Self::Is => value.total_cmp(&limit).is_eq(),
        }
    }

    /// Whether it is a rise that leads past the limit.
    pub fn is_rising(self) -> bool {
        matches!(self, Self::Over | Self::AtLeast)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Over => ">",
            Self::AtLeast => ">=",
            Self::Under => "<",
            Self::AtMost => "<=",
            Self::Is => "=",
        }
    }
}

/// A level: so much, or a share of a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    /// In the unit of the measure.
    Absolute(f64),
    /// Percent of a whole.
    Share(f64, Whole),
}

/// A measure, how it is compared, and with what.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// What.
    pub measure: Measure,
    /// How.
    pub op: Op,
    /// With what.
    pub level: Level,
    text: String,
}

impl Test {
    /// Reads `footprint > 400M`, `fds > 80%`, `verdict = leaking`, `eta < 10m`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, rest) = (&text[..end], text[end..].trim_start());
        let measure = Measure::parse(&name.to_ascii_lowercase()).ok_or_else(|| unknown(name))?;
        let Some((word, op)) = OPS.iter().find(|(word, _)| rest.starts_with(word)) else {
            return Err(format!("`{text}` compares nothing: write {}", example(measure)));
        };
        let value = rest[word.len()..].trim();
        let is_verdict = measure == Measure::Verdict;
        if (*op == Op::Is) != is_verdict && !(is_verdict && *op == Op::AtLeast) {
            return Err(format!("`{word}` does not fit {}: write {}", measure.key(), example(measure)));
        }
        let level = Self::level_of(measure, value)?;
        Ok(Self { measure, op: *op, level, text: format!("{} {} {value}", measure.key(), op.word()) })
    }

    /// Reads a level of a measure: `400M`, `20%`.
    pub fn level_of(measure: Measure, value: &str) -> Result<Level, String> {
        let wrong = |why: &str| format!("`{value}` does not fit {}{why}: write {}", measure.key(), example(measure));
        if measure == Measure::Verdict {
            let found = Verdict::ALL.iter().find(|verdict| verdict.word() == value.replace('_', " "));
            return found.map(|verdict| Level::Absolute(f64::from(*verdict as u32))).ok_or_else(|| wrong(""));
        }
        if let Some(digits) = value.strip_suffix('%')
            && measure.unit() != Unit::Percent
        {
            let percent = digits.trim().parse::<f64>().ok().filter(|percent| (0.0..=1000.0).contains(percent));
            let percent = percent.ok_or_else(|| wrong(""))?;
            let whole = measure.whole().ok_or_else(|| wrong(", which is a share of nothing"))?;
            return Ok(Level::Share(percent, whole));
        }
        number(measure.unit(), value).ok().filter(|number| *number >= 0.0).map(Level::Absolute).ok_or_else(|| wrong(""))
    }
}

/// The test as it was written.
impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

fn example(measure: Measure) -> &'static str {
    match (measure, measure.unit()) {
        (Measure::Verdict, _) => "`verdict = leaking` or `verdict >= growing`",
        (Measure::Process(field), _) if field.key == "fds" => "`fds > 900` or `fds > 80%`",
        (Measure::Machine(_), Unit::Bytes) => "`mem_available < 200M` or `mem_available < 5%`",
        (_, Unit::Bytes | Unit::BytesChange) => "`footprint > 400M` or `footprint > 20%`",
        (_, Unit::BytesPerMinute | Unit::Series) => "`growth > 5M`, which is a minute's",
        (_, Unit::BytesPerSecond) => "`swap_out > 1M`, which is a second's",
        (_, Unit::Percent) => "`cgroup > 90%`",
        (_, Unit::Milliseconds) => "`eta < 10m`",
        _ => "`threads > 500`",
    }
}

fn unknown(name: &str) -> String {
    let of_process = PROCESS_FIELDS.iter().filter(|field| is_testable(field)).map(|field| field.key);
    let all: Vec<&str> =
        of_process.chain(WORDS.map(|(word, _)| word)).chain(SYSTEM_FIELDS.iter().map(|field| field.key)).collect();
    if name.is_empty() {
        return "a test begins with what it measures, as in `footprint > 400M`".into();
    }
    format!("there is nothing to test called `{name}`: use one of {}", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read() {
        let level = |text: &str| Test::parse(text).unwrap_or_else(|why| panic!("{text}: {why}")).level;
        assert_eq!(level("footprint > 400M"), Level::Absolute(f64::from(400 << 20)));
        assert_eq!(level("rss>20%"), Level::Share(20.0, Whole::Ram));
        assert_eq!(level("swap >= 10 %"), Level::Share(10.0, Whole::Swap));
        assert_eq!(level("fds > 80%"), Level::Share(80.0, Whole::Files));
        assert_eq!(level("eta < 10m"), Level::Absolute(600_000.0));
        assert_eq!(level("growth > 5M/min"), Level::Absolute(f64::from(5 << 20)));
        assert_eq!(level("mem_available < 5%"), Level::Share(5.0, Whole::Ram));
        assert_eq!(level("psi_some > 20%"), Level::Absolute(20.0));
        assert_eq!(level("cgroup > 90%"), Level::Absolute(90.0));
        assert_eq!(level("verdict = leaking"), Level::Absolute(f64::from(Verdict::Leaking as u32)));
        assert_eq!(Test::parse(" RSS>1G ").unwrap().to_string(), "rss > 1G");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_mend() {
        for (text, part) in [
            ("", "begins with what it measures"),
            ("footprnt > 1M", "called `footprnt`: use one of "),
            ("footprint 400M", "compares nothing: write `footprint > 400M`"),
            ("footprint > lots", "`lots` does not fit footprint"),
            ("footprint > -4M", "does not fit"),
            ("threads > 5%", "a share of nothing"),
            ("growth > 5%", "a share of nothing"),
            ("rss = 5M", "`=` does not fit rss"),
            ("verdict > leaking", "`>` does not fit verdict"),
            ("verdict = bad", "verdict = leaking"),
            ("pid > 5", "called `pid`"),
            ("pss_change > 5M", "called `pss_change`"),
        ] {
            let why = Test::parse(text).unwrap_err();
            assert!(why.contains(part), "{text}: {why}");
        }
    }

    #[test]
    fn a_comparison_holds_on_its_side_of_the_limit() {
        assert!(Op::Over.holds(2.0, 1.0) && !Op::Over.holds(1.0, 1.0) && Op::AtLeast.holds(1.0, 1.0));
        assert!(Op::Under.holds(0.0, 1.0) && !Op::Under.holds(1.0, 1.0) && Op::AtMost.holds(1.0, 1.0));
        assert!(!Op::Over.holds(f64::NAN, 1.0) && !Op::Under.holds(f64::NAN, 1.0));
    }
}
