//! The largest processes by PSS, proven with as few rollups as it takes.
//!
//! A rollup costs ten times what everything else of a process does. PSS <= RSS: going down by RSS, nothing below the
//! `k`-th PSS found can be among the `k` largest, so nothing below it has to be read. Among many that are alike that
//! spares nothing, and then the bounds are not read either.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};

use super::crew::threads_for;
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
    let (mut candidates, hidden) = prove(pids, most, reader);
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

/// The processes with their bounds, and the rollups of those that may be among the `most` largest; how many show nothing.
///
/// One crew does both passes: a thread that is started anew for the second may wait for a CPU as long as it works.
fn prove(pids: &[u32], most: usize, reader: &ProcessReader) -> (Vec<Candidate>, u32) {
    let threads = threads_for(pids.len());
    let look = Look {
        parts: Mutex::new(pids.chunks(PART)),
        found: Mutex::default(),
        hidden: AtomicU32::new(0),
        needs_all: needs_all(pids, most, &mut reader.for_thread()),
    };
    let walk = Mutex::new(Walk { candidates: Vec::new(), next: 0, largest: Largest::new(most) });
    let all_found = Barrier::new(threads);
    let work = |mut reader: ProcessReader| {
        look.find(&mut reader);
        if all_found.wait().is_leader() {
            let mut candidates = std::mem::take(&mut *lock(&look.found));
            candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.bound));
            let mut walk = lock(&walk);
            let known = candidates.iter().filter_map(|candidate| candidate.rollup.value());
            known.for_each(|rollup| walk.largest.push(rollup.pss));
            walk.candidates = candidates;
        }
        all_found.wait();
        descend(&walk, &mut reader);
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            let reader = reader.for_thread();
            scope.spawn(|| work(reader));
        }
        work(reader.for_thread());
    });
    let walk = walk.into_inner().unwrap_or_else(PoisonError::into_inner);
    (walk.candidates, look.hidden.into_inner())
}

/// Processes from which it is told whether the bounds will spare anything.
const SAMPLE: usize = 16;

/// Whether nearly every rollup will have to be read anyway, by a few processes from all over the list: where they are as
/// like as a crowd of workers, most of each is shared, and no bound lies below the largest PSS. Then the bounds are of no
/// use, and reading them takes a seventh of all.
fn needs_all(pids: &[u32], most: usize, reader: &mut ProcessReader) -> bool {
    if pids.len() < SAMPLE * SAMPLE || most * SAMPLE > pids.len() {
        return false;
    }
    let spread = pids.iter().step_by(pids.len() / (2 * SAMPLE));
    let (mut sample, mut denied) = (Vec::with_capacity(SAMPLE), 0);
    for pid in spread {
        let bound = reader.read_rss_bound(*pid).value().filter(|bound| *bound > 0);
        match (bound, reader.read_rollup(*pid)) {
            (Some(bound), Reading::Value(rollup)) => sample.push((bound, rollup.pss)),
            (Some(_), Reading::Denied(_)) => denied += 1,
            _ => {}
        }
        // Who may not see the rollups of others has few to read.
        if sample.len() == SAMPLE || denied > SAMPLE / 4 {
            break;
        }
    }
    let mut pss: Vec<u64> = sample.iter().map(|(_, pss)| *pss).collect();
    pss.sort_unstable();
    // The largest one may be one of the few that stand out.
    let Some(large) = pss.len().checked_sub(2).map(|place| pss[place]) else { return false };
    sample.len() == SAMPLE && sample.iter().filter(|(bound, _)| *bound > large).count() >= SAMPLE - 1
}

/// The first pass: over all of `statm`, or over all rollups where those are needed anyway.
struct Look<'a> {
    parts: Mutex<std::slice::Chunks<'a, u32>>,
    found: Mutex<Vec<Candidate>>,
    hidden: AtomicU32,
    needs_all: bool,
}

impl Look<'_> {
    fn find(&self, reader: &mut ProcessReader) {
        let mut found = Vec::new();
        loop {
            let Some(part) = lock(&self.parts).next() else { break };
            for pid in part {
                if self.needs_all
                    && let rollup @ Reading::Value(Rollup { pss, .. }) = reader.read_rollup(*pid)
                {
                    found.push(Candidate { pid: *pid, bound: pss, rollup });
                    continue;
                }
                match reader.read_rss_bound(*pid) {
                    Reading::Denied(_) => _ = self.hidden.fetch_add(1, Ordering::Relaxed),
                    bound => found.extend(bound.value().map(|bound| Candidate {
                        pid: *pid,
                        bound,
                        rollup: Reading::Pending,
                    })),
                }
            }
        }
        lock(&self.found).append(&mut found);
    }
}

/// The pass over rollups, from the largest bound down.
struct Walk {
    candidates: Vec<Candidate>,
    next: usize,
    largest: Largest,
}

impl Walk {
    /// The next few processes that may be among the largest.
    fn part(&mut self) -> Option<std::ops::Range<usize>> {
        let first = self.candidates.get(self.next)?;
        if self.largest.bound().is_some_and(|bound| first.bound < bound) {
            return None;
        }
        let part = self.next..(self.next + ROLLUPS).min(self.candidates.len());
        self.next = part.end;
        Some(part)
    }
}

/// Processes a thread takes at a time: of `statm`, and of rollups, one of which may take long.
const PART: usize = 16;
const ROLLUPS: usize = 4;

/// Reads rollups until the rest can't be among the largest.
fn descend(walk: &Mutex<Walk>, reader: &mut ProcessReader) {
    let mut part: Vec<(usize, u32)> = Vec::with_capacity(ROLLUPS);
    loop {
        part.clear();
        {
            let mut walk = lock(walk);
            let Some(places) = walk.part() else { return };
            let unread = places.filter(|place| walk.candidates[*place].rollup == Reading::Pending);
            part.extend(unread.map(|place| (place, walk.candidates[place].pid)));
        }
        let rollups: [_; ROLLUPS] =
            std::array::from_fn(|nth| part.get(nth).map(|(place, pid)| (*place, reader.read_rollup(*pid))));
        let mut walk = lock(walk);
        for (place, rollup) in rollups.into_iter().flatten() {
            walk.largest.push(rollup.value().map_or(0, |rollup| rollup.pss));
            walk.candidates[place].rollup = rollup;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
