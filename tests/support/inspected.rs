//! Processes of the made machine looked at whole: the application that leaks, and looks as odd as the kernel allows.

use memtide::model::cgroup::CgroupLimit;
use memtide::model::inspect::descriptor::{
    Access, Deleted, Descriptor, DescriptorKind, Descriptors, KindCount, Target,
};
use memtide::model::inspect::fdinfo::FdInfo;
use memtide::model::inspect::mapping::{MappingGroup, MappingKind, Mappings};
use memtide::model::inspect::memory::Memory;
use memtide::model::inspect::overview::{FdLimit, Overview, Totals};
use memtide::model::inspect::socket::{Endpoint, Protocol, Socket, SocketState};
use memtide::model::inspect::space::{Region, Space};
use memtide::model::inspect::thread::{Stack, Thread, Threads};
use memtide::model::inspect::{Coverage, Inspection, Part};
use memtide::model::process::ProcessSample;
use memtide::model::reading::{Denial, Need, Reading};
use memtide::model::runtime::{Clues, JvmCounters, Settings};
use memtide::model::sample::Sample;
use memtide::model::text::Text;
use memtide::session::inspect::InspectWish;

use super::machine::JAVA;

const MIB: u64 = 1 << 20;

/// The process of another user.
const DENIED: u32 = 1405;
/// kswapd0.
const KERNEL_THREAD: u32 = 38;
/// The process whose names a terminal would obey.
const HOSTILE: u32 = 1403;
/// The process that is larger than any machine.
const HUGE: u32 = 4_194_303;

/// A look at a process in a second of the machine's life; `None` where it has ended.
pub fn inspection(sample: &Sample, second: u64, wish: &InspectWish) -> Option<Inspection> {
    let process = &sample.processes[sample.index_of(wish.key)?];
    let pid = process.key.pid;
    let asked = |part| wish.parts.contains(part);
    Some(Inspection {
        key: wish.key,
        at: sample.at,
        wall_ms: sample.wall_ms,
        took_us: 1_800,
        overview: overview(process, sample),
        mappings: part(pid, asked(Part::Mappings), || match pid {
            HOSTILE => hostile_mappings(),
            HUGE => huge_mappings(),
            _ => mappings(second),
        }),
        descriptors: part(pid, asked(Part::Descriptors), || match pid {
            HOSTILE => hostile_descriptors(),
            HUGE => huge_descriptors(),
            _ => descriptors(second),
        }),
        threads: part(pid, asked(Part::Threads), || match pid {
            HOSTILE => threads(0, 1, b"evil\x1b[2J\n"),
            HUGE => threads(second, 4096, b"worker"),
            _ => threads(second, 11, b"libuv-worker"),
        }),
        runtime: part(pid, asked(Part::Runtime), || if pid == JAVA { java_clues() } else { clues() }),
    })
}

/// What a Node.js was told of its heap.
fn clues() -> Clues {
    Clues {
        machine: 2048 * MIB,
        exe: Reading::Value("/usr/bin/node".into()),
        settings: Reading::Value(Settings::new(&b"NODE_OPTIONS=--max-old-space-size=384\0"[..])),
        libraries: Reading::Value(Vec::new()),
        shared: None,
        go: None,
        release: Some("v20.11.1".into()),
        config: None,
        jvm: None,
    }
}

fn java_clues() -> Clues {
    let counters = JvmCounters {
        version: Some("17.0.15".into()),
        collectors: vec!["Copy".into(), "MSC".into()],
        used: 231 * MIB,
        capacity: 247 * MIB,
        most: 247 * MIB,
        metaspace: 38 * MIB,
    };
    Clues {
        exe: Reading::Value("/usr/lib/jvm/java-17-openjdk-amd64/bin/java".into()),
        settings: Reading::Value(Settings::new(&b"JAVA_TOOL_OPTIONS=-Xmx512m -XX:MaxMetaspaceSize=96m\0"[..])),
        libraries: Reading::Value(vec!["/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so".into()]),
        release: Some("17.0.15".into()),
        jvm: Some(Reading::Value(counters)),
        ..clues()
    }
}

fn part<T>(pid: u32, is_asked: bool, read: impl FnOnce() -> T) -> Reading<T> {
    match (is_asked, pid) {
        (false, _) => Reading::Pending,
        (true, DENIED) => Reading::Denied(Denial::Ptrace),
        (true, KERNEL_THREAD) => Reading::Unsupported(Need::NotApplicable),
        (true, _) => Reading::Value(read()),
    }
}

fn overview(process: &ProcessSample, sample: &Sample) -> Overview {
    let is_denied = process.key.pid == DENIED;
    let limit = CgroupLimit {
        path: "/system.slice".into(),
        limit: 1536 * MIB,
        usage: 1120 * MIB,
        inactive_file: 40 * MIB,
        swap_limit: Some(256 * MIB),
        swap_usage: Some(120 * MIB),
        oom_kills: Some(1),
    };
    let is_app = process.key.pid == 1234;
    Overview {
        process: process.clone(),
        user: sample.host.user(process.identity.uid).as_ref().into(),
        age_ms: sample.at.0.saturating_sub(process.key.start_time * 10),
        program: if is_denied { Reading::Denied(Denial::Ptrace) } else { Reading::Value("/usr/bin/node".into()) },
        totals: Reading::Value(Totals { size: 3200 * MIB, peak_size: 3300 * MIB, pinned: 0, data: 900 * MIB }),
        limit: Reading::Value(is_app.then_some(limit)),
        fd_limit: Reading::Value(FdLimit { soft: 1024, hard: 524_288 }),
        oom_score_adj: Reading::Value(0),
    }
}

fn group(kind: MappingKind, name: &[u8], count: u32, memory: Memory) -> MappingGroup {
    MappingGroup { kind, name: Text::new(name), is_deleted: false, count, unread: 0, memory }
}

/// Memory that nobody else has.
fn private(size: u64, rss: u64, swap: u64) -> Memory {
    Memory { size, rss, pss: rss, uss: rss, swap, swap_pss: swap, dirty: rss, anon: rss, ..Memory::default() }
}

/// A file that four processes have mapped.
fn shared(size: u64, rss: u64) -> Memory {
    Memory { size, rss, pss: rss / 4, ..Memory::default() }
}

fn whole(groups: Vec<MappingGroup>, regions: &[(u64, u64, MappingKind)]) -> Mappings {
    let count = groups.iter().map(|group| u64::from(group.count)).sum();
    let total = Memory::sum(groups.iter().map(|group| &group.memory));
    let mut space = Space::default();
    for (start, bytes, kind) in regions {
        space.push(Region { start: *start, end: start + bytes, kind: *kind, bytes: *bytes });
    }
    let coverage = Coverage { read: count, of: count };
    Mappings { groups, read: total, coverage, total, largest: Vec::new(), space: space.finished() }
}

/// The application: its V8 heap takes a third of a MiB a second.
fn mappings(second: u64) -> Mappings {
    let leaked = second * MIB / 3;
    let heap = private(900 * MIB, 560 * MIB + leaked, 90 * MIB);
    let groups = vec![
        group(MappingKind::V8Heap, b"", 1204, heap),
        group(MappingKind::Anonymous, b"", 96, private(400 * MIB, 98 * MIB, 24 * MIB)),
        group(MappingKind::Heap, b"", 1, private(40 * MIB, 34 * MIB, 6 * MIB)),
        group(MappingKind::File, b"/usr/bin/node", 5, shared(90 * MIB, 36 * MIB)),
        group(MappingKind::ThreadStack, b"", 10, private(80 * MIB, MIB / 2, 0)),
        group(MappingKind::File, b"/usr/lib/x86_64-linux-gnu/libc.so.6", 5, shared(2 * MIB, MIB)),
        group(MappingKind::File, "/srv/app/数据库/addon.node".as_bytes(), 4, shared(MIB, MIB / 4)),
        group(MappingKind::Stack, b"", 1, private(MIB / 8, MIB / 16, 0)),
        group(MappingKind::Reserved, b"", 12, Memory { size: 1024 * MIB, ..Memory::default() }),
        group(MappingKind::Kernel, b"[vdso]", 1, Memory { size: 8192, ..Memory::default() }),
    ];
    let regions = [
        (0x40_0000, 36 * MIB, MappingKind::File),
        (0x3a1_0000_0000, 560 * MIB + leaked, MappingKind::V8Heap),
        (0x5570_1000_0000, 34 * MIB, MappingKind::Heap),
        (0x7f10_0000_0000, 98 * MIB, MappingKind::Anonymous),
        (0x7f20_0000_0000, MIB, MappingKind::File),
        (0x7f30_0000_0000, MIB / 2, MappingKind::ThreadStack),
    ];
    whole(groups, &regions)
}

fn hostile_mappings() -> Mappings {
    let deleted = MappingGroup {
        is_deleted: true,
        ..group(MappingKind::File, b"/tmp/\x1b]0;owned\x07\x1b[2J", 1, shared(MIB, MIB))
    };
    let groups = vec![
        deleted,
        group(MappingKind::NamedAnonymous, "rtl \u{202e}gpj.exe\u{202c}".as_bytes(), 1, private(MIB, MIB, 0)),
        group(MappingKind::Memfd, b"a\nb\r\t\xff", 1, private(MIB, MIB / 2, 0)),
        group(MappingKind::Sysv, b"-1", 1, private(MIB, 4096, 0)),
    ];
    whole(groups, &[(0x1000, MIB, MappingKind::File), (u64::MAX - 2 * MIB, MIB, MappingKind::NamedAnonymous)])
}

/// So many mappings that not all could be read.
fn huge_mappings() -> Mappings {
    let file = |nth: u32| {
        let name = format!("/data/segments/{nth:08}.sst");
        group(MappingKind::File, name.as_bytes(), 1, shared(64 * MIB, MIB * u64::from(nth % 60 + 1)))
    };
    let mut groups: Vec<MappingGroup> = (0..3000).map(file).collect();
    let most = private(u64::MAX / 2, u64::MAX / 4, u64::MAX / 8);
    groups.push(MappingGroup { unread: 40_000, ..group(MappingKind::Anonymous, b"", 57_000, most) });
    let mut mappings = whole(groups, &[(0x10_0000, 1 << 60, MappingKind::Anonymous)]);
    mappings.coverage = Coverage { read: 20_000, of: 60_000 };
    mappings
}

fn target(kind: DescriptorKind, name: &[u8], numbers: (u32, u32), count: u32) -> Target {
    Target {
        kind,
        name: Text::new(name),
        is_deleted: false,
        socket: None,
        count,
        lowest: numbers.0,
        highest: numbers.1,
        blocks: 0,
        info: None,
    }
}

fn tcp(local: &str, peer: &str, state: SocketState) -> Socket {
    let inet = |text: &str| Endpoint::Inet(text.parse().unwrap());
    Socket { protocol: Protocol::Tcp, state, local: inet(local), peer: inet(peer) }
}

fn told(targets: Vec<Target>, newest: Vec<Descriptor>, read: Coverage, deleted: Deleted) -> Descriptors {
    let mut kinds: Vec<KindCount> = Vec::new();
    for target in &targets {
        match kinds.iter_mut().find(|known| known.kind == target.kind) {
            Some(known) => known.count += target.count,
            None => kinds.push(KindCount { kind: target.kind, count: target.count }),
        }
    }
    kinds.sort_by_key(|known| std::cmp::Reverse(known.count));
    Descriptors { coverage: read, kinds, targets, untold: 0, newest, deleted }
}

/// The application: its log is opened once a second and never closed.
fn descriptors(second: u64) -> Descriptors {
    let logs = 640 + second as u32;
    let last = 59 + logs;
    let socket = |socket: Socket, numbers, count| Target {
        socket: Some(socket),
        ..target(DescriptorKind::Socket, b"", numbers, count)
    };
    let served = tcp("10.0.0.5:3000", "10.0.0.9:40112", SocketState::CloseWait).common(true);
    let made = tcp("10.0.0.5:51004", "10.0.0.7:5432", SocketState::Established).common(false);
    let listens = tcp("0.0.0.0:3000", "0.0.0.0:0", SocketState::Listen).common(true);
    let targets = vec![
        target(DescriptorKind::File, b"/srv/app/log/app.log", (60, last), logs),
        socket(served, (24, 57), 34),
        socket(made, (20, 23), 4),
        Target {
            info: Some(FdInfo { held: Some(37), ..FdInfo::default() }),
            ..target(DescriptorKind::Epoll, b"", (3, 10), 2)
        },
        target(DescriptorKind::Pipe, b"", (4, 9), 6),
        socket(listens, (19, 19), 1),
        target(DescriptorKind::Device, b"/dev/null", (0, 2), 3),
        target(DescriptorKind::File, b"/srv/app/public/index.html", (58, 58), 1),
        Target {
            is_deleted: true,
            blocks: 12 * MIB,
            ..target(DescriptorKind::File, b"/srv/app/log/app.log.1", (59, 59), 1)
        },
    ];
    let newest = (0..16.min(logs)).map(|nth| Descriptor {
        fd: last - nth,
        kind: DescriptorKind::File,
        name: "/srv/app/log/app.log".into(),
        is_deleted: false,
        socket: None,
        access: Access::Write,
        info: Some(FdInfo { offset: 12 * MIB, flags: 0o102_001, ..FdInfo::default() }),
    });
    let count = targets.iter().map(|target| u64::from(target.count)).sum();
    told(targets, newest.collect(), Coverage { read: count, of: count }, Deleted { files: 1, disk: 12 * MIB, ram: 0 })
}

fn hostile_descriptors() -> Descriptors {
    let unix = Socket {
        protocol: Protocol::Unix,
        state: SocketState::Listen,
        local: Endpoint::Path(Text::new(&b"/run/\x1b[31m\n.sock"[..])),
        peer: Endpoint::None,
    };
    let targets = vec![
        target(DescriptorKind::File, b"/tmp/\x1b]0;owned\x07 evil\x1b[2J\n", (0, 2), 3),
        Target { socket: Some(unix), ..target(DescriptorKind::Socket, b"", (3, 3), 1) },
        target(DescriptorKind::Directory, "/home/数据库管理员组/e\u{301}".as_bytes(), (4, 4), 1),
        target(DescriptorKind::Other, b"[\xff\xfe]", (5, u32::MAX), 1),
    ];
    told(targets, Vec::new(), Coverage { read: 6, of: 6 }, Deleted::default())
}

/// So many that only a sample could be read.
fn huge_descriptors() -> Descriptors {
    let file = |nth: u32| {
        let name = format!("/data/segments/{:02}/{nth:08}.sst", nth % 20);
        target(DescriptorKind::File, name.as_bytes(), (nth, nth), 1)
    };
    let targets = (0..Descriptors::TARGETS as u32).map(file).collect();
    let mut descriptors = told(targets, Vec::new(), Coverage { read: 25_000, of: 100_000 }, Deleted::default());
    descriptors.untold = 22_952;
    descriptors
}

fn threads(second: u64, count: u32, name: &[u8]) -> Threads {
    let thread = |nth: u32| Thread {
        tid: 1234 + nth,
        comm: if nth == 0 { "node".into() } else { Text::new(name) },
        state: if nth == 3 { b'R' } else { b'S' },
        cpu_ms: u64::from(nth % 7) * 3_100 + if nth == 0 { 90_000 + second * 200 } else { 0 },
        stack: if nth == 3 {
            Reading::Pending
        } else {
            Reading::Value(Stack { size: 8 * MIB, rss: (u64::from(nth) + 4) << 12, swap: 0 })
        },
    };
    let coverage = Coverage { read: u64::from(count), of: u64::from(count) };
    Threads { coverage, threads: (0..count).map(thread).collect() }
}
