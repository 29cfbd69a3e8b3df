//! A control group with a limit of its memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use crate::support::pty::PATIENCE;

/// A group. Dropping it removes it, once who was in it has ended.
pub struct Group {
    folder: PathBuf,
    is_v1: bool,
}

impl Group {
    /// One with so many bytes; `None` where there is no memory controller that may be used, as in most containers.
    pub fn with(limit: u64) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let v1 = Path::new("/sys/fs/cgroup/memory");
        let is_v1 = v1.join("memory.limit_in_bytes").exists();
        let root = if is_v1 { v1 } else { Path::new("/sys/fs/cgroup") };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let group = Self { folder: root.join(format!("shop-{}-{number}", std::process::id())), is_v1 };
        fs::create_dir(&group.folder).ok()?;
        fs::write(group.folder.join(if is_v1 { "memory.limit_in_bytes" } else { "memory.max" }), limit.to_string())
            .ok()?;
        Some(group)
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.folder.file_name().unwrap().to_str().unwrap()
    }

    /// What is charged to it, in bytes.
    pub fn usage(&self) -> u64 {
        let file = if self.is_v1 { "memory.usage_in_bytes" } else { "memory.current" };
        fs::read_to_string(self.folder.join(file)).unwrap().trim().parse().unwrap()
    }

    /// The cache of files among it that was not used again, in bytes: what is given back first.
    pub fn cache(&self) -> u64 {
        let (stat, name) = (fs::read_to_string(self.folder.join("memory.stat")).unwrap(), self.is_v1);
        let line = stat
            .lines()
            .find_map(|line| line.strip_prefix(if name { "total_inactive_file " } else { "inactive_file " }));
        line.unwrap().parse().unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let since = Instant::now();
        // Who was killed in it may not be gone yet.
        while fs::remove_dir(&self.folder).is_err() && self.folder.exists() && since.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
    }
}
