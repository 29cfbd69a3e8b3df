//! Where recordings are: files that nobody else could have put there and nobody else can read, written by one recorder
//! at a time.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{FlockType, fcntl_getlk, geteuid};

use super::error::RecordError;
use super::writer::Sink;

/// How the names of segments end.
pub const EXTENSION: &str = "memtide";

/// How the names of segments in a folder begin.
const PREFIX: &str = "memtide-";

/// A file that is being appended to, locked against a second recorder.
#[derive(Debug)]
pub struct Output {
    file: File,
    path: PathBuf,
    end: u64,
}

impl Output {
    /// Makes a file that is not there yet.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        Self::open_or_create(path, None, true)
    }

    /// Opens a recording to be appended to, or makes one. It is its owner's alone, or its group's to read.
    pub fn open(path: &Path, group: Option<u32>) -> Result<Self, RecordError> {
        Self::open_or_create(path, group, false)
    }

    fn open_or_create(path: &Path, group: Option<u32>, must_be_new: bool) -> Result<Self, RecordError> {
        let folder = open_folder(parent(path))?;
        let name = path.file_name().ok_or_else(|| RecordError::io(path, io::ErrorKind::InvalidInput))?;
        let flags =
            OFlags::RDWR | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let private = Mode::RUSR | Mode::WUSR;
        let (fd, is_new) = match rustix::fs::openat(&folder, name, flags | OFlags::CREATE | OFlags::EXCL, private) {
            Ok(fd) => (fd, true),
            Err(Errno::EXIST) if !must_be_new => {
                let opened = rustix::fs::openat(&folder, name, flags, Mode::empty());
                (opened.map_err(|error| why_not_opened(path, error))?, false)
            }
            Err(error) => return Err(RecordError::io(path, error)),
        };
        let file = File::from(fd);
        if !is_new {
            check_ours(&file, path)?;
        }
        lock(&file, path)?;
        if is_new {
            // Whatever the umask took away.
            let mode = if group.is_some() { private | Mode::RGRP } else { private };
            rustix::fs::fchmod(&file, mode).map_err(|error| RecordError::io(path, error))?;
            grant(&file, path, group)?;
        }
        let end = file.metadata().map_err(|error| RecordError::io(path, error))?.len();
        Ok(Self { file, path: path.to_owned(), end })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes, to be read.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Waits until all of it is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Whether somebody has removed it.
    pub fn is_removed(&self) -> bool {
        self.file.metadata().is_ok_and(|data| data.nlink() == 0)
    }
}

impl Sink for Output {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match io::Write::write_all(&mut self.file, bytes) {
            Ok(()) => {
                self.end += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // What was written of it goes; where it can't, the next block stands behind it.
                if self.file.set_len(self.end).is_err() {
                    self.end = self.file.metadata().map_or(self.end, |data| data.len());
                }
                Err(error)
            }
        }
    }

    fn end(&self) -> u64 {
        self.end
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Opens a folder that is safe to make files in: others must not be able to replace what is made there.
fn open_folder(path: &Path) -> Result<File, RecordError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| RecordError::io(path, error))?;
    let folder = File::from(folder);
    let mode = folder.metadata().map_err(|error| RecordError::io(path, error))?.mode();
    let (is_open_to_all, is_sticky) = (mode & 0o002 != 0, mode & 0o1000 != 0);
    if is_open_to_all && !is_sticky {
        let why = "everybody may write there and replace what is recorded: choose another folder, or chmod o-w it";
        return Err(RecordError::Unsafe { path: path.to_owned(), why });
    }
    Ok(folder)
}

fn why_not_opened(path: &Path, error: Errno) -> RecordError {
    match error {
        Errno::LOOP => RecordError::Unsafe { path: path.to_owned(), why: "a symbolic link is not followed" },
        Errno::NXIO => RecordError::Unsafe { path: path.to_owned(), why: "this is no file" },
        error => RecordError::io(path, error),
    }
}

/// A file that was there before is appended to only where it is ours alone.
fn check_ours(file: &File, path: &Path) -> Result<(), RecordError> {
    let data = file.metadata().map_err(|error| RecordError::io(path, error))?;
    let why = if !data.is_file() {
        "this is no file"
    } else if data.uid() != geteuid().as_raw() {
        "the file belongs to another user"
    } else if data.nlink() != 1 {
        "the file has a second name"
    } else if data.mode() & 0o022 != 0 {
        "others may write to the file: chmod go-w it"
    } else {
        return Ok(());
    };
    Err(RecordError::Unsafe { path: path.to_owned(), why })
}

fn grant(file: &File, path: &Path, group: Option<u32>) -> Result<(), RecordError> {
    let Some(group) = group else { return Ok(()) };
    let group = rustix::process::Gid::from_raw(group);
    rustix::fs::fchown(file, None, Some(group)).map_err(|error| RecordError::io(path, error))
}

/// Locks a file against a second recorder. The first lock excludes; the second is there to tell the other our pid, which
/// flock(2) does not.
fn lock(file: &File, path: &Path) -> Result<(), RecordError> {
    // A file system without locks: better a recording than none.
    if rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
        let holder = fcntl_getlk(file, &FlockType::WriteLock.into()).ok().flatten();
        let pid = holder.and_then(|lock| lock.pid).map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
        return Err(RecordError::Busy { path: path.to_owned(), pid });
    }
    let _ = rustix::fs::fcntl_lock(file, FlockOperation::NonBlockingLockExclusive);
    Ok(())
}

/// A folder of segments that this recorder alone writes to.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    group: Option<u32>,
    /// Locked for as long as it is open.
    _lock: File,
}

/// The file whose lock stands for the folder's.
const LOCK: &str = ".recorder";

impl Folder {
    /// Opens a folder, or makes one.
    pub fn open(path: &Path, group: Option<u32>) -> Result<Self, RecordError> {
        let mode = if group.is_some() { Mode::RWXU | Mode::RGRP | Mode::XGRP } else { Mode::RWXU };
        let is_new = match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(RecordError::io(path, error)),
        };
        let folder = open_folder(path)?;
        let data = folder.metadata().map_err(|error| RecordError::io(path, error))?;
        if data.uid() != geteuid().as_raw() {
            return Err(RecordError::Unsafe { path: path.to_owned(), why: "the folder belongs to another user" });
        }
        if is_new {
            rustix::fs::fchmod(&folder, mode).map_err(|error| RecordError::io(path, error))?;
            grant(&folder, path, group)?;
        }
        let lock = Output::open(&path.join(LOCK), None).map_err(|error| match error {
            RecordError::Busy { pid, .. } => RecordError::Busy { path: path.to_owned(), pid },
            error => error,
        })?;
        Ok(Self { path: path.to_owned(), group, _lock: lock.file })
    }

    /// Begins a segment at a moment, milliseconds since the epoch.
    pub fn begin(&self, wall_ms: i64) -> Result<Output, RecordError> {
        let stem = format!("{PREFIX}{}", stamp(wall_ms));
        // Two segments of one second, or a clock that went back.
        for nth in 0..1000 {
            let name = if nth == 0 { stem.clone() } else { format!("{stem}-{nth:03}") };
            let path = self.path.join(name).with_added_extension(EXTENSION);
            if !path.exists() {
                return Output::open(&path, self.group);
            }
        }
        Err(RecordError::io(&self.path, io::ErrorKind::AlreadyExists))
    }

    /// Its segments, the oldest first, with their sizes.
    pub fn segments(&self) -> Vec<(PathBuf, u64)> {
        let sized = |path: PathBuf| {
            let data = path.symlink_metadata().ok().filter(std::fs::Metadata::is_file)?;
            Some((path, data.len()))
        };
        list(&self.path).unwrap_or_default().into_iter().filter_map(sized).collect()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// `20261125T030201Z`: sorts by time.
fn stamp(wall_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(wall_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// When the segment of a path was begun, milliseconds since the epoch.
pub(super) fn begun(path: &Path) -> Option<i64> {
    let name = path.file_name()?.to_str()?;
    let stamp = name.strip_prefix(PREFIX)?.get(..16)?;
    let at = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", stamp).ok()?.to_datetime().ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_segment =
        |path: &Path| path.extension().is_some_and(|extension| extension == EXTENSION) && begun(path).is_some();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        files.extend(Some(entry?.path()).filter(|path| is_segment(path)));
    }
    files.sort();
    Ok(files)
}

/// The files of a recording, the oldest first: the file itself, or the segments of a folder.
pub(super) fn segments(path: &Path) -> Result<Vec<PathBuf>, RecordError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    list(path).map_err(|error| RecordError::io(path, error))
}

/// Opens a file to be read: a file, and nothing that would keep us waiting.
pub(super) fn open_to_read(path: &Path) -> Result<File, RecordError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| RecordError::io(path, error))?;
    let file = File::from(file);
    let is_file = file.metadata().map_err(|error| RecordError::io(path, error))?.is_file();
    if is_file { Ok(file) } else { Err(RecordError::NotARecording { path: path.to_owned() }) }
}
