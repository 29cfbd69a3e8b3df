//! `memtide diagnose`: the stories of recorded leaks and of sound programs, and of real ones while they run.
#![allow(unreachable_pub, dead_code, reason = "the parts of other test programs")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;
#[path = "leak-traces/trace.rs"]
mod trace;
#[path = "leak-traces/truth.rs"]
mod truth;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use clap::Parser as _;
use memtide::analyze::story::{Story, Topic, Watched};
use memtide::model::judgement::{Subject, Verdict};
use memtide::model::key::ProcessKey;
use memtide::model::reading::BootMs;
use memtide::record::redact::Redaction;
use memtide::record::writer::Writer;
use serde_json::Value as Json;
use support::programs::Program;
use support::require;
use trace::Reader;
use truth::Truth;

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/leak-traces/recordings")
}

/// A story was told while a scene was played.
struct Told {
    at_ms: u64,
    story: Story,
    /// The subjects, by name, that something is said to leak of; `machine` among them.
    blamed: BTreeSet<String>,
}

/// Tells the story of a recording every minute and at its end.
fn play(scene: &str) -> (Truth, Vec<Told>) {
    let truth = Truth::read(&recordings(), scene);
    let mut watched = Watched::default();
    let mut told = Vec::new();
    let mut first: Option<BootMs> = None;
    let mut owners: Vec<(ProcessKey, String)> = Vec::new();
    let mut next_ms = 60_000;
    for sample in Reader::open(&recordings().join(format!("{scene}.jsonl.zst"))).unwrap() {
        let sample = sample.unwrap();
        for process in &sample.processes {
            let group = process.identity.cgroup.memory.escaped();
            if let Some(subject) = truth.subjects.iter().find(|subject| subject.group == group) {
                owners.push((process.key, subject.name.clone()));
            }
        }
        owners.sort();
        owners.dedup();
        let at_ms = sample.at.since(*first.get_or_insert(sample.at));
        watched.push(sample);
        if at_ms >= next_ms || at_ms == truth.length_ms {
            next_ms += 60_000;
            let story = watched.tell(None).unwrap();
            let blamed = blamed(&story, &truth, &owners);
            told.push(Told { at_ms, story, blamed });
        }
    }
    (truth, told)
}

fn blamed(story: &Story, truth: &Truth, owners: &[(ProcessKey, String)]) -> BTreeSet<String> {
    let leaks = story.findings.iter().filter(|finding| finding.judgement.verdict == Verdict::Leaking);
    leaks
        .map(|finding| match &finding.subject {
            Subject::Process(key) => {
                let owner = owners.iter().find(|(known, _)| known == key);
                owner.map_or_else(|| finding.name.clone(), |(_, name)| name.clone())
            }
            Subject::Group(key) => {
                let subject = truth.subjects.iter().find(|subject| subject.group == key.escaped());
                subject.map_or_else(|| finding.name.clone(), |subject| subject.name.clone())
            }
            Subject::Machine => "machine".into(),
        })
        .collect()
}

/// What must hold of every story, whatever it tells.
fn check(story: &Story) {
    let leaks = story.findings.iter().filter(|finding| finding.judgement.verdict == Verdict::Leaking).count();
    assert_eq!(story.outcome.word() == "leaking", leaks > 0);
    assert_eq!(story.sentences.iter().filter(|sentence| sentence.topic == Topic::Leak).count(), leaks);
    assert!(
        leaks > 0
            || story.advice.iter().all(|advice| advice.why.finding.is_none() || advice.title.starts_with("Watch"))
    );
    for advice in &story.advice {
        // Advice stands on a finding; to watch on and to look at the kernel's cache need none.
        if let Some(place) = advice.why.finding {
            assert!(story.findings[place].judgement.verdict >= Verdict::Growing, "{advice:?}");
        } else {
            assert!(advice.title.starts_with("Watch") || advice.title.starts_with("Make sure"), "{advice:?}");
        }
        for command in &advice.commands {
            assert!(!command.contains('\n') && !command.contains('…'), "{command}");
            if command.starts_with("memtide ") {
                memtide::cli::Cli::try_parse_from(words(command)).unwrap_or_else(|error| panic!("{command}: {error}"));
            }
            let output = Command::new("sh").args(["-n", "-c", command]).output().unwrap();
            assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let json = memtide::export::json::story(story);
    assert_eq!(json["findings"].as_array().unwrap().len(), story.findings.len());
    let mut text = Vec::new();
    memtide::export::story::write(story, &mut text, Some(80), |ms| ms.to_string()).unwrap();
    assert!(String::from_utf8(text).unwrap().contains(&story.sentences[0].text[..20]));
}

/// Plays a scene: each of `leaks` is blamed at some time, and nobody ever whose quantities are all sound.
fn assert_scene(scene: &str, leaks: &[&str]) -> Vec<Told> {
    let (truth, told) = play(scene);
    let ever: BTreeSet<&str> = told.iter().flat_map(|told| told.blamed.iter().map(String::as_str)).collect();
    for leak in leaks {
        assert!(ever.contains(leak), "{scene}: {leak} leaks, and only {ever:?} are blamed");
    }
    for subject in truth.subjects.iter().filter(|subject| subject.facts.is_empty()) {
        assert!(!ever.contains(&*subject.name), "{scene}: {} ({}) is sound", subject.name, subject.class);
    }
    if truth.machine.is_empty() {
        assert!(!ever.contains("machine"), "{scene}: the kernel is sound");
    }
    for told in &told {
        check(&told.story);
    }
    told
}

fn said(told: &Told, topic: Topic) -> impl Iterator<Item = &str> {
    told.story.sentences.iter().filter(move |sentence| sentence.topic == topic).map(|sentence| &*sentence.text)
}

/// The words that a shell would give to memtide.
fn words(command: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("exec 3>&1; memtide() {{ printf '%s\\n' memtide \"$@\" >&3; }}\n{command}");
    let output = Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn is_advised(told: &Told, command: &str) -> bool {
    told.story.advice.iter().flat_map(|advice| &advice.commands).any(|given| given.contains(command))
}

#[test]
fn services_that_leak_are_blamed_and_sound_ones_beside_them_are_not() {
    let told =
        assert_scene("services", &["node-leak-fast", "node-leak-mid", "node-leak-slow", "native-fds", "python-leak"]);
    let last = told.last().unwrap();
    assert!(said(last, Topic::Limit).any(|limit| limit.contains("its limit of open files (1024)")));
    assert!(is_advised(last, "memtide inspect ") && is_advised(last, "--max-old-space-size="));
}

#[test]
fn restarts_pools_streams_and_threads_are_blamed() {
    let leaks = ["restarted", "pool-spread", "node-streams", "python-threads", "native-leak", "redis-unbounded"];
    let told = assert_scene("services-2", &leaks);
    assert!(told.iter().any(|told| said(told, Topic::Restart).any(|text| text.contains("restarts hide the leak"))));
}

#[test]
fn what_is_swapped_out_leaks_all_the_same() {
    let told = assert_scene("swapping", &["native-swapped", "python-swapped"]);
    assert!(told.iter().any(|told| said(told, Topic::Kind).any(|text| text.contains("RSS hides it"))));
    assert!(
        told.iter().any(|told| said(told, Topic::Swap).any(|text| text.contains("programs wait for what was swapped")))
    );
    assert!(told.iter().any(|told| said(told, Topic::Limit).any(|text| text.contains("control group with its swap"))));
}

#[test]
fn a_tmpfs_that_fills_is_told_from_sysv_segments_and_from_kernel_memory() {
    for (scene, kind, command, other) in [
        ("machine-tmpfs", "files in a tmpfs", "df -h -t tmpfs", "ipcs"),
        ("machine-sysv", "SysV shared memory", "ipcs -m -p", "df -h"),
        ("machine-kernel", "kernel's own objects", "slabtop -o -s c", "df -h"),
    ] {
        let told = assert_scene(scene, &["machine"]);
        let last = told.last().unwrap();
        assert_eq!(last.blamed, BTreeSet::from(["machine".to_owned()]), "{scene}");
        assert!(said(last, Topic::Kind).any(|text| text.contains(kind)), "{scene}");
        assert!(is_advised(last, command) && !is_advised(last, other), "{scene}: {:#?}", last.story.advice);
    }
}

#[test]
fn a_story_is_the_same_however_often_it_was_told_before() {
    let (_, often) = play("machine-sysv");
    let mut watched = Watched::default();
    for sample in Reader::open(&recordings().join("machine-sysv.jsonl.zst")).unwrap() {
        watched.push(sample.unwrap());
    }
    assert_eq!(watched.tell(None).unwrap(), often.last().unwrap().story);
}

/// A document as it is read back from its text, which keeps fewer digits.
fn printed(document: &Json) -> Json {
    serde_json::from_str(&document.to_string()).unwrap()
}

#[test]
fn a_recording_is_told_as_the_machine_was_while_it_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    for (scene, status) in [("machine-sysv", 3), ("swapping", 3)] {
        let file = folder.path().join(scene);
        let mut writer = Writer::new(Vec::new(), None, Redaction::Nothing).unwrap();
        let mut watched = Watched::default();
        for sample in Reader::open(&recordings().join(format!("{scene}.jsonl.zst"))).unwrap() {
            let sample = sample.unwrap();
            writer.append(&sample).unwrap();
            watched.push(sample);
        }
        std::fs::write(&file, writer.sink()).unwrap();
        let told = memtide::export::json::story(&watched.tell(None).unwrap());
        assert_eq!(diagnose(&[file.to_str().unwrap()]), (status, printed(&told)));

        // The most urgent finding about a process, asked for by its pid.
        let findings = watched.findings(None);
        let asked = findings.iter().find_map(|finding| match finding.subject {
            Subject::Process(key) => Some(key),
            _ => None,
        });
        if let Some(key) = asked {
            let told = memtide::export::json::story(&watched.tell(Some(key)).unwrap());
            assert_eq!(diagnose(&[file.to_str().unwrap(), &key.pid.to_string()]).1, printed(&told));
        }
    }
}

#[test]
fn a_recording_that_is_damaged_is_told_as_far_as_it_can_be_read_and_the_rest_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cut");
    let mut writer = Writer::new(Vec::new(), None, Redaction::Nothing).unwrap();
    (0..40).for_each(|second| {
        writer.append(&support::machine::sample(support::machine::Crowd::Server, second)).unwrap();
    });
    let whole = writer.sink();
    std::fs::write(&file, &whole[..whole.len() - 9]).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_memtide")).arg("diagnose").arg(&file).output().unwrap();
    let (out, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(out.contains("39 samples"), "{out}");
    assert!(error.contains("can't be read, after ") && error.ends_with("the last block is not complete\n"), "{error}");
    for (args, why) in [(&["nowhere"][..], "No such file"), (&["Cargo.toml"], "no recording of memtide")] {
        let output = Command::new(env!("CARGO_BIN_EXE_memtide")).arg("diagnose").args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains(why), "{output:?}");
    }
}

/// Runs `memtide diagnose --format json`; the exit status and the document.
fn diagnose(args: &[&str]) -> (i32, Json) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_memtide")).args(["diagnose", "--format", "json"]).args(args).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let json = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), json)
}

/// Anonymous memory of a process in RAM and in swap, bytes, as the kernel counts it.
fn private(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = |name: &str| -> f64 {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
    };
    (line("RssAnon") + line("VmSwap")) * 1024.0
}

#[test]
fn a_node_app_that_leaks_is_found_with_its_pid_its_rate_and_what_to_do() {
    if !require::has_programs(&["node"]) {
        return;
    }
    // A limit that is near: the nearer the end, the sooner a leak is called one.
    let app = Program::leaking_node_app_within("diagnose-node", 1200);
    let pid = app.pid();
    let (began, before) = (Instant::now(), private(pid));
    let (status, json) = diagnose(&["--for", "160s"]);
    let per_minute = (private(pid) - before) / began.elapsed().as_secs_f64() * 60.0;
    assert_eq!((status, &json["outcome"]), (3, &Json::from("leaking")), "{json:#}");
    assert_eq!(json["schema"], "memtide.diagnose/1");
    let is_it = |finding: &&Json| finding["pid"] == pid && finding["quantity"] == "private";
    let finding = json["findings"].as_array().unwrap().iter().find(is_it).unwrap_or_else(|| panic!("{json:#}"));
    assert_eq!(finding["verdict"], "leaking", "{finding:#}");
    let rate = finding["rate"].as_f64().unwrap();
    assert!((rate / per_minute - 1.0).abs() < 0.25, "{rate} and {per_minute}: {finding:#}");
    assert!(json["watched_ms"].as_u64().unwrap() >= 155_000, "{json:#}");
    let commands = json["advice"].as_array().unwrap().iter().flat_map(|advice| advice["commands"].as_array().unwrap());
    assert!(
        commands.clone().any(|command| command.as_str().unwrap().starts_with(&format!("memtide heap capture {pid} ")))
    );
}

#[test]
fn a_process_that_sleeps_does_not_leak() {
    if !require::has_programs(&[&support::programs::compiler()]) {
        return;
    }
    let sleeper = Program::sleeper("diagnose-sleeper");
    let pid = sleeper.pid().to_string();
    let (status, json) = diagnose(&["--for", "35s", &pid]);
    assert_eq!((status, &json["outcome"]), (0, &Json::from("clear")), "{json:#}");
    assert_eq!((&json["asked"]["pid"], &json["findings"]), (&Json::from(sleeper.pid()), &Json::Array(Vec::new())));
    assert_eq!(json["advice"], Json::Array(Vec::new()));
}

#[test]
fn who_is_not_there_is_an_error_and_not_a_clean_bill() {
    let output = Command::new(env!("CARGO_BIN_EXE_memtide")).args(["diagnose", "4194305"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty() && String::from_utf8_lossy(&output.stderr).contains("no process 4194305"));
}

#[test]
fn ctrl_c_ends_the_watch_and_tells_what_is_known() {
    let terminal = support::live::memtide(["diagnose", "--for", "1h"]).size(100, 30).start();
    terminal.wait_for_text(" of 60:00: ");
    terminal.press("C-c");
    terminal.wait_for_text("Not enough data yet");
    // The advice is the last of it, and what is sent may come in parts.
    terminal.wait_for_text("memtide diagnose --for 1m");
}
