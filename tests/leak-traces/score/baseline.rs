//! The folk methods as judges: every quantity of every process, and of the machine, is a series of its own.

use std::collections::BTreeMap;

use memtide::model::process::{ProcessSample, Resident};
use memtide::model::reading::BootMs;
use memtide::model::sample::Sample;

use super::detector::{Detector, Linear, Rank, Rose};
use super::judge::{Candidate, Judge, Suspect, Verdict};
use crate::truth::Quantity;

/// What memtide is compared with.
pub fn candidates() -> Vec<Candidate> {
    vec![
        Candidate { name: "least squares, predict_linear", make: || Box::new(PerSeries::<Linear>::default()) },
        Candidate { name: "Mann-Kendall + Sen", make: || Box::new(PerSeries::<Rank>::default()) },
        Candidate { name: "rose 20 %", make: || Box::new(PerSeries::<Rose>::default()) },
    ]
}

/// A detector for each series.
struct PerSeries<D> {
    series: BTreeMap<(Suspect, Quantity), D>,
    verdicts: Vec<Verdict>,
}

impl<D> Default for PerSeries<D> {
    fn default() -> Self {
        Self { series: BTreeMap::new(), verdicts: Vec::new() }
    }
}

impl<D: Detector + Default> Judge for PerSeries<D> {
    fn ingest(&mut self, sample: &Sample) {
        self.series.retain(|(suspect, _), _| match suspect {
            Suspect::Process(key) => sample.process(*key).is_some(),
            _ => true,
        });
        self.verdicts.clear();
        for process in &sample.processes {
            let suspect = Suspect::Process(process.key);
            let private = process.resident.value().map(|resident| Resident::anon(resident) + swap(process));
            self.look(sample.at, &suspect, Quantity::Memory, private, room_of(sample, process));
            let fds = process.fds.reading.value().map(u64::from);
            let fd_room = fds.zip(process.fd_limit.reading.value()).map(|(fds, limit)| limit.saturating_sub(fds));
            self.look(sample.at, &suspect, Quantity::Fds, fds, fd_room);
            let threads = process.stat.reading.value().map(|stat| u64::from(stat.threads));
            self.look(sample.at, &suspect, Quantity::Threads, threads, None);
        }
        let meminfo = &sample.system.meminfo;
        let available = meminfo.mem_available.value();
        self.look(sample.at, &Suspect::Machine, Quantity::Shmem, meminfo.shmem.value(), available);
        self.look(sample.at, &Suspect::Machine, Quantity::Kernel, meminfo.s_unreclaim.value(), available);
    }

    fn verdicts(&self) -> Vec<Verdict> {
        self.verdicts.clone()
    }
}

impl<D: Detector + Default> PerSeries<D> {
    fn look(&mut self, at: BootMs, suspect: &Suspect, quantity: Quantity, value: Option<u64>, room: Option<u64>) {
        let Some(value) = value else { return };
        let detector = self.series.entry((suspect.clone(), quantity)).or_default();
        detector.push(at.0, value as f64);
        let room = room.map(|room| room as f64);
        if let Some(slope) = detector.slope(room) {
            let exhausted_at = room.map(|room| BootMs(at.0 + (room / slope) as u64));
            let verdict = Verdict { suspect: suspect.clone(), quantity, per_minute: slope * 60_000.0, exhausted_at };
            self.verdicts.push(verdict);
        }
    }
}

fn swap(process: &ProcessSample) -> u64 {
    process.status.reading.value().map_or(0, |status| status.swap)
}

/// Bytes until the limit that binds a process, swap included where there is any.
fn room_of(sample: &Sample, process: &ProcessSample) -> Option<u64> {
    let Some(group) = sample.system.bound_group(&process.identity.cgroup) else {
        return sample.system.meminfo.mem_available.value();
    };
    let limit = &group.limit;
    let ram = (limit.limit + limit.inactive_file).saturating_sub(limit.usage);
    let free_swap = sample.system.meminfo.swap_free.value().unwrap_or(0);
    let swap =
        limit.swap_limit.map_or(free_swap, |most| most.saturating_sub(limit.swap_usage.unwrap_or(0)).min(free_swap));
    Some(ram + swap)
}
