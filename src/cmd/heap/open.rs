//! Opens a snapshot: a file as it is, or compressed by gzip or zstd; asks first whether memory can carry it; shows how far
//! it is where somebody waits for it.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _, Read, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::collect::once::read_machine;
use crate::collect::root::ProcRoot;
use crate::heap::error::HeapError;
use crate::heap::explorer::{Explorer, Phase};
use crate::heap::graph::HeapGraph;
use crate::heap::parse::Opening;
use crate::units::{Bytes, Percent};

/// A wait of less says nothing.
const SILENCE: Duration = Duration::from_secs(1);

/// Time between two words on it.
const PACE: Duration = Duration::from_millis(100);

/// Who waits, and for what.
pub(super) struct Waiting {
    began: Instant,
    said: Option<Instant>,
    is_terminal: bool,
    file: String,
}

impl Waiting {
    pub(super) fn for_file(path: &Path) -> Self {
        let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let file = crate::model::text::escape(file.as_bytes()).into_owned();
        Self { began: Instant::now(), said: None, is_terminal: io::stderr().is_terminal(), file }
    }

    fn say(&mut self, what: &str) {
        let is_early = self.began.elapsed() < SILENCE || self.said.is_some_and(|said| said.elapsed() < PACE);
        if self.is_terminal && !is_early {
            self.said = Some(Instant::now());
            // Nothing is lost where it can't be said.
            let _ = write!(io::stderr(), "\r\x1b[K{}: {what}", self.file);
        }
    }

    fn read(&mut self, position: u64, length: Option<u64>) {
        let share = length.map(|length| format!("{} of ", Percent(position as f64 * 100.0 / length.max(1) as f64)));
        let of = length.unwrap_or(position);
        self.say(&format!("reading, {}{}", share.unwrap_or_default(), Bytes(of)));
    }

    pub(super) fn phase(&mut self, phase: Phase) {
        // A phase is told at once: it may last.
        if self.said.is_some() {
            self.said = None;
        }
        self.say(match phase {
            Phase::Reading => "reading",
            Phase::Owners => "whose each size is",
            Phase::Dominators => "what retains what",
            Phase::Classes => "classes",
        });
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.said.is_some() && self.is_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Reads a snapshot's nodes, edges and strings. `held` is what is in memory already and not yet counted by the kernel.
pub(super) fn graph(path: &Path, is_forced: bool, waiting: &mut Waiting) -> anyhow::Result<HeapGraph> {
    read(path, is_forced, waiting).with_context(|| path.display().to_string())
}

/// Reads a snapshot and computes what every question needs.
pub(super) fn explorer(path: &Path, is_forced: bool) -> anyhow::Result<Explorer> {
    let mut waiting = Waiting::for_file(path);
    let graph = graph(path, is_forced, &mut waiting)?;
    Explorer::new(graph, &mut |phase| waiting.phase(phase)).with_context(|| path.display().to_string())
}

fn read(path: &Path, is_forced: bool, waiting: &mut Waiting) -> anyhow::Result<HeapGraph> {
    let mut file = File::open(path)?;
    let data = file.metadata()?;
    anyhow::ensure!(!data.is_dir(), "it is a folder");
    let mut magic = [0; 4];
    let mut read = 0;
    while read < magic.len() {
        match file.read(&mut magic[read..])? {
            0 => break,
            count => read += count,
        }
    }
    // What is no regular file can't be read twice: its first bytes are put before the rest.
    let is_file = data.is_file();
    let source: Box<dyn Read> = if is_file {
        file.rewind()?;
        Box::new(file)
    } else {
        Box::new(io::Cursor::new(magic[..read].to_vec()).chain(file))
    };
    let length = is_file.then_some(data.len());
    if magic.starts_with(&[0x1f, 0x8b]) {
        finish(flate2::bufread::MultiGzDecoder::new(BufReader::new(source)), None, is_forced, waiting)
    } else if magic == [0x28, 0xb5, 0x2f, 0xfd] {
        finish(zstd::stream::read::Decoder::new(source)?, None, is_forced, waiting)
    } else {
        finish(source, length, is_forced, waiting)
    }
}

fn finish(source: impl Read, length: Option<u64>, is_forced: bool, waiting: &mut Waiting) -> anyhow::Result<HeapGraph> {
    let opening = Opening::begin(source, length)?;
    let needed = opening.header().memory(length);
    if !is_forced && let Some(available) = available() {
        anyhow::ensure!(
            needed <= available,
            HeapError::Refused(format!(
                "it needs about {} of memory and {} is available here: read it on another machine, or with --force",
                Bytes(needed),
                Bytes(available)
            ))
        );
    }
    Ok(opening.read(&mut |position| waiting.read(position, length))?)
}

/// Bytes that this program can still have: those of the machine, or what its control group leaves, if that is less.
fn available() -> Option<u64> {
    let sample = read_machine(&ProcRoot::live()).ok()?;
    let machine = sample.system.meminfo.mem_available.as_ref().value().copied()?;
    let limit = sample.system.cgroup_limit.as_ref().value().and_then(Option::as_ref);
    let group = limit.map(|limit| limit.limit.saturating_sub(limit.usage.saturating_sub(limit.inactive_file)));
    Some(group.map_or(machine, |group| group.min(machine)))
}
