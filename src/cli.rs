//! The command line, by clap: types only.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::said::Said;
use crate::config::value::{FieldName, Filter, Grouping, Interval, Portion, Span};

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
  memtide record -o FILE              a recording, for `memtide diagnose FILE`

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
    /// Records every process and the machine, to be looked at later
    Record(Record),
    /// Checks a recording and names what of it can't be read
    Verify(Verify),
    /// Saves all of a damaged recording that can be read
    Repair(Repair),
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
    /// A recording, file or folder, instead of the live machine; and only this process, otherwise every process, every
    /// service and the kernel
    #[arg(value_name = "FILE|PID", num_args = 0..=2)]
    pub what: Vec<PathBuf>,
    /// For how long to watch: a slow leak shows in a long watch alone. A recording is read whole
    #[arg(long = "for", value_name = "TIME", default_value = "3m")]
    pub span: Span,
    /// Time between looks
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub interval: Interval,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Report,
}

impl Diagnose {
    /// The recording and the pid that were named. A file whose name is a number is written with a folder: `./123`.
    pub fn what(&self) -> Result<(Option<&PathBuf>, Option<u32>), String> {
        let (mut file, mut pid) = (None, None);
        for word in &self.what {
            match word.to_str().and_then(|word| word.parse().ok()) {
                Some(number) if pid.is_none() => pid = Some(number),
                None if file.is_none() => file = Some(word),
                Some(_) => return Err("only one PID can be asked about".into()),
                None => return Err("only one recording can be asked about".into()),
            }
        }
        Ok((file, pid))
    }
}

const DIAGNOSE_EXAMPLES: &str = "\
Ctrl-C ends the watch early and tells what is known so far.

Examples:
  memtide diagnose                         three minutes of the whole machine
  memtide diagnose --for 10m 1234          ten minutes of one process
  memtide diagnose FILE                    all that was recorded
  memtide diagnose --format json | jq .    every number, for a script

Exit status: 0 nothing leaks so far, 1 it failed, 2 wrong usage, 3 something leaks.";

/// `memtide record`.
#[derive(Args, Debug)]
#[command(after_help = RECORD_EXAMPLES)]
pub struct Record {
    /// The file, which is appended to; with --rotate or --keep the folder of the segments
    #[arg(long, short, value_name = "PATH")]
    pub output: PathBuf,
    /// Time between samples
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub interval: Interval,
    /// Ends after so long
    #[arg(long = "for", value_name = "TIME")]
    pub span: Option<Span>,
    /// Begins a new segment after so many bytes or so long, as in 100M or 1h; may be given twice
    #[arg(long, value_name = "SIZE|TIME")]
    pub rotate: Vec<Portion>,
    /// Removes the oldest segments, so that no more than so much or so long stays; may be given twice
    #[arg(long, value_name = "SIZE|TIME")]
    pub keep: Vec<Portion>,
    /// Lets this group read what is recorded
    #[arg(long, value_name = "GID")]
    pub group: Option<u32>,
    /// What to hide of command lines: what looks like a secret, or all arguments
    #[arg(long, value_name = "WHAT", default_value = "secrets")]
    pub redact: Redact,
    /// Hides nothing of command lines
    #[arg(long, conflicts_with = "redact")]
    pub no_redact: bool,
}

/// What is hidden of command lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Redact {
    /// What looks like a password, a token or a key.
    Secrets,
    /// All arguments.
    Args,
}

const RECORD_EXAMPLES: &str = "\
Ctrl-C, SIGTERM and SIGHUP end it with a last sample. A file that is recorded to can be read all the while.

Examples:
  memtide record -o leak.memtide                     until it is ended
  memtide record -o /var/lib/memtide --keep 24h      the last 24 hours, for months
  memtide record -o DIR --keep 7d --keep 2G          a week, in 2G at most
  memtide record -o FILE --for 1h --interval 1s      an hour, second by second";

/// `memtide verify`.
#[derive(Args, Debug)]
pub struct Verify {
    /// The recording: a file, or a folder of segments
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Report,
}

/// `memtide repair`.
#[derive(Args, Debug)]
pub struct Repair {
    /// The recording: a file, or a folder of segments
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// A file that is not there yet
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// How to print what was lost
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Report,
}

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
