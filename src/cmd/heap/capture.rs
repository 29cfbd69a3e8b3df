//! `memtide heap capture`: a V8 heap snapshot of a running process, or a series of them.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::beside::wait;
use crate::act::effect::Effect;
use crate::act::heap::Options;
use crate::act::journal::Journal;
use crate::act::plan::{Caches, plan};
use crate::cli::{Common, HeapCapture, Report};
use crate::cmd::act::{act, is_wanted, show_plan, target_of};
use crate::cmd::root;
use crate::config::file;
use crate::model::shell::quote;

pub(super) fn run(args: &HeapCapture, common: &Common) -> anyhow::Result<ExitCode> {
    let said = file::settings(common.config.as_deref())?;
    let root = root(common);
    let target = target_of(&root, args.pid)?;
    let options = Options { timeout: args.timeout, force: args.force };
    let files = files(args)?;
    let effect = |file: &Path| Effect::HeapSnapshot {
        target: target.clone(),
        file: file.to_string_lossy().into_owned(),
        options,
    };
    if let Some(file) = files.iter().skip(1).find(|file| file.symlink_metadata().is_ok()) {
        bail!("nothing was done. {}: it is there already, and is not written over", file.display());
    }
    let first = effect(&files[0]);
    let mut planned = plan(&first, &root, Caches::read(&root));
    if args.series > 1 {
        let every = crate::units::Span(args.every);
        planned
            .effects
            .push(format!("That {} times, every {every}, to files that end in -1, -2 and so on.", args.series));
    }
    if args.dry_run {
        show_plan(&first, &planned, args.format, &mut io::stdout().lock())?;
        return Ok(if planned.refusal.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if said.read_only == Some(true) {
        bail!("refused: the configuration says read_only");
    }
    if let Some(refusal) = &planned.refusal {
        let command = if refusal.command.is_empty() { String::new() } else { format!("\n  {}", refusal.command) };
        bail!("nothing was done. {}{command}", refusal.reason);
    }
    let mut journal = args.log.clone().or(said.log).as_deref().map(Journal::open).transpose()?;
    if !args.yes && !is_wanted(&planned)? {
        bail!("nothing was done");
    }
    for (nth, file) in files.iter().enumerate() {
        let began = Instant::now();
        let code = act(effect(file), root.clone(), Duration::ZERO, args.format, journal.as_mut())?;
        if code != ExitCode::SUCCESS {
            return Ok(code);
        }
        let is_last = nth + 1 == files.len();
        if !is_last && wait(args.every.saturating_sub(began.elapsed()))? {
            bail!("stopped after {} of {} snapshots", nth + 1, files.len());
        }
    }
    if files.len() > 1 && args.format == Report::Text {
        let files: Vec<String> = files.iter().map(|file| quote(&file.to_string_lossy())).collect();
        writeln!(io::stdout().lock(), "compare them by: memtide heap diff {}", files.join(" "))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The files of the series.
fn files(args: &HeapCapture) -> anyhow::Result<Vec<PathBuf>> {
    let file = args.output.clone().unwrap_or_else(|| {
        let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
        format!("node-{}-{now}.heapsnapshot", args.pid).into()
    });
    let file = std::path::absolute(&file).with_context(|| format!("{}", file.display()))?;
    if args.series == 1 {
        return Ok(vec![file]);
    }
    Ok((1..=args.series).map(|nth| numbered(&file, nth)).collect())
}

/// `app-2.heapsnapshot` of `app.heapsnapshot`.
fn numbered(file: &Path, nth: u32) -> PathBuf {
    let mut name: OsString = file.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{nth}"));
    if let Some(extension) = file.extension() {
        name.push(".");
        name.push(extension);
    }
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_numbered_before_the_extension() {
        assert_eq!(numbered(Path::new("/a/app.x.heapsnapshot"), 2), Path::new("/a/app.x-2.heapsnapshot"));
        assert_eq!(numbered(Path::new("/a.b/app"), 10), Path::new("/a.b/app-10"));
    }
}
