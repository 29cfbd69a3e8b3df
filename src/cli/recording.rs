//! The arguments of the commands that make and read recordings.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Report;
use crate::config::said::Said;
use crate::config::value::{FieldName, Filter, Interval, Portion, Span};
use crate::tui::moment::Moment;

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
    /// Records what is done meanwhile too: the log that `memtide act --log FILE` and the live view write
    #[arg(long, value_name = "FILE")]
    pub actions: Option<PathBuf>,
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
  memtide record -o FILE --for 1h --interval 1s      an hour, second by second
  memtide record -o FILE --actions LOG               with what `memtide act --log LOG` does";

/// `memtide replay`.
#[derive(Args, Debug)]
pub struct Replay {
    /// The recording: a file, or a folder of segments
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// The moment to begin at: 14:03, "2026-11-24 14:03", +1h from its beginning, start, end
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<Moment>,
    /// Lets time pass from the start, so many seconds of the recording in one
    #[arg(long, value_name = "TIMES", value_parser = speed)]
    pub speed: Option<f32>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help of the command")]
    pub said: Said,
}

fn speed(text: &str) -> Result<f32, String> {
    let speed = text.trim_start_matches('x').parse().ok().filter(|speed| (0.1..=100_000.0).contains(speed));
    speed.ok_or_else(|| format!("`{text}` is no speed: use a number from 0.1 to 100000"))
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// Sentences and tables for people.
    Text,
    /// One JSON document.
    Json,
    /// One page with charts that needs nothing else.
    Html,
}

/// `memtide report`.
#[derive(Args, Debug)]
pub struct ReportOn {
    /// The recording: a file, or a folder of segments
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Page,
    /// How many of those that grew, and of those alive at the peak
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub top: usize,
}

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

/// How a recording is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Comma-separated values.
    Csv,
    /// A JSON object a line.
    Jsonl,
    /// OpenMetrics text with the time of each value, for `promtool tsdb create-blocks-from openmetrics`.
    Openmetrics,
    /// Apache Parquet, where memtide was built with the feature `parquet`.
    Parquet,
}

/// `memtide export`.
#[derive(Args, Debug)]
#[command(after_help = EXPORT_EXAMPLES)]
pub struct Export {
    /// The recording: a file, or a folder of segments
    #[arg(value_name = "RECORDING")]
    pub path: PathBuf,
    /// Only processes that match, as in: node 'rss>100M' user=app
    #[arg(value_name = "FILTER")]
    pub words: Vec<String>,
    /// How it is written
    #[arg(long, value_name = "FORMAT", default_value = "csv")]
    pub format: ExportFormat,
    /// A new file, instead of stdout
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Fields of each process, instead of all that were recorded; growth and verdict are judged anew
    #[arg(long, short = 'o', value_name = "FIELDS", value_delimiter = ',')]
    pub fields: Option<Vec<FieldName>>,
    /// The machine's fields, a row a sample, instead of the processes'
    #[arg(long, conflicts_with_all = ["fields", "words"])]
    pub machine: bool,
    /// What was done to the machine, a row an action and outcome, instead of the processes
    #[arg(long, conflicts_with_all = ["fields", "words", "machine"])]
    pub actions: bool,
    /// From this moment on: 2026-11-25T14:03, with a zone such as Z where it is not this machine's; -10m before the end,
    /// +1h after the beginning
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<Moment>,
    /// Up to this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<Moment>,
}

impl Export {
    /// The filter, if there is one.
    pub fn filter(&self) -> Result<Option<Filter>, String> {
        let text = self.words.join(" ");
        if text.trim().is_empty() { Ok(None) } else { text.parse().map(Some) }
    }
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  memtide export day.memtide > day.csv
  memtide export day.memtide --from -1h user=app -o pid,name,pss,growth,verdict --format jsonl
  memtide export day.memtide --format parquet --output day.parquet
  duckdb -c \"select name, max(pss) from 'day.parquet' group by name order by 2 desc limit 10\"

A row is a process in a sample. Sizes are bytes, times milliseconds; what is unknown is empty or null, never zero.";
