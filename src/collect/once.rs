//! A single complete sample, for commands that print and end: as many threads as help, and no more rollups than it
//! takes to prove the order.

use std::sync::Arc;

use super::clock::{now, thread_cpu_us};
use super::collector::{read_own_cgroup, read_system};
use super::error::CollectError;
use super::files::list_pids;
use super::host::read_host;
use super::process::{ProcessReader, Unseen};
use super::root::ProcRoot;
use super::system::SystemReader;
use super::turn::Largest;
use crate::model::field::{Source, SourceSet};
use crate::model::process::ProcessSample;
use crate::model::reading::{BootMs, Reading};
use crate::model::sample::{Sample, Scan};

/// What a single sample must hold.
#[derive(Clone, Copy, Debug)]
pub struct Once {
    /// What is read of every process.
    pub sources: SourceSet,
    /// Where only so many of the largest by PSS matter: everything but key, name and RSS of the others stays
    /// [`Reading::Pending`].
    pub top_by_pss: Option<usize>,
}

/// Processes that make starting threads worth it.
const MANY: usize = 64;

/// Processes whose rollups are read between two looks at the bound.
const WAVE: usize = 64;

/// Reads the machine once.
pub fn read_once(root: &ProcRoot, wish: &Once) -> Result<Sample, CollectError> {
    let cpu_before = thread_cpu_us();
    let mut reader = ProcessReader::new(root)?;
    let (at, wall_ms) = now(root, reader.buffer());
    let mut pids = Vec::new();
    list_pids(reader.proc(), &mut pids).map_err(|error| CollectError::read(&root.proc, error))?;
    let (mut processes, hidden) = find(&pids, &reader, at);
    let sources: Vec<Source> = ORDER.into_iter().filter(|source| wish.sources.contains(*source)).collect();
    match wish.top_by_pss {
        Some(top) => {
            let proven = read_top(&mut processes, top, &reader, at);
            let rest: Vec<Source> = sources.into_iter().filter(|source| *source != Source::Rollup).collect();
            for_each(&mut processes[..proven], &reader, |reader, process| reader.read_unheld(process, &rest, at));
        }
        None => for_each(&mut processes, &reader, |reader, process| reader.read_unheld(process, &sources, at)),
    }
    processes.retain(|process| process.resident != Reading::Gone);
    processes.sort_unstable_by_key(|process| process.key.pid);
    let own_cgroup = read_own_cgroup(root, &mut reader);
    let system = read_system(&mut SystemReader::new(), root, &mut reader, own_cgroup.as_ref(), at)?;
    let scan = Scan {
        cost_us: thread_cpu_us().saturating_sub(cpu_before),
        denied: hidden + processes.iter().filter(|process| process.is_denied()).count() as u32,
        pending: processes
            .iter()
            .filter(|process| process.rollup.reading == crate::model::reading::Reading::Pending)
            .count() as u32,
        is_hiding: hidden > 0 || processes.first().is_none_or(|first| first.key.pid != 1),
        missed: 0,
    };
    let host = Arc::new(read_host(root));
    let processes = processes.into_iter().map(Arc::new).collect();
    Ok(Sample { wall_ms, at, interval_ms: 0, host, system, processes, scan })
}

/// Reads the machine without its processes.
pub fn read_machine(root: &ProcRoot) -> Result<Sample, CollectError> {
    let mut reader = ProcessReader::new(root)?;
    let (at, wall_ms) = now(root, reader.buffer());
    let own_cgroup = read_own_cgroup(root, &mut reader);
    let system = read_system(&mut SystemReader::new(), root, &mut reader, own_cgroup.as_ref(), at)?;
    let host = Arc::new(read_host(root));
    Ok(Sample { wall_ms, at, interval_ms: 0, host, system, processes: Vec::new(), scan: Scan::default() })
}

/// Identity first: its status file answers two questions at once.
const ORDER: [Source; 6] =
    [Source::Identity, Source::Status, Source::Rollup, Source::Fds, Source::Limits, Source::OomScore];

/// Key, name and `statm` of every process.
fn find(pids: &[u32], reader: &ProcessReader, at: BootMs) -> (Vec<ProcessSample>, u32) {
    let mut slots: Vec<(u32, Result<ProcessSample, Unseen>)> =
        pids.iter().map(|pid| (*pid, Err(Unseen::Gone))).collect();
    for_each(&mut slots, reader, |reader, (pid, slot)| {
        *slot = reader.find(*pid, at).map(|(process, _)| process);
    });
    let hidden = slots.iter().filter(|(_, slot)| matches!(slot, Err(Unseen::Hidden))).count() as u32;
    (slots.into_iter().filter_map(|(_, slot)| slot.ok()).collect(), hidden)
}

/// Reads rollups from the largest RSS down until the rest can't be among the `top` largest by PSS. Leaves
/// `processes` ordered so that those which were read come first, and says how many they are.
fn read_top(processes: &mut [ProcessSample], top: usize, reader: &ProcessReader, at: BootMs) -> usize {
    let upper_bound = |process: &ProcessSample| {
        let threads = process.stat.reading.value().map_or(1, |stat| stat.threads);
        process.resident.value().map_or(0, |resident| resident.rss.saturating_add(reader.rss_slack(threads)))
    };
    processes.sort_by_key(|process| std::cmp::Reverse(upper_bound(process)));
    let mut largest = Largest::new(top);
    let mut read = 0;
    while read < processes.len() {
        if largest.bound().is_some_and(|bound| upper_bound(&processes[read]) < bound) {
            break;
        }
        let wave = WAVE.min(processes.len() - read);
        let wave = &mut processes[read..read + wave];
        for_each(wave, reader, |reader, process| reader.read_unheld(process, &[Source::Rollup], at));
        for process in &*wave {
            largest.push(process.rollup.reading.value().map_or(0, |rollup| rollup.pss));
        }
        read += wave.len();
    }
    read
}

/// Runs `work` on every item, on several threads where there are many.
fn for_each<T: Send>(items: &mut [T], reader: &ProcessReader, work: impl Fn(&mut ProcessReader, &mut T) + Sync) {
    let threads = std::thread::available_parallelism().map_or(1, |cpus| cpus.get().min(4));
    if items.len() < MANY || threads == 1 {
        let mut reader = reader.for_thread();
        for item in items {
            work(&mut reader, item);
        }
        return;
    }
    // Small parts, taken in turn: one process of many gigabytes must not leave the other threads idle.
    let parts = std::sync::Mutex::new(items.chunks_mut(MANY / 8));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut reader = reader.for_thread();
                loop {
                    let part = parts.lock().map(|mut parts| parts.next());
                    let Ok(Some(part)) = part else { break };
                    for item in part {
                        work(&mut reader, item);
                    }
                }
            });
        }
    });
}
