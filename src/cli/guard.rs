//! `memtide guard`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::Report;
use crate::config::value::{Filter, Interval};
use crate::guard::measure::Test;
use crate::guard::rule::Said;
use crate::guard::step::Step;
use crate::model::query::Query;
use crate::units::parse_duration;

/// `memtide guard`.
#[derive(Args, Debug)]
#[command(after_help = GUARD_EXAMPLES, group = ArgGroup::new("whom").args(["filter", "pid", "pid_file"]))]
pub struct Guard {
    /// Reads rules from this file; SIGHUP reads it again
    #[arg(long, short = 'c', value_name = "FILE", conflicts_with_all = ["whom", "when", "then"])]
    pub rules: Option<PathBuf>,
    /// Watches the processes that match, as in 'node user=app'
    #[arg(long = "match", short = 'm', value_name = "FILTER")]
    pub filter: Option<Filter>,
    /// Watches this process
    #[arg(long, short, value_name = "PID")]
    pub pid: Option<u32>,
    /// Watches the process whose pid this file has
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Test, as in 'fds > 80%' or 'mem_available < 5%'; again for more, which must all hold
    #[arg(long, value_name = "TEST", value_parser = Test::parse)]
    pub when: Vec<Test>,
    /// Short for --when 'footprint > SIZE', PSS and swap: 400M or 20%
    #[arg(long, value_name = "SIZE")]
    pub footprint_over: Option<String>,
    /// Short for --when 'rss > SIZE'
    #[arg(long, value_name = "SIZE")]
    pub rss_over: Option<String>,
    /// Short for --when 'pss > SIZE'
    #[arg(long, value_name = "SIZE")]
    pub pss_over: Option<String>,
    /// Short for --when 'swap > SIZE'
    #[arg(long, value_name = "SIZE")]
    pub swap_over: Option<String>,
    /// Short for --when 'fds > COUNT': 900 or 80%
    #[arg(long, value_name = "COUNT")]
    pub fds_over: Option<String>,
    /// Short for --when 'growth > SIZE', a minute
    #[arg(long, value_name = "SIZE")]
    pub growth_over: Option<String>,
    /// Short for --when 'mem_available < SIZE'
    #[arg(long, value_name = "SIZE")]
    pub available_under: Option<String>,
    /// Short for --when 'verdict = leaking'
    #[arg(long)]
    pub leaking: bool,
    /// For so long without a break; by default one look is enough
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub span: Option<Duration>,
    /// Once it holds, it holds until the first test is past this level
    #[arg(long, value_name = "LEVEL")]
    pub clear: Option<String>,
    /// Tests each process, or the sum by command, user, unit, container, cgroup, or of all
    #[arg(long, value_name = "BY")]
    pub per: Option<String>,
    /// Hits all processes that are over it, or the biggest
    #[arg(long, value_name = "WHICH")]
    pub which: Option<String>,
    /// What to do; again for more, in their order
    #[arg(long, value_name = "STEP", value_parser = Step::parse)]
    pub then: Vec<Step>,
    /// Time after an action before the next one on the same: 1m
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub cooldown: Option<Duration>,
    /// Actions in an hour, at most: 6
    #[arg(long, value_name = "N")]
    pub max_per_hour: Option<u32>,
    /// Does nothing where it would hit more processes at once: 10
    #[arg(long, value_name = "N")]
    pub max_matches: Option<u32>,
    /// Time that a command may take: 30s, or 2m of a rule with a heap snapshot, for that too
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub timeout: Option<Duration>,
    /// The longest time between looks: 5s while all are far from their limits, shorter by itself near one
    #[arg(long, value_name = "TIME")]
    pub interval: Option<Interval>,
    /// Says what it would do, and does nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// With --dry-run: what the rules would have done over this recording
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    pub recording: Option<PathBuf>,
    /// Checks the rules and ends
    #[arg(long)]
    pub check: bool,
    /// Keeps cooldowns and what is under way in this file; by default in $STATE_DIRECTORY, where that is set
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Appends what is decided and done to this file as JSON lines
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// The OOM killer's preference of the guard itself, as in -900; where that is not permitted, it goes on without
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-1000..=1000))]
    pub oom_score_adj: Option<i32>,
    /// How to print a dry run: JSON is a line for each decision
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Report,
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

impl Guard {
    /// The rule that the flags say; `None` where they say none.
    pub fn said(&self) -> Result<Option<Said>, String> {
        let mut tests = self.when.clone();
        let short = [
            ("footprint >", &self.footprint_over),
            ("rss >", &self.rss_over),
            ("pss >", &self.pss_over),
            ("swap >", &self.swap_over),
            ("fds >", &self.fds_over),
            ("growth >", &self.growth_over),
            ("mem_available <", &self.available_under),
        ];
        for (test, level) in short {
            if let Some(level) = level {
                tests.push(Test::parse(&format!("{test} {level}"))?);
            }
        }
        if self.leaking {
            tests.push(Test::parse("verdict = leaking")?);
        }
        if self.rules.is_some() {
            return if tests.is_empty() { Ok(None) } else { Err("say rules in the file or by flags, not both".into()) };
        }
        let filter = self.filter.as_ref().map(|filter| Query::parse(&filter.to_string()));
        Ok(Some(Said {
            name: None,
            filter: filter.transpose().map_err(|error| error.to_string())?,
            pid: self.pid,
            pid_file: self.pid_file.clone(),
            tests,
            span: self.span,
            clear: self.clear.clone(),
            per: self.per.clone(),
            which: self.which.clone(),
            steps: self.then.clone(),
            cooldown: self.cooldown,
            max_per_hour: self.max_per_hour,
            max_matches: self.max_matches,
            timeout: self.timeout,
            retry: None,
            retries: None,
        }))
    }
}

const GUARD_EXAMPLES: &str = "\
Steps, for --then:
  notify [stderr|syslog|http://HOST/PATH]   tells; the facts as JSON in a POST
  exec COMMAND                              by sh -c: facts in MEMTIDE_*, JSON on standard input
  signal NAME[+KILL [TIME]]                 TERM, or TERM+KILL 10s: SIGKILL to who is still there
  restart [unit|pm2 NAME|COMMAND]           the systemd service of the process, unless another way is said
  heap-snapshot                             of Node.js, beside the state file, or in the current folder
  memory.high SIZE|PERCENT                  lowers that of its control group; percent of what it uses
  drop-caches [1|2|3], oom_score_adj N

Examples:
  memtide guard --match node --footprint-over 400M --for 30s --then restart
  memtide guard --match 'name=php-fpm*' --per unit --when 'pss > 40%' --then 'memory.high 90%'
  memtide guard --match '' --available-under 5% --then 'signal TERM+KILL 5s'
  memtide guard -c rules.toml --dry-run --recording FILE     what would they have done last night?

Never hit: pid 1, the guard itself and kernel threads; its ancestors and sshd only by --pid or --pid-file.
Exit status: 0 it was told to end, 1 it failed, 2 wrong usage.";
