//! `memtide record`: samples to a file until it is told to stop.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::stop::Stop;
use super::{Usage, root};
use crate::act::deed::Following;
use crate::cli::{Common, Record, Redact};
use crate::collect::demand::Demand;
use crate::collect::host::name_of;
use crate::collect::turn::all_sources;
use crate::config::value::Portion;
use crate::model::text::escape;
use crate::record::error::RecordError;
use crate::record::recorder::{Appended, Progress, Recorder, Segments, Settings};
use crate::record::redact::Redaction;
use crate::session::closer::CloserLooks;
use crate::session::source::{FixtureSource, LiveSource, Source};
use crate::units::{Bytes, Span};

/// The first look is incomplete, the next one follows soon.
const AFTER_FIRST: Duration = Duration::from_millis(100);

/// The largest by PSS are right in every sample, so many of them.
const TOP_BY_PSS: usize = 10;

pub(super) fn run(args: &Record, common: &Common) -> anyhow::Result<ExitCode> {
    let settings = settings(args)?;
    let mut source: Box<dyn Source> = match &common.root {
        Some(folder) => Box::new(FixtureSource::open(folder)),
        None => Box::new(LiveSource::open(root(common))?),
    };
    let mut recorder = Recorder::open(settings).map_err(with_name)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut stop = Stop::listen(&runtime)?;
    let mut looks = CloserLooks::new(source.survey_root());
    let mut following = args.actions.as_deref().map(Following::from_end);
    let mut deeds = Vec::new();
    let mut demand = Demand {
        sources: all_sources(),
        visible: Vec::new(),
        top_by_pss: TOP_BY_PSS,
        cgroups: false,
        budget: Demand::BUDGET,
    };
    let interval = args.interval.0;
    let began = Instant::now();
    let told = Told::new();
    let mut due = began + AFTER_FIRST.min(interval);
    let mut missed = 0;
    let mut is_last = false;
    loop {
        demand.cgroups = looks.is_due(interval);
        let mut sample = source.next(&demand, interval)?;
        sample.scan.missed = std::mem::take(&mut missed);
        looks.add_to(&mut sample, demand.cgroups);
        deeds.extend(following.iter_mut().flat_map(Following::look));
        sample.deeds.clone_from(&deeds);
        let appended = recorder.append(&sample);
        if !matches!(appended, Appended::Failed(_) | Appended::StillFailing) {
            deeds.clear();
        }
        told.outcome(&appended, &recorder);
        told.progress(&recorder, began.elapsed());
        if is_last {
            break;
        }
        let now = Instant::now();
        let end = args.span.map(|span| began + span.0);
        let until = end.map_or(due, |end| due.min(end));
        // The last sample is taken at the end, whenever that is.
        is_last = stop.came_within(&runtime, until.saturating_duration_since(now)) || end == Some(until);
        due += interval;
        while due < Instant::now() {
            due += interval;
            missed += 1;
        }
    }
    let path = recorder.path().to_owned();
    let progress = recorder.finish().context("the end of the recording")?;
    told.end(&progress, &path, began.elapsed());
    Ok(if progress.lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn settings(args: &Record) -> anyhow::Result<Settings> {
    let mut segments = Segments::default();
    let is_cut = !args.rotate.is_empty() || !args.keep.is_empty();
    for portion in &args.rotate {
        match portion {
            Portion::Bytes(bytes) => segments.rotate_bytes = Some(*bytes),
            Portion::Time(time) => segments.rotate_ms = Some(time.as_millis() as u64),
        }
    }
    for portion in &args.keep {
        match portion {
            Portion::Bytes(bytes) => segments.keep_bytes = Some(*bytes),
            Portion::Time(time) => segments.keep_ms = Some(time.as_millis() as u64),
        }
    }
    if !is_cut && args.output.is_dir() {
        let why = format!("{} is a folder: say --rotate or --keep to record in it", args.output.display());
        return Err(Usage(why).into());
    }
    let redaction = match args.redact {
        _ if args.no_redact => Redaction::Nothing,
        Redact::Secrets => Redaction::Secrets,
        Redact::Args => Redaction::Arguments,
    };
    let segments = is_cut.then(|| segments.with_ends());
    Ok(Settings { path: args.output.clone(), segments, group: args.group, redaction, is_synced: true })
}

/// The same error with the name of the process that it tells the pid of.
fn with_name(error: RecordError) -> anyhow::Error {
    match error {
        RecordError::Busy { pid: Some(pid), path } => match name_of(pid) {
            Some(name) => anyhow::anyhow!("{}: {name}[{pid}] records there already", path.display()),
            None => RecordError::Busy { pid: Some(pid), path }.into(),
        },
        error => error.into(),
    }
}

/// What is told on stderr: what goes wrong, and how far it is where somebody can see it.
struct Told {
    is_shown: bool,
}

impl Told {
    fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal() }
    }

    fn outcome(&self, outcome: &Appended, recorder: &Recorder) {
        let path = recorder.path().display();
        let text = match outcome {
            Appended::Written | Appended::StillFailing => return,
            Appended::Failed(error) => format!("{error}: samples are lost until it can be written again"),
            Appended::Resumed(lost) => format!("{path}: it goes on, {lost} samples were lost"),
            Appended::Replaced => format!("{path}: the file was removed: it goes on in a new one"),
        };
        self.line(&text);
    }

    /// A line that stays.
    fn line(&self, text: &str) {
        let clear = if self.is_shown { "\r\x1b[K" } else { "" };
        // Nobody is the worse for words that can't be shown.
        let _ = writeln!(io::stderr(), "{clear}memtide: {text}");
    }

    fn progress(&self, recorder: &Recorder, passed: Duration) {
        if self.is_shown {
            let told = told(&recorder.progress(), passed);
            // One line, however long the path is.
            let name = escape(recorder.path().file_name().unwrap_or_default().as_encoded_bytes());
            let _ = write!(io::stderr(), "\r● rec {name}: {told}\x1b[K");
        }
    }

    fn end(&self, progress: &Progress, path: &std::path::Path, passed: Duration) {
        self.line(&format!("{}: {}", path.display(), told(progress, passed)));
    }
}

fn told(progress: &Progress, passed: Duration) -> String {
    let lost = if progress.lost > 0 { format!(", {} lost", progress.lost) } else { String::new() };
    format!("{} samples in {}, {}{lost}", progress.samples, Span(passed), Bytes(progress.bytes))
}
