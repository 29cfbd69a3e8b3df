//! Which columns each part of a sample has: its fields, each with its unit. What is recorded is listed here and nowhere
//! else; a field that a struct gains and this list does not is an error of compilation.
//!
//! A quantity that is added later should be a [`Reading`]: only that can say that an older recording does not have it.

use super::cells::{Cells, Column, ColumnKind, Put, Take, cells};
use super::closer::{Part, Parts};
use super::varint::Malformed;
use crate::model::cgroup::{BoundGroup, CgroupLimit, CgroupVersion, Membership};
use crate::model::cgroup_tree::{CgroupEvents, CgroupLimits, CgroupNode, CgroupStat};
use crate::model::deed::Deed;
use crate::model::key::ProcessKey;
use crate::model::process::{Identity, Resident, Rollup, Stat, Status};
use crate::model::reading::{BootMs, Reading, Stamped};
use crate::model::runtime::Settings;
use crate::model::sample::{Host, Scan};
use crate::model::survey::{Segment, Setting, ShmFile, SlabCache, Tmpfs, TmpfsUse, Zone};
use crate::model::system::{Balloon, Meminfo, Pressure, Stall, SwapDevice, SystemSample, SysvShm, Vmstat, Zram};
use crate::model::text::Text;

/// What a sample says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) interval_ms: u64,
    pub(super) scan: Scan,
}

/// The parts of a process that move. Its key is the row's, its identity comes before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moving {
    pub(super) resident: Reading<Resident>,
    pub(super) stat: Stamped<Stat>,
    pub(super) status: Stamped<Status>,
    pub(super) rollup: Stamped<Rollup>,
    pub(super) fds: Stamped<u32>,
    pub(super) fd_limit: Stamped<u64>,
    pub(super) oom_score: Stamped<u32>,
}

cells! {
    Look { interval_ms: u64 = "ms", scan: Scan = "", }
    Scan { cost_us: u64 = "us", denied: u32 = "processes", pending: u32 = "processes", is_hiding: bool = "", missed: u32 = "samples", }
    Host {
        name: Text = "", kernel: Text = "", distribution: Text = "", page_size: u64 = "bytes",
        clock_ticks: u64 = "per second", cpus: u32 = "", boot_id: Text = "",
    } [users,]
    SystemSample {
        meminfo: Meminfo = "bytes", vmstat: Vmstat = "", pressure: Reading<Pressure> = "",
        zfs_arc: Reading<u64> = "bytes", zfs_arc_min: Reading<u64> = "bytes", balloon: Reading<Balloon> = "", cgroup_limit: Reading<Option<CgroupLimit>> = "",
        sysv_shm: Reading<SysvShm> = "", uptime_s: u64 = "s",
    } [swaps, zram, bound_groups, cgroups,]
    Balloon { bytes: u64 = "bytes", is_in_total: bool = "", }
    Pressure { some: Stall = "", full: Stall = "", }
    Stall { avg10: f32 = "percent", avg60: f32 = "percent", avg300: f32 = "percent", total_us: u64 = "us", }
    SysvShm {
        segments: u32 = "segments", bytes: u64 = "bytes", unattached_segments: u32 = "segments",
        unattached_bytes: u64 = "bytes",
    }
    SwapDevice { path: Text = "", kind: Text = "", size: u64 = "bytes", used: u64 = "bytes", priority: i32 = "", }
    Zram { name: Text = "", original: u64 = "bytes", compressed: u64 = "bytes", used: u64 = "bytes", }
    CgroupLimit {
        path: Text = "", limit: u64 = "bytes", usage: u64 = "bytes", inactive_file: u64 = "bytes",
        swap_limit: Option<u64> = "bytes", swap_usage: Option<u64> = "bytes", oom_kills: Option<u64> = "kills",
    }
    BoundGroup { memory: Text = "", limit: CgroupLimit = "", at: BootMs = "ms", }
    Membership { memory: Text = "", managed: Text = "", version: CgroupVersion = "", }
    Identity {
        comm: Text = "", command: Text = "", uid: u32 = "", is_kernel_thread: bool = "",
        exe: Text = "", settings: Settings = "", cgroup: std::sync::Arc<Membership> = "",
    }
    Moving {
        resident: Reading<Resident> = "", stat: Stamped<Stat> = "", status: Stamped<Status> = "",
        rollup: Stamped<Rollup> = "", fds: Stamped<u32> = "files", fd_limit: Stamped<u64> = "files",
        oom_score: Stamped<u32> = "",
    }
    Resident { size: u64 = "bytes", rss: u64 = "bytes", shared: u64 = "bytes", text: u64 = "bytes", }
    Stat {
        state: u8 = "ASCII", ppid: u32 = "", threads: u32 = "threads", major_faults: u64 = "faults",
        cpu_ticks: u64 = "ticks",
    }
    Status {
        rss_anon: Reading<u64> = "bytes", rss_file: Reading<u64> = "bytes", rss_shmem: Reading<u64> = "bytes",
        swap: u64 = "bytes", peak_rss: u64 = "bytes", page_tables: u64 = "bytes", locked: u64 = "bytes",
        hugetlb: u64 = "bytes",
    }
    Rollup {
        rss: u64 = "bytes", pss: u64 = "bytes", pss_parts: Option<[u64; 3]> = "bytes", uss: u64 = "bytes",
        swap: u64 = "bytes", swap_pss: u64 = "bytes", anon_huge: u64 = "bytes",
    }
    Deed {
        wall_ms: i64 = "ms", action: Text = "", title: Text = "", target: Option<ProcessKey> = "", on: Text = "",
        result: Text = "", is_done: bool = "", is_settled: bool = "", measured: Text = "",
    }
    ProcessKey { pid: u32 = "", start_time: u64 = "ticks", }
    Parts {
        slab: Part = "", tmpfs: Part = "", segments: Part = "", posix: Part = "", settings: Part = "", zones: Part = "",
        dirty_background: Option<u64> = "bytes", dirty: Option<u64> = "bytes", version: CgroupVersion = "",
        groups_left_out: u32 = "groups",
    }
    Part { at: BootMs = "ms", cost_us: u64 = "us", left_out: u32 = "", rows: Reading<u32> = "", }
    SlabCache {
        name: Text = "", active: u64 = "objects", objects: u64 = "objects", object_size: u64 = "bytes",
        bytes: u64 = "bytes", is_reclaimable: Option<bool> = "",
    }
    Tmpfs { path: Text = "", kind: Text = "", device: u64 = "", usage: Reading<TmpfsUse> = "", }
    TmpfsUse { used: u64 = "bytes", size: u64 = "bytes", inodes: u64 = "inodes", }
    Segment {
        key: u32 = "", id: u32 = "", uid: u32 = "", mode: u32 = "", size: u64 = "bytes", rss: Reading<u64> = "bytes",
        swap: Reading<u64> = "bytes", attached: u64 = "attachments", creator: u32 = "pid",
        is_creator_alive: Option<bool> = "", last: u32 = "pid", detached_s: u64 = "s", changed_s: u64 = "s",
    } [holders,]
    ShmFile { path: Text = "", uid: u32 = "", length: u64 = "bytes", allocated: u64 = "bytes", modified_s: i64 = "s", } [held,]
    Setting { text: String = "", number: Option<u64> = "", }
    Zone {
        node: u32 = "", name: String = "", free: u64 = "bytes", min: u64 = "bytes", low: u64 = "bytes",
        high: u64 = "bytes", managed: u64 = "bytes",
    }
    CgroupNode {
        path: Text = "", at: BootMs = "ms", usage: Reading<u64> = "bytes", swap: Reading<u64> = "bytes",
        peak: Reading<u64> = "bytes", limits: CgroupLimits = "", stat: CgroupStat = "", events: CgroupEvents = "",
        pressure: Reading<Pressure> = "", name: Reading<Text> = "",
    }
    CgroupLimits {
        max: Reading<Option<u64>> = "bytes", high: Reading<Option<u64>> = "bytes", low: Reading<Option<u64>> = "bytes",
        min: Reading<Option<u64>> = "bytes", swap_max: Reading<Option<u64>> = "bytes",
    }
    CgroupStat {
        anon: Reading<u64> = "bytes", file: Reading<u64> = "bytes", shmem: Reading<u64> = "bytes",
        inactive_file: Reading<u64> = "bytes", kernel: Reading<u64> = "bytes", slab: Reading<u64> = "bytes",
        sock: Reading<u64> = "bytes", page_tables: Reading<u64> = "bytes",
    }
    CgroupEvents {
        low: Reading<u64> = "events", high: Reading<u64> = "events", max: Reading<u64> = "events",
        oom: Reading<u64> = "events", oom_kill: Reading<u64> = "processes",
    }
}

/// A setting of the kernel: its name and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedSetting {
    pub(super) key: Text,
    pub(super) value: Reading<Setting>,
}

cells! { NamedSetting { key: Text = "", value: Reading<Setting> = "", } }

/// A file of named lines has a column a line, by the kernel's name.
macro_rules! kernel_lines {
    ($($type:ident)*) => { $(impl Cells for $type {
        const WIDTH: usize = 2 * Self::LINES.len();
        fn describe(name: &str, unit: &'static str, columns: &mut Vec<Column>) {
            for line in Self::LINES {
                Reading::<u64>::describe(&format!("{name}.{line}"), unit, columns);
            }
        }
        fn put(&self, row: &mut Put<'_>) {
            self.lines().for_each(|(_, reading)| reading.put(row));
        }
        fn take(row: &mut Take<'_>) -> Result<Self, Malformed> {
            let mut lines = Self::default();
            for name in Self::LINES {
                let reading = Reading::take(row)?;
                if let Some(line) = lines.line_mut(name.as_bytes()) {
                    *line = reading;
                }
            }
            Ok(lines)
        }
    })* };
}

kernel_lines! { Meminfo Vmstat }

/// The tables, in the order in which a [`super::state::State`] holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableId {
    Look,
    Host,
    Users,
    System,
    Swaps,
    Zram,
    BoundGroups,
    Processes,
    Deeds,
    Parts,
    Slab,
    Tmpfs,
    Segments,
    ShmFiles,
    Settings,
    Zones,
    Cgroups,
}

/// Appends the columns of a part of a row.
type Describe = fn(&mut Vec<Column>);

/// What a table holds.
#[derive(Clone, Debug)]
pub(super) struct TableSpec {
    pub(super) name: &'static str,
    /// Names of the columns by which rows are told apart: none where there is one row.
    pub(super) keys: &'static [&'static str],
    pub(super) columns: Vec<Column>,
}

impl TableId {
    pub(super) const ALL: [Self; 17] = [
        Self::Look,
        Self::Host,
        Self::Users,
        Self::System,
        Self::Swaps,
        Self::Zram,
        Self::BoundGroups,
        Self::Processes,
        Self::Deeds,
        Self::Parts,
        Self::Slab,
        Self::Tmpfs,
        Self::Segments,
        Self::ShmFiles,
        Self::Settings,
        Self::Zones,
        Self::Cgroups,
    ];

    /// Those of a closer look, which is made more seldom than a sample.
    pub(super) const CLOSER: &'static [Self] = Self::ALL.split_at(Self::Parts as usize).1;

    /// What it holds.
    pub(super) fn spec(self) -> &'static TableSpec {
        static SPECS: std::sync::LazyLock<[TableSpec; 17]> = std::sync::LazyLock::new(|| {
            TableId::ALL.map(|table| {
                let (name, keys, describe): (_, &[_], &[Describe]) = match table {
                    TableId::Look => ("sample", &[], &[|columns| Look::describe("", "", columns)]),
                    TableId::Host => ("host", &[], &[|columns| Host::describe("", "", columns)]),
                    TableId::Users => ("user", &["uid"], &[|columns| Text::describe("name", "", columns)]),
                    TableId::System => ("system", &[], &[|columns| SystemSample::describe("", "", columns)]),
                    TableId::Swaps => ("swap", &["place"], &[|columns| SwapDevice::describe("", "", columns)]),
                    TableId::Zram => ("zram", &["place"], &[|columns| Zram::describe("", "", columns)]),
                    TableId::BoundGroups => {
                        ("bound_group", &["place"], &[|columns| BoundGroup::describe("", "", columns)])
                    }
                    TableId::Processes => (
                        "process",
                        &["pid", "start_time"],
                        &[
                            |columns| Identity::describe("identity", "", columns),
                            |columns| Moving::describe("", "", columns),
                        ],
                    ),
                    TableId::Deeds => ("action", &["place"], &[|columns| Deed::describe("", "", columns)]),
                    TableId::Parts => ("closer_look", &[], &[|columns| Parts::describe("", "", columns)]),
                    TableId::Slab => ("slab_cache", &["place"], &[|columns| SlabCache::describe("", "", columns)]),
                    TableId::Tmpfs => ("tmpfs", &["place"], &[|columns| Tmpfs::describe("", "", columns)]),
                    TableId::Segments => ("segment", &["place"], &[|columns| Segment::describe("", "", columns)]),
                    TableId::ShmFiles => ("shm_file", &["place"], &[|columns| ShmFile::describe("", "", columns)]),
                    TableId::Settings => ("setting", &["place"], &[|columns| NamedSetting::describe("", "", columns)]),
                    TableId::Zones => ("zone", &["place"], &[|columns| Zone::describe("", "", columns)]),
                    TableId::Cgroups => ("cgroup", &["place"], &[|columns| CgroupNode::describe("", "", columns)]),
                };
                let mut columns = Vec::new();
                for describe in describe {
                    describe(&mut columns);
                }
                TableSpec { name, keys, columns }
            })
        });
        &SPECS[self as usize]
    }

    /// Columns of a row.
    pub(super) fn width(self) -> usize {
        self.spec().columns.len()
    }
}

impl TableSpec {
    /// The place of a column.
    pub(super) fn column(&self, name: &str, kind: ColumnKind) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name && column.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn columns_of_a_table_are_told_apart_by_name() {
        for table in TableId::ALL {
            let columns = &table.spec().columns;
            let names: BTreeSet<_> = columns.iter().map(|column| &column.name).collect();
            assert_eq!(names.len(), columns.len(), "{table:?}");
            assert!(names.iter().all(|name| !name.is_empty()), "{table:?}");
        }
    }

    #[test]
    fn columns_are_called_by_the_kernels_names_and_have_their_states() {
        let has = |table: TableId, name: &str, kind| table.spec().column(name, kind).is_some();
        assert!(has(TableId::Processes, "rollup.pss", ColumnKind::Number));
        assert!(
            has(TableId::Processes, "rollup?", ColumnKind::State)
                && has(TableId::Processes, "rollup@", ColumnKind::Moment)
        );
        assert!(has(TableId::Processes, "identity.command", ColumnKind::Text));
        assert!(has(TableId::System, "meminfo.MemAvailable", ColumnKind::Number));
        assert!(has(TableId::System, "meminfo.MemAvailable?", ColumnKind::State));
        assert!(!has(TableId::System, "meminfo.MemAvailable", ColumnKind::State));
    }

    #[test]
    fn a_row_is_as_wide_as_its_columns() {
        assert_eq!(TableId::Processes.width(), Identity::WIDTH + Moving::WIDTH);
        assert_eq!(TableId::System.width(), SystemSample::WIDTH);
    }
}
