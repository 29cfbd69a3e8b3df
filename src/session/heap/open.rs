//! Reads a snapshot: a file as it is, or compressed by gzip or zstd; asks first whether memory can carry it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::collect::once::read_machine;
use crate::collect::root::ProcRoot;
use crate::heap::error::{HeapError, Result};
use crate::heap::graph::HeapGraph;
use crate::heap::parse::Opening;
use crate::units::Bytes;

/// Why a file can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system.
    #[error(transparent)]
    File(#[from] io::Error),
    /// What is in it.
    #[error(transparent)]
    Heap(#[from] HeapError),
    /// It is none.
    #[error("{}", tr!("it is a folder"))]
    Folder,
    /// Who has no end can't be waited for.
    #[error("{}", tr!("it is no regular file"))]
    NoFile,
}

/// Who waits for it.
pub struct Watch<'a> {
    /// Ends the reading.
    pub is_over: Option<&'a AtomicBool>,
    /// Is told from time to time how many bytes are behind, and of how many where that is known.
    pub read: &'a mut dyn FnMut(u64, Option<u64>),
}

/// A source that can be ended from outside.
struct Stoppable<'a, R> {
    source: R,
    is_over: Option<&'a AtomicBool>,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.is_over.is_some_and(|is_over| is_over.load(Ordering::Relaxed)) {
            return Err(io::Error::other("it was stopped"));
        }
        self.source.read(buf)
    }
}

/// An error where it is to end.
pub(super) fn go_on(is_over: &AtomicBool) -> Result<()> {
    if is_over.load(Ordering::Relaxed) { Err(HeapError::Refused("it was stopped".into())) } else { Ok(()) }
}

/// Refuses what may never end.
pub(super) fn check_is_file(path: &Path) -> std::result::Result<(), OpenError> {
    let data = path.metadata()?;
    match () {
        () if data.is_dir() => Err(OpenError::Folder),
        () if !data.is_file() => Err(OpenError::NoFile),
        () => Ok(()),
    }
}

/// Reads a snapshot's nodes, edges and strings.
pub fn graph(path: &Path, is_forced: bool, watch: &mut Watch<'_>) -> std::result::Result<HeapGraph, OpenError> {
    let mut file = File::open(path)?;
    let data = file.metadata()?;
    if data.is_dir() {
        return Err(OpenError::Folder);
    }
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
    let source = Stoppable { source, is_over: watch.is_over };
    let length = is_file.then_some(data.len());
    if magic.starts_with(&[0x1f, 0x8b]) {
        finish(flate2::bufread::MultiGzDecoder::new(BufReader::new(source)), None, is_forced, watch)
    } else if magic == [0x28, 0xb5, 0x2f, 0xfd] {
        finish(zstd::stream::read::Decoder::new(source)?, None, is_forced, watch)
    } else {
        finish(source, length, is_forced, watch)
    }
}

fn finish(
    source: impl Read,
    length: Option<u64>,
    is_forced: bool,
    watch: &mut Watch<'_>,
) -> std::result::Result<HeapGraph, OpenError> {
    let opening = Opening::begin(source, length)?;
    let needed = opening.header().memory(length);
    if !is_forced && let Some(available) = available().filter(|available| *available < needed) {
        let (needed, available) = (Bytes(needed), Bytes(available));
        let why = tr!(
            "it needs about {needed} of memory and {available} is available here: read it on another machine, or with --force",
            needed,
            available
        );
        return Err(HeapError::Refused(why).into());
    }
    Ok(opening.read(&mut |position| (watch.read)(position, length))?)
}

/// Bytes that this program can still have: those of the machine, or what its control group leaves, if that is less.
fn available() -> Option<u64> {
    let sample = read_machine(&ProcRoot::live()).ok()?;
    let machine = sample.system.meminfo.mem_available.as_ref().value().copied()?;
    let limit = sample.system.cgroup_limit.as_ref().value().and_then(Option::as_ref);
    let group = limit.map(|limit| limit.limit.saturating_sub(limit.usage.saturating_sub(limit.inactive_file)));
    Some(group.map_or(machine, |group| group.min(machine)))
}
