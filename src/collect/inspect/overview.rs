//! Reading the head of an inspection: who, what in total, which limits.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::readlinkat;
use rustix::io::Errno;

use super::builder::add_line;
use crate::collect::cgroup::binding_limit;
use crate::collect::files::reading_of_error;
use crate::collect::parse::{kilobytes, lines, parse_smaps, split_line, take_number};
use crate::collect::process::ProcessReader;
use crate::collect::root::ProcRoot;
use crate::model::field::Source;
use crate::model::inspect::memory::Memory;
use crate::model::inspect::overview::{FdLimit, Overview, Totals};
use crate::model::process::ProcessSample;
use crate::model::reading::{BootMs, Need, Reading, Stamped};
use crate::model::sample::Host;
use crate::model::text::Text;

/// What the overview is read with.
pub(super) struct Surroundings<'a> {
    pub(super) root: &'a ProcRoot,
    pub(super) host: &'a Host,
    /// MemTotal, bytes: a limit above it binds nobody.
    pub(super) mem_total: u64,
    pub(super) at: BootMs,
}

/// Reads the overview of the process whose folder `folder` is, and its memory by `smaps_rollup` in every column.
pub(super) fn read_overview(
    mut process: ProcessSample,
    folder: BorrowedFd<'_>,
    reader: &mut ProcessReader,
    around: &Surroundings<'_>,
) -> (Overview, Option<Memory>) {
    for source in [Source::Identity, Source::Fds, Source::Limits, Source::OomScore] {
        reader.read(&mut process, source, around.at);
    }
    let total = read_rollup(&mut process, folder, reader, around.at);
    let mut read = |name| reader.buffer().read_record(folder, name).map(<[u8]>::to_vec);
    let totals = match read(c"status") {
        Ok(bytes) => parse_totals(&bytes).map_or(Reading::Unsupported(Need::NotApplicable), Reading::Value),
        Err(error) => reading_of_error(error),
    };
    let fd_limit = match read(c"limits") {
        Ok(bytes) => parse_fd_limits(&bytes).map_or(Reading::Gone, Reading::Value),
        Err(error) => reading_of_error(error),
    };
    let oom_score_adj = match read(c"oom_score_adj") {
        Ok(bytes) => parse_signed(&bytes).map_or(Reading::Gone, Reading::Value),
        Err(error) => reading_of_error(error),
    };
    let limit = binding_limit(around.root, &process.identity.cgroup, around.mem_total, reader.buffer());
    let started_ms = process.key.start_time.saturating_mul(1000) / around.host.clock_ticks.max(1);
    let overview = Overview {
        user: Text::from(&*around.host.user(process.identity.uid)),
        age_ms: around.at.0.saturating_sub(started_ms),
        program: read_program(folder),
        totals,
        limit: Reading::Value(limit),
        fd_limit,
        oom_score_adj,
        process,
    };
    (overview, total)
}

/// Reads `smaps_rollup` once, for the overview and for the sum of the mappings; where there is none, what stands for it.
fn read_rollup(
    process: &mut ProcessSample,
    folder: BorrowedFd<'_>,
    reader: &mut ProcessReader,
    at: BootMs,
) -> Option<Memory> {
    if !process.identity.is_kernel_thread
        && let Ok(bytes) = reader.buffer().read_record(folder, c"smaps_rollup")
        && let Some(rollup) = parse_smaps(bytes)
    {
        process.rollup = Stamped::new(Reading::Value(rollup), at);
        let mut total = Memory::default();
        for line in lines(bytes) {
            add_line(&mut total, line);
        }
        return Some(total);
    }
    reader.read(process, Source::Rollup, at);
    None
}

fn read_program(folder: BorrowedFd<'_>) -> Reading<Text> {
    match readlinkat(folder.as_fd(), c"exe", Vec::new()) {
        Ok(path) => Reading::Value(Text::new(path.into_bytes())),
        // A kernel thread executes no file, a zombie nothing any more.
        Err(Errno::NOENT | Errno::SRCH) => Reading::Unsupported(Need::NotApplicable),
        Err(error) => reading_of_error(error),
    }
}

/// Finds the lines of [`Totals`] in `/proc/PID/status`; `None` where there is no memory.
fn parse_totals(bytes: &[u8]) -> Option<Totals> {
    let mut totals = Totals::default();
    let mut has_memory = false;
    for (name, value) in lines(bytes).filter_map(split_line) {
        match name {
            b"VmSize" => (totals.size, has_memory) = (kilobytes(value), true),
            b"VmPeak" => totals.peak_size = kilobytes(value),
            b"VmPin" => totals.pinned = kilobytes(value),
            b"VmData" | b"VmStk" => totals.data = totals.data.saturating_add(kilobytes(value)),
            _ => {}
        }
    }
    has_memory.then_some(totals)
}

/// Finds both limits of open files in `/proc/PID/limits`; `unlimited` is [`u64::MAX`].
fn parse_fd_limits(bytes: &[u8]) -> Option<FdLimit> {
    let mut rest = lines(bytes).find_map(|line| line.strip_prefix(b"Max open files"))?;
    let mut next = || {
        rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b"unlimited") {
            rest = after;
            return Some(u64::MAX);
        }
        take_number(&mut rest)
    };
    Some(FdLimit { soft: next()?, hard: next()? })
}

fn parse_signed(bytes: &[u8]) -> Option<i32> {
    std::str::from_utf8(bytes).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_limits_of_open_files_are_found() {
        let limits = b"Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files     \n";
        assert_eq!(parse_fd_limits(limits), Some(FdLimit { soft: 1024, hard: 524_288 }));
        let none = b"Max open files            1024                 unlimited            files";
        assert_eq!(parse_fd_limits(none), Some(FdLimit { soft: 1024, hard: u64::MAX }));
        assert_eq!(parse_fd_limits(b"Max open files  7"), None);
    }

    #[test]
    fn high_water_marks_are_in_status_and_a_zombie_has_none() {
        let status = b"Name:\tx\nVmPeak:\t 20 kB\nVmSize:\t 10 kB\nVmPin:\t 4 kB\nVmData:\t 2 kB\nVmStk:\t 1 kB\n";
        let expected = Totals { size: 10 << 10, peak_size: 20 << 10, pinned: 4 << 10, data: 3 << 10 };
        assert_eq!(parse_totals(status), Some(expected));
        assert_eq!(parse_totals(b"Name:\tx\nState:\tZ (zombie)\n"), None);
    }

    #[test]
    fn an_adjustment_may_be_negative() {
        assert_eq!(parse_signed(b"-1000\n"), Some(-1000));
        assert_eq!(parse_signed(b"x"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (parse_totals(&bytes), parse_fd_limits(&bytes), parse_signed(&bytes));
        }
    }
}
