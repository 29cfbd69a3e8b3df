//! A machine made of numbers: samples of the 2 GB server that leaks, second by second, and of processes as odd as the
//! kernel allows. Nothing in it depends on where or when it runs.

use std::sync::Arc;

use memtide::model::cgroup::{CgroupVersion, Membership};
use memtide::model::key::ProcessKey;
use memtide::model::process::{Identity, ProcessSample, Resident, Rollup, Stat, Status};
use memtide::model::reading::{BootMs, Denial, Reading, Stamped};
use memtide::model::sample::{Host, Sample, Scan};
use memtide::model::system::{Pressure, Stall, SystemSample};
use memtide::model::text::Text;

const MIB: u64 = 1 << 20;

/// Who runs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// nginx, a Node application that leaks, a database in a container, a shell, kernel threads.
    Server,
    /// The same with more that grows: a service whose workers grow in turn, files in a tmpfs, a cache that fills, a job
    /// that began late.
    Leaks,
    /// Names that a terminal would obey or that are hard to align, readings that are refused, old or not there,
    /// numbers beyond any machine.
    Odd,
    /// The server on Linux 3.10, whose `/proc/meminfo` has fewer lines.
    Old,
    /// A Java service beside the server's processes.
    Java,
    /// Nobody.
    Nobody,
}

/// The Java service.
pub const JAVA: u32 = 1500;

/// Milliseconds since boot when the first sample is taken.
pub const BOOT_MS: u64 = 11_520_000;

/// The same without what is of the present alone and not recorded.
pub fn recorded(crowd: Crowd, second: u64) -> Sample {
    let mut sample = sample(crowd, second);
    sample.system.cgroups = None;
    sample
}

/// The machine in a second of its life.
pub fn sample(crowd: Crowd, second: u64) -> Sample {
    let at = BootMs(BOOT_MS + second * 1000);
    let mut processes = match crowd {
        Crowd::Server | Crowd::Old => server(second, at),
        Crowd::Leaks => [server(second, at), leaks(second, at)].concat(),
        Crowd::Java => [server(second, at), vec![java(at)]].concat(),
        Crowd::Odd => odd(at),
        Crowd::Nobody => Vec::new(),
    };
    processes.sort_by_key(|process| process.key.pid);
    let users = [(0, "root"), (33, "www-data"), (70, "postgres"), (1000, "app"), (1001, "数据库管理员组")];
    Sample {
        wall_ms: 1_785_000_000_000 + second as i64 * 1000,
        at,
        closer: None,
        deeds: Vec::new(),
        interval_ms: 1000,
        host: Arc::new(Host {
            name: "web-1".into(),
            kernel: "6.1.0-18-amd64".into(),
            distribution: "Debian GNU/Linux 12".into(),
            page_size: 4096,
            clock_ticks: 100,
            cpus: 2,
            boot_id: "0c0ffee0-0000-4000-8000-000000000001".into(),
            users: users.map(|(uid, name)| (uid, Text::from(name))).into(),
        }),
        system: system(crowd, second, at),
        scan: Scan {
            cost_us: 900,
            denied: processes.iter().filter(|process| process.is_denied()).count() as u32,
            pending: processes.iter().filter(|process| process.rollup.reading == Reading::Pending).count() as u32,
            ..Scan::default()
        },
        processes: processes.into_iter().map(Arc::new).collect(),
    }
}

fn system(crowd: Crowd, second: u64, at: BootMs) -> SystemSample {
    let mut system = SystemSample { uptime_s: at.0 / 1000, ..SystemSample::default() };
    // The leak takes what is available, a third of a MiB a second.
    let leaked = second * MIB / 3;
    let files = if crowd == Crowd::Leaks { second * MIB / 8 } else { 0 };
    for (name, bytes) in [
        ("MemTotal", 1956 * MIB),
        ("MemFree", 190 * MIB - leaked.min(100 * MIB)),
        ("MemAvailable", 272 * MIB - leaked.min(200 * MIB)),
        ("Buffers", 4 * MIB),
        ("Cached", 190 * MIB + files),
        ("Shmem", 26 * MIB + files),
        ("AnonPages", 1344 * MIB + leaked),
        ("Slab", 61 * MIB),
        ("SReclaimable", 25 * MIB),
        ("SUnreclaim", 36 * MIB),
        ("PageTables", 18 * MIB),
        ("KernelStack", 12 * MIB),
        ("Percpu", 8 * MIB),
        ("Dirty", MIB),
        ("Writeback", 0),
        ("SwapTotal", 512 * MIB),
        ("SwapFree", 212 * MIB),
    ] {
        *system.meminfo.line_mut(name.as_bytes()).unwrap() = Reading::Value(bytes);
    }
    if crowd == Crowd::Old {
        for name in ["MemAvailable", "Percpu"] {
            *system.meminfo.line_mut(name.as_bytes()).unwrap() = Reading::default();
        }
        *system.meminfo.line_mut(b"VmallocUsed").unwrap() = Reading::Value(153 * MIB);
        system.cgroup_limit = Reading::Value(None);
        return system;
    }
    for (name, count) in [("pswpin", 40_000), ("pswpout", 90_000 + second * 3), ("oom_kill", 2)] {
        *system.vmstat.line_mut(name.as_bytes()).unwrap() = Reading::Value(count);
    }
    system.pressure = Reading::Value(Pressure {
        some: Stall { avg10: 4.1, ..Stall::default() },
        full: Stall { avg10: 1.25, ..Stall::default() },
    });
    system.cgroup_limit = Reading::Value(None);
    system.cgroups = Some(super::groups::tree(crowd, second, at));
    system
}

/// A process that sleeps, with its memory in MiB: RSS, PSS, USS.
struct Make {
    process: ProcessSample,
    at: BootMs,
}

fn make(pid: u32, uid: u32, comm: &str, command: &[u8], cgroup: &str, at: BootMs) -> Make {
    let membership = Membership { memory: cgroup.into(), managed: cgroup.into(), version: CgroupVersion::V2 };
    let identity = Identity {
        comm: comm.into(),
        command: Text::new(command),
        uid,
        is_kernel_thread: command.is_empty() && pid < 100,
        cgroup: Arc::new(membership),
        ..Identity::default()
    };
    let mut process = ProcessSample::found(ProcessKey { pid, start_time: u64::from(pid) * 97 }, Arc::new(identity));
    let stat = Stat { state: b'S', ppid: 1, threads: 1, ..Stat::default() };
    process.stat = Stamped::new(Reading::Value(stat), at);
    let none = Reading::Value(0);
    let status = Status {
        rss_anon: none,
        rss_file: none,
        rss_shmem: none,
        swap: 0,
        peak_rss: 0,
        page_tables: 96 << 10,
        locked: 0,
        hugetlb: 0,
    };
    process.status = Stamped::new(Reading::Value(status), at);
    process.fds = Stamped::new(Reading::Value(3), at);
    process.fd_limit = Stamped::new(Reading::Value(1024), at);
    process.oom_score = Stamped::new(Reading::Value(666), at);
    Make { process, at }
}

impl Make {
    fn memory(mut self, rss: u64, pss: u64, uss: u64) -> Self {
        self.process.resident = Reading::Value(Resident { size: rss * 4, rss, shared: rss - uss.min(rss), text: 4096 });
        let rollup = Rollup { rss, pss, uss, pss_parts: Some([uss, pss - uss.min(pss), 0]), ..Rollup::default() };
        self.process.rollup = Stamped::new(Reading::Value(rollup), self.at);
        let peak_rss = rss.saturating_add(rss / 16);
        self.process.status.reading = self.process.status.reading.map(|status| Status { peak_rss, ..status });
        self
    }

    fn child_of(mut self, parent: u32) -> Self {
        self.process.stat.reading = self.process.stat.reading.map(|stat| Stat { ppid: parent, ..stat });
        self
    }

    fn swap(mut self, bytes: u64) -> Self {
        self.process.status.reading = self.process.status.reading.map(|status| Status { swap: bytes, ..status });
        self
    }

    fn fds(mut self, count: u32) -> Self {
        self.process.fds = Stamped::new(Reading::Value(count), self.at);
        self
    }

    fn change(mut self, change: impl FnOnce(&mut ProcessSample)) -> ProcessSample {
        change(&mut self.process);
        self.process
    }

    fn done(self) -> ProcessSample {
        self.process
    }
}

fn java(at: BootMs) -> ProcessSample {
    let command = b"java -Xmx256m -XX:+UseSerialGC -jar /srv/shop/shop.jar";
    make(JAVA, 1000, "java", command, "/system.slice/shop.service", at)
        .memory(310 * MIB, 300 * MIB, 296 * MIB)
        .fds(88)
        .change(|process| {
            process.status.reading = process.status.reading.map(|status| {
                let (anon, file) = (Reading::Value(284 * MIB), Reading::Value(26 * MIB));
                Status { rss_anon: anon, rss_file: file, ..status }
            });
        })
}

fn server(second: u64, at: BootMs) -> Vec<ProcessSample> {
    let app = "/system.slice/app.service";
    let web = "/system.slice/nginx.service";
    let shell = "/user.slice/user-1000.slice/session-4.scope";
    let database = format!("/system.slice/docker-{}.scope", "3f2a9c01".repeat(8));
    let leaked = second * MIB / 3;
    let mut all = vec![
        make(1, 0, "systemd", b"/sbin/init", "/init.scope", at).memory(11 * MIB, 6 * MIB, 4 * MIB).child_of(0).done(),
        make(2, 0, "kthreadd", b"", "/", at).child_of(0).done(),
        make(38, 0, "kswapd0", b"", "/", at).child_of(2).done(),
        make(412, 0, "systemd-journal", b"/lib/systemd/systemd-journald", "/system.slice/systemd-journald.service", at)
            .memory(22 * MIB, 9 * MIB, 3 * MIB)
            .fds(57)
            .done(),
        make(1180, 0, "nginx", b"nginx: master process /usr/sbin/nginx -g daemon on; master_process on;", web, at)
            .memory(9 * MIB, 3 * MIB, MIB)
            .fds(11)
            .done(),
        make(1234, 1000, "node", b"/usr/bin/node /srv/app/app.js --port 3000", app, at)
            .memory(740 * MIB + leaked, 712 * MIB + leaked, 700 * MIB + leaked)
            .swap(120 * MIB)
            .fds(700 + second as u32)
            .change(|process| {
                process.stat.reading = process.stat.reading.map(|stat| Stat { threads: 11, major_faults: 912, ..stat });
            }),
        make(1310, 70, "postgres", b"postgres: checkpointer ", &database, at)
            .memory(140 * MIB, 60 * MIB, 12 * MIB)
            .swap(18 * MIB)
            .fds(21)
            .done(),
        make(2040, 1000, "bash", b"-bash", shell, at).memory(5 * MIB, 2 * MIB, MIB).swap(MIB).fds(4).done(),
        make(2077, 1000, "less", b"less /var/log/app.log", shell, at)
            .memory(3 * MIB, MIB, MIB / 2)
            .child_of(2040)
            .done(),
    ];
    for worker in 0..4 {
        let made = make(1190 + worker, 33, "nginx", b"nginx: worker process", web, at);
        all.push(made.memory(22 * MIB, 8 * MIB, 3 * MIB).child_of(1180).fds(41).done());
    }
    // A job of the night that ends after two minutes.
    if second < 120 {
        all.push(
            make(1950, 0, "backup", b"/usr/sbin/backup --all", "/system.slice/backup.service", at)
                .memory(64 * MIB, 61 * MIB, 60 * MIB)
                .done(),
        );
    }
    all
}

/// What grows beside the server's own leak.
fn leaks(second: u64, at: BootMs) -> Vec<ProcessSample> {
    let pool = "/system.slice/php8.2-fpm.service";
    let size = |kib: u64| (kib + 8192) << 10;
    // One worker in five seconds grows, each of them once in 40.
    let mut all: Vec<ProcessSample> = (0..8u64)
        .map(|worker| {
            let kib = 20_480 + (second + 5 * worker) / 40 * 640;
            make(1500 + worker as u32, 33, "php-fpm8.2", b"php-fpm: pool www", pool, at)
                .memory(size(kib), (kib + 1024) << 10, kib << 10)
                .fds(9)
                .done()
        })
        .collect();
    let cache = 30_720 + (81_920.0 * (1.0 - (-(second as f64) / 100.0).exp())) as u64;
    let job = 15_360 + second.saturating_sub(80) * 256;
    for (pid, comm, command, kib) in [
        (1600, "redis-server", &b"/usr/bin/redis-server 127.0.0.1:6379"[..], cache),
        (1610, "python3", b"python3 /srv/report/nightly.py", job),
    ] {
        let service = format!("/system.slice/{comm}.service");
        let made = make(pid, 1000, comm, command, &service, at);
        all.push(made.memory(size(kib), (kib + 2048) << 10, kib << 10).fds(14).done());
    }
    all
}

fn odd(at: BootMs) -> Vec<ProcessSample> {
    let plain = |pid, command: &[u8]| make(pid, 1000, "odd", command, "/", at);
    let small = |pid, command: &[u8]| plain(pid, command).memory(5 * MIB, 3 * MIB, 2 * MIB);
    vec![
        make(4_194_303, u32::MAX, "huge", b"more than there is", "/", at)
            .memory(u64::MAX / 8, u64::MAX / 8, u64::MAX / 9)
            .fds(u32::MAX)
            .swap(u64::MAX / 8)
            .done(),
        make(1400, 1001, "数据库服务", "数据库服务 --端口 5432 --数据目录 /var/lib/数据".as_bytes(), "/", at)
            .memory(90 * MIB, 80 * MIB, 70 * MIB)
            .done(),
        small(1401, "cafe\u{301} nai\u{308}ve --re\u{301}sume\u{301}".as_bytes()).done(),
        small(1402, "🐘 elephant 👨\u{200d}👩\u{200d}👧 family".as_bytes()).done(),
        small(1403, b"evil\x1b[2J\x1b]0;owned\x07\nsecond line\r\t\xff\xfe end").done(),
        small(1404, "rtl \u{202e}gpj.exe\u{202c} \u{9b}31m".as_bytes()).done(),
        plain(1405, b"vault server: another user's").change(|process| {
            process.resident = Reading::Value(Resident { size: MIB, rss: 30 * MIB, shared: 10 * MIB, text: 0 });
            process.rollup = Stamped::new(Reading::Denied(Denial::Ptrace), at);
            process.fds = Stamped::new(Reading::Denied(Denial::Ptrace), at);
        }),
        small(1406, b"read long ago").change(|process| process.rollup.at = BootMs(at.0 - 90_000)),
        plain(1407, b"not read yet").change(|process| {
            process.resident = Reading::Value(Resident { size: MIB, rss: 8 * MIB, shared: MIB, text: 0 });
            process.fds = Stamped::pending();
        }),
        make(1408, 1000, "defunct", b"", "/", at).memory(0, 0, 0).change(|process| {
            process.stat.reading = process.stat.reading.map(|stat| Stat { state: b'Z', ..stat });
        }),
        plain(1409, b"gone between two reads").change(|process| {
            process.resident = Reading::Gone;
            process.rollup = Stamped::new(Reading::Gone, at);
        }),
        small(1410, &b"long ".repeat(200)).done(),
    ]
}
