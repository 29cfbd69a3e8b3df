//! `memtide inspect`: one process whole.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::watch::watch;
use super::{root, terminal_width};
use crate::cli::{Common, Inspect, InspectPart, Report as Format};
use crate::collect::inspect::Inspector;
use crate::export::inspect::{Before, Report, write};
use crate::export::json;
use crate::export::mark::inspection::InspectMark;
use crate::model::inspect::{Inspection, Part, PartSet};
use crate::model::mark::name_of;
use crate::model::sample::Host;
use crate::units::Span;

/// Lines of each list of a text, unless it is said.
const TOP: usize = 20;

/// Time between the looks of a watch.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn run(args: &Inspect, common: &Common) -> anyhow::Result<ExitCode> {
    let pid = args.pid;
    let (has_overview, parts) = asked(&args.part);
    let since = args.since.as_deref().map(InspectMark::read).transpose()?;
    let mut inspector = Inspector::open(root(common))?;
    let key = inspector.key_of(pid).with_context(|| format!("process {pid}"))?;
    if let (Some(path), Some(mark)) = (&args.since, &since) {
        mark.check(path, inspector.host(), key)?;
    }
    // A mark is of all, whatever is printed.
    let read = if args.save_mark.is_some() { PartSet::all() } else { parts };
    let mut inspect = || inspector.inspect(key, read, args.budget.0).with_context(|| format!("process {pid}"));
    let mut inspection = inspect()?;
    let mut watched = None;
    if let Some(span) = args.span {
        let (history, asked) = watch(common, Some(pid), span.0, INTERVAL)?;
        let story = history.tell(asked.filter(|asked| *asked == key)).context("nothing was seen")?;
        let before = std::mem::replace(&mut inspection, inspect().context("it ended while it was watched")?);
        watched = Some((before, story));
    }
    let since = since.as_ref().map(|mark| Before { inspection: &mark.inspection, mark: Some(&mark.name) });
    let watched = watched.as_ref();
    let is_json = args.format == Format::Json;
    let report = Report {
        inspection: &inspection,
        before: since.or(watched.map(|(before, _)| Before { inspection: before, mark: None })),
        story: watched.map(|(_, story)| story),
        has_overview,
        parts,
        top: args.top.unwrap_or(if is_json { usize::MAX } else { TOP }),
        is_bytes: args.bytes,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    if is_json {
        writeln!(out, "{:#}", json::inspect(&report))?;
    } else {
        write(&report, &mut out, terminal_width())?;
    }
    out.flush()?;
    tell(&report);
    if let Some(path) = &args.save_mark {
        keep(path, inspector.host(), inspection)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says on stderr what the changes are measured from.
fn tell(report: &Report<'_>) {
    let Some((mark, before)) = report.before.and_then(|before| Some((before.mark?, before.inspection))) else { return };
    let age = Span(Duration::from_millis(report.inspection.at.since(before.at)));
    let time = crate::tui::event::time_of_day(before.wall_ms);
    eprintln!("memtide: changes since mark `{mark}`, {time} ({age} ago)");
}

/// Keeps the inspection, called as the file is.
fn keep(path: &Path, host: &Host, inspection: Inspection) -> anyhow::Result<()> {
    let name = path.file_stem().map_or_else(String::new, |stem| name_of(&stem.to_string_lossy()));
    let (comm, pid) = (inspection.overview.process.identity.comm.escaped().into_owned(), inspection.key.pid);
    let mark = InspectMark { name, host: host.name.clone(), boot_id: host.boot_id.clone(), inspection };
    mark.save(path)?;
    eprintln!("memtide: mark `{}` of {comm}[{pid}] saved to {}", mark.name, path.display());
    Ok(())
}

/// Whether the overview is asked for, and which other parts: all where none is named.
fn asked(parts: &[InspectPart]) -> (bool, PartSet) {
    let part = |part: &InspectPart| match part {
        InspectPart::Overview => None,
        InspectPart::Mappings => Some(Part::Mappings),
        InspectPart::Descriptors => Some(Part::Descriptors),
        InspectPart::Threads => Some(Part::Threads),
        InspectPart::Runtime => Some(Part::Runtime),
    };
    if parts.is_empty() {
        return (true, PartSet::all());
    }
    (parts.contains(&InspectPart::Overview), parts.iter().filter_map(part).collect())
}
