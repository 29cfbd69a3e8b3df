//! `memtide heap stats`: what V8 has in its heap, in numbers.

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use anyhow::bail;

use super::beside::beside;
use crate::act::heap::{Way, stats};
use crate::act::plan::heap::statistics;
use crate::cli::{Common, Format, HeapNumbers};
use crate::cmd::act::{is_wanted, target_of};
use crate::cmd::{root, terminal_width};
use crate::export::v8;
use crate::units::Span;

pub(super) fn run(args: &HeapNumbers, common: &Common) -> anyhow::Result<ExitCode> {
    let root = root(common);
    let target = target_of(&root, args.pid)?;
    let (plan, way) = statistics(&target, &root);
    if let Some(refusal) = &plan.refusal {
        bail!("{}", refusal.reason);
    }
    let must_open = !matches!(way, Some(Way::Open(_)));
    if must_open && !args.yes && !is_wanted(&plan)? {
        bail!("nothing was done");
    }
    let asked = beside(|control| stats(&root, &target, must_open, args.close, args.timeout, control))?;
    let (stats, _, left) = asked?;
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Format::Json => writeln!(out, "{:#}", v8::json(&stats, args.pid))?,
        Format::Csv => v8::csv(&stats, &mut out)?,
        Format::Table => {
            let version = stats.version.as_deref().unwrap_or("of an unknown version");
            let uptime = stats.uptime.map_or_else(String::new, |uptime| format!(", up {}", Span(uptime)));
            writeln!(out, "{} {}: Node.js {version}{uptime}", args.pid, target.command)?;
            for (name, text) in v8::lines(&stats, args.bytes) {
                writeln!(out, "  {name:<9} {text}")?;
            }
            v8::spaces(&stats, args.bytes).write(&mut out, true, terminal_width())?;
        }
    }
    out.flush()?;
    match left {
        None => Ok(ExitCode::SUCCESS),
        Some(left) => bail!("{left}"),
    }
}
