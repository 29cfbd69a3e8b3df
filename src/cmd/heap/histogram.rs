//! `memtide heap histogram`: classes of a JVM, or what Go has in use.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use super::beside::beside;
use crate::act::heap::{class_histogram, fetch, instead, runtime_of};
use crate::act::plan::heap::histogram as plan;
use crate::cli::{Common, Format, HeapHistogram, HistogramOf};
use crate::cmd::act::{is_wanted, target_of};
use crate::cmd::{root, terminal_width};
use crate::export::histogram as export;
use crate::model::histogram::{Histogram, diff};
use crate::model::runtime::RuntimeKind;
use crate::session::heap::histogram::{MOST, MOST_PACKED, of_profile};

pub(super) fn run(args: &HeapHistogram, common: &Common) -> anyhow::Result<ExitCode> {
    // Whoever can't be compared with is told of before anything stands still.
    let before = args.diff.as_deref().map(saved).transpose()?;
    let histogram = match &args.of {
        HistogramOf::Pid(pid) => of_process(*pid, args, common)?,
        HistogramOf::File(file) => {
            let bytes = read(file, MOST_PACKED)?;
            let profile = of_profile(&bytes, &file.to_string_lossy());
            profile.map_err(anyhow::Error::msg).with_context(|| format!("{}", file.display()))?
        }
        HistogramOf::Url { host, path } => {
            let address = HistogramOf::address(host).with_context(|| host.clone())?;
            let fetched = beside(|control| fetch(address, host, path, MOST_PACKED, args.timeout, control))?;
            let source = format!("http://{host}{path}");
            let bytes = fetched.with_context(|| source.clone())?;
            of_profile(&bytes, &source).map_err(anyhow::Error::msg).with_context(|| source.clone())?
        }
    };
    let compared = match &before {
        Some(before) if before.kind != histogram.kind => {
            bail!(
                "{} is a histogram of something else ({})",
                args.diff.as_deref().unwrap_or(Path::new("")).display(),
                before.kind.key()
            )
        }
        Some(before) => Some((before, diff(before, &histogram))),
        None => None,
    };
    let changes = compared.as_ref().map(|(_, changes)| changes.as_slice());
    let mut out = BufWriter::new(io::stdout().lock());
    match args.format {
        Format::Json => {
            let compared = compared.as_ref().map(|(before, changes)| (*before, changes.as_slice()));
            writeln!(out, "{:#}", export::json(&histogram, compared))?;
        }
        Format::Csv => export::csv(&histogram, changes, &mut out)?,
        Format::Table => {
            export::head(&histogram, &mut out)?;
            let table = match changes {
                None => export::table(&histogram, args.top, args.bytes),
                Some(changes) => export::changes_table(histogram.kind, changes, args.top, args.bytes),
            };
            table.write(&mut out, true, terminal_width())?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn of_process(pid: u32, args: &HeapHistogram, common: &Common) -> anyhow::Result<Histogram> {
    let root = root(common);
    let target = target_of(&root, pid)?;
    match runtime_of(&root, &target)? {
        Some(RuntimeKind::Jvm) => {}
        Some(kind) => bail!("{pid} is {}: it has no class histogram. {}", kind.title(), instead(kind, pid)),
        None => bail!("{pid} is run by nothing that is known here: what is in its heap can't be asked"),
    }
    let plan = plan(&target, args.all, &root);
    if let Some(refusal) = &plan.refusal {
        bail!("{}", refusal.reason);
    }
    if !args.yes && !is_wanted(&plan)? {
        bail!("nothing was done");
    }
    Ok(beside(|control| class_histogram(&root, &target, args.all, args.timeout, control))??)
}

fn saved(file: &Path) -> anyhow::Result<Histogram> {
    let bytes = read(file, MOST)?;
    export::read(&bytes).map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))
}

fn read(file: &Path, most: usize) -> anyhow::Result<Vec<u8>> {
    let told = || format!("{}", file.display());
    let mut bytes = Vec::new();
    File::open(file).with_context(told)?.take(most as u64 + 1).read_to_end(&mut bytes).with_context(told)?;
    if bytes.len() > most {
        bail!("{}: it has more than {most} bytes", file.display());
    }
    Ok(bytes)
}
