//! Watching for a while, with a line that tells how far it is; Ctrl-C ends the watch and not the telling.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::root;
use super::stop::Stop;
use crate::analyze::story::Watched;
use crate::cli::Common;
use crate::collect::demand::Demand;
use crate::model::field::Source as Read;
use crate::model::judgement::{Finding, Verdict};
use crate::model::key::ProcessKey;
use crate::session::source::{FixtureSource, LiveSource, Source};
use crate::units::BytesPerMinute;

/// The share of one core that reading may take: a watch is short and has nobody to keep waiting.
const BUDGET: f64 = 0.05;

/// The first look is incomplete, the next one follows soon.
const AFTER_FIRST: Duration = Duration::from_millis(100);

/// Watches the machine, or the process of this pid, for so long.
pub(super) fn watch(
    common: &Common,
    pid: Option<u32>,
    whole: Duration,
    interval: Duration,
) -> anyhow::Result<(Watched, Option<ProcessKey>)> {
    let mut source: Box<dyn Source> = match &common.root {
        Some(folder) => Box::new(FixtureSource::open(folder)),
        None => Box::new(LiveSource::open(root(common))?),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut stop = Stop::listen(&runtime)?;
    let progress = Progress::new();
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
        cgroups: false,
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
