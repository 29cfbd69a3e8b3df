//! Metrics of memtide itself, by the names that Prometheus's client libraries have for them.

use super::{Family, Kind, Labels};
use crate::model::snapshot::Snapshot;

pub(super) fn families(snapshot: &Snapshot, pid: Option<u32>) -> Vec<Family> {
    let sample = &snapshot.sample;
    let mut build = Family::new("memtide_build", Kind::Info, "", "The version of memtide and of the kernel below it.");
    let kernel = super::label(&sample.host.kernel.escaped());
    build.add(&Labels::from([("version", env!("CARGO_PKG_VERSION").to_owned()), ("kernel", kernel)]), 1.0);
    let place = pid.and_then(|pid| sample.processes.binary_search_by_key(&pid, |process| process.key.pid).ok());
    let process = place.map(|place| &sample.processes[place]);
    let ticks = sample.host.clock_ticks.max(1) as f64;
    let gauge =
        |name: &'static str, unit, help, value: Option<f64>| Family::new(name, Kind::Gauge, unit, help).single(value);
    vec![
        build,
        gauge(
            "memtide_last_sample_time_seconds",
            "seconds",
            "When the kernel was read, by the wall clock.",
            Some(sample.wall_ms as f64 / 1000.0),
        ),
        gauge(
            "memtide_denied_processes",
            "",
            "Processes whose PSS is another user's to see.",
            Some(f64::from(sample.scan.denied)),
        ),
        gauge(
            "memtide_scan_seconds",
            "seconds",
            "CPU time that the last look at the kernel took.",
            Some(sample.scan.cost_us as f64 / 1e6),
        ),
        gauge(
            "process_resident_memory_bytes",
            "bytes",
            "RSS of memtide itself.",
            process.and_then(|process| process.resident.value()).map(|resident| resident.rss as f64),
        ),
        gauge(
            "process_open_fds",
            "",
            "Files that memtide has open.",
            process.and_then(|process| process.fds.reading.value()).map(f64::from),
        ),
        gauge(
            "process_max_fds",
            "",
            "Files that memtide may open.",
            process.and_then(|process| process.fd_limit.reading.value()).map(|limit| limit as f64),
        ),
        Family::new("process_cpu_seconds", Kind::Counter, "seconds", "CPU time that memtide has taken.")
            .single(process.and_then(|process| process.stat.reading.value()).map(|stat| stat.cpu_ticks as f64 / ticks)),
    ]
}
