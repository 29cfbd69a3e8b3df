//! `memtide inspect`: one process whole.

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::watch::watch;
use super::{root, terminal_width};
use crate::cli::{Common, Inspect, InspectPart, Report as Format};
use crate::collect::inspect::Inspector;
use crate::export::inspect::{Report, Watch, write};
use crate::export::json;
use crate::model::inspect::{Part, PartSet};

/// Lines of each list of a text, unless it is said.
const TOP: usize = 20;

/// Time between the looks of a watch.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn run(args: &Inspect, common: &Common) -> anyhow::Result<ExitCode> {
    let pid = args.pid;
    let (has_overview, parts) = asked(&args.part);
    let mut inspector = Inspector::open(root(common))?;
    let key = inspector.key_of(pid).with_context(|| format!("process {pid}"))?;
    let mut inspect = || inspector.inspect(key, parts, args.budget.0).with_context(|| format!("process {pid}"));
    let mut inspection = inspect()?;
    let mut watched = None;
    if let Some(span) = args.span {
        let (history, asked) = watch(common, Some(pid), span.0, INTERVAL)?;
        let story = history.tell(asked.filter(|asked| *asked == key)).context("nothing was seen")?;
        let before = std::mem::replace(&mut inspection, inspect().context("it ended while it was watched")?);
        watched = Some((before, story));
    }
    let is_json = args.format == Format::Json;
    let report = Report {
        inspection: &inspection,
        watch: watched.as_ref().map(|(before, story)| Watch { before, story }),
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
    Ok(ExitCode::SUCCESS)
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
