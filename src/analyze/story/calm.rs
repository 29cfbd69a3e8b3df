//! What it comes to, and what there is to say where nothing leaks: what was watched, who uses most, who ended, what
//! could not be seen.

use std::cmp::Reverse;

use super::Outcome;
use super::growth::subject;
use super::scene::{Scene, name};
use super::sentence::{Amount, Sentence, Topic};
use crate::analyze::track::least_kib;
use crate::model::judgement::{Quantity, Subject, Verdict};
use crate::model::key::ProcessKey;
use crate::model::process::ProcessSample;
use crate::model::reading::Reading;

/// Users of memory that are named.
const MOST_USERS: usize = 5;

/// Ended processes that are named.
const MOST_ENDED: usize = 3;

/// Whether a process that ended may have leaked.
fn grew(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Growing | Verdict::Leaking)
}

/// What it comes to, in one sentence.
pub(super) fn headline(scene: &Scene<'_>, outcome: Outcome) -> Sentence {
    let sentence = Sentence::new(Topic::Outcome);
    match outcome {
        Outcome::Leaking => leaking(scene, sentence),
        Outcome::Growing(needs_ms) => sentence
            .say("No leak so far, but something grows: ")
            .put("needs", Amount::Milliseconds(needs_ms as f64))
            .say(" more are needed to tell."),
        Outcome::NotEnoughData(needs_ms) => sentence
            .say("Not enough data yet: ")
            .put("needs", Amount::Milliseconds(needs_ms as f64))
            .say(" more are needed."),
        Outcome::Clear => match scene.asked {
            Some(key) if scene.ended(key).is_some_and(|ended| grew(ended.said.verdict)) => sentence
                .put("subject", Amount::Text(name_of(scene, key)))
                .say(" ended while it grew, before it could be told whether that was a leak."),
            Some(key) => sentence.put("subject", Amount::Text(name_of(scene, key))).say(" does not leak."),
            None => sentence.say("Nothing leaks."),
        },
    }
}

fn leaking(scene: &Scene<'_>, sentence: Sentence) -> Sentence {
    let mut leaks = scene.findings.iter().filter(|finding| finding.judgement.verdict == Verdict::Leaking);
    let Some(worst) = leaks.next() else { return sentence };
    let who = subject(scene, worst);
    let verb = if who.ends_with(" together") { " leak " } else { " leaks " };
    let mut sentence = sentence
        .put("subject", Amount::Text(who))
        .say(verb)
        .put("quantity", Amount::Text(worst.quantity.title().into()));
    if let Some(end) = worst.end().or(worst.first_meeting()) {
        sentence = sentence.say(": ").put("limit", Amount::Text(end.limit.title().into())).say(" full");
        if end.in_ms >= 1000.0 {
            sentence = sentence.say(" in ").put("in", Amount::Milliseconds(end.in_ms));
        }
    }
    match leaks.count() {
        0 => sentence.say("."),
        1 => sentence.say(". ").put("more", Amount::Count(1.0)).say(" more leaks."),
        more => sentence.say(". ").put("more", Amount::Count(more as f64)).say(" more leak."),
    }
}

fn name_of(scene: &Scene<'_>, key: ProcessKey) -> String {
    scene
        .identity_of(key)
        .map_or_else(|| format!("process {}", key.pid), |identity| format!("{}[{}]", identity.comm.escaped(), key.pid))
}

/// The all-clear, with what it rests on; nothing where something leaks.
pub(super) fn clear(scene: &Scene<'_>, outcome: Outcome) -> Vec<Sentence> {
    if outcome == Outcome::Leaking {
        return Vec::new();
    }
    let mut sentences = Vec::new();
    if let Some(key) = scene.asked {
        sentences.extend(one(scene, key));
    } else {
        sentences.push(
            Sentence::new(Topic::Clear)
                .put("processes", Amount::Count(scene.last.processes.len() as f64))
                .say(" processes, their services and the kernel's own memory were watched for ")
                .put("watched", Amount::Milliseconds(scene.watched_ms as f64))
                .say(match outcome {
                    Outcome::Clear if scene.findings.is_empty() => ": none of them grows.",
                    Outcome::Clear => ": none of them leaks.",
                    _ => ".",
                }),
        );
    }
    sentences.extend(unseen(scene, outcome));
    sentences
}

/// What one process that does not leak does instead.
fn one(scene: &Scene<'_>, key: ProcessKey) -> Option<Sentence> {
    let process = scene.last.process(key)?;
    let said = scene.history.judgement(&Subject::Process(key), Quantity::Private, scene.last.at)?;
    let mut sentence = Sentence::new(Topic::Clear)
        .put("subject", Amount::Text(name(process)))
        .say(" was watched for ")
        .put("watched", Amount::Milliseconds(scene.watched_ms as f64))
        .say(": its private memory, ")
        .put("private", Amount::Bytes(said.level))
        .say(match said.verdict {
            Verdict::NotEnoughData => ", can't be judged yet",
            Verdict::Steady => ", is steady",
            Verdict::Shrinking => ", shrinks",
            Verdict::Sawtooth => ", goes up and down over a floor that stays",
            Verdict::Stepped => ", moved to another level and stays there",
            Verdict::WarmingUp | Verdict::Growing | Verdict::Leaking => ", grows",
        });
    if let Some(fds) = process.fds.reading.value() {
        sentence = sentence.say("; it has ").put("fds", Amount::Count(f64::from(fds)));
        if let Some(limit) = process.fd_limit.reading.value() {
            sentence = sentence.say(" of ").put("fd_limit", Amount::Count(limit as f64));
        }
        sentence = sentence.say(" descriptors");
    }
    if let Some(stat) = process.stat.reading.value() {
        let joint = if process.fds.reading.value().is_some() { " and " } else { "; it has " };
        sentence = sentence.say(joint).put("threads", Amount::Count(f64::from(stat.threads)));
        sentence = sentence.say(if stat.threads == 1 { " thread" } else { " threads" });
    }
    Some(sentence.say("."))
}

/// What a leak would have had to lose in this time to be seen.
fn unseen(scene: &Scene<'_>, outcome: Outcome) -> Option<Sentence> {
    let total = scene.last.system.meminfo.mem_total.value()?;
    let minutes = scene.watched_ms as f64 / 60_000.0;
    if outcome != Outcome::Clear || minutes <= 0.0 {
        return None;
    }
    let slowest = f64::from(least_kib(total)) * 1024.0 / minutes;
    Some(
        Sentence::new(Topic::Clear)
            .say("A leak slower than about ")
            .put("slowest_per_minute", Amount::Bytes(slowest))
            .say(" a minute can't be seen in so short a time: a longer watch sees slower ones."),
    )
}

/// Who uses most.
pub(super) fn users(scene: &Scene<'_>) -> Option<Sentence> {
    if scene.asked.is_some() {
        return None;
    }
    let pss = |process: &ProcessSample| process.rollup.reading.value().map(|rollup| rollup.pss);
    let mut users: Vec<(u64, &ProcessSample)> =
        scene.last.processes.iter().filter_map(|process| Some((pss(process)?, &**process))).collect();
    users.sort_by_key(|(pss, process)| (Reverse(*pss), process.key));
    users.truncate(MOST_USERS);
    let mut sentence = Sentence::new(Topic::Users).say("Most memory by PSS");
    for (nth, (pss, process)) in users.iter().enumerate() {
        sentence = sentence
            .say(if nth == 0 { ": " } else { ", " })
            .put("user", Amount::Text(name(process)))
            .say(" ")
            .put("pss", Amount::Bytes(*pss as f64));
    }
    (!users.is_empty()).then(|| sentence.say("."))
}

/// Processes that ended while they grew, and the one that was asked for.
pub(super) fn ended(scene: &Scene<'_>) -> Vec<Sentence> {
    let is_told = |key: ProcessKey| scene.asked.is_none_or(|asked| asked == key);
    let ended = scene.history.ended().iter().rev();
    ended
        .filter(|ended| is_told(ended.process.key) && (scene.asked.is_some() || grew(ended.said.verdict)))
        .take(MOST_ENDED)
        .map(|ended| {
            let sentence = Sentence::new(Topic::Ended)
                .put("subject", Amount::Text(name(&ended.process)))
                .say(" ended ")
                .put("ago", Amount::Milliseconds(scene.last.at.since(ended.at) as f64))
                .say(" before the watch was over, with ")
                .put("private", Amount::Bytes(f64::from(ended.private.last()) * 1024.0))
                .say(" of private memory");
            if grew(ended.said.verdict) {
                sentence
                    .say(": until then it had grown by ")
                    .put("gain", Amount::Gain(ended.said.gain()))
                    .say(", ")
                    .put("rate", Amount::BytesPerMinute(ended.said.rate))
                    .say(".")
            } else {
                sentence.say(".")
            }
        })
        .collect()
}

/// What could not be read, and what would grant it.
pub(super) fn unknown(scene: &Scene<'_>) -> Option<Sentence> {
    let is_denied = |process: &ProcessSample| matches!(process.fds.reading, Reading::Denied(_));
    let denied = match scene.asked {
        Some(key) => usize::from(scene.last.process(key).is_some_and(|process| is_denied(process))),
        None => scene.last.processes.iter().filter(|process| is_denied(process)).count(),
    };
    let mut sentence = Sentence::new(Topic::Unknown);
    if denied > 0 {
        sentence = sentence
            .say("The descriptors of ")
            .put("denied", Amount::Count(denied as f64))
            .say(if denied == 1 { " process" } else { " processes" })
            .say(" can't be read, and leaks of them not be seen: sudo, or setcap cap_sys_ptrace+ep on memtide, grants it.");
    }
    if scene.last.scan.is_hiding && scene.asked.is_none() {
        let gap = if sentence.text.is_empty() { "" } else { " " };
        sentence = sentence.say(gap).say("/proc hides other users' processes (hidepid): sudo shows them.");
    }
    (!sentence.text.is_empty()).then_some(sentence)
}
