//! Reading the threads: their names and states, and where their stacks are.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::fs::RawDir;
use rustix::io::Errno;

use super::header::take_hex;
use crate::collect::files::{Buffer, PidPath, open_at, reading_of_error};
use crate::collect::parse::parse_stat;
use crate::model::inspect::Coverage;
use crate::model::inspect::thread::{Stack, Thread, Threads};
use crate::model::reading::Reading;
use crate::model::text::Text;

/// A thread and its stack pointer, which its stack is found by.
pub(super) struct Found {
    thread: Thread,
    pointer: Reading<u64>,
}

/// The threads that were read, and how many there are.
#[derive(Default)]
pub(super) struct FoundThreads {
    found: Vec<Found>,
    count: u64,
}

/// Reads the threads by ascending id until `deadline`, at most [`Threads::MOST`].
pub(super) fn read_threads(
    process: BorrowedFd<'_>,
    clock_ticks: u64,
    deadline: Instant,
    buffer: &mut Buffer,
) -> Reading<FoundThreads> {
    let (folder, tids) = match list_threads(process) {
        Ok(listed) => listed,
        Err(error) => return reading_of_error(error),
    };
    let mut threads = FoundThreads { found: Vec::new(), count: tids.len() as u64 };
    for (nth, tid) in tids.iter().take(Threads::MOST).enumerate() {
        if nth % 8 == 7 && Instant::now() >= deadline {
            break;
        }
        match read_thread(folder.as_fd(), *tid, clock_ticks, buffer) {
            Some(found) => threads.found.push(found),
            // It ended in between.
            None => threads.count -= 1,
        }
    }
    Reading::Value(threads)
}

fn list_threads(process: BorrowedFd<'_>) -> Result<(OwnedFd, Vec<u32>), Errno> {
    let folder = open_at(process, c"task")?;
    let mut tids = Vec::new();
    let mut space = [std::mem::MaybeUninit::<u8>::uninit(); 16 * 1024];
    let mut entries = RawDir::new(&folder, &mut space);
    while let Some(entry) = entries.next() {
        tids.extend(std::str::from_utf8(entry?.file_name().to_bytes()).ok().and_then(|name| name.parse::<u32>().ok()));
    }
    tids.sort_unstable();
    Ok((folder, tids))
}

fn read_thread(folder: BorrowedFd<'_>, tid: u32, clock_ticks: u64, buffer: &mut Buffer) -> Option<Found> {
    let bytes = buffer.read_record(folder, PidPath::new(tid, "stat").as_c_str()).ok()?;
    let line = parse_stat(bytes)?;
    let mut thread = Thread {
        tid,
        comm: Text::new(line.comm),
        state: line.stat.state,
        cpu_ms: line.stat.cpu_ticks.saturating_mul(1000) / clock_ticks.max(1),
        stack: Reading::Pending,
    };
    let pointer = match buffer.read_record(folder, PidPath::new(tid, "syscall").as_c_str()) {
        Ok(bytes) => parse_stack_pointer(bytes).map_or(Reading::Pending, Reading::Value),
        Err(error) => reading_of_error(error),
    };
    thread.stack = pointer.and_then(|_| Reading::Pending);
    Some(Found { thread, pointer })
}

/// The stack pointer in `/proc/PID/task/TID/syscall`: the last number but one, or nothing where the thread runs
/// (proc_pid_syscall(5), CONFIG_HAVE_ARCH_TRACEHOOK).
fn parse_stack_pointer(bytes: &[u8]) -> Option<u64> {
    let mut words = bytes.trim_ascii_end().rsplit(|byte| *byte == b' ');
    let mut word = words.nth(1)?.strip_prefix(b"0x")?;
    take_hex(&mut word).filter(|pointer| *pointer > 0)
}

impl FoundThreads {
    /// The stack pointers that are known, ascending.
    pub(super) fn stack_pointers(&self) -> Vec<u64> {
        let mut pointers: Vec<u64> = self.found.iter().filter_map(|found| found.pointer.value()).collect();
        pointers.sort_unstable();
        pointers.dedup();
        pointers
    }

    /// How many threads there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The threads with their stacks, which `stacks` has by the pointers that lie in them.
    pub(super) fn with_stacks(self, stacks: &[(u64, Stack)]) -> Threads {
        let stack_at = |pointer: u64| {
            let place = stacks.binary_search_by_key(&pointer, |(pointer, _)| *pointer).ok()?;
            Some(stacks[place].1)
        };
        let coverage = Coverage { read: self.found.len() as u64, of: self.count };
        let threads = self.found.into_iter().map(|found| {
            let stack = found.pointer.and_then(|pointer| stack_at(pointer).map_or(Reading::Pending, Reading::Value));
            Thread { stack, ..found.thread }
        });
        Threads { coverage, threads: threads.collect() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_stack_pointer_is_the_last_number_but_one() {
        let waits = b"202 0x7f1 0x189 0x0 0x0 0x0 0xffffffff 0x7ffd1c8e8d40 0x7f29e4a3b117\n";
        assert_eq!(parse_stack_pointer(waits), Some(0x7ffd_1c8e_8d40));
        assert_eq!(parse_stack_pointer(b"-1 0x7ffd1c8e8d40 0x7f29e4a3b117\n"), Some(0x7ffd_1c8e_8d40));
        assert_eq!(parse_stack_pointer(b"running\n"), None);
        assert_eq!(parse_stack_pointer(b"0 0x0 0x0\n"), None, "a kernel thread has none");
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = parse_stack_pointer(&bytes);
        }
    }
}
