//! The processes that are being watched, by pid.

use std::os::fd::OwnedFd;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::entry::{Entry, Life};
use super::error::CollectError;
use super::files::{Buffer, list_pids, open_at};
use super::process::{ProcessReader, Unseen};
use super::root::ProcRoot;
use crate::model::reading::BootMs;

/// All watched processes.
pub(super) struct ProcessTable {
    entries: Vec<Entry>,
    pids: Vec<u32>,
    loadavg: Option<Loadavg>,
    /// Descriptors that may be held open for `statm`.
    may_hold: usize,
    /// Processes whose folder shows nothing (`hidepid=1`).
    pub(super) hidden: u32,
}

/// Descriptors left to everything else: the terminal, recordings, the files being read.
const SPARE_DESCRIPTORS: u64 = 64;

/// New processes that make starting threads worth it.
const MANY: usize = 256;

impl ProcessTable {
    pub(super) fn new(root: &ProcRoot, reader: &ProcessReader, mem_total: u64) -> Self {
        let may_hold = raise_descriptor_limit().min(affordable_descriptors(mem_total));
        let mut pids = Vec::new();
        if list_pids(reader.proc(), &mut pids).is_ok() {
            make_room_for_descriptors(may_hold.min(pids.len() + pids.len() / 4), reader);
        }
        Self { entries: Vec::new(), pids, loadavg: Loadavg::open(root, reader), may_hold, hidden: 0 }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn entries_mut(&mut self) -> &mut [Entry] {
        &mut self.entries
    }

    /// Finds who came and went, and reads `statm` of all.
    pub(super) fn refresh(
        &mut self,
        root: &ProcRoot,
        reader: &mut ProcessReader,
        now: BootMs,
    ) -> Result<(), CollectError> {
        let is_listed = self.loadavg.as_mut().is_none_or(Loadavg::has_changed);
        if is_listed {
            list_pids(reader.proc(), &mut self.pids).map_err(|error| CollectError::read(&root.proc, error))?;
            let pids = &self.pids;
            self.entries.retain(|entry| pids.binary_search(&entry.process.key.pid).is_ok());
        }
        // An ended process's pid may be in the list all the same: somebody else has it now.
        self.entries.retain_mut(|entry| {
            if entry.process.identity.is_kernel_thread && !is_listed {
                return true;
            }
            entry.refresh(reader, now) != Life::Ended
        });
        if is_listed {
            self.find_new(reader, now);
        }
        Ok(())
    }

    fn find_new(&mut self, reader: &mut ProcessReader, now: BootMs) {
        let entries = &self.entries;
        let new: Vec<u32> = self
            .pids
            .iter()
            .copied()
            .filter(|pid| entries.binary_search_by_key(pid, |entry| entry.process.key.pid).is_err())
            .collect();
        if new.is_empty() {
            self.hidden = 0;
            return;
        }
        let to_hold = self.may_hold.saturating_sub(entries.len());
        let threads = std::thread::available_parallelism().map_or(1, |cpus| cpus.get().min(4));
        let found = if new.len() < MANY || threads == 1 {
            find_all(&new, to_hold, reader, now)
        } else {
            let part = new.len().div_ceil(threads);
            std::thread::scope(|scope| {
                let workers: Vec<_> = new
                    .chunks(part)
                    .enumerate()
                    .map(|(nth, pids)| {
                        let mut reader = reader.for_thread();
                        let to_hold = to_hold.saturating_sub(nth * part);
                        scope.spawn(move || find_all(pids, to_hold, &mut reader, now))
                    })
                    .collect();
                workers.into_iter().map(|worker| worker.join().unwrap_or_default()).fold(Found::default(), Found::with)
            })
        };
        self.hidden = found.hidden;
        self.entries.extend(found.entries);
        self.entries.sort_by_key(|entry| entry.process.key.pid);
    }

    /// Forgets the entries at these places.
    pub(super) fn remove(&mut self, places: &mut Vec<usize>) {
        places.sort_unstable();
        places.dedup();
        for place in places.drain(..).rev() {
            self.entries.remove(place);
        }
        self.pids.clear();
    }
}

#[derive(Default)]
struct Found {
    entries: Vec<Entry>,
    hidden: u32,
}

impl Found {
    fn with(mut self, other: Self) -> Self {
        self.entries.extend(other.entries);
        self.hidden += other.hidden;
        self
    }
}

fn find_all(pids: &[u32], to_hold: usize, reader: &mut ProcessReader, now: BootMs) -> Found {
    let mut found = Found::default();
    for pid in pids {
        match reader.find(*pid, now) {
            Ok((process, statm)) => {
                let may_hold = found.entries.len() < to_hold;
                found.entries.push(Entry::new(process, may_hold.then_some(statm), now));
            }
            Err(Unseen::Hidden) => found.hidden += 1,
            Err(Unseen::Gone) => {}
        }
    }
    found
}

/// An open `statm` keeps a page of kernel memory for its text, and its file: so many that they take at most a
/// thousandth of RAM. Our own RSS would not show them.
fn affordable_descriptors(mem_total: u64) -> usize {
    const KERNEL_BYTES_EACH: u64 = 4096 + 512;
    usize::try_from(mem_total / 1000 / KERNEL_BYTES_EACH).unwrap_or(usize::MAX)
}

/// Raises our own soft limit of open files to the hard one, and says how many of them may be held.
fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(1 << 20);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(hard), maximum: limit.maximum });
    let soft = getrlimit(Resource::Nofile).current.unwrap_or(hard);
    usize::try_from(soft.saturating_sub(SPARE_DESCRIPTORS)).unwrap_or(usize::MAX)
}

/// Has the kernel make our table of descriptors large enough at once. It grows by doubling, and once there is a second
/// thread each time waits for an RCU grace period (expand_fdtable in fs/file.c): tens of milliseconds before the first
/// screen.
fn make_room_for_descriptors(count: usize, reader: &ProcessReader) {
    let highest = count + SPARE_DESCRIPTORS as usize;
    // Without room there it is made later, slowly.
    let _ = rustix::io::fcntl_dupfd_cloexec(reader.proc(), i32::try_from(highest).unwrap_or(i32::MAX));
}

/// `/proc/loadavg`, held open: while neither the last pid nor the number of threads has changed nobody came or
/// went, and the listing of /proc can be saved.
pub(super) struct Loadavg {
    file: OwnedFd,
    buffer: Buffer,
    last: Vec<u8>,
    skipped: u32,
}

/// A full listing all the same after so many samples: a pid chosen by the caller (clone3 set_tid) leaves no trace.
const MOST_SKIPPED: u32 = 10;

impl Loadavg {
    /// Only for a live procfs of our own pid namespace: elsewhere the last pid is not about the processes we see.
    pub(super) fn open(root: &ProcRoot, reader: &ProcessReader) -> Option<Self> {
        if !root.is_live {
            return None;
        }
        let own = std::fs::read_link(root.proc.join("self")).ok()?;
        if own.to_str()?.parse() != Ok(std::process::id()) {
            return None;
        }
        let file = open_at(reader.proc(), c"loadavg").ok()?;
        Some(Self { file, buffer: Buffer::new(), last: Vec::new(), skipped: MOST_SKIPPED })
    }

    pub(super) fn has_changed(&mut self) -> bool {
        let Ok(bytes) = self.buffer.read_held(&self.file) else { return true };
        // "0.24 0.05 0.02 3/79 2255": threads that run, threads, last pid.
        let tail = bytes.iter().position(|byte| *byte == b'/').map_or(bytes, |slash| &bytes[slash..]);
        let is_same = tail == self.last;
        if !is_same {
            self.last.clear();
            self.last.extend_from_slice(tail);
        }
        if is_same && self.skipped < MOST_SKIPPED {
            self.skipped += 1;
            return false;
        }
        self.skipped = 0;
        true
    }
}
