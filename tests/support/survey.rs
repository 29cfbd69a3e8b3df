//! Surveys made of numbers, for the machine of [`super::machine`]: a usual one, one that an unprivileged user makes, and
//! one of an old kernel.

use std::sync::Arc;

use memtide::model::closer::Closer;
use memtide::model::reading::{BootMs, Denial, Feature, Need, Reading};
use memtide::model::survey::{
    Attachment, Extent, Holders, Loose, LooseKind, SETTINGS, Segment, Setting, ShmFile, SlabCache, Survey, Surveyed,
    Tmpfs, TmpfsUse, Zone, Zones,
};

use super::machine::BOOT_MS;

const MIB: u64 = 1 << 20;

/// Read two seconds before the 150th second.
const AT: BootMs = BootMs(BOOT_MS + 147_000);

/// The samples' time of day then, seconds since the epoch.
const WALL_S: i64 = 1_785_000_147;

fn surveyed<T: Clone>(values: &[T]) -> Surveyed<Arc<[T]>> {
    Surveyed { reading: Reading::Value(values.into()), at: AT, cost_us: 1500, left_out: 0 }
}

fn held(pids: &[u32]) -> Holders {
    let mut holders = Holders::default();
    for pid in pids {
        holders.add(*pid);
    }
    holders
}

/// What root sees: a leaked segment, a file of nobody, a deleted one.
pub fn typical() -> Survey {
    let cache = |name: &str, kib: u64, active: u64, objects: u64, object_size: u64, is_reclaimable: bool| SlabCache {
        name: name.into(),
        active,
        objects,
        object_size,
        bytes: kib << 10,
        is_reclaimable: Some(is_reclaimable),
    };
    let mut caches = vec![
        cache("dentry", 15_360, 70_000, 81_900, 192, true),
        cache("kmalloc-512", 12_288, 24_000, 24_576, 512, false),
        cache("inode_cache", 8192, 12_000, 13_000, 624, true),
        cache("radix_tree_node", 6144, 9000, 10_700, 576, true),
        cache("task_struct", 4096, 800, 840, 4864, false),
    ];
    caches.extend((0..40).map(|nth| cache(&format!("kmalloc-cg-{nth}"), 256 - 4 * nth, 100, 100, 1024, false)));
    let mount = |path: &str, used: u64, size: u64, inodes: u64| Tmpfs {
        path: path.into(),
        kind: "tmpfs".into(),
        device: used,
        usage: Reading::Value(TmpfsUse { used, size, inodes }),
    };
    let covered = Tmpfs {
        path: "/mnt/below".into(),
        kind: "ramfs".into(),
        device: 9,
        usage: Reading::Unsupported(Need::Feature(Feature::Covered)),
    };
    let mounts = [
        mount("/dev/shm", 9 * MIB, 978 * MIB, 12),
        mount("/run", 3 * MIB, 3 * MIB + MIB / 10, 910),
        mount("/run/user/1000", 16 << 10, 195 * MIB, 31),
        covered,
    ];
    let segment = |id: u32, mib: u64, attached: u64, is_creator_alive: Option<bool>, holders: &[u32]| Segment {
        key: 0x5154_0000 + id,
        id,
        uid: 70,
        mode: 0o600,
        size: mib * MIB,
        rss: Reading::Value(mib * MIB / 2),
        swap: Reading::Value(0),
        attached,
        creator: 1310,
        is_creator_alive,
        last: 1310,
        holders: held(holders),
        detached_s: if attached == 0 { WALL_S.cast_unsigned() - 3 * 3600 } else { 0 },
        changed_s: 1_784_000_000,
    };
    let segments =
        [segment(4, 8, 0, Some(false), &[]), segment(2, 4, 6, Some(true), &[1310]), segment(7, 1, 0, None, &[])];
    let file = |path: &str, mib: u64, held: Attachment| ShmFile {
        path: path.into(),
        uid: 1000,
        length: mib * MIB,
        allocated: mib * MIB,
        modified_s: WALL_S - 500,
        held,
    };
    let files = [
        file("/dev/shm/pool.\u{1b}[2J", 5, Attachment::Nobody),
        file("/dev/shm/PostgreSQL.1804289383", 4, Attachment::Held(held(&[1310, 1190, 1191, 1192, 1193]))),
    ];
    let loose = |path: &str, kind, mib: u64, is_extent, pids: &[u32]| Loose {
        path: path.into(),
        kind,
        bytes: mib * MIB,
        is_extent,
        is_of_mount: kind == LooseKind::Deleted,
        holders: held(pids),
    };
    let loose = [
        loose("/run/app/upload-4711.tmp", LooseKind::Deleted, 6, false, &[1234]),
        loose("pulseaudio", LooseKind::Memfd, 2, false, &[2040, 2077]),
        loose("anonymous", LooseKind::Anonymous, 1, true, &[1180]),
    ];
    Survey {
        slab: surveyed(&caches),
        tmpfs: surveyed(&mounts),
        segments: surveyed(&segments),
        posix: surveyed(&files),
        loose: surveyed(&loose),
        extent: Extent { processes: 13, seen: 13, ..Extent::default() },
        settings: surveyed(&settings(|_| true)),
        zones: Surveyed { reading: Reading::Value(zones()), at: AT, cost_us: 400, left_out: 0 },
    }
}

/// What an unprivileged user sees: slab is root's, descriptors of others are theirs.
pub fn denied() -> Survey {
    let typical = typical();
    let ours: Vec<Loose> = typical.loose.value().unwrap()[1..2].to_vec();
    let files: Vec<ShmFile> = typical.posix.value().unwrap().iter().cloned().map(not_seen).collect();
    Survey {
        slab: Surveyed { reading: Reading::Denied(Denial::Root), ..Surveyed::pending() },
        loose: surveyed(&ours),
        posix: surveyed(&files),
        extent: Extent { processes: 13, seen: 2, denied: 11, ..Extent::default() },
        settings: surveyed(&settings(|key| !key.starts_with("vm.panic"))),
        ..typical
    }
}

fn not_seen(file: ShmFile) -> ShmFile {
    ShmFile { held: Attachment::NobodySeen, ..file }
}

/// A kernel without what came later.
pub fn old() -> Survey {
    let typical = typical();
    let segments: Vec<Segment> = typical.segments.value().unwrap().to_vec();
    let unknown = Reading::Unsupported(Need::Feature(Feature::Line));
    let segments: Vec<Segment> =
        segments.into_iter().map(|segment| Segment { rss: unknown, swap: unknown, ..segment }).collect();
    let mut zones = zones();
    (zones.dirty, zones.dirty_background) = (None, None);
    Survey {
        slab: Surveyed { reading: Reading::Unsupported(Need::Feature(Feature::SlabInfo)), ..Surveyed::pending() },
        segments: surveyed(&segments),
        settings: surveyed(&settings(|key| !key.contains("watermark") && key != "zswap")),
        zones: Surveyed { reading: Reading::Value(zones), at: AT, cost_us: 400, left_out: 0 },
        ..typical
    }
}

fn settings(is_there: impl Fn(&str) -> bool) -> Vec<Reading<Setting>> {
    let value = |key: &str| match key {
        "vm.swappiness" => "60",
        "vm.page-cluster" => "3",
        "vm.overcommit_ratio" => "50",
        "vm.min_free_kbytes" => "45056",
        "vm.watermark_scale_factor" | "vm.dirty_background_ratio" => "10",
        "vm.watermark_boost_factor" => "15000",
        "vm.vfs_cache_pressure" => "100",
        "vm.dirty_ratio" => "20",
        "vm.max_map_count" => "65530",
        "kernel.shmmax" | "kernel.shmall" => "18446744073692774399",
        "transparent_hugepage" => "madvise",
        "zswap" => "N",
        _ => "0",
    };
    let setting = |key: &str| Setting { text: value(key).into(), number: value(key).parse().ok() };
    SETTINGS
        .iter()
        .map(|spec| match (is_there(spec.key), spec.key) {
            (true, key) => Reading::Value(setting(key)),
            (false, "vm.panic_on_oom") => Reading::Denied(Denial::Root),
            (false, _) => Reading::Unsupported(Need::Feature(Feature::Line)),
        })
        .collect()
}

fn zones() -> Zones {
    let zone = |name: &str, free: u64, min: u64, size: u64| Zone {
        node: 0,
        name: name.into(),
        free: free * MIB,
        min: min * MIB,
        low: min * MIB * 5 / 4,
        high: min * MIB * 3 / 2,
        managed: size * MIB,
    };
    Zones {
        zones: vec![zone("DMA", 11, 1, 15), zone("DMA32", 39, 36, 1900), zone("Normal", 6, 7, 41)],
        dirty_background: Some(21 * MIB),
        dirty: Some(42 * MIB),
    }
}

/// A closer look as it is recorded: the usual survey, and the control groups of the machine in that second.
pub fn closer(second: u64) -> Closer {
    let sample = super::machine::sample(super::machine::Crowd::Server, second);
    let mut survey = typical();
    survey.slab.at = sample.at;
    survey.tmpfs.at = sample.at;
    survey.segments.at = sample.at;
    survey.posix.at = sample.at;
    survey.settings.at = sample.at;
    survey.zones.at = sample.at;
    Closer::of(survey, sample.system.cgroups.as_deref().unwrap())
}
