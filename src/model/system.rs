//! What is read of the machine at one instant.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cgroup::{BoundGroup, CgroupLimit, Membership};
use super::cgroup_tree::CgroupTree;
use super::reading::{Feature, Need, Reading};
use super::text::Text;

/// Everything about the machine's memory in one sample. Bytes and counters since boot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SystemSample {
    /// `/proc/meminfo`.
    pub meminfo: Meminfo,
    /// `/proc/vmstat`.
    pub vmstat: Vmstat,
    /// `/proc/pressure/memory`.
    pub pressure: Reading<Pressure>,
    /// `/proc/swaps`.
    pub swaps: Vec<SwapDevice>,
    /// `/sys/block/zram*/mm_stat`.
    pub zram: Vec<Zram>,
    /// ZFS ARC size, `/proc/spl/kstat/zfs/arcstats`.
    pub zfs_arc: Reading<u64>,
    /// The least that the ARC shrinks to under pressure, `c_min` of the same file.
    #[serde(default)]
    pub zfs_arc_min: Reading<u64>,
    /// What a hypervisor has taken back.
    #[serde(default)]
    pub balloon: Reading<Balloon>,
    /// The tightest memory limit of our own cgroup and its ancestors; `None` where nothing limits us.
    pub cgroup_limit: Reading<Option<CgroupLimit>>,
    /// The control groups with processes in them that a limit below MemTotal binds, by path; each is read every few
    /// seconds. Empty in a sample that was taken alone.
    #[serde(default)]
    pub bound_groups: Vec<Arc<BoundGroup>>,
    /// The tree of control groups, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroups: Option<Arc<CgroupTree>>,
    /// `/proc/sysvipc/shm`: System V shared memory of our IPC namespace, read every few seconds.
    #[serde(default)]
    pub sysv_shm: Reading<SysvShm>,
    /// Seconds since boot.
    pub uptime_s: u64,
}

impl SystemSample {
    /// The limit that binds the processes of a control group; `None` where nothing binds them, or it has not been
    /// read yet.
    pub fn bound_group(&self, membership: &Membership) -> Option<&Arc<BoundGroup>> {
        let place = self.bound_groups.binary_search_by(|group| group.memory.cmp(&membership.memory)).ok()?;
        self.bound_groups.get(place)
    }
}

impl<T> Default for Reading<T> {
    fn default() -> Self {
        Self::Unsupported(Need::Feature(Feature::Line))
    }
}

macro_rules! kernel_lines {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident = $line:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name { $($(#[$field_doc])* pub $field: Reading<u64>,)* }

        impl $name {
            /// Every line that is kept, by the kernel's name.
            pub const LINES: &[&str] = &[$($line),*];

            /// The place of the line that the kernel calls `name`.
            pub fn line_mut(&mut self, name: &[u8]) -> Option<&mut Reading<u64>> {
                $(if name == $line.as_bytes() { return Some(&mut self.$field); })*
                None
            }

            /// Every line with the kernel's name for it.
            pub fn lines(&self) -> impl Iterator<Item = (&'static str, Reading<u64>)> {
                [$(($line, self.$field)),*].into_iter()
            }
        }
    };
}

kernel_lines! {
    /// `/proc/meminfo` (proc_meminfo(5)), in bytes; a line that this kernel lacks is `Unsupported`.
    Meminfo {
        /// RAM the kernel manages.
        mem_total = "MemTotal",
        /// Free pages.
        mem_free = "MemFree",
        /// What can be had without swapping (Linux 3.14).
        mem_available = "MemAvailable",
        /// Block device buffers.
        buffers = "Buffers",
        /// Page cache with shared memory.
        cached = "Cached",
        /// Pages in swap and in RAM alike.
        swap_cached = "SwapCached",
        /// File pages not used of late.
        inactive_file = "Inactive(file)",
        /// File pages in use.
        active_file = "Active(file)",
        /// Locked and otherwise unevictable pages.
        unevictable = "Unevictable",
        /// Locked pages.
        mlocked = "Mlocked",
        /// Swap space.
        swap_total = "SwapTotal",
        /// Unused swap space.
        swap_free = "SwapFree",
        /// Compressed pool of zswap (Linux 5.19).
        zswap = "Zswap",
        /// What zswap holds, uncompressed (Linux 5.19).
        zswapped = "Zswapped",
        /// Pages that wait to be written.
        dirty = "Dirty",
        /// Pages being written, those on their way to swap included.
        writeback = "Writeback",
        /// Copies that FUSE file systems write from.
        writeback_tmp = "WritebackTmp",
        /// Anonymous pages mapped by processes.
        anon_pages = "AnonPages",
        /// File pages mapped by processes.
        mapped = "Mapped",
        /// tmpfs and shared memory.
        shmem = "Shmem",
        /// Kernel memory that can be given back, slab included (Linux 4.20).
        kreclaimable = "KReclaimable",
        /// All slab.
        slab = "Slab",
        /// Slab that can be given back.
        s_reclaimable = "SReclaimable",
        /// Slab that can't.
        s_unreclaim = "SUnreclaim",
        /// Kernel stacks.
        kernel_stack = "KernelStack",
        /// Shadow call stacks.
        shadow_call_stack = "ShadowCallStack",
        /// Page tables.
        page_tables = "PageTables",
        /// Page tables of virtual machines (Linux 6.1).
        sec_page_tables = "SecPageTables",
        /// Bounce buffers.
        bounce = "Bounce",
        /// The most that may be promised without overcommit.
        commit_limit = "CommitLimit",
        /// What has been promised.
        committed_as = "Committed_AS",
        /// vmalloc in use (Linux 5.3; before that zero, or address space and not memory).
        vmalloc_used = "VmallocUsed",
        /// Per-CPU allocations (Linux 4.20 here).
        percpu = "Percpu",
        /// Memory found broken.
        hardware_corrupted = "HardwareCorrupted",
        /// Transparent huge pages.
        anon_huge_pages = "AnonHugePages",
        /// Given back to the hypervisor by the balloon driver (Linux 6.16).
        balloon = "Balloon",
        /// All huge page pools (Linux 4.16).
        hugetlb = "Hugetlb",
        /// Memory of DMA-capable contiguous area.
        cma_total = "CmaTotal",
    }
}

kernel_lines! {
    /// Counters of `/proc/vmstat` since boot.
    Vmstat {
        /// Pages swapped in.
        swap_in = "pswpin",
        /// Pages swapped out.
        swap_out = "pswpout",
        /// Page faults that needed the disk.
        major_faults = "pgmajfault",
        /// Kills by the OOM killer (Linux 4.13).
        oom_kills = "oom_kill",
        /// Pages scanned by processes that had to reclaim for themselves.
        direct_scans = "pgscan_direct",
        /// Pages scanned by kswapd.
        kswapd_scans = "pgscan_kswapd",
        /// Allocation stalls, summed over zones (`allocstall_*`).
        allocation_stalls = "allocstall",
        /// Anonymous pages that came back soon after they were evicted (Linux 5.9).
        refault_anon = "workingset_refault_anon",
        /// File pages that came back soon after they were evicted (`workingset_refault` before Linux 5.9).
        refault_file = "workingset_refault_file",
        /// Pages that the balloon driver has taken (`CONFIG_MEMORY_BALLOON`).
        balloon_inflate = "balloon_inflate",
        /// Pages that it has given back.
        balloon_deflate = "balloon_deflate",
    }
}

/// One `some` or `full` line of pressure stall information (Documentation/accounting/psi.rst).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stall {
    /// Percent of the last 10 s.
    pub avg10: f32,
    /// Percent of the last 60 s.
    pub avg60: f32,
    /// Percent of the last 300 s.
    pub avg300: f32,
    /// Microseconds since boot.
    pub total_us: u64,
}

/// `/proc/pressure/memory` (Linux 4.20).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pressure {
    /// At least one task waited for memory.
    pub some: Stall,
    /// All tasks waited at once.
    pub full: Stall,
}

/// A line of `/proc/swaps`, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapDevice {
    /// Device or file.
    pub path: Text,
    /// `partition` or `file`.
    pub kind: Text,
    /// Size.
    pub size: u64,
    /// In use.
    pub used: u64,
    /// Higher is used first.
    pub priority: i32,
}

/// A compressed RAM disk (Documentation/admin-guide/blockdev/zram.rst), in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zram {
    /// `zram0`.
    pub name: Text,
    /// What was stored, uncompressed.
    pub original: u64,
    /// The same, compressed.
    pub compressed: u64,
    /// RAM it takes, with the allocator's own overhead.
    pub used: u64,
}

/// Memory that a balloon driver has taken from this machine for its hypervisor: `Balloon` of `/proc/meminfo` (Linux
/// 6.16), before that what `/proc/vmstat` has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balloon {
    /// Bytes.
    pub bytes: u64,
    /// Whether MemTotal still counts it: a virtio balloon that gives pages back where memory runs out
    /// (`VIRTIO_BALLOON_F_DEFLATE_ON_OOM`) leaves MemTotal as it is, others lower it.
    pub is_in_total: bool,
}

/// System V shared memory segments (proc_sysvipc(5)). A segment stays until it is removed, whoever made it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SysvShm {
    /// Segments.
    pub segments: u32,
    /// What they hold in RAM and swap, bytes; their size where the kernel does not say (before Linux 2.6.38).
    pub bytes: u64,
    /// Segments that no process is attached to.
    pub unattached_segments: u32,
    /// What those hold, bytes.
    pub unattached_bytes: u64,
}

impl Meminfo {
    /// Page cache and slab that `free` counts as cache: Cached + SReclaimable.
    pub fn cache(&self) -> Reading<u64> {
        self.cached.map(|cached| cached + self.s_reclaimable.value().unwrap_or(0))
    }

    /// RAM that is not available: MemTotal - MemAvailable, as free(1) from procps 4.0.1 counts it. Before Linux
    /// 3.14 there is no MemAvailable and so no value.
    pub fn used(&self) -> Reading<u64> {
        self.mem_total.and_then(|total| self.mem_available.map(|available| total.saturating_sub(available)))
    }

    /// Memory of `vmalloc`, kernel stacks not counted where they are mapped (`CONFIG_VMAP_STACK`, the default on x86-64
    /// and Arm64). Kernels before Linux 5.3 write zero or count address space; `Percpu` is younger than the latter.
    pub fn vmalloc(&self) -> Reading<u64> {
        let stacks = self.kernel_stack.value().unwrap_or(0);
        match (self.vmalloc_used, self.percpu.value()) {
            (Reading::Value(1..), None) | (Reading::Value(0), _) => Reading::Unsupported(Need::Kernel(5, 3)),
            (used, _) => used.map(|used| used.saturating_sub(stacks)),
        }
    }

    /// File pages and buffers that must be written before they can be given back. Pages of tmpfs are never dirty.
    pub fn dirty_cache(&self) -> Reading<u64> {
        let cache = self.cached.value().unwrap_or(0).saturating_sub(self.shmem.value().unwrap_or(0));
        self.dirty.map(|dirty| dirty.min(cache + self.buffers.value().unwrap_or(0)))
    }

    /// MemTotal - MemFree - Buffers - Cached - SReclaimable: the "used" of the CloudWatch agent, which is that of
    /// gopsutil, and of free(1) from procps 3.3.10 to 4.0.0. Shared memory counts as cache there, and so as free.
    pub fn used_beside_cache(&self) -> Reading<u64> {
        let held = self.mem_free.and_then(|free| {
            self.buffers
                .and_then(|buffers| self.cache().map(|cache| free.saturating_add(buffers).saturating_add(cache)))
        });
        self.mem_total.and_then(|total| held.map(|held| total.saturating_sub(held)))
    }

    /// Swap in use.
    pub fn swap_used(&self) -> Reading<u64> {
        self.swap_total.and_then(|total| self.swap_free.map(|free| total.saturating_sub(free)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vmalloc_is_known_from_the_kernel_on_that_counts_pages() {
        let vmalloc = |used: u64, percpu: Option<u64>| {
            let mut meminfo = Meminfo { vmalloc_used: Reading::Value(used), ..Meminfo::default() };
            meminfo.kernel_stack = Reading::Value(10);
            if let Some(percpu) = percpu {
                meminfo.percpu = Reading::Value(percpu);
            }
            meminfo.vmalloc()
        };
        let too_old = Reading::Unsupported(Need::Kernel(5, 3));
        assert_eq!(vmalloc(70, Some(5)), Reading::Value(60));
        assert_eq!(vmalloc(0, None), too_old, "Linux 4.4 to 4.19");
        assert_eq!(vmalloc(0, Some(5)), too_old, "Linux 4.20 to 5.2");
        assert_eq!(vmalloc(153_204, None), too_old, "Linux 3.10 counts address space");
    }

    #[test]
    fn a_sample_from_before_a_quantity_was_known_can_be_read() {
        let mut value = serde_json::to_value(SystemSample::default()).unwrap();
        let fields = value.as_object_mut().unwrap();
        for added_later in ["bound_groups", "sysv_shm", "zfs_arc_min", "balloon"] {
            assert!(fields.remove(added_later).is_some(), "{added_later}");
        }
        for (part, added_later) in [("meminfo", "writeback_tmp"), ("vmstat", "balloon_inflate")] {
            let lines = fields[part].as_object_mut().unwrap();
            assert!(lines.remove(added_later).is_some(), "{added_later}");
        }
        assert_eq!(serde_json::from_value::<SystemSample>(value).unwrap(), SystemSample::default());
    }
}
