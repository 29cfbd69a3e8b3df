//! The time of a sample: since boot, which never jumps, and the wall clock's.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use super::files::Buffer;
use super::parse::{lines, take_number};
use super::root::ProcRoot;
use crate::model::reading::BootMs;

/// Time since boot and milliseconds since the epoch. A recorded tree stands at the moment its `uptime` and the
/// `btime` line of its `stat` tell.
pub(super) fn now(root: &ProcRoot, buffer: &mut Buffer) -> (BootMs, i64) {
    if root.is_live {
        let since_boot = clock_gettime(ClockId::Boottime);
        let boot_ms = since_boot.tv_sec as u64 * 1000 + since_boot.tv_nsec as u64 / 1_000_000;
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        return (BootMs(boot_ms), wall.as_millis() as i64);
    }
    let uptime = buffer.read_path(&root.proc.join("uptime")).map(parse_uptime).unwrap_or_default();
    let boot_time = buffer.read_path(&root.proc.join("stat")).ok().and_then(parse_boot_time).unwrap_or(0);
    let wall_ms = boot_time.saturating_mul(1000).saturating_add(uptime);
    (BootMs(uptime), i64::try_from(wall_ms).unwrap_or(i64::MAX))
}

/// `/proc/uptime`: seconds with two decimals, in milliseconds.
fn parse_uptime(bytes: &[u8]) -> u64 {
    let mut rest = bytes;
    let seconds = take_number(&mut rest).unwrap_or(0);
    let hundredths = rest.strip_prefix(b".").and_then(|mut rest| take_number(&mut rest)).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(hundredths.min(99) * 10)
}

fn parse_boot_time(bytes: &[u8]) -> Option<u64> {
    let mut rest = lines(bytes).find_map(|line| line.strip_prefix(b"btime "))?;
    take_number(&mut rest)
}

/// CPU time of this thread, microseconds.
pub(super) fn thread_cpu_us() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_has_hundredths() {
        assert_eq!(parse_uptime(b"11520.05 100.00\n"), 11_520_050);
        assert_eq!(parse_boot_time(b"cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_000));
    }
}
