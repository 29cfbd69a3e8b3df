//! Whose the machine's growth is.

use super::scene::{Scene, is_of, name, private};
use super::sentence::{Amount, Sentence, Topic};
use crate::analyze::track::least_kib;
use crate::model::judgement::{Quantity, Subject};
use crate::model::sample::Sample;

/// Owners that are named, and from which share on.
const MOST_OWNERS: usize = 4;
const LEAST_SHARE: f64 = 0.05;

/// What the machine gained, and who has it; nothing where it gained nothing that matters.
pub(super) fn tell(scene: &Scene<'_>) -> Option<Sentence> {
    let (from, to) = (in_use(scene.first)?, in_use(scene.last)?);
    let total = scene.last.system.meminfo.mem_total.value()?;
    let gain = to - from;
    if gain < f64::from(least_kib(total)) * 1024.0 {
        return None;
    }
    let mut owners = owners(scene);
    owners.retain(|(_, gained)| *gained >= LEAST_SHARE * gain);
    owners.truncate(MOST_OWNERS);
    let mut sentence = Sentence::new(Topic::Share)
        .say("The machine's use of RAM and swap rose by ")
        .put("gain", Amount::Bytes(gain))
        .say(", from ")
        .put("from", Amount::Bytes(from))
        .say(" to ")
        .put("to", Amount::Bytes(to));
    if owners.is_empty() {
        return Some(sentence.say(": spread over many, nobody has a twentieth of it."));
    }
    for (nth, (owner, gained)) in owners.into_iter().enumerate() {
        sentence = sentence
            .say(if nth == 0 { ". Of that, " } else { ", " })
            .put("owner", Amount::Text(owner))
            .say(" has ")
            .put("owner_gain", Amount::Bytes(gained))
            .say(" (")
            // Where others gave memory back, one may have more than all of it.
            .put("owner_share", Amount::Percent((gained / gain * 100.0).min(100.0)))
            .say(")");
    }
    Some(sentence.say("."))
}

/// RAM that is not available, and swap in use, bytes.
fn in_use(sample: &Sample) -> Option<f64> {
    let meminfo = &sample.system.meminfo;
    Some((meminfo.used().value()? + meminfo.swap_used().value().unwrap_or(0)) as f64)
}

/// Who gained, the most first: processes, services that were found to grow as one, and what no process owns.
fn owners(scene: &Scene<'_>) -> Vec<(String, f64)> {
    let services: Vec<_> =
        scene.findings.iter().filter(|finding| matches!(finding.subject, Subject::Group(_))).collect();
    let mut owners = Vec::new();
    for service in &services {
        let Subject::Group(key) = &service.subject else { continue };
        let sum = |sample: &Sample| -> f64 {
            let members = sample.processes.iter().filter(|process| is_of(&process.identity, key));
            members.map(|process| private(sample, process)).sum()
        };
        let of_service = scene.history.service(key).map_or(service.name.as_str(), |service| service.name);
        owners.push((of_service.to_owned(), sum(scene.last) - sum(scene.first)));
    }
    for process in &scene.last.processes {
        let is_in_service = services.iter().any(|service| match &service.subject {
            Subject::Group(key) => is_of(&process.identity, key),
            _ => false,
        });
        if !is_in_service {
            owners.push((name(process), scene.private_gain(process)));
        }
    }
    let lines = [
        (Quantity::Shmem.title(), scene.gain(|sample| sample.system.meminfo.shmem)),
        (Quantity::SlabUnreclaimable.title(), scene.gain(|sample| sample.system.meminfo.s_unreclaim)),
        (Quantity::PageTables.title(), scene.gain(|sample| sample.system.meminfo.page_tables)),
        (Quantity::KernelStack.title(), scene.gain(|sample| sample.system.meminfo.kernel_stack)),
        (Quantity::Percpu.title(), scene.gain(|sample| sample.system.meminfo.percpu)),
    ];
    owners.extend(lines.into_iter().filter_map(|(title, gain)| Some((title.to_owned(), gain?))));
    owners.sort_by(|a, b| b.1.total_cmp(&a.1));
    owners
}
