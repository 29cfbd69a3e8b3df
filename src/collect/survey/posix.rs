//! POSIX shared memory: files below `/dev/shm`.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::collect::root::ProcRoot;
use crate::model::reading::{Denial, Feature, Need, Reading};
use crate::model::survey::{Attachment, ShmFile};
use crate::model::text::Text;

/// What tells a file from all others while it lives: device and inode.
pub(super) type FileKey = (u64, u64);

/// A file that was found, and how it is recognised where a process has it.
pub(super) struct Found {
    pub(super) key: FileKey,
    pub(super) file: ShmFile,
}

/// Files that are looked at, and folders that are entered below each other.
const MOST: usize = 10_000;
const DEEPEST: usize = 4;

/// Lists the files, the largest first. Who has them is not known here.
pub(super) fn list_files(root: &ProcRoot) -> Reading<Vec<Found>> {
    let mut found = Vec::new();
    let mut pending: Vec<(PathBuf, usize)> = vec![(root.shm.clone(), 0)];
    while let Some((folder, depth)) = pending.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            // A folder of another user within it keeps its files to itself.
            Err(_) if depth > 0 => continue,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Reading::Denied(Denial::Root),
            Err(_) => return Reading::Unsupported(Need::Feature(Feature::DevShm)),
        };
        for entry in entries.flatten() {
            // Of the entry itself: nothing is followed.
            let Ok(data) = entry.metadata() else { continue };
            if data.is_dir() && depth < DEEPEST {
                pending.push((entry.path(), depth + 1));
            } else if data.is_file() && found.len() < MOST {
                found.push(of_file(root, &entry.path(), &data));
            }
        }
    }
    found.sort_by(|a, b| b.file.allocated.cmp(&a.file.allocated).then_with(|| a.file.path.cmp(&b.file.path)));
    Reading::Value(found)
}

fn of_file(root: &ProcRoot, path: &Path, data: &Metadata) -> Found {
    let below = path.strip_prefix(&root.shm).unwrap_or(path);
    let file = ShmFile {
        path: Text::new(Path::new("/dev/shm").join(below).as_os_str().as_bytes()),
        uid: data.uid(),
        length: data.len(),
        allocated: data.blocks().saturating_mul(512),
        modified_s: data.mtime(),
        held: Attachment::NobodySeen,
    };
    Found { key: (data.dev(), data.ino()), file }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_by_what_they_take_and_nothing_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot::recorded(folder.path());
        assert!(list_files(&root).value().is_none(), "there is no /dev/shm");
        std::fs::create_dir_all(root.shm.join("app")).unwrap();
        std::fs::write(root.shm.join("small"), [1; 10]).unwrap();
        std::fs::write(root.shm.join("app/large"), vec![1; 100_000]).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.shm.join("link")).unwrap();
        let found = list_files(&root).value().unwrap();
        let shown: Vec<_> = found.iter().map(|found| found.file.path.escaped().into_owned()).collect();
        assert_eq!(shown, ["/dev/shm/app/large", "/dev/shm/small"]);
        assert!(found[0].file.allocated >= 100_000 && found[1].file.length == 10);
    }
}
