//! A /proc of very many processes.

use std::fs;
use std::path::Path;

/// A root with so many processes, on a file system in RAM where there is one: four names a process. All are hard links
/// to the same four files: the folder's name tells who it is.
pub fn tree_of_many(count: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let shared = folder.path().join("shared");
    let of = |name: &str| shared.join(name);
    put(&of("statm"), "1000 500 200 10 0 100 0\n");
    put(&of("status"), "Name:\tx\nUid:\t1\t1\t1\t1\nVmHWM:\t2000 kB\nVmSwap:\t0 kB\n");
    put(&of("smaps_rollup"), "0-1 ---p [rollup]\nRss: 2000 kB\nPss: 1500 kB\nPrivate_Dirty: 1200 kB\nSwapPss: 0 kB\n");
    put(&of("stat"), "1 (many) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0\n");
    put(&folder.path().join("proc/meminfo"), "MemTotal: 400000000 kB\nMemFree: 4000 kB\nMemAvailable: 500000 kB\n");
    put(&folder.path().join("proc/uptime"), "100.00 50.00\n");
    for pid in 1..=count {
        let own = folder.path().join("proc").join(pid.to_string());
        fs::create_dir(&own).unwrap();
        for name in ["statm", "status", "smaps_rollup", "stat"] {
            let target = own.join(name);
            // A file has a bounded number of names on some file systems.
            if fs::hard_link(of(name), &target).is_err() {
                fs::copy(of(name), &target).unwrap();
            }
        }
    }
    folder
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
