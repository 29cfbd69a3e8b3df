//! `memtide diagnose`: watches for a while, or reads a recording, and tells the story.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use super::watch::watch;
use super::{Usage, terminal_width};
use crate::analyze::story::{Outcome, Watched};
use crate::cli::{Common, Diagnose, Report};
use crate::export::{json, story};
use crate::model::key::ProcessKey;
use crate::record::reader::Reader;
use crate::tui::event::time_of_day;

/// The exit status where something leaks.
const LEAKING: u8 = 3;

pub(super) fn run(args: &Diagnose, common: &Common) -> anyhow::Result<ExitCode> {
    let (file, pid) = args.what().map_err(Usage)?;
    let (watched, asked) = match file {
        Some(file) => read(file, pid)?,
        None => watch(common, pid, args.span.0, args.interval.0)?,
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
