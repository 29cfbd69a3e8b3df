//! Samples of every kind that there can be, by chance.

use std::sync::Arc;

use memtide::model::cgroup::{BoundGroup, CgroupLimit, CgroupVersion, Membership};
use memtide::model::cgroup_tree::{CgroupNode, CgroupTree};
use memtide::model::closer::Closer;
use memtide::model::deed::Deed;
use memtide::model::key::ProcessKey;
use memtide::model::process::{Identity, ProcessSample, Resident, Rollup, Stat, Status};
use memtide::model::reading::{BootMs, Denial, Feature, Need, Reading, Stamped};
use memtide::model::sample::{Host, Sample, Scan};
use memtide::model::survey::{
    Attachment, Holders, SETTINGS, Segment, Setting, ShmFile, SlabCache, Survey, Surveyed, Tmpfs, TmpfsUse, Zone, Zones,
};
use memtide::model::system::{Balloon, Meminfo, Pressure, Stall, SwapDevice, SystemSample, SysvShm, Vmstat, Zram};
use memtide::model::text::Text;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A row of samples as no machine gives them: nothing of one is like the one before but by chance.
pub fn samples(most: usize) -> impl Strategy<Value = Vec<Sample>> {
    (any::<u64>(), 1..=most).prop_map(|(seed, count)| {
        let mut dice = Dice::new(seed);
        let mut samples = vec![dice.sample(None)];
        for _ in 1..count {
            let next = dice.sample(samples.last());
            samples.push(next);
        }
        samples
    })
}

/// Values by chance: small ones, large ones, and those at the ends.
pub struct Dice(TestRng);

impl Dice {
    /// The same values for the same seed.
    pub fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    /// A number below `below`.
    pub fn below(&mut self, below: u64) -> u64 {
        self.0.next_u64() % below.max(1)
    }

    fn number(&mut self) -> u64 {
        match self.below(5) {
            0 => self.below(4),
            1 => self.below(1 << 20) * 4096,
            2 => self.0.next_u64(),
            3 => u64::MAX - self.below(2),
            _ => self.below(100_000) * 1024,
        }
    }

    fn small(&mut self) -> u32 {
        if self.below(8) == 0 { u32::MAX } else { self.below(5000) as u32 }
    }

    fn is(&mut self) -> bool {
        self.below(2) == 0
    }

    fn text(&mut self) -> Text {
        let words: [&[u8]; 8] =
            [b"", b"node app.js", b"a\x1b[2Jb", b"\xff\xfe", "数据库".as_bytes(), b"x", b"(sd-pam)", b"a b"];
        let mut bytes = words[self.below(8) as usize].to_vec();
        if self.below(4) == 0 {
            let length = self.below(300) as usize;
            bytes.extend((0..length).map(|_| self.below(256) as u8));
        }
        Text::new(bytes)
    }

    fn reading<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Reading<T> {
        match self.below(14) {
            0 => Reading::Pending,
            1 => Reading::Denied(Denial::Ptrace),
            2 => Reading::Denied(Denial::Root),
            3 => Reading::Gone,
            4 => Reading::Unsupported(Need::Kernel(self.below(256) as u8, self.below(256) as u8)),
            5 => Reading::Unsupported(Need::NotApplicable),
            6 => {
                let features = [
                    Feature::Psi,
                    Feature::MemoryController,
                    Feature::Line,
                    Feature::Zfs,
                    Feature::SysvIpc,
                    Feature::Recording,
                ];
                Reading::Unsupported(Need::Feature(features[self.below(6) as usize]))
            }
            7 => {
                let age = self.below(1 << 56);
                Reading::Stale(value(self), age)
            }
            _ => Reading::Value(value(self)),
        }
    }

    fn stamped<T>(&mut self, now: BootMs, value: impl FnOnce(&mut Self) -> T) -> Stamped<T> {
        let at = match self.below(4) {
            0 => BootMs(self.number()),
            1 => BootMs(0),
            _ => now,
        };
        Stamped { reading: self.reading(value), at }
    }

    fn option<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.is() { Some(value(self)) } else { None }
    }

    /// A sample that may come after another.
    pub fn sample(&mut self, before: Option<&Sample>) -> Sample {
        let at = match (before, self.below(60)) {
            (Some(before), 1..) => BootMs(before.at.0.saturating_add(self.below(20_000))),
            _ => BootMs(self.number()),
        };
        let host = match before {
            Some(before) if self.below(5) > 0 => Arc::clone(&before.host),
            _ => Arc::new(self.host()),
        };
        Sample {
            wall_ms: self.number() as i64,
            at,
            closer: self.closer(before, at),
            deeds: (0..self.below(6).saturating_sub(4)).map(|_| self.deed()).collect(),
            interval_ms: self.number(),
            host,
            system: self.system(at),
            processes: self.processes(before, at),
            scan: Scan {
                cost_us: self.number(),
                denied: self.small(),
                pending: self.small(),
                is_hiding: self.is(),
                missed: self.small(),
            },
        }
    }

    fn closer(&mut self, before: Option<&Sample>, at: BootMs) -> Option<Arc<Closer>> {
        match (before.and_then(|before| before.closer.clone()), self.below(4)) {
            (Some(before), 1..) => Some(before),
            (_, 0) => Some(Arc::new(Closer::of(self.survey(at), &self.tree(at)))),
            _ => None,
        }
    }

    fn deed(&mut self) -> Deed {
        Deed {
            wall_ms: self.number() as i64,
            action: self.text(),
            title: self.text(),
            target: self.option(|dice| ProcessKey { pid: dice.small(), start_time: dice.number() }),
            on: self.text(),
            result: self.text(),
            is_done: self.is(),
            is_settled: self.is(),
            measured: self.text(),
        }
    }

    fn surveyed<T>(&mut self, at: BootMs, value: impl FnOnce(&mut Self) -> T) -> Surveyed<T> {
        let reading = self.reading(value);
        Surveyed { reading, at, cost_us: self.number(), left_out: self.small() }
    }

    fn several<T>(&mut self, one: impl Fn(&mut Self) -> T) -> Arc<[T]> {
        (0..self.below(4)).map(|_| one(self)).collect()
    }

    fn survey(&mut self, at: BootMs) -> Survey {
        Survey {
            slab: self.surveyed(at, |dice| {
                dice.several(|dice| SlabCache {
                    name: dice.text(),
                    active: dice.number(),
                    objects: dice.number(),
                    object_size: dice.number(),
                    bytes: dice.number(),
                    is_reclaimable: dice.option(Self::is),
                })
            }),
            tmpfs: self.surveyed(at, |dice| {
                dice.several(|dice| Tmpfs {
                    path: dice.text(),
                    kind: dice.text(),
                    device: dice.number(),
                    usage: dice.reading(|dice| TmpfsUse {
                        used: dice.number(),
                        size: dice.number(),
                        inodes: dice.number(),
                    }),
                })
            }),
            segments: self.surveyed(at, |dice| {
                dice.several(|dice| Segment {
                    key: dice.small(),
                    id: dice.small(),
                    uid: dice.small(),
                    mode: dice.small(),
                    size: dice.number(),
                    rss: dice.reading(Self::number),
                    swap: dice.reading(Self::number),
                    attached: dice.number(),
                    creator: dice.small(),
                    is_creator_alive: dice.option(Self::is),
                    last: dice.small(),
                    holders: Holders::default(),
                    detached_s: dice.number(),
                    changed_s: dice.number(),
                })
            }),
            posix: self.surveyed(at, |dice| {
                dice.several(|dice| ShmFile {
                    path: dice.text(),
                    uid: dice.small(),
                    length: dice.number(),
                    allocated: dice.number(),
                    modified_s: dice.number() as i64,
                    held: Attachment::NobodySeen,
                })
            }),
            settings: self.surveyed(at, |dice| {
                let value = |dice: &mut Self| Setting { text: "60".into(), number: dice.option(Self::number) };
                SETTINGS.iter().map(|_| dice.reading(value)).collect()
            }),
            zones: self.surveyed(at, |dice| Zones {
                zones: (0..dice.below(3)).map(|_| dice.zone()).collect(),
                dirty_background: dice.option(Self::number),
                dirty: dice.option(Self::number),
            }),
            ..Survey::default()
        }
    }

    fn tree(&mut self, at: BootMs) -> CgroupTree {
        let mut nodes = Vec::new();
        for _ in 0..self.below(5) {
            let mut node = CgroupNode { at, ..CgroupNode::found(self.text()) };
            node.usage = self.reading(Self::number);
            node.limits.max = self.reading(|dice| dice.option(Self::number));
            node.limits.swap_max = self.reading(|dice| dice.option(Self::number));
            node.stat.page_tables = self.reading(Self::number);
            node.events.oom_kill = self.reading(Self::number);
            node.pressure = self.reading(|dice| Pressure { some: dice.stall(), full: dice.stall() });
            node.name = self.reading(Self::text);
            nodes.push(Arc::new(node));
        }
        let version = if self.is() { CgroupVersion::V1 } else { CgroupVersion::V2 };
        CgroupTree { version, nodes, left_out: self.small() }
    }

    fn zone(&mut self) -> Zone {
        Zone {
            node: self.small(),
            name: "Normal".into(),
            free: self.number(),
            min: self.number(),
            low: self.number(),
            high: self.number(),
            managed: self.number(),
        }
    }

    fn host(&mut self) -> Host {
        let users = (0..self.below(4)).map(|_| (self.small(), self.text())).collect();
        Host {
            name: self.text(),
            kernel: self.text(),
            distribution: self.text(),
            page_size: self.number(),
            clock_ticks: self.number(),
            cpus: self.small(),
            users,
            boot_id: self.text(),
        }
    }

    fn system(&mut self, at: BootMs) -> SystemSample {
        let mut meminfo = Meminfo::default();
        for name in Meminfo::LINES {
            *meminfo.line_mut(name.as_bytes()).unwrap() = self.reading(Self::number);
        }
        let mut vmstat = Vmstat::default();
        for name in Vmstat::LINES {
            *vmstat.line_mut(name.as_bytes()).unwrap() = self.reading(Self::number);
        }
        let count = self.below(3);
        let mut bound: Vec<_> = (0..count).map(|_| Arc::new(self.bound_group(at))).collect();
        bound.sort_by(|a, b| a.memory.cmp(&b.memory));
        SystemSample {
            meminfo,
            vmstat,
            pressure: self.reading(|dice| Pressure { some: dice.stall(), full: dice.stall() }),
            swaps: (0..self.below(3)).map(|_| self.swap()).collect(),
            zram: (0..self.below(3)).map(|_| self.zram()).collect(),
            zfs_arc: self.reading(Self::number),
            zfs_arc_min: self.reading(Self::number),
            balloon: self.reading(|dice| Balloon { bytes: dice.number(), is_in_total: dice.is() }),
            cgroup_limit: self.reading(|dice| dice.option(Self::cgroup_limit)),
            bound_groups: bound,
            // The tree is of the present alone and not recorded.
            cgroups: None,
            sysv_shm: self.reading(|dice| SysvShm {
                segments: dice.small(),
                bytes: dice.number(),
                unattached_segments: dice.small(),
                unattached_bytes: dice.number(),
            }),
            uptime_s: self.number(),
        }
    }

    fn stall(&mut self) -> Stall {
        let mut percent = || self.below(10_000) as f32 / 100.0;
        Stall { avg10: percent(), avg60: percent(), avg300: percent(), total_us: self.number() }
    }

    fn swap(&mut self) -> SwapDevice {
        SwapDevice {
            path: self.text(),
            kind: self.text(),
            size: self.number(),
            used: self.number(),
            priority: self.small() as i32,
        }
    }

    fn zram(&mut self) -> Zram {
        Zram { name: self.text(), original: self.number(), compressed: self.number(), used: self.number() }
    }

    fn cgroup_limit(&mut self) -> CgroupLimit {
        CgroupLimit {
            path: self.text(),
            limit: self.number(),
            usage: self.number(),
            inactive_file: self.number(),
            swap_limit: self.option(Self::number),
            swap_usage: self.option(Self::number),
            oom_kills: self.option(Self::number),
        }
    }

    fn bound_group(&mut self, at: BootMs) -> BoundGroup {
        BoundGroup { memory: self.text(), limit: self.cgroup_limit(), at }
    }

    fn processes(&mut self, before: Option<&Sample>, at: BootMs) -> Vec<Arc<ProcessSample>> {
        let mut processes = std::collections::BTreeMap::new();
        for process in before.iter().flat_map(|before| &before.processes) {
            let same = match self.below(4) {
                0 => continue,
                1 => Arc::clone(process),
                2 => Arc::new(self.process(process.key, Arc::clone(&process.identity), at)),
                _ => {
                    let identity = Arc::new(self.identity());
                    Arc::new(self.process(process.key, identity, at))
                }
            };
            processes.insert(process.key.pid, same);
        }
        for _ in 0..self.below(6) {
            let key = ProcessKey { pid: self.small(), start_time: self.number() };
            let identity = Arc::new(self.identity());
            processes.insert(key.pid, Arc::new(self.process(key, identity, at)));
        }
        processes.into_values().collect()
    }

    fn identity(&mut self) -> Identity {
        let version = if self.is() { CgroupVersion::V1 } else { CgroupVersion::V2 };
        Identity {
            comm: self.text(),
            command: self.text(),
            uid: self.small(),
            is_kernel_thread: self.is(),
            exe: self.text(),
            settings: self.text().into(),
            cgroup: Arc::new(Membership { memory: self.text(), managed: self.text(), version }),
        }
    }

    fn process(&mut self, key: ProcessKey, identity: Arc<Identity>, at: BootMs) -> ProcessSample {
        ProcessSample {
            key,
            identity,
            resident: self.reading(|dice| Resident {
                size: dice.number(),
                rss: dice.number(),
                shared: dice.number(),
                text: dice.number(),
            }),
            stat: self.stamped(at, |dice| Stat {
                state: dice.below(256) as u8,
                ppid: dice.small(),
                threads: dice.small(),
                major_faults: dice.number(),
                cpu_ticks: dice.number(),
            }),
            status: self.stamped(at, |dice| Status {
                rss_anon: dice.reading(Self::number),
                rss_file: dice.reading(Self::number),
                rss_shmem: dice.reading(Self::number),
                swap: dice.number(),
                peak_rss: dice.number(),
                page_tables: dice.number(),
                locked: dice.number(),
                hugetlb: dice.number(),
            }),
            rollup: self.stamped(at, |dice| Rollup {
                rss: dice.number(),
                pss: dice.number(),
                pss_parts: dice.option(|dice| [dice.number(), dice.number(), dice.number()]),
                uss: dice.number(),
                swap: dice.number(),
                swap_pss: dice.number(),
                anon_huge: dice.number(),
            }),
            fds: self.stamped(at, Self::small),
            fd_limit: self.stamped(at, Self::number),
            oom_score: self.stamped(at, Self::small),
        }
    }
}

/// A runner that takes so many cases.
pub fn cases(count: u32) -> TestRunner {
    TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(count) })
}
