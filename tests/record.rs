//! Recorders as they run: killed at any moment, on a full disk, two at once, told to end, in places that are not safe.
#![allow(unreachable_pub, dead_code, reason = "the parts of other test programs")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs::{File, Permissions};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use memtide::model::sample::Sample;
use memtide::record::error::RecordError;
use memtide::record::reader::{Lost, Reader};
use memtide::record::recorder::{Appended, Recorder, Segments, Settings};
use memtide::record::redact::Redaction;
use rustix::process::{Pid, Signal, kill_process};
use support::any::Dice;
use support::machine::{self, Crowd};
use support::recordings::{seconds, write};
use support::require;

fn settings(path: &Path) -> Settings {
    Settings { path: path.to_owned(), segments: None, group: None, redaction: Redaction::Secrets, is_synced: false }
}

fn open(path: &Path) -> Result<Recorder, RecordError> {
    Recorder::open(settings(path))
}

fn refusal(path: &Path) -> String {
    open(path).map(|_| ()).unwrap_err().to_string()
}

fn read(path: &Path) -> (Vec<Sample>, Vec<Lost>) {
    let mut reader = Reader::open(path).unwrap();
    let samples = std::iter::from_fn(|| reader.next()).collect();
    (samples, reader.losses().map(|loss| loss.why).collect())
}

/// Which second of the machine's life a sample is.
fn second(sample: &Sample) -> u64 {
    (sample.at.0 - machine::BOOT_MS) / 1000
}

/// Ends a program when it is dropped.
struct Running(Child);

impl Running {
    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Its exit status and what it said on stderr.
    fn end(mut self) -> (Option<i32>, String) {
        let status = self.0.wait().unwrap();
        let mut said = String::new();
        std::io::Read::read_to_string(self.0.stderr.as_mut().unwrap(), &mut said).unwrap();
        (status.code(), said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const TREE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/roots/amazon-linux-2-4.14");

fn memtide(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memtide")).args(args).stdin(Stdio::null()).output().unwrap()
}

fn start(args: &[&str]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtide"));
    Running(command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < Duration::from_mins(1), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn samples_in(path: &Path) -> usize {
    Reader::open(path).map_or(0, |mut reader| std::iter::from_fn(|| reader.next()).count())
}

/// Records seconds without pause until it is killed; which of them are complete stands in a file beside it.
#[test]
#[ignore = "a part of a_recorder_that_is_killed_at_200_moments_loses_nothing_that_was_complete"]
fn child_that_records_without_pause() {
    let Some(path) = std::env::var_os("MEMTIDE_TEST_RECORDING").map(PathBuf::from) else { return };
    let first: u64 = std::env::var("MEMTIDE_TEST_FIRST").unwrap().parse().unwrap();
    let counter = File::options().create(true).write(true).truncate(false).open(path.with_extension("count")).unwrap();
    let mut recorder = open(&path).unwrap();
    for second in first.. {
        assert!(matches!(recorder.append(&machine::recorded(Crowd::Server, second)), Appended::Written));
        counter.write_all_at(&(second + 1).to_le_bytes(), 0).unwrap();
    }
}

#[test]
fn a_recorder_that_is_killed_at_200_moments_loses_nothing_that_was_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("killed.memtide");
    let count_file = path.with_extension("count");
    std::fs::write(&count_file, 0_u64.to_le_bytes()).unwrap();
    let counted = || {
        let mut bytes = [0; 8];
        File::open(&count_file).unwrap().read_exact_at(&mut bytes, 0).unwrap();
        u64::from_le_bytes(bytes)
    };
    let mut dice = Dice::new(5);
    let mut next = 0;
    for _ in 0..200 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child_that_records_without_pause", "--ignored"]);
        command.env("MEMTIDE_TEST_RECORDING", &path).env("MEMTIDE_TEST_FIRST", next.to_string());
        let child = Running(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
        wait_until("a first sample", || counted() > next);
        // Any moment is as good as another: nothing below depends on which it is.
        std::thread::sleep(Duration::from_micros(dice.below(8_000)));
        drop(child);
        let mut reader = Reader::open(&path).unwrap();
        reader.seek(i64::MAX);
        let last = second(&reader.next().unwrap());
        assert!(last + 1 >= counted(), "{last} is the last one, and {} were complete", counted());
        next = last + 1;
    }
    let (samples, losses) = read(&path);
    assert_eq!(samples.len() as u64, next);
    for (expected, sample) in (0..).zip(&samples) {
        assert!(*sample == machine::recorded(Crowd::Server, expected), "second {expected}");
    }
    assert!(losses.iter().all(|why| matches!(why, Lost::Damaged | Lost::Torn)), "{losses:?}");
}

/// A file system of so many KiB in RAM, for as long as this lives. Only root can make one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(kib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={kib}k,mode=700");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "memtide-test"]).arg(folder.path()).output();
        let is_mounted = mount.is_ok_and(|output| output.status.success());
        require::has(is_mounted, "the right to mount a tmpfs").then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

#[test]
fn on_a_full_disk_what_was_complete_stays_and_recording_goes_on_when_there_is_space() {
    let Some(disk) = SmallDisk::new(256) else { return };
    let (path, ballast) = (disk.0.path().join("r.memtide"), disk.0.path().join("ballast"));
    std::fs::write(&ballast, vec![1; 200 << 10]).unwrap();
    let mut recorder = open(&path).unwrap();
    let (mut taken, mut lost, mut second, mut failures) = (Vec::new(), 0, 0, Vec::new());
    let mut append = |recorder: &mut Recorder, taken: &mut Vec<Sample>| {
        let sample = machine::recorded(Crowd::Leaks, second);
        second += 1;
        match recorder.append(&sample) {
            Appended::Written => taken.push(sample),
            Appended::Resumed(missed) => {
                assert_eq!(missed, std::mem::take(&mut lost));
                taken.push(sample);
                return true;
            }
            Appended::Failed(error) => {
                failures.push(error.to_string());
                lost += 1;
            }
            Appended::StillFailing => lost += 1,
            Appended::Replaced => panic!("nobody removed it"),
        }
        lost == 20
    };
    while !append(&mut recorder, &mut taken) {}
    let before = taken.len();
    assert!(before > 20);
    assert_eq!(read(&path), (taken.clone(), Vec::new()), "nothing of what did not fit is left behind");
    std::fs::remove_file(&ballast).unwrap();
    while !append(&mut recorder, &mut taken) {}
    for _ in 0..10 {
        append(&mut recorder, &mut taken);
    }
    assert_eq!(recorder.progress().lost, 20);
    recorder.finish().unwrap();
    assert_eq!(read(&path), (taken, Vec::new()));
    assert_eq!(failures.len(), 1, "it is told once");
    assert!(failures[0].contains("r.memtide: No space left on device"), "{failures:?}");
}

#[test]
fn a_recording_is_appended_to_and_what_a_crash_left_behind_is_stepped_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.memtide");
    let samples = seconds(Crowd::Server, 30);
    let whole = write(&samples[..20]);
    std::fs::write(&path, &whole.bytes[..whole.ends[18] + 50]).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let mut recorder = open(&path).unwrap();
    samples[20..].iter().for_each(|sample| assert!(matches!(recorder.append(sample), Appended::Written)));
    let left: Vec<_> = [&samples[..19], &samples[20..]].concat();
    assert_eq!(read(&path), (left, vec![Lost::Damaged]));
    let mut reader = Reader::open(&path).unwrap();
    reader.seek(samples[4].wall_ms);
    assert_eq!(reader.next().as_ref(), Some(&samples[4]), "the keys before the damage are found from its end");
}

#[test]
fn a_file_that_is_no_recording_is_never_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "my notes\n").unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    assert!(refusal(&path).ends_with("this is no recording of memtide"), "{}", refusal(&path));
    assert_eq!(std::fs::read(&path).unwrap(), b"my notes\n");
}

#[test]
fn a_recording_is_its_owners_alone_whatever_the_umask_or_its_groups_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.memtide");
    let as_with = |umask: &str, more: &str| {
        let _ = std::fs::remove_file(&path);
        let script = format!("umask {umask}; exec \"$0\" record --root {TREE} -o \"$1\" --for 1s {more}");
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", &script, env!("CARGO_BIN_EXE_memtide")]).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let data = path.metadata().unwrap();
        (data.mode() & 0o7777, data.gid())
    };
    let own = rustix::process::getegid().as_raw();
    assert_eq!(as_with("000", ""), (0o600, own));
    assert_eq!(as_with("277", ""), (0o600, own));
    assert_eq!(as_with("077", &format!("--group {own}")), (0o640, own));
    if require::has(rustix::process::geteuid().is_root(), "root") {
        assert_eq!(as_with("077", "--group 1234"), (0o640, 1234));
    }
}

#[test]
fn links_foreign_files_and_folders_open_to_all_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let private = |path: &Path| {
        std::fs::write(path, b"").unwrap();
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    };
    private(&at("target"));
    std::os::unix::fs::symlink(at("target"), at("link")).unwrap();
    assert!(refusal(&at("link")).ends_with("a symbolic link is not followed"));
    std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
    assert!(refusal(&at("dangling")).ends_with("a symbolic link is not followed"));
    assert!(!at("nowhere").exists());

    std::fs::hard_link(at("target"), at("second")).unwrap();
    assert!(refusal(&at("second")).ends_with("the file has a second name"));

    private(&at("writable"));
    std::fs::set_permissions(at("writable"), Permissions::from_mode(0o622)).unwrap();
    assert!(refusal(&at("writable")).ends_with("chmod go-w it"));

    assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
    assert!(refusal(&at("fifo")).ends_with("this is no file"));

    let open_to_all = at("open");
    std::fs::create_dir(&open_to_all).unwrap();
    std::fs::set_permissions(&open_to_all, Permissions::from_mode(0o777)).unwrap();
    assert!(refusal(&open_to_all.join("r")).contains("everybody may write there"));
    assert!(!open_to_all.join("r").exists());
    let segmented = Settings { segments: Some(Segments::default()), ..settings(&open_to_all) };
    assert!(Recorder::open(segmented).map(|_| ()).unwrap_err().to_string().contains("everybody may write there"));

    // In a folder like /tmp nobody else can replace what is ours.
    std::fs::set_permissions(&open_to_all, Permissions::from_mode(0o1777)).unwrap();
    open(&open_to_all.join("r")).unwrap();
    open(&open_to_all.join("r")).unwrap();
    if require::has(rustix::process::geteuid().is_root(), "root") {
        std::os::unix::fs::chown(open_to_all.join("r"), Some(1000), None).unwrap();
        assert!(refusal(&open_to_all.join("r")).ends_with("the file belongs to another user"));
    }
}

#[test]
fn a_second_recorder_is_refused_and_told_who_is_first() {
    let folder = tempfile::tempdir().unwrap();
    for (name, more) in [("r.memtide", &[][..]), ("segments", &["--keep", "1h"])] {
        let path = folder.path().join(name);
        let path_text = path.to_str().unwrap();
        let args = [&["record", "--root", TREE, "-o", path_text, "--interval", "1h"], more].concat();
        let first = start(&args);
        wait_until("a sample", || samples_in(&path) >= 2);
        let second = memtide(&args);
        assert_eq!(second.status.code(), Some(1));
        let said = String::from_utf8(second.stderr).unwrap();
        assert_eq!(said, format!("memtide: {path_text}: memtide[{}] records there already\n", first.pid()));
        first.signal(Signal::TERM);
        assert_eq!(first.end().0, Some(0));
        let third = memtide(&[&args[..], &["--for", "1s"]].concat());
        assert_eq!(third.status.code(), Some(0), "{}", String::from_utf8_lossy(&third.stderr));
    }
}

#[test]
fn signals_and_a_hangup_end_it_with_a_last_sample() {
    let folder = tempfile::tempdir().unwrap();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let path = folder.path().join(format!("{signal:?}.memtide"));
        let recorder = start(&["record", "--root", TREE, "-o", path.to_str().unwrap(), "--interval", "1h"]);
        // The first sample and the one that follows soon; the next one would come in an hour.
        wait_until("two samples", || samples_in(&path) == 2);
        recorder.signal(signal);
        let (status, said) = recorder.end();
        assert_eq!((status, samples_in(&path)), (Some(0), 3), "{said}");
        assert!(said.contains("3 samples in "), "{said}");
    }
}

#[test]
fn who_is_started_by_nohup_does_not_catch_a_hangup() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.memtide");
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_memtide")).args(["record", "--root", TREE, "--interval", "1h", "-o"]).arg(&path);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let recorder = Running(child);
    wait_until("two samples", || samples_in(&path) == 2);
    let status = std::fs::read_to_string(format!("/proc/{}/status", recorder.pid())).unwrap();
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    let (hangup, terminate) = (1, 1 << 14);
    assert_eq!((mask("SigCgt:") & hangup, mask("SigIgn:") & hangup), (0, 1));
    assert_ne!(mask("SigCgt:") & terminate, 0);
    recorder.signal(Signal::TERM);
    assert_eq!(recorder.end().0, Some(0));
}

/// A sample of the machine in a minute of its life.
fn minute(minute: u64) -> Sample {
    machine::recorded(Crowd::Server, minute * 60)
}

#[test]
fn a_flight_recorder_keeps_the_last_hours_in_segments_that_are_read_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flight");
    let hour = 3_600_000;
    let segments = Segments { keep_ms: Some(4 * hour), rotate_ms: Some(hour), ..Segments::default() };
    let mut recorder = Recorder::open(Settings { segments: Some(segments), ..settings(&path) }).unwrap();
    std::fs::write(path.join("notes.txt"), "mine").unwrap();
    std::fs::write(path.join("memtide-old.memtide"), "mine too").unwrap();
    for nth in 0..1000 {
        assert!(matches!(recorder.append(&minute(nth)), Appended::Written));
    }
    let files = |ending: &str| {
        let names = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(ending)).collect::<Vec<_>>()
    };
    assert!(path.join("notes.txt").exists() && path.join("memtide-old.memtide").exists());
    assert!((5..=7).contains(&files("Z.memtide").len()), "{:?}", files("memtide"));
    let mut reader = Reader::open(&path).unwrap();
    let kept: Vec<Sample> = std::iter::from_fn(|| reader.next()).collect();
    assert!((240..=360).contains(&kept.len()), "{} minutes", kept.len());
    let first = 1000 - kept.len() as u64;
    assert!(kept.iter().zip(first..).all(|(sample, nth)| *sample == minute(nth)));
    // Backwards over the ends of segments, and to a moment in the middle of one.
    for sample in kept.iter().rev().skip(1) {
        assert_eq!(reader.previous().as_ref(), Some(sample));
    }
    assert_eq!(reader.previous(), None);
    reader.seek(kept[200].wall_ms + 30_000);
    assert_eq!(reader.next().as_ref(), Some(&kept[200]));
    let mode = |name: &str| path.join(name).metadata().unwrap().mode() & 0o777;
    assert_eq!((path.metadata().unwrap().mode() & 0o777, mode(&files("Z.memtide")[0])), (0o700, 0o600));
}

#[test]
fn segments_stay_within_the_bytes_that_may_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let segments = Segments { keep_bytes: Some(200_000), rotate_bytes: Some(30_000), ..Segments::default() };
    let mut recorder = Recorder::open(Settings { segments: Some(segments), ..settings(folder.path()) }).unwrap();
    let mut highest = 0;
    for nth in 0..3000 {
        assert!(matches!(recorder.append(&minute(nth)), Appended::Written));
        if nth.is_multiple_of(50) {
            let sizes = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
            highest = highest.max(sizes.sum::<u64>());
        }
    }
    assert!((140_000..=210_000).contains(&highest), "{highest}");
    assert!(recorder.progress().bytes > 400_000, "{:?}", recorder.progress());
    let (kept, losses) = read(folder.path());
    assert_eq!((kept.last(), losses), (Some(&minute(2999)), vec![]));
}

#[test]
fn a_file_that_somebody_removed_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.memtide");
    let mut recorder = open(&path).unwrap();
    recorder.append(&minute(0));
    std::fs::remove_file(&path).unwrap();
    // It is noticed when it is next looked at, which costs the samples until then.
    let outcomes: Vec<Appended> = (1..4).map(|nth| recorder.append(&minute(nth))).collect();
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Appended::Replaced)), "{outcomes:?}");
    assert_eq!(read(&path).0.last(), Some(&minute(3)));
}

#[test]
fn secrets_in_command_lines_are_not_recorded_unless_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new("sh");
    child.args(["-c", "echo ready; read line", "app", "--db-password=hunter2", "--port=8080"]);
    let mut waiting = Running(child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    let mut output = std::io::BufReader::new(waiting.0.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    let command_of_it = |path: &Path| {
        let mut reader = Reader::open(path).ok()?;
        reader.seek(i64::MAX);
        let sample = reader.next()?;
        let process = sample.processes.iter().find(|process| process.key.pid == waiting.pid())?;
        Some(process.identity.command.escaped().into_owned()).filter(|command| !command.is_empty())
    };
    for (name, more, told) in [
        ("secrets", &[][..], "sh -c echo ready; read line app --db-password=*** --port=8080"),
        ("args", &["--redact", "args"], "sh ***"),
        ("none", &["--no-redact"], "sh -c echo ready; read line app --db-password=hunter2 --port=8080"),
    ] {
        let path = folder.path().join(name);
        let args = [&["record", "-o", path.to_str().unwrap(), "--interval", "200ms"], more].concat();
        let recorder = start(&args);
        wait_until("its command line", || command_of_it(&path).is_some());
        recorder.signal(Signal::TERM);
        assert_eq!(recorder.end().0, Some(0));
        assert_eq!(command_of_it(&path).as_deref(), Some(told));
        // Compressed or not, and in whatever block: nothing else holds it.
        let all = read(&path).0;
        let has_it = |sample: &Sample| {
            sample.processes.iter().any(|process| process.identity.command.escaped().contains("hunter2"))
        };
        assert_eq!(all.iter().any(has_it), name == "none");
    }
}
