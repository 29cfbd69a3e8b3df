//! `--since FILE` and `--save-mark FILE`: what commands compare with, and what they keep.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::Marks;
use crate::collect::once::{Once, read_once};
use crate::collect::root::ProcRoot;
use crate::export::mark::file::{check_boot, read, save};
use crate::model::field::{Source, SourceSet};
use crate::model::judgement::Analysis;
use crate::model::mark::{Mark, Marked};
use crate::model::sample::Sample;
use crate::model::snapshot::Snapshot;
use crate::units::Span;

/// A mark from a file, if one was named.
pub(super) struct Since {
    mark: Option<(PathBuf, Arc<Mark>)>,
}

/// What a mark keeps of every process.
pub(super) fn sources() -> SourceSet {
    let mut sources = SourceSet::from_iter([Source::Identity]);
    for (what, _) in Marked::ALL {
        sources.extend(what.field().sources());
    }
    sources
}

impl Since {
    /// Reads the mark to compare with.
    pub(super) fn open(args: &Marks) -> anyhow::Result<Self> {
        let mark = args.since.as_ref().map(|path| Ok::<_, anyhow::Error>((path.clone(), Arc::new(read(path)?))));
        Ok(Self { mark: mark.transpose()? })
    }

    /// Whether there is a mark.
    pub(super) fn is_some(&self) -> bool {
        self.mark.is_some()
    }

    /// A sample compared with the mark. Fails where the mark is of another boot.
    pub(super) fn compare(&self, sample: Sample) -> anyhow::Result<Snapshot> {
        let snapshot = Snapshot::derive(None, Arc::new(sample), Analysis::default());
        let Some((path, mark)) = &self.mark else { return Ok(snapshot) };
        check_boot(path, mark, &snapshot.sample)?;
        Ok(snapshot.compared_with(Some(Arc::clone(mark))))
    }
}

/// Says on stderr what the changes are measured from, and who has come and gone.
pub(super) fn tell(snapshot: &Snapshot) {
    let Some(mark) = &snapshot.mark else { return };
    let sample = &snapshot.sample;
    let age = Span(std::time::Duration::from_millis(sample.at.since(mark.at)));
    let time = crate::tui::event::time_of_day(mark.wall_ms);
    let (new, ended) = (mark.started(sample), mark.ended(sample).count());
    let crowd = if sample.processes.is_empty() {
        String::new()
    } else {
        format!(": {new} processes are new, {ended} have ended")
    };
    eprintln!("memtide: changes since mark `{}`, {time} ({age} ago){crowd}", mark.name);
}

/// Keeps a complete look at the machine where that was asked for; `known` is one, if there is one.
pub(super) fn keep(args: &Marks, root: &ProcRoot, known: Option<&Snapshot>) -> anyhow::Result<()> {
    let Some(path) = &args.save_mark else { return Ok(()) };
    let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let mark = if let Some(snapshot) = known {
        Mark::of(&name, snapshot)
    } else {
        let sample = read_once(root, &Once { sources: sources(), top_by_pss: None })?;
        Mark::of(&name, &Snapshot::derive(None, Arc::new(sample), Analysis::default()))
    };
    save(path, &mark)?;
    eprintln!("memtide: mark `{}` of {} processes saved to {}", mark.name, mark.processes.len(), path.display());
    Ok(())
}
