//! Hand-built samples for tests.

use std::sync::Arc;

use super::judgement::{Analysis, Judged, Verdict};
use super::key::ProcessKey;
use super::process::{Identity, ProcessSample, Resident, Rollup, Stat};
use super::reading::{BootMs, Reading, Stamped};
use super::sample::{Host, Sample, Scan};
use super::snapshot::Snapshot;
use super::system::SystemSample;
use super::text::Text;

/// The moment of every hand-built sample.
pub(crate) const NOW: BootMs = BootMs(11_520_000);

/// A process of user `app` that sleeps.
pub(crate) fn process(pid: u32, comm: &str, command: &str) -> ProcessSample {
    let identity = Identity { comm: comm.into(), command: command.into(), uid: 1000, ..Identity::default() };
    let mut process = ProcessSample::found(ProcessKey { pid, start_time: u64::from(pid) }, Arc::new(identity));
    let stat = Stat { state: b'S', ppid: 1, threads: 1, ..Stat::default() };
    process.stat = Stamped::new(Reading::Value(stat), NOW);
    process
}

/// RSS, and PSS and USS where they are known, in MiB.
pub(crate) fn set_memory(process: &mut ProcessSample, rss: u64, shares: Option<(u64, u64)>) {
    process.resident = Reading::Value(Resident { size: rss << 22, rss: rss << 20, shared: 0, text: 4096 });
    process.rollup = match shares {
        Some((pss, uss)) => Stamped::new(
            Reading::Value(Rollup { rss: rss << 20, pss: pss << 20, uss: uss << 20, ..Rollup::default() }),
            NOW,
        ),
        None => Stamped::pending(),
    };
}

/// A snapshot of a 2 GB machine with these processes.
pub(crate) fn snapshot(processes: Vec<Arc<ProcessSample>>) -> Snapshot {
    let mut system = SystemSample { uptime_s: NOW.0 / 1000, ..SystemSample::default() };
    for (name, mib) in [
        (&b"MemTotal"[..], 1956),
        (b"MemFree", 90),
        (b"MemAvailable", 172),
        (b"Buffers", 4),
        (b"Cached", 190),
        (b"Shmem", 26),
        (b"AnonPages", 1444),
        (b"Slab", 61),
        (b"SReclaimable", 25),
        (b"SUnreclaim", 36),
        (b"PageTables", 18),
        (b"KernelStack", 12),
        (b"Percpu", 8),
        (b"SwapTotal", 512),
        (b"SwapFree", 212),
    ] {
        if let Some(line) = system.meminfo.line_mut(name) {
            *line = Reading::Value(mib << 20);
        }
    }
    let host = Host {
        name: "web-1".into(),
        page_size: 4096,
        clock_ticks: 100,
        cpus: 2,
        users: [(0, Text::from("root")), (1000, Text::from("app"))].into(),
        ..Host::default()
    };
    let judged = processes.iter().map(|_| Judged::new(0.0, Verdict::Steady, 0.9)).collect();
    let sample = Sample {
        wall_ms: 1_785_000_000_000,
        at: NOW,
        closer: None,
        deeds: Vec::new(),
        interval_ms: 1000,
        host: Arc::new(host),
        system,
        processes,
        scan: Scan::default(),
    };
    Snapshot::derive(None, Arc::new(sample), Analysis { judged, ..Analysis::default() })
}
