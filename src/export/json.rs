//! JSON with a named, versioned schema. Sizes are bytes, rates are per second or minute as their unit says, times are
//! milliseconds since the epoch. What is unknown is `null`, and `unknown` says why: never a zero. `assets/schemas/` has the
//! same in full, as JSON Schema (`memtide schema`).
//!
//! `memtide.ps/1`: `{schema, wall_ms, host, fields: [{key, unit}], processes: [{<key>: value, unknown?: {<key>: why}}]}`.
//! Grouped: `groups: [{name, count, pids, <key>: value, bounds?: {<key>: "at most"|"at least"|"about"}, unknown?}]`.
//!
//! `memtide.free/1`: `{schema, wall_ms, host, system: {<key>: value}, unknown: {<key>: why}, ram: [{key, bytes}], overlap,
//! reclaimable: [{key, bytes, price: "nothing"|"read again"|"write first"|"swap"|"decision"|"none", words}],
//! swap: [{path, kind, size, used, priority}], zram: [{name, original, compressed, used}],
//! balloon?: {bytes, in_total}, cgroup_limit?: {path, bytes}, survey?: SURVEY}`, where the SURVEY of `--full` is
//! `{unknown: {<part>: why}, slab?: [{cache, bytes, idle, objects, active, object_size, reclaimable}],
//! tmpfs?: [{path, kind, used, size, inodes, unknown?}], segments?: [{id, key, uid, mode, size, rss, swap, attached,
//! standing, creator, creator_alive, pids}], posix?: [{path, uid, allocated, length, modified_s, standing, pids}],
//! loose?: [{path, kind, bytes, at_most, pids, holders}], extent: {processes, seen, denied, hiding},
//! swap_by_process: [{pid, uid, swap, swap_pss, command}], settings?: [{key, value, says, unknown?}],
//! zones?: [{node, zone, free, min, low, high, managed}]}`; `standing` is "in use", "idle" or "leaked", `at_most` tells
//! that the size is what is mapped of it, `pids` are at most eight.
//!
//! Compared with a mark, both have `since: {name, wall_ms, age_ms}`; processes that came after it `new: true`, and
//! `ended: [{pid, start_time, name, command, <key>: value at the mark}]` lists who has gone; the machine `change:
//! {<key>: by}` and each part of `ram` its `change`.
//!
//! `memtide.diagnose/1`: `{schema, wall_ms, host, began_wall_ms, watched_ms, samples, processes, asked?: {pid, start_time},
//! outcome: "leaking"|"growing"|"not enough data"|"clear", needs_ms?, headline: SENTENCE, sentences: [SENTENCE],
//! advice: [{title, commands: [text], why: SENTENCE, risk?}], findings: [FINDING]}`, where a SENTENCE is `{topic, text,
//! facts: [{key, value, unit}], finding?}` with `finding` its place among the findings, and a FINDING `{subject:
//! "process"|"group"|"machine", pid?, start_time?, name, quantity, unit, verdict, confidence, rate, rate_low, rate_high,
//! since_boot_ms, from, to, needs_ms, meetings: [{limit, size, left, in_ms, earliest_ms, latest_ms, is_end}]}`: rates per
//! minute, confidence from 0 to 1; a time that never comes is `null`.
//!
//! `memtide.inspect/1`: `{schema, wall_ms, pid, start_time, took_us, overview?: {<key>: value, cgroup_limit: {path, limit,
//! usage, inactive_file, swap_limit, swap_usage, oom_kills}|null, unknown?}, mappings?: {coverage: COVERAGE, total: MEMORY,
//! groups: [MEMORY + {kind, name, deleted, count, unread}], largest: [MEMORY + {kind, name, deleted, start, end,
//! permissions, offset}]}, descriptors?: {coverage: COVERAGE, kinds: [{kind, count, change?}], targets: [{kind, name,
//! deleted, count, lowest, highest, blocks, socket?: SOCKET, change?}], newest: [{fd, kind, name, deleted, access, socket?:
//! SOCKET}], deleted: {files, disk, ram}}, threads?: {coverage: COVERAGE, threads: [{tid, name, state, cpu_ms, stack:
//! {size, rss, swap}|null, unknown?}]}, growth?: {watched_ms, samples, outcome, needs_ms, headline: SENTENCE, findings:
//! [FINDING]}, unknown?: {<part>: why}}`, where COVERAGE is `{read, of}`: where less was read than there is, counts of
//! descriptors are those of an even sample, and memory of mappings is that of those that were read (`null` where `unread`
//! is `count`) while `total` is the process's. MEMORY has `pss`, `rss`, `uss`, `swap`, `swap_pss`, `dirty`, `anon`, `anon_huge`, `hugetlb`, `locked` and
//! `size`, and after a watch `change` with the same keys. SOCKET is `{protocol, state, local, peer}`. Addresses are
//! hexadecimal text.

mod inspect;
mod report;
mod story;
mod survey;

pub use inspect::inspect;
pub use report::report;
pub use story::story;
pub use survey::survey;

use serde_json::{Map, Value as Json, json};

use crate::model::account::Account;
use crate::model::field::{ProcessField, SYSTEM_FIELDS, Unit, Value};
use crate::model::group::{Bound, Group};
use crate::model::mark::{Marked, MarkedProcess, ram_change};
use crate::model::reading::Reading;
use crate::model::reclaim::{Reclaim, reclaimable};
use crate::model::snapshot::Snapshot;

/// Processes, the columns chosen, in the order given.
pub fn processes(snapshot: &Snapshot, fields: &[&'static ProcessField], order: &[usize]) -> Json {
    let process = |index: &usize| {
        let row = snapshot.row(*index);
        let mut object = Map::new();
        if snapshot.mark.as_ref().is_some_and(|mark| mark.process(row.process.key).is_none()) {
            object.insert("new".into(), true.into());
        }
        let mut unknown = Map::new();
        for field in fields {
            insert(&mut object, &mut unknown, field.key, &(field.get)(&row));
        }
        if !unknown.is_empty() {
            object.insert("unknown".into(), unknown.into());
        }
        Json::Object(object)
    };
    let mut document = head("memtide.ps/1", snapshot);
    document.insert("fields".into(), describe(fields));
    document.insert("processes".into(), order.iter().map(process).collect());
    if let Some(mark) = &snapshot.mark {
        document.insert("ended".into(), mark.ended(&snapshot.sample).map(marked).collect());
    }
    document.into()
}

/// Groups, the columns chosen, in the order given.
pub fn groups(snapshot: &Snapshot, fields: &[&'static ProcessField], groups: &[Group]) -> Json {
    let group = |group: &Group| {
        let mut object = Map::new();
        let (mut unknown, mut bounds) = (Map::new(), Map::new());
        object.insert("name".into(), group.name.clone().into());
        object.insert("count".into(), group.members.len().into());
        let pids = group.members.iter().map(|member| snapshot.row(*member as usize).process.key.pid);
        object.insert("pids".into(), pids.collect());
        for field in fields.iter().filter(|field| field.unit.is_number() && field.key != "pid") {
            let (reading, bound) = group.total(snapshot, field);
            insert(&mut object, &mut unknown, field.key, &reading);
            let word = match bound {
                Bound::Exact => continue,
                Bound::AtMost => "at most",
                Bound::AtLeast => "at least",
                Bound::About => "about",
            };
            bounds.insert(field.key.into(), word.into());
        }
        for (key, map) in [("unknown", unknown), ("bounds", bounds)] {
            if !map.is_empty() {
                object.insert(key.into(), map.into());
            }
        }
        Json::Object(object)
    };
    let mut document = head("memtide.ps/1", snapshot);
    document.insert("fields".into(), describe(fields));
    document.insert("groups".into(), groups.iter().map(group).collect());
    document.into()
}

/// The machine.
pub fn machine(snapshot: &Snapshot) -> Json {
    let mut document = head("memtide.free/1", snapshot);
    let (mut system, mut unknown) = (Map::new(), Map::new());
    for field in SYSTEM_FIELDS {
        insert(&mut system, &mut unknown, field.key, &(field.get)(snapshot));
    }
    document.insert("system".into(), system.into());
    document.insert("unknown".into(), unknown.into());
    if snapshot.mark.is_some() {
        let changes = SYSTEM_FIELDS.iter().filter_map(|field| {
            Some((field.key.to_owned(), Json::from(snapshot.system_change(field).value()?.number()? as i64)))
        });
        document.insert("change".into(), Json::Object(changes.collect()));
    }
    if let Some(account) = Account::of(&snapshot.sample.system) {
        let part = |part: &crate::model::account::Part| {
            let mut object = json!({"key": part.key, "bytes": part.bytes});
            if let Some(by) = ram_change(snapshot, &account, &[part.key]) {
                object["change"] = (by as i64).into();
            }
            object
        };
        document.insert("ram".into(), account.parts.iter().map(part).collect());
        document.insert("overlap".into(), account.overlap.into());
    }
    let swap = |device: &crate::model::system::SwapDevice| {
        json!({"path": device.path.escaped(), "kind": device.kind.escaped(), "size": device.size, "used": device.used,
               "priority": device.priority})
    };
    document.insert("swap".into(), snapshot.sample.system.swaps.iter().map(swap).collect());
    let reclaim = |reclaim: Reclaim| json!({"key": reclaim.key, "bytes": reclaim.bytes, "price": reclaim.price.word(), "words": reclaim.words});
    document.insert("reclaimable".into(), reclaimable(&snapshot.sample.system).into_iter().map(reclaim).collect());
    let zram = |zram: &crate::model::system::Zram| json!({"name": zram.name.escaped(), "original": zram.original, "compressed": zram.compressed, "used": zram.used});
    document.insert("zram".into(), snapshot.sample.system.zram.iter().map(zram).collect());
    if let Some(balloon) = snapshot.sample.system.balloon.value() {
        document.insert("balloon".into(), json!({"bytes": balloon.bytes, "in_total": balloon.is_in_total}));
    }
    if let Some(Some(limit)) = snapshot.sample.system.cgroup_limit.as_ref().value() {
        document.insert("cgroup_limit".into(), json!({"path": limit.path.escaped(), "bytes": limit.limit}));
    }
    document.into()
}

fn head(schema: &str, snapshot: &Snapshot) -> Map<String, Json> {
    let mut head = Map::new();
    head.insert("schema".into(), schema.into());
    head.insert("wall_ms".into(), snapshot.sample.wall_ms.into());
    head.insert("host".into(), snapshot.sample.host.name.escaped().into());
    if let Some(mark) = &snapshot.mark {
        let age_ms = snapshot.sample.at.since(mark.at);
        head.insert("since".into(), json!({"name": mark.name, "wall_ms": mark.wall_ms, "age_ms": age_ms}));
    }
    head
}

/// A process as it was at the mark.
fn marked(process: &MarkedProcess) -> Json {
    let mut object = Map::new();
    object.insert("pid".into(), process.key.pid.into());
    object.insert("start_time".into(), process.key.start_time.into());
    object.insert("name".into(), process.identity.comm.escaped().into());
    object.insert("command".into(), process.identity.shown_command().into());
    for (what, key) in Marked::ALL {
        object.insert(key.into(), process.value(what).map_or(Json::Null, Json::from));
    }
    object.into()
}

fn describe(fields: &[&'static ProcessField]) -> Json {
    fields.iter().map(|field| json!({"key": field.key, "unit": unit(field.unit)})).collect()
}

/// A unit's name for programs.
pub(super) fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes | Unit::BytesChange => "bytes",
        Unit::BytesPerMinute | Unit::Series => "bytes/min",
        Unit::BytesPerSecond => "bytes/s",
        Unit::Count | Unit::CountChange => "count",
        Unit::PerSecond => "1/s",
        Unit::Percent => "percent",
        Unit::Milliseconds => "ms",
        Unit::Text => "text",
    }
}

fn insert(object: &mut Map<String, Json>, unknown: &mut Map<String, Json>, key: &str, reading: &Reading<Value<'_>>) {
    let value = match reading {
        Reading::Value(value) | Reading::Stale(value, _) => match value {
            Value::Bytes(n) | Value::Count(n) | Value::Milliseconds(n) => (*n).into(),
            Value::BytesPerMinute(n) | Value::BytesPerSecond(n) | Value::PerSecond(n) | Value::Percent(n) => {
                (*n).into()
            }
            // What is counted is whole.
            Value::BytesChange(n) | Value::CountChange(n) | Value::New(n) => (*n as i64).into(),
            Value::Text(text) | Value::Ranked(_, text) => text.as_ref().into(),
        },
        _ => Json::Null,
    };
    object.insert(key.into(), value);
    if let Some(why) = reading.explain() {
        unknown.insert(key.into(), why.into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::field::process_field;
    use crate::model::group::{GroupBy, group};
    use crate::model::testing;

    fn snapshot() -> Snapshot {
        let mut known = testing::process(7, "node", "node app.js");
        testing::set_memory(&mut known, 840, Some((812, 800)));
        let mut unknown = testing::process(9, "x\u{1b}[2J", "");
        testing::set_memory(&mut unknown, 22, None);
        testing::snapshot(vec![Arc::new(known), Arc::new(unknown)])
    }

    #[test]
    fn unknown_is_null_with_a_reason_and_never_zero() {
        let fields = ["pid", "pss", "command"].map(|key| process_field(key).unwrap());
        let json = processes(&snapshot(), &fields, &[1, 0]);
        assert_eq!(json["schema"], "memtide.ps/1");
        assert_eq!(json["processes"][0]["pss"], Json::Null);
        assert!(json["processes"][0]["unknown"]["pss"].as_str().unwrap().contains("not read"));
        assert_eq!(json["processes"][0]["command"], "[x\\x1b[2J]", "nothing a terminal would obey");
        assert_eq!(json["processes"][1]["pss"], 812u64 << 20);
        assert_eq!(json["processes"][1].get("unknown"), None);
    }

    #[test]
    fn groups_say_how_exact_their_sums_are() {
        let snapshot = snapshot();
        let fields = ["pss", "rss"].map(|key| process_field(key).unwrap());
        let json = groups(&snapshot, &fields, &group(&snapshot, GroupBy::User, 0..2));
        assert_eq!(json["groups"][0]["name"], "app");
        assert_eq!(json["groups"][0]["pids"], json!([7, 9]));
        assert_eq!(json["groups"][0]["bounds"], json!({"pss": "at least", "rss": "at most"}));
    }

    #[test]
    fn the_machine_is_whole() {
        let json = machine(&snapshot());
        let sum: u64 = json["ram"].as_array().unwrap().iter().map(|part| part["bytes"].as_u64().unwrap()).sum();
        assert_eq!(sum, json["system"]["mem_total"].as_u64().unwrap());
        assert!(json["unknown"]["psi_some"].is_string());
    }
}
