//! A single complete sample, for commands that print and end: as many threads as help, and no more rollups than it
//! takes to prove the order.

use std::sync::Arc;

use super::clock::{now, thread_cpu_us};
use super::collector::{read_own_cgroup, read_system};
use super::crew::for_each;
use super::error::CollectError;
use super::files::list_pids;
use super::host::read_host;
use super::process::{ProcessReader, Unseen};
use super::root::ProcRoot;
use super::system::SystemReader;
use super::top::{Found, read_top};
use crate::model::field::{Source, SourceSet};
use crate::model::process::ProcessSample;
use crate::model::reading::{BootMs, Reading};
use crate::model::sample::{Sample, Scan};

/// What a single sample must hold.
#[derive(Clone, Copy, Debug)]
pub struct Once {
    /// What is read of every process.
    pub sources: SourceSet,
    /// Where only so many of the largest by PSS matter: the sample holds no others.
    pub top_by_pss: Option<usize>,
}

/// Reads the machine once.
pub fn read_once(root: &ProcRoot, wish: &Once) -> Result<Sample, CollectError> {
    let cpu_before = thread_cpu_us();
    let mut reader = ProcessReader::new(root)?;
    let (at, wall_ms) = now(root, reader.buffer());
    let mut pids = Vec::new();
    list_pids(reader.proc(), &mut pids).map_err(|error| CollectError::read(&root.proc, error))?;
    let sources = in_order(wish.sources);
    let found = if let Some(most) = wish.top_by_pss {
        let mut found = read_top(&pids, most, &mut reader, at, root.clock_ticks);
        let rest: Vec<Source> = sources.into_iter().filter(|source| *source != Source::Rollup).collect();
        read_sources(&mut found.processes, &rest, &reader, at);
        found.processes.retain(|process| process.resident != Reading::Gone);
        found
    } else {
        let (mut processes, hidden) = find(&pids, &reader, at);
        read_sources(&mut processes, &sources, &reader, at);
        processes.retain(|process| process.resident != Reading::Gone);
        processes.sort_unstable_by_key(|process| process.key.pid);
        let denied = processes.iter().filter(|process| process.is_denied()).count() as u32;
        Found { processes, denied, hidden }
    };
    let own_cgroup = read_own_cgroup(root, &mut reader);
    let system = read_system(&mut SystemReader::new(), root, &mut reader, own_cgroup.as_ref(), at)?;
    let scan = Scan {
        cost_us: thread_cpu_us().saturating_sub(cpu_before),
        denied: found.hidden + found.denied,
        pending: 0,
        is_hiding: found.hidden > 0 || pids.first() != Some(&1),
        missed: 0,
    };
    let host = Arc::new(read_host(root));
    let processes = found.processes.into_iter().map(Arc::new).collect();
    Ok(Sample { wall_ms, at, interval_ms: 0, host, system, processes, scan, closer: None, deeds: Vec::new() })
}

/// Reads further sources of the processes that a sample still holds. Who has ended since is left out.
pub fn read_more(root: &ProcRoot, sample: &mut Sample, sources: SourceSet) -> Result<(), CollectError> {
    let reader = ProcessReader::new(root)?;
    let sources = in_order(sources);
    let mut processes: Vec<ProcessSample> = sample.processes.drain(..).map(Arc::unwrap_or_clone).collect();
    let denied = |processes: &[ProcessSample]| processes.iter().filter(|process| process.is_denied()).count() as u32;
    let denied_before = denied(&processes);
    read_sources(&mut processes, &sources, &reader, sample.at);
    sample.scan.denied += denied(&processes) - denied_before;
    processes.retain(|process| process.resident != Reading::Gone);
    sample.processes = processes.into_iter().map(Arc::new).collect();
    Ok(())
}

/// Reads the machine without its processes.
pub fn read_machine(root: &ProcRoot) -> Result<Sample, CollectError> {
    let mut reader = ProcessReader::new(root)?;
    let (at, wall_ms) = now(root, reader.buffer());
    let own_cgroup = read_own_cgroup(root, &mut reader);
    let system = read_system(&mut SystemReader::new(), root, &mut reader, own_cgroup.as_ref(), at)?;
    let host = Arc::new(read_host(root));
    Ok(Sample {
        wall_ms,
        at,
        interval_ms: 0,
        host,
        system,
        processes: Vec::new(),
        scan: Scan::default(),
        closer: None,
        deeds: Vec::new(),
    })
}

/// Identity first: its status file answers two questions at once.
const ORDER: [Source; 6] =
    [Source::Identity, Source::Status, Source::Rollup, Source::Fds, Source::Limits, Source::OomScore];

fn in_order(sources: SourceSet) -> Vec<Source> {
    ORDER.into_iter().filter(|source| sources.contains(*source)).collect()
}

fn read_sources(processes: &mut [ProcessSample], sources: &[Source], reader: &ProcessReader, at: BootMs) {
    if sources.is_empty() {
        return;
    }
    for_each(processes, reader, |reader, process| reader.read_unheld(process, sources, at));
}

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
