//! The file of a mark: its owner's alone, replaced whole or not at all, never through a symbolic link.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{ParseError, SCHEMA, from_json, to_json};
use crate::model::mark::Mark;
use crate::model::sample::Sample;
use crate::model::text::Text;

/// Why a mark can't be used or kept.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// It can't be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is a link, a folder, a device.
    #[error("{path} is {what}: name a plain file", path = path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It is no mark, or a damaged one.
    #[error("{path}: {problem}: set a new mark with `{mend}`", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        problem: ParseError,
        /// The command that sets a new one.
        mend: &'static str,
    },
    /// It would be written over something else.
    #[error("{path} is there and is no mark: remove it, or name another file", path = path.display())]
    Other {
        /// The file.
        path: PathBuf,
    },
    /// Its processes and counters are of another boot.
    #[error("{path}: the mark of {host} at {time} is of another boot: its processes are gone and counters began anew; \
             set a new one with `{mend}`", path = path.display())]
    OtherBoot {
        /// The file.
        path: PathBuf,
        /// The machine's name.
        host: String,
        /// When it was set.
        time: String,
        /// The command that sets a new one.
        mend: &'static str,
    },
    /// Its process is another one.
    #[error("{path}: the mark is of {marked}, {what}; set a new one with `{mend}`", path = path.display())]
    OtherProcess {
        /// The file.
        path: PathBuf,
        /// Name and pid.
        marked: String,
        /// How the one that is looked at differs.
        what: &'static str,
        /// The command that sets a new one.
        mend: &'static str,
    },
}

/// What sets a mark of all.
const MEND: &str = "memtide ps --save-mark FILE";

/// A mark is not larger than this, bytes: 100,000 processes take a quarter.
const LARGEST: u64 = 128 << 20;

/// Reads a mark.
pub fn read(path: &Path) -> Result<Mark, MarkError> {
    from_json(&read_bytes(path)?).map_err(|problem| MarkError::Format { path: path.into(), problem, mend: MEND })
}

/// Reads a plain file.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, MarkError> {
    let io = |source| MarkError::Io { path: path.into(), source };
    // Without O_NONBLOCK a pipe without a writer would never open.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => std::fs::File::from(file),
        Err(Errno::LOOP) => return Err(MarkError::NoFile { path: path.into(), what: "a symbolic link" }),
        Err(error) => return Err(io(error.into())),
    };
    if !file.metadata().map_err(io)?.is_file() {
        return Err(MarkError::NoFile { path: path.into(), what: "no plain file" });
    }
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text).map_err(io)?;
    Ok(text)
}

/// Refuses a mark of another boot than the sample's.
pub fn check_boot(path: &Path, mark: &Mark, sample: &Sample) -> Result<(), MarkError> {
    if mark.boot_id == sample.host.boot_id {
        return Ok(());
    }
    Err(other_boot(path, &mark.host, mark.wall_ms, MEND))
}

/// A mark is of another boot.
pub(super) fn other_boot(path: &Path, host: &Text, wall_ms: i64, mend: &'static str) -> MarkError {
    let time = jiff::Timestamp::from_millisecond(wall_ms);
    let time =
        time.map_or_else(|_| "an unknown time".into(), |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
    MarkError::OtherBoot { path: path.into(), host: host.escaped().into_owned(), time, mend }
}

/// Writes a mark, in place of an older one. Nothing but a mark is ever written over.
pub fn save(path: &Path, mark: &Mark) -> Result<(), MarkError> {
    let text = to_json(mark).map_err(|error| MarkError::Io { path: path.into(), source: error.into() })?;
    write(path, SCHEMA, &text)
}

/// Writes a text that begins with its schema, in place of an older one of any version of the same.
pub(super) fn write(path: &Path, schema: &str, text: &str) -> Result<(), MarkError> {
    let io = |source| MarkError::Io { path: path.into(), source };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(io(source)),
        Ok(data) if data.is_symlink() => {
            return Err(MarkError::NoFile { path: path.into(), what: "a symbolic link" });
        }
        Ok(data) if !data.is_file() => return Err(MarkError::NoFile { path: path.into(), what: "no plain file" }),
        Ok(data) => {
            if data.len() > 0 && !begins_as(path, schema).map_err(io)? {
                return Err(MarkError::Other { path: path.into() });
            }
        }
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let new = folder.join(format!(".memtide-mark.{}", std::process::id()));
    // O_EXCL follows no link either.
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&new, path));
    if written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
        // What is half written is of no use; the error that led here is told.
        let _ = std::fs::remove_file(&new);
    }
    written.map_err(io)
}

/// Whether the file begins as one of this schema, of any version, does.
fn begins_as(path: &Path, schema: &str) -> io::Result<bool> {
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let mut head = Vec::new();
    std::fs::File::from(file).take(64).read_to_end(&mut head)?;
    let (name, _) = schema.split_once('/').unwrap_or((schema, ""));
    let begins = format!("{{\"schema\":\"{name}/");
    Ok(head.starts_with(begins.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::model::testing;

    fn mark() -> Mark {
        Mark::of("before", &testing::snapshot(Vec::new()))
    }

    #[test]
    fn a_mark_is_its_owners_alone_and_replaces_an_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        save(&path, &mark()).unwrap();
        save(&path, &Mark { name: "after".into(), ..mark() }).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&path).unwrap().name, "after");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
        let sample = testing::snapshot(Vec::new()).sample;
        check_boot(&path, &mark(), &sample).unwrap();
    }

    #[test]
    fn no_link_is_followed_and_nothing_else_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let [real, link, other, pipe] = ["real", "link", "other", "pipe"].map(|name| folder.path().join(name));
        save(&real, &mark()).unwrap();
        symlink(&real, &link).unwrap();
        std::fs::write(&other, "export PATH=/bin\n").unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        for (result, says) in [
            (read(&link).map(drop), "link is a symbolic link: name a plain file"),
            (save(&link, &mark()), "link is a symbolic link"),
            (save(&other, &mark()), "other is there and is no mark: remove it"),
            (read(&pipe).map(drop), "pipe is no plain file"),
            (save(&pipe, &mark()), "pipe is no plain file"),
            (save(folder.path(), &mark()), "is no plain file"),
            (read(&other).map(drop), "other: expected value at line 1 column 1: set a new mark with `memtide ps"),
            (read(&folder.path().join("none")).map(drop), "none: No such file"),
            (save(&folder.path().join("no/folder"), &mark()), "no/folder: No such file"),
        ] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert_eq!(std::fs::read(&other).unwrap(), b"export PATH=/bin\n");
    }

    #[test]
    fn a_mark_of_another_boot_is_refused() {
        let mut sample = (*testing::snapshot(Vec::new()).sample).clone();
        std::sync::Arc::make_mut(&mut sample.host).boot_id = "another".into();
        let error = check_boot(Path::new("/x/a.json"), &mark(), &sample).unwrap_err().to_string();
        for part in ["/x/a.json: the mark of web-1 at 2026-07-2", "another boot", "--save-mark"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
