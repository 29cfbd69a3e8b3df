//! `memtide diagnose`: watches for a while and tells the story.

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;

use super::terminal_width;
use super::watch::watch;
use crate::analyze::story::Outcome;
use crate::cli::{Common, Diagnose, Report};
use crate::export::{json, story};
use crate::tui::event::time_of_day;

/// The exit status where something leaks.
const LEAKING: u8 = 3;

pub(super) fn run(args: &Diagnose, common: &Common) -> anyhow::Result<ExitCode> {
    let (watched, asked) = watch(common, args.pid, args.span.0, args.interval.0)?;
    let told = watched.tell(asked).context("nothing was seen")?;
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Report::Json => writeln!(out, "{:#}", json::story(&told))?,
        Report::Text => story::write(&told, &mut out, terminal_width(), time_of_day)?,
    }
    out.flush()?;
    Ok(if told.outcome == Outcome::Leaking { ExitCode::from(LEAKING) } else { ExitCode::SUCCESS })
}
