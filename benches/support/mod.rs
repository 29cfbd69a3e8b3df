//! What the measurements share: the text of /proc as this kernel writes it, and a tree of many processes.
#![allow(dead_code, unreachable_pub, reason = "each measurement uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a measurement that can't be set up should stop")]

pub mod samples;

use std::fs;
use std::path::Path;

use memtide::collect::root::ProcRoot;
use tempfile::TempDir;

/// A file of this very process.
pub fn own(file: &str) -> Vec<u8> {
    fs::read(Path::new("/proc/self").join(file)).unwrap()
}

/// A recorded tree with `count` processes, each with this process's own files under another pid.
pub fn tree(count: u32) -> (TempDir, ProcRoot) {
    let folder = tempfile::tempdir().unwrap();
    let proc = folder.path().join("proc");
    for file in ["meminfo", "vmstat", "stat", "uptime", "swaps", "mounts", "self/mountinfo"] {
        let to = proc.join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, fs::read(Path::new("/proc").join(file)).unwrap()).unwrap();
    }
    let own_pid = std::process::id().to_string();
    for pid in 1..=count {
        let to = proc.join(pid.to_string());
        fs::create_dir_all(to.join("fd")).unwrap();
        for file in ["statm", "stat", "status", "cmdline", "comm", "cgroup", "limits", "oom_score", "smaps_rollup"] {
            let text = String::from_utf8(own(file)).unwrap();
            fs::write(to.join(file), text.replacen(&own_pid, &pid.to_string(), 1)).unwrap();
        }
    }
    for name in ["sys", "cgroup", "etc"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let root = ProcRoot::recorded(folder.path());
    (folder, root)
}
