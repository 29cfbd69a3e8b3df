//! The collector on recorded trees of other kernels and distributions: every reading, to the byte.
//!
//! A tree is a folder below `tests/fixtures/roots` with `proc`, `sys`, `cgroup` and `etc` in it, as the kernel of its
//! name formats them. The figures of its processes fit together: a shared page is divided by as many as map it, and
//! what the processes have is what `meminfo` sums up.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use memtide::collect::demand::Demand;
use memtide::collect::once::{Once, read_once};
use memtide::collect::root::ProcRoot;
use memtide::collect::turn::all_sources;
use memtide::model::account::Account;
use memtide::model::cgroup::CgroupLimit;
use memtide::model::field::{PROCESS_FIELDS, Source, process_field};
use memtide::model::judgement::Analysis;
use memtide::model::process::{ProcessSample, Resident};
use memtide::model::reading::{Feature, Need, Reading};
use memtide::model::sample::Sample;
use memtide::model::snapshot::Snapshot;
use memtide::session::source::{FixtureSource, Source as _};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

fn tree(scenario: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/roots").join(scenario)
}

const SCENARIOS: [&str; 7] = [
    "amazon-linux-2-4.14",
    "amazon-linux-2-5.10",
    "centos-7-3.10",
    "cgroup-v2-6.8/t0",
    "docker-cgroup-v1",
    "hidepid-6.1",
    "kubernetes-cgroup-v2",
];

/// A complete look at a tree, which is the same taken once and read in turn.
fn sample(scenario: &str) -> Sample {
    let once = read_once(&ProcRoot::recorded(&tree(scenario)), &Once { sources: all_sources(), top_by_pss: None });
    let mut once = once.unwrap();
    let mut in_turn = FixtureSource::open(&tree(scenario)).next(&demand(), Duration::from_secs(1)).unwrap();
    in_turn.interval_ms = 0;
    in_turn.scan.cost_us = once.scan.cost_us;
    // Which limit binds which process is read in turn alone.
    once.system.bound_groups.clone_from(&in_turn.system.bound_groups);
    // A process that has just been found has this from the start, before any time.
    for process in once.processes.iter_mut().chain(&mut in_turn.processes) {
        Arc::make_mut(process).rollup.at = once.at;
    }
    assert_eq!(once, in_turn, "{scenario}");
    once
}

fn demand() -> Demand {
    Demand { sources: all_sources(), visible: Vec::new(), top_by_pss: 5, cgroups: false, budget: 1.0 }
}

fn process(sample: &Sample, pid: u32) -> &ProcessSample {
    sample.processes.iter().find(|process| process.key.pid == pid).unwrap()
}

/// What is expected of a process, in KiB.
struct Expected {
    pid: u32,
    rss: u64,
    pss: u64,
    uss: u64,
    swap: u64,
    swap_pss: u64,
    fds: u32,
}

#[track_caller]
fn assert_processes(sample: &Sample, expected: &[(u32, u64, u64, u64, u64, u64, u32)]) {
    for (pid, rss, pss, uss, swap, swap_pss, fds) in expected.iter().copied() {
        let expected = Expected { pid, rss, pss, uss, swap, swap_pss, fds };
        assert_process(process(sample, expected.pid), &expected);
    }
    let user_space = sample.processes.iter().filter(|process| process.rollup.reading.value().is_some()).count();
    assert_eq!(user_space, expected.len());
}

#[track_caller]
fn assert_process(process: &ProcessSample, expected: &Expected) {
    let (resident, status) = (process.resident.value().unwrap(), process.status.reading.value().unwrap());
    let rollup = process.rollup.reading.value().unwrap();
    assert_eq!(resident.rss, expected.rss * KIB, "rss of {process:?}");
    assert_eq!(rollup.rss, expected.rss * KIB, "rss by page tables of {process:?}");
    assert_eq!(rollup.pss, expected.pss * KIB, "pss of {process:?}");
    assert_eq!(rollup.uss, expected.uss * KIB, "uss of {process:?}");
    assert_eq!(status.swap, expected.swap * KIB, "swap of {process:?}");
    assert_eq!(rollup.swap_pss, expected.swap_pss * KIB, "swap_pss of {process:?}");
    assert_eq!(process.fds.reading, Reading::Value(expected.fds), "fds of {process:?}");
}

/// All parts of RAM are told apart and leave so many KiB that nobody accounts for.
#[track_caller]
fn assert_account(sample: &Sample, unaccounted: u64) {
    let account = Account::of(&sample.system).unwrap();
    let part = |key: &str| account.parts.iter().find(|part| part.key == key).unwrap().bytes;
    assert_eq!(account.overlap, 0);
    assert_eq!(account.parts.iter().map(|part| part.bytes).sum::<u64>(), account.total);
    assert_eq!(part("unaccounted"), unaccounted * KIB);
    let anon: u64 = sample.processes.iter().filter_map(|process| process.resident.value()).map(Resident::anon).sum();
    // Where others are hidden the processes that are seen have less.
    assert!(if sample.scan.is_hiding { part("anon") >= anon } else { part("anon") == anon }, "{anon}");
}

fn limit(sample: &Sample) -> Option<CgroupLimit> {
    match &sample.system.cgroup_limit {
        Reading::Value(limit) => limit.clone(),
        other => panic!("{other:?}"),
    }
}

/// What binds the group of a process, if anything does: which group and how many MiB.
fn bound(sample: &Sample, pid: u32) -> Option<(String, u64)> {
    let group = sample.system.bound_group(&process(sample, pid).identity.cgroup)?;
    Some((group.limit.path.escaped().into_owned(), group.limit.limit / MIB))
}

fn unit(sample: &Sample, pid: u32) -> String {
    process(sample, pid).identity.cgroup.unit().unwrap_or_default().into_owned()
}

const NO_PSI: Reading<memtide::model::system::Pressure> = Reading::Unsupported(Need::Feature(Feature::Psi));
const NO_LINE: Reading<u64> = Reading::Unsupported(Need::Feature(Feature::Line));

#[test]
fn amazon_linux_2_of_kernel_4_14() {
    let sample = sample("amazon-linux-2-4.14");
    assert_processes(
        &sample,
        &[
            (1, 5400, 3900, 3600, 0, 0, 5),
            (3102, 4712, 2556, 1600, 400, 400, 6),
            (3103, 6312, 4156, 3200, 0, 0, 9),
            (3300, 82800, 69300, 57000, 16000, 16000, 8),
            (3344, 1_647_000, 1_633_500, 1_621_200, 120_000, 120_000, 31),
            (4001, 4200, 2700, 2400, 0, 0, 4),
        ],
    );
    let node = process(&sample, 3344);
    let rollup = node.rollup.reading.value().unwrap();
    assert_eq!((rollup.pss_parts, rollup.anon_huge), (None, 4096 * KIB));
    let stat = node.stat.reading.value().unwrap();
    assert_eq!((stat.threads, stat.major_faults, stat.ppid, stat.cpu_ticks), (11, 310, 3300, 300));
    let status = node.status.reading.value().unwrap();
    assert_eq!((status.rss_anon, status.rss_file), (Reading::Value(1_612_000 * KIB), Reading::Value(35_000 * KIB)));
    assert_eq!(node.fd_limit.reading, Reading::Value(1024));
    assert_eq!(node.oom_score.reading, Reading::Value(412));
    assert_eq!(node.identity.command.as_bytes(), b"node /srv/app/server.js");
    assert_eq!(sample.host.user(node.identity.uid), "app");
    assert_eq!(unit(&sample, 3344), "pm2-app.service");
    assert_eq!(unit(&sample, 4001), "session-2.scope");
    assert_eq!(process(&sample, 3103).identity.command.as_bytes(), b"nginx: worker process");

    assert!(process(&sample, 2).identity.is_kernel_thread);
    assert_eq!(process(&sample, 2).rollup.reading, Reading::Unsupported(Need::NotApplicable));
    assert!(process(&sample, 3900).is_zombie());
    assert_eq!(process(&sample, 3900).rollup.reading, Reading::Unsupported(Need::NotApplicable));

    assert_eq!(sample.system.pressure, NO_PSI);
    assert_eq!(sample.system.meminfo.percpu, NO_LINE);
    assert_eq!(sample.system.meminfo.zswap, NO_LINE);
    assert_eq!(sample.system.meminfo.used(), Reading::Value((2_041_832 - 172_032) * KIB));
    assert_eq!(sample.system.vmstat.allocation_stalls, Reading::Value(20));
    assert_eq!(sample.system.vmstat.refault_file, Reading::Value(10));
    assert_eq!(sample.system.vmstat.refault_anon, NO_LINE);
    assert_eq!(sample.system.vmstat.oom_kills, Reading::Value(1));
    assert_account(&sample, 65_252);
    assert_eq!(limit(&sample), None);
    let swap = &sample.system.swaps[0];
    assert_eq!((swap.path.as_bytes(), swap.used, swap.priority), (&b"/swapfile"[..], 136_400 * KIB, -2));
    assert_eq!((sample.at.0, sample.wall_ms), (11_520_050, 1_700_011_520_050));
    assert_eq!(sample.host.kernel.as_bytes(), b"4.14.355-280.672.amzn2.x86_64");
    assert_eq!(sample.host.distribution.as_bytes(), b"Amazon Linux 2");
}

#[test]
fn amazon_linux_2_of_kernel_5_10_with_a_limit_on_the_users() {
    let sample = sample("amazon-linux-2-5.10");
    assert_processes(
        &sample,
        &[
            (1, 5200, 4000, 3600, 0, 0, 5),
            (2801, 545_888, 544_688, 544_288, 0, 0, 22),
            (4101, 3600, 2400, 2000, 0, 0, 7),
            (4102, 4000, 2800, 2400, 0, 0, 4),
        ],
    );
    let java = process(&sample, 2801).rollup.reading.value().unwrap();
    assert_eq!(java.pss_parts, Some([524_288 * KIB, 20_400 * KIB, 0]));
    assert_eq!(java.anon_huge, 262_144 * KIB);
    assert_eq!(unit(&sample, 2801), "shop.service");
    assert_eq!(sample.system.pressure, NO_PSI);
    assert_eq!(sample.system.meminfo.percpu, Reading::Value(1200 * KIB));
    assert_account(&sample, 81_848);
    let expected = CgroupLimit {
        path: "/user.slice".into(),
        limit: 1024 * MIB,
        usage: 200 * MIB,
        inactive_file: 64 * MIB,
        swap_limit: Some(256 * MIB),
        swap_usage: Some(5 * MIB),
        oom_kills: Some(2),
    };
    assert_eq!(limit(&sample), Some(expected));
}

#[test]
fn a_server_of_cgroup_v2_with_zswap_zram_and_zfs() {
    let sample = sample("cgroup-v2-6.8/t0");
    assert_processes(
        &sample,
        &[
            (1, 6600, 5100, 4800, 0, 0, 8),
            (980, 6024, 3412, 2000, 0, 0, 7),
            (981, 8024, 5412, 4000, 0, 0, 12),
            (1500, 641_800, 640_300, 640_000, 80_000, 80_400, 40),
            // Shared memory that nobody else maps is its own; what of it is in swap is no VmSwap.
            (1700, 151_800, 150_300, 150_000, 0, 400, 10),
            (5100, 5200, 3700, 3400, 0, 0, 4),
            (6200, 98_000, 98_000, 98_000, 0, 0, 5),
            (6201, 65_000, 65_000, 65_000, 0, 0, 3),
        ],
    );
    let postgres = process(&sample, 1700);
    assert_eq!(postgres.rollup.reading.value().unwrap().pss_parts, Some([6000 * KIB, 4300 * KIB, 140_000 * KIB]));
    assert_eq!(postgres.status.reading.value().unwrap().rss_shmem, Reading::Value(140_000 * KIB));
    assert_eq!(unit(&sample, 1700), "postgresql@16-main.service");
    assert_eq!(unit(&sample, 1), "init.scope");
    let pressure = sample.system.pressure.value().unwrap();
    assert_eq!((pressure.some.avg10, pressure.full.avg10, pressure.some.total_us), (4.1, 2.05, 5_000_000));
    assert_eq!(sample.system.zfs_arc, Reading::Value(256 * MIB));
    assert_eq!(sample.system.zram.len(), 1);
    let zram = &sample.system.zram[0];
    assert_eq!((zram.original, zram.compressed, zram.used), (512 * MIB, 128 * MIB, 144 * MIB));
    assert_eq!(sample.system.meminfo.zswap, Reading::Value(20 * MIB));
    assert_eq!(sample.system.meminfo.zswapped, Reading::Value(60 * MIB));
    assert_eq!(sample.system.swaps.iter().map(|swap| swap.used).sum::<u64>(), 589_824 * KIB);
    assert_eq!(sample.system.meminfo.swap_used(), Reading::Value(589_824 * KIB));
    assert_account(&sample, 176_984);
    assert_eq!(bound(&sample, 1500), Some(("/system.slice/app.service".into(), 1024)));
    assert_eq!(bound(&sample, 981), None);
    assert_eq!(bound(&sample, 5100), Some(("/user.slice/user-1000.slice".into(), 1536)));
    // Of 2 GiB above it and no limit of its own.
    let expected = CgroupLimit {
        path: "/user.slice/user-1000.slice".into(),
        limit: 1536 * MIB,
        usage: 250 * MIB,
        inactive_file: 32 * MIB,
        swap_limit: None,
        swap_usage: Some(2 * MIB),
        oom_kills: Some(1),
    };
    assert_eq!(limit(&sample), Some(expected));
}

#[test]
fn between_two_moments_one_ends_and_another_takes_over_its_pid() {
    let mut source = FixtureSource::open(&tree("cgroup-v2-6.8"));
    let [t0, t1] = [(), ()].map(|()| source.next(&demand(), Duration::from_mins(1)).unwrap());
    assert_eq!(t1.at.since(t0.at), 60_000);
    let key = |sample: &Sample, pid| process(sample, pid).key;
    assert_ne!(key(&t0, 6200), key(&t1, 6200));
    assert!(t1.process(key(&t0, 6200)).is_none() && t1.process(key(&t0, 6201)).is_none());
    assert_eq!(process(&t0, 6200).identity.comm.as_bytes(), b"convert");
    let heir = process(&t1, 6200);
    assert_eq!((heir.identity.comm.as_bytes(), heir.identity.uid), (&b"logrotate"[..], 0));
    assert_eq!(heir.resident.value().unwrap().rss, 1000 * KIB);
    assert_eq!(heir.fds.reading, Reading::Value(6));

    // The one that grows is the same one.
    assert_eq!(key(&t0, 1500), key(&t1, 1500));
    let [before, after] = [&t0, &t1].map(|sample| process(sample, 1500).clone());
    let anon = |process: &ProcessSample| process.resident.value().unwrap().anon();
    assert_eq!(anon(&after) - anon(&before), 18_000 * KIB);
    assert_eq!((before.fds.reading, after.fds.reading), (Reading::Value(40), Reading::Value(52)));

    let rates = Snapshot::derive(Some(&t0), Arc::new(t1), Analysis::default()).rates.value().unwrap();
    assert_eq!((rates.swap_in, rates.swap_out), (1500.0 * 4096.0 / 60.0, 6000.0 * 4096.0 / 60.0));
    assert_eq!((rates.major_faults, rates.stalls), (10.0, 0.5));
}

#[test]
fn a_container_of_a_pod_is_bound_by_its_own_limit() {
    let sample = sample("kubernetes-cgroup-v2");
    assert_processes(
        &sample,
        &[
            (1, 240, 240, 240, 0, 0, 3),
            (7, 439_200, 438_400, 438_000, 0, 0, 18),
            (40, 22_200, 21_400, 21_000, 0, 0, 6),
            (77, 2000, 1200, 800, 0, 0, 4),
        ],
    );
    assert!(!sample.scan.is_hiding);
    // The root of what is visible is the container's own group; those of its neighbours are named from outside.
    let expected = CgroupLimit {
        path: "/".into(),
        limit: 512 * MIB,
        usage: 470 * MIB,
        inactive_file: 20 * MIB,
        swap_limit: Some(0),
        swap_usage: Some(0),
        oom_kills: Some(2),
    };
    assert_eq!(limit(&sample), Some(expected));
    let container = |pid| process(&sample, pid).identity.cgroup.container();
    assert_eq!(container(1).as_deref(), Some("containerd:a1a1a1a1a1a1"));
    assert_eq!(container(40).as_deref(), Some("containerd:4f4f4f4f4f4f"));
    assert_eq!(container(7), None);
    assert_eq!(bound(&sample, 7), Some(("/".into(), 512)));
    assert_eq!(bound(&sample, 40), None, "the limit of a neighbour is not ours");
    assert_account(&sample, 131_860);
}

#[test]
fn a_container_of_cgroup_v1_is_bound_though_its_path_is_the_hosts() {
    let sample = sample("docker-cgroup-v1");
    assert_processes(&sample, &[(1, 187_200, 186_600, 186_000, 0, 0, 9), (31, 2000, 1400, 800, 0, 0, 3)]);
    let limit = limit(&sample).unwrap();
    assert_eq!((limit.path.as_bytes(), limit.limit, limit.usage), (&b"/"[..], 256 * MIB, 200 * MIB));
    assert_eq!((limit.oom_kills, limit.swap_limit), (Some(7), None));
    assert_eq!(bound(&sample, 1), Some(("/".into(), 256)));
    let python = &process(&sample, 1).identity;
    assert_eq!(python.cgroup.container().as_deref(), Some("docker:0123456789ab"));
    assert_account(&sample, 99_000);
}

#[test]
fn centos_7_without_rollups_is_summed_over_mappings() {
    let sample = sample("centos-7-3.10");
    assert_processes(
        &sample,
        &[
            (1, 5400, 4200, 3600, 0, 0, 5),
            (2100, 430_864, 429_664, 429_064, 30_000, 30_000, 17),
            (2900, 7300, 6100, 5500, 2000, 2000, 8),
        ],
    );
    let mysql = process(&sample, 2100);
    assert_eq!(mysql.rollup.reading.value().unwrap().pss_parts, None);
    let status = mysql.status.reading.value().unwrap();
    assert_eq!(status.rss_anon, Reading::Unsupported(Need::Kernel(4, 5)));
    assert_eq!(unit(&sample, 2100), "mariadb.service");
    assert_eq!(process(&sample, 2900).fd_limit.reading, Reading::Value(u64::MAX));
    assert!(process(&sample, 9).identity.is_kernel_thread);
    assert_eq!(sample.system.pressure, NO_PSI);
    assert_eq!(sample.system.vmstat.kswapd_scans, Reading::Value(9000));
    assert_eq!(sample.system.vmstat.direct_scans, Reading::Value(500));
    assert_eq!(sample.system.vmstat.allocation_stalls, Reading::Value(12));
    assert_eq!(sample.system.vmstat.oom_kills, NO_LINE);
    assert_eq!(sample.system.meminfo.hugetlb, NO_LINE);
    assert_account(&sample, 158_732);
    assert_eq!(limit(&sample), None);
}

#[test]
fn a_proc_that_hides_others_is_recognised() {
    let sample = sample("hidepid-6.1");
    assert_processes(&sample, &[(2210, 3400, 3400, 3400, 0, 0, 4), (2301, 20_000, 20_000, 20_000, 0, 0, 5)]);
    assert!(sample.scan.is_hiding);
    assert_account(&sample, 160_200);
}

/// The parts of PSS and what else a kernel lacks are unknown with the reason, in whatever way they are asked for.
#[test]
fn no_field_is_zero_where_the_kernel_lacks_it() {
    let explain = |scenario: &str, pid: u32, key: &str| {
        let sample = sample(scenario);
        let key_of = process(&sample, pid).key;
        let snapshot = Snapshot::derive(None, Arc::new(sample), Analysis::default());
        let reading = (process_field(key).unwrap().get)(&snapshot.row_of(key_of).unwrap());
        reading.explain().unwrap_or_else(|| format!("{reading:?}"))
    };
    assert_eq!(explain("amazon-linux-2-4.14", 3344, "pss_anon"), "needs Linux 5.2 or later");
    assert_eq!(explain("centos-7-3.10", 2100, "shmem"), "needs Linux 4.5 or later");
    assert_eq!(explain("amazon-linux-2-4.14", 3900, "pss"), "does not apply here");
}

fn memtide(args: &[&str], scenario: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtide"));
    command.args(args).arg("--root").arg(tree(scenario)).output().unwrap()
}

fn json(args: &[&str], scenario: &str) -> serde_json::Value {
    let output = memtide(args, scenario);
    assert!(output.status.success(), "{scenario}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn ps_and_free_print_every_tree() {
    let fields = PROCESS_FIELDS.iter().filter(|field| !matches!(field.source, Source::History | Source::Mark));
    let columns: Vec<&str> = fields.map(|field| field.key).collect();
    for scenario in SCENARIOS {
        let sample = sample(scenario);
        let args = ["ps", "--format", "json", "--kernel-threads", "--sort", "pid", "-o", &columns.join(",")];
        let printed = json(&args, scenario);
        let printed = printed["processes"].as_array().unwrap();
        assert_eq!(printed.len(), sample.processes.len(), "{scenario}");
        for process in &sample.processes {
            let row = printed.iter().find(|row| row["pid"] == process.key.pid).unwrap();
            let rollup = process.rollup.reading.value();
            assert_eq!(row["pss"].as_u64(), rollup.map(|rollup| rollup.pss), "{scenario}: {row}");
            assert_eq!(row["unknown"]["pss"].is_null(), rollup.is_some(), "{scenario}: {row}");
            assert_eq!(row["rss"].as_u64(), process.resident.value().map(|it| it.rss), "{scenario}: {row}");
        }
        let free = json(&["free", "--format", "json"], scenario);
        let sum: u64 = free["ram"].as_array().unwrap().iter().map(|part| part["bytes"].as_u64().unwrap()).sum();
        assert_eq!(Some(sum), free["system"]["mem_total"].as_u64(), "{scenario}");
        let bound = limit(&sample).map(|limit| limit.limit);
        assert_eq!(free["cgroup_limit"]["bytes"].as_u64(), bound, "{scenario}");
        for format in ["table", "csv"] {
            assert!(memtide(&["ps", "--format", format], scenario).status.success(), "{scenario}");
            assert!(memtide(&["free", "--format", format], scenario).status.success(), "{scenario}");
        }
    }
}

#[test]
fn a_folder_of_moments_is_printed_from_its_first_one() {
    let printed = json(&["ps", "--format", "json", "-o", "pid,name", "--sort", "pid"], "cgroup-v2-6.8");
    let last = printed["processes"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["pid"], &last["name"]), (&6201.into(), &"apt-check".into()));
}

#[test]
fn a_recorded_tree_is_shown_live_and_nothing_can_be_done_to_it() {
    let folder = tree("cgroup-v2-6.8");
    let terminal = support::pty::Command::new(env!("CARGO_BIN_EXE_memtide"))
        .args(["--root".as_ref(), folder.as_os_str()])
        .size(120, 30)
        .start();
    terminal.wait_for_text("--max-old-space-size=768");
    // The second moment comes after the first.
    terminal.wait_for_text("logrotate");
    terminal.press("k");
    terminal.press("Enter");
    terminal.wait_for_text("recorded tree");
}
