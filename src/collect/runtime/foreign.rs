//! Files as another process would find them: below its root folder. Whoever owns the process chose the names there, so
//! no symbolic link is followed, nothing is waited for, and only regular files are read.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, RawDir, fstat, openat};
use rustix::io::Errno;

use crate::collect::files::open_at;

/// The root folder of a process: `/proc/PID/root`.
pub(super) struct Root(OwnedFd);

impl Root {
    /// Opens it below the process's folder in procfs.
    pub(super) fn open(process: impl AsFd) -> Result<Self, Errno> {
        open_at(process, c"root").map(Self)
    }

    /// The first `limit` bytes of a file, and its owner.
    pub(super) fn read(&self, path: &[u8], limit: usize) -> Result<(Vec<u8>, u32), Errno> {
        let (folder, name) = self.folder_of(path)?;
        read_in(&folder, name, limit)
    }

    /// The names in a folder that begin like this, and the folder.
    pub(super) fn list(&self, path: &[u8], prefix: &[u8], most: usize) -> Result<Vec<Vec<u8>>, Errno> {
        let folder = open_folder(&self.folder_of(&[path, b"/."].concat())?.0, b".")?;
        let mut space = [std::mem::MaybeUninit::<u8>::uninit(); 16 * 1024];
        let mut entries = RawDir::new(&folder, &mut space);
        let mut names = Vec::new();
        // A folder of a million names is not worth the wait.
        for _ in 0..MOST_ENTRIES {
            let Some(entry) = entries.next() else { break };
            let name = entry?.file_name().to_bytes().to_vec();
            if name.starts_with(prefix) && names.len() < most {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// The folder that a path lies in, and its last part.
    fn folder_of<'a>(&self, path: &'a [u8]) -> Result<(OwnedFd, &'a [u8]), Errno> {
        let mut parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
        let name = parts.pop().ok_or(Errno::NOENT)?;
        let mut folder = self.0.try_clone().map_err(|_| Errno::MFILE)?;
        for part in parts {
            folder = open_folder(&folder, part)?;
        }
        Ok((folder, name))
    }
}

/// Entries of a folder that are looked at.
const MOST_ENTRIES: usize = 4096;

fn open_folder(folder: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    if name == b".." {
        return Err(Errno::NOENT);
    }
    let name = CString::new(name).map_err(|_| Errno::NOENT)?;
    openat(
        folder,
        name.as_c_str(),
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

fn read_in(folder: &OwnedFd, name: &[u8], limit: usize) -> Result<(Vec<u8>, u32), Errno> {
    let name = CString::new(name).map_err(|_| Errno::NOENT)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(folder, name.as_c_str(), flags, Mode::empty())?;
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Errno::NOENT);
    }
    let mut bytes = vec![0; limit.min(usize::try_from(stat.st_size).unwrap_or(0))];
    let mut length = 0;
    while length < bytes.len() {
        match rustix::io::read(&file, &mut bytes[length..])? {
            0 => break,
            count => length += count,
        }
    }
    bytes.truncate(length);
    Ok((bytes, stat.st_uid))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    fn root(folder: &Path) -> Root {
        symlink(folder, folder.join("root")).unwrap();
        Root::open(std::fs::File::open(folder).unwrap()).unwrap()
    }

    #[test]
    fn a_file_is_found_below_the_root() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("etc/app")).unwrap();
        std::fs::write(folder.path().join("etc/app/app.conf"), "maxmemory 1gb\n").unwrap();
        let root = root(folder.path());
        assert_eq!(root.read(b"/etc/app/app.conf", 1 << 20).unwrap().0, b"maxmemory 1gb\n");
        assert_eq!(root.read(b"/etc/app/app.conf", 4).unwrap().0, b"maxm");
        assert_eq!(root.list(b"/etc", b"a", 9).unwrap(), [b"app".to_vec()]);
        assert_eq!(root.read(b"/etc/none", 9), Err(Errno::NOENT));
    }

    #[test]
    fn no_link_leads_out_and_no_pipe_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("etc")).unwrap();
        symlink("/etc", folder.path().join("link")).unwrap();
        symlink("/etc/passwd", folder.path().join("etc/passwd")).unwrap();
        let pipe = folder.path().join("etc/pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let root = root(folder.path());
        for path in ["/link/passwd", "/etc/passwd", "/etc/pipe", "/etc/../etc/pipe", "/", "/etc"] {
            assert!(root.read(path.as_bytes(), 99).is_err(), "{path}");
        }
        assert!(root.list(b"/link", b"p", 9).is_err());
    }
}
