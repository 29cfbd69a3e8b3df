//! The largest processes by PSS, proven with as few rollups as it takes.
//!
//! A rollup costs ten times what everything else of a process does. PSS <= RSS: going down by RSS, nothing below the
//! `k`-th PSS found can be among the `k` largest, so nothing below it has to be read.

use std::sync::{Mutex, PoisonError};

use super::crew::{for_each, threads_for};
use super::process::ProcessReader;
use crate::model::field::Source;
use crate::model::process::{ProcessSample, Rollup};
use crate::model::reading::{BootMs, Denial, Reading, Stamped};

/// A process that may be among the largest.
struct Candidate {
    pid: u32,
    /// What its PSS can't exceed, bytes.
    bound: u64,
    rollup: Reading<Rollup>,
}

/// What was found.
pub(super) struct Found {
    /// By pid.
    pub(super) processes: Vec<ProcessSample>,
    /// Processes whose PSS was refused.
    pub(super) denied: u32,
    /// Processes whose folder shows nothing.
    pub(super) hidden: u32,
}

/// The `most` largest of these processes, with key, `statm` and rollup read. Those without a PSS come in where there are
/// not enough others.
pub(super) fn read_top(pids: &[u32], most: usize, reader: &mut ProcessReader, at: BootMs, clock_ticks: u64) -> Found {
    let (mut candidates, hidden) = find_candidates(pids, reader);
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.bound));
    prove(&mut candidates, most, reader);
    let denied = |candidate: &&Candidate| candidate.rollup == Reading::Denied(Denial::Ptrace);
    let denied = candidates.iter().filter(denied).count() as u32;
    let pss = |candidate: &Candidate| candidate.rollup.value().map(|rollup| rollup.pss);
    candidates.sort_by_key(|candidate| (std::cmp::Reverse(pss(candidate)), candidate.pid));
    // Who has ended meanwhile leaves the place to the next; who came meanwhile is not the one that was measured.
    let mut processes: Vec<_> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let (mut process, _) = reader.find(candidate.pid, at).ok()?;
            let tick = at.0.saturating_mul(clock_ticks) / 1000;
            if process.key.start_time > tick {
                return None;
            }
            process.rollup = Stamped::new(candidate.rollup, at);
            // Who started in the very tick of the look may have come before or after it.
            if process.key.start_time == tick {
                reader.read_unheld(&mut process, &[Source::Rollup], at);
            }
            Some(process)
        })
        .take(most)
        .collect();
    processes.sort_unstable_by_key(|process| process.key.pid);
    Found { processes, denied, hidden }
}

fn find_candidates(pids: &[u32], reader: &ProcessReader) -> (Vec<Candidate>, u32) {
    let mut slots: Vec<(u32, Reading<u64>)> = pids.iter().map(|pid| (*pid, Reading::Pending)).collect();
    for_each(&mut slots, reader, |reader, (pid, slot)| *slot = reader.read_rss_bound(*pid));
    let hidden = slots.iter().filter(|(_, bound)| matches!(bound, Reading::Denied(_))).count() as u32;
    let candidate =
        |(pid, bound): (u32, Reading<u64>)| Some(Candidate { pid, bound: bound.value()?, rollup: Reading::Pending });
    (slots.into_iter().filter_map(candidate).collect(), hidden)
}

/// Reads rollups from the largest bound down until the rest can't be among the `most` largest.
fn prove(candidates: &mut [Candidate], most: usize, reader: &ProcessReader) {
    struct Walk<'a> {
        rest: std::slice::ChunksMut<'a, Candidate>,
        largest: Largest,
    }
    const PART: usize = 4;
    let threads = threads_for(candidates.len());
    let walk = Mutex::new(Walk { rest: candidates.chunks_mut(PART), largest: Largest::new(most) });
    let work = |mut reader: ProcessReader| {
        let mut found: Vec<u64> = Vec::with_capacity(PART);
        loop {
            let part = {
                let mut walk = walk.lock().unwrap_or_else(PoisonError::into_inner);
                found.drain(..).for_each(|pss| walk.largest.push(pss));
                let Some(part) = walk.rest.next() else { return };
                if walk.largest.bound().is_some_and(|bound| part[0].bound < bound) {
                    return;
                }
                part
            };
            for candidate in part {
                candidate.rollup = reader.read_rollup(candidate.pid);
                found.push(candidate.rollup.value().map_or(0, |rollup| rollup.pss));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            let reader = reader.for_thread();
            scope.spawn(|| work(reader));
        }
        work(reader.for_thread());
    });
}

/// The `k` largest numbers so far.
pub(super) struct Largest {
    k: usize,
    heap: std::collections::BinaryHeap<std::cmp::Reverse<u64>>,
}

impl Largest {
    pub(super) fn new(k: usize) -> Self {
        Self { k, heap: std::collections::BinaryHeap::with_capacity(k.min(1024) + 1) }
    }

    pub(super) fn push(&mut self, value: u64) {
        self.heap.push(std::cmp::Reverse(value));
        if self.heap.len() > self.k {
            self.heap.pop();
        }
    }

    /// The smallest of the `k` largest, once there are as many.
    pub(super) fn bound(&self) -> Option<u64> {
        (self.heap.len() == self.k).then(|| self.heap.peek().map(|smallest| smallest.0)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_bound_is_the_kth_largest(values in proptest::collection::vec(any::<u64>(), 1..60), k in 1usize..20) {
            let mut largest = Largest::new(k);
            for value in &values {
                largest.push(*value);
            }
            let mut sorted = values.clone();
            sorted.sort_unstable_by_key(|value| std::cmp::Reverse(*value));
            prop_assert_eq!(largest.bound(), sorted.get(k - 1).copied());
        }
    }
}
