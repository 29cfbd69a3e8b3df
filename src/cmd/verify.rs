//! `memtide verify`: what a recording holds, and what of it can't be read.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use crate::cli::{Report, Verify};
use crate::record::account;
use crate::record::reader::Reader;
use crate::record::verify::verify;
use crate::tui::event::moment;

pub(super) fn run(args: &Verify) -> anyhow::Result<ExitCode> {
    let verified = verify(&args.path)?;
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Report::Json => writeln!(out, "{:#}", account::verified_json(&verified))?,
        Report::Text => account::write_verified(&verified, &mut out, moment)?,
    }
    out.flush()?;
    Ok(if verified.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says on stderr what of a recording could not be read.
pub(super) fn warn(reader: &Reader) {
    for loss in reader.losses() {
        let _ = writeln!(io::stderr(), "memtide: {}", account::loss(loss, moment));
    }
    let unknown: Vec<_> = reader.unknown().collect();
    if !unknown.is_empty() {
        let _ = writeln!(
            io::stderr(),
            "memtide: a newer version recorded what this one does not know: {}",
            unknown.join(", ")
        );
    }
}
