//! The command line, by clap: types only.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::act::change::{CHANGES, Change};
use crate::config::said::Said;
use crate::config::value::{FieldName, Filter, Grouping, Interval, Span};
use crate::units::parse_duration;

/// A memory explorer: who eats the memory, since when, how fast, and what to do about it.
///
/// Without a command it shows the live machine; F1 there shows every key.
#[derive(Debug, Parser)]
#[command(name = "memtide", version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do instead of showing the live machine.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings of the live view.
    #[command(flatten)]
    pub said: Said,
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
}

const EXAMPLES: &str = "\
Examples:
  memtide                             the live machine
  memtide --filter 'rss>100M node'    the live machine, narrowed
  memtide ps --sort pss --top 10      the ten largest by proportional memory
  memtide ps --group unit --total     systemd units and their sum
  memtide free                        where every byte of RAM is
  memtide diagnose                    who leaks, until when, and what to do about it
  memtide act reclaim 100M --pid 1234 takes 100M from the control group of a process

Exit status: 0 done, 1 it failed, 2 wrong usage; diagnose: 3 something leaks.";

/// What every command takes.
#[derive(Args, Debug)]
pub struct Common {
    /// Reads settings from this file instead of ~/.config/memtide/config.toml
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// A recorded tree with proc, sys, cgroup and etc in it, or a folder of such trees t0, t1, ….
    #[arg(long, value_name = "FOLDER", global = true, hide = true)]
    pub root: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prints the processes once: a table, JSON or CSV
    Ps(Ps),
    /// Prints where every byte of RAM and swap is
    Free(Free),
    /// Watches for a while and says in plain words what leaks, until when, and what to do
    Diagnose(Diagnose),
    /// Changes the machine: says what will happen, asks, does it, and measures what came of it
    Act(Act),
    /// Prints settings
    Config(Config),
}

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns for people.
    Table,
    /// One JSON document; with --watch one a line.
    Json,
    /// Comma-separated values, sizes in bytes.
    Csv,
}

/// `memtide ps`.
#[derive(Args, Debug)]
#[command(after_help = PS_EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "flags are independent of each other")]
pub struct Ps {
    /// Only processes that match, as in: node 'rss>100M' user=app
    #[arg(value_name = "FILTER")]
    pub words: Vec<String>,
    /// Columns from the left, by field
    #[arg(long, short = 'o', value_name = "FIELDS", value_delimiter = ',')]
    pub columns: Option<Vec<FieldName>>,
    /// Field that sorts
    #[arg(long, short, value_name = "FIELD", default_value = "pss")]
    pub sort: FieldName,
    /// Turns the order round
    #[arg(long, short)]
    pub reverse: bool,
    /// Prints only so many, from the top
    #[arg(long, short = 'n', value_name = "N")]
    pub top: Option<usize>,
    /// Groups by command, user, unit or container
    #[arg(long, short, value_name = "BY")]
    pub group: Option<Grouping>,
    /// Adds a line with the sum of what is printed
    #[arg(long, short)]
    pub total: bool,
    /// Shows kernel threads
    #[arg(long)]
    pub kernel_threads: bool,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    /// Sizes in bytes
    #[arg(long, short)]
    pub bytes: bool,
    /// Leaves out the head of the table
    #[arg(long)]
    pub no_header: bool,
    /// Prints again and again, every second or as long as is said
    #[arg(long, short, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "1s")]
    pub watch: Option<Interval>,
    /// Prints every field there is and ends
    #[arg(long)]
    pub list_fields: bool,
}

impl Ps {
    /// The filter, if there is one.
    pub fn filter(&self) -> Result<Option<Filter>, String> {
        let text = self.words.join(" ");
        if text.trim().is_empty() { Ok(None) } else { text.parse().map(Some) }
    }
}

const PS_EXAMPLES: &str = "\
Examples:
  memtide ps --sort pss --top 10           smem -r -k | sort -nr -k 4 | head
  memtide ps 'fds>900 or fd_percent>80'    who runs out of file descriptors
  memtide ps -g command -t                 programs and their sum
  memtide ps --format json node            for a script";

/// `memtide free`.
#[derive(Args, Debug)]
pub struct Free {
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    /// Sizes in bytes
    #[arg(long, short)]
    pub bytes: bool,
    /// Prints again and again, every second or as long as is said
    #[arg(long, short, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "1s")]
    pub watch: Option<Interval>,
}

/// How a story is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Report {
    /// Sentences for people.
    Text,
    /// One JSON document.
    Json,
}

/// `memtide diagnose`.
#[derive(Args, Debug)]
#[command(after_help = DIAGNOSE_EXAMPLES)]
pub struct Diagnose {
    /// Only this process; otherwise every process, every service and the kernel
    #[arg(value_name = "PID")]
    pub pid: Option<u32>,
    /// For how long to watch: a slow leak shows in a long watch alone
    #[arg(long = "for", value_name = "TIME", default_value = "3m")]
    pub span: Span,
    /// Time between looks
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub interval: Interval,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Report,
}

const DIAGNOSE_EXAMPLES: &str = "\
Ctrl-C ends the watch early and tells what is known so far.

Examples:
  memtide diagnose                         three minutes of the whole machine
  memtide diagnose --for 10m 1234          ten minutes of one process
  memtide diagnose --format json | jq .    every number, for a script

Exit status: 0 nothing leaks so far, 1 it failed, 2 wrong usage, 3 something leaks.";

/// `memtide act`.
#[derive(Args, Debug)]
#[command(after_help = act_help())]
pub struct Act {
    /// What to change, one of the words below
    #[arg(value_name = "WHAT", value_parser = parse_change)]
    pub change: Change,
    /// Its value
    #[arg(value_name = "VALUE", allow_negative_numbers = true)]
    pub value: Option<String>,
    /// Of which process, or of the control group of which process; of a signal, several
    #[arg(long, short, value_name = "PID", value_delimiter = ',')]
    pub pid: Vec<u32>,
    /// Of which control group, by its path in the hierarchy of the memory controller
    #[arg(long, value_name = "PATH", conflicts_with = "pid")]
    pub cgroup: Option<String>,
    /// Does it without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Says what would happen, and does nothing
    #[arg(long, short = 'n', conflicts_with = "yes")]
    pub dry_run: bool,
    /// When to measure once more; 0s for not at all. Ctrl-C ends the wait
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_after)]
    pub after: Duration,
    /// Appends what came of it to this file as JSON lines
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// How to print: JSON is a line for each outcome
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Report,
}

fn parse_change(word: &str) -> Result<Change, String> {
    Change::parse(word).ok_or_else(|| {
        let words: Vec<&str> = CHANGES.iter().map(|spec| spec.word).collect();
        format!("use one of {}", words.join(", "))
    })
}

fn parse_after(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text).map_err(|error| error.to_string())?;
    if time <= Duration::from_hours(1) { Ok(time) } else { Err("use 0s to 1h".into()) }
}

fn act_help() -> String {
    let mut help = String::from("What can be changed:\n");
    for spec in CHANGES {
        // Writing into a String can't fail.
        let _ = writeln!(help, "  {:<14} {}", spec.word, spec.help);
        if let Some(value) = spec.value {
            let _ = writeln!(help, "  {:<14} VALUE: {value}", "");
        }
    }
    help + ACT_EXAMPLES
}

const ACT_EXAMPLES: &str = "
Examples:
  memtide act signal TERM+KILL --pid 1234 --dry-run     what it would do, in words
  memtide act reclaim 100M --pid 1234                   asks, then takes it from its group
  memtide act memory.high 400M --cgroup /app --yes      for a script: does not ask
  memtide act drop_caches 1 --yes --format json         what it freed, as JSON lines

Exit status: 0 done, 1 it failed or was refused, 2 wrong usage.";

/// `memtide config`.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub struct Config {
    /// Prints every setting with its default and every action with its keys
    #[arg(long)]
    pub print_default: bool,
    /// Prints where the file is
    #[arg(long, conflicts_with = "print_default")]
    pub path: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
