//! Reading the mappings: `smaps` as far as time allows, the rest of the addresses from `maps`.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::io::Errno;

use super::builder::{Builder, Circumstances};
use super::header::{is_header, parse_header};
use super::lines::Lines;
use super::shape::RamFileSystems;
use crate::collect::files::reading_of_error;
use crate::model::inspect::mapping::Mappings;
use crate::model::inspect::memory::Memory;
use crate::model::inspect::thread::Stack;
use crate::model::reading::{Need, Reading};

/// What the mappings tell, and the stacks of threads by the pointers that lie in them.
pub(super) type Mapped = (Mappings, Vec<(u64, Stack)>);

/// The clock is asked once in so many mappings.
const STEP: u64 = 32;

/// Reads the mappings of the process whose folder `process` is. After `deadline` no more memory is read, only the
/// addresses of the rest, an eighth of the work. `total` is the memory of the whole process, read just before.
pub(super) fn read_mappings(
    process: BorrowedFd<'_>,
    circumstances: Circumstances,
    total: Option<Memory>,
    deadline: Instant,
    buffer: &mut Vec<u8>,
) -> Reading<Mapped> {
    let mut builder = Builder::new(circumstances);
    let cut = match read_smaps(process, &mut builder, deadline, buffer) {
        Ok(cut) => cut,
        Err(error) => return reading_of_mappings(error),
    };
    if let Some(first) = cut {
        // Whatever goes wrong here, the mappings that were read stand.
        let _ = read_rest(process, &mut builder, first, buffer);
    }
    match builder.counts() {
        // A zombie has given its memory back, a kernel thread never had any.
        (_, 0) => Reading::Unsupported(Need::NotApplicable),
        _ => Reading::Value(builder.finish(cut.and(total))),
    }
}

fn reading_of_mappings<T>(error: Errno) -> Reading<T> {
    match error {
        // Linux says ESRCH where there is no memory any more: the process itself is known to be there.
        Errno::SRCH | Errno::INVAL => Reading::Unsupported(Need::NotApplicable),
        error => reading_of_error(error),
    }
}

/// Reads `smaps`; where time ran out, gives the address of the first mapping that was not read.
fn read_smaps(
    process: BorrowedFd<'_>,
    builder: &mut Builder,
    deadline: Instant,
    buffer: &mut Vec<u8>,
) -> Result<Option<u64>, Errno> {
    let mut lines = Lines::open(process, c"smaps", buffer)?;
    let mut count: u64 = 0;
    while let Some(line) = lines.next()? {
        if !is_header(line) {
            builder.line(line);
            continue;
        }
        let Some(header) = parse_header(line) else { continue };
        if count.is_multiple_of(STEP) && Instant::now() >= deadline {
            return Ok(Some(header.start));
        }
        count += 1;
        builder.begin(&header, true);
    }
    Ok(None)
}

/// The addresses from `first` on.
fn read_rest(process: BorrowedFd<'_>, builder: &mut Builder, first: u64, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    let mut lines = Lines::open(process, c"maps", buffer)?;
    while let Some(line) = lines.next()? {
        if let Some(header) = parse_header(line).filter(|header| header.start >= first) {
            builder.begin(&header, false);
        }
    }
    Ok(())
}

/// The file systems in RAM that the process sees.
pub(super) fn read_mounts(process: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> RamFileSystems {
    let mut mounts = RamFileSystems::default();
    if let Ok(mut lines) = Lines::open(process, c"mountinfo", buffer) {
        // Without them a file on a tmpfs is called a file.
        while let Ok(Some(line)) = lines.next() {
            mounts.push(line);
        }
    }
    mounts
}
