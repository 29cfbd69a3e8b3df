//! `memtide repair`: what can be read of a recording, in a new file.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use crate::cli::{Repair, Report};
use crate::record::account;
use crate::record::repair::repair;
use crate::tui::event::moment;

pub(super) fn run(args: &Repair) -> anyhow::Result<ExitCode> {
    let repaired = repair(&args.path, &args.output)?;
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Report::Json => writeln!(out, "{:#}", account::repaired_json(&repaired, &args.output))?,
        Report::Text => account::write_repaired(&repaired, &args.output, &mut out, moment)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
