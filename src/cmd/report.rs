//! `memtide report`: a whole recording in one look.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::Context as _;

use super::terminal_width;
use super::verify::warn;
use crate::analyze::report::Reporter;
use crate::cli::{Page, ReportOn};
use crate::export::{html, json, report};
use crate::record::reader::Reader;
use crate::tui::event::{moment, time_of_day};

pub(super) fn run(args: &ReportOn) -> anyhow::Result<ExitCode> {
    let mut reader = Reader::open(&args.path)?;
    let span = reader.span().context("the recording holds no sample that can be read")?;
    let mut reporter = Reporter::new(span, args.top);
    while let Some(sample) = reader.next() {
        reporter.push(sample);
    }
    warn(&reader);
    let told = reporter.finish().context("the recording holds no sample that can be read")?;
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Page::Text => report::write(&told, &mut out, terminal_width(), time_of_day, moment)?,
        Page::Json => writeln!(out, "{:#}", json::report(&told))?,
        Page::Html => out.write_all(html::page(&told, moment).as_bytes())?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
