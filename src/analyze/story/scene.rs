//! What a story is told from, and the order it is told in.

use std::sync::Arc;

use super::{Outcome, Story, advice, calm, early, growth, machine, share, swap};
use crate::analyze::groups::name_of;
use crate::analyze::history::{EndedTrack, History};
use crate::analyze::runtime::{Room, own_limit};
use crate::analyze::track::private_kib;
use crate::model::judgement::{Finding, Quantity, Subject, Verdict};
use crate::model::key::ProcessKey;
use crate::model::process::{Identity, ProcessSample};
use crate::model::reading::Reading;
use crate::model::runtime::{KnownLimit, OwnLimit};
use crate::model::sample::Sample;
use crate::model::text::Text;

/// The watch as it stands.
pub(super) struct Scene<'a> {
    pub(super) history: &'a History,
    pub(super) first: &'a Sample,
    pub(super) last: &'a Sample,
    /// For how long it was watched, milliseconds.
    pub(super) watched_ms: u64,
    /// The time between `first` and `last`, milliseconds.
    pub(super) compared_ms: u64,
    /// What the story is about.
    pub(super) findings: Vec<Finding>,
    pub(super) asked: Option<ProcessKey>,
}

/// A verdict is given from here on, milliseconds.
const VERDICT_LEAST_MS: u64 = 30_000;

impl<'a> Scene<'a> {
    /// Tells the story.
    pub(super) fn tell(mut self, samples: u64, began_wall_ms: i64) -> Story {
        self.keep_what_was_asked();
        let outcome = self.outcome();
        let mut sentences = Vec::new();
        sentences.extend(calm::clear(&self, outcome));
        sentences.extend(growth::tell(&self));
        sentences.extend(early::tell(&self));
        sentences.extend(calm::ended(&self));
        sentences.extend(share::tell(&self));
        sentences.extend(machine::tell(&self));
        sentences.extend(swap::tell(&self, outcome));
        if outcome != Outcome::Leaking {
            sentences.extend(calm::users(&self));
        }
        sentences.extend(calm::unknown(&self));
        Story {
            asked: self.asked,
            outcome,
            host: self.last.host.name.escaped().into_owned(),
            wall_ms: [began_wall_ms, self.last.wall_ms],
            watched_ms: self.watched_ms,
            samples,
            processes: self.last.processes.len(),
            headline: calm::headline(&self, outcome),
            sentences,
            advice: advice::give(&self, outcome),
            findings: self.findings,
        }
    }

    /// Leaves out what is not about the process that was asked for.
    pub(super) fn keep_what_was_asked(&mut self) {
        if let Some(key) = self.asked {
            let findings = std::mem::take(&mut self.findings);
            self.findings = findings.into_iter().filter(|finding| self.is_about(finding, key)).collect();
        }
    }

    fn outcome(&self) -> Outcome {
        let is_alive = self.asked.is_none_or(|key| self.last.process(key).is_some());
        if self.findings.iter().any(|finding| finding.judgement.verdict == Verdict::Leaking) {
            Outcome::Leaking
        } else if self.watched_ms < VERDICT_LEAST_MS && is_alive {
            Outcome::NotEnoughData(VERDICT_LEAST_MS - self.watched_ms)
        } else if let Some(needs_ms) =
            self.findings.iter().filter(|finding| growth::rises(self, finding)).find_map(needs_ms)
        {
            Outcome::Growing(needs_ms)
        } else if let Some(needs_ms) = early::needs_ms(self) {
            Outcome::Growing(needs_ms)
        } else {
            Outcome::Clear
        }
    }

    /// Whether a finding is about one process: its own, or that of its service where the process takes part in it.
    fn is_about(&self, finding: &Finding, asked: ProcessKey) -> bool {
        match &finding.subject {
            Subject::Process(key) => *key == asked,
            Subject::Group(group) => {
                let is_member = self.identity_of(asked).is_some_and(|identity| is_of(identity, group));
                let own = self.history.judgement(&Subject::Process(asked), Quantity::Private, self.last.at);
                let said = own.or_else(|| self.ended(asked).map(|ended| ended.said));
                is_member && said.is_some_and(|said| said.verdict.is_rising())
            }
            Subject::Machine => false,
        }
    }

    /// A process that ended while it was watched.
    pub(super) fn ended(&self, key: ProcessKey) -> Option<&'a EndedTrack> {
        self.history.ended().iter().rfind(|ended| ended.process.key == key)
    }

    /// Name and arguments of a process, alive or ended.
    pub(super) fn identity_of(&self, key: ProcessKey) -> Option<&'a Identity> {
        let alive = self.last.process(key).map(|process| &*process.identity);
        alive.or_else(|| self.ended(key).map(|ended| &*ended.process.identity))
    }

    /// The limit of its own that a process has, where it is known.
    pub(super) fn own_limit(&self, identity: &Identity) -> Option<KnownLimit> {
        let system = &self.last.system;
        let machine = system.meminfo.mem_total.value().unwrap_or(u64::MAX);
        let bound = system.bound_group(&identity.cgroup).map(|bound| &bound.limit);
        match own_limit(identity, Room::of(identity, bound, machine))? {
            OwnLimit::Known(limit) => Some(limit),
            OwnLimit::Unseen(_) | OwnLimit::Without(_) => None,
        }
    }

    /// The processes, alive in the last sample, that a finding is about, the largest first; none for the machine.
    pub(super) fn processes(&self, finding: &Finding) -> Vec<&'a Arc<ProcessSample>> {
        let mut found: Vec<_> = match &finding.subject {
            Subject::Process(key) => self.last.process(*key).into_iter().collect(),
            Subject::Group(group) => {
                self.last.processes.iter().filter(|process| is_of(&process.identity, group)).collect()
            }
            Subject::Machine => Vec::new(),
        };
        found.sort_by_key(|process| (std::cmp::Reverse(private(self.last, process) as u64), process.key));
        found
    }

    /// How much private memory a process gained between the first sample and the last, bytes.
    pub(super) fn private_gain(&self, process: &ProcessSample) -> f64 {
        let before = self.first.process(process.key).map_or(0.0, |before| private(self.first, before));
        private(self.last, process) - before
    }

    /// How much a line of meminfo gained between the first sample and the last, bytes.
    pub(super) fn gain(&self, line: impl Fn(&Sample) -> Reading<u64>) -> Option<f64> {
        Some(line(self.last).value()? as f64 - line(self.first).value()? as f64)
    }

    /// How often something was counted between the first sample and the last.
    pub(super) fn count(&self, counter: impl Fn(&Sample) -> Reading<u64>) -> Option<f64> {
        self.gain(counter).map(|gain| gain.max(0.0))
    }
}

/// The milliseconds that a growth needs to be called a leak or not.
pub(super) fn needs_ms(finding: &Finding) -> Option<u64> {
    let judgement = &finding.judgement;
    (judgement.verdict == Verdict::Growing && judgement.needs_ms > 0).then_some(judgement.needs_ms)
}

/// Whether a process belongs to a service.
pub(super) fn is_of(identity: &Identity, group: &Text) -> bool {
    name_of(identity).is_some_and(|(key, _)| key == *group)
}

/// Anonymous memory in RAM and in swap, bytes.
pub(super) fn private(sample: &Sample, process: &ProcessSample) -> f64 {
    let is_swapping = sample.system.meminfo.swap_used().value() != Some(0);
    f64::from(private_kib(process, is_swapping)) * 1024.0
}

/// `node[1234]`, escaped.
pub(super) fn name(process: &ProcessSample) -> String {
    format!("{}[{}]", process.identity.comm.escaped(), process.key.pid)
}
