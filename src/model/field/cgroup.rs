//! The fields of a control group.

use super::{Unit, Value};
use crate::model::census::{CgroupRow, Sum};
use crate::model::group::Bound;
use crate::model::reading::{Need, Reading};

/// A quantity of a control group.
#[derive(Debug)]
pub struct CgroupField {
    /// Its name in filters.
    pub key: &'static str,
    /// The column's head.
    pub title: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// The column's width; 0 takes what is left.
    pub width: u16,
    /// How soon the column goes where there is no room: the larger, the sooner.
    pub dispensable: u8,
    /// What it is, in one sentence.
    pub help: &'static str,
    /// Reads it from a row.
    pub get: for<'a> fn(&CgroupRow<'a>) -> Reading<Value<'a>>,
}

impl PartialEq for CgroupField {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for CgroupField {}

/// The field of this key.
pub fn cgroup_field(key: &str) -> Option<&'static CgroupField> {
    CGROUP_FIELDS.iter().find(|field| field.key == key)
}

impl CgroupField {
    /// How a value of it stands to the truth.
    pub fn bound(&self, row: &CgroupRow<'_>) -> Bound {
        match self.key {
            "pss" => row.bound(row.crowd.pss, false),
            "pss_change" => row.bound(row.crowd.change, true),
            "growth" => row.bound(row.crowd.growth, true),
            _ => Bound::Exact,
        }
    }

    /// Why a reading of it is no value, as a sentence without its full stop; `None` where it is one.
    pub fn explain(&self, reading: &Reading<Value<'_>>) -> Option<String> {
        match (self.key, reading) {
            ("growth", Reading::Pending) => Some(tr!("not known yet: it takes 20 s of history").into()),
            ("usage", Reading::Unsupported(Need::NotApplicable)) => {
                Some(tr!("the root group is the machine: it has no usage of its own").into())
            }
            _ => reading.explain(),
        }
    }
}

macro_rules! fields {
    ($($key:literal $title:literal $unit:ident $width:literal $([goes $goes:literal])?, $help:literal, $get:expr;)*) => {
        /// Every quantity of a control group, in the order of the columns.
        pub const CGROUP_FIELDS: &[CgroupField] = &[$(CgroupField {
            key: $key, title: $title, unit: Unit::$unit, width: $width, dispensable: 0 $(+ $goes)?, help: $help, get: $get,
        }),*];
    };
}

fields! {
    "usage" "USAGE" Bytes 6, "Memory charged to the group and the groups in it, cache included (memory.current).",
        |row| row.aged(row.node.usage).map(Value::Bytes);
    "limit" "LIMIT" Bytes 6 [goes 1], "The tightest limit: its own or an ancestor's (memory.max).",
        |row| match row.binding() {
            Some((_, limit)) => row.aged(Reading::Value(Value::Bytes(limit))),
            None => row.node.limits.max.and_then(|_| Reading::Unsupported(Need::NoLimit)),
        };
    "limit_percent" "USE%" Percent 5 [goes 2], "How much of the tightest limit is used, by whoever shares it.",
        |row| match row.binding() {
            Some((setter, limit)) => row.aged(setter.usage).map(|usage| Value::Percent(usage as f64 * 100.0 / limit.max(1) as f64)),
            None => row.node.limits.max.and_then(|_| Reading::Unsupported(Need::NoLimit)),
        };
    "high" "HIGH" Bytes 6 [goes 21], "Beyond this it is slowed down and reclaimed from (memory.high).", |row| limit(row, row.node.limits.high);
    "swap" "SWAP" Bytes 6 [goes 8], "Its memory in swap (memory.swap.current).", |row| row.aged(row.node.swap).map(Value::Bytes);
    "swap_limit" "SWMAX" Bytes 6 [goes 22], "The most it may have in swap (memory.swap.max).", |row| limit(row, row.node.limits.swap_max);
    "peak" "PEAK" Bytes 6 [goes 16], "The highest usage so far (memory.peak).", |row| row.aged(row.node.peak).map(Value::Bytes);
    "anon" "ANON" Bytes 6 [goes 6], "Heaps, stacks and private mappings.", |row| row.aged(row.node.stat.anon).map(Value::Bytes);
    "file" "FILE" Bytes 6 [goes 7], "Page cache, tmpfs included.", |row| row.aged(row.node.stat.file).map(Value::Bytes);
    "shmem" "SHMEM" Bytes 6 [goes 14], "tmpfs and shared memory.", |row| row.aged(row.node.stat.shmem).map(Value::Bytes);
    "kernel" "KERN" Bytes 6 [goes 11], "Kernel memory.", |row| row.aged(row.node.stat.kernel).map(Value::Bytes);
    "slab" "SLAB" Bytes 6 [goes 17], "The part of kernel memory that is slab.", |row| row.aged(row.node.stat.slab).map(Value::Bytes);
    "sock" "SOCK" Bytes 6 [goes 18], "Buffers of sockets.", |row| row.aged(row.node.stat.sock).map(Value::Bytes);
    "page_tables" "PTE" Bytes 6 [goes 19], "Page tables.", |row| row.aged(row.node.stat.page_tables).map(Value::Bytes);
    "pressure" "PSI" Percent 5 [goes 10], "Share of the last 10 s in which some task of it waited for memory (memory.pressure).",
        |row| row.aged(row.node.pressure).map(|pressure| Value::Percent(pressure.some.avg10.into()));
    "limit_hits" "HITS" Count 6 [goes 12], "Times it was about to exceed its limit (memory.events max; v1: memory.failcnt).",
        |row| row.aged(row.node.events.max).map(Value::Count);
    "high_hits" "HIHITS" Count 7 [goes 20], "Times it was slowed down for exceeding memory.high.", |row| row.aged(row.node.events.high).map(Value::Count);
    "oom_kills" "KILLS" Count 6 [goes 5], "Processes of it that were killed for a limit (oom_kill).", |row| row.aged(row.node.events.oom_kill).map(Value::Count);
    "processes" "PROC" Count 5 [goes 4], "Processes in it and in the groups in it.", |row| Reading::Value(Value::Count(row.crowd.processes.into()));
    "pss" "PSS" Bytes 6 [goes 9], "Sum of the PSS of its processes.", |row| row.crowd.pss.reading().map(|sum| Value::Bytes(sum as u64));
    "pss_change" "+PSS" BytesChange 7 [goes 3], "Change of that sum since the mark.", |row| change(row, row.crowd.change);
    "growth" "+/MIN" BytesPerMinute 7, "Growth of private memory and swap of its processes per minute.",
        |row| row.crowd.growth.reading().map(Value::BytesPerMinute);
    "name" "CGROUP" Text 0, "The group: its unit, container, pod or user.", |row| Reading::Value(Value::Text(row.label().into()));
}

fn limit<'a>(row: &CgroupRow<'a>, limit: Reading<Option<u64>>) -> Reading<Value<'a>> {
    row.aged(limit).and_then(|limit| match limit {
        Some(bytes) => Reading::Value(Value::Bytes(bytes)),
        None => Reading::Unsupported(Need::NoLimit),
    })
}

fn change<'a>(row: &CgroupRow<'a>, sum: Sum) -> Reading<Value<'a>> {
    if row.snapshot.mark.is_none() {
        return Reading::Unsupported(Need::Mark);
    }
    sum.reading().map(Value::BytesChange)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_titles_and_helps_are_sound() {
        let mut keys = HashSet::new();
        let mut goes = HashSet::new();
        for field in CGROUP_FIELDS {
            assert!(keys.insert(field.key), "{} twice", field.key);
            assert!(field.help.ends_with('.'), "{}", field.help);
            assert!(field.width == 0 || field.title.len() < usize::from(field.width), "{}", field.key);
            assert!(field.dispensable == 0 || goes.insert(field.dispensable), "{} goes with another", field.key);
            assert_eq!(cgroup_field(field.key), Some(field));
        }
        assert_eq!(CGROUP_FIELDS.iter().filter(|field| field.width == 0).count(), 1);
    }
}
