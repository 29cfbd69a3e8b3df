//! What a snapshot takes of memory and of the disk, and whether there is that much. V8 builds a graph of all objects
//! beside the heap, and Node.js keeps what was not sent yet: on a nearly full machine that is the last straw.

use std::os::fd::BorrowedFd;

use rustix::fs::fstatvfs;

use super::error::{HeapError, Why};
use crate::act::process::Held;
use crate::collect::cgroup::{parse_membership, read_limit};
use crate::collect::inspect::Inspector;
use crate::collect::root::ProcRoot;
use crate::collect::system::parse_meminfo;
use crate::model::inspect::Part;
use crate::model::inspect::mapping::MappingKind;
use crate::units::Bytes;

/// Memory that a snapshot takes beside the heap, for each byte of it, in percent: measured on a heap of small objects of
/// Node.js 20, of which V8 keeps some hundred bytes each in its graph, and Node.js the whole file until it is sent.
const MEMORY_PERCENT: u64 = 1000;

/// Size of the file for each byte of heap, in percent, measured likewise.
const FILE_PERCENT: u64 = 220;

/// What it takes however small the heap is, bytes.
const FLOOR: u64 = 32 << 20;

/// What is left free on the disk, bytes: others write there too.
const DISK_RESERVE: u64 = 32 << 20;

/// How long the mappings may be looked at.
const LOOK: std::time::Duration = std::time::Duration::from_millis(250);

/// What a snapshot will take, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Estimate {
    /// The heap that it is of.
    pub(super) heap: u64,
    /// Memory beside it while it is taken.
    pub(super) memory: u64,
    /// The file.
    pub(super) disk: u64,
}

impl Estimate {
    pub(super) fn of(heap: u64) -> Self {
        let share = |percent: u64| (heap / 100).saturating_mul(percent).saturating_add(FLOOR);
        Self { heap, memory: share(MEMORY_PERCENT), disk: share(FILE_PERCENT) }
    }

    /// The most that the file may become: whoever answers decides how much that is.
    pub(super) fn most(&self) -> u64 {
        self.disk.saturating_mul(8)
    }
}

/// The heap as it is seen from outside, garbage and free pages included: V8's mappings, or where they can't be told all
/// private memory.
pub(super) fn heap_from_outside(held: &Held<'_>, root: &ProcRoot, private: u64, limit: Option<u64>) -> u64 {
    let mapped = || {
        let parts = [Part::Mappings].into_iter().collect();
        let inspection = Inspector::open(root.clone()).ok()?.inspect(held.key(), parts, LOOK).ok()?;
        let mappings = inspection.mappings.value()?;
        let heap = mappings.groups.iter().find(|group| group.kind == MappingKind::V8Heap && group.unread == 0)?;
        Some(heap.memory.rss + heap.memory.swap)
    };
    mapped().unwrap_or(private).min(limit.unwrap_or(u64::MAX))
}

/// What there is, bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// MemAvailable.
    pub(super) machine: Option<u64>,
    /// What is left to the tightest control group of the process, and its path.
    pub(super) group: Option<(u64, String)>,
    /// Free blocks of the file system, for us.
    pub(super) disk: Option<u64>,
}

impl Room {
    pub(super) fn read(held: &Held<'_>, root: &ProcRoot, folder: BorrowedFd<'_>) -> Self {
        let mem = std::fs::read(root.proc.join("meminfo")).map(|bytes| parse_meminfo(&bytes)).unwrap_or_default();
        let total = mem.mem_total.value().unwrap_or(u64::MAX);
        let membership = held.read("cgroup").map(|bytes| parse_membership(&bytes)).unwrap_or_default();
        let group = read_limit(root, &membership, total).map(|limit| {
            // File pages that lie idle are given back first.
            let used = limit.usage.saturating_sub(limit.inactive_file);
            (limit.limit.saturating_sub(used), limit.path.escaped().into_owned())
        });
        Self { machine: mem.mem_available.value(), group, disk: free_on(folder) }
    }

    /// Why it will not do.
    pub(super) fn check(&self, estimate: &Estimate) -> Result<(), HeapError> {
        let heap = Bytes(estimate.heap);
        let short =
            |what: String| Err(HeapError::new(Why::TooLittle, format!("{what}; --force takes it all the same")));
        let memory = Bytes(estimate.memory);
        if let Some(machine) = self.machine.filter(|machine| *machine < estimate.memory) {
            return short(format!(
                "a snapshot of its heap ({heap}) may take {memory} of memory beside it, and {} are available",
                Bytes(machine)
            ));
        }
        if let Some((group, path)) = self.group.as_ref().filter(|(group, _)| *group < estimate.memory) {
            return short(format!(
                "a snapshot of its heap ({heap}) may take {memory} of memory beside it, and its control group {path} \
                 has {} left",
                Bytes(*group)
            ));
        }
        if let Some(disk) = self.disk.filter(|disk| *disk < estimate.disk + DISK_RESERVE) {
            return short(format!(
                "the file may have {}, and {} are free on its file system, of which {} stay free",
                Bytes(estimate.disk),
                Bytes(disk),
                Bytes(DISK_RESERVE)
            ));
        }
        Ok(())
    }
}

/// What is free for us on the file system of a folder or file, bytes.
pub(super) fn free_on(folder: BorrowedFd<'_>) -> Option<u64> {
    fstatvfs(folder).ok().map(|file_system| file_system.f_bavail.saturating_mul(file_system.f_frsize))
}

/// Whether writing on would take what stays free.
pub(super) fn is_nearly_full(folder: BorrowedFd<'_>) -> bool {
    free_on(folder).is_some_and(|free| free < DISK_RESERVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_told_with_what_there_is() {
        let estimate = Estimate::of(100 << 20);
        let plenty = Room { machine: Some(8 << 30), group: None, disk: Some(8 << 30) };
        assert_eq!(plenty.check(&estimate), Ok(()));
        let unknown = Room { machine: None, group: None, disk: None };
        assert_eq!(unknown.check(&estimate), Ok(()));
        for (room, told) in [
            (Room { machine: Some(90 << 20), ..plenty.clone() }, "90M are available"),
            (Room { group: Some((50 << 20, "/web".into())), ..plenty.clone() }, "its control group /web has 50M left"),
            (Room { disk: Some(99 << 20), ..plenty.clone() }, "99M are free on its file system"),
        ] {
            let error = room.check(&estimate).unwrap_err();
            assert_eq!(error.why, Why::TooLittle);
            assert!(error.text.contains(told) && error.text.contains("--force"), "{error}");
        }
    }

    #[test]
    fn the_largest_heap_has_an_estimate_too() {
        assert!(Estimate::of(u64::MAX / 4).most() > u64::MAX / 4);
    }
}
