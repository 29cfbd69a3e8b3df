//! memtide's figures of swap agree with the kernel's while swap is really in use: on a file of the test's own, which is
//! taken out of use again whatever happens.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use memtide::model::field::{Value, process_field};
use memtide::model::reading::Reading;
use memtide::model::snapshot::Snapshot;
use support::programs::{Program, compiler};
use support::require::{has, has_programs};
use support::samples::{sample_in_turn, sample_once};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// A file of swap in use. Dropping it takes it out of use.
struct Swap {
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Swap {
    /// `None` where the file system can't hold swap.
    fn of(size: u64) -> Option<Self> {
        // A space in its path is written in octal by the kernel.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let file = folder.path().join("swap file");
        // Written and not only made so long: swap can't have holes.
        fs::write(&file, vec![0; size as usize]).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let run = |program: &str, args: &[&str]| Command::new(program).args(args).arg(&file).output().unwrap();
        assert!(run("mkswap", &[]).status.success());
        // Before any other swap there is.
        run("swapon", &["--priority", "1000"]).status.success().then_some(Self { file, _folder: folder })
    }
}

impl Drop for Swap {
    fn drop(&mut self) {
        let output = Command::new("swapoff").arg(&self.file).output();
        let is_off = output.as_ref().is_ok_and(|output| output.status.success());
        assert!(is_off || std::thread::panicking(), "{} is still in use as swap: {output:?}", self.file.display());
    }
}

/// The sum, in bytes, of the lines of this name in a file of `Name:  12 kB` lines, read without memtide's parsers.
fn sum(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once(':')).filter(|(found, _)| *found == name);
    lines.map(|(_, value)| value.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * KIB).sum()
}

#[test]
fn swap_and_its_proportional_share_are_the_kernels() {
    let is_root = rustix::process::geteuid().is_root();
    if !has(is_root, "root") || !has_programs(&["mkswap", "swapon", "swapoff", &compiler()]) {
        return;
    }
    let swap = Swap::of(96 * MIB);
    if !has(swap.is_some(), "a file system that can hold swap") {
        return;
    }
    // After the processes have ended: what they have in swap is not read back then.
    let swap = swap.unwrap();
    let alone = Program::swapped("alone", 16 * 1024, 0);
    let shared = Program::swapped("shared", 24 * 1024, 2);
    [&alone, &shared].into_iter().for_each(Program::freeze);

    for take in [sample_once, sample_in_turn] {
        let snapshot = Snapshot::derive(None, Arc::new(take()), memtide::model::judgement::Analysis::default());
        let row = |pid: u32| snapshot.rows().find(|row| row.process.key.pid == pid).unwrap();
        let ours = |pid: u32, key: &str| match (process_field(key).unwrap().get)(&row(pid)) {
            Reading::Value(Value::Bytes(bytes)) => bytes,
            other => panic!("{key} of {pid}: {other:?}"),
        };
        let children: Vec<u32> = snapshot
            .rows()
            .filter(|row| row.process.stat.reading.value().is_some_and(|stat| stat.ppid == shared.pid()))
            .map(|row| row.process.key.pid)
            .collect();
        assert_eq!(children.len(), 2);
        for pid in [alone.pid(), shared.pid()].into_iter().chain(children.iter().copied()) {
            let file = |name: &str| format!("/proc/{pid}/{name}");
            assert_eq!(ours(pid, "swap"), sum(&file("status"), "VmSwap"), "{pid}");
            assert_eq!(ours(pid, "swap_pss"), sum(&file("smaps_rollup"), "SwapPss"), "{pid}");
            assert_eq!(row(pid).process.rollup.reading.value().unwrap().swap, sum(&file("smaps_rollup"), "Swap"));
            assert_eq!(ours(pid, "footprint"), ours(pid, "pss") + ours(pid, "swap_pss"));
            // Rounded down to whole KiB in each mapping.
            let mappings = sum(&file("smaps"), "SwapPss");
            assert!((mappings..mappings + 64 * KIB).contains(&ours(pid, "swap_pss")), "{pid}");
        }
        // What one has alone counts in full, what three share by a third. Beside it lies what little else was idle.
        let share = |pid: u32| ours(pid, "swap_pss");
        assert!((16 * MIB..17 * MIB).contains(&share(alone.pid())), "{}", share(alone.pid()));
        for pid in children.into_iter().chain([shared.pid()]) {
            assert!((24 * MIB..25 * MIB).contains(&ours(pid, "swap")), "{}", ours(pid, "swap"));
            // A third of a page is no whole number of the kernel's fixed-point ones.
            assert!((8 * MIB - 8 * KIB..9 * MIB).contains(&share(pid)), "{}", share(pid));
            // Growth is judged on this: what went to swap is still the process's own.
            assert!(ours(pid, "private") >= 24 * MIB);
        }
        let device = snapshot.sample.system.swaps.iter().find(|device| device.path.as_bytes().ends_with(b"swap file"));
        let device = device.unwrap_or_else(|| panic!("{:?}", snapshot.sample.system.swaps));
        // The first page is the header.
        assert_eq!(device.size, 96 * MIB - rustix::param::page_size() as u64);
        assert!((40 * MIB..device.size).contains(&device.used), "{device:?}");
    }
    drop((alone, shared));
    drop(swap);
}
