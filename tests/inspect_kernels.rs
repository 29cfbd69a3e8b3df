//! An inspection of processes of other kernels, recorded below `tests/fixtures/roots`: to the byte, and as text.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use memtide::collect::inspect::{Inspector, NoInspection};
use memtide::collect::root::ProcRoot;
use memtide::export::inspect::{Report, write};
use memtide::model::inspect::mapping::MappingKind;
use memtide::model::inspect::memory::Memory;
use memtide::model::inspect::thread::Stack;
use memtide::model::inspect::{Inspection, PartSet};
use memtide::model::reading::{Need, Reading};

const KIB: u64 = 1024;

fn tree(scenario: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/roots").join(scenario)
}

fn try_inspect(scenario: &str, pid: u32) -> Result<Inspection, NoInspection> {
    let mut inspector = Inspector::open(ProcRoot::recorded(&tree(scenario))).unwrap();
    let key = inspector.key_of(pid)?;
    inspector.inspect(key, PartSet::all(), Duration::from_mins(10))
}

fn inspect(scenario: &str, pid: u32) -> Inspection {
    try_inspect(scenario, pid).unwrap()
}

fn text(scenario: &str, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_memtide"))
        .arg("inspect")
        .args(["--root".as_ref(), tree(scenario).as_os_str()])
        .args(args)
        .args(["--budget", "1h"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn assert_snapshot(name: &str, text: &str) {
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, text);
    });
}

/// Kind, mappings, RSS and swap of each group, KiB.
fn groups(inspection: &Inspection) -> Vec<(String, u32, u64, u64)> {
    let groups = &inspection.mappings.as_ref().value().unwrap().groups;
    groups.iter().map(|group| (group.shown(), group.count, group.memory.rss / KIB, group.memory.swap / KIB)).collect()
}

#[test]
fn a_node_app_on_linux_4_14_is_told_to_the_byte() {
    let inspection = inspect("amazon-linux-2-4.14", 3344);
    let expected = [
        ("V8 heap", 2, 1_048_576 + 386_244, 100_000),
        ("[heap]", 1, 100_000, 20_000),
        ("malloc arenas", 1, 40_000, 0),
        ("thread stacks", 10, 34_880, 0),
        ("/usr/bin/node", 2, 31_000, 0),
        ("/usr/lib64/libc-2.26.so (deleted)", 1, 4_800, 0),
        ("generated code", 1, 1_200, 0),
        ("[stack]", 1, 100, 0),
        ("/run/app/cache", 1, 200, 0),
        ("reserved", 11, 0, 0),
        ("[vdso]", 1, 0, 0),
    ];
    let ours = groups(&inspection);
    for (name, count, rss, swap) in expected {
        assert!(ours.contains(&(name.to_owned(), count, rss, swap)), "{name}: {ours:#?}");
    }
    assert_eq!(ours.len(), expected.len());
    let mappings = inspection.mappings.as_ref().value().unwrap();
    let rollup = inspection.overview.process.rollup.reading.value().unwrap();
    let total = Memory { size: mappings.total.size, ..mappings.total };
    assert_eq!((total.rss, total.pss, total.uss), (rollup.rss, rollup.pss, rollup.uss));
    assert_eq!((total.swap, total.swap_pss, total.anon_huge), (rollup.swap, rollup.swap_pss, rollup.anon_huge));
    let tmpfs = mappings.groups.iter().find(|group| group.kind == MappingKind::Tmpfs).unwrap();
    assert_eq!(tmpfs.name.as_bytes(), b"/run/app/cache");

    let overview = &inspection.overview;
    assert_eq!(overview.oom_score_adj, Reading::Value(-100));
    assert_eq!((overview.fd_limit.value().unwrap().soft, overview.fd_limit.value().unwrap().hard), (1024, 4096));
    let limit = overview.limit.as_ref().value().unwrap().as_ref();
    assert_eq!(limit, None, "no group of this machine has a limit");

    let threads = inspection.threads.as_ref().value().unwrap();
    assert_eq!(threads.states(), [(b'S', 10), (b'R', 1)]);
    let stack = |nth: usize| threads.threads[nth].stack;
    assert_eq!(stack(0), Reading::Value(Stack { size: 136 * KIB, rss: 100 * KIB, swap: 0 }));
    assert_eq!(stack(1), Reading::Value(Stack { size: 8192 * KIB, rss: 3488 * KIB, swap: 0 }));
    assert_eq!(stack(5), Reading::Pending, "nobody knows where the stack of a thread is while it runs");
    assert_eq!(threads.threads[10].comm.as_bytes(), b"log) (flusher");
}

#[test]
fn connections_that_the_peer_closed_are_one_line() {
    let inspection = inspect("amazon-linux-2-4.14", 3344);
    let descriptors = inspection.descriptors.as_ref().value().unwrap();
    let lines: Vec<String> =
        descriptors.targets.iter().map(|target| format!("{} {}", target.count, target.shown())).collect();
    let expected = [
        "20 tcp 10.0.0.5:3000 <- 10.0.0.9 CLOSE_WAIT",
        "6 tcp -> 10.0.0.7:5432 ESTABLISHED",
        "2 /var/log/out.log",
        "1 tcp *:3000 LISTEN",
        "1 in no list of /proc/net",
        "1 /dev/null",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for line in expected {
        assert!(lines.iter().any(|ours| ours == line), "{line}: {lines:#?}");
    }
}

#[test]
fn before_linux_4_3_swap_has_no_share_and_before_4_14_there_is_no_rollup() {
    let inspection = inspect("centos-7-3.10", 2900);
    let mappings = inspection.mappings.as_ref().value().unwrap();
    let heap = mappings.groups.iter().find(|group| group.kind == MappingKind::Heap).unwrap();
    assert_eq!((heap.memory.swap, heap.memory.swap_pss), (2000 * KIB, 2000 * KIB));
    let rollup = inspection.overview.process.rollup.reading.value().unwrap();
    assert_eq!((mappings.total.rss, mappings.total.pss, mappings.total.uss), (rollup.rss, rollup.pss, rollup.uss));
    assert!(groups(&inspection).iter().any(|(name, ..)| name == "/usr/lib64/libc-2.17.so: (deleted)"));
}

#[test]
fn a_kernel_thread_and_a_pid_that_nobody_has() {
    let thread = inspect("amazon-linux-2-4.14", 2);
    assert_eq!(thread.mappings, Reading::Unsupported(Need::NotApplicable));
    assert_eq!(thread.overview.totals, Reading::Unsupported(Need::NotApplicable));
    assert_eq!(try_inspect("amazon-linux-2-4.14", 77), Err(NoInspection::Gone));
}

#[test]
fn the_limit_that_binds_is_told_with_the_group_that_sets_it() {
    let text = text("docker-cgroup-v1", &["31", "--part", "overview"]);
    let line = text.lines().find(|line| line.contains("memory limit")).unwrap();
    assert!(line.contains("set by control group") && line.contains("used ("), "{text}");
}

#[test]
fn text_keeps_to_the_width_of_the_terminal_and_has_more_columns_where_there_is_room() {
    let inspection = inspect("amazon-linux-2-4.14", 3344);
    let text = |width| {
        let report = Report {
            inspection: &inspection,
            before: None,
            story: None,
            has_overview: true,
            parts: PartSet::all(),
            top: 20,
            is_bytes: false,
        };
        let mut out = Vec::new();
        write(&report, &mut out, Some(width)).unwrap();
        String::from_utf8(out).unwrap()
    };
    for width in [60, 80, 200] {
        let text = text(width);
        assert_eq!(text.lines().find(|line| line.len() > width), None);
        assert_eq!(text.contains(" LOCKED "), width == 200, "{text}");
    }
    assert!(text(60).lines().count() > text(80).lines().count(), "sentences are wrapped");
}

#[test]
fn a_node_app_as_text() {
    assert_snapshot("inspect", &text("amazon-linux-2-4.14", &["3344"]));
}

#[test]
fn a_node_app_as_text_in_bytes_and_short() {
    assert_snapshot("inspect_short", &text("amazon-linux-2-4.14", &["3344", "--bytes", "--top", "3"]));
}
