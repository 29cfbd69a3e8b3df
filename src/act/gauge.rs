//! What an effect was to change, measured before it, after it, and once more when things have settled.

use super::effect::{Effect, GroupTarget, Knob, Resource};
use super::process::Held;
use super::{group, limits, signal};
use crate::collect::parse::{parse_statm, parse_status};
use crate::collect::root::ProcRoot;
use crate::collect::system::parse_meminfo;
use crate::model::key::ProcessKey;
use crate::model::reading::Reading;
use crate::units::Bytes;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Anything else.
    Count,
}

/// A quantity around an effect. `None` is unknown: the process has ended, or it may not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// What it is.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// Before. As in all of them, `i64::MAX` is no limit.
    pub before: Option<i64>,
    /// Right after.
    pub after: Option<i64>,
    /// Some time after.
    pub later: Option<i64>,
}

/// A number as people read it; no limit is `i64::MAX`.
pub fn show(value: Option<i64>, unit: Unit) -> String {
    match (value, unit) {
        (None, _) => "-".into(),
        (Some(i64::MAX), _) => "no limit".into(),
        (Some(value), Unit::Bytes) if value >= 0 => Bytes(value as u64).to_string(),
        (Some(value), _) => value.to_string(),
    }
}

impl Measured {
    /// `free 90M → 238M`, and where it was measured again ` → 230M`.
    pub fn line(&self, arrow: &str) -> String {
        let later = self.later.map_or_else(String::new, |later| format!(" {arrow} {}", show(Some(later), self.unit)));
        format!("{} {} {arrow} {}{later}", self.name, show(self.before, self.unit), show(self.after, self.unit))
    }
}

/// Quantities at one moment.
pub(super) type Gauges = Vec<(&'static str, Unit, Option<i64>)>;

/// Reads what an effect is to change.
pub(super) fn read(effect: &Effect, root: &ProcRoot) -> Gauges {
    match effect {
        Effect::Signal { signal, .. } if signal::is_fatal(*signal) => {
            machine(root, &[Line::Available, Line::Free, Line::SwapUsed])
        }
        Effect::Signal { .. } => Vec::new(),
        Effect::DropCaches(_) => machine(root, &[Line::Free, Line::Available, Line::Cache, Line::Slab]),
        Effect::Reclaim { group, .. } => {
            let mut gauges = group::usage(root, group);
            gauges.extend(machine(root, &[Line::Available, Line::SwapUsed]));
            gauges
        }
        Effect::Bound { group, knob, .. } => {
            let mut gauges = group::usage(root, group);
            let name = match knob {
                Knob::High => "memory.high",
                Knob::Max => "limit",
            };
            gauges.push((name, Unit::Bytes, group::limit(root, group, *knob).map(|limit| of_limit(limit.0))));
            gauges
        }
        Effect::OomScoreAdj { target, .. } => {
            let number = |name: &str| {
                let text = Held::open(root, target.key).ok()?.read(name).ok()?;
                std::str::from_utf8(&text).ok()?.trim().parse().ok()
            };
            vec![
                ("oom_score_adj", Unit::Count, number("oom_score_adj")),
                ("oom_score", Unit::Count, number("oom_score")),
            ]
        }
        Effect::Limit { target, resource, .. } => {
            let held = Held::open(root, target.key).ok();
            let limit = held.as_ref().and_then(|held| limits::read(held, *resource));
            let (unit, name) = match resource {
                Resource::OpenFiles => (Unit::Count, "open files"),
                Resource::AddressSpace => (Unit::Bytes, "address space"),
            };
            let used = held.as_ref().and_then(|held| limits::used(held, root, *resource));
            vec![
                ("soft limit", unit, limit.map(|(soft, _)| of_limit(soft))),
                ("hard limit", unit, limit.map(|(_, hard)| of_limit(hard))),
                (name, unit, used.map(|used| used as i64)),
            ]
        }
        Effect::Advise { target, .. } => {
            let mut gauges = pages(root, target.key);
            gauges.extend(machine(root, &[Line::Available, Line::SwapUsed]));
            gauges
        }
        Effect::CollectGarbage(target) | Effect::DumpHeap { target, .. } | Effect::HeapSnapshot { target, .. } => {
            let mut gauges = process(root, target.key);
            gauges.extend(machine(root, &[Line::Available]));
            gauges
        }
        Effect::RecycleSwap => machine(root, &[Line::SwapUsed, Line::Available, Line::Free]),
    }
}

fn of_limit(limit: Option<u64>) -> i64 {
    limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX))
}

/// What a control group has in RAM, and its `memory.high`, where it has one.
pub fn use_and_high(root: &ProcRoot, target: &GroupTarget) -> (Option<u64>, Option<u64>) {
    let used = group::usage(root, target).first().and_then(|gauge| gauge.2).map(|bytes| bytes as u64);
    (used, group::limit(root, target, Knob::High).and_then(|cap| cap.0))
}

/// Puts the looks together.
pub(super) fn compare(before: &Gauges, after: &Gauges, later: Option<&Gauges>) -> Vec<Measured> {
    let at = |gauges: Option<&Gauges>, nth: usize| gauges.and_then(|gauges| gauges.get(nth)?.2);
    let one = |(nth, (name, unit, before)): (usize, &(&'static str, Unit, Option<i64>))| Measured {
        name,
        unit: *unit,
        before: *before,
        after: at(Some(after), nth),
        later: at(later, nth),
    };
    before.iter().enumerate().map(one).collect()
}

/// How much one of them changed right after.
pub(super) fn change_of(measured: &[Measured], name: &str) -> Option<i64> {
    let found = measured.iter().find(|measured| measured.name == name)?;
    Some(found.after? - found.before?)
}

/// Lines of `/proc/meminfo`, or sums of them.
#[derive(Clone, Copy)]
enum Line {
    Free,
    Available,
    Cache,
    Slab,
    SwapUsed,
}

fn machine(root: &ProcRoot, lines: &[Line]) -> Gauges {
    let mem = std::fs::read(root.proc.join("meminfo")).map(|bytes| parse_meminfo(&bytes)).unwrap_or_default();
    let one = |line: &Line| {
        let (name, reading) = match line {
            Line::Free => ("free", mem.mem_free),
            Line::Available => ("available", mem.mem_available),
            Line::Cache => ("cache", mem.cached.and_then(|cached| mem.buffers.map(|buffers| cached + buffers))),
            Line::Slab => ("reclaimable slab", mem.s_reclaimable),
            Line::SwapUsed => {
                ("swap used", mem.swap_total.and_then(|total| mem.swap_free.map(|free| total.saturating_sub(free))))
            }
        };
        (name, Unit::Bytes, Reading::value(reading).map(|bytes| bytes as i64))
    };
    lines.iter().map(one).collect()
}

/// What the page tables of a process say: exact, unlike `statm`, and whether its pages were in use of late.
fn pages(root: &ProcRoot, key: ProcessKey) -> Gauges {
    let rollup = Held::open(root, key).ok().and_then(|held| held.read("smaps_rollup").ok()).unwrap_or_default();
    let text = String::from_utf8_lossy(&rollup);
    let line = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        value.trim().strip_suffix(" kB")?.parse::<i64>().ok().map(|kib| kib << 10)
    };
    vec![
        ("RSS", Unit::Bytes, line("Rss")),
        ("anonymous", Unit::Bytes, line("Anonymous")),
        ("in swap", Unit::Bytes, line("Swap")),
        ("referenced", Unit::Bytes, line("Referenced")),
    ]
}

fn process(root: &ProcRoot, key: ProcessKey) -> Gauges {
    let held = Held::open(root, key).ok();
    let read = |name: &str| held.as_ref().and_then(|held| held.read(name).ok());
    let resident = read("statm").and_then(|bytes| parse_statm(&bytes, root.page_size));
    let swap = read("status").map(|bytes| parse_status(&bytes).1.swap);
    vec![
        ("RSS", Unit::Bytes, resident.map(|resident| resident.rss as i64)),
        ("anonymous", Unit::Bytes, resident.map(|resident| resident.anon() as i64)),
        ("swapped", Unit::Bytes, swap.map(|swap| swap as i64)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_put_together_by_their_place_and_what_is_unknown_is_no_zero() {
        let look = |free, swap| vec![("free", Unit::Bytes, free), ("swap used", Unit::Bytes, swap)];
        let measured = compare(&look(Some(1 << 20), None), &look(Some(3 << 20), Some(0)), None);
        assert_eq!(change_of(&measured, "free"), Some(2 << 20));
        assert_eq!(change_of(&measured, "swap used"), None);
        assert_eq!(measured[0].line("->"), "free 1.0M -> 3.0M");
        assert_eq!(measured[1].line("->"), "swap used - -> 0");
        let later = compare(&look(Some(1 << 20), None), &look(None, None), Some(&look(Some(2 << 20), None)));
        assert_eq!(later[0].line("->"), "free 1.0M -> - -> 2.0M");
    }

    #[test]
    fn no_limit_is_said_in_words() {
        assert_eq!(show(Some(of_limit(None)), Unit::Count), "no limit");
        assert_eq!(show(Some(-500), Unit::Count), "-500");
    }
}
