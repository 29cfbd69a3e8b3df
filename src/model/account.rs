//! Where every byte of RAM is: parts that do not overlap and, with what nobody accounts for, sum up to MemTotal.

use super::reading::Reading;
use super::system::SystemSample;

macro_rules! layers {
    ($($(#[$doc:meta])* $layer:ident $key:literal $title:literal,)*) => {
        /// What a part belongs to where all of RAM is drawn: a layer of the stack, from the bottom.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Layer { $($(#[$doc])* $layer,)* }

        impl Layer {
            /// Every layer, from the bottom.
            pub const ALL: &[Self] = &[$(Self::$layer),*];

            /// Its name in JSON and CSV.
            pub fn key(self) -> &'static str {
                match self { $(Self::$layer => $key,)* }
            }

            /// Its name for people, in at most eleven columns.
            pub fn title(self) -> &'static str {
                match self { $(Self::$layer => $title,)* }
            }
        }
    };
}

layers! {
    /// Memory of programs.
    Anon "anon" "anonymous",
    /// Shared memory and tmpfs.
    Shmem "shmem" "shared",
    /// Objects of the kernel, page tables, stacks: not to be given back.
    Kernel "kernel" "kernel",
    /// Pools set aside or compressed: huge pages, zram, zswap, the ZFS ARC.
    Pool "pool" "pools",
    /// What nobody accounts for.
    Unaccounted "unaccounted" "unaccounted",
    /// File pages that must be written first.
    Dirty "dirty" "dirty files",
    /// File pages that can go.
    Cache "cache" "clean files",
    /// Caches of the kernel that can shrink.
    Slab "slab" "slab cache",
    /// Nothing.
    Free "free" "free",
}

/// A part of RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name in JSON and CSV.
    pub key: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it is, and what it takes to have it back.
    pub help: &'static str,
    /// What it belongs to.
    pub layer: Layer,
    /// Bytes.
    pub bytes: u64,
}

/// All of RAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// MemTotal, bytes.
    pub total: u64,
    /// The parts that this kernel reports, the unaccounted rest among them, free memory last.
    pub parts: Vec<Part>,
    /// Bytes that more than one part claims: the kernel's counters are read at slightly different moments and round
    /// differently. Zero on a quiet machine.
    pub overlap: u64,
}

impl Account {
    /// The account of a machine; `None` where MemTotal or MemFree is unknown.
    ///
    /// `Cached` contains `Shmem`; `Dirty` is a part of the other file pages and of the buffers; `VmallocUsed` contains
    /// `KernelStack` where stacks are mapped; `KReclaimable` is `SReclaimable` and what else can shrink. Pages of zram,
    /// of zswap and of the ZFS ARC are in no other counter. Pages that the balloon took are in MemTotal only where the
    /// balloon gives way when memory runs out (Documentation/filesystems/proc.rst, mm/page_alloc.c,
    /// drivers/virtio/virtio_balloon.c).
    pub fn of(system: &SystemSample) -> Option<Self> {
        let mem = &system.meminfo;
        let total = mem.mem_total.value()?;
        let free = mem.mem_free.value()?;
        let known = |reading: Reading<u64>| reading.value();
        let less = |whole: Reading<u64>, part: Reading<u64>| {
            whole.value().map(|whole| whole.saturating_sub(part.value().unwrap_or(0)))
        };
        let file = less(mem.cached, mem.shmem);
        let dirty = mem.dirty_cache().value();
        // What is dirty is taken for file pages first, and for buffers where it is more than these.
        let dirty_file = dirty.unwrap_or(0).min(file.unwrap_or(0));
        let dirty_buffers = dirty.unwrap_or(0) - dirty_file;
        let misc = mem.kreclaimable.value().zip(mem.s_reclaimable.value());
        let zram = system.zram.iter().map(|device| device.used).sum();
        let balloon = system.balloon.value().filter(|balloon| balloon.is_in_total).map(|balloon| balloon.bytes);
        let rows = [
            row("anon", Layer::Anon, known(mem.anon_pages)),
            row("shmem", Layer::Shmem, known(mem.shmem)),
            row("file_clean", Layer::Cache, file.map(|file| file - dirty_file)),
            row("file_dirty", Layer::Dirty, dirty),
            row("buffers", Layer::Cache, mem.buffers.value().map(|buffers| buffers.saturating_sub(dirty_buffers))),
            row("slab_reclaimable", Layer::Slab, known(mem.s_reclaimable)),
            row("other_reclaimable", Layer::Slab, misc.map(|(all, slab)| all.saturating_sub(slab))),
            row("slab_unreclaimable", Layer::Kernel, known(mem.s_unreclaim)),
            row("page_tables", Layer::Kernel, known(mem.page_tables)),
            row("sec_page_tables", Layer::Kernel, known(mem.sec_page_tables)),
            row("kernel_stack", Layer::Kernel, known(mem.kernel_stack)),
            row("percpu", Layer::Kernel, known(mem.percpu)),
            row("vmalloc", Layer::Kernel, known(mem.vmalloc())),
            row("bounce", Layer::Kernel, known(mem.bounce)),
            row("writeback_tmp", Layer::Kernel, known(mem.writeback_tmp)),
            row("hugetlb", Layer::Pool, known(mem.hugetlb)),
            row("zswap", Layer::Pool, known(mem.zswap)),
            row("zram", Layer::Pool, (!system.zram.is_empty()).then_some(zram)),
            row("zfs_arc", Layer::Pool, known(system.zfs_arc)),
            row("balloon", Layer::Pool, balloon),
            row("corrupted", Layer::Kernel, known(mem.hardware_corrupted)),
        ];
        let mut parts: Vec<Part> = rows.into_iter().flatten().collect();
        let accounted = parts.iter().fold(free, |sum, part| sum.saturating_add(part.bytes));
        parts.extend(row("unaccounted", Layer::Unaccounted, Some(total.saturating_sub(accounted))));
        parts.extend(row("free", Layer::Free, Some(free)));
        Some(Self { total, parts, overlap: accounted.saturating_sub(total) })
    }

    /// Bytes of each layer, in the order of [`Layer::ALL`].
    pub fn layers(&self) -> [u64; Layer::ALL.len()] {
        let mut layers = [0u64; Layer::ALL.len()];
        for part in &self.parts {
            let layer = &mut layers[part.layer as usize];
            *layer = layer.saturating_add(part.bytes);
        }
        layers
    }

    /// A part by its key.
    pub fn part(&self, key: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.key == key)
    }
}

/// Titles and helps of the parts.
const TEXTS: [(&str, &str, &str); 23] = [
    ("anon", key!("anonymous"), key!("heaps, stacks, private mappings of processes; only swap takes it")),
    ("shmem", key!("shared, tmpfs"), key!("tmpfs, /dev/shm, SysV and memfd segments; only swap takes it")),
    ("file_clean", key!("files, clean"), key!("contents of files; given back at once, read again when needed")),
    ("file_dirty", key!("files, dirty"), key!("contents of files that must be written to disk first")),
    ("buffers", key!("buffers"), key!("block device buffers; given back at once")),
    ("slab_reclaimable", key!("slab, reclaimable"), key!("dentries, inodes; can be given back, looked up anew")),
    ("other_reclaimable", key!("reclaimable, other"), key!("kernel memory beside slab that can be given back")),
    ("slab_unreclaimable", key!("slab, kept"), key!("kernel objects")),
    ("page_tables", key!("page tables"), key!("grow with mapped memory and with processes")),
    ("sec_page_tables", key!("VM page tables"), key!("of virtual machines and I/O")),
    ("kernel_stack", key!("kernel stacks"), key!("16 KiB a thread")),
    ("percpu", key!("per CPU"), key!("per-CPU allocations; grow with cgroups")),
    ("vmalloc", key!("vmalloc"), key!("modules, BPF, large kernel buffers")),
    ("bounce", key!("bounce buffers"), key!("copies for devices that can't reach all of RAM")),
    ("writeback_tmp", key!("FUSE writes"), key!("copies that FUSE file systems write from")),
    ("hugetlb", key!("huge pages"), key!("reserved pools, used or not; sysctl vm.nr_hugepages")),
    ("zswap", key!("zswap"), key!("compressed swap in RAM")),
    ("zram", key!("zram"), key!("compressed swap devices in RAM")),
    ("zfs_arc", key!("ZFS ARC"), key!("ZFS cache; shrinks under pressure")),
    ("balloon", key!("balloon"), key!("taken by the hypervisor; given back where memory runs out")),
    ("corrupted", key!("broken"), key!("memory found broken")),
    ("unaccounted", key!("unaccounted"), key!("drivers (network buffers, GPU), the hypervisor: no counter has it")),
    ("free", key!("free"), key!("holds nothing")),
];

fn row(key: &'static str, layer: Layer, bytes: Option<u64>) -> Option<Part> {
    let (_, title, help) = TEXTS.iter().find(|(other, ..)| *other == key)?;
    Some(Part { key, title, help, layer, bytes: bytes? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::system::{Balloon, Meminfo};
    use crate::model::testing;

    #[test]
    fn the_parts_of_a_machine_sum_up_to_its_ram() {
        let snapshot = testing::snapshot(Vec::new());
        let account = Account::of(&snapshot.sample.system).unwrap();
        assert_eq!(account.parts.iter().map(|part| part.bytes).sum::<u64>(), account.total + account.overlap);
        let part = |key| account.part(key).map(|part| part.bytes >> 20);
        assert_eq!(part("file_clean"), Some(164), "shared memory is in Cached and is not counted twice");
        assert_eq!(part("unaccounted"), Some(129));
        assert_eq!(part("hugetlb"), None, "what this kernel does not report is left out");
        assert_eq!(account.layers().iter().sum::<u64>(), account.total);
        assert_eq!(account.layers()[Layer::Kernel as usize] >> 20, 36 + 18 + 12 + 8);
    }

    #[test]
    fn what_is_dirty_is_no_second_time_clean() {
        let mut system = testing::snapshot(Vec::new()).sample.system.clone();
        let parts = |system: &SystemSample| {
            let account = Account::of(system).unwrap();
            let sum: u64 = account.parts.iter().map(|part| part.bytes).sum();
            assert_eq!(sum, account.total);
            ["file_clean", "file_dirty", "buffers"].map(|key| account.part(key).map(|part| part.bytes >> 20))
        };
        assert_eq!(parts(&system), [Some(164), None, Some(4)]);
        system.meminfo.dirty = Reading::Value(14 << 20);
        assert_eq!(parts(&system), [Some(150), Some(14), Some(4)]);
        // More than all file pages: the rest is in block devices.
        system.meminfo.dirty = Reading::Value(166 << 20);
        assert_eq!(parts(&system), [Some(0), Some(166), Some(2)]);
    }

    #[test]
    fn a_balloon_counts_where_the_total_still_holds_it() {
        let mut system = testing::snapshot(Vec::new()).sample.system.clone();
        let parts = |system: &SystemSample| {
            let account = Account::of(system).unwrap();
            ["balloon", "unaccounted"].map(|key| account.part(key).map(|part| part.bytes >> 20))
        };
        system.balloon = Reading::Value(Balloon { bytes: 100 << 20, is_in_total: false });
        assert_eq!(parts(&system), [None, Some(129)]);
        system.balloon = Reading::Value(Balloon { bytes: 100 << 20, is_in_total: true });
        assert_eq!(parts(&system), [Some(100), Some(29)]);
    }

    #[test]
    fn without_the_total_there_is_no_account() {
        assert_eq!(Account::of(&SystemSample::default()), None);
    }

    #[test]
    fn every_part_has_a_layer_and_layers_stand_in_their_order() {
        let mut system = SystemSample::default();
        for name in Meminfo::LINES {
            *system.meminfo.line_mut(name.as_bytes()).unwrap() = Reading::Value(1);
        }
        system.zfs_arc = Reading::Value(1);
        system.balloon = Reading::Value(Balloon { bytes: 1, is_in_total: true });
        let account = Account::of(&system).unwrap();
        // zram has devices, not a line.
        assert_eq!(account.parts.len(), TEXTS.len() - 1);
        assert!(Layer::ALL.iter().enumerate().all(|(place, layer)| *layer as usize == place));
        assert!(Layer::ALL.iter().all(|layer| layer.title().len() <= 11));
    }

    proptest! {
        #[test]
        fn whatever_the_kernel_says_the_sum_holds(values in proptest::collection::vec(0u64..1 << 45, 64)) {
            let mut system = SystemSample::default();
            for (name, value) in Meminfo::LINES.iter().zip(values) {
                *system.meminfo.line_mut(name.as_bytes()).unwrap() = Reading::Value(value);
            }
            let account = Account::of(&system).unwrap();
            let sum: u64 = account.parts.iter().map(|part| part.bytes).sum();
            prop_assert_eq!(sum, account.total + account.overlap);
            prop_assert_eq!(account.layers().iter().sum::<u64>(), sum);
        }
    }
}
