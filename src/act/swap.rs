//! Swap taken out of use and back into it: what lies in swap returns to RAM (swapoff(8), swapon(8)).
//!
//! There is no safe way to the system calls themselves, so the programs make them. They run in a shell of their own,
//! outside of memtide's process group: once a device is out of use the shell brings it back, even where memtide is
//! killed meanwhile. A swapoff that is interrupted leaves the device in use.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::control::Control;
use crate::collect::root::ProcRoot;
use crate::collect::system::{parse_meminfo, parse_swaps};
use crate::model::system::SwapDevice;
use crate::units::Bytes;

/// Until swapoff has ended a signal is noted and no more; after it none reaches swapon. `$1` is the priority, or empty.
const SCRIPT: &str = "PATH=$PATH:/usr/sbin:/sbin; trap : INT TERM HUP; swapoff -- \"$2\" || exit 3; trap '' INT TERM HUP; \
                      if [ -n \"$1\" ]; then exec swapon -p \"$1\" -- \"$2\"; else exec swapon -- \"$2\"; fi";

/// How often progress is told.
const STEP: Duration = Duration::from_millis(200);

/// How long an interrupted swapoff may take to let go.
const LET_GO: Duration = Duration::from_secs(20);

/// The devices, as they are now.
pub(super) fn devices(root: &ProcRoot) -> Vec<SwapDevice> {
    std::fs::read(root.proc.join("swaps")).map(|bytes| parse_swaps(&bytes)).unwrap_or_default()
}

/// Bytes in swap, bytes available, and how many of those must stay so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) used: u64,
    pub(super) available: u64,
    pub(super) reserve: u64,
}

impl Room {
    /// As it is now; `None` where MemAvailable is not known (before Linux 3.14).
    pub(super) fn read(root: &ProcRoot) -> Option<Self> {
        let mem = parse_meminfo(&std::fs::read(root.proc.join("meminfo")).ok()?);
        let (total, available) = (mem.mem_total.value()?, mem.mem_available.value()?);
        let used = devices(root).iter().map(|device| device.used).sum();
        Some(Self { used, available, reserve: (total / 20).max(64 << 20) })
    }

    /// Whether what is in swap fits into RAM, with a reserve left.
    pub(super) fn is_enough(self) -> bool {
        self.used.checked_add(self.reserve).is_some_and(|needed| needed <= self.available)
    }
}

/// Takes every device out of use and back into it, one after the other; `tell` hears how far it is.
pub(super) fn recycle(root: &ProcRoot, control: &Control, mut tell: impl FnMut(String)) -> Vec<Result<String, String>> {
    let all = devices(root);
    if all.is_empty() {
        return vec![Err("there is no swap".into())];
    }
    let mut results = Vec::new();
    for device in all {
        if control.is_cancelled() {
            results.push(Err(format!("{}: left as it is, stopped before its turn", device.path.escaped())));
        } else if Room::read(root).is_none_or(|room| !Room { used: device.used, ..room }.is_enough()) {
            results.push(Err(format!("{}: left as it is, memory no longer covers it", device.path.escaped())));
        } else {
            results.push(one(root, &device, control, &mut tell));
        }
    }
    results
}

/// Why a swapoff was interrupted.
#[derive(Clone, Copy)]
enum Stop {
    Asked,
    Memory,
}

fn one(
    root: &ProcRoot,
    device: &SwapDevice,
    control: &Control,
    tell: &mut impl FnMut(String),
) -> Result<String, String> {
    let name = device.path.escaped().into_owned();
    let path = device.path.as_bytes();
    // A file that was deleted while in use could not be taken into use again.
    if !Path::new(OsStr::from_bytes(path)).exists() {
        return Err(format!("{name}: left as it is, there is no such file to return to"));
    }
    let priority = if device.priority >= 0 { device.priority.to_string() } else { String::new() };
    let mut child = Command::new("sh")
        .args(["-c", SCRIPT, "sh", &priority])
        .arg(OsStr::from_bytes(path))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("{name}: sh: {error}"))?;
    let mut stop = None;
    let mut deadline = None;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => {}
            Err(error) => return Err(format!("{name}: {error}")),
        }
        if stop.is_none() {
            let now = Room::read(root);
            if control.is_cancelled() {
                stop = Some(Stop::Asked);
            } else if now.is_some_and(|now| now.available < now.reserve / 2) {
                stop = Some(Stop::Memory);
            }
            if stop.is_some() {
                interrupt(&child);
                deadline = Some(Instant::now() + LET_GO);
            }
            let left = devices(root).iter().find(|now| now.path == device.path).map_or(0, |now| now.used);
            tell(format!("{name}: {} of {} back in RAM", Bytes(device.used.saturating_sub(left)), Bytes(device.used)));
        }
        if deadline.is_some_and(|deadline| deadline < Instant::now()) {
            return Err(format!("{name}: swapoff does not let go; it goes on by itself, and swapon after it"));
        }
        // Once it is to stop the wait would return at once.
        if stop.is_some() || control.wait(STEP) {
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let mut said = String::new();
    if let Some(mut errors) = child.stderr.take() {
        // What can't be read is missing from a message and no more.
        let _ = std::io::Read::read_to_string(&mut errors, &mut said);
    }
    let said = said.trim();
    let is_in_use = devices(root).iter().any(|now| now.path == device.path);
    match (status.success(), stop, is_in_use) {
        (true, _, true) => Ok(format!("{name}: {} back in RAM, in use again", Bytes(device.used))),
        (_, Some(Stop::Asked), true) => Ok(format!("{name}: stopped, it is in use as before")),
        (_, Some(Stop::Memory), true) => Err(format!("{name}: stopped, memory ran short; it is in use as before")),
        (_, _, true) => Err(format!("{name}: swapoff failed, it is in use as before: {said}")),
        (_, _, false) => Err(format!(
            "{name}: it is NOT in use any more: run swapon {}{said}",
            crate::model::shell::quote(&String::from_utf8_lossy(path)) + " "
        )),
    }
}

/// Lets swapoff end early: the shell only notes the signal.
fn interrupt(child: &Child) {
    if let Some(group) = Pid::from_raw(child.id() as i32) {
        // It fails where all of it has ended.
        let _ = kill_process_group(group, Signal::TERM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_swap_must_fit_with_a_reserve() {
        let room = |used, available| Room { used, available, reserve: 100 };
        assert!(room(300, 400).is_enough() && !room(300, 399).is_enough());
        assert!(!room(u64::MAX, u64::MAX).is_enough());
    }

    #[test]
    fn the_reserve_is_a_twentieth_of_ram_and_64_mib_at_least() {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot::recorded(folder.path());
        std::fs::create_dir_all(&root.proc).unwrap();
        let swaps = "Filename Type Size Used Priority\n/a file 2048 1024 -2\n/b file 2048 512 5\n";
        std::fs::write(root.proc.join("swaps"), swaps).unwrap();
        for (total_kib, reserve) in [(2_000_000u64, 2_000_000 * 1024 / 20), (500_000, 64 << 20)] {
            let text = format!("MemTotal: {total_kib} kB\nMemAvailable: 1000 kB\n");
            std::fs::write(root.proc.join("meminfo"), text).unwrap();
            assert_eq!(Room::read(&root), Some(Room { used: 1536 << 10, available: 1000 << 10, reserve }));
        }
    }
}
