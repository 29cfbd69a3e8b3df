//! Samples of many processes, as a busy machine gives them: most sleep, a few move.

use std::sync::Arc;

use memtide::model::key::ProcessKey;
use memtide::model::process::{Identity, ProcessSample, Resident, Rollup};
use memtide::model::reading::{BootMs, Reading, Stamped};
use memtide::model::sample::{Host, Sample, Scan};
use memtide::model::system::SystemSample;
use memtide::model::text::Text;

/// One after another without end, a second apart.
pub struct Samples {
    processes: Vec<Arc<ProcessSample>>,
    host: Arc<Host>,
    at: u64,
}

/// One process in so many changes its memory between two samples.
const MOVES: usize = 20;

impl Samples {
    /// Of `count` processes.
    pub fn new(count: u32) -> Self {
        let host = Host { page_size: 4096, clock_ticks: 100, cpus: 2, ..Host::default() };
        Self { processes: (1..=count).map(process).map(Arc::new).collect(), host: Arc::new(host), at: 3_600_000 }
    }

    /// The next.
    pub fn take(&mut self) -> Sample {
        let first = (self.at / 1000) as usize % MOVES;
        for process in self.processes.iter_mut().skip(first).step_by(MOVES) {
            let process = Arc::make_mut(process);
            process.resident = process.resident.map(|resident| Resident { rss: resident.rss + 65_536, ..resident });
        }
        self.at += 1000;
        let mut system = SystemSample::default();
        system.meminfo.mem_total = Reading::Value(32 << 30);
        system.meminfo.mem_available = Reading::Value(20 << 30);
        Sample {
            wall_ms: self.at.cast_signed(),
            at: BootMs(self.at),
            closer: None,
            deeds: Vec::new(),
            interval_ms: 1000,
            host: Arc::clone(&self.host),
            system,
            processes: self.processes.clone(),
            scan: Scan::default(),
        }
    }
}

fn process(pid: u32) -> ProcessSample {
    let identity = Identity {
        comm: Text::from("worker"),
        command: Text::new(format!("/usr/bin/worker --queue jobs --number {pid}").into_bytes()),
        uid: pid % 7,
        ..Identity::default()
    };
    let key = ProcessKey { pid, start_time: u64::from(pid) * 10 };
    let rss = u64::from(pid % 97 + 1) << 20;
    ProcessSample {
        resident: Reading::Value(Resident { size: rss * 4, rss, shared: rss / 4, text: 1 << 20 }),
        rollup: Stamped::new(
            Reading::Value(Rollup { rss, pss: rss - rss / 5, uss: rss / 2, ..Rollup::default() }),
            BootMs(3_600_000),
        ),
        fds: Stamped::new(Reading::Value(pid % 50), BootMs(3_600_000)),
        ..ProcessSample::found(key, Arc::new(identity))
    }
}
