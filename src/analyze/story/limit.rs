//! What will be full when.

use super::growth::level;
use super::scene::Scene;
use super::sentence::{Amount, Sentence, Topic};
use crate::model::judgement::{Finding, Limit, Meeting, Quantity, Subject, Verdict};
use crate::model::runtime::Keeping;

/// What is full within this time is full, milliseconds.
const FULL_MS: f64 = 1000.0;

/// The limit that is met first and, where that is another, the one at which it ends.
pub(super) fn tell(finding: &Finding) -> Vec<Sentence> {
    let first = finding.first_meeting();
    let end = finding.end().filter(|end| Some(*end) != first);
    let word = if finding.judgement.verdict == Verdict::Leaking { "At this rate " } else { "If it went on, " };
    first.into_iter().chain(end).map(|meeting| sentence(finding, meeting, word)).collect()
}

/// The limit that a runtime gives its heap by default, where that is met before anything else ends it. What grows may as
/// well lie beside the heap, so it is no limit that a verdict or an ETA rests on.
pub(super) fn tell_default(scene: &Scene<'_>, finding: &Finding) -> Option<Sentence> {
    let Subject::Process(key) = finding.subject else { return None };
    let limit = scene.own_limit(scene.identity_of(key)?)?;
    let left = limit.bytes as f64 - finding.judgement.level;
    let in_ms = left / finding.judgement.rate * 60_000.0;
    let is_first = finding.end().is_none_or(|end| in_ms < end.in_ms);
    let is_default = !limit.is_told && limit.keeping == Keeping::Ends;
    (finding.quantity == Quantity::Private && is_default && left > 0.0 && is_first).then(|| {
        Sentence::new(Topic::Limit)
            .say("If it is the heap that grows, and no Buffers or native memory beside it, the heap's limit (")
            .put("size", Amount::Bytes(limit.bytes as f64))
            .say(", ")
            .say(&limit.source)
            .say(") is met in ")
            .put("in", Amount::Milliseconds(in_ms))
            .say(": then ")
            .say(limit.then)
            .say(".")
            .know("limit", Amount::Text("heap_default".into()))
    })
}

/// Whether it is a control group's own swap that is meant: with the group's limit it is less than the machine's RAM.
fn is_of_group(finding: &Finding, meeting: &Meeting) -> bool {
    let size = |limit| finding.meetings.iter().find(|other| other.limit == limit).map(|other| other.size);
    size(Limit::Cgroup).is_some() && size(Limit::Memory).is_none_or(|ram| meeting.size < ram)
}

fn sentence(finding: &Finding, meeting: &Meeting, word: &str) -> Sentence {
    let (what, then) = match (meeting.limit, meeting.is_end) {
        (Limit::Cgroup, true) => ("the memory limit of its control group (", ": then the kernel kills in that group"),
        (Limit::Cgroup, false) => ("the memory limit of its control group (", ": from then on the kernel swaps it out"),
        (Limit::Memory, true) => {
            ("the machine's memory (", ": then the kernel's OOM killer ends a process, not always this one")
        }
        (Limit::Memory, false) => {
            ("the machine's memory (", ": from then on the kernel swaps, and everything slows down")
        }
        (Limit::Swap, _) if is_of_group(finding, meeting) => {
            ("the memory limit of its control group with its swap (", ": then the kernel kills in that group")
        }
        (Limit::Swap, _) => ("RAM and swap together (", ": then the kernel's OOM killer ends a process"),
        (Limit::Files, _) => ("its limit of open files (", ": then every open and accept fails (EMFILE)"),
        (Limit::Heap, _) => {
            ("its own heap limit (", ": then it ends itself, out of memory, if it is the heap that grows")
        }
    };
    let sentence = Sentence::new(Topic::Limit)
        .say(word)
        .say(what)
        .put("size", level(finding.quantity, meeting.size))
        .know("left", level(finding.quantity, meeting.left))
        .know("limit", Amount::Text(meeting.limit.key().into()));
    if meeting.in_ms < FULL_MS {
        return sentence.say(") is full").say(then).say(".");
    }
    let sentence = sentence
        .say(") is full in ")
        .put("in", Amount::Milliseconds(meeting.in_ms))
        .say(" (")
        .put("earliest", Amount::Milliseconds(meeting.earliest_ms))
        .say(" to ")
        .put("latest", Amount::Milliseconds(meeting.latest_ms))
        .say(")");
    sentence.say(then).say(".")
}
