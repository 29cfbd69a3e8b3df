//! Hostile content: whatever bytes a file of the kernel holds, no parser panics, what is not touched keeps its value,
//! and nothing that a terminal would obey gets through.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use memtide::collect::cgroup::parse_membership;
use memtide::collect::collector::Collector;
use memtide::collect::demand::Demand;
use memtide::collect::once::{Once, read_once};
use memtide::collect::parse;
use memtide::collect::root::ProcRoot;
use memtide::collect::system::{parse_meminfo, parse_pressure, parse_swaps, parse_vmstat};
use memtide::collect::turn::all_sources;
use memtide::export::json;
use memtide::model::account::Account;
use memtide::model::field::{PROCESS_FIELDS, Source, SourceSet};
use memtide::model::group::{GroupBy, group};
use memtide::model::process::Rollup;
use memtide::model::reading::Reading;
use memtide::model::sample::Sample;
use memtide::model::snapshot::Snapshot;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use support::crowd::tree_of_many;

/// Words of the kernel's own files, and what breaks readers of them.
const WORDS: &[&[u8]] = &[
    b"Rss:",
    b"Pss:",
    b"SwapPss:",
    b"Pss_Anon:",
    b"Private_Dirty:",
    b"VmSwap:",
    b"VmHWM:",
    b"Uid:\t",
    b"MemTotal:",
    b"MemFree:",
    b"some ",
    b"full ",
    b"avg10=",
    b"total=",
    b"inf",
    b"NaN",
    b"1e99",
    b"Max open files",
    b"unlimited",
    b"0::/",
    b"4:memory:",
    b":",
    b"::",
    b"/..",
    b"size ",
    b"allocstall",
    b"pgscan_direct",
    b" kB\n",
    b"\n",
    b"\n\n",
    b"\t",
    b" ",
    b"(",
    b")",
    b") S ",
    b"-",
    b"-1",
    b"0",
    b"7",
    b"4096",
    b"4294967296",
    b"18446744073709551615",
    b"99999999999999999999999",
    b"\0",
    b"\0\0\0\0",
    b"\xff\xfe",
    b"\xc3",
    b"\x1b[2J",
    b"\x1b]0;x\x07",
    b"\x9b2J",
    "\u{202e}".as_bytes(),
    "数据库".as_bytes(),
    "e\u{301}".as_bytes(),
    "\u{9b}".as_bytes(),
];

/// Bytes of every kind that has ever broken a parser: plain garbage, words of the kernel's own files, numbers of any
/// size, NULs, broken UTF-8, what a terminal obeys.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let word = proptest::sample::select(WORDS).prop_map(<[u8]>::to_vec);
    let piece = prop_oneof![4 => word, 1 => vec(any::<u8>(), 0..8)];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// A whole line that is no line of the kernel's.
fn garbage_lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let line = garbage().prop_map(|bytes| bytes.into_iter().filter(|byte| *byte != b'\n').collect::<Vec<u8>>());
    vec(line.prop_map(|line| [b"?", &line[..]].concat()), 0..12)
}

/// Mixes lines into others, which keep their order.
fn mix(good: &[&[u8]], bad: &[Vec<u8>], places: &[Index]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = good.to_vec();
    for (line, place) in bad.iter().zip(places) {
        lines.insert(place.index(lines.len() + 1), line);
    }
    lines.iter().flat_map(|line| [*line, b"\n"].concat()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_panic_any_parser(bytes in garbage()) {
        parse::parse_stat(&bytes);
        parse::parse_statm(&bytes, 65536);
        parse::parse_status(&bytes);
        parse::parse_smaps(&bytes).map(Rollup::footprint);
        prop_assert!(parse::parse_cmdline(&bytes, 64).len() <= 64);
        parse::parse_fd_limit(&bytes);
        parse::parse_number(&bytes);
        parse_membership(&bytes).container();
        parse_membership(&bytes).unit();
        parse_meminfo(&bytes).cache();
        parse_vmstat(&bytes);
        parse_swaps(&bytes);
        parse_pressure(&bytes);
    }

    #[test]
    fn values_survive_garbage_around_them(
        bad in garbage_lines(),
        places in vec(any::<Index>(), 12),
        number in 0u64..1 << 40,
    ) {
        let kb = |name: &str| format!("{name}: {number} kB").into_bytes();
        let bytes = number * 1024;

        let lines = ["Rss", "Pss", "Pss_Anon", "Private_Clean", "Private_Dirty", "Swap", "SwapPss"].map(kb);
        let rollup = parse::parse_smaps(&mix(&lines.each_ref().map(Vec::as_slice), &bad, &places)).unwrap();
        prop_assert_eq!((rollup.rss, rollup.pss, rollup.uss), (bytes, bytes, 2 * bytes));
        prop_assert_eq!((rollup.swap, rollup.swap_pss, rollup.pss_parts), (bytes, bytes, Some([bytes, 0, 0])));

        let lines = [b"Uid:\t1\t33\t1\t1".to_vec(), kb("VmHWM"), kb("VmSwap"), kb("RssAnon")];
        let (uid, status) = parse::parse_status(&mix(&lines.each_ref().map(Vec::as_slice), &bad, &places));
        prop_assert_eq!((uid, status.peak_rss, status.swap), (Some(33), bytes, bytes));
        prop_assert_eq!(status.rss_anon, Reading::Value(bytes));

        let lines = [kb("MemTotal"), kb("MemFree"), kb("Inactive(file)")];
        let meminfo = parse_meminfo(&mix(&lines.each_ref().map(Vec::as_slice), &bad, &places));
        prop_assert_eq!((meminfo.mem_total, meminfo.inactive_file), (Reading::Value(bytes), Reading::Value(bytes)));

        let lines = [format!("pswpin {number}").into_bytes(), format!("pgmajfault {number}").into_bytes()];
        let vmstat = parse_vmstat(&mix(&lines.each_ref().map(Vec::as_slice), &bad, &places));
        prop_assert_eq!((vmstat.swap_in, vmstat.major_faults), (Reading::Value(number), Reading::Value(number)));

        let limits = mix(&[format!("Max open files   {number}  {number}  files").as_bytes()], &bad, &places);
        prop_assert_eq!(parse::parse_fd_limit(&limits), Some(number));

        let swaps = format!("Filename Type Size Used Priority\n/dev/vda file {number} {number} -2\n");
        let swaps = [swaps.into_bytes(), mix(&[], &bad, &places)].concat();
        prop_assert_eq!(parse_swaps(&swaps)[0].used, bytes);
    }

    #[test]
    fn a_group_is_found_whatever_its_name(name in vec(any::<u8>().prop_filter("no newline", |b| *b != b'\n'), 0..40)) {
        let path = [b"/", name.as_slice()].concat();
        let v2 = parse_membership(&[b"0::", path.as_slice(), b"\n"].concat());
        prop_assert_eq!(v2.memory.as_bytes(), path.as_slice());
        let v1 = parse_membership(&[b"1:name=systemd:/x\n4:cpu,memory:", path.as_slice(), b"\n0::/\n"].concat());
        prop_assert_eq!(v1.memory.as_bytes(), path.as_slice());
    }

    #[test]
    fn a_truncated_stat_is_no_other_process(length in 0usize..200) {
        let whole = b"1234 (a b) S 1 1 1 0 -1 4194304 0 0 3 0 5 6 0 0 20 0 2 0 98765 1000 20";
        let cut = &whole[..length.min(whole.len())];
        // The start time is the last that is needed: cut inside it, it is another number and no crash.
        if let Some(line) = parse::parse_stat(cut) {
            prop_assert!(cut.len() > 57 && 98765u64.to_string().starts_with(&line.start_time.to_string()));
        }
    }
}

/// Names that a process can give itself or is given: 15 bytes of anything but NUL.
const NAMES: [&[u8]; 12] = [
    b"a\nb\nUid:\t0\t0",
    b") S 1 (",
    b"((((((((",
    b"\x1b[2J\x1b[H",
    b"\x1b]0;owned\x07",
    b"\xff\xfe\x80",
    "数据库服务".as_bytes(),
    "e\u{301}e\u{301}".as_bytes(),
    "a\u{202e}cba".as_bytes(),
    "x\u{9b}31m".as_bytes(),
    b"\r\x08\x08\x7f",
    b"",
];

fn put(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A tree of processes with these names, in all places where a name can be.
fn tree_of_names(folder: &Path) {
    put(&folder.join("proc/meminfo"), "MemTotal: 1000000 kB\nMemFree: 400000 kB\nMemAvailable: 500000 kB\n");
    put(&folder.join("proc/uptime"), "100.00 50.00\n");
    let mut users = Vec::new();
    for (index, name) in NAMES.iter().enumerate() {
        let pid = 10 + index;
        let of = |file: &str| folder.join(format!("proc/{pid}/{file}"));
        let stat =
            [format!("{pid} (").as_bytes(), name, b") S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 77 0 0\n"].concat();
        put(&of("stat"), stat);
        put(&of("statm"), "100 50 20 1 0 10 0\n");
        put(&of("comm"), [name, &b"\n"[..]].concat());
        put(&of("cmdline"), [b"/bin/", *name, b"\0--x=", name, b"\0"].concat());
        put(&of("status"), format!("Name:\tx\nUid:\t{pid}\t{pid}\t{pid}\t{pid}\nVmHWM:\t300 kB\nVmSwap:\t0 kB\n"));
        put(&of("smaps_rollup"), "0-1 ---p [rollup]\nRss: 200 kB\nPss: 150 kB\nPrivate_Dirty: 120 kB\nSwapPss: 0 kB\n");
        let plain: Vec<u8> = name.iter().copied().filter(|byte| *byte != b'\n').collect();
        put(&of("cgroup"), [b"0::/", &plain[..], b"/", &plain, b".service\n"].concat());
        users.extend([&plain[..], format!(":x:{pid}:{pid}::/:/bin/sh\n").as_bytes()].concat());
    }
    put(&folder.join("etc/passwd"), users);
}

fn memtide(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memtide")).args(args).arg("--root").arg(folder).output().unwrap()
}

/// Whether a terminal would obey anything in this text but the newline.
fn is_harmless(text: &str) -> bool {
    text.chars()
        .all(|c| c == '\n' || !(c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')))
}

#[test]
fn no_name_reaches_a_terminal_as_a_command() {
    let folder = tempfile::tempdir().unwrap();
    tree_of_names(folder.path());
    let columns = "pid,user,name,unit,cgroup,pss,command";
    for args in [
        &["ps", "-o", columns][..],
        &["ps", "-o", columns, "--format", "csv"],
        &["ps", "-o", columns, "--format", "json"],
        &["ps", "--group", "command"],
        &["ps", "--group", "user"],
        &["ps", "--group", "unit"],
    ] {
        let output = memtide(args, folder.path());
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(is_harmless(&text), "{args:?}: {text:?}");
        assert!(text.contains("数据库服务") && text.contains("\u{301}"), "what is harmless stays: {args:?}: {text}");
    }
    let output = memtide(&["ps", "-o", "pid,command", "--no-header"], folder.path());
    // A line a process: no name makes two of one.
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), NAMES.len());
}

#[test]
fn a_name_decides_nothing_but_itself() {
    let folder = tempfile::tempdir().unwrap();
    tree_of_names(folder.path());
    for sample in looks(folder.path()) {
        assert_eq!(sample.processes.len(), NAMES.len());
        for (process, name) in sample.processes.iter().zip(NAMES) {
            assert_eq!(process.identity.comm.as_bytes(), name);
            assert_eq!(process.key.start_time, 77);
            assert_eq!(process.identity.uid, process.key.pid, "the name tells of another user");
            assert_eq!(process.rollup.reading.value().unwrap().uss, 120 * 1024);
        }
    }
}

#[test]
fn the_screen_shows_hostile_names_harmlessly() {
    let folder = tempfile::tempdir().unwrap();
    tree_of_names(folder.path());
    let terminal = support::pty::Command::new(env!("CARGO_BIN_EXE_memtide"))
        .args(["--root".as_ref(), folder.path().as_os_str()])
        .size(120, 30)
        .start();
    let screen = terminal.wait_for_text("数据库服务");
    let text = screen.lines().join("\n");
    // Every one is there, in its own line, with what is dangerous spelt out.
    for part in ["\\x1b[2J\\x1b[H", "\\x1b]0;owned\\x07", "\\xff\\xfe\\x80", "a\\u{202e}cba", "a\\nb\\nUid:"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// A complete look and one read in turn.
fn looks(folder: &Path) -> [Sample; 2] {
    looks_for(all_sources(), folder)
}

fn looks_for(sources: SourceSet, folder: &Path) -> [Sample; 2] {
    let root = ProcRoot::recorded(folder);
    let once = read_once(&root, &Once { sources, top_by_pss: None }).unwrap();
    let mut collector = Collector::new(root).unwrap();
    let demand = Demand { sources, visible: Vec::new(), top_by_pss: 3, cgroups: false, budget: 1.0 };
    collector.sample(&demand, Duration::from_mins(1)).unwrap();
    [once, collector.sample(&demand, Duration::from_mins(1)).unwrap()]
}

/// Derives, groups and prints all there is of a sample.
fn use_all_of(sample: Sample) -> String {
    let snapshot = Snapshot::derive(None, Arc::new(sample), memtide::model::judgement::Analysis::default());
    let _ = Account::of(&snapshot.sample.system);
    let fields: Vec<_> = PROCESS_FIELDS.iter().collect();
    let order: Vec<usize> = (0..snapshot.sample.processes.len()).collect();
    let groups = group(&snapshot, GroupBy::Unit, order.iter().map(|index| *index as u32));
    [json::processes(&snapshot, &fields, &order), json::groups(&snapshot, &fields, &groups), json::machine(&snapshot)]
        .map(|document| document.to_string())
        .concat()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy(&entry.path(), &target),
            kind if kind.is_symlink() => {
                std::os::unix::fs::symlink(fs::read_link(entry.path()).unwrap(), target).unwrap();
            }
            _ => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Every regular file below a folder.
fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files(&entry.path(), all);
        } else if kind.is_file() {
            all.push(entry.path());
        }
    }
}

#[derive(Clone, Debug)]
enum Damage {
    Empty,
    Cut(Index),
    Nul,
    Bytes(Vec<u8>),
    Tail(Vec<u8>),
    Folder,
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::Empty),
        any::<Index>().prop_map(Damage::Cut),
        Just(Damage::Nul),
        garbage().prop_map(Damage::Bytes),
        garbage().prop_map(Damage::Tail),
        Just(Damage::Folder),
    ]
}

fn inflict(damage: &Damage, path: &Path) {
    let old = fs::read(path).unwrap_or_default();
    match damage {
        Damage::Empty => fs::write(path, b"").unwrap(),
        Damage::Cut(at) => fs::write(path, &old[..at.index(old.len() + 1)]).unwrap(),
        Damage::Nul => fs::write(path, vec![0; 20_000]).unwrap(),
        Damage::Bytes(bytes) => fs::write(path, bytes).unwrap(),
        Damage::Tail(bytes) => fs::write(path, [old, bytes.clone()].concat()).unwrap(),
        Damage::Folder => {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }
    }
}

fn fixture(scenario: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/roots").join(scenario)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A few files of a whole tree are damaged: there is a sample all the same, or an error that names the file, and
    /// nothing else has changed its value.
    #[test]
    fn a_tree_with_damaged_files_gives_a_sample_or_a_named_error(
        wounds in vec((any::<Index>(), damage()), 1..8),
        scenario in proptest::sample::select(&["cgroup-v2-6.8/t0", "centos-7-3.10", "amazon-linux-2-5.10"][..]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        copy(&fixture(scenario), folder.path());
        let mut all = Vec::new();
        files(folder.path(), &mut all);
        let mut touched = Vec::new();
        for (place, damage) in &wounds {
            let path = &all[place.index(all.len())];
            if path.is_file() {
                inflict(damage, path);
                touched.push(path.strip_prefix(folder.path()).unwrap().to_owned());
            }
        }
        let root = ProcRoot::recorded(folder.path());
        if let Err(error) = read_once(&root, &Once { sources: all_sources(), top_by_pss: None }) {
            prop_assert!(touched.contains(&PathBuf::from("proc/meminfo")), "{error}: {touched:?}");
            prop_assert!(error.to_string().contains("proc"), "{error}");
            return Ok(());
        }
        let whole = ProcRoot::recorded(&fixture(scenario));
        let whole = read_once(&whole, &Once { sources: all_sources(), top_by_pss: None }).unwrap();
        for sample in looks(folder.path()) {
            for process in &whole.processes {
                let own = Path::new("proc").join(process.key.pid.to_string());
                if touched.iter().any(|path| path.starts_with(&own)) {
                    continue;
                }
                let now = sample.process(process.key).unwrap();
                prop_assert_eq!(now.resident, process.resident);
                prop_assert_eq!(now.rollup.reading, process.rollup.reading);
                prop_assert_eq!(now.status.reading, process.status.reading);
                prop_assert_eq!(now.fds.reading, process.fds.reading);
                prop_assert_eq!(&now.identity, &process.identity);
            }
            prop_assert!(is_harmless(&use_all_of(sample)));
        }
    }
}

/// Pids enough that anything that grows with their square would never end.
const MANY: u32 = 100_000;

#[test]
fn a_hundred_thousand_processes_are_read_whole() {
    let folder = tree_of_many(MANY);
    let expect = |sample: &Sample| {
        assert_eq!(sample.processes.len(), MANY as usize);
        let pss: u64 = sample.processes.iter().map(|process| process.rollup.reading.value().unwrap().pss).sum();
        assert_eq!(pss, u64::from(MANY) * 1500 * 1024);
    };
    let [once, in_turn] = looks_for([Source::Rollup].into_iter().collect(), folder.path());
    expect(&once);
    expect(&in_turn);
    let output = memtide(&["ps", "--format", "csv", "-o", "pid,rss,pss", "--sort", "pid"], folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1 + MANY as usize);
    assert_eq!(text.lines().last(), Some("100000,2048000,1536000"));
}

/// Folders and files with names that are numbers almost, and files of the machine that are not there.
#[test]
fn what_is_no_pid_is_no_process() {
    let folder = tempfile::tempdir().unwrap();
    tree_of_names(folder.path());
    for name in [&b"99999999999"[..], b"12x", b"-5", b"0x10", b"4294967296", b"1\xff", b"self", b"thread-self"] {
        fs::create_dir(folder.path().join("proc").join(OsStr::from_bytes(name))).unwrap();
    }
    // A file where a folder should be, and a folder with nothing in it.
    put(&folder.path().join("proc/5"), "x");
    fs::create_dir(folder.path().join("proc/6")).unwrap();
    for sample in looks(folder.path()) {
        assert_eq!(sample.processes.len(), NAMES.len());
    }
}
