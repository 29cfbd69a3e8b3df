//! One process whole: everything of an [`Inspection`], read within a budget of time.
//!
//! The folder of the process is opened once and all files through it, so that nothing is ever read of another process
//! that has its pid now. Descriptors are read beside the rest, on a thread of their own.

mod builder;
mod fdinfo;
mod fds;
mod header;
mod lines;
mod link;
mod maps;
mod net;
mod overview;
mod shape;
pub mod tcp;
mod threads;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::builder::Circumstances;
use self::fds::{Deadlines, read_descriptors};
use self::maps::{read_mappings, read_mounts};
use self::overview::{Surroundings, read_overview};
use self::threads::{FoundThreads, read_threads};
use super::clock::now;
use super::error::CollectError;
use super::files::{Buffer, PidPath, open_at};
use super::host::read_host;
use super::parse::{kilobytes, lines, parse_stat, parse_statm};
use super::process::{ProcessReader, Unseen};
use super::root::ProcRoot;
use super::runtime::read_clues_in;
use crate::model::inspect::descriptor::Descriptors;
use crate::model::inspect::mapping::Mappings;
use crate::model::inspect::thread::Threads;
use crate::model::inspect::{Inspection, Part, PartSet};
use crate::model::key::ProcessKey;
use crate::model::process::Identity;
use crate::model::reading::{Need, Reading};
use crate::model::runtime::Clues;
use crate::model::sample::Host;

/// The time that reading takes at most, if nobody says otherwise: what a person takes for at once, less what it takes
/// to start and to print.
pub const BUDGET: Duration = Duration::from_millis(120);

/// Why there is no inspection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoInspection {
    /// There is none of this pid, or it ended while it was read, or another has its pid.
    #[error("there is no such process")]
    Gone,
    /// `hidepid=1` shows that there is one, and nothing of it.
    #[error("/proc is mounted with hidepid: it needs the process's own user, root or the group of its gid= option")]
    Hidden,
}

/// Looks closely at one process after another.
pub struct Inspector {
    root: ProcRoot,
    reader: ProcessReader,
    host: Host,
    mem_total: u64,
    /// Buffers of the two threads, kept because they have grown.
    buffers: [Vec<u8>; 2],
}

impl Inspector {
    /// Opens procfs. Fails where there is none.
    pub fn open(root: ProcRoot) -> Result<Self, CollectError> {
        let mut reader = ProcessReader::new(&root)?;
        let meminfo = reader.buffer().read_path(&root.proc.join("meminfo")).unwrap_or_default();
        let mem_total = lines(meminfo).find_map(|line| line.strip_prefix(b"MemTotal:")).map_or(u64::MAX, kilobytes);
        Ok(Self { host: read_host(&root), root, reader, mem_total, buffers: [Vec::new(), Vec::new()] })
    }

    /// The machine.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Who has this pid now.
    pub fn key_of(&mut self, pid: u32) -> Result<ProcessKey, NoInspection> {
        let (at, _) = now(&self.root, self.reader.buffer());
        let (process, _) = self.reader.find(pid, at).map_err(NoInspection::from)?;
        Ok(process.key)
    }

    /// Looks at the process of this key. Reading `parts` ends about when `budget` does: what is too much for it is
    /// read in part, and says so.
    pub fn inspect(&mut self, key: ProcessKey, parts: PartSet, budget: Duration) -> Result<Inspection, NoInspection> {
        let began = Instant::now();
        let Self { root, reader, host, mem_total, buffers } = self;
        let (at, wall_ms) = now(root, reader.buffer());
        // From here on nothing but this very process answers, whoever has its pid later.
        let folder = open_at(reader.proc(), PidPath::new(key.pid, "").as_c_str()).map_err(|_| NoInspection::Gone)?;
        let (process, _) = reader.find(key.pid, at).map_err(NoInspection::from)?;
        let state = state_of(&folder, key).ok_or(NoInspection::Gone)?;
        if process.key != key {
            return Err(NoInspection::Gone);
        }
        let size = process.resident.value().map_or(0, |resident| resident.size);
        let has_memory = !process.identity.is_kernel_thread && state != b'Z' && size > 0;
        let folder_fd = folder.as_fd();
        let (is_live, clock_ticks) = (root.is_live, root.clock_ticks);
        let plan = Plan { folder: folder_fd, is_live, clock_ticks, began, budget, parts, has_memory };
        let around = Surroundings { root, host, mem_total: *mem_total, at };
        let [first, second] = buffers;
        let machine = *mem_total;
        let (overview, mappings, descriptors, threads, runtime) = std::thread::scope(|scope| {
            let descriptors = scope.spawn(|| plan.descriptors(first));
            let (overview, total) = read_overview(process, plan.folder, reader, &around);
            let identity = Arc::clone(&overview.process.identity);
            let runtime = scope.spawn(move || plan.runtime(key, &identity, machine));
            let (mappings, threads) = plan.mappings(total, reader.buffer(), second);
            let descriptors = descriptors.join().unwrap_or(Reading::Gone);
            let runtime = runtime.join().unwrap_or(Reading::Gone);
            (overview, mappings, descriptors, threads, runtime)
        });
        // What ended meanwhile was read in part, and nobody knows which.
        if state_of(&folder, key).is_none() || (has_memory && !still_has_memory(&folder)) {
            return Err(NoInspection::Gone);
        }
        let took_us = began.elapsed().as_micros() as u64;
        Ok(Inspection { key, at, wall_ms, took_us, overview, mappings, descriptors, threads, runtime })
    }
}

impl From<Unseen> for NoInspection {
    fn from(unseen: Unseen) -> Self {
        match unseen {
            Unseen::Gone => Self::Gone,
            Unseen::Hidden => Self::Hidden,
        }
    }
}

/// What is read and until when.
#[derive(Clone, Copy)]
struct Plan<'a> {
    folder: BorrowedFd<'a>,
    is_live: bool,
    clock_ticks: u64,
    began: Instant,
    budget: Duration,
    parts: PartSet,
    /// Neither a kernel thread nor one that has given its memory back.
    has_memory: bool,
}

impl Plan<'_> {
    /// The moment at which a share of the budget is over.
    fn deadline(&self, share: f64) -> Instant {
        self.began + self.budget.mul_f64(share)
    }

    fn descriptors(&self, buffer: &mut Vec<u8>) -> Reading<Descriptors> {
        if !self.parts.contains(Part::Descriptors) {
            return Reading::Pending;
        }
        if !self.has_memory {
            return Reading::Unsupported(Need::NotApplicable);
        }
        let mounts = read_mounts(self.folder, buffer);
        let deadlines = Deadlines { links: self.deadline(0.8), sockets: self.deadline(1.0) };
        read_descriptors(self.folder, self.is_live, &mounts, deadlines, buffer)
    }

    fn runtime(&self, key: ProcessKey, identity: &Identity, machine: u64) -> Reading<Clues> {
        if !self.parts.contains(Part::Runtime) {
            return Reading::Pending;
        }
        if !self.has_memory {
            return Reading::Unsupported(Need::NotApplicable);
        }
        Reading::Value(read_clues_in(self.folder, key.pid, identity, machine))
    }

    /// Threads come first: their stack pointers tell which mappings are stacks.
    fn mappings(
        &self,
        total: Option<crate::model::inspect::memory::Memory>,
        small: &mut Buffer,
        buffer: &mut Vec<u8>,
    ) -> (Reading<Mappings>, Reading<Threads>) {
        let has_mappings = self.parts.contains(Part::Mappings);
        let has_threads = self.parts.contains(Part::Threads);
        if !has_mappings && !has_threads {
            return (Reading::Pending, Reading::Pending);
        }
        let found =
            read_threads(self.folder, self.clock_ticks, self.deadline(if has_mappings { 0.3 } else { 1.0 }), small);
        let mut mappings = Reading::Pending;
        let mut stacks = Vec::new();
        if has_mappings && !self.has_memory {
            mappings = Reading::Unsupported(Need::NotApplicable);
        } else if has_mappings {
            let threads = found.as_ref().value();
            let circumstances = Circumstances {
                mounts: read_mounts(self.folder, buffer),
                stack_pointers: threads.map(FoundThreads::stack_pointers).unwrap_or_default(),
                is_threaded: threads.is_some_and(|threads| threads.count() > 1),
            };
            mappings = read_mappings(self.folder, circumstances, total, self.deadline(0.75), buffer).map(
                |(mappings, found)| {
                    stacks = found;
                    mappings
                },
            );
        }
        let threads = if has_threads { found.map(|found| found.with_stacks(&stacks)) } else { Reading::Pending };
        (mappings, threads)
    }
}

/// The state of the process that the folder is of, as long as it is that of this key.
fn state_of(folder: &OwnedFd, key: ProcessKey) -> Option<u8> {
    let mut buffer = Buffer::new();
    let line = parse_stat(buffer.read_record(folder, c"stat").ok()?)?;
    (line.start_time == key.start_time).then_some(line.stat.state)
}

/// Whether the process has not begun to end: its memory is the first thing that it gives back, long before it is a
/// zombie where there is much, and its descriptors come after that.
fn still_has_memory(folder: &OwnedFd) -> bool {
    let mut buffer = Buffer::new();
    let statm = buffer.read_record(folder, c"statm").ok().and_then(|bytes| parse_statm(bytes, 1));
    statm.is_some_and(|statm| statm.size > 0)
}
