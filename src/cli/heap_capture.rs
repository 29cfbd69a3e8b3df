//! The arguments of the commands that ask a running process for its heap.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Format, Report};
use crate::units::parse_duration;

/// `memtide heap capture`.
#[derive(Args, Debug)]
#[command(after_help = CAPTURE_EXAMPLES)]
pub struct HeapCapture {
    /// The process, of Node.js
    #[arg(value_name = "PID")]
    pub pid: u32,
    /// The file, which must not exist; node-PID-TIME.heapsnapshot in the current folder unless told. Of a series -1, -2 and
    /// so on are put before its extension
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Takes so many, one after another, to compare them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub series: u32,
    /// Time from one of a series to the next
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    pub every: Duration,
    /// How long one may take
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    pub timeout: Duration,
    /// Takes it although memory or the disk seem not to carry it
    #[arg(long)]
    pub force: bool,
    /// Does it without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Says what would happen, and does nothing
    #[arg(long, short = 'n', conflicts_with = "yes")]
    pub dry_run: bool,
    /// Appends what came of it to this file as JSON lines
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// How to print: JSON is a line for each snapshot
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Report,
}

const CAPTURE_EXAMPLES: &str = "\
The process need not be prepared: an open inspector is used, or the signal of --heapsnapshot-signal; else SIGUSR1 opens
the inspector on the loopback, after a question, and it is closed again. The program stands still meanwhile, up to
a second for each 5 MB of heap. Ctrl-C stops it; the process goes on.

Examples:
  memtide heap capture 1234 --dry-run                     how it would be done, and what it would cost
  memtide heap capture 1234 -o /var/tmp/app.heapsnapshot
  memtide heap capture 1234 --series 3 --every 10m        three to compare: memtide heap diff";

/// `memtide heap stats`.
#[derive(Args, Debug)]
#[command(after_help = STATS_EXAMPLES)]
pub struct HeapNumbers {
    /// The process, of Node.js
    #[arg(value_name = "PID")]
    pub pid: u32,
    /// How long it may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub timeout: Duration,
    /// Opens the inspector without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Closes the inspector afterwards, whoever opened it
    #[arg(long)]
    pub close: bool,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    /// Sizes in bytes
    #[arg(long, short)]
    pub bytes: bool,
}

const STATS_EXAMPLES: &str = "\
Asks the process itself, by its inspector, which is opened for that after a question where it is closed, and closed again.

Examples:
  memtide heap stats 1234                      what V8 has in use, of what limit, in which spaces
  memtide heap stats 1234 --yes --format json";

/// `memtide heap histogram`.
#[derive(Args, Debug)]
#[command(after_help = HISTOGRAM_EXAMPLES)]
pub struct HeapHistogram {
    /// A JVM by its PID; a heap profile of Go by its file or its http address
    #[arg(value_name = "PID|FILE|URL", value_parser = subject)]
    pub of: HistogramOf,
    /// Shows the change since a histogram that --format json wrote to this file
    #[arg(long, value_name = "FILE")]
    pub diff: Option<PathBuf>,
    /// Of a JVM: counts garbage too, and collects none before
    #[arg(long)]
    pub all: bool,
    /// Prints so many lines; JSON and CSV have all of them
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub top: usize,
    /// How long it may take
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = time)]
    pub timeout: Duration,
    /// Does it without asking
    #[arg(long, short)]
    pub yes: bool,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    /// Sizes in bytes
    #[arg(long, short)]
    pub bytes: bool,
}

const HISTOGRAM_EXAMPLES: &str = "\
Of a JVM it asks as jcmd does (GC.class_histogram): a full collection runs first, unless --all is said.

Examples:
  memtide heap histogram 1234                               classes by the bytes of their live objects
  memtide heap histogram 1234 --yes --format json > before.json
  memtide heap histogram 1234 --diff before.json            what grew since
  memtide heap histogram http://127.0.0.1:6060/debug/pprof/heap    what a Go program has in use, by line
  memtide heap histogram heap.pb.gz";

/// Whose histogram it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistogramOf {
    /// A process.
    Pid(u32),
    /// A profile at this host and path.
    Url {
        /// `host:port`.
        host: String,
        /// The path, with its query.
        path: String,
    },
    /// A profile in a file.
    File(PathBuf),
}

impl HistogramOf {
    /// Where a host is.
    pub fn address(host: &str) -> std::io::Result<SocketAddr> {
        let none = || std::io::Error::other("it has no address");
        host.to_socket_addrs()?.next().ok_or_else(none)
    }
}

fn subject(text: &str) -> Result<HistogramOf, String> {
    if let Ok(pid) = text.parse() {
        return Ok(HistogramOf::Pid(pid));
    }
    if text.starts_with("https://") {
        return Err("https is not spoken here: curl -o heap.pb.gz URL, and give that file".into());
    }
    let Some(rest) = text.strip_prefix("http://") else { return Ok(HistogramOf::File(text.into())) };
    let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if host.is_empty() || host.contains('@') || !is_plain(rest) {
        return Err("write http://HOST:PORT/debug/pprof/heap".into());
    }
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let host = if has_port { host.to_owned() } else { format!("{host}:80") };
    Ok(HistogramOf::Url { host, path: path.to_owned() })
}

fn time(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text).map_err(|error| error.to_string())?;
    let is_fit = !time.is_zero() && time <= Duration::from_hours(24 * 7);
    if is_fit { Ok(time) } else { Err("use more than 0s and at most 7d".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_process_and_an_address_is_taken_apart() {
        assert_eq!(subject("1234"), Ok(HistogramOf::Pid(1234)));
        assert_eq!(subject("heap.pb.gz"), Ok(HistogramOf::File("heap.pb.gz".into())));
        let url = |host: &str, path: &str| Ok(HistogramOf::Url { host: host.into(), path: path.into() });
        assert_eq!(subject("http://[::1]:6060/debug/pprof/heap?gc=1"), url("[::1]:6060", "/debug/pprof/heap?gc=1"));
        assert_eq!(subject("http://app"), url("app:80", "/"));
        for bad in ["https://app/x", "http:///x", "http://user:secret@app/x", "http://app/a b", "http://app/\r\nX: y"] {
            assert!(subject(bad).is_err(), "{bad}");
        }
    }
}
