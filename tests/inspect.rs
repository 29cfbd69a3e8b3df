//! One process whole, on the machine that runs the tests: what an inspection says agrees with the kernel's own files
//! and with pmap(1) and lsof(8), and what can't be read says why.
//!
//! The processes are stopped, so what belongs to them alone can't drift; see `agreement.rs` for what still moves and
//! why some comparisons are made until both sides were read without such a change in between.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use memtide::collect::inspect::{Inspector, NoInspection};
use memtide::collect::root::ProcRoot;
use memtide::model::inspect::descriptor::{DescriptorKind, Descriptors};
use memtide::model::inspect::mapping::{MappingGroup, MappingKind, Mappings};
use memtide::model::inspect::memory::{MEMORY_FIELDS, Memory, memory_field};
use memtide::model::inspect::thread::Threads;
use memtide::model::inspect::{Inspection, Part, PartSet};
use memtide::model::key::ProcessKey;
use memtide::model::reading::{Need, Reading};
use serde_json::Value as Json;
use support::programs::{Program, compiler};
use support::require::{has, has_programs};
use tempfile::TempDir;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// No budget ever ends here.
const PLENTY: Duration = Duration::from_mins(10);

fn inspector() -> Inspector {
    Inspector::open(ProcRoot::live()).unwrap()
}

fn inspect(pid: u32) -> Inspection {
    let mut inspector = inspector();
    let key = inspector.key_of(pid).unwrap();
    inspector.inspect(key, PartSet::all(), PLENTY).unwrap()
}

fn mappings(inspection: &Inspection) -> &Mappings {
    inspection.mappings.as_ref().value().unwrap()
}

fn descriptors(inspection: &Inspection) -> &Descriptors {
    inspection.descriptors.as_ref().value().unwrap()
}

fn threads(inspection: &Inspection) -> &Threads {
    inspection.threads.as_ref().value().unwrap()
}

fn has_child() -> bool {
    has_programs(&[&compiler()])
}

/// A stopped process with one of each kind, and the folder of its files.
fn zoo() -> (Program, TempDir) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let zoo = Program::zoo("zoo", folder.path());
    zoo.freeze();
    (zoo, folder)
}

fn memtide(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memtide")).args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(args: &[&str]) -> Json {
    serde_json::from_str(&stdout(&memtide(args))).unwrap()
}

/// The lines of `smaps` that make up a column of memtide's.
fn kernel_lines(key: &str) -> &'static [&'static str] {
    match key {
        "pss" => &["Pss"],
        "rss" => &["Rss"],
        "uss" => &["Private_Clean", "Private_Dirty", "Private_Hugetlb"],
        "swap" => &["Swap"],
        "swap_pss" => &["SwapPss"],
        "dirty" => &["Private_Dirty", "Shared_Dirty"],
        "anon" => &["Anonymous"],
        "anon_huge" => &["AnonHugePages"],
        "hugetlb" => &["Private_Hugetlb", "Shared_Hugetlb"],
        "locked" => &["Locked"],
        "size" => &["Size"],
        other => panic!("{other} has no lines of the kernel"),
    }
}

/// Sums a file of `Name:  12 kB` lines, read here and not by memtide's parsers.
fn kernel_sum(file: &str, key: &str) -> u64 {
    let names = kernel_lines(key);
    let lines = file.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| names.contains(name));
    lines.map(|(_, value)| value.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * KIB).sum()
}

/// Compares until nothing moved between the two reads, for a while at most.
#[track_caller]
fn agree<T: PartialEq + std::fmt::Debug>(what: &str, mut read: impl FnMut() -> (T, T)) {
    let since = Instant::now();
    loop {
        let (ours, theirs) = read();
        if ours == theirs {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "{what}: {ours:#?} is not {theirs:#?}");
    }
}

#[test]
fn every_column_sums_up_to_what_smaps_and_smaps_rollup_say() {
    if !has_child() {
        return;
    }
    let (zoo, _folder) = zoo();
    let children = [zoo, Program::holder("holds 20 MiB", 20 * 1024), Program::sharer("shares 8 MiB", 8 * 1024, 2)];
    for child in &children {
        child.freeze();
        let file = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", child.pid())).unwrap();
        for field in MEMORY_FIELDS {
            agree(field.key, || {
                let inspection = inspect(child.pid());
                let mappings = mappings(&inspection);
                assert!(mappings.coverage.is_whole());
                let groups: u64 = mappings.groups.iter().map(|group| (field.get)(&group.memory)).sum();
                assert_eq!(groups, (field.get)(&mappings.read));
                (groups, kernel_sum(&file("smaps"), field.key))
            });
        }
        for key in ["pss", "rss", "uss", "dirty", "anon", "locked"] {
            agree(key, || {
                let total = mappings(&inspect(child.pid())).total;
                ((memory_field(key).unwrap().get)(&total), kernel_sum(&file("smaps_rollup"), key))
            });
        }
        let count = file("maps").lines().count() as u64;
        assert_eq!(mappings(&inspect(child.pid())).coverage.of, count);
    }
}

#[test]
fn mappings_are_called_what_they_are() {
    if !has_child() {
        return;
    }
    let (zoo, _folder) = zoo();
    let inspection = inspect(zoo.pid());
    let group = |kind: MappingKind| -> Memory {
        let groups = &mappings(&inspection).groups;
        let found: Vec<_> = groups.iter().filter(|group| group.kind == kind).collect();
        assert_eq!(found.len(), 1, "{kind:?}: {groups:#?}");
        found[0].memory
    };
    assert_eq!(group(MappingKind::Memfd).rss, 2 * MIB);
    for kind in [MappingKind::SharedAnonymous, MappingKind::Sysv, MappingKind::PosixShm] {
        assert_eq!(group(kind).rss, MIB, "{kind:?}");
    }
    assert_eq!(group(MappingKind::Code).rss, 64 * KIB);
    assert!(group(MappingKind::MallocArena).rss >= 1000 * KIB, "what the second thread took from malloc");
    assert!(group(MappingKind::ThreadStack).rss > 0 && group(MappingKind::Stack).rss > 0);
    assert!(group(MappingKind::Heap).size > 0);
    assert_eq!(mappings(&inspection).total.locked, 64 * KIB);
    let shown: Vec<String> = mappings(&inspection).groups.iter().map(MappingGroup::shown).collect();
    assert!(shown.contains(&"memfd zoo".to_owned()), "{shown:?}");
    assert!(shown.iter().any(|name| name.starts_with("SysV segment ")), "{shown:?}");
    assert!(shown.iter().any(|name| name.starts_with("/dev/shm/memtide-zoo-") && name.ends_with(" (deleted)")));
}

#[test]
fn the_sums_of_each_file_are_those_of_pmap() {
    if !has_child() || !has_programs(&["pmap"]) {
        return;
    }
    let (zoo, _folder) = zoo();
    let pid = zoo.pid().to_string();
    agree("pmap -X", || {
        let inspection = inspect(zoo.pid());
        let mut ours: BTreeMap<String, [u64; 3]> = BTreeMap::new();
        for group in &mappings(&inspection).groups {
            // pmap prints the last part of a path, and what has no name as nothing.
            let name = match group.kind {
                MappingKind::File | MappingKind::PosixShm => {
                    group.name.escaped().rsplit('/').next().unwrap().to_owned()
                }
                MappingKind::Stack => "[stack]".to_owned(),
                MappingKind::Heap => "[heap]".to_owned(),
                MappingKind::Memfd => "memfd:zoo".to_owned(),
                MappingKind::SharedAnonymous => "zero".to_owned(),
                MappingKind::Sysv => "SYSV00000000".to_owned(),
                MappingKind::Kernel => group.name.escaped().into_owned(),
                _ => String::new(),
            };
            let name = if name.starts_with('[') { name } else { name.replace(" (deleted)", "") };
            let sums = ours.entry(name).or_default();
            for (sum, value) in sums.iter_mut().zip([group.memory.size, group.memory.rss, group.memory.pss]) {
                *sum += value / KIB;
            }
        }
        let output = Command::new("pmap").args(["-X", &pid]).env("LC_ALL", "C").output().unwrap();
        let theirs = pmap_sums(&String::from_utf8(output.stdout).unwrap());
        (ours, theirs)
    });
}

/// Size, Rss and Pss, KiB, by the name in the last column of `pmap -X`.
fn pmap_sums(text: &str) -> BTreeMap<String, [u64; 3]> {
    let mut lines = text.lines().skip(1);
    let head: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let place = |title: &str| head.iter().position(|column| *column == title).unwrap();
    let columns = ["Size", "Rss", "Pss"].map(place);
    let mapping = place("Mapping");
    let mut sums: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        // The line of equals signs and the sum below it have no address.
        if words.len() < mapping {
            continue;
        }
        let name = words[mapping..].join(" ").replace(" (deleted)", "");
        let entry = sums.entry(name).or_default();
        for (sum, column) in entry.iter_mut().zip(columns) {
            *sum += words[column].parse::<u64>().unwrap();
        }
    }
    sums
}

#[test]
fn descriptors_are_called_what_they_are_and_the_same_path_is_one_line() {
    if !has_child() {
        return;
    }
    let (zoo, folder) = zoo();
    let inspection = inspect(zoo.pid());
    let descriptors = descriptors(&inspection);
    let entries = fs::read_dir(format!("/proc/{}/fd", zoo.pid())).unwrap().count() as u64;
    assert_eq!((descriptors.coverage.read, descriptors.coverage.of), (entries, entries));
    assert_eq!(descriptors.kinds.iter().map(|kind| u64::from(kind.count)).sum::<u64>(), entries);

    let first = &descriptors.targets[0];
    let log = folder.path().canonicalize().unwrap().join("app.log");
    assert_eq!((first.count, first.shown()), (300, log.to_str().unwrap().to_owned()));
    let gone = descriptors.targets.iter().find(|target| target.is_deleted).unwrap();
    assert_eq!((gone.count, gone.blocks >= MIB), (2, true), "{gone:?}");
    assert_eq!(descriptors.deleted.files, 1, "one file, open twice");
    assert_eq!(descriptors.deleted.disk + descriptors.deleted.ram, gone.blocks);

    let count = |kind| descriptors.kinds.iter().find(|count| count.kind == kind).map_or(0, |count| count.count);
    for kind in [
        DescriptorKind::Epoll,
        DescriptorKind::Eventfd,
        DescriptorKind::Timerfd,
        DescriptorKind::Signalfd,
        DescriptorKind::Inotify,
        DescriptorKind::Memfd,
        DescriptorKind::Directory,
    ] {
        assert_eq!(count(kind), 1, "{kind:?}");
    }
    assert_eq!(count(DescriptorKind::Socket), 11);
    let sockets: Vec<String> = descriptors
        .targets
        .iter()
        .filter(|target| target.socket.is_some())
        .map(|target| {
            // Ports are the kernel's choice.
            let text = target.shown();
            let words = text.split(' ').map(|word| word.split_once(':').map_or(word, |(address, _)| address));
            format!("{} {}", target.count, words.collect::<Vec<_>>().join(" "))
        })
        .collect();
    for expected in [
        "2 tcp -> 127.0.0.1 ESTABLISHED",
        "2 tcp 127.0.0.1 <- 127.0.0.1 ESTABLISHED",
        "2 unix ESTABLISHED",
        "1 tcp 127.0.0.1 LISTEN",
        "1 tcp -> 127.0.0.1 CLOSE_WAIT",
        "1 udp 127.0.0.1 unconnected",
        "1 unix app.sock LISTEN",
        "1 netlink route",
    ] {
        assert!(sockets.iter().any(|socket| socket == expected), "{expected}: {sockets:#?}");
    }
    let newest: Vec<u32> = descriptors.newest.iter().map(|descriptor| descriptor.fd).collect();
    assert!(newest.is_sorted_by(|a, b| a > b) && newest.len() == Descriptors::NEWEST, "{newest:?}");
}

#[test]
fn lsof_has_the_same_descriptors_and_rows_that_are_none() {
    if !has_child() || !has_programs(&["lsof"]) {
        return;
    }
    let (zoo, _folder) = zoo();
    let output = Command::new("lsof").args(["-nP", "-w", "-p", &zoo.pid().to_string()]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let (mut of_descriptors, mut others) = (BTreeMap::<&str, u32>::new(), Vec::new());
    for line in text.lines().skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (fd, kind) = (words[3], words[4]);
        if fd.starts_with(|c: char| c.is_ascii_digit()) {
            *of_descriptors.entry(kind).or_default() += 1;
        } else {
            others.push(fd.to_owned());
        }
    }
    let inspection = inspect(zoo.pid());
    let descriptors = descriptors(&inspection);
    assert_eq!(u64::from(of_descriptors.values().sum::<u32>()), descriptors.coverage.of, "{text}");
    let ours = |kinds: &[DescriptorKind]| -> u32 {
        descriptors.kinds.iter().filter(|count| kinds.contains(&count.kind)).map(|count| count.count).sum()
    };
    let theirs = |kinds: &[&str]| -> u32 { kinds.iter().filter_map(|kind| of_descriptors.get(kind)).sum() };
    // A file that is deleted is REG or DEL, a memfd a regular file of a tmpfs.
    assert_eq!(ours(&[DescriptorKind::File, DescriptorKind::Memfd]), theirs(&["REG", "DEL"]), "{text}");
    assert_eq!(ours(&[DescriptorKind::Directory]), theirs(&["DIR"]));
    assert_eq!(ours(&[DescriptorKind::Pipe]), theirs(&["FIFO"]));
    assert_eq!(ours(&[DescriptorKind::Socket]), theirs(&["IPv4", "IPv6", "unix", "netlink", "sock"]));
    assert_eq!(ours(&[DescriptorKind::Device]), theirs(&["CHR", "BLK"]));
    let anonymous = [
        DescriptorKind::Epoll,
        DescriptorKind::Eventfd,
        DescriptorKind::Timerfd,
        DescriptorKind::Signalfd,
        DescriptorKind::Inotify,
    ];
    assert_eq!(ours(&anonymous), theirs(&["a_inode"]));
    // What `lsof -p PID | wc -l` counts besides: the head, and these rows.
    let explained = ["cwd", "rtd", "txt", "mem", "DEL"];
    assert!(others.iter().all(|row| explained.contains(&row.as_str())), "{others:?}");
    assert_eq!(text.lines().count() as u64, descriptors.coverage.of + 1 + others.len() as u64);
}

#[test]
fn threads_have_their_names_states_and_stacks() {
    if !has_child() {
        return;
    }
    let (zoo, _folder) = zoo();
    // The first thread stops before the others.
    agree("all stop", || (threads(&inspect(zoo.pid())).states(), vec![(b'T', 2)]));
    let inspection = inspect(zoo.pid());
    let threads = threads(&inspection);
    let mut tids: Vec<u32> = fs::read_dir(format!("/proc/{}/task", zoo.pid()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    tids.sort_unstable();
    assert_eq!(threads.threads.iter().map(|thread| thread.tid).collect::<Vec<_>>(), tids);
    assert!(threads.coverage.is_whole());
    let second = &threads.threads[1];
    assert_eq!(second.comm.as_bytes(), b"zoo-thread");
    let limit = rustix::process::getrlimit(rustix::process::Resource::Stack).current;
    if let (Some(stack), Some(limit)) = (second.stack.value(), limit) {
        assert_eq!(stack.size, limit, "the stack that pthread_create(3) makes");
        assert!(stack.rss > 0 && stack.rss < stack.size);
    } else {
        assert!(limit.is_none(), "{second:?}");
    }
}

#[test]
fn what_the_overview_says_is_what_the_kernel_says() {
    if !has_child() {
        return;
    }
    let child = Program::holder("holds 12 MiB", 12 * 1024);
    child.freeze();
    let inspection = inspect(child.pid());
    let overview = &inspection.overview;
    let status = fs::read_to_string(format!("/proc/{}/status", child.pid())).unwrap();
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * KIB
    };
    let totals = overview.totals.value().unwrap();
    assert_eq!((totals.size, totals.peak_size), (line("VmSize"), line("VmPeak")));
    assert_eq!(totals.data, line("VmData") + line("VmStk"));
    let moving = overview.process.status.reading.value().unwrap();
    assert_eq!((moving.peak_rss, moving.page_tables, moving.locked), (line("VmHWM"), line("VmPTE"), line("VmLck")));
    let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let ours = overview.fd_limit.value().unwrap();
    assert_eq!((ours.soft, ours.hard), (limits.current.unwrap_or(u64::MAX), limits.maximum.unwrap_or(u64::MAX)));
    let program = fs::read_link(format!("/proc/{}/exe", child.pid())).unwrap();
    assert_eq!(overview.program.as_ref().value().unwrap().as_bytes(), program.as_os_str().as_encoded_bytes());
    let adjustment = fs::read_to_string(format!("/proc/{}/oom_score_adj", child.pid())).unwrap();
    assert_eq!(overview.oom_score_adj.value().unwrap().to_string(), adjustment.trim());
}

#[test]
fn what_time_does_not_allow_is_counted_and_said() {
    if !has_child() {
        return;
    }
    let child = Program::crowded("crowd", 3000, 1000);
    child.freeze();
    let mut inspector = inspector();
    let key = inspector.key_of(child.pid()).unwrap();
    let inspection = inspector.inspect(key, PartSet::all(), Duration::ZERO).unwrap();
    let (mappings, descriptors) = (mappings(&inspection), descriptors(&inspection));

    let count = fs::read_to_string(format!("/proc/{}/maps", child.pid())).unwrap().lines().count() as u64;
    assert!(count > 3000);
    assert_eq!(mappings.coverage.of, count, "every mapping is counted");
    assert!(!mappings.coverage.is_whole());
    let unread: u64 = mappings.groups.iter().map(|group| u64::from(group.unread)).sum();
    assert_eq!(unread, mappings.coverage.of - mappings.coverage.read);
    let rollup = inspection.overview.process.rollup.reading.value().unwrap();
    assert_eq!((mappings.total.rss, mappings.total.pss), (rollup.rss, rollup.pss));
    assert!(mappings.total.rss > mappings.read.rss, "what was not read is in the total");
    let size = inspection.overview.totals.value().unwrap().size;
    // VmSize does not count [vsyscall].
    assert!(mappings.total.size.abs_diff(size) <= 4 * KIB, "the address space is known whole: {size}");

    let entries = fs::read_dir(format!("/proc/{}/fd", child.pid())).unwrap().count() as u64;
    assert_eq!(descriptors.coverage.of, entries, "every descriptor is counted");
    assert!(!descriptors.coverage.is_whole() && descriptors.coverage.read > 0);
    let sampled: u64 = descriptors.kinds.iter().map(|kind| u64::from(kind.count)).sum();
    assert_eq!(sampled, descriptors.coverage.read);
    let spread = descriptors.targets.iter().map(|target| target.highest).max().unwrap();
    assert!(u64::from(spread) > entries * 3 / 4, "the sample reaches to the highest numbers: {spread}");

    let text = stdout(&memtide(&["inspect", &child.pid().to_string(), "--budget", "1h"]));
    assert!(!text.contains("--budget"), "with time for all nothing is left out: {text}");
}

#[test]
fn who_ended_or_gave_his_pid_to_another_is_not_inspected() {
    if !has_child() {
        return;
    }
    let mut child = Program::sleeper("ends");
    let mut inspector = inspector();
    let key = inspector.key_of(child.pid()).unwrap();
    let other = ProcessKey { start_time: key.start_time + 1, ..key };
    assert_eq!(inspector.inspect(other, PartSet::all(), PLENTY), Err(NoInspection::Gone));
    child.end();
    assert_eq!(inspector.key_of(key.pid), Err(NoInspection::Gone));
    assert_eq!(inspector.inspect(key, PartSet::all(), PLENTY), Err(NoInspection::Gone));
    let output = memtide(&["inspect", &key.pid.to_string()]);
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(1), true));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no such process"), "{output:?}");
}

/// Processes end while they are read; what is told of one is never another's.
#[test]
fn short_lived_processes_are_told_whole_or_not_at_all() {
    let is_root = rustix::process::geteuid().is_root();
    if !has_child() || !has(is_root, "root, to run as other users") {
        return;
    }
    let parent = Program::kinds("short", 40);
    let inherited = {
        let folder = format!("/proc/{}/fd", parent.pid());
        fs::read_dir(folder).unwrap().count() as u64
    };
    let mut inspector = inspector();
    let (mut whole, mut ended) = (0, 0);
    let since = Instant::now();
    while whole < 200 || ended < 20 {
        assert!(since.elapsed() < Duration::from_mins(1), "{whole} were told, {ended} had ended");
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", parent.pid())).unwrap();
        for pid in children.split_whitespace().map(|pid| pid.parse().unwrap()) {
            let told = inspector.key_of(pid).and_then(|key| inspector.inspect(key, PartSet::all(), PLENTY));
            let Ok(told) = told else {
                ended += 1;
                continue;
            };
            let identity = &told.overview.process.identity;
            let name = identity.comm.escaped();
            // It bears its name from the moment on at which it has everything.
            let Some(kind) = name.strip_prefix("kind-").and_then(|kind| kind.parse::<u32>().ok()) else { continue };
            if told.mappings == Reading::Unsupported(Need::NotApplicable) {
                continue;
            }
            let anonymous = 16 * KIB * u64::from(kind);
            let (mappings, descriptors) = (mappings(&told), descriptors(&told));
            assert_eq!(identity.uid, 10_000 + kind);
            assert_eq!(descriptors.coverage.of, inherited + u64::from(kind), "{name}");
            assert!((anonymous..anonymous + 400 * KIB).contains(&mappings.total.anon), "{name}: {mappings:?}");
            whole += 1;
        }
    }
}

#[test]
fn a_zombie_and_a_kernel_thread_have_no_parts() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id();
    let since = Instant::now();
    while !fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") Z ") {
        assert!(since.elapsed() < Duration::from_secs(10), "it does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
    let zombie = inspect(pid);
    let nothing = Need::NotApplicable;
    assert_eq!(zombie.mappings, Reading::Unsupported(nothing));
    assert_eq!(zombie.descriptors, Reading::Unsupported(nothing));
    assert_eq!(zombie.overview.totals, Reading::Unsupported(nothing));
    assert_eq!(zombie.overview.program, Reading::Unsupported(nothing));
    let text = stdout(&memtide(&["inspect", &pid.to_string()]));
    assert!(text.contains("zombie") && text.contains("does not apply here"), "{text}");
    child.wait().unwrap();

    let is_kthreadd = fs::read_to_string("/proc/2/comm").is_ok_and(|name| name == "kthreadd\n");
    if has(is_kthreadd, "the kernel's threads") {
        let thread = inspect(2);
        assert_eq!(thread.mappings, Reading::Unsupported(nothing));
        assert_eq!(threads(&thread).coverage.of, 1);
    }
}

#[test]
fn another_users_process_says_what_would_show_it() {
    const NOBODY: u32 = 65_534;
    let is_root = rustix::process::geteuid().is_root();
    if !has_child() || !has_programs(&["setpriv"]) || !has(is_root, "root, to run as another user") {
        return;
    }
    let (zoo, _folder) = zoo();
    // Where the tests are built may be closed to others.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("memtide");
    fs::copy(env!("CARGO_BIN_EXE_memtide"), &program).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder.path(), open).unwrap();
    let run = |format: &str| {
        let output = Command::new("setpriv")
            .args(["--reuid", &NOBODY.to_string(), "--regid", &NOBODY.to_string(), "--clear-groups"])
            .arg(&program)
            .args(["inspect", &zoo.pid().to_string(), "--format", format])
            .output()
            .unwrap();
        stdout(&output)
    };
    let json: Json = serde_json::from_str(&run("json")).unwrap();
    for part in ["mappings", "descriptors"] {
        assert_eq!(json[part], Json::Null);
        assert!(json["unknown"][part].as_str().unwrap().contains("CAP_SYS_PTRACE"), "{json}");
    }
    let overview = &json["overview"];
    assert_eq!(overview["pss"], Json::Null);
    assert!(overview["unknown"]["program"].as_str().unwrap().contains("CAP_SYS_PTRACE"), "{overview}");
    assert!(overview["rss"].as_u64().unwrap() > MIB && overview["peak_rss"].as_u64().unwrap() > MIB, "{overview}");
    let threads = json["threads"]["threads"].as_array().unwrap();
    assert_eq!(threads.len(), 2);
    assert_eq!((&threads[1]["name"], &threads[1]["stack"]), (&Json::from("zoo-thread"), &Json::Null));
    assert!(run("text").contains("not shown: needs the process's own user, root or CAP_SYS_PTRACE"));
}

#[test]
fn hostile_paths_reach_no_terminal() {
    if !has_child() {
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let inner = folder.path().join("a\x1b[2J\u{202e}b\nfake socket:[1] (deleted)");
    fs::create_dir(&inner).unwrap();
    let child = Program::zoo("hostile", &inner);
    child.freeze();
    let file = inner.join("7f0000000000-7f0000001000 rw-p 0 00:00 0 [heap]\x07 (deleted)");
    fs::write(&file, vec![1; 4096]).unwrap();
    let mapper = Program::mapper("hostile too", &file);
    mapper.freeze();
    for pid in [child.pid(), mapper.pid()] {
        let text = stdout(&memtide(&["inspect", &pid.to_string(), "--top", "100"]));
        assert!(text.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{text:?}");
        let json = stdout(&memtide(&["inspect", &pid.to_string(), "--format", "json"]));
        assert!(json.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{json:?}");
    }
    let inspection = inspect(child.pid());
    let log = &descriptors(&inspection).targets[0];
    assert_eq!((log.count, log.is_deleted), (300, false));
    assert!(log.shown().contains("a\\x1b[2J\\u{202e}b\\nfake socket:[1] (deleted)/app.log"), "{}", log.shown());
    let inspection = inspect(mapper.pid());
    let heaps = mappings(&inspection).groups.iter().filter(|group| group.kind == MappingKind::Heap);
    assert!(heaps.clone().count() <= 1 && heaps.map(|group| group.count).sum::<u32>() <= 1, "no heap was faked");
    assert_eq!(mappings(&inspection).groups.iter().filter(|group| group.name.escaped().contains("[heap]")).count(), 1);
}

#[test]
fn a_file_whose_name_ends_as_if_deleted_is_not() {
    if !has_child() {
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("kept (deleted)");
    let file = fs::File::create(&path).unwrap();
    let inspection = inspect(std::process::id());
    let name = path.canonicalize().unwrap();
    let target = descriptors(&inspection).targets.iter().find(|target| target.name.as_bytes() == os_bytes(&name));
    assert_eq!(target.map(|target| (target.is_deleted, target.count)), Some((false, 1)));
    drop(file);
}

fn os_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

#[test]
fn only_what_is_asked_for_is_read() {
    let mut inspector = inspector();
    let key = inspector.key_of(std::process::id()).unwrap();
    let only = |part: Part| [part].into_iter().collect::<PartSet>();
    let inspection = inspector.inspect(key, only(Part::Threads), PLENTY).unwrap();
    assert_eq!((&inspection.mappings, &inspection.descriptors), (&Reading::Pending, &Reading::Pending));
    assert!(threads(&inspection).coverage.of > 0);
    let inspection = inspector.inspect(key, only(Part::Descriptors), PLENTY).unwrap();
    assert_eq!((&inspection.mappings, &inspection.threads), (&Reading::Pending, &Reading::Pending));
}

#[test]
fn json_has_the_parts_that_were_asked_for_and_no_growth_without_a_watch() {
    let pid = std::process::id().to_string();
    let all = json(&["inspect", &pid, "--format", "json"]);
    assert_eq!((&all["schema"], &all["pid"]), (&Json::from("memtide.inspect/1"), &Json::from(std::process::id())));
    for part in ["overview", "mappings", "descriptors", "threads"] {
        assert!(all[part].is_object(), "{part}");
    }
    assert_eq!(all.get("growth"), None);
    assert_eq!(all["mappings"]["groups"][0].get("change"), None);
    let total = all["mappings"]["total"].as_object().unwrap();
    assert_eq!(total.len(), MEMORY_FIELDS.len());

    let some = json(&["inspect", &pid, "--format", "json", "--part", "descriptors,overview", "--top", "1"]);
    assert_eq!((some.get("mappings"), some.get("threads")), (None, None));
    assert_eq!(some["descriptors"]["targets"].as_array().unwrap().len(), 1);
}

#[test]
fn a_watch_tells_what_changed_and_where() {
    if !has_child() {
        return;
    }
    let child = Program::leaker("leaks", 1024, 20);
    let json = json(&["inspect", &child.pid().to_string(), "--for", "2s", "--format", "json"]);
    let groups = json["mappings"]["groups"].as_array().unwrap();
    let grew = groups.iter().max_by_key(|group| group["change"]["pss"].as_i64()).unwrap();
    assert_eq!(grew["kind"], "anonymous");
    assert!(grew["change"]["pss"].as_u64().unwrap() >= 5 * MIB, "{grew}");
    assert!(json["growth"]["watched_ms"].as_u64().unwrap() >= 1_000, "{}", json["growth"]);
    assert!(json["growth"]["headline"]["text"].is_string());
    let text = stdout(&memtide(&["inspect", &child.pid().to_string(), "--for", "1s", "-p", "mappings"]));
    assert!(text.contains("\nMappings\n") && text.contains("CHANGE") && text.contains('#'), "{text}");
}

#[test]
fn wrong_usage_is_told() {
    for args in [&["inspect"][..], &["inspect", "0"], &["inspect", "node"], &["inspect", "1", "--part", "heap"]] {
        assert_eq!(memtide(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn text_fits_into_80_columns_where_names_do() {
    let text = stdout(&memtide(&["inspect", &std::process::id().to_string(), "--part", "overview,mappings"]));
    let long = |line: &&str| line.len() > 100 && !line.contains('/');
    assert_eq!(text.lines().find(long), None);
    assert!(text.contains("by address, "), "{text}");
}
