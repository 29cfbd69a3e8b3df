//! A memory cgroup for one subject. Dropping it ends what is in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A control group of the memory controller, v1 or v2.
pub struct Group {
    folder: PathBuf,
    /// Its path in the hierarchy.
    pub path: String,
    is_v1: bool,
}

impl Group {
    pub fn create(scene: &str, name: &str, limit_mib: Option<u64>, both_mib: Option<u64>) -> Self {
        let is_v1 = Path::new("/sys/fs/cgroup/memory").is_dir();
        let mount = if is_v1 { "/sys/fs/cgroup/memory" } else { "/sys/fs/cgroup" };
        let path = format!("/leak-traces/{scene}/{name}");
        let folder = PathBuf::from(format!("{mount}{path}"));
        fs::create_dir_all(&folder).unwrap();
        if !is_v1 {
            for parent in [mount.to_owned(), format!("{mount}/leak-traces"), format!("{mount}/leak-traces/{scene}")] {
                fs::write(Path::new(&parent).join("cgroup.subtree_control"), "+memory").unwrap();
            }
        }
        let group = Self { folder, path, is_v1 };
        if let Some(limit) = limit_mib {
            // What has no part of swap must not get any, should there be some.
            let both = both_mib.unwrap_or(limit);
            let (ram_file, swap_file, swap) = if is_v1 {
                ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", both)
            } else {
                ("memory.max", "memory.swap.max", both - limit)
            };
            group.write(ram_file, limit << 20);
            group.write(swap_file, swap << 20);
        }
        group
    }

    fn write(&self, file: &str, value: u64) {
        fs::write(self.folder.join(file), value.to_string()).unwrap();
    }

    /// The file that takes in a process.
    pub fn door(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    pub fn pids(&self) -> Vec<Pid> {
        let text = fs::read_to_string(self.door()).unwrap_or_default();
        text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect()
    }

    pub fn signal(&self, signal: Signal) {
        for pid in self.pids() {
            // It may have ended in between.
            let _ = kill_process(pid, signal);
        }
    }

    /// How often the kernel has killed for the limit.
    pub fn oom_kills(&self) -> u64 {
        let file = if self.is_v1 { "memory.oom_control" } else { "memory.events" };
        let text = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
        self.signal(Signal::TERM);
        let since = Instant::now();
        while !self.pids().is_empty() && since.elapsed() < Duration::from_mins(1) {
            if since.elapsed() > Duration::from_secs(10) {
                self.signal(Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // The scene's folder goes with its last group.
        for folder in self.folder.ancestors().take(3) {
            let _ = fs::remove_dir(folder);
        }
    }
}
