//! Plays a recording to several judges at once and keeps what each called.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use memtide::model::key::ProcessKey;
use memtide::model::reading::BootMs;
use memtide::model::sample::Sample;

use super::case::{Case, Leak};
use super::judge::{Judge, Suspect, Verdict};
use crate::trace::Reader;
use crate::truth::{Fact, Quantity, Set, Truth};

/// What one judge made of one recording.
#[derive(Default)]
pub struct Outcome {
    /// Every subject and quantity that is scored.
    pub cases: Vec<Case>,
    /// Process time watched, milliseconds; a bystander counts to its scene's first set.
    pub process_ms: BTreeMap<Set, u64>,
}

/// Whom a verdict is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Subject(usize),
    Bystander(ProcessKey),
    Machine,
}

/// The calls of one judge about somebody's quantity.
#[derive(Default)]
struct Calls {
    is_on: bool,
    count: u32,
    first: Option<u64>,
    per_minute: Option<f64>,
    foretold: Option<u64>,
}

/// The leaks of a recording.
type Leaks = BTreeMap<(Who, Quantity), Leak>;

/// Which subject a process belongs to, by its place in the truth.
type Owners = BTreeMap<ProcessKey, usize>;

struct Bench {
    judge: Box<dyn Judge>,
    calls: BTreeMap<(Who, Quantity), Calls>,
}

/// Plays the scene's recording in `folder` to the judges; one outcome each.
pub fn replay(folder: &Path, truth: &Truth, judges: impl IntoIterator<Item = Box<dyn Judge>>) -> Vec<Outcome> {
    let leaks = leaks(truth);
    let mut benches: Vec<Bench> = judges.into_iter().map(|judge| Bench { judge, calls: BTreeMap::new() }).collect();
    let mut owners = BTreeMap::new();
    let (mut first, mut last, mut process_ms) = (None, None, BTreeMap::new());
    for sample in Reader::open(&folder.join(format!("{}.jsonl.zst", truth.scene))).unwrap() {
        let sample = sample.unwrap();
        let first = *first.get_or_insert(sample.at);
        find_owners(truth, &sample, &mut owners);
        for process in &sample.processes {
            let set = owners.get(&process.key).map_or_else(|| set_of_rest(truth), |place| truth.subjects[*place].set);
            *process_ms.entry(set).or_default() += last.map_or(0, |last| sample.at.since(last));
        }
        let (then, now) = (last.map_or(0, |last: BootMs| last.since(first)), sample.at.since(first));
        last = Some(sample.at);
        for bench in &mut benches {
            bench.judge.ingest(&sample);
            let verdicts = bench.judge.verdicts();
            bench.take_in(&verdicts, truth, &leaks, &owners, now);
            for ((who, quantity), leak) in &leaks {
                if leak.half_ms().is_some_and(|half| then < half && half <= now) {
                    let about = |verdict: &&Verdict| {
                        verdict.quantity == *quantity && whom(verdict, truth, &owners) == Some(*who)
                    };
                    let foretold = verdicts.iter().filter(about).filter_map(|verdict| verdict.exhausted_at).min();
                    let calls = bench.calls.entry((*who, *quantity)).or_default();
                    calls.foretold = foretold.map(|at| at.since(first));
                }
            }
        }
    }
    benches
        .into_iter()
        .map(|bench| Outcome { cases: cases(truth, &leaks, bench.calls), process_ms: process_ms.clone() })
        .collect()
}

fn find_owners(truth: &Truth, sample: &Sample, owners: &mut Owners) {
    for process in &sample.processes {
        let group = process.identity.cgroup.memory.as_bytes();
        if let Some(place) = truth.subjects.iter().position(|subject| subject.group.as_bytes() == group) {
            owners.insert(process.key, place);
        }
    }
}

/// Whom a verdict is about; `None` for a group over several subjects, one of which does leak: that is neither found
/// nor a false alarm.
fn whom(verdict: &Verdict, truth: &Truth, owners: &Owners) -> Option<Who> {
    let owner = |key: &ProcessKey| owners.get(key).map_or(Who::Bystander(*key), |place| Who::Subject(*place));
    match &verdict.suspect {
        Suspect::Machine => Some(Who::Machine),
        Suspect::Process(key) => Some(owner(key)),
        Suspect::Group(members) => {
            let all: BTreeSet<Who> = members.iter().map(owner).collect();
            let leaks = |who: &Who| match who {
                Who::Subject(place) => truth.subjects[*place].facts.contains_key(&verdict.quantity),
                _ => false,
            };
            if all.len() > 1 && all.iter().any(leaks) { None } else { all.first().copied() }
        }
    }
}

impl Bench {
    fn take_in(&mut self, verdicts: &[Verdict], truth: &Truth, leaks: &Leaks, owners: &Owners, now: u64) {
        let mut on = BTreeSet::new();
        for verdict in verdicts {
            let Some(who) = whom(verdict, truth, owners) else { continue };
            let about = (who, verdict.quantity);
            on.insert(about);
            let calls = self.calls.entry(about).or_default();
            calls.per_minute = Some(verdict.per_minute);
            if !calls.is_on {
                calls.is_on = true;
                calls.count += 1;
            }
            if leaks.get(&about).is_none_or(|leak| leak.onset_ms <= now) {
                calls.first.get_or_insert(now);
            }
        }
        for (about, calls) in &mut self.calls {
            calls.is_on &= on.contains(about);
        }
    }
}

fn leaks(truth: &Truth) -> Leaks {
    let of = |who: Who, facts: &BTreeMap<Quantity, Fact>| {
        let leak = |(quantity, fact): (&Quantity, &Fact)| match fact {
            Fact::Leaking { onset_ms, per_minute, end } => {
                let mut leak = Leak { onset_ms: *onset_ms, per_minute: *per_minute, end: end.clone(), has_half: false };
                leak.has_half = leak.half_ms().is_some_and(|half| half < truth.length_ms);
                Some(((who, *quantity), leak))
            }
            Fact::Unscored => None,
        };
        facts.iter().filter_map(leak).collect::<Vec<_>>()
    };
    let subjects =
        truth.subjects.iter().enumerate().flat_map(|(place, subject)| of(Who::Subject(place), &subject.facts));
    of(Who::Machine, &truth.machine).into_iter().chain(subjects).collect()
}

const OF_SUBJECTS: [Quantity; 3] = [Quantity::Memory, Quantity::Fds, Quantity::Threads];
const OF_THE_MACHINE: [Quantity; 2] = [Quantity::Shmem, Quantity::Kernel];

/// Every subject and quantity that is scored: those of the truth, and a bystander where it was called.
fn cases(truth: &Truth, leaks: &Leaks, mut calls: BTreeMap<(Who, Quantity), Calls>) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |who: Who, quantity, name: &str, class: &str, set, calls: Calls| {
        cases.push(Case {
            name: format!("{}/{name}", truth.scene),
            class: class.to_owned(),
            set,
            quantity,
            leak: leaks.get(&(who, quantity)).cloned(),
            calls: calls.count,
            first_call: calls.first,
            per_minute: calls.per_minute,
            foretold: calls.foretold,
        });
    };
    for (place, subject) in truth.subjects.iter().enumerate() {
        for quantity in OF_SUBJECTS.into_iter().filter(|quantity| is_scored(&subject.facts, *quantity)) {
            let who = Who::Subject(place);
            let seen = calls.remove(&(who, quantity)).unwrap_or_default();
            add(who, quantity, &subject.name, &subject.class, subject.set, seen);
        }
    }
    let set = set_of_rest(truth);
    for quantity in OF_THE_MACHINE.into_iter().filter(|quantity| is_scored(&truth.machine, *quantity)) {
        let seen = calls.remove(&(Who::Machine, quantity)).unwrap_or_default();
        let class = if leaks.contains_key(&(Who::Machine, quantity)) { "leak" } else { "machine" };
        add(Who::Machine, quantity, "machine", class, set, seen);
    }
    for ((who, quantity), seen) in calls {
        if let Who::Bystander(key) = who {
            add(who, quantity, &key.to_string(), "bystander", set, seen);
        }
    }
    cases
}

/// The set of what is no subject's.
fn set_of_rest(truth: &Truth) -> Set {
    truth.subjects.first().map_or(Set::Train, |subject| subject.set)
}

fn is_scored(facts: &BTreeMap<Quantity, Fact>, quantity: Quantity) -> bool {
    !matches!(facts.get(&quantity), Some(Fact::Unscored))
}
