//! What a lack of memory does: swapping, waiting, killing.

use super::Outcome;
use super::scene::Scene;
use super::sentence::{Amount, Sentence, Topic};
use crate::model::sample::Sample;
use crate::model::system::Stall;

/// Swapped in so fast, bytes a second, programs wait for the disk.
const BUSY: f64 = 100.0 * 1024.0;

/// Waiting that is told, percent of the time.
const WAITING: f64 = 1.0;

/// Swap, pressure and kills while it was watched.
pub(super) fn tell(scene: &Scene<'_>, outcome: Outcome) -> Vec<Sentence> {
    swap(scene, outcome).into_iter().chain(pressure(scene)).chain(kills(scene)).collect()
}

fn per_second(scene: &Scene<'_>, count: Option<f64>) -> Option<f64> {
    count.filter(|_| scene.compared_ms > 0).map(|count| count * 1000.0 / scene.compared_ms as f64)
}

fn swap(scene: &Scene<'_>, outcome: Outcome) -> Option<Sentence> {
    let meminfo = &scene.last.system.meminfo;
    let total = meminfo.swap_total.value()?;
    if total == 0 {
        let words = "There is no swap: where memory is full the OOM killer acts at once.";
        return (outcome == Outcome::Leaking).then(|| Sentence::new(Topic::Swap).say(words));
    }
    let used = meminfo.swap_used().value()? as f64;
    let page = scene.last.host.page_size as f64;
    let into = per_second(scene, scene.count(|sample| sample.system.vmstat.swap_in)).map(|pages| pages * page);
    let out = per_second(scene, scene.count(|sample| sample.system.vmstat.swap_out)).map(|pages| pages * page);
    let faults = per_second(scene, scene.count(|sample| sample.system.vmstat.major_faults));
    let mut sentence = Sentence::new(Topic::Swap)
        .put("swap_used", Amount::Bytes(used))
        .say(" of ")
        .put("swap_total", Amount::Bytes(total as f64))
        .say(" of swap is in use");
    if let (Some(into), Some(out)) = (into, out) {
        sentence = sentence
            .say("; ")
            .put("swap_in", Amount::BytesPerSecond(into))
            .say(" came in and ")
            .put("swap_out", Amount::BytesPerSecond(out))
            .say(" went out");
        if let Some(faults) = faults {
            sentence =
                sentence.say(", with ").put("major_faults", Amount::PerSecond(faults)).say(" page faults from disk");
        }
        sentence = sentence.say(if into >= BUSY {
            ": programs wait for what was swapped out."
        } else if used > 0.0 && out < BUSY {
            ": what rests there is not missed."
        } else {
            "."
        });
        return Some(sentence);
    }
    Some(sentence.say("."))
}

fn pressure(scene: &Scene<'_>) -> Option<Sentence> {
    let (before, now) = (scene.first.system.pressure.value()?, scene.last.system.pressure.value()?);
    if scene.compared_ms == 0 {
        return None;
    }
    // Microseconds of the milliseconds that passed.
    let share = |before: Stall, now: Stall| {
        (now.total_us.saturating_sub(before.total_us) as f64 / scene.compared_ms as f64 / 10.0).min(100.0)
    };
    let (some, full) = (share(before.some, now.some), share(before.full, now.full));
    let sentence = Sentence::new(Topic::Pressure);
    Some(if some < WAITING {
        sentence
            .say("Programs hardly waited for memory (PSI ")
            .put("psi_some", Amount::Percent(some))
            .know("psi_full", Amount::Percent(full))
            .say(" of the time).")
    } else {
        sentence
            .say("Programs waited for memory ")
            .put("psi_some", Amount::Percent(some))
            .say(" of the time, all of them at once ")
            .put("psi_full", Amount::Percent(full))
            .say(" (PSI).")
    })
}

fn kills(scene: &Scene<'_>) -> Option<Sentence> {
    let kills = scene.count(|sample: &Sample| sample.system.vmstat.oom_kills).filter(|kills| *kills > 0.0)?;
    Some(
        Sentence::new(Topic::Kill)
            .say("The OOM killer, of the machine or of a control group, struck ")
            .put("oom_kills", Amount::Count(kills))
            .say(if kills < 1.5 { " time" } else { " times" })
            .say(" while it was watched: dmesg names the victims."),
    )
}
