//! The settings of the kernel that decide what becomes of memory, each with what its present value does here.

use serde::{Deserialize, Serialize};

use super::Reading;
use crate::model::system::Meminfo;
use crate::units::Bytes;

/// A value as the kernel writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its words; of a choice (`always [madvise] never`) the one in brackets.
    pub text: String,
    /// The number, where it is one.
    pub number: Option<u64>,
}

/// A memory zone and its watermarks (`/proc/zoneinfo`), bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// NUMA node.
    pub node: u32,
    /// `DMA`, `DMA32`, `Normal`, `Movable`.
    pub name: String,
    /// Free pages.
    pub free: u64,
    /// Below this programs that allocate must reclaim for themselves.
    pub min: u64,
    /// Below this kswapd wakes.
    pub low: u64,
    /// Up to this kswapd works.
    pub high: u64,
    /// Pages that the allocator manages.
    pub managed: u64,
}

/// All zones, and what the kernel makes of the limits of dirty pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zones {
    /// Zones that have memory.
    pub zones: Vec<Zone>,
    /// Dirty file pages at which the flusher begins to write (`nr_dirty_background_threshold`), bytes.
    pub dirty_background: Option<u64>,
    /// Dirty file pages at which who writes must wait (`nr_dirty_threshold`), bytes.
    pub dirty: Option<u64>,
}

impl Zones {
    /// A watermark summed over all zones.
    fn sum(&self, mark: fn(&Zone) -> u64) -> u64 {
        self.zones.iter().map(mark).fold(0, u64::saturating_add)
    }
}

/// What else a value's meaning depends on.
struct About<'a> {
    meminfo: &'a Meminfo,
    zones: Option<&'a Zones>,
    values: &'a [Reading<Setting>],
}

impl About<'_> {
    fn number(&self, key: &str) -> Option<u64> {
        let place = SETTINGS.iter().position(|spec| spec.key == key)?;
        self.values.get(place)?.as_ref().value()?.number
    }

    fn has_swap(&self) -> bool {
        self.meminfo.swap_total.value() != Some(0)
    }
}

/// A setting that is shown.
pub struct SettingSpec {
    /// Its name, as sysctl(8) writes it where it is one.
    pub key: &'static str,
    /// Its file below `/proc/sys` or, with a leading `/sys/`, of sysfs.
    pub file: &'static str,
    say: fn(u64, &Setting, &About<'_>) -> String,
}

impl SettingSpec {
    /// What the present value does on this machine, as a sentence without its full stop. `values` are those of all
    /// settings, in their order.
    pub fn explain(
        &self,
        value: &Setting,
        meminfo: &Meminfo,
        zones: Option<&Zones>,
        values: &[Reading<Setting>],
    ) -> String {
        (self.say)(value.number.unwrap_or(0), value, &About { meminfo, zones, values })
    }
}

macro_rules! settings {
    ($($key:literal $file:literal $say:expr;)*) => {
        /// Every setting that is shown, in this order.
        pub const SETTINGS: &[SettingSpec] = &[$(SettingSpec { key: $key, file: $file, say: $say },)*];
    };
}

settings! {
    "vm.swappiness" "vm/swappiness" swappiness;
    "vm.page-cluster" "vm/page-cluster" |n, _, _| {
        tr!("{n} pages are read from swap at a time; 0 suits zram and SSDs", n = 1u64.checked_shl(n as u32).unwrap_or(0))
    };
    "vm.overcommit_memory" "vm/overcommit_memory" overcommit;
    "vm.overcommit_ratio" "vm/overcommit_ratio" |n, _, about| match about.number("vm.overcommit_memory") {
        Some(2) => tr!("the limit of promises is {n}% of RAM (huge page pools left out) and all swap{promised}", n, promised = commit(about)),
        _ => tr!("without effect unless vm.overcommit_memory is 2").into(),
    };
    "vm.min_free_kbytes" "vm/min_free_kbytes" |n, _, about| {
        let kept = n.saturating_mul(1024);
        let share = about.meminfo.mem_total.value().filter(|total| *total > 0);
        let share = share.map_or_else(String::new, |total| tr!(" ({share}% of RAM)", share = format_args!("{:.1}", kept as f64 * 100.0 / total as f64)));
        tr!("{kept}{share} stay free: below the zones' min marks programs reclaim for themselves and stall", kept = Bytes(kept), share)
    };
    "vm.watermark_scale_factor" "vm/watermark_scale_factor" |n, _, about| {
        let marks = about.zones.filter(|zones| !zones.zones.is_empty());
        let marks = marks.map_or_else(String::new, |zones| {
            tr!(": kswapd wakes below {low} free and works up to {high}", low = Bytes(zones.sum(|zone| zone.low)), high = Bytes(zones.sum(|zone| zone.high)))
        });
        tr!("the marks lie at least {n}% of a zone apart{marks}", n = format_args!("{:.2}", n as f64 / 100.0), marks)
    };
    "vm.watermark_boost_factor" "vm/watermark_boost_factor" |n, _, _| match n {
        0 => tr!("fragmentation does not raise the marks").into(),
        n => tr!("fragmentation raises the marks for a while, by up to {n}% of the high one", n = format_args!("{:.0}", n as f64 / 100.0)),
    };
    "vm.vfs_cache_pressure" "vm/vfs_cache_pressure" |n, _, _| match n {
        0 => tr!("dentries and inodes are never given back: they can fill memory").into(),
        1..100 => tr!("dentries and inodes are kept longer than contents of files").into(),
        100 => tr!("dentries and inodes go as readily as contents of files").into(),
        _ => tr!("dentries and inodes go sooner than contents of files").into(),
    };
    "vm.dirty_background_ratio" "vm/dirty_background_ratio" |n, _, about| {
        dirty(n, about, "vm.dirty_background_bytes", tr!("is written in the background"), |zones| zones.dirty_background)
    };
    "vm.dirty_background_bytes" "vm/dirty_background_bytes" |n, _, _| in_bytes(n, "vm.dirty_background_ratio");
    "vm.dirty_ratio" "vm/dirty_ratio" |n, _, about| {
        dirty(n, about, "vm.dirty_bytes", tr!("makes programs that write wait"), |zones| zones.dirty)
    };
    "vm.dirty_bytes" "vm/dirty_bytes" |n, _, _| in_bytes(n, "vm.dirty_ratio");
    "vm.zone_reclaim_mode" "vm/zone_reclaim_mode" |n, _, _| match n {
        0 => tr!("memory of other NUMA nodes is taken before this node's cache is given up").into(),
        _ => tr!("a NUMA node gives up its cache before memory of another node is taken: cache may stay small").into(),
    };
    "vm.panic_on_oom" "vm/panic_on_oom" |n, _, _| match n {
        0 => tr!("where memory runs out the OOM killer ends a process").into(),
        _ => tr!("where memory runs out the machine panics").into(),
    };
    "vm.oom_kill_allocating_task" "vm/oom_kill_allocating_task" |n, _, _| match n {
        0 => tr!("the OOM killer chooses by size (oom_score)").into(),
        _ => tr!("the OOM killer ends whoever asked for memory last, whatever its size").into(),
    };
    "vm.nr_hugepages" "vm/nr_hugepages" |n, _, about| match (n, about.meminfo.hugetlb.value()) {
        (0, Some(1..)) => tr!("none of the default size; other pools are reserved").into(),
        (0, _) => tr!("no huge pages are reserved").into(),
        (_, Some(bytes)) => tr!("{bytes} are reserved for huge pages, used or not", bytes = Bytes(bytes)),
        (_, None) => tr!("reserved for huge pages, used or not").into(),
    };
    "vm.max_map_count" "vm/max_map_count" |n, _, _| tr!("a process may have {n} mappings; beyond it mmap(2) fails", n);
    "kernel.shmmax" "kernel/shmmax" |n, _, _| tr!("a System V segment may have {size}", size = at_most(n));
    "kernel.shmall" "kernel/shmall" |n, _, _| tr!("all System V segments together may have {n} pages", n = pages(n));
    "transparent_hugepage" "/sys/kernel/mm/transparent_hugepage/enabled" |_, value, _| match value.text.as_str() {
        "always" => tr!("large mappings get huge pages by themselves: faster, but more is resident than was touched").into(),
        "madvise" => tr!("only programs that ask for huge pages (madvise(2)) get them").into(),
        _ => tr!("nobody gets huge pages by itself").into(),
    };
    "zswap" "/sys/module/zswap/parameters/enabled" |_, value, about| match (value.text.as_str(), about.has_swap()) {
        ("Y", true) => tr!("what goes to swap is compressed in RAM first").into(),
        ("Y", false) => tr!("on, but there is no swap: without effect").into(),
        _ => tr!("what goes to swap is not compressed in RAM first").into(),
    };
}

fn swappiness(n: u64, _: &Setting, about: &About<'_>) -> String {
    if !about.has_swap() {
        return tr!("without effect: there is no swap").into();
    }
    match n {
        0 => {
            tr!("anonymous memory is swapped only once file cache is nearly gone: the OOM killer may come first").into()
        }
        1..100 => {
            tr!("file cache is given up {sooner} than anonymous memory is swapped (100 is even)", sooner = sooner(n))
        }
        100 => tr!("file cache and anonymous memory are given up alike").into(),
        _ => tr!("anonymous memory is swapped sooner than file cache is given up: right for zram and zswap").into(),
    }
}

fn sooner(n: u64) -> &'static str {
    if n < 40 { tr!("much sooner") } else { tr!("sooner") }
}

fn overcommit(n: u64, _: &Setting, about: &About<'_>) -> String {
    match n {
        0 => tr!("only what obviously can't be had is refused; memory is promised more than once, the OOM killer pays")
            .into(),
        1 => tr!("whatever is asked for is promised; the OOM killer pays").into(),
        _ => tr!("promises end at a limit{promised}; beyond it malloc and fork fail", promised = commit(about)),
    }
}

/// How near the limit of promises is.
fn commit(about: &About<'_>) -> String {
    match (about.meminfo.committed_as.value(), about.meminfo.commit_limit.value()) {
        (Some(promised), Some(limit)) => {
            tr!(": {promised} of {limit} are promised", promised = Bytes(promised), limit = Bytes(limit))
        }
        _ => String::new(),
    }
}

fn dirty(n: u64, about: &About<'_>, bytes: &str, what: &str, threshold: fn(&Zones) -> Option<u64>) -> String {
    let now = about.zones.and_then(threshold);
    match (about.number(bytes), now) {
        (Some(1..), _) => tr!("without effect: {bytes} is set", bytes),
        (_, Some(now)) => {
            tr!("above {now} of dirty cache now ({n}% of what is free or cache) it {what}", now = Bytes(now), n, what)
        }
        _ => tr!("above {n}% of what is free or cache dirty cache {what}", n, what),
    }
}

fn in_bytes(n: u64, ratio: &str) -> String {
    if n == 0 {
        tr!("not set: {ratio} counts", ratio)
    } else {
        tr!("{size} count instead of {ratio}", size = Bytes(n), ratio)
    }
}

/// Limits beyond any machine are none.
fn at_most(bytes: u64) -> String {
    if bytes > 1 << 57 { tr!("any size").into() } else { tr!("at most {bytes}", bytes = Bytes(bytes)) }
}

fn pages(count: u64) -> String {
    if count > 1 << 45 { tr!("any number of").into() } else { count.to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(given: &[(&str, u64)]) -> Vec<Reading<Setting>> {
        let value = |spec: &SettingSpec| {
            let number = given.iter().find(|(key, _)| *key == spec.key).map(|(_, number)| *number);
            number.map_or(Reading::Pending, |number| {
                Reading::Value(Setting { text: number.to_string(), number: Some(number) })
            })
        };
        SETTINGS.iter().map(value).collect()
    }

    fn said(key: &str, given: &[(&str, u64)], meminfo: &Meminfo, zones: Option<&Zones>) -> String {
        let values = values(given);
        let place = SETTINGS.iter().position(|spec| spec.key == key).unwrap();
        SETTINGS[place].explain(values[place].as_ref().value().unwrap(), meminfo, zones, &values)
    }

    #[test]
    fn what_a_value_does_depends_on_the_machine() {
        let with_swap = Meminfo { swap_total: Reading::Value(1), ..Meminfo::default() };
        let without = Meminfo { swap_total: Reading::Value(0), ..Meminfo::default() };
        assert!(said("vm.swappiness", &[("vm.swappiness", 60)], &without, None).contains("no swap"));
        assert!(said("vm.swappiness", &[("vm.swappiness", 60)], &with_swap, None).contains("sooner"));
        assert!(said("vm.swappiness", &[("vm.swappiness", 0)], &with_swap, None).contains("OOM killer"));
        assert!(said("vm.swappiness", &[("vm.swappiness", 180)], &with_swap, None).contains("zram"));
    }

    #[test]
    fn a_setting_that_another_overrides_is_without_effect() {
        let meminfo = Meminfo {
            committed_as: Reading::Value(3 << 30),
            commit_limit: Reading::Value(4 << 30),
            ..Meminfo::default()
        };
        let ratio = |mode| {
            let given = [("vm.overcommit_memory", mode), ("vm.overcommit_ratio", 50)];
            said("vm.overcommit_ratio", &given, &meminfo, None)
        };
        assert!(ratio(0).contains("without effect"));
        assert!(ratio(2).contains("3.00G of 4.00G are promised"), "{}", ratio(2));
        let zones = Zones { dirty: Some(300 << 20), ..Zones::default() };
        let dirty = |bytes| {
            said("vm.dirty_ratio", &[("vm.dirty_ratio", 20), ("vm.dirty_bytes", bytes)], &meminfo, Some(&zones))
        };
        assert!(dirty(0).contains("300M of dirty cache now (20%"), "{}", dirty(0));
        assert!(dirty(1 << 20).contains("without effect: vm.dirty_bytes"), "{}", dirty(1 << 20));
    }

    #[test]
    fn the_marks_are_summed_over_the_zones() {
        let zone = |low: u64, high: u64| Zone { low: low << 20, high: high << 20, ..Zone::default() };
        let zones = Zones { zones: vec![zone(10, 20), zone(30, 50)], ..Zones::default() };
        let given = [("vm.watermark_scale_factor", 10)];
        let said = said("vm.watermark_scale_factor", &given, &Meminfo::default(), Some(&zones));
        assert_eq!(
            said,
            "the marks lie at least 0.10% of a zone apart: kswapd wakes below 40M free and works up to 70M"
        );
    }

    proptest! {
        #[test]
        fn whatever_the_value_a_line_is_said_of_it(number in any::<u64>(), other in any::<u64>()) {
            let values: Vec<_> = SETTINGS
                .iter()
                .map(|_| Reading::Value(Setting { text: other.to_string(), number: Some(other) }))
                .collect();
            for spec in SETTINGS {
                let value = Setting { text: number.to_string(), number: Some(number) };
                let said = spec.explain(&value, &Meminfo::default(), Some(&Zones::default()), &values);
                prop_assert!(!said.is_empty() && !said.ends_with('.'), "{}: {said}", spec.key);
            }
        }
    }
}
