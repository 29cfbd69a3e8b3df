//! What grows: from when to when, by how much, how fast, and what kind of memory it is.

use std::time::Duration;

use super::limit;
use super::scene::{Scene, needs_ms};
use super::sentence::{Amount, Sentence, Topic};
use crate::analyze::runtime::{LimitForJudge, Room, limit_for_judge};
use crate::model::judgement::{Finding, Quantity, Subject, Verdict};
use crate::model::process::{ProcessSample, Status};
use crate::model::reading::{BootMs, Reading};

/// Findings that are told one by one, beside those that leak.
const MOST_GROWING: usize = 3;

/// What a process has before it starts.
const NOTHING: Status = Status {
    rss_anon: Reading::Value(0),
    rss_file: Reading::Value(0),
    rss_shmem: Reading::Value(0),
    swap: 0,
    peak_rss: 0,
    page_tables: 0,
    locked: 0,
    hugetlb: 0,
};

/// What every finding has to say for itself.
pub(super) fn tell(scene: &Scene<'_>) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    let mut growing = 0;
    for (place, finding) in scene.findings.iter().enumerate() {
        let is_leak = finding.judgement.verdict == Verdict::Leaking;
        growing += usize::from(!is_leak);
        if growing > MOST_GROWING {
            continue;
        }
        let mut told = vec![growth(scene, finding)];
        told.extend(restarts(scene, finding));
        // What has given its memory back meets no limit.
        if rises(scene, finding) {
            told.extend(is_leak.then(|| kind(scene, finding)).flatten());
            if finding.judgement.verdict != Verdict::WarmingUp {
                told.extend(limit::tell(finding));
                told.extend(limit::tell_default(scene, finding));
            }
        }
        sentences.extend(told.into_iter().map(|sentence| sentence.about(place)));
    }
    let rest = growing.saturating_sub(MOST_GROWING);
    if rest > 0 {
        let verb = if rest == 1 { " more grows" } else { " more grow" };
        sentences.push(
            Sentence::new(Topic::Growth)
                .put("more", Amount::Count(rest as f64))
                .say(verb)
                .say(", and that can't be called a leak so far."),
        );
    }
    sentences
}

/// An amount of a quantity.
pub(super) fn level(quantity: Quantity, value: f64) -> Amount {
    if quantity.is_bytes() { Amount::Bytes(value) } else { Amount::Count(value) }
}

/// A rate of a quantity.
pub(super) fn rate(quantity: Quantity, per_minute: f64) -> Amount {
    if quantity.is_bytes() { Amount::BytesPerMinute(per_minute) } else { Amount::PerMinute(per_minute) }
}

/// Who a finding is about, at the beginning of a sentence: no number of members in it.
pub(super) fn subject(scene: &Scene<'_>, finding: &Finding) -> String {
    match &finding.subject {
        Subject::Process(_) => finding.name.clone(),
        Subject::Group(key) => match scene.history.service(key) {
            Some(service) if service.members < 2 => format!("the service {}", service.name),
            Some(service) => format!("the {} processes of {} together", service.members, service.name),
            None => finding.name.clone(),
        },
        Subject::Machine => "the machine".into(),
    }
}

fn growth(scene: &Scene<'_>, finding: &Finding) -> Sentence {
    let (judgement, quantity) = (&finding.judgement, finding.quantity);
    let is_plural = subject(scene, finding).ends_with(" together");
    let verb = match (judgement.verdict, is_plural) {
        (Verdict::Leaking, false) => " leaks ",
        (Verdict::Leaking, true) => " leak ",
        (_, false) => " gains ",
        (_, true) => " gain ",
    };
    let topic = if judgement.verdict == Verdict::Leaking { Topic::Leak } else { Topic::Growth };
    let lasted = scene.last.at.since(judgement.since) as f64;
    let [from, to] = ends(scene, finding).unwrap_or([judgement.from, judgement.level]);
    let sentence = Sentence::new(topic)
        .put("subject", Amount::Text(subject(scene, finding)))
        .say(verb)
        .put("quantity", Amount::Text(quantity.title().into()));
    let sentence = if to > from {
        sentence
            .say(": from ")
            .put("from", level(quantity, from))
            .say(" to ")
            .put("to", level(quantity, to))
            .say(" in ")
            .put("lasted", Amount::Milliseconds(lasted))
            .say(", ")
    } else {
        // It was given back a moment ago, and the verdict stands for a while.
        sentence.say(": it fell to ").put("to", level(quantity, to)).say(" just now, after ")
    };
    let sentence = sentence
        .put("rate", rate(quantity, judgement.rate))
        .say(" (95% interval ")
        .put("rate_low", rate(quantity, judgement.rate_low))
        .say(" to ")
        .put("rate_high", rate(quantity, judgement.rate_high))
        .say(")");
    match judgement.verdict {
        Verdict::Leaking => {
            let percent = (f64::from(judgement.confidence) * 100.0).clamp(0.0, 99.0).floor();
            sentence.say(", ").put("confidence", Amount::Percent(percent)).say(" certain.")
        }
        Verdict::WarmingUp => sentence.say(", ever more slowly: as a cache that fills, or a start."),
        _ if to <= from => sentence.say("."),
        _ => match (needs_ms(finding), bounded(scene, finding)) {
            (_, Some(most)) => sentence
                .say(". It may fill ")
                .put("own_limit", Amount::Bytes(most))
                .say(" as it sees fit: that is no leak as long as it keeps to it."),
            (Some(needs_ms), None) => {
                let needs_ms = Amount::Milliseconds(needs_ms as f64);
                sentence.say(". Whether that is a leak can be said in ").put("needs", needs_ms).say(" more.")
            }
            (None, None) => sentence.say(". It does not grow evenly enough to be called a leak."),
        },
    }
}

/// Where a finding's quantity stood when its growth began, and where it stands now.
fn ends(scene: &Scene<'_>, finding: &Finding) -> Option<[f64; 2]> {
    let began = value_at(scene, finding, finding.judgement.since)?;
    // The floor is what it stood on for a while: a smooth growth began below it.
    Some([began.min(finding.judgement.from), value_at(scene, finding, scene.last.at)?])
}

/// Whether what it gained is still there.
pub(super) fn rises(scene: &Scene<'_>, finding: &Finding) -> bool {
    ends(scene, finding).is_some_and(|[from, to]| to > from)
}

/// What a finding's quantity was at a moment, in its units.
fn value_at(scene: &Scene<'_>, finding: &Finding, at: BootMs) -> Option<f64> {
    let points = scene.history.points(&finding.subject, finding.quantity, at, Duration::ZERO, 1)?;
    points.first().copied().filter(|value| value.is_finite()).map(f64::from)
}

/// The limit that a process was given, where it fills it by right.
fn bounded(scene: &Scene<'_>, finding: &Finding) -> Option<f64> {
    if needs_ms(finding).is_some() || finding.quantity != Quantity::Private {
        return None;
    }
    let Subject::Process(key) = finding.subject else { return None };
    let identity = scene.identity_of(key)?;
    let total = scene.last.system.meminfo.mem_total.value()?;
    let bound = scene.last.system.bound_group(&identity.cgroup).map(|bound| &bound.limit);
    match limit_for_judge(identity, Room::of(identity, bound, total))? {
        LimitForJudge::Given(most) => Some(most as f64),
        LimitForJudge::Unseen | LimitForJudge::Fatal(_) => None,
    }
}

/// Restarts that hide a leak.
fn restarts(scene: &Scene<'_>, finding: &Finding) -> Option<Sentence> {
    let Subject::Group(key) = &finding.subject else { return None };
    let service = scene.history.service(key)?;
    (service.relapses > 0).then(|| {
        let processes = if service.relapses == 1 {
            " process of it ended while it grew"
        } else {
            " processes of it ended while they grew"
        };
        Sentence::new(Topic::Restart)
            .put("ended", Amount::Count(service.relapses as f64))
            .say(processes)
            .say(", ")
            .put("lost", Amount::Gain(service.lost as f64))
            .say(" in all: restarts hide the leak, and do not mend it.")
    })
}

/// The kind of memory that grows, where the kernel tells it.
fn kind(scene: &Scene<'_>, finding: &Finding) -> Option<Sentence> {
    match (&finding.subject, finding.quantity) {
        (Subject::Process(key), Quantity::Private) => {
            let status = |process: &ProcessSample| process.status.reading.value();
            let now = scene.last.process(*key).and_then(|now| status(now));
            // Who was not there yet gained all that it has.
            let before = scene.first.process(*key).map_or(Some(NOTHING), |before| status(before));
            Some(before.zip(now).and_then(|(before, now)| private_kind(&before, &now)).unwrap_or_else(anonymous))
        }
        (_, Quantity::Private) => Some(anonymous()),
        (_, Quantity::Fds) => Some(
            Sentence::new(Topic::Kind)
                .say("Files, sockets or pipes are opened and never closed; each costs kernel memory as well."),
        ),
        (_, Quantity::Threads) => Some(
            Sentence::new(Topic::Kind).say("Threads are started and never end; each has a stack and a kernel stack."),
        ),
        (Subject::Machine, Quantity::Shmem) => shmem_kind(scene),
        (_, Quantity::Shmem) => {
            Some(Sentence::new(Topic::Kind).say("It is memory shared by mapping: tmpfs, /dev/shm, SysV or memfd."))
        }
        (Subject::Machine, quantity) => {
            let what = match quantity {
                Quantity::SlabUnreclaimable => {
                    "It is the kernel's own objects that can't be given back: what files, sockets, semaphores, namespaces \
                     or a driver hold. No process owns it."
                }
                Quantity::PageTables => "It is the tables of what is mapped: many processes, or much mapped memory.",
                Quantity::KernelStack => "It is the stacks of threads inside the kernel.",
                Quantity::Percpu => {
                    "It is the kernel's per-CPU counters: most of it belongs to control groups and BPF maps."
                }
                Quantity::Vmalloc => "It is large buffers of the kernel: modules, BPF, drivers.",
                Quantity::Unaccounted => {
                    "No counter of the kernel has it: buffers of the network or of graphics, a driver, the hypervisor."
                }
                _ => return None,
            };
            Some(Sentence::new(Topic::Kind).say(what))
        }
        (_, Quantity::PageTables) => Some(Sentence::new(Topic::Kind).say("It is the tables of what it has mapped.")),
        _ => None,
    }
}

fn anonymous() -> Sentence {
    Sentence::new(Topic::Kind).say("It is anonymous memory, in RAM or in swap: heap, stacks, private mappings.")
}

fn private_kind(before: &Status, now: &Status) -> Option<Sentence> {
    let gain = |part: fn(&Status) -> Reading<u64>| Some(part(now).value()? as f64 - part(before).value()? as f64);
    let anon = gain(|status| status.rss_anon)?;
    let swap = now.swap as f64 - before.swap as f64;
    let mut sentence = Sentence::new(Topic::Kind)
        .say("It is anonymous memory (heap, stacks, private mappings): ")
        .put("anon_gain", Amount::Gain(anon))
        .say(" in RAM and ")
        .put("swap_gain", Amount::Gain(swap))
        .say(" in swap while it was watched");
    if let (Some(file), Some(shmem)) = (gain(|status| status.rss_file), gain(|status| status.rss_shmem)) {
        sentence = sentence
            .say("; mapped files ")
            .put("file_gain", Amount::Gain(file))
            .say(", shared memory ")
            .put("shmem_gain", Amount::Gain(shmem));
    }
    let sentence = sentence.say(".");
    Some(if swap > anon && swap > 0.0 {
        sentence.say(" RSS hides it: the kernel swaps out what leaks.")
    } else {
        sentence
    })
}

fn shmem_kind(scene: &Scene<'_>) -> Option<Sentence> {
    let gain = scene.gain(|sample| sample.system.meminfo.shmem)?;
    let sentence = Sentence::new(Topic::Kind).say("No process owns it. ");
    let Some((sysv, segments)) = sysv_gain(scene) else {
        return Some(sentence.say("It is tmpfs, /dev/shm, SysV or memfd segments."));
    };
    Some(if sysv >= gain / 2.0 {
        sentence
            .say("It is SysV shared memory: ")
            .put("sysv_gain", Amount::Gain(sysv))
            .say(" while it was watched, ")
            .put("segments", Amount::Count(f64::from(segments.segments)))
            .say(" segments, ")
            .put("unattached", Amount::Count(f64::from(segments.unattached_segments)))
            .say(" of them (")
            .put("unattached_bytes", Amount::Bytes(segments.unattached_bytes as f64))
            .say(") attached to nobody.")
    } else {
        sentence
            .say("It is files in a tmpfs (/dev/shm, /run, /tmp) or memfd segments: ")
            .put("gain", Amount::Gain(gain))
            .say(" while it was watched, of which SysV segments ")
            .put("sysv_gain", Amount::Gain(sysv))
            .say(".")
    })
}

/// What SysV segments gained while it was watched, bytes, and how they are now.
pub(super) fn sysv_gain(scene: &Scene<'_>) -> Option<(f64, crate::model::system::SysvShm)> {
    let now = scene.last.system.sysv_shm.value()?;
    let before = scene.first.system.sysv_shm.value()?;
    Some((now.bytes as f64 - before.bytes as f64, now))
}
