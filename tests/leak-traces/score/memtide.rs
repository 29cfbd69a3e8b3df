//! The seam: memtide's own judge as a candidate.

use std::collections::BTreeMap;

use memtide::analyze::history::History;
use memtide::model::judgement::{Finding, Quantity as Kind, Subject, Verdict as Called};
use memtide::model::key::ProcessKey;
use memtide::model::reading::BootMs;
use memtide::model::sample::Sample;

use super::judge::{Candidate, Judge, Suspect, Verdict};
use crate::truth::Quantity;

/// memtide's judge.
pub fn candidate() -> Candidate {
    Candidate { name: "memtide", make: || Box::new(Memtide::default()) }
}

/// The same, started when the programs have been running for a while, as one does who is called for help.
pub fn late() -> Candidate {
    Candidate {
        name: "memtide, started 4 min later",
        make: || Box::new(Memtide { blind_ms: 240_000, ..Memtide::default() }),
    }
}

#[derive(Default)]
struct Memtide {
    /// What it does not see, after the first sample.
    blind_ms: u64,
    first: Option<BootMs>,
    history: History,
    /// Who was ever in a control group.
    members: BTreeMap<Vec<u8>, Vec<ProcessKey>>,
    verdicts: Vec<Verdict>,
}

impl Judge for Memtide {
    fn ingest(&mut self, sample: &Sample) {
        if sample.at.since(*self.first.get_or_insert(sample.at)) < self.blind_ms {
            return;
        }
        for process in &sample.processes {
            let members = self.members.entry(process.identity.cgroup.memory.as_bytes().to_vec()).or_default();
            if !members.contains(&process.key) {
                members.push(process.key);
            }
        }
        self.history.push(sample);
        let findings = self.history.findings(sample);
        let leaking = findings.iter().filter(|finding| finding.judgement.verdict == Called::Leaking);
        self.verdicts = leaking.filter_map(|finding| self.verdict(finding, sample.at)).collect();
    }

    fn verdicts(&self) -> Vec<Verdict> {
        self.verdicts.clone()
    }
}

impl Memtide {
    fn verdict(&self, finding: &Finding, at: BootMs) -> Option<Verdict> {
        let suspect = match &finding.subject {
            Subject::Process(key) => Suspect::Process(*key),
            Subject::Group(key) => Suspect::Group(self.members.get(key.as_bytes()).cloned().unwrap_or_default()),
            Subject::Machine => Suspect::Machine,
        };
        let quantity = match (finding.quantity, &suspect) {
            (Kind::Private, _) => Quantity::Memory,
            (Kind::Fds, _) => Quantity::Fds,
            (Kind::Threads, _) => Quantity::Threads,
            (Kind::Shmem, Suspect::Machine) => Quantity::Shmem,
            (_, Suspect::Machine) => Quantity::Kernel,
            // What a process has of shared memory and page tables has no truth of its own here.
            _ => return None,
        };
        let exhausted_at = finding.end().map(|meeting| BootMs(at.0 + meeting.in_ms as u64));
        Some(Verdict { suspect, quantity, per_minute: finding.judgement.rate, exhausted_at })
    }
}
