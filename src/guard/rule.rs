//! A rule: whom it watches, what it tests, for how long, and what it then does.

use std::path::PathBuf;
use std::time::Duration;

use super::measure::{Level, Measure, Op, Test};
use super::step::Step;
use crate::model::group::GroupBy;
use crate::model::query::Query;

/// A rule that has been checked.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, unique among the rules: what state and journal know it by.
    pub name: String,
    /// Whom it watches.
    pub whom: Whom,
    /// All of these must hold.
    pub tests: Vec<Test>,
    /// For how long without a break.
    pub span: Duration,
    /// Where the first test ceases to hold once it held; the limit itself unless it is said.
    pub clear: Option<Level>,
    /// What is tested.
    pub per: Per,
    /// Which of the processes are hit.
    pub which: Which,
    /// What is done, in this order.
    pub steps: Vec<Step>,
    /// After it has acted, nothing is done to the same again for so long.
    pub cooldown: Duration,
    /// Actions in an hour, at most.
    pub max_per_hour: u32,
    /// A rule that would hit more processes than this at once does nothing, and says so.
    pub max_matches: u32,
    /// How long a command, a hook, a webhook or a heap snapshot may take.
    pub timeout: Duration,
    /// After how long what failed is tried again.
    pub retry: Duration,
    /// How often what failed is tried again before the cooldown begins.
    pub retries: u32,
}

/// Whom a rule watches.
#[derive(Clone, Debug)]
pub enum Whom {
    /// Whoever a filter lets through.
    Filter(Query),
    /// One process, by its pid.
    Pid(u32),
    /// One process, by the file that has its pid.
    PidFile(PathBuf),
    /// Nobody: the machine alone.
    Nobody,
}

impl Whom {
    /// Whether it names one process by its pid: then also one that carries a session.
    pub fn is_by_pid(&self) -> bool {
        matches!(self, Self::Pid(_) | Self::PidFile(_))
    }
}

/// What is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// Each process.
    Process,
    /// The sum of each group.
    Group(GroupBy),
    /// The sum of each control group.
    Cgroup,
    /// The sum of all that match.
    All,
    /// The machine.
    Machine,
}

/// Which of the processes that a rule is about are hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// The biggest by the first test, or by private memory where that is none of a process.
    Biggest,
}

/// A rule as it is said, in a file or by flags.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// See [`Rule`].
    pub name: Option<String>,
    /// A filter.
    pub filter: Option<Query>,
    /// A pid.
    pub pid: Option<u32>,
    /// A file with a pid.
    pub pid_file: Option<PathBuf>,
    /// Tests.
    pub tests: Vec<Test>,
    /// Time without a break.
    pub span: Option<Duration>,
    /// The level where the first test clears.
    pub clear: Option<String>,
    /// `process`, `command`, `user`, `unit`, `container`, `cgroup` or `all`.
    pub per: Option<String>,
    /// `all` or `biggest`.
    pub which: Option<String>,
    /// Steps.
    pub steps: Vec<Step>,
    /// See [`Rule`].
    pub cooldown: Option<Duration>,
    /// See [`Rule`].
    pub max_per_hour: Option<u32>,
    /// See [`Rule`].
    pub max_matches: Option<u32>,
    /// See [`Rule`].
    pub timeout: Option<Duration>,
    /// See [`Rule`].
    pub retry: Option<Duration>,
    /// See [`Rule`].
    pub retries: Option<u32>,
}

impl Said {
    /// The rule, checked as a whole. `name` is what it is called where it has no name.
    pub fn rule(self, name: &str) -> Result<Rule, String> {
        let whom = match (self.filter, self.pid, self.pid_file) {
            (Some(filter), None, None) => Whom::Filter(filter),
            (None, Some(pid), None) if pid > 1 => Whom::Pid(pid),
            (None, Some(_), None) => return Err("pid 1 is never touched, and there is no pid 0".into()),
            (None, None, Some(file)) => Whom::PidFile(file),
            (None, None, None) => Whom::Nobody,
            _ => return Err("match, pid and pid_file exclude each other: say one of them".into()),
        };
        let Some(first) = self.tests.first() else {
            return Err("it tests nothing: say when, as in `when = \"footprint > 400M\"`".into());
        };
        if self.steps.is_empty() {
            return Err("it does nothing: say then, as in `then = \"notify\"`".into());
        }
        let is_of_machine = self.tests.iter().all(|test| test.measure.is_of_machine());
        if matches!(whom, Whom::Nobody) {
            if let Some(test) = self.tests.iter().find(|test| !test.measure.is_of_machine()) {
                return Err(format!(
                    "`{test}`: of which processes? Say match, pid or pid_file; `match = \"\"` is every process"
                ));
            }
            if let Some(step) = self.steps.iter().find(|step| step.takes_targets()) {
                return Err(format!(
                    "`{step}`: to which processes? Say match, pid or pid_file; `match = \"\"` is every process"
                ));
            }
        }
        let per = match self.per.as_deref() {
            _ if is_of_machine && self.per.is_some() => {
                return Err("per: the tests are of the machine as a whole".into());
            }
            _ if is_of_machine => Per::Machine,
            None | Some("process") => Per::Process,
            Some("all") => Per::All,
            Some("cgroup") => Per::Cgroup,
            Some(word) => Per::Group(GroupBy::parse(word).ok_or_else(|| {
                format!("per: `{word}` is none of process, command, user, unit, container, cgroup and all")
            })?),
        };
        if per != Per::Process
            && let Some(test) = self.tests.iter().find(|test| test.measure == Measure::Eta)
            && per != Per::Machine
        {
            return Err(format!("`{test}`: the time left is told of a process: leave out per"));
        }
        let which = match self.which.as_deref() {
            Some("biggest") => Which::Biggest,
            None if per == Per::Machine => Which::Biggest,
            None | Some("all") => Which::All,
            Some(word) => return Err(format!("which: `{word}` is neither all nor biggest")),
        };
        let clear = self.clear.as_deref().map(|text| clear(first, text)).transpose()?;
        // A heap snapshot writes all there is to disk.
        let timeout = Duration::from_secs(if self.steps.contains(&Step::HeapSnapshot) { 120 } else { 30 });
        let cooldown = self.cooldown.unwrap_or(Duration::from_mins(1));
        Ok(Rule {
            name: self.name.unwrap_or_else(|| name.to_owned()),
            whom,
            tests: self.tests,
            span: self.span.unwrap_or_default(),
            clear,
            per,
            which,
            steps: self.steps,
            cooldown,
            max_per_hour: self.max_per_hour.unwrap_or(6),
            max_matches: self.max_matches.unwrap_or(10),
            timeout: self.timeout.unwrap_or(timeout),
            retry: self.retry.unwrap_or(Duration::from_secs(10)),
            retries: self.retries.unwrap_or(3),
        })
    }
}

/// The level where a test clears must lie on the safe side of its limit.
fn clear(test: &Test, written: &str) -> Result<Level, String> {
    let level = Test::level_of(test.measure, written).map_err(|why| format!("clear: {why}"))?;
    let (clear, limit) = match (level, test.level) {
        (Level::Absolute(clear), Level::Absolute(limit)) => (clear, limit),
        (Level::Share(clear, a), Level::Share(limit, b)) if a == b => (clear, limit),
        _ => return Err(format!("clear: `{written}` and `{test}` can't be compared: write both in the same unit")),
    };
    let is_safe = match test.op {
        Op::Over | Op::AtLeast => clear <= limit,
        Op::Under | Op::AtMost => clear >= limit,
        Op::Is => false,
    };
    if is_safe { Ok(level) } else { Err(format!("clear: `{written}` is on the wrong side of `{test}`")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(filter: Option<&str>, test: &str, step: &str) -> Said {
        Said {
            filter: filter.map(|text| Query::parse(text).unwrap()),
            tests: vec![Test::parse(test).unwrap()],
            steps: vec![Step::parse(step).unwrap()],
            ..Said::default()
        }
    }

    #[test]
    fn defaults_are_careful() {
        let rule = said(Some("node"), "footprint > 400M", "restart").rule("rule 1").unwrap();
        assert_eq!((rule.name.as_str(), rule.per, rule.which), ("rule 1", Per::Process, Which::All));
        assert_eq!((rule.max_per_hour, rule.max_matches, rule.cooldown), (6, 10, Duration::from_mins(1)));
        let timeout = |step| said(Some("node"), "rss > 1M", step).rule("r").unwrap().timeout.as_secs();
        assert_eq!((timeout("restart"), timeout("heap-snapshot")), (30, 120));
        let machine = said(Some(""), "mem_available < 5%", "signal TERM").rule("m").unwrap();
        assert_eq!((machine.per, machine.which), (Per::Machine, Which::Biggest));
    }

    #[test]
    fn a_rule_that_could_hit_anybody_says_so_itself() {
        let error = |said: Said| said.rule("r").unwrap_err();
        assert!(error(said(None, "footprint > 400M", "notify")).contains("of which processes?"));
        assert!(error(said(None, "mem_available < 5%", "signal TERM")).contains("to which processes?"));
        assert!(said(None, "mem_available < 5%", "drop-caches").rule("r").is_ok());
        assert!(error(Said { pid: Some(1), ..said(None, "rss > 1M", "notify") }).contains("pid 1"));
        assert!(error(Said { pid: Some(9), ..said(Some("x"), "rss > 1M", "notify") }).contains("exclude"));
        assert!(error(Said { tests: Vec::new(), ..said(Some("x"), "rss > 1M", "notify") }).contains("tests nothing"));
        assert!(error(Said { steps: Vec::new(), ..said(Some("x"), "rss > 1M", "notify") }).contains("does nothing"));
    }

    #[test]
    fn the_level_where_it_clears_is_on_the_safe_side() {
        let clear = |test: &str, level: &str| {
            Said { clear: Some(level.into()), ..said(Some("x"), test, "notify") }.rule("r").map(|rule| rule.clear)
        };
        assert_eq!(clear("rss > 400M", "300M"), Ok(Some(Level::Absolute(f64::from(300 << 20)))));
        assert!(clear("rss > 400M", "500M").unwrap_err().contains("wrong side"));
        assert!(clear("rss > 400M", "20%").unwrap_err().contains("same unit"));
        assert!(clear("mem_available < 5%", "10%").is_ok());
        assert!(clear("mem_available < 5%", "3%").unwrap_err().contains("wrong side"));
    }
}
