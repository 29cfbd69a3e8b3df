//! The evaluation: rules, state and a snapshot in; decisions and notes out. The same live and over a recording.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::decision::{Decision, Fact, Note, NoteKind};
use super::measure::Test;
use super::rule::{Per, Rule, Which, Whom};
use super::state::{State, Track};
use super::step::Step;
use super::subject::{Scene, Subject, Verdict};
use crate::model::key::ProcessKey;
use crate::model::reading::BootMs;

/// What a look came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluated {
    /// What is to be done, in the order of the rules.
    pub decisions: Vec<Decision>,
    /// What is to be said.
    pub notes: Vec<Note>,
    /// Milliseconds until something is due that no new reading is needed for.
    pub due_in: Option<u64>,
}

/// An hour, milliseconds.
const HOUR: u64 = 3_600_000;

/// Processes of which something has to be read before a look can be evaluated: what is known of them does not decide.
pub fn undecided(rules: &[Rule], state: &State, scene: &Scene<'_>) -> Vec<ProcessKey> {
    let mut keys = BTreeSet::new();
    for rule in rules {
        for subject in scene.subjects(rule) {
            let is_over = state.rules.get(&rule.name).is_some_and(|state| state.tracks.contains_key(&subject.key));
            let of_tests = rule
                .tests
                .iter()
                .enumerate()
                .map(|(nth, test)| scene.judge(test, level(rule, nth, test, is_over), &subject).0);
            let verdicts: Vec<Verdict> = of_tests.collect();
            if verdicts.contains(&Verdict::Unknown) && !verdicts.contains(&Verdict::Fails) {
                keys.extend(subject.members.iter().map(|place| scene.snapshot.row(*place as usize).process.key));
            }
        }
    }
    keys.into_iter().collect()
}

/// Evaluates all rules.
pub fn evaluate(rules: &[Rule], state: &mut State, scene: &Scene<'_>) -> Evaluated {
    let mut evaluated = Evaluated::default();
    for rule in rules {
        let mut look =
            Look { rule, scene, now: scene.snapshot.sample.at, notes: Vec::new(), due: Vec::new(), due_in: None };
        look.track(state);
        look.decide(state, &mut evaluated);
        let said: BTreeSet<(NoteKind, String)> = look
            .notes
            .iter()
            .filter(|note| note.kind != NoteKind::Cleared)
            .map(|note| (note.kind, note.text.clone()))
            .collect();
        let known = &mut state.rules.entry(rule.name.clone()).or_default().said;
        evaluated.notes.extend(look.notes.into_iter().filter(|note| !known.contains(&(note.kind, note.text.clone()))));
        *known = said;
        evaluated.due_in = [evaluated.due_in, look.due_in].into_iter().flatten().min();
    }
    evaluated
}

/// The level that a test is judged by: once it held, the first one holds until it clears.
fn level(rule: &Rule, nth: usize, test: &Test, is_over: bool) -> super::measure::Level {
    match rule.clear {
        Some(clear) if nth == 0 && is_over => clear,
        _ => test.level,
    }
}

/// A rule's part of a look.
struct Look<'a> {
    rule: &'a Rule,
    scene: &'a Scene<'a>,
    now: BootMs,
    notes: Vec<Note>,
    due: Vec<Due>,
    due_in: Option<u64>,
}

/// A subject of which the tests have held for long enough.
struct Due {
    subject: Subject,
    facts: Vec<Fact>,
    held_ms: u64,
    /// Whether nothing stands in the way.
    is_free: bool,
    failures: u32,
    size: f64,
}

impl Look<'_> {
    fn note(&mut self, kind: NoteKind, text: String) {
        self.notes.push(Note { rule: self.rule.name.clone(), kind, text });
    }

    fn due_after(&mut self, ms: u64) {
        self.due_in = Some(self.due_in.map_or(ms, |due| due.min(ms)));
    }

    /// Follows every subject: for how long the tests have held, and who is due.
    fn track(&mut self, state: &mut State) {
        let rule = self.rule;
        if matches!(&rule.whom, Whom::Pid(pid) if self.scene.own.first() == Some(pid)) {
            self.note(NoteKind::Refused, format!("{}: that is the guard itself, which is never touched", rule.name));
        }
        if let Whom::PidFile(file) = &rule.whom
            && self.scene.named.get(file).is_none_or(Option::is_none)
        {
            self.note(NoteKind::Blind, format!("{}: {} names no process", rule.name, file.display()));
        }
        let span_ms = rule.span.as_millis() as u64;
        // Time that nobody watched, as that of a machine that slept, has not held.
        let longest = 2 * self.scene.snapshot.sample.interval_ms + 2000;
        let known = state.rules.entry(rule.name.clone()).or_default();
        let mut old = std::mem::take(&mut known.tracks);
        known.cooling.retain(|_, until| *until > self.now);
        known.acted.retain(|at| self.now.since(*at) < HOUR);
        for subject in self.scene.subjects(rule) {
            let before = old.remove(&subject.key);
            let Some((facts, size)) = self.held(&subject, before.is_some()) else {
                if let Some(track) = before {
                    self.left(&track);
                }
                continue;
            };
            let track = match before {
                Some(track) => Track {
                    held_ms: track.held_ms + self.now.since(track.seen_at).min(longest),
                    seen_at: self.now,
                    ..track
                },
                None => Track {
                    name: subject.name.clone(),
                    held_ms: 0,
                    seen_at: self.now,
                    has_acted: false,
                    failures: 0,
                    retry_at: BootMs(0),
                    running: None,
                },
            };
            if track.held_ms >= span_ms {
                let cooling = known.cooling.get(&subject.cool);
                let wait =
                    [cooling, Some(&track.retry_at)].into_iter().flatten().map(|until| until.since(self.now)).max();
                let is_free = track.running.is_none() && wait == Some(0);
                if let Some(ms @ 1..) = wait {
                    self.due_after(ms);
                }
                self.due.push(Due {
                    facts,
                    held_ms: track.held_ms,
                    is_free,
                    failures: track.failures,
                    size,
                    subject: subject.clone(),
                });
            } else {
                self.due_after(span_ms - track.held_ms);
            }
            known.tracks.insert(subject.key, track);
        }
        // Who is no more: ended, or no longer matched.
        for track in old.into_values() {
            self.left(&track);
        }
    }

    fn left(&mut self, track: &Track) {
        if track.has_acted {
            self.note(NoteKind::Cleared, format!("{}: {}: calm again", self.rule.name, track.name));
        }
    }

    /// What was read, where all tests hold.
    fn held(&mut self, subject: &Subject, is_over: bool) -> Option<(Vec<Fact>, f64)> {
        let mut facts = Vec::new();
        let (mut size, mut blind) = (0.0, None);
        for (nth, test) in self.rule.tests.iter().enumerate() {
            let (verdict, seen, limit) = self.scene.judge(test, level(self.rule, nth, test, is_over), subject);
            match verdict {
                Verdict::Fails => return None,
                Verdict::Unknown => {
                    let why = seen.why.clone().unwrap_or_else(|| "what it is a share of is not known".into());
                    blind = Some(format!("{}: {}: {test}: {why}", self.rule.name, subject.name));
                }
                Verdict::Holds => {}
            }
            if nth == 0 {
                size = seen.shown();
            }
            let measure = test.measure;
            let limit = self.scene.limit(test.level, subject).unwrap_or(limit);
            facts.push(Fact {
                test: test.to_string(),
                measure: measure.key().into(),
                value: seen.shown(),
                limit,
                text: format!("{} {} ({test})", measure.key(), measure.show(seen.shown())),
            });
        }
        if let Some(text) = blind {
            self.note(NoteKind::Blind, text);
            return None;
        }
        Some((facts, size))
    }

    /// Decides what is to be done to who is due.
    fn decide(&mut self, state: &mut State, evaluated: &mut Evaluated) {
        let rule = self.rule;
        let mut due = std::mem::take(&mut self.due);
        if due.is_empty() {
            return;
        }
        due.sort_by(|a, b| b.size.total_cmp(&a.size));
        if rule.which == Which::Biggest && rule.per != Per::Machine {
            // A smaller one has to wait until the biggest no longer is: it is not hit in its stead.
            due.truncate(1);
        }
        // Who would be hit, whether or not something stands in the way now.
        let hit = |due: &Due| self.scene.targets(rule, &due.subject.members);
        let all: usize = due.iter().map(|due| hit(due).len()).sum();
        let takes_targets = rule.steps.iter().any(Step::takes_targets);
        if takes_targets && all > rule.max_matches as usize {
            let text = format!(
                "{}: it would hit more than {} processes at once: nothing is done. Narrow match, or raise max_matches",
                rule.name, rule.max_matches
            );
            return self.note(NoteKind::Refused, text);
        }
        // Processes of one program in one place are one decision.
        let mut together: BTreeMap<String, Vec<Due>> = BTreeMap::new();
        for due in due.into_iter().filter(|due| due.is_free) {
            together.entry(due.subject.cool.clone()).or_default().push(due);
        }
        for (cool, due) in together {
            let targets: Vec<_> = due.iter().flat_map(|due| self.scene.targets(rule, &due.subject.members)).collect();
            if takes_targets && targets.is_empty() {
                self.note(NoteKind::Refused, format!("{}: there is nobody it may be done to", rule.name));
                continue;
            }
            let known = state.rules.entry(rule.name.clone()).or_default();
            if known.acted.len() >= rule.max_per_hour as usize {
                let text = format!(
                    "{}: it has acted {} times in an hour and may not more often (max_per_hour)",
                    rule.name, rule.max_per_hour
                );
                self.note(NoteKind::Limited, text);
                continue;
            }
            known.acted.push(self.now);
            let names: Vec<&str> = due.iter().map(|due| due.subject.name.as_str()).collect();
            let decision = Decision {
                id: 0,
                rule: rule.name.clone(),
                at: self.now,
                wall_ms: self.scene.snapshot.sample.wall_ms,
                subject: names.join(", "),
                facts: due[0].facts.clone(),
                held: Duration::from_millis(due.iter().map(|due| due.held_ms).max().unwrap_or(0)),
                targets,
                steps: rule.steps.clone(),
                first: 0,
                attempt: due.iter().map(|due| due.failures).max().unwrap_or(0),
                timeout: rule.timeout,
                is_resumed: false,
            };
            let decision = state.begin(decision, &cool);
            let known = state.rules.entry(rule.name.clone()).or_default();
            for due in &due {
                if let Some(track) = known.tracks.get_mut(&due.subject.key) {
                    track.running = Some(decision.id);
                    track.has_acted = true;
                }
            }
            evaluated.decisions.push(decision);
        }
    }
}

#[cfg(test)]
mod tests;
