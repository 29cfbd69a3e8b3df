//! An inspection at its limits: too little time, other users' processes, processes that end, hostile names; and the
//! command from outside.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use memtide::collect::inspect::NoInspection;
use memtide::model::inspect::mapping::MappingKind;
use memtide::model::inspect::memory::MEMORY_FIELDS;
use memtide::model::inspect::{Part, PartSet};
use memtide::model::key::ProcessKey;
use memtide::model::reading::{Need, Reading};
use serde_json::Value as Json;
use support::inspect::{
    PLENTY, descriptors, has_child, inspect, inspector, json, mappings, memtide, stdout, threads, zoo,
};
use support::programs::Program;
use support::require::{has, has_programs};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

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
    support::copy::copy_program(env!("CARGO_BIN_EXE_memtide"), &program);
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
