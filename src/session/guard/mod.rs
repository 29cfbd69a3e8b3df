//! Rules over one sample after another, live or from a recording: what is read, what is decided, when to look next.

pub mod carry;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::state::Session;
use crate::guard::decision::{Decision, Note};
use crate::guard::evaluate::{evaluate, undecided};
use crate::guard::need::Needs;
use crate::guard::pace::{Pace, USUAL};
use crate::guard::rule::Rule;
use crate::guard::state::State;
use crate::guard::subject::{Named, Scene};
use crate::model::judgement::Analysis;
use crate::model::key::ProcessKey;
use crate::model::reading::BootMs;
use crate::model::sample::Sample;
use crate::model::snapshot::Snapshot;

/// Rules with their state.
pub struct Guarding {
    rules: Arc<[Rule]>,
    needs: Needs,
    state: State,
    /// The history, where a rule asks for it.
    session: Option<Box<Session>>,
    latest: Option<Arc<Snapshot>>,
    pace: Pace,
    /// Who would have ended by now, in a dry run.
    ended: BTreeSet<ProcessKey>,
}

/// What is known beside the sample.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'a> {
    /// The guard's own pid and those it descends from; empty over a recording.
    pub own: &'a [u32],
    /// What the pid files say.
    pub named: &'a Named,
}

/// What a look came to.
#[derive(Debug)]
pub struct Looked {
    /// What is to be done.
    pub decisions: Vec<Decision>,
    /// What is to be said.
    pub notes: Vec<Note>,
    /// When to look again.
    pub next: Duration,
}

impl Guarding {
    /// Rules with what is remembered of them.
    pub fn new(rules: Vec<Rule>, state: State) -> Self {
        let needs = Needs::of(&rules);
        let session = needs.history.then(Box::default);
        Self { rules: rules.into(), needs, state, session, latest: None, pace: Pace::default(), ended: BTreeSet::new() }
    }

    /// Other rules from now on. What is remembered of those that stay, by name, stays.
    pub fn replace(&mut self, rules: Vec<Rule>) {
        self.state.keep(&rules);
        self.needs = Needs::of(&rules);
        if self.needs.history && self.session.is_none() {
            self.session = Some(Box::default());
        }
        self.rules = rules.into();
    }

    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What has to be read for them.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// What is remembered.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Who of a snapshot's processes some rule is about, one answer each.
    pub fn wants(&self, snapshot: &Snapshot, beside: Beside<'_>) -> Vec<bool> {
        Scene { snapshot, own: beside.own, named: beside.named }.wanted(&self.rules)
    }

    /// Processes of which more has to be read before the sample can be taken in.
    pub fn undecided(&self, sample: &Sample, beside: Beside<'_>) -> Vec<ProcessKey> {
        if self.needs.exact == crate::model::field::SourceSet::EMPTY {
            return Vec::new();
        }
        let snapshot = Snapshot::derive(None, Arc::new(sample.clone()), Analysis::default());
        undecided(&self.rules, &self.state, &Scene { snapshot: &snapshot, own: beside.own, named: beside.named })
    }

    /// Takes in a sample. `longest` is the longest time until the next one.
    pub fn look(&mut self, mut sample: Sample, beside: Beside<'_>, longest: Duration) -> Looked {
        if !self.ended.is_empty() {
            sample.processes.retain(|process| !self.ended.contains(&process.key));
        }
        let snapshot = if let Some(session) = &mut self.session {
            session.ingest(sample);
            session.latest().map(Arc::clone)
        } else {
            let before = self.latest.as_ref().map(|latest| &*latest.sample);
            Some(Arc::new(Snapshot::derive(before, Arc::new(sample), Analysis::default())))
        };
        let Some(snapshot) = snapshot else {
            return Looked { decisions: Vec::new(), notes: Vec::new(), next: longest };
        };
        // What a history says, and who is meant by more than who they are, is not seen of memory that is far from a limit.
        let may_wait = !self.needs.history && self.needs.is_by_identity;
        let longest = if may_wait { longest } else { longest.min(USUAL) };
        let scene = Scene { snapshot: &snapshot, own: beside.own, named: beside.named };
        let evaluated = evaluate(&self.rules, &mut self.state, &scene);
        let next = self.pace.next(&self.rules, &self.state, &scene, evaluated.due_in, longest);
        self.latest = Some(Arc::clone(&snapshot));
        Looked { decisions: evaluated.decisions, notes: evaluated.notes, next }
    }

    /// The sample that comes next is of this boot.
    pub fn enter_boot(&mut self, boot_id: &str) {
        self.state.enter_boot(boot_id);
    }

    /// Decisions that a guard before this one was in the middle of.
    pub fn resume(&self, now: BootMs) -> Vec<Decision> {
        self.state.resume(now)
    }

    /// A step of a decision begins.
    pub fn step_began(&mut self, id: u64, index: usize, now: BootMs) {
        self.state.step_began(id, index, now);
    }

    /// A decision has been carried out, or has failed.
    pub fn finish(&mut self, id: u64, is_done: bool, now: BootMs) {
        self.state.finish(id, is_done, now, &self.rules);
    }

    /// In a dry run: as if a decision had been carried out.
    pub fn pretend(&mut self, decision: &Decision) {
        self.ended.extend(self.state.pretend(decision, &self.rules));
    }
}
