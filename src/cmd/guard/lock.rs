//! One guard for each state file: two would each undo what the other remembers.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

/// A state file that is ours for as long as this is there; the kernel lets it go with us, however we end.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Why it is not ours.
#[derive(Debug)]
pub(super) enum Unlocked {
    /// Another guard has it: its pid, where it is known.
    Held(Option<u32>),
    /// The lock can't be had at all.
    Failed(io::Error),
}

impl Lock {
    /// Takes the lock beside a state file: the file itself is another one each time it is kept. (flock(2): what is held
    /// is the open file, which no hook inherits.)
    pub(super) fn take(state: &Path) -> Result<Self, Unlocked> {
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let path = beside(state).map_err(Unlocked::Failed)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(flags.bits() as i32)
            .open(path)
            .map_err(Unlocked::Failed)?;
        let data = file.metadata().map_err(Unlocked::Failed)?;
        if !data.is_file() || data.uid() != rustix::process::geteuid().as_raw() {
            return Err(Unlocked::Failed(io::Error::other("its lock is no regular file, or another user's")));
        }
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(Unlocked::Held(holder(&mut file))),
            Err(error) => return Err(Unlocked::Failed(error.into())),
        }
        // Who holds it is for people: on a full disk nobody is told, and the lock holds all the same.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// `.guard.json.lock` beside `guard.json`.
fn beside(state: &Path) -> io::Result<PathBuf> {
    let mut name = OsString::from(".");
    name.push(state.file_name().ok_or_else(|| io::Error::other("it names no file"))?);
    name.push(".lock");
    Ok(state.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_was_first_and_has_it_once_that_one_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let first = Lock::take(&state).unwrap();
        let held = |result| matches!(result, Err(Unlocked::Held(Some(pid))) if pid == std::process::id());
        assert!(held(Lock::take(&state)));
        assert!(Lock::take(&folder.path().join("other")).is_ok());
        drop(first);
        assert!(Lock::take(&state).is_ok());
    }

    #[test]
    fn a_lock_is_never_taken_through_a_link_nor_where_there_is_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path().join("x"), folder.path().join(".state.lock")).unwrap();
        for state in [folder.path().join("state"), folder.path().join("none/state")] {
            assert!(matches!(Lock::take(&state), Err(Unlocked::Failed(_))), "{state:?}");
        }
    }
}
