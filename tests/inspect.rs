//! One process whole, on the machine that runs the tests: what an inspection says agrees with the kernel's own files
//! and with pmap(1) and lsof(8).
//!
//! The processes are stopped, so what belongs to them alone can't drift; see `agreement.rs` for what still moves and
//! why some comparisons are made until both sides were read without such a change in between.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use memtide::model::inspect::PartSet;
use memtide::model::inspect::descriptor::{DescriptorKind, Descriptors, Target};
use memtide::model::inspect::mapping::{MappingGroup, MappingKind};
use memtide::model::inspect::memory::{MEMORY_FIELDS, Memory, memory_field};
use support::inspect::{agree, descriptors, has_child, inspect, mappings, threads, zoo};
use support::programs::Program;
use support::require::has_programs;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

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
        for key in ["rss", "uss", "dirty", "anon", "locked"] {
            agree(key, || {
                let total = mappings(&inspect(child.pid())).total;
                ((memory_field(key).unwrap().get)(&total), kernel_sum(&file("smaps_rollup"), key))
            });
        }
        agree("pss", || {
            // The kernel cuts the PSS of each mapping to whole KiB, and that of the rollup once.
            let inspection = inspect(child.pid());
            let (ours, most) = (mappings(&inspection).total.pss, mappings(&inspection).coverage.of * KIB);
            let cut = kernel_sum(&file("smaps_rollup"), "pss").wrapping_sub(ours);
            (cut.min(most), if cut < most { cut } else { 0 })
        });
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
fn what_is_inside_of_a_descriptor_is_what_the_kernel_says() {
    if !has_child() {
        return;
    }
    let (zoo, _folder) = zoo();
    let inspection = inspect(zoo.pid());
    let inside = |kind: DescriptorKind, name: &str| {
        let named = |target: &&Target| target.kind == kind && target.name.escaped().ends_with(name);
        let target = descriptors(&inspection).targets.iter().find(named).unwrap();
        let file = fs::read_to_string(format!("/proc/{}/fdinfo/{}", zoo.pid(), target.highest)).unwrap();
        let info = target.info.unwrap();
        let line = |key: &str| file.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim();
        assert_eq!(info.offset.to_string(), line("pos:"), "{file}");
        assert_eq!(format!("0{:o}", info.flags), line("flags:"), "{file}");
        (info.held, target.inside().unwrap_or_default())
    };
    assert_eq!(inside(DescriptorKind::Epoll, ""), (Some(2), "2 entries".into()));
    assert_eq!(inside(DescriptorKind::Inotify, ""), (Some(3), "3 watches".into()));
    assert_eq!(inside(DescriptorKind::Eventfd, ""), (Some(41), "counts 41".into()));
    let (held, words) = inside(DescriptorKind::File, "/app.log");
    assert!(held.is_none() && words.ends_with(" append"), "{words}");
    let (_, words) = inside(DescriptorKind::File, "/gone.log");
    assert!(words.ends_with(" at 1.0M"), "two share where they are: {words}");
    let newest = &descriptors(&inspection).newest;
    assert!(newest.iter().any(|descriptor| descriptor.kind == DescriptorKind::Epoll && descriptor.info.is_some()));
    // Without time none is looked into, and the rest is there.
    let mut inspector = support::inspect::inspector();
    let key = inspector.key_of(zoo.pid()).unwrap();
    let hasty = inspector.inspect(key, PartSet::all(), std::time::Duration::ZERO).unwrap();
    assert!(descriptors(&hasty).newest.iter().all(|descriptor| descriptor.info.is_none()));
    assert!(!descriptors(&hasty).newest.is_empty());
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
