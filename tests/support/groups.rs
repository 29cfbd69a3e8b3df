//! The control groups of the machine made of numbers.

use std::sync::Arc;

use memtide::model::cgroup::CgroupVersion;
use memtide::model::cgroup_tree::{CgroupEvents, CgroupLimits, CgroupNode, CgroupStat, CgroupTree};
use memtide::model::reading::{BootMs, Denial, Feature, Need, Reading};
use memtide::model::system::{Pressure, Stall};
use memtide::model::text::Text;

use super::machine::Crowd;

const MIB: u64 = 1 << 20;

/// The groups in a second of the machine's life; nobody has none.
pub fn tree(crowd: Crowd, second: u64, at: BootMs) -> Arc<CgroupTree> {
    let groups = match crowd {
        Crowd::Server | Crowd::Old | Crowd::Leaks | Crowd::Java => server(second, at),
        Crowd::Odd => odd(at),
        Crowd::Nobody => Vec::new(),
    };
    let mut nodes: Vec<Arc<CgroupNode>> = groups.into_iter().map(Arc::new).collect();
    nodes.sort_by(|a, b| a.path.cmp(&b.path));
    Arc::new(CgroupTree { version: CgroupVersion::V2, nodes, left_out: 0 })
}

/// A group with its usage in MiB and no limit.
fn group(path: impl AsRef<[u8]>, anon: u64, file: u64, at: BootMs) -> CgroupNode {
    let kernel = (anon + file) / 16;
    let (none, zero) = (Reading::Value(None), Reading::Value(0));
    CgroupNode {
        at,
        usage: Reading::Value(anon + file + kernel),
        swap: zero,
        peak: Reading::Value(anon + file + kernel + 3 * MIB),
        limits: CgroupLimits {
            max: none,
            high: none,
            low: Reading::Value(Some(0)),
            min: Reading::Value(Some(0)),
            swap_max: none,
        },
        stat: CgroupStat {
            anon: Reading::Value(anon),
            file: Reading::Value(file),
            shmem: Reading::Value(file / 8),
            inactive_file: Reading::Value(file / 2),
            kernel: Reading::Value(kernel),
            slab: Reading::Value(kernel / 2),
            sock: zero,
            page_tables: Reading::Value(kernel / 8),
        },
        events: CgroupEvents { low: zero, high: zero, max: zero, oom: zero, oom_kill: zero },
        pressure: Reading::Value(Pressure::default()),
        name: Reading::Unsupported(Need::NotApplicable),
        ..CgroupNode::found(Text::new(path.as_ref()))
    }
}

fn limited(mut node: CgroupNode, max: u64, high: Option<u64>, hits: u64) -> CgroupNode {
    node.limits.max = Reading::Value(Some(max));
    node.limits.high = Reading::Value(high);
    node.events.max = Reading::Value(hits);
    node
}

fn server(second: u64, at: BootMs) -> Vec<CgroupNode> {
    let leaked = second * MIB / 3;
    let mut root = group("/", 0, 0, at);
    let absent = Reading::Unsupported(Need::NotApplicable);
    (root.usage, root.swap, root.peak) = (absent, absent, absent);
    let no_limit = Reading::Unsupported(Need::NotApplicable);
    root.limits = CgroupLimits { max: no_limit, high: no_limit, low: no_limit, min: no_limit, swap_max: no_limit };
    root.events = CgroupEvents { low: absent, high: absent, max: absent, oom: absent, oom_kill: absent };
    root.pressure = Reading::Unsupported(Need::NotApplicable);
    (root.stat.anon, root.stat.file) = (Reading::Value(1300 * MIB + leaked), Reading::Value(190 * MIB));
    let mut app = group("/system.slice/app.service", 760 * MIB + leaked, 30 * MIB, at);
    app.swap = Reading::Value(120 * MIB);
    app.pressure = Reading::Value(Pressure {
        some: Stall { avg10: 12.5, avg60: 8.25, avg300: 2.0, total_us: 9_000_000 },
        full: Stall { avg10: 3.5, avg60: 1.0, avg300: 0.5, total_us: 1_000_000 },
    });
    app.events.high = Reading::Value(40 + second);
    let mut database = group(format!("/system.slice/docker-{}.scope", "3f2a9c01".repeat(8)), 100 * MIB, 84 * MIB, at);
    database.name = Reading::Value(Text::from("orders-db"));
    database.events.oom_kill = Reading::Value(2);
    database.events.oom = Reading::Value(3);
    vec![
        root,
        group("/init.scope", 4 * MIB, 2 * MIB, at),
        group("/system.slice", 900 * MIB + leaked, 130 * MIB, at),
        limited(app, 1024 * MIB, Some(900 * MIB), 0),
        limited(database, 200 * MIB, None, 1912),
        group("/system.slice/nginx.service", 13 * MIB, 8 * MIB, at),
        group("/system.slice/systemd-journald.service", 3 * MIB, 20 * MIB, at),
        group("/system.slice/dev-hugepages.mount", 0, 0, at),
        limited(group("/user.slice", 60 * MIB, 20 * MIB, at), 512 * MIB, None, 0),
        group("/user.slice/user-1000.slice", 2 * MIB, 5 * MIB, at),
        limited(group("/user.slice/user-1000.slice/session-4.scope", 2 * MIB, 5 * MIB, at), 600 * MIB, None, 0),
    ]
}

fn odd(at: BootMs) -> Vec<CgroupNode> {
    let mut refused = group("/refused", 0, 0, at);
    refused.usage = Reading::Denied(Denial::Root);
    let mut off = group("/off", 0, 0, at);
    off.usage = Reading::Unsupported(Need::Feature(Feature::MemoryController));
    let mut old = group("/read long ago", 5 * MIB, MIB, at);
    old.at = BootMs(at.0 - 90_000);
    let mut unnamed = group(format!("/docker-{}.scope", "0123456789abcdef".repeat(4)), 9 * MIB, 0, at);
    unnamed.name = Reading::Denied(Denial::Root);
    vec![
        group("/", 30 * MIB, MIB, at),
        group(&b"/evil\x1b[2J\x1b]0;owned\x07\nsecond line"[..], 20 * MIB, MIB, at),
        group("/数据库服务.service", 18 * MIB, 0, at),
        group("/rtl \u{202e}gpj.exe", 17 * MIB, 0, at),
        limited(group("/huge", u64::MAX / 64, u64::MAX / 64, at), u64::MAX / 8, None, u64::MAX),
        CgroupNode::found("/not read yet".into()),
        refused,
        off,
        old,
        unnamed,
        group(format!("/{}", "long".repeat(60)), 3 * MIB, 0, at),
    ]
}
