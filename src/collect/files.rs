//! Reading small kernel files with few system calls and no allocation once the buffer has grown.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, RawDir, openat, statat};
use rustix::io::Errno;

use crate::model::reading::{Denial, Reading};

/// `PID/name` with its NUL, in place.
pub(super) struct PidPath {
    bytes: [u8; 48],
}

impl PidPath {
    /// The path of `name` in the folder of `pid`, relative to procfs. `name` is one of ours and short.
    pub(super) fn new(pid: u32, name: &str) -> Self {
        use io::Write as _;
        let mut path = Self { bytes: [0; 48] };
        // 10 digits, a slash and our own names never fill 47 bytes; a longer path would be cut and not found.
        let _ = write!(&mut path.bytes[..47], "{pid}/{name}");
        path
    }

    pub(super) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

/// Opens a file or folder below `folder` for reading.
pub(super) fn open_at(folder: impl AsFd, path: &CStr) -> Result<OwnedFd, Errno> {
    openat(folder, path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())
}

/// A reusable buffer for whole files.
pub(super) struct Buffer {
    bytes: Vec<u8>,
}

impl Buffer {
    const START: usize = 16 * 1024;

    pub(super) fn new() -> Self {
        Self { bytes: vec![0; Self::START] }
    }

    /// Reads a file that the kernel gives whole in one read if there is room (statm, stat, status, smaps_rollup).
    pub(super) fn read_record(&mut self, folder: impl AsFd, path: &CStr) -> Result<&[u8], Errno> {
        let file = open_at(folder, path)?;
        let length = rustix::io::read(&file, &mut self.bytes[..])?;
        if length < self.bytes.len() {
            return Ok(&self.bytes[..length]);
        }
        self.read_rest(&file, length, usize::MAX)
    }

    /// Reads a file of many records (smaps, vmstat), which comes in several reads, up to `limit` bytes.
    pub(super) fn read_all(&mut self, folder: impl AsFd, path: &CStr, limit: usize) -> Result<&[u8], Errno> {
        let file = open_at(folder, path)?;
        self.read_rest(&file, 0, limit)
    }

    fn read_rest(&mut self, file: &OwnedFd, mut length: usize, limit: usize) -> Result<&[u8], Errno> {
        loop {
            if length == self.bytes.len() {
                self.bytes.resize(length * 2, 0);
            }
            match rustix::io::read(file, &mut self.bytes[length..])? {
                0 => return Ok(&self.bytes[..length]),
                count => length += count,
            }
            if length >= limit {
                return Ok(&self.bytes[..limit]);
            }
        }
    }

    /// Reads a file that is held open, from its start.
    pub(super) fn read_held(&mut self, file: &OwnedFd) -> Result<&[u8], Errno> {
        let length = rustix::io::pread(file, &mut self.bytes[..], 0)?;
        Ok(&self.bytes[..length])
    }

    /// Reads a whole file by its path.
    pub(super) fn read_path(&mut self, path: &Path) -> Result<&[u8], Errno> {
        let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        self.read_rest(&file, 0, usize::MAX)
    }
}

/// Numeric names in procfs, appended to `pids` in the kernel's order, which is ascending.
pub(super) fn list_pids(proc: BorrowedFd<'_>, pids: &mut Vec<u32>) -> Result<(), Errno> {
    pids.clear();
    let folder = open_at(proc, c".")?;
    let mut space = [std::mem::MaybeUninit::<u8>::uninit(); 16 * 1024];
    let mut entries = RawDir::new(&folder, &mut space);
    while let Some(entry) = entries.next() {
        if let Some(pid) = pid_of(entry?.file_name().to_bytes()) {
            pids.push(pid);
        }
    }
    if !pids.is_sorted() {
        pids.sort_unstable();
    }
    pids.dedup();
    Ok(())
}

fn pid_of(name: &[u8]) -> Option<u32> {
    if !name.first()?.is_ascii_digit() {
        return None;
    }
    std::str::from_utf8(name).ok()?.parse().ok()
}

/// How many entries a folder has, `.` and `..` left out.
pub(super) fn count_entries(folder: impl AsFd, path: &CStr) -> Result<u32, Errno> {
    let folder = open_at(folder, path)?;
    let mut space = [std::mem::MaybeUninit::<u8>::uninit(); 16 * 1024];
    let mut entries = RawDir::new(&folder, &mut space);
    let mut count = 0;
    while let Some(entry) = entries.next() {
        count += u32::from(!matches!(entry?.file_name().to_bytes(), b"." | b".."));
    }
    Ok(count)
}

/// The names of a folder's entries that are numbers, the first `most` of them; none where it can't be read.
pub(super) fn first_numbers(folder: impl AsFd, path: &CStr, most: usize) -> Vec<u32> {
    let Ok(folder) = open_at(folder, path) else { return Vec::new() };
    let mut space = [std::mem::MaybeUninit::<u8>::uninit(); 4 * 1024];
    let mut entries = RawDir::new(&folder, &mut space);
    let mut numbers = Vec::new();
    while let Some(Ok(entry)) = entries.next() {
        numbers.extend(entry.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
        if numbers.len() >= most {
            break;
        }
    }
    numbers
}

/// A folder's `st_nlink`: of procfs, the folders in it and two.
pub(super) fn links_of(folder: impl AsFd, path: &CStr) -> u64 {
    #[allow(clippy::useless_conversion, reason = "its width differs by architecture")]
    statat(folder, path, AtFlags::empty()).map_or(0, |stat| u64::from(stat.st_nlink))
}

/// A folder's `st_size`.
pub(super) fn size_of(folder: impl AsFd, path: &CStr) -> Result<u64, Errno> {
    statat(folder, path, AtFlags::empty()).map(|stat| stat.st_size as u64)
}

/// What a failed read of a process's file means. A file that is missing in a folder that is there is `missing`.
pub(super) fn reading_of_error<T>(error: Errno) -> Reading<T> {
    match error {
        Errno::ACCESS | Errno::PERM => Reading::Denied(Denial::Ptrace),
        // ENOENT and ESRCH: the process has gone. Whatever else a hostile file system says, there is no value.
        _ => Reading::Gone,
    }
}
