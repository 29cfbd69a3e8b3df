//! What memtide notes by itself between one start and the next: that something was shown once. Not settings, which are a
//! person's own.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Where it is noted: in `$XDG_STATE_HOME`, or `~/.local/state` (XDG Base Directory Specification 0.8). `None` without a
/// home.
pub fn folder() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("memtide"))
}

/// Notes something, and says whether that is new: true once, also of two that start together. False where it can't be
/// noted: what is shown once must not be shown at every start.
pub fn note_once(folder: &Path, name: &str) -> bool {
    if !is_ours(folder) || std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).is_err() {
        return false;
    }
    // Nothing that is there is opened, a link neither.
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name)).is_ok()
}

/// Whether the folder, or the first above it that is there, is of the user whom this runs as: sudo leaves nothing of
/// root's behind in another's home.
fn is_ours(folder: &Path) -> bool {
    let there = folder.ancestors().find_map(|folder| folder.metadata().ok());
    there.is_some_and(|data| data.is_dir() && data.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_note_is_new_once_and_its_owners_alone() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".local/state/memtide");
        assert!(note_once(&folder, "seen"));
        assert!(!note_once(&folder, "seen"));
        assert!(note_once(&folder, "else"));
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("seen"))), (0o700, 0o600));
    }

    #[test]
    fn where_nothing_can_be_noted_nothing_is_new_and_nothing_fails() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(!note_once(&file.join("memtide"), "seen"));
        assert!(!note_once(Path::new("/dev/null/memtide"), "seen"));
        assert!(!note_once(Path::new("/proc/memtide"), "seen"));
        let dangling = home.path().join("dangling");
        std::os::unix::fs::symlink(home.path().join("elsewhere"), &dangling).unwrap();
        assert!(!note_once(home.path(), "dangling") && !home.path().join("elsewhere").exists());
    }

    #[test]
    fn root_leaves_nothing_in_the_home_of_another() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let home = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(home.path(), Some(65534), None).unwrap();
        assert!(!note_once(&home.path().join(".local/state/memtide"), "seen"));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
