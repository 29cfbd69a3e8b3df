//! `memtide diagnose`: watches for a while, or reads a recording, and tells the story.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::stop::Stop;
use super::{Usage, root, terminal_width};
use crate::analyze::story::{Outcome, Watched};
use crate::cli::{Common, Diagnose, Report};
use crate::collect::demand::Demand;
use crate::export::{json, story};
use crate::model::field::Source as Read;
use crate::model::judgement::{Finding, Verdict};
use crate::model::key::ProcessKey;
use crate::record::reader::Reader;
use crate::session::source::{FixtureSource, LiveSource, Source};
use crate::tui::event::time_of_day;
use crate::units::BytesPerMinute;

/// The exit status where something leaks.
const LEAKING: u8 = 3;

/// The share of one core that reading may take: a watch is short and has nobody to keep waiting.
const BUDGET: f64 = 0.05;

/// The first look is incomplete, the next one follows soon.
const AFTER_FIRST: Duration = Duration::from_millis(100);

pub(super) fn run(args: &Diagnose, common: &Common) -> anyhow::Result<ExitCode> {
    let (file, pid) = args.what().map_err(Usage)?;
    let (watched, asked) = match file {
        Some(file) => read(file, pid)?,
        None => watch(args, pid, common)?,
    };
    let told = watched.tell(asked).context("nothing was seen")?;
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Report::Json => writeln!(out, "{:#}", json::story(&told))?,
        Report::Text => story::write(&told, &mut out, terminal_width(), time_of_day)?,
    }
    out.flush()?;
    Ok(if told.outcome == Outcome::Leaking { ExitCode::from(LEAKING) } else { ExitCode::SUCCESS })
}

/// What was watched, and the process that was asked about.
type Seen = (Watched, Option<ProcessKey>);

/// Everything that was recorded. Of several processes that had the pid in turn, the last one is asked about.
fn read(file: &Path, pid: Option<u32>) -> anyhow::Result<Seen> {
    let mut reader = Reader::open(file)?;
    let mut watched = Watched::default();
    let mut asked = None;
    while let Some(sample) = reader.next() {
        asked =
            sample.processes.iter().find(|process| Some(process.key.pid) == pid).map(|process| process.key).or(asked);
        watched.push(sample);
    }
    super::verify::warn(&reader);
    if let (Some(pid), None) = (pid, asked) {
        anyhow::bail!("there is no process {pid} in the recording");
    }
    Ok((watched, asked))
}

/// The machine, for a while.
fn watch(args: &Diagnose, pid: Option<u32>, common: &Common) -> anyhow::Result<Seen> {
    let mut source: Box<dyn Source> = match &common.root {
        Some(folder) => Box::new(FixtureSource::open(folder)),
        None => Box::new(LiveSource::open(root(common))?),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut stop = Stop::listen(&runtime)?;
    let progress = Progress::new();
    let (interval, whole) = (args.interval.0, args.span.0);
    let began = Instant::now();
    let mut demand = demand(pid);
    let mut watched = Watched::default();
    let mut asked = None;
    for nth in 0u32.. {
        let sample = source.next(&demand, interval)?;
        if let (Some(pid), None) = (pid, asked) {
            let process = sample.processes.iter().find(|process| process.key.pid == pid);
            let key = process.with_context(|| format!("there is no process {pid}"))?.key;
            asked = Some(key);
            demand.visible = vec![key];
        }
        watched.push(sample);
        let left = whole.saturating_sub(began.elapsed());
        if left.is_zero() {
            break;
        }
        progress.show(&watched, asked, began.elapsed(), whole);
        let due = if nth == 0 { AFTER_FIRST.min(interval) } else { interval };
        // The last sample is taken at the end, not up to an interval before it.
        if stop.came_within(&runtime, due.min(left)) {
            break;
        }
    }
    progress.end();
    Ok((watched, asked))
}

/// Everything that a story is told from.
fn demand(pid: Option<u32>) -> Demand {
    let sources = [Read::Identity, Read::Statm, Read::Stat, Read::Status, Read::Rollup, Read::Fds, Read::Limits];
    Demand {
        sources: sources.into_iter().collect(),
        visible: Vec::new(),
        top_by_pss: if pid.is_none() { 10 } else { 0 },
        budget: BUDGET,
    }
}

/// The line on stderr that tells how far the watch is, where somebody can see it.
struct Progress {
    is_shown: bool,
}

impl Progress {
    fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal() }
    }

    fn show(&self, watched: &Watched, asked: Option<ProcessKey>, passed: Duration, whole: Duration) {
        if !self.is_shown {
            return;
        }
        let seconds = |time: Duration| format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60);
        let seen = watched.findings(asked).first().map_or_else(|| "nothing grows so far".into(), shown);
        let line = format!("{} of {}: {seen}", seconds(passed), seconds(whole));
        let width = rustix::termios::tcgetwinsize(io::stderr()).map_or(80, |size| usize::from(size.ws_col).max(20));
        let line: String = line.chars().take(width - 1).collect();
        // Nobody is the worse for a line that can't be shown.
        let _ = write!(io::stderr(), "\r{line}\x1b[K");
    }

    fn end(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// The first finding, as short as may be.
fn shown(finding: &Finding) -> String {
    let judgement = &finding.judgement;
    let rate = if finding.quantity.is_bytes() {
        BytesPerMinute(judgement.rate).to_string()
    } else {
        format!("{:+.0}", judgement.rate)
    };
    let more = match judgement.verdict {
        Verdict::Growing if judgement.needs_ms > 0 => format!(", sure in {} s", judgement.needs_ms.div_ceil(1000)),
        _ => String::new(),
    };
    format!("{} {}: {} {rate}/min{more}", finding.name, judgement.verdict.word(), finding.quantity.title())
}
