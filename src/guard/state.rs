//! What a guard remembers between looks, and in a file across its own restarts: cooldowns, how often it acted, what it
//! is in the middle of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::decision::{Aim, Decision, Fact, NoteKind};
use super::rule::Rule;
use super::step::Step;
use crate::act::effect::Target;
use crate::model::cgroup::Membership;
use crate::model::key::ProcessKey;
use crate::model::reading::BootMs;

/// The name and version of the file's form.
pub const SCHEMA: &str = "memtide.guard.state/1";

/// Everything remembered. Moments are milliseconds since boot: of another boot nothing is remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    schema: String,
    boot_id: String,
    next_id: u64,
    pub(super) rules: BTreeMap<String, RuleState>,
    running: Vec<Running>,
}

/// What is remembered of a rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct RuleState {
    /// Subjects of which the tests hold.
    pub(super) tracks: BTreeMap<String, Track>,
    /// When it acted, in the last hour.
    pub(super) acted: Vec<BootMs>,
    /// Until when nothing more is done to whom.
    pub(super) cooling: BTreeMap<String, BootMs>,
    /// What was said at the last look: it is not said again.
    #[serde(skip)]
    pub(super) said: BTreeSet<(NoteKind, String)>,
}

/// A subject of which the tests hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Track {
    /// Its name for people.
    pub(super) name: String,
    /// For how long, of the time that was watched.
    pub(super) held_ms: u64,
    /// The last look.
    pub(super) seen_at: BootMs,
    /// Whether it was acted on since.
    pub(super) has_acted: bool,
    /// How often that failed in a row.
    pub(super) failures: u32,
    /// When it is tried again.
    pub(super) retry_at: BootMs,
    /// The decision that is being carried out.
    pub(super) running: Option<u64>,
}

/// A decision that is being carried out, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Running {
    id: u64,
    rule: String,
    cool: String,
    subject: String,
    facts: Vec<Fact>,
    at: BootMs,
    wall_ms: i64,
    held_ms: u64,
    targets: Vec<Kept>,
    steps: Vec<String>,
    /// The step that has begun, and when.
    index: usize,
    step_at: BootMs,
    attempt: u32,
    timeout_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    key: ProcessKey,
    uid: u32,
    user: String,
    command: String,
    name: String,
    cgroup: Arc<Membership>,
}

impl State {
    /// What a file says, where it is of this boot; otherwise nothing is remembered.
    pub fn read(bytes: &[u8], boot_id: &str) -> Result<Self, String> {
        let state: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if state.schema != SCHEMA {
            return Err(format!("it is of the form `{}`, and not {SCHEMA}", state.schema));
        }
        Ok(if state.boot_id == boot_id { state } else { Self::new(boot_id) })
    }

    /// Nothing remembered yet.
    pub fn new(boot_id: &str) -> Self {
        Self { schema: SCHEMA.into(), boot_id: boot_id.into(), ..Self::default() }
    }

    /// The file's text.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Another boot began: nothing of the one before holds.
    pub fn enter_boot(&mut self, boot_id: &str) {
        if self.boot_id != boot_id {
            *self = Self { next_id: self.next_id, ..Self::new(boot_id) };
        }
    }

    /// Forgets rules that there are no more.
    pub fn keep(&mut self, rules: &[Rule]) {
        self.rules.retain(|name, _| rules.iter().any(|rule| rule.name == *name));
    }

    /// Whether the tests of a rule hold of a subject.
    pub(super) fn is_tracked(&self, rule: &str, subject: &str) -> bool {
        self.rules.get(rule).is_some_and(|rule| rule.tracks.contains_key(subject))
    }

    /// Whether anything worth keeping changes with a look: only what holds is in it.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.rules.values().all(|rule| rule.tracks.is_empty())
    }

    pub(super) fn begin(&mut self, mut decision: Decision, cool: &str) -> Decision {
        self.next_id += 1;
        decision.id = self.next_id;
        self.running.push(Running {
            id: decision.id,
            rule: decision.rule.clone(),
            cool: cool.into(),
            subject: decision.subject.clone(),
            facts: decision.facts.clone(),
            at: decision.at,
            wall_ms: decision.wall_ms,
            held_ms: decision.held.as_millis() as u64,
            targets: decision.targets.iter().map(Kept::of).collect(),
            steps: decision.steps.iter().map(Step::to_string).collect(),
            index: 0,
            step_at: decision.at,
            attempt: decision.attempt,
            timeout_ms: decision.timeout.as_millis() as u64,
        });
        decision
    }

    /// A step of a decision begins.
    pub fn step_began(&mut self, id: u64, index: usize, now: BootMs) {
        if let Some(running) = self.running.iter_mut().find(|running| running.id == id) {
            (running.index, running.step_at) = (index, now);
        }
    }

    /// A decision has been carried out, or has failed.
    pub fn finish(&mut self, id: u64, is_done: bool, now: BootMs, rules: &[Rule]) {
        let Some(place) = self.running.iter().position(|running| running.id == id) else { return };
        let running = self.running.swap_remove(place);
        let Some(rule) = rules.iter().find(|rule| rule.name == running.rule) else { return };
        let state = self.rules.entry(running.rule).or_default();
        let after = |time: Duration| BootMs(now.0 + time.as_millis() as u64);
        let failures = if is_done { 0 } else { running.attempt + 1 };
        let is_over = is_done || failures > rule.retries;
        for track in state.tracks.values_mut().filter(|track| track.running == Some(id)) {
            track.running = None;
            track.failures = if is_over { 0 } else { failures };
            track.retry_at = if is_over { now } else { after(rule.retry) };
        }
        if is_over {
            state.cooling.insert(running.cool, after(rule.cooldown));
        }
    }

    /// What a guard that ended left in the middle: decisions to be taken up again, from the step that had begun. Of a
    /// signal's grace the time that has passed is taken off.
    pub fn resume(&self, now: BootMs) -> Vec<Decision> {
        let taken_up = |running: &Running| {
            let mut steps: Vec<Step> = running.steps.iter().filter_map(|step| Step::parse(step).ok()).collect();
            if let Some(Step::Signal(_, Some(grace))) = steps.get_mut(running.index) {
                *grace = grace.saturating_sub(Duration::from_millis(now.since(running.step_at)));
            }
            Decision {
                id: running.id,
                rule: running.rule.clone(),
                at: running.at,
                wall_ms: running.wall_ms,
                subject: running.subject.clone(),
                facts: running.facts.clone(),
                held: Duration::from_millis(running.held_ms),
                targets: running.targets.iter().map(Kept::aim).collect(),
                steps,
                first: running.index,
                attempt: running.attempt,
                timeout: Duration::from_millis(running.timeout_ms),
                is_resumed: true,
            }
        };
        self.running.iter().map(taken_up).collect()
    }

    /// A dry run: as if it had been done. Gives who would have ended by it.
    pub fn pretend(&mut self, decision: &Decision, rules: &[Rule]) -> Vec<ProcessKey> {
        self.finish(decision.id, true, decision.at, rules);
        if decision.steps.iter().any(Step::ends) { decision.keys() } else { Vec::new() }
    }
}

impl Kept {
    fn of(aim: &Aim) -> Self {
        Self {
            key: aim.target.key,
            uid: aim.target.uid,
            user: aim.target.user.clone(),
            command: aim.target.command.clone(),
            name: aim.name.clone(),
            cgroup: Arc::clone(&aim.cgroup),
        }
    }

    fn aim(&self) -> Aim {
        let target = Target { key: self.key, uid: self.uid, user: self.user.clone(), command: self.command.clone() };
        Aim { target, name: self.name.clone(), rss: None, cgroup: Arc::clone(&self.cgroup) }
    }
}
