//! A survey as JSON; the head of [`super`] describes it.

use serde_json::{Map, Value as Json, json};

use crate::model::reading::Reading;
use crate::model::snapshot::Snapshot;
use crate::model::survey::{
    Attachment, Extent, Holders, Loose, SETTINGS, Segment, Setting, ShmFile, SlabCache, Survey, Surveyed, Tmpfs, Zone,
};

/// Everything that was surveyed, and swap by process.
pub fn survey(snapshot: &Snapshot, survey: &Survey) -> Json {
    let mut document = Map::new();
    let mut unknown = Map::new();
    list(&mut document, &mut unknown, "slab", &survey.slab, |caches| caches.iter().map(cache).collect());
    list(&mut document, &mut unknown, "tmpfs", &survey.tmpfs, |mounts| mounts.iter().map(mount).collect());
    list(&mut document, &mut unknown, "segments", &survey.segments, |all| all.iter().map(segment).collect());
    list(&mut document, &mut unknown, "posix", &survey.posix, |files| files.iter().map(file).collect());
    list(&mut document, &mut unknown, "loose", &survey.loose, |all| all.iter().map(loose).collect());
    let zones = survey.zones.value();
    let meminfo = &snapshot.sample.system.meminfo;
    list(&mut document, &mut unknown, "settings", &survey.settings, |values| {
        let setting =
            |(spec, reading): (&crate::model::survey::SettingSpec, &Reading<Setting>)| match reading.as_ref().value() {
                Some(value) => {
                    let says = spec.explain(value, meminfo, zones, values);
                    json!({"key": spec.key, "value": value.text, "says": says})
                }
                None => json!({"key": spec.key, "value": null, "unknown": reading.explain()}),
            };
        SETTINGS.iter().zip(values.iter()).map(setting).collect()
    });
    list(&mut document, &mut unknown, "zones", &survey.zones, |zones| zones.zones.iter().map(zone).collect());
    document.insert("extent".into(), extent(survey.extent));
    document.insert("swap_by_process".into(), swapped(snapshot));
    document.insert("unknown".into(), unknown.into());
    document.into()
}

/// A part, or why there is none.
fn list<T>(
    document: &mut Map<String, Json>,
    unknown: &mut Map<String, Json>,
    key: &str,
    part: &Surveyed<T>,
    show: impl FnOnce(&T) -> Json,
) {
    match part.value() {
        Some(value) => document.insert(key.into(), show(value)),
        None => unknown.insert(key.into(), part.reading.explain().into()),
    };
}

fn cache(cache: &SlabCache) -> Json {
    json!({"cache": cache.name.escaped(), "bytes": cache.bytes, "idle": cache.idle(), "objects": cache.objects,
           "active": cache.active, "object_size": cache.object_size, "reclaimable": cache.is_reclaimable})
}

fn mount(mount: &Tmpfs) -> Json {
    let usage = mount.usage.value();
    let mut object = json!({"path": mount.path.escaped(), "kind": mount.kind.escaped(), "used": usage.map(|u| u.used),
                            "size": usage.map(|u| u.size), "inodes": usage.map(|u| u.inodes)});
    if let (Some(why), Some(object)) = (mount.usage.explain(), object.as_object_mut()) {
        object.insert("unknown".into(), why.into());
    }
    object
}

fn segment(segment: &Segment) -> Json {
    json!({"id": segment.id, "key": segment.key, "uid": segment.uid, "mode": segment.mode, "size": segment.size,
           "rss": segment.rss.value(), "swap": segment.swap.value(), "attached": segment.attached,
           "standing": segment.standing().word(), "creator": segment.creator,
           "creator_alive": segment.is_creator_alive, "pids": segment.holders.pids})
}

fn file(file: &ShmFile) -> Json {
    let pids = match &file.held {
        Attachment::Held(holders) => &holders.pids[..],
        Attachment::Nobody | Attachment::NobodySeen => &[],
    };
    json!({"path": file.path.escaped(), "uid": file.uid, "allocated": file.allocated, "length": file.length,
           "modified_s": file.modified_s, "standing": file.standing().word(), "pids": pids})
}

fn loose(loose: &Loose) -> Json {
    let Holders { pids, count } = &loose.holders;
    json!({"path": loose.path.escaped(), "kind": loose.kind.word(), "bytes": loose.bytes, "at_most": loose.is_extent,
           "pids": pids, "holders": count})
}

fn zone(zone: &Zone) -> Json {
    json!({"node": zone.node, "zone": zone.name, "free": zone.free, "min": zone.min, "low": zone.low,
           "high": zone.high, "managed": zone.managed})
}

fn extent(extent: Extent) -> Json {
    json!({"processes": extent.processes, "seen": extent.seen, "denied": extent.denied, "hiding": extent.is_hiding})
}

/// Processes that have something in swap, by pid.
fn swapped(snapshot: &Snapshot) -> Json {
    let process = |process: &std::sync::Arc<crate::model::process::ProcessSample>| {
        let swap = process.status.reading.value().map(|status| status.swap).filter(|swap| *swap > 0)?;
        let swap_pss = process.rollup.reading.value().map(|rollup| rollup.swap_pss);
        Some(json!({"pid": process.key.pid, "uid": process.identity.uid, "swap": swap, "swap_pss": swap_pss,
                    "command": process.identity.shown_command()}))
    };
    snapshot.sample.processes.iter().filter_map(process).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::reading::{BootMs, Denial};
    use crate::model::testing;

    #[test]
    fn what_is_not_known_is_missing_with_a_reason_and_never_empty() {
        let files: Arc<[ShmFile]> = Arc::new([ShmFile {
            path: "/dev/shm/a\u{1b}[2J".into(),
            uid: 0,
            length: 1,
            allocated: 4096,
            modified_s: 5,
            held: Attachment::Nobody,
        }]);
        let mut known = Survey {
            posix: Surveyed { reading: Reading::Value(files), at: BootMs(0), cost_us: 0, left_out: 0 },
            ..Survey::default()
        };
        known.slab.reading = Reading::Denied(Denial::Root);
        let json = survey(&testing::snapshot(Vec::new()), &known);
        assert_eq!((&json["slab"], &json["unknown"]["slab"]), (&Json::Null, &"needs root".into()));
        assert!(json["unknown"]["tmpfs"].is_string());
        assert_eq!(json["posix"][0]["standing"], "leaked");
        assert_eq!(json["posix"][0]["path"], "/dev/shm/a\\x1b[2J", "nothing a terminal would obey");
        assert_eq!(json["unknown"].get("posix"), None);
    }
}
