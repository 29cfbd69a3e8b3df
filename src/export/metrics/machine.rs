//! Metrics of the machine: its fields, its counters since boot, every part of its RAM, and the limit of our own control
//! group.

use super::{Family, Kind, Labels, names, no_labels, number};
use crate::model::account::Account;
use crate::model::field::SYSTEM_FIELDS;
use crate::model::reading::Reading;
use crate::model::snapshot::Snapshot;

pub(super) fn families(snapshot: &Snapshot) -> Vec<Family> {
    let fields = SYSTEM_FIELDS.iter().filter_map(|field| {
        let (name, kind, unit) = names::of_machine(field)?;
        let family = Family::new(format!("memtide_{name}"), kind, unit, field.help);
        Some(family.single(number(field.unit, &(field.get)(snapshot))))
    });
    fields.chain(counters(snapshot)).chain([account(snapshot)]).chain(limit(snapshot)).collect()
}

/// What only rises: rates are the reader's to take, over any time.
fn counters(snapshot: &Snapshot) -> [Family; 6] {
    let vmstat = &snapshot.sample.system.vmstat;
    let pages = |reading: Reading<u64>| reading.value().map(|pages| (pages * snapshot.sample.host.page_size) as f64);
    let count = |reading: Reading<u64>| reading.value().map(|count| count as f64);
    let pressure = snapshot.sample.system.pressure.value();
    let seconds = |us: u64| us as f64 / 1e6;
    let family = |name: &'static str, unit, help, value| Family::new(name, Kind::Counter, unit, help).single(value);
    [
        family("memtide_swap_in_bytes", "bytes", "Bytes swapped in since boot.", pages(vmstat.swap_in)),
        family("memtide_swap_out_bytes", "bytes", "Bytes swapped out since boot.", pages(vmstat.swap_out)),
        family("memtide_major_faults", "", "Page faults since boot that needed the disk.", count(vmstat.major_faults)),
        family("memtide_oom_kills", "", "Kills by the OOM killer since boot.", count(vmstat.oom_kills)),
        family(
            "memtide_pressure_waiting_seconds",
            "seconds",
            "Time since boot in which some task waited for memory (PSI some).",
            pressure.map(|pressure| seconds(pressure.some.total_us)),
        ),
        family(
            "memtide_pressure_stalled_seconds",
            "seconds",
            "Time since boot in which all tasks waited for memory (PSI full).",
            pressure.map(|pressure| seconds(pressure.full.total_us)),
        ),
    ]
}

/// Where every byte of RAM is: the parts sum up to MemTotal.
fn account(snapshot: &Snapshot) -> Family {
    let mut family = Family::new(
        "memtide_ram_bytes",
        Kind::Gauge,
        "bytes",
        "RAM by what is in it; the parts do not overlap and sum up to all of it.",
    );
    for part in Account::of(&snapshot.sample.system).map(|account| account.parts).unwrap_or_default() {
        family.add(&Labels::from([("part", part.key.to_owned())]), part.bytes as f64);
    }
    family
}

/// The limit of our own control group, which in a container is the machine.
fn limit(snapshot: &Snapshot) -> [Family; 2] {
    let limit = snapshot.sample.system.cgroup_limit.as_ref().value().and_then(Option::as_ref);
    let family = |name: &'static str, help, value: Option<u64>| {
        let mut family = Family::new(name, Kind::Gauge, "bytes", help);
        family.add(&no_labels(), value.map(|bytes| bytes as f64));
        family
    };
    [
        family(
            "memtide_cgroup_limit_bytes",
            "The tightest memory limit of memtide's own control group and its ancestors; absent where there is none.",
            limit.map(|limit| limit.limit),
        ),
        family("memtide_cgroup_usage_bytes", "Memory in use under that limit.", limit.map(|limit| limit.usage)),
    ]
}
