//! memtide's figures agree with the kernel's own files and with ps(1) and free(1), on the machine that runs the tests.
//!
//! The processes that are compared are stopped, so what belongs to them alone can't drift. One thing still moves:
//! pages of the program file (and of libc, where it can't be linked into it) are divided by all who map them, and
//! other tests start and end their own. So PSS and USS are compared until both sides were read without such a change
//! in between; a wrong figure never agrees.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use memtide::collect::once::{Once, read_once};
use memtide::collect::root::ProcRoot;
use memtide::model::field::{SYSTEM_FIELDS, Source, SourceSet, Value, process_field};
use memtide::model::process::ProcessSample;
use memtide::model::reading::{Denial, Reading};
use memtide::model::sample::Sample;
use memtide::model::snapshot::Snapshot;
use support::programs::{Program, compiler};
use support::require::{has, has_programs};
use support::samples::{sample_in_turn, sample_once};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// What the kernel says of a process, read here line by line and not by memtide's parsers.
#[derive(Debug, PartialEq)]
struct Kernel {
    rss: u64,
    pss: u64,
    uss: u64,
    swap_pss: u64,
    fds: u64,
    fd_limit: u64,
    threads: u64,
    start_time: u64,
    command: String,
    cgroup: String,
}

impl Kernel {
    fn read(pid: u32) -> Self {
        let file = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
        let entries = |name: &str| fs::read_dir(format!("/proc/{pid}/{name}")).unwrap().count() as u64;
        let statm_pages: u64 = file("statm").split(' ').nth(1).unwrap().parse().unwrap();
        let rollup = file("smaps_rollup");
        let limits = file("limits");
        let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
        let limit = limit.split_whitespace().next().unwrap();
        // Fields 1 and 2 end with the last bracket: field 22 is the twentieth after it.
        let stat = file("stat");
        let after_name = stat.rsplit_once(") ").unwrap().1;
        Self {
            rss: statm_pages * rustix::param::page_size() as u64,
            pss: sum(&rollup, &["Pss"]),
            uss: sum(&rollup, PRIVATE),
            swap_pss: sum(&rollup, &["SwapPss"]),
            fds: entries("fd"),
            fd_limit: if limit == "unlimited" { u64::MAX } else { limit.parse().unwrap() },
            threads: entries("task"),
            start_time: after_name.split(' ').nth(19).unwrap().parse().unwrap(),
            command: file("cmdline").trim_end_matches('\0').replace('\0', " "),
            cgroup: cgroup(&file("cgroup")),
        }
    }
}

const PRIVATE: &[&str] = &["Private_Clean", "Private_Dirty", "Private_Hugetlb"];

/// The sum, in bytes, of all lines of these names in a file of `Name:  12 kB` lines.
fn sum(file: &str, names: &[&str]) -> u64 {
    let lines = file.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| names.contains(name));
    lines.map(|(_, value)| value.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * KIB).sum()
}

/// The group that accounts the memory: the v1 memory controller's where there is one, else the unified one.
fn cgroup(file: &str) -> String {
    let line = |wanted: &dyn Fn(&str) -> bool| {
        file.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            wanted(parts.next()?).then(|| parts.next().map(str::to_owned))?
        })
    };
    line(&|controllers| controllers.split(',').any(|name| name == "memory")).or_else(|| line(&str::is_empty)).unwrap()
}

/// What a command prints, without the white space around it.
fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).env("LC_ALL", "C").output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Whether what starts the children is here.
fn can_start_children() -> bool {
    has_programs(&[&compiler()])
}

/// One stopped child of each kind.
fn children() -> Vec<Program> {
    let children = vec![
        Program::holder("holds 40 MiB", 40 * 1024),
        Program::sharer("shares 20 MiB", 20 * 1024, 1),
        Program::opener("opens 200", 200),
        Program::threaded("three threads", 3),
        mapper(),
    ];
    children.iter().for_each(Program::freeze);
    children
}

/// A process with a file of 4 MiB in RAM whose pages need not be written any more and that nobody else has.
fn mapper() -> Program {
    let mut file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.write_all(&vec![1; 4 * MIB as usize]).unwrap();
    file.as_file().sync_all().unwrap();
    // The file is removed here: what is mapped stays.
    Program::mapper("maps 4 MiB", file.path())
}

fn snapshot(sample: Sample) -> Snapshot {
    Snapshot::derive(None, Arc::new(sample), memtide::model::judgement::Analysis::default())
}

fn process_of(sample: &Sample, pid: u32) -> &ProcessSample {
    sample.processes.iter().find(|process| process.key.pid == pid).unwrap()
}

/// Repeats a comparison of what moves until it holds; panics with the last difference where it never does.
fn settles(mut compare: impl FnMut() -> Result<(), String>) {
    let mut difference = String::new();
    for _ in 0..100 {
        match compare() {
            Ok(()) => return,
            Err(new) => difference = new,
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{difference}");
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, ours: &T, theirs: &T) -> Result<(), String> {
    if ours == theirs { Ok(()) } else { Err(format!("{what}: {ours:?}, but the kernel says {theirs:?}")) }
}

/// The fields of a process that the kernel's files have word for word.
fn fields_agree(snapshot: &Snapshot, pid: u32, kernel: &Kernel) -> Result<(), String> {
    let key = process_of(&snapshot.sample, pid).key;
    equal("start time", &key.start_time, &kernel.start_time)?;
    let row = snapshot.row_of(key).unwrap();
    let expected = [
        ("pid", Value::Count(pid.into())),
        ("state", Value::Text("T".into())),
        ("rss", Value::Bytes(kernel.rss)),
        ("pss", Value::Bytes(kernel.pss)),
        ("uss", Value::Bytes(kernel.uss)),
        ("swap_pss", Value::Bytes(kernel.swap_pss)),
        ("footprint", Value::Bytes(kernel.pss + kernel.swap_pss)),
        ("fds", Value::Count(kernel.fds)),
        ("fd_limit", Value::Count(kernel.fd_limit)),
        ("threads", Value::Count(kernel.threads)),
        ("command", Value::Text(kernel.command.as_str().into())),
        ("cgroup", Value::Text(kernel.cgroup.as_str().into())),
    ];
    for (name, theirs) in expected {
        let ours = (process_field(name).unwrap().get)(&row);
        equal(name, &ours, &Reading::Value(theirs))
            .map_err(|difference| format!("{}: {difference}", kernel.command))?;
    }
    Ok(())
}

#[test]
fn every_figure_of_a_stopped_process_is_the_kernels_in_a_complete_sample_and_in_one_read_in_turn() {
    if !can_start_children() {
        return;
    }
    let children = children();
    for take in [sample_once, sample_in_turn] {
        settles(|| {
            let read = || children.iter().map(|child| Kernel::read(child.pid())).collect::<Vec<_>>();
            let before = read();
            let snapshot = snapshot(take());
            equal("the kernel before and after", &before, &read())?;
            children.iter().zip(&before).try_for_each(|(child, kernel)| fields_agree(&snapshot, child.pid(), kernel))
        });
    }
}

#[test]
fn what_the_children_were_told_to_have_is_what_is_read_of_them() {
    if !can_start_children() {
        return;
    }
    let children = children();
    let sample = sample_once();
    let [holder, sharer, opener, threaded, mapper] =
        [0, 1, 2, 3, 4].map(|index| process_of(&sample, children[index].pid()));

    let rollup = holder.rollup.reading.value().unwrap();
    let [anon, _, shmem] = rollup.pss_parts.unwrap();
    // Beyond what it was told to hold it has a stack and the writable parts of libc: far less than 2 MiB.
    assert!((40 * MIB..42 * MIB).contains(&anon), "{rollup:?}");
    assert!((40 * MIB..43 * MIB).contains(&rollup.uss), "{rollup:?}");
    assert_eq!(shmem, 0);

    // Exactly two map it, so exactly half of each page is this one's, and nothing of it is private.
    let rollup = sharer.rollup.reading.value().unwrap();
    let [_, _, shmem] = rollup.pss_parts.unwrap();
    assert_eq!(shmem, 10 * MIB);
    assert!(rollup.uss < 2 * MIB, "{rollup:?}");
    assert!(rollup.rss >= 20 * MIB && rollup.pss < 12 * MIB, "{rollup:?}");
    assert_eq!(sharer.status.reading.value().unwrap().rss_shmem, Reading::Value(20 * MIB));

    // What is private and clean is given back too.
    assert!(mapper.rollup.reading.value().unwrap().uss >= 4 * MIB, "{:?}", mapper.rollup);
    assert_eq!(mapper.status.reading.value().unwrap().rss_anon.map(|anon| anon < 2 * MIB), Reading::Value(true));

    let fds = |process: &ProcessSample| process.fds.reading.value().unwrap();
    assert_eq!(fds(opener), fds(holder) + 200);
    assert_eq!(threaded.stat.reading.value().unwrap().threads, 3);
    assert_eq!(opener.stat.reading.value().unwrap().threads, 1);
}

/// smaps rounds down to a whole KiB in each mapping, smaps_rollup once for all of them: the sum falls short by less
/// than 1 KiB a mapping and is never above. Private memory is whole pages, and so exact.
#[test]
fn the_sums_over_all_mappings_are_the_rolled_up_figures() {
    if !can_start_children() {
        return;
    }
    let children = children();
    for child in &children {
        settles(|| {
            let smaps = fs::read_to_string(format!("/proc/{}/smaps", child.pid())).unwrap();
            let mappings = smaps.lines().filter(|line| line.starts_with("Pss:")).count() as u64;
            let sample = sample_once();
            let rollup = process_of(&sample, child.pid()).rollup.reading.value().unwrap();
            equal("uss", &rollup.uss, &sum(&smaps, PRIVATE))?;
            let rounded =
                [("pss", rollup.pss, sum(&smaps, &["Pss"])), ("swap_pss", rollup.swap_pss, sum(&smaps, &["SwapPss"]))];
            for (name, ours, sum) in rounded {
                if !(sum..=sum + mappings * KIB).contains(&ours) {
                    return Err(format!("{name}: {ours}, the {mappings} mappings sum up to {sum}"));
                }
            }
            Ok(())
        });
    }
}

/// Where the kernel counts RSS by CPU (Linux 6.2) one of its files may leave out what another one adds up: for each
/// kind of page (file, anonymous, shared) at most a batch of 32 pages, or two for each CPU, on every CPU.
#[test]
fn ps_says_the_same_of_memory_user_and_threads() {
    if !has_programs(&["ps", &compiler()]) {
        return;
    }
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let cpus = stat.lines().filter(|line| line.starts_with("cpu")).count() as u64 - 1;
    let tolerance = 3 * cpus * (2 * cpus).max(32) * rustix::param::page_size() as u64;
    let mut children = children();
    if rustix::process::geteuid().is_root() {
        children.push(Program::of_user("of nobody", NOBODY));
        children.last().unwrap().freeze();
    }
    let snapshot = snapshot(sample_once());
    for child in &children {
        let ps = |format: &str| output("ps", &["-o", format, "-p", &child.pid().to_string()]);
        let row = snapshot.row_of(process_of(&snapshot.sample, child.pid()).key).unwrap();
        let ours = |key: &str| (process_field(key).unwrap().get)(&row).value().unwrap();
        let (rss, theirs) = (ours("rss").number().unwrap() as u64, ps("rss=").parse::<u64>().unwrap() * KIB);
        assert!(rss.abs_diff(theirs) <= tolerance, "{}: {rss}, ps says {theirs}", child.name());
        assert_eq!(ours("user").to_string(), ps("user:32="), "{}", child.name());
        assert_eq!(ours("threads").to_string(), ps("nlwp="), "{}", child.name());
        assert_eq!(ours("ppid").to_string(), ps("ppid="), "{}", child.name());
        assert_eq!(ours("command").to_string(), ps("args="), "{}", child.name());
    }
}

/// The user whom everybody agrees to have no rights.
const NOBODY: u32 = 65534;

fn meminfo(name: &str) -> u64 {
    sum(&fs::read_to_string("/proc/meminfo").unwrap(), &[name])
}

/// Reads the machine alone.
fn sample_machine() -> Snapshot {
    snapshot(read_once(&ProcRoot::live(), &Once { sources: SourceSet::default(), top_by_pss: None }).unwrap())
}

/// A quantity of the machine in bytes.
fn machine(snapshot: &Snapshot, key: &str) -> u64 {
    let field = SYSTEM_FIELDS.iter().find(|field| field.key == key).unwrap();
    match (field.get)(snapshot) {
        Reading::Value(Value::Bytes(bytes)) => bytes,
        other => panic!("{key}: {other:?}"),
    }
}

#[test]
fn free_says_the_same_of_the_machine() {
    if !has_programs(&["free"]) {
        return;
    }
    let total = meminfo("MemTotal");
    settles(|| {
        let snapshot = sample_machine();
        let table = output("free", &["-b"]);
        let line = |name: &str| -> Vec<u64> {
            let line = table.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().map(|number| number.parse().unwrap()).collect()
        };
        let (mem, swap) = (line("Mem:"), line("Swap:"));
        equal("MemTotal", &machine(&snapshot, "mem_total"), &mem[0])?;
        equal("SwapTotal", &machine(&snapshot, "swap_total"), &swap[0])?;
        // The machine moves between the two reads: 2 % of its memory is allowed for that.
        let mut moving = vec![("mem_available", mem[5])];
        // Before procps 4.0.1, used was what is neither free nor cache.
        if procps() >= [4, 0, 1] {
            moving.push(("mem_used", mem[1]));
        } else {
            moving.push(("mem_used", mem[0] - mem[5]));
        }
        for (key, theirs) in moving {
            let ours = machine(&snapshot, key);
            if ours.abs_diff(theirs) > total / 50 {
                return Err(format!("{key}: {ours}, free says {theirs}"));
            }
        }
        Ok(())
    });
}

/// The release of procps that free(1) comes from.
fn procps() -> [u32; 3] {
    let text = output("free", &["--version"]);
    let mut numbers = text.rsplit(' ').next().unwrap().split('.').map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| numbers.next().unwrap_or(0))
}

/// Between the two looks a figure may have gone out and come back: 1 % of the memory is allowed for that.
#[test]
fn the_machines_figures_lie_between_two_looks_at_meminfo() {
    const LINES: [(&str, &str); 6] = [
        ("MemTotal", "mem_total"),
        ("MemFree", "mem_free"),
        ("MemAvailable", "mem_available"),
        ("AnonPages", "mem_anon"),
        ("Cached", "mem_cached"),
        ("SwapTotal", "swap_total"),
    ];
    let slack = |line: &str, total: u64| if line.ends_with("Total") { 0 } else { total / 100 };
    settles(|| {
        let look = || LINES.map(|(line, _)| meminfo(line));
        let before = look();
        let snapshot = sample_machine();
        let after = look();
        let used = machine(&snapshot, "mem_used");
        equal("mem_used", &used, &(machine(&snapshot, "mem_total") - machine(&snapshot, "mem_available")))?;
        for (index, (line, key)) in LINES.into_iter().enumerate() {
            let slack = slack(line, before[0]);
            let (least, most) = (before[index].min(after[index]), before[index].max(after[index]));
            let ours = machine(&snapshot, key);
            if !(least.saturating_sub(slack)..=most + slack).contains(&ours) {
                return Err(format!("{line}: {ours} is not between {least} and {most}"));
            }
        }
        Ok(())
    });
}

#[test]
fn the_pss_of_all_processes_fits_in_the_machines_memory_and_holds_what_the_children_have() {
    if !can_start_children() {
        return;
    }
    let children = children();
    let sample = sample_once();
    let pss = |process: &ProcessSample| process.rollup.reading.value().map_or(0, |rollup| rollup.pss);
    let all: u64 = sample.processes.iter().map(|process| pss(process)).sum();
    let own: u64 = children.iter().map(|child| pss(process_of(&sample, child.pid()))).sum();
    assert!(own >= 50 * MIB, "{own}");
    // The test itself is one process more.
    assert!(all > own + pss(process_of(&sample, std::process::id())) / 2, "{all} with {own} of the children");
    assert!(all <= meminfo("MemTotal"), "{all}");
}

/// Where only the largest are asked for, whatever else the machine runs, they are those of a full read: also where
/// more processes than are read at a time have a larger RSS, of which they share most.
#[test]
fn the_largest_by_pss_are_those_of_a_full_read() {
    if !can_start_children() {
        return;
    }
    let sizes = [40, 24, 16, 8, 4];
    let holders = sizes.map(|mib| Program::holder(&format!("holds {mib} MiB"), mib * 1024));
    let crowd = Program::sharer("a crowd", 12 * 1024, 100);
    holders.iter().for_each(Program::freeze);
    crowd.freeze();
    let own = holders.each_ref().map(Program::pid);
    let by_pss = |sample: &Sample| -> Vec<(u32, u64)> {
        let read = |process: &Arc<ProcessSample>| Some((process.key.pid, process.rollup.reading.value()?.pss));
        let mut all: Vec<_> = sample.processes.iter().filter_map(read).collect();
        all.sort_by_key(|(_, pss)| std::cmp::Reverse(*pss));
        all
    };
    // The others on this machine come and go, but by far not all of them in the time of two reads.
    for (count, last) in own.iter().enumerate().map(|(index, pid)| (index + 1, pid)) {
        settles(|| {
            let full = by_pss(&sample_once());
            let k = 1 + full.iter().position(|(pid, _)| pid == last).unwrap();
            let sources: SourceSet = [Source::Rollup, Source::Fds].into_iter().collect();
            let top = read_once(&ProcRoot::live(), &Once { sources, top_by_pss: Some(k) }).unwrap();
            let of_ours = |all: &[(u32, u64)]| -> Vec<u32> {
                all.iter().take(k).map(|(pid, _)| *pid).filter(|pid| own.contains(pid)).collect()
            };
            equal("the largest", &of_ours(&by_pss(&top)), &own[..count].to_vec())?;
            equal("the largest of all", &of_ours(&full), &own[..count].to_vec())?;
            // What was proven is read whole; what was not can't be larger than the last of the largest.
            for pid in &own[..count] {
                if process_of(&top, *pid).fds.reading.value().is_none() {
                    return Err(format!("{pid} is among the largest, and not all that was asked for was read of it"));
                }
            }
            let bound = full[k - 1].1;
            let is_left_out = |pid: u32| !top.processes.iter().any(|process| process.key.pid == pid);
            for (pid, pss) in full.iter().filter(|(pid, _)| own.contains(pid)) {
                if is_left_out(*pid) && *pss > bound {
                    return Err(format!("{pid} with {pss} was left out, above {bound}"));
                }
            }
            if top.processes.len() > k {
                return Err(format!("{} processes where {k} were asked for", top.processes.len()));
            }
            Ok(())
        });
    }
}

/// The variable that tells the test below which process to look at.
const TARGET: &str = "MEMTIDE_TEST_TARGET";

#[test]
fn another_users_memory_is_denied_and_never_zero() {
    let is_root = rustix::process::geteuid().is_root();
    if !has(is_root || uid_of(1) == Some(0), "a process of another user") || !can_start_children() {
        return;
    }
    let child = Program::holder("private", 1024);
    // The running program, wherever it lies: the folders above it may be closed to others.
    let mut helper = Command::new("/proc/self/exe");
    helper.args(["--exact", "reads_as_another_user", "--ignored", "--nocapture", "--test-threads", "1"]);
    helper.current_dir("/").env(TARGET, if is_root { child.pid() } else { 1 }.to_string());
    if is_root {
        helper.uid(NOBODY).gid(NOBODY);
    }
    let output = helper.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let denied = format!("{:?}", Reading::<u64>::Denied(Denial::Ptrace));
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default();
    for field in ["pss", "uss", "swap_pss", "footprint", "anon_huge", "pss_anon"] {
        assert_eq!(line(&format!("target {field}:")), denied, "{text}");
        // Its own are there: it is not the figure that is missing.
        assert!(line(&format!("own {field}:")).starts_with("Value(Bytes("), "{text}");
    }
    assert!(line("target rss:").starts_with("Value(Bytes(") && line("target rss:") != "Value(Bytes(0))", "{text}");
    assert!(line("denied:").parse::<u32>().unwrap() > 0, "{text}");
    assert_eq!(line("others read:"), "[]", "{text}");
}

/// The effective user of a process.
fn uid_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().nth(1)?.parse().ok()
}

/// Not a test of its own: what the test above runs as another user.
#[test]
#[ignore = "run by another_users_memory_is_denied_and_never_zero"]
fn reads_as_another_user() {
    let target: u32 = std::env::var(TARGET).expect("started by the test above").parse().unwrap();
    let snapshot = snapshot(sample_once());
    let mut out = std::io::stdout();
    // libtest has begun a line of its own.
    writeln!(out).unwrap();
    for (who, pid) in [("target", target), ("own", std::process::id())] {
        let row = snapshot.row_of(process_of(&snapshot.sample, pid).key).unwrap();
        for key in ["rss", "pss", "uss", "swap_pss", "footprint", "anon_huge", "pss_anon"] {
            writeln!(out, "{who} {key}: {:?}", (process_field(key).unwrap().get)(&row)).unwrap();
        }
    }
    writeln!(out, "denied: {}", snapshot.sample.scan.denied).unwrap();
    let own = rustix::process::geteuid().as_raw();
    let others = snapshot.sample.processes.iter().filter(|process| process.identity.uid != own);
    let read: Vec<u32> =
        others.filter(|process| process.rollup.reading.value().is_some()).map(|process| process.key.pid).collect();
    writeln!(out, "others read: {read:?}").unwrap();
}
