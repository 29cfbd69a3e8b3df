//! What rules would have done over a recording.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::show_dry;
use crate::cli::Report;
use crate::cmd::verify::warn;
use crate::guard::file::Rules;
use crate::guard::state::State;
use crate::guard::subject::Named;
use crate::record::reader::Reader;
use crate::session::guard::{Beside, Guarding};
use crate::tui::event::moment;
use crate::units::Span;

pub(super) fn run(path: &Path, rules: Rules, format: Report) -> anyhow::Result<ExitCode> {
    let mut reader = Reader::open(path)?;
    let [begin, end] = reader.span().context("the recording holds no sample that can be read")?;
    let names: Vec<String> = rules.rules.iter().map(|rule| rule.name.clone()).collect();
    let mut guarding = Guarding::new(rules.rules, State::new(""));
    let files = Named::new();
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let mut samples = 0u64;
    while let Some(sample) = reader.next() {
        samples += 1;
        guarding.enter_boot(&sample.host.boot_id.escaped());
        // Nobody recorded is the guard, and a pid file of then is not there any more.
        let looked = guarding.look(sample, Beside { own: &[], named: &files }, Duration::from_secs(1));
        for note in looked.notes {
            writeln!(io::stderr(), "memtide: {}", note.text)?;
        }
        for decision in looked.decisions {
            *counts.entry(decision.rule.clone()).or_default() += 1;
            show_dry(&decision, &moment(decision.wall_ms), format)?;
            guarding.pretend(&decision);
        }
    }
    warn(&reader);
    if format == Report::Text {
        let span = Span(Duration::from_millis(end.abs_diff(begin)));
        let mut out = io::stdout().lock();
        writeln!(out, "{samples} samples over {span}, from {} to {}", moment(begin), moment(end))?;
        for name in names {
            let count = counts.get(&name).copied().unwrap_or(0);
            writeln!(out, "{name}: would have acted {count} {}", if count == 1 { "time" } else { "times" })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
