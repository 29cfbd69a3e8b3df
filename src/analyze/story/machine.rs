//! The machine's memory, and what of it is mere cache.

use super::scene::Scene;
use super::sentence::{Amount, Sentence, Topic};
use crate::analyze::track::least_kib;
use crate::model::sample::Sample;
use crate::model::system::Meminfo;

/// RAM that looks taken from here on, where so much of it is available that this is harmless.
const LOOKS_FULL: f64 = 0.6;
const HARMLESS: f64 = 0.2;

/// Memory is short where less than this share is available.
const SHORT: f64 = 0.1;

/// What is in use, what is available, what is cache.
pub(super) fn tell(scene: &Scene<'_>) -> Vec<Sentence> {
    memory(scene).into_iter().chain(container(scene)).collect()
}

fn memory(scene: &Scene<'_>) -> Option<Sentence> {
    let meminfo = &scene.last.system.meminfo;
    let total = meminfo.mem_total.value().filter(|total| *total > 0)? as f64;
    let (used, available) = (meminfo.used().value()? as f64, meminfo.mem_available.value()? as f64);
    let free = meminfo.mem_free.value()? as f64;
    let cache = cache(meminfo)?;
    let sentence = Sentence::new(Topic::Memory)
        .say("Of ")
        .put("total", Amount::Bytes(total))
        .say(" of RAM ")
        .put("used_percent", Amount::Percent(used / total * 100.0))
        .know("used", Amount::Bytes(used))
        .say(" is in use and ")
        .put("available", Amount::Bytes(available))
        .say(" available.");
    let taken = 1.0 - free / total;
    let sentence = if taken >= LOOKS_FULL && available >= HARMLESS * total {
        sentence
            .say(" It looks ")
            .put("taken_percent", Amount::Percent(taken * 100.0))
            .say(" full because ")
            .put("cache", Amount::Bytes(cache))
            .say(" hold contents and names of files: mere cache, which the kernel gives back as soon as somebody needs it. \
                 That is harmless.")
    } else {
        sentence
            .say(" ")
            .put("cache", Amount::Bytes(cache))
            .say(" is cache of files, which the kernel gives back when somebody needs it.")
            .say(if available < SHORT * total { " Memory is short." } else { "" })
    };
    Some(match cache_gain(scene) {
        Some(gain) => {
            sentence.say(" The cache grew by ").put("cache_gain", Amount::Bytes(gain)).say(" meanwhile: no leak.")
        }
        None => sentence,
    })
}

/// Contents of files, block buffers, dentries and inodes: what can be given back, bytes. Shared memory is in `Cached`
/// too, and can't.
fn cache(meminfo: &Meminfo) -> Option<f64> {
    let cached = meminfo.cached.value()?.saturating_sub(meminfo.shmem.value().unwrap_or(0));
    Some((cached + meminfo.buffers.value().unwrap_or(0) + meminfo.s_reclaimable.value().unwrap_or(0)) as f64)
}

/// How much the cache gained, where that is enough to be mistaken for a leak.
fn cache_gain(scene: &Scene<'_>) -> Option<f64> {
    let of = |sample: &Sample| cache(&sample.system.meminfo);
    let gain = of(scene.last)? - of(scene.first)?;
    let total = scene.last.system.meminfo.mem_total.value()?;
    (gain >= f64::from(least_kib(total)) * 1024.0).then_some(gain)
}

/// The limit of the container that we are in.
fn container(scene: &Scene<'_>) -> Option<Sentence> {
    let limit = scene.last.system.cgroup_limit.as_ref().value()?.as_ref()?;
    Some(
        Sentence::new(Topic::Memory)
            .say("memtide's own control group is limited to ")
            .put("cgroup_limit", Amount::Bytes(limit.limit as f64))
            .say(": ")
            .put("cgroup_usage", Amount::Bytes(limit.usage as f64))
            .say(" used, of which ")
            .put("cgroup_cache", Amount::Bytes(limit.inactive_file.min(limit.usage) as f64))
            .say(" is cache."),
    )
}
