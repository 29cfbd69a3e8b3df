//! The command line, by clap: types only.

mod guard;
mod heap;
mod heap_capture;
mod recording;
mod schema;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::act::change::{CHANGES, Change};
use crate::config::said::Said;
use crate::config::value::{FieldName, Filter, Grouping, Interval, Share, Span};
use crate::serve::address::Address;
use crate::units::parse_duration;

pub use guard::Guard;
pub use heap::{Heap, HeapCommand, HeapDiff, HeapOrder, HeapShow, HeapView, HeapWhat};
pub use heap_capture::{HeapCapture, HeapHistogram, HeapNumbers, HistogramOf};
pub use recording::{Export, ExportFormat, Page, Record, Redact, Repair, Replay, ReportOn, Verify};
pub use schema::Schema;

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
  memtide inspect 1234                one process whole: mappings, descriptors, threads
  memtide diagnose                    who leaks, until when, and what to do about it
  memtide record -o FILE              a recording, for `memtide replay FILE` and `memtide diagnose FILE`
  memtide export FILE --format csv    the recording as rows for other programs
  memtide serve                       metrics for Prometheus on 127.0.0.1:9982
  memtide guard -m node --footprint-over 400M --for 30s --then restart
  memtide heap diff A B               what grew in Node.js between two heap snapshots, and who holds it
  memtide act reclaim 100M --pid 1234 takes 100M from the control group of a process
  memtide doctor                      what it may see and do here, and what would grant the rest

Exit status: 0 done, 1 it failed, 2 wrong usage; diagnose: 3 something leaks.";

/// What every command takes.
#[derive(Args, Debug)]
pub struct Common {
    /// Reads settings from this file instead of ~/.config/memtide/config.toml and /etc/memtide/config.toml
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
    /// Prints one process whole: what is mapped, what is open, its threads and limits
    Inspect(Inspect),
    /// Watches for a while and says in plain words what leaks, until when, and what to do
    Diagnose(Diagnose),
    /// Records every process and the machine, to be looked at later
    Record(Record),
    /// Shows a recording as if it were now, at any moment of it
    Replay(Replay),
    /// Tells of a whole recording: who leaks, who grew, the peak, swap, what happened
    Report(ReportOn),
    /// Checks a recording and names what of it can't be read
    Verify(Verify),
    /// Saves all of a damaged recording that can be read
    Repair(Repair),
    /// Changes the machine: says what will happen, asks, does it, and measures what came of it
    Act(Act),
    /// Keeps limits: signals, restarts or runs a command where a rule holds
    Guard(Box<Guard>),
    /// Writes a recording as CSV, JSON Lines, OpenMetrics or Parquet
    Export(Export),
    /// Answers Prometheus with metrics, or prints them for CloudWatch
    Serve(Serve),
    /// Looks into the heap of a runtime: V8 heap snapshots
    Heap(Heap),
    /// Says what memtide can see and do on this machine, and what would grant the rest
    Doctor(Doctor),
    /// Prints settings
    Config(Config),
    /// Prints the schema of what is printed as JSON
    Schema(Schema),
    /// Prints what completes memtide's words in a shell
    Completions(Completions),
    /// Prints the manual page, or writes one for each command
    Man(Man),
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
    /// Field that sorts: pss, or with --since its change
    #[arg(long, short, value_name = "FIELD")]
    pub sort: Option<FieldName>,
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
    /// What to compare with, what to keep.
    #[command(flatten)]
    pub marks: Marks,
}

/// Marks in files.
#[derive(Args, Debug)]
pub struct Marks {
    /// Shows the change since a mark that --save-mark wrote, and who has ended since
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,
    /// Keeps this moment in a file, to compare with later
    #[arg(long, value_name = "FILE")]
    pub save_mark: Option<PathBuf>,
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
  memtide ps --save-mark before.json       keeps this moment
  memtide ps --since before.json           what has grown since
  memtide ps --format json node            for a script";

/// `memtide free`.
#[derive(Args, Debug)]
#[command(after_help = FREE_EXAMPLES)]
pub struct Free {
    /// Adds slab by cache, tmpfs by mount, shared memory and who holds it, swap by process, and settings
    #[arg(long, short)]
    pub full: bool,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    /// Sizes in bytes
    #[arg(long, short)]
    pub bytes: bool,
    /// Prints again and again, every second or as long as is said
    #[arg(long, short, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "1s")]
    pub watch: Option<Interval>,
    /// What to compare with, what to keep.
    #[command(flatten)]
    pub marks: Marks,
}

const FREE_EXAMPLES: &str = "\
Examples:
  memtide free                             free -m, down to what nobody accounts for
  memtide free --full                      slabtop -o, ipcs -m, df -t tmpfs, sysctl vm in one
  memtide free --full --format json        for a script

Root sees slab by cache and what processes of other users hold; each part that is missing says what would show it.";

/// `memtide inspect`.
#[derive(Args, Debug)]
#[command(after_help = INSPECT_EXAMPLES)]
pub struct Inspect {
    /// The process
    #[arg(value_name = "PID", value_parser = clap::value_parser!(u32).range(1..=i64::from(i32::MAX)))]
    pub pid: u32,
    /// Prints only this part; several may be given
    #[arg(long, short, value_name = "PART", value_delimiter = ',')]
    pub part: Vec<InspectPart>,
    /// Prints at most so many lines of each list; 20 as text, all there are as JSON
    #[arg(long, short = 'n', value_name = "N")]
    pub top: Option<usize>,
    /// Watches for so long first, and says what grew
    #[arg(long = "for", value_name = "TIME", conflicts_with = "since")]
    pub span: Option<Span>,
    /// Shows the change of mappings and descriptors since a mark of this process that --save-mark wrote
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,
    /// Keeps all of this inspection in a file, to compare with later
    #[arg(long, value_name = "FILE")]
    pub save_mark: Option<PathBuf>,
    /// Reads for about so long at most; of what takes longer, part is read, and it says so
    #[arg(long, value_name = "TIME", default_value = "120ms")]
    pub budget: Interval,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Report,
    /// Sizes in bytes
    #[arg(long, short)]
    pub bytes: bool,
}

/// Parts of an inspection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InspectPart {
    /// Who it is, its memory in total, its limits.
    Overview,
    /// What is mapped, by what it is.
    Mappings,
    /// What is open, by what it leads to.
    Descriptors,
    /// Its threads and their stacks.
    Threads,
    /// What runs it, and the limit which that keeps to.
    Runtime,
}

const INSPECT_EXAMPLES: &str = "\
Another user's process needs root or CAP_SYS_PTRACE for most of it; what is missing says so.

Examples:
  memtide inspect 1234                         everything
  memtide inspect 1234 --part descriptors      what `lsof -p 1234 | wc -l` counts, by what it is
  memtide inspect 1234 --part mappings --for 1m    what grew in a minute, and where
  memtide inspect 1234 --save-mark before.json     keeps this moment
  memtide inspect 1234 --since before.json     what grew since
  memtide inspect 1234 --part runtime          the limit of its heap, who set it and what is left
  memtide inspect 1234 --budget 1m             whole, however much there is
  memtide inspect --format json 1234 | jq .    every number, for a script";

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

/// `memtide serve`.
#[derive(Args, Debug)]
#[command(after_help = SERVE_EXAMPLES)]
#[command(group(clap::ArgGroup::new("pushed").multiple(true)))]
pub struct Serve {
    /// Listens here, again for more: 127.0.0.1:9982 by default, a port, unix:/run/memtide/metrics.sock
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Vec<Address>,
    /// Lets other machines in: an address that is not of the loopback needs it
    #[arg(long)]
    pub allow_remote: bool,
    /// Asks for the bearer token in this file, which nobody else may read
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// So many processes or groups, and findings: what bounds the number of series
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(..=1000))]
    pub top: u16,
    /// Groups by command, user, unit or container instead of single processes
    #[arg(long, short, value_name = "BY")]
    pub group: Option<Grouping>,
    /// Fields of each, instead of the usual ones
    #[arg(long, short = 'o', value_name = "FIELDS", value_delimiter = ',')]
    pub fields: Option<Vec<FieldName>>,
    /// Field that ranks them
    #[arg(long, short, value_name = "FIELD", default_value = "pss")]
    pub sort: FieldName,
    /// Only processes that match, as in 'rss>100M user=app'; findings are of all
    #[arg(long, short, value_name = "EXPRESSION")]
    pub filter: Option<Filter>,
    /// Time between samples, whoever asks how often
    #[arg(long, short, value_name = "TIME", default_value = "5s")]
    pub interval: Interval,
    /// Share of one core that reading PSS and descriptors in turn may take: 0.1% to 100%
    #[arg(long, value_name = "SHARE")]
    pub budget: Option<Share>,
    /// Prints CloudWatch Embedded Metric Format lines, and listens only where --listen says so
    #[arg(long, group = "pushed")]
    pub emf: bool,
    /// Pushes to an OpenTelemetry collector over HTTP, and listens only where --listen says so; without a URL to where
    /// OTEL_EXPORTER_OTLP_ENDPOINT says, else http://localhost:4318. Where memtide was built with the feature `otlp`
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "", group = "pushed")]
    pub otlp: Option<String>,
    /// Time between EMF lines or pushes
    #[arg(long, value_name = "TIME", default_value = "60s", requires = "pushed")]
    pub every: Interval,
    /// Namespace of EMF metrics: by default the CloudWatch agent's
    #[arg(long, value_name = "NAME", default_value = "CWAgent", requires = "emf")]
    pub namespace: String,
    /// A dimension of EMF metrics beside host, as in InstanceId=i-0123; again for more
    #[arg(long = "dimension", value_name = "NAME=VALUE", requires = "emf", value_parser = dimension)]
    pub dimensions: Vec<(String, String)>,
}

/// Reads `NAME=VALUE`.
fn dimension(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.into(), value.into())),
        _ => Err(format!("`{text}` is no dimension: write InstanceId=i-0123")),
    }
}

const SERVE_EXAMPLES: &str = "\
Examples:
  memtide serve                                      http://127.0.0.1:9982/metrics
  memtide serve --group unit --top 30                services in place of processes
  memtide serve --listen unix:/run/memtide/m.sock    behind a reverse proxy with TLS
  memtide serve --listen 10.0.0.5:9982 --allow-remote --token-file /etc/memtide/token
  memtide serve --emf --dimension InstanceId=i-0123  CloudWatch's mem_used_percent every 60 s
  memtide serve --otlp http://127.0.0.1:4318         to an OpenTelemetry collector every 60 s

Nothing is encrypted: for other machines put a reverse proxy with TLS before it. SIGTERM ends it.";

/// `memtide config`.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub struct Config {
    /// Prints every setting with its default and every action with its keys
    #[arg(long)]
    pub print_default: bool,
    /// Prints where a person's own file is
    #[arg(long, conflicts_with = "print_default")]
    pub path: bool,
    /// Prints the manual page memtide.toml(5)
    #[arg(long, conflicts_with_all = ["print_default", "path"])]
    pub man: bool,
}

/// `memtide doctor`.
#[derive(Args, Debug)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub struct Doctor {
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Report,
}

const DOCTOR_EXAMPLES: &str = "\
It changes nothing. Exit status: 0 it could look, whatever it found.

Examples:
  memtide doctor                               what this user may see and do here
  sudo memtide doctor                          what root may
  memtide doctor --format json | jq .          for a script";

/// `memtide completions`.
#[derive(Args, Debug)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub struct Completions {
    /// The shell; that of $SHELL if none is named
    #[arg(value_name = "SHELL")]
    pub shell: Option<clap_complete::Shell>,
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  memtide completions bash > ~/.local/share/bash-completion/completions/memtide
  memtide completions zsh > \"${fpath[1]}/_memtide\"
  memtide completions fish > ~/.config/fish/completions/memtide.fish";

/// `memtide man`.
#[derive(Args, Debug)]
#[command(after_help = MAN_EXAMPLES)]
pub struct Man {
    /// Writes memtide.1 and memtide-COMMAND.1 into this folder instead
    #[arg(long, short, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
}

const MAN_EXAMPLES: &str = "\
Examples:
  memtide man | man -l -
  memtide man --output /usr/local/share/man/man1";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
