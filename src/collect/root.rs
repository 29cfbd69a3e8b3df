//! Where the kernel's files are: the only way from a name to a path, so that every reader runs on recorded
//! trees as well as on the live machine.

use std::path::{Path, PathBuf};

/// The roots of procfs, sysfs and cgroupfs, and the two numbers without which their contents mean nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcRoot {
    /// procfs.
    pub proc: PathBuf,
    /// sysfs.
    pub sys: PathBuf,
    /// cgroupfs: the mount point on a v2 system, the folder of the hierarchies on v1.
    pub cgroup: PathBuf,
    /// `/dev/shm`: POSIX shared memory.
    pub shm: PathBuf,
    /// /etc, for the distribution's name and the users of a recorded tree.
    pub etc: PathBuf,
    /// /var, where container engines keep names.
    pub var: PathBuf,
    /// /run, where they keep those of what runs.
    pub run: PathBuf,
    /// Bytes in a page.
    pub page_size: u64,
    /// Clock ticks in a second, the unit of start times.
    pub clock_ticks: u64,
    /// Whether this is the running kernel, and not a recorded tree.
    pub is_live: bool,
}

impl ProcRoot {
    /// The running kernel's.
    pub fn live() -> Self {
        Self {
            proc: "/proc".into(),
            sys: "/sys".into(),
            cgroup: "/sys/fs/cgroup".into(),
            shm: "/dev/shm".into(),
            etc: "/etc".into(),
            var: "/var".into(),
            run: "/run".into(),
            page_size: rustix::param::page_size() as u64,
            clock_ticks: rustix::param::clock_ticks_per_second(),
            is_live: true,
        }
    }

    /// A recorded tree: a folder with `proc`, `sys`, `cgroup` and `etc` in it, of 4 KiB pages and 100 ticks a second.
    pub fn recorded(folder: &Path) -> Self {
        Self {
            proc: folder.join("proc"),
            sys: folder.join("sys"),
            cgroup: folder.join("cgroup"),
            shm: folder.join("shm"),
            etc: folder.join("etc"),
            var: folder.join("var"),
            run: folder.join("run"),
            page_size: 4096,
            clock_ticks: 100,
            is_live: false,
        }
    }

    /// The recorded trees of one machine in `folder`, a moment each: `t0`, `t1`, …, or `folder` itself where it is one.
    pub fn recorded_steps(folder: &Path) -> Vec<Self> {
        let steps = (0..).map(|step| folder.join(format!("t{step}"))).take_while(|step| step.is_dir());
        let mut roots: Vec<Self> = steps.map(|step| Self::recorded(&step)).collect();
        if roots.is_empty() {
            roots.push(Self::recorded(folder));
        }
        roots
    }
}
