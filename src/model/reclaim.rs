//! What of RAM could be had back, how much at most, and at what price.

use super::reading::Reading;
use super::system::SystemSample;
use crate::units::Bytes;

/// How dear it is to have memory back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Price {
    /// It holds nothing.
    Nothing,
    /// It is given back at once, and read or looked up again when it is needed.
    Again,
    /// It is written to a disk first.
    Write,
    /// It goes to swap, from where it has to come back.
    Swap,
    /// Only somebody's decision frees it.
    Decision,
    /// It can't be had back while the machine runs as it does.
    None,
}

/// Memory that could be had back at one price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reclaim {
    /// Its name in JSON and CSV.
    pub key: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Bytes at most: what is in use or locked stays.
    pub bytes: u64,
    /// The kind of price.
    pub price: Price,
    /// The price in words, as a sentence without its full stop.
    pub words: String,
}

/// What could be had back, the cheapest first. What this kernel does not report is left out.
///
/// Sums of these are no forecast: pages that are mapped, locked or pinned stay. `MemAvailable` is the kernel's own
/// estimate of what can be had without swapping.
pub fn reclaimable(system: &SystemSample) -> Vec<Reclaim> {
    let mem = &system.meminfo;
    let mut list = Vec::new();
    let mut add = |key, title, bytes: Option<u64>, price, words: String| {
        list.extend(bytes.filter(|bytes| *bytes > 0).map(|bytes| Reclaim { key, title, bytes, price, words }));
    };
    let known = |reading: Reading<u64>| reading.value();
    add(
        "free",
        key!("free"),
        known(mem.mem_free),
        Price::Nothing,
        tr!("holds nothing; the kernel keeps the zones' minimum").into(),
    );
    let cache = mem.cached.value().map(|cached| {
        let files = cached.saturating_sub(mem.shmem.value().unwrap_or(0)) + mem.buffers.value().unwrap_or(0);
        files.saturating_sub(mem.dirty_cache().value().unwrap_or(0))
    });
    let mapped = mem.mapped.value().map_or_else(String::new, |mapped| {
        tr!("; programs have {mapped} of files and shared memory mapped", mapped = Bytes(mapped))
    });
    let clean = tr!("given back at once; what is needed is read from disk again (major faults){mapped}", mapped);
    add("clean_cache", key!("clean file cache"), cache, Price::Again, clean);
    let slab = tr!("dentries and inodes, looked up again; one in use keeps its whole page").into();
    add("slab", key!("reclaimable slab"), known(mem.s_reclaimable), Price::Again, slab);
    let misc = mem.kreclaimable.value().zip(mem.s_reclaimable.value()).map(|(all, slab)| all.saturating_sub(slab));
    add(
        "other",
        key!("other kernel caches"),
        misc,
        Price::Again,
        tr!("their owners shrink them under pressure").into(),
    );
    let arc = system.zfs_arc.value().map(|size| size.saturating_sub(system.zfs_arc_min.value().unwrap_or(0)));
    let least =
        system.zfs_arc_min.value().map_or_else(String::new, |least| tr!(" down to {least}", least = Bytes(least)));
    add("zfs_arc", "ZFS ARC", arc, Price::Again, tr!("shrinks under pressure{least}; read from the pool again", least));
    let dirty = tr!("must be written to disk first: sync(1) does it now").into();
    add("dirty", key!("dirty file cache"), known(mem.dirty_cache()), Price::Write, dirty);
    add(
        "writeback",
        key!("being written"),
        known(mem.writeback),
        Price::Write,
        tr!("on its way to disk or swap already").into(),
    );
    let swap_free = mem.swap_free.value().unwrap_or(0);
    for (key, title, bytes) in
        [("anon", key!("anonymous"), mem.anon_pages), ("shmem", key!("shared memory, tmpfs"), mem.shmem)]
    {
        let Some(all) = bytes.value() else { continue };
        let words = match (swap_free, mem.swap_total.value().unwrap_or(0)) {
            (0, 0) => tr!("there is no swap: only its owner frees it").to_owned(),
            (0, _) => tr!("swap is full: only its owner frees it").to_owned(),
            (free, _) => {
                tr!("goes to swap, where {free} are free for both; every use brings it back", free = Bytes(free))
            }
        };
        let price = if swap_free == 0 { Price::Decision } else { Price::Swap };
        add(key, title, Some(if swap_free == 0 { all } else { all.min(swap_free) }), price, words);
    }
    let pool = tr!("stays reserved until vm.nr_hugepages is lowered, used or not").into();
    add("hugetlb", key!("huge page pools"), known(mem.hugetlb), Price::Decision, pool);
    let zram = system.zram.iter().map(|device| device.used).sum();
    add(
        "zram",
        "zram",
        Some(zram),
        Price::Decision,
        tr!("freed as what it stores is used again or its owner ends").into(),
    );
    let kernel = [mem.s_unreclaim, mem.page_tables, mem.sec_page_tables, mem.kernel_stack, mem.percpu, mem.vmalloc()];
    let kernel = kernel.into_iter().filter_map(known).fold(0, u64::saturating_add);
    let words = tr!("kept while processes, sockets and drivers use it; ends with them").into();
    add("kernel", key!("kernel, kept"), Some(kernel), Price::None, words);
    list
}

impl Price {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Again => "read again",
            Self::Write => "write first",
            Self::Swap => "swap",
            Self::Decision => "decision",
            Self::None => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;

    fn found<'a>(list: &'a [Reclaim], key: &str) -> Option<&'a Reclaim> {
        list.iter().find(|reclaim| reclaim.key == key)
    }

    #[test]
    fn the_cheapest_stands_first_and_nothing_is_offered_twice() {
        let mut system = testing::snapshot(Vec::new()).sample.system.clone();
        system.meminfo.dirty = Reading::Value(14 << 20);
        let list = reclaimable(&system);
        assert!(list.is_sorted_by_key(|reclaim| reclaim.price), "{list:?}");
        let mib = |key| found(&list, key).map(|reclaim| reclaim.bytes >> 20);
        assert_eq!((mib("clean_cache"), mib("dirty"), mib("slab")), (Some(154), Some(14), Some(25)));
        assert_eq!(mib("anon"), Some(212), "no more than swap has room for");
        assert_eq!(mib("zfs_arc"), None);
    }

    #[test]
    fn without_room_in_swap_only_the_owner_frees_anonymous_memory() {
        let mut system = testing::snapshot(Vec::new()).sample.system.clone();
        for (total, said) in [(0, "no swap"), (512 << 20, "swap is full")] {
            system.meminfo.swap_total = Reading::Value(total);
            system.meminfo.swap_free = Reading::Value(0);
            let list = reclaimable(&system);
            let anon = found(&list, "anon").unwrap();
            assert!(anon.words.contains(said) && anon.price == Price::Decision, "{anon:?}");
            assert_eq!(anon.bytes >> 20, 1444);
        }
    }

    #[test]
    fn the_arc_shrinks_to_its_least() {
        let system = SystemSample {
            zfs_arc: Reading::Value(256 << 20),
            zfs_arc_min: Reading::Value(64 << 20),
            ..SystemSample::default()
        };
        let list = reclaimable(&system);
        assert_eq!(found(&list, "zfs_arc").map(|arc| arc.bytes >> 20), Some(192));
    }
}
