//! The file of a snapshot: new, for its owner alone, and under its name only once it is whole. Until then it is called
//! `NAME.part`, and it goes where nothing comes of it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, linkat, openat, renameat_with, statat, unlinkat};
use rustix::io::Errno;

use super::error::HeapError;
use super::estimate::is_nearly_full;

/// How often the room on the disk is looked at, bytes written.
const LOOK: u64 = 16 << 20;

/// A file that is not whole yet.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    folder: OwnedFd,
    name: OsString,
    part: OsString,
    file: Option<BufWriter<File>>,
    written: u64,
    looked: u64,
    /// How much may be written, and whether what stays free on the disk is left alone.
    most: u64,
    is_careful: bool,
}

/// The folder and the name of a file that is not there yet.
pub(super) fn place(path: &Path) -> Result<(OwnedFd, OsString), HeapError> {
    let refuse = |why: String| HeapError::refused(format!("{}: {why}", path.display()));
    let name = path.file_name().ok_or_else(|| refuse("it is no name of a file".into()))?.to_owned();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = openat(CWD, folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| refuse(format!("its folder can't be opened: {error}")))?;
    match statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok((folder, name)),
        Ok(_) => Err(refuse("it is there already, and is not written over".into())),
        Err(error) => Err(refuse(error.to_string())),
    }
}

impl Output {
    /// Begins a file of at most so many bytes.
    pub(super) fn create(path: &Path, most: u64, is_careful: bool) -> Result<Self, HeapError> {
        let (folder, name) = place(path)?;
        let mut part = name.clone();
        part.push(".part");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&folder, &part, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| HeapError::refused(format!("{}.part: {error}", path.display())))?;
        Ok(Self {
            path: path.to_owned(),
            folder,
            name,
            part,
            file: Some(BufWriter::with_capacity(1 << 20, File::from(file))),
            written: 0,
            looked: 0,
            most,
            is_careful,
        })
    }

    pub(super) fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// Sets how much may be written.
    pub(super) fn allow(&mut self, most: u64) {
        self.most = most;
    }

    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), HeapError> {
        self.written += bytes.len() as u64;
        if self.written > self.most {
            return Err(HeapError::failed(format!(
                "it sends more than a snapshot of its heap can have ({})",
                crate::units::Bytes(self.most)
            )));
        }
        if self.is_careful && self.written - self.looked >= LOOK {
            self.looked = self.written;
            if is_nearly_full(self.folder.as_fd()) {
                return Err(self.failed(&"the file system is nearly full"));
            }
        }
        let written = self.file.as_mut().map(|file| file.write_all(bytes));
        written.unwrap_or(Ok(())).map_err(|error| self.failed(&error))
    }

    /// Gives it its name.
    pub(super) fn finish(mut self) -> Result<u64, HeapError> {
        let file = self.file.take().map(BufWriter::into_inner).transpose();
        let file = file.map_err(|error| self.failed(error.error()))?;
        file.map(|file| file.sync_data()).transpose().map_err(|error| self.failed(&error))?;
        let named = match renameat_with(&self.folder, &self.part, &self.folder, &self.name, RenameFlags::NOREPLACE) {
            // Not every file system knows how to rename without replacing.
            Err(Errno::INVAL | Errno::NOSYS) => {
                linkat(&self.folder, &self.part, &self.folder, &self.name, AtFlags::empty())
                    .and_then(|()| unlinkat(&self.folder, &self.part, AtFlags::empty()))
            }
            other => other,
        };
        named.map_err(|error| self.failed(&error))?;
        self.part.clear();
        Ok(self.written)
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> HeapError {
        HeapError::failed(format!("{}: {error}", self.path.display()))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.part.is_empty() {
            // Half a snapshot is of no use: its names come last.
            let _ = unlinkat(&self.folder, &self.part, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_has_its_name_once_it_is_whole_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.heapsnapshot");
        let mut output = Output::create(&path, 100, true).unwrap();
        output.write(b"{}").unwrap();
        assert!(!path.exists() && folder.path().join("a.heapsnapshot.part").exists());
        assert_eq!(output.finish(), Ok(2));
        assert_eq!(std::fs::read(&path).unwrap(), b"{}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(Output::create(&path, 100, true).unwrap_err().text.contains("is there already"));
    }

    #[test]
    fn what_is_given_up_or_grows_without_end_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b");
        let mut output = Output::create(&path, 3, true).unwrap();
        output.write(b"{}").unwrap();
        assert!(output.write(b"  ").unwrap_err().text.contains("more than"));
        drop(output);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn no_link_is_followed_and_nothing_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let (path, part) = (folder.path().join("c"), folder.path().join("c.part"));
        std::os::unix::fs::symlink("/nonexistent/elsewhere", &path).unwrap();
        assert!(Output::create(&path, 9, true).unwrap_err().text.contains("is there already"));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(folder.path().join("victim"), &part).unwrap();
        assert!(Output::create(&path, 9, true).is_err());
        assert!(!folder.path().join("victim").exists() && part.is_symlink());
        std::fs::remove_file(&part).unwrap();
        // Somebody makes a file of that name meanwhile.
        let output = Output::create(&path, 9, true).unwrap();
        std::fs::write(&path, "theirs").unwrap();
        assert!(output.finish().is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
        assert!(!part.exists());
    }
}
