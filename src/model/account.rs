//! Where every byte of RAM is: parts that do not overlap and, with what nobody accounts for, sum up to MemTotal.

use super::reading::Reading;
use super::system::SystemSample;

/// A part of RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name in JSON and CSV.
    pub key: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it is, and whether it can be given back.
    pub help: &'static str,
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
    /// `Cached` contains `Shmem`; `VmallocUsed` contains `KernelStack` where stacks are mapped (`CONFIG_VMAP_STACK`,
    /// the default on x86-64 and Arm64). Pages of zram, of zswap and of the ZFS ARC are in no other counter. Pages
    /// that the balloon took are not in MemTotal (Documentation/filesystems/proc.rst, mm/page_alloc.c,
    /// drivers/virtio/virtio_balloon.c).
    pub fn of(system: &SystemSample) -> Option<Self> {
        let mem = &system.meminfo;
        let total = mem.mem_total.value()?;
        let free = mem.mem_free.value()?;
        let known = |reading: Reading<u64>| reading.value();
        let less = |whole: Reading<u64>, part: Reading<u64>| {
            whole.value().map(|whole| whole.saturating_sub(part.value().unwrap_or(0)))
        };
        let zram = system.zram.iter().map(|device| device.used).sum();
        let rows = [
            ("anon", "anonymous", "heaps, stacks and private mappings of processes", known(mem.anon_pages)),
            ("file", "page cache", "contents of files; what is clean can be given back", less(mem.cached, mem.shmem)),
            ("buffers", "buffers", "block device buffers; can be given back", known(mem.buffers)),
            (
                "shmem",
                "shared, tmpfs",
                "tmpfs, /dev/shm, SysV and memfd segments; only swap takes it",
                known(mem.shmem),
            ),
            ("slab_reclaimable", "slab, reclaimable", "dentries, inodes; can be given back", known(mem.s_reclaimable)),
            ("slab_unreclaimable", "slab, kept", "kernel objects", known(mem.s_unreclaim)),
            ("page_tables", "page tables", "grow with mapped memory and with processes", known(mem.page_tables)),
            ("sec_page_tables", "VM page tables", "of virtual machines", known(mem.sec_page_tables)),
            ("kernel_stack", "kernel stacks", "16 KiB a thread", known(mem.kernel_stack)),
            ("percpu", "per CPU", "per-CPU allocations; grow with cgroups", known(mem.percpu)),
            ("vmalloc", "vmalloc", "modules, BPF, large kernel buffers", less(mem.vmalloc_used, mem.kernel_stack)),
            ("hugetlb", "huge pages", "reserved pools, used or not", known(mem.hugetlb)),
            ("zswap", "zswap", "compressed swap in RAM", known(mem.zswap)),
            ("zram", "zram", "compressed swap devices in RAM", (!system.zram.is_empty()).then_some(zram)),
            ("zfs_arc", "ZFS ARC", "ZFS cache; shrinks under pressure", known(system.zfs_arc)),
            ("corrupted", "broken", "memory found broken", known(mem.hardware_corrupted)),
        ];
        let mut parts: Vec<Part> = rows
            .into_iter()
            .filter_map(|(key, title, help, bytes)| Some(Part { key, title, help, bytes: bytes? }))
            .collect();
        let accounted = free + parts.iter().map(|part| part.bytes).sum::<u64>();
        parts.push(Part {
            key: "unaccounted",
            title: "unaccounted",
            help: "drivers (network buffers, GPU), the hypervisor: no counter has it",
            bytes: total.saturating_sub(accounted),
        });
        parts.push(Part { key: "free", title: "free", help: "holds nothing", bytes: free });
        Some(Self { total, parts, overlap: accounted.saturating_sub(total) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::testing;

    #[test]
    fn the_parts_of_a_machine_sum_up_to_its_ram() {
        let snapshot = testing::snapshot(Vec::new());
        let account = Account::of(&snapshot.sample.system).unwrap();
        assert_eq!(account.parts.iter().map(|part| part.bytes).sum::<u64>(), account.total + account.overlap);
        let part = |key| account.parts.iter().find(|part| part.key == key).map(|part| part.bytes >> 20);
        assert_eq!(part("file"), Some(164), "shared memory is in Cached and is not counted twice");
        assert_eq!(part("unaccounted"), Some(129));
        assert_eq!(part("hugetlb"), None, "what this kernel does not report is left out");
    }

    #[test]
    fn without_the_total_there_is_no_account() {
        assert_eq!(Account::of(&SystemSample::default()), None);
    }

    proptest! {
        #[test]
        fn whatever_the_kernel_says_the_sum_holds(values in proptest::collection::vec(0u64..1 << 45, 38)) {
            let mut system = SystemSample::default();
            for (name, value) in crate::model::system::Meminfo::LINES.iter().zip(values) {
                *system.meminfo.line_mut(name.as_bytes()).unwrap() = Reading::Value(value);
            }
            let account = Account::of(&system).unwrap();
            let sum: u64 = account.parts.iter().map(|part| part.bytes).sum();
            prop_assert_eq!(sum, account.total + account.overlap);
        }
    }
}
