//! `memtide heap diff`: what grew between V8 heap snapshots.

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;

use super::super::terminal_width;
use super::open::{self, Waiting};
use crate::cli::{HeapDiff, Report};
use crate::export::heap::{DiffReport, diff_json, write_diff};
use crate::heap::diff::{Numbering, Summary, compare, holders_of_new};
use crate::heap::lists::contains;

/// Classes of which it is told who holds what is new.
const HELD: usize = 20;

pub(super) fn run(args: &HeapDiff) -> anyhow::Result<ExitCode> {
    let (last, earlier) = args.files.split_last().context("no snapshots")?;
    let latest = open::explorer(last, args.force)?;
    let mut summaries = Vec::new();
    for path in earlier {
        let mut waiting = Waiting::for_file(path);
        let graph = open::graph(path, args.force, &mut waiting)?;
        let summary = Summary::of_earlier(graph, &latest, &mut |phase| waiting.phase(phase));
        summaries.push(summary.with_context(|| path.display().to_string())?);
    }
    summaries.push(Summary::of(&latest)?);
    let numbering = Numbering::of(&summaries);
    let word = args.search.as_deref().unwrap_or_default().to_lowercase();
    let mut changes = Vec::new();
    let mut told = 0;
    for change in compare(&summaries, numbering) {
        let is_told = told < HELD && change.whole.new > 0 && contains(&change.name, &word);
        told += usize::from(is_told);
        let held = if is_told { holders_of_new(&latest, &summaries[0], &change, numbering)? } else { Vec::new() };
        changes.push((change, held));
    }
    let names = args.files.iter().map(|path| path.to_string_lossy().into_owned());
    let files: Vec<(String, u64)> = names.zip(summaries.iter().map(Summary::total)).collect();
    let report =
        DiffReport { latest: &latest, files: &files, changes: &changes, numbering, word: &word, top: args.top };
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Report::Json => writeln!(out, "{:#}", diff_json(&report))?,
        Report::Text => write_diff(&report, args.bytes, terminal_width(), &mut out)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
