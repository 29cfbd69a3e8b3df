//! What is done while it is recorded: in the file, in the report of it and in what is exported.
#![allow(unreachable_pub, dead_code, reason = "the parts of other test programs")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use memtide::collect::demand::Demand;
use memtide::collect::root::ProcRoot;
use memtide::collect::turn::all_sources;
use memtide::model::deed::Deed;
use memtide::model::sample::Sample;
use memtide::record::reader::Reader;
use memtide::record::recorder::Settings;
use memtide::record::redact::Redaction;
use memtide::session::request::Request;
use memtide::session::source::LiveSource;
use memtide::session::thread::{Published, SessionHandle};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::programs::Program;

const PATIENCE: Duration = Duration::from_mins(1);

fn memtide(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtide"));
    command.args(args).env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
    command
}

fn output(args: &[&str]) -> Output {
    memtide(args).output().unwrap()
}

fn samples(path: &Path) -> Vec<Sample> {
    let Ok(mut reader) = Reader::open(path) else { return Vec::new() };
    std::iter::from_fn(|| reader.next()).collect()
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_act_logs_is_recorded_reported_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let (log, file) = (folder.path().join("act.log"), folder.path().join("r.memtide"));
    let (log, path) = (log.to_str().unwrap(), file.to_str().unwrap());
    let mut recorder = memtide(&["record", "-o", path, "--interval", "100ms", "--actions", log])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait("the recorder", || !samples(&file).is_empty());
    let child = Program::sleeper("deed-target");
    let pid = child.pid().to_string();
    let acted = output(&["act", "oom_score_adj", "500", "--pid", &pid, "--yes", "--after", "0s", "--log", log]);
    assert!(acted.status.success(), "{}", String::from_utf8_lossy(&acted.stderr));
    wait("the action in the file", || samples(&file).iter().any(|sample| !sample.deeds.is_empty()));
    kill_process(Pid::from_child(&recorder), Signal::TERM).unwrap();
    recorder.wait().unwrap();

    let all = samples(&file);
    assert!(all.iter().all(|sample| sample.closer.is_some()), "a closer look from the start");
    let survey = &all[0].closer.as_ref().unwrap().survey;
    assert!(survey.tmpfs.value().is_some() && survey.settings.value().is_some());
    let report = String::from_utf8(output(&["report", path]).stdout).unwrap();
    let told = report.lines().skip_while(|line| *line != "What was done").nth(1).unwrap();
    assert!(told.contains(&format!("oom_score_adj 500 of {pid}")), "{report}");
    assert!(told.contains("(was 0)"), "{report}");
    let report: Value = serde_json::from_slice(&output(&["report", path, "--format", "json"]).stdout).unwrap();
    assert_eq!(report["actions"][0]["action"], "oom_score_adj");
    assert_eq!(report["actions"][0]["is_done"], true);
    assert!(report["events"].as_array().unwrap().iter().any(|event| event["kind"] == "action"), "{report}");
    let page = String::from_utf8(output(&["report", path, "--format", "html"]).stdout).unwrap();
    assert!(page.contains("<h2>What was done</h2>") && page.contains("oom_score_adj 500"));
    let rows = String::from_utf8(output(&["export", path, "--actions"]).stdout).unwrap();
    let mut rows = rows.lines();
    assert_eq!(rows.next(), Some("wall_ms,host,action,title,target,result,is_done,is_settled,measured"));
    assert!(rows.next().unwrap().contains(&format!("oom_score_adj,oom_score_adj 500 of {pid}")));
}

#[test]
fn what_is_done_while_somebody_looks_and_records_is_in_the_file_whenever_that_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.memtide");
    let deed = |title: &str| Deed {
        wall_ms: 5,
        action: "signal".into(),
        title: title.into(),
        target: None,
        on: "7".into(),
        result: "ended".into(),
        is_done: true,
        is_settled: false,
        measured: "".into(),
    };
    let demand =
        Demand { sources: all_sources(), visible: Vec::new(), top_by_pss: 0, cgroups: false, budget: Demand::BUDGET };
    let request = Request {
        demand,
        series: Vec::new(),
        series_points: 0,
        series_span: Duration::ZERO,
        machine_points: 0,
        machine_span: Duration::ZERO,
        evidence: None,
        inspect: None,
        system: None,
        at: None,
        play: None,
        hunt: None,
        interval: Duration::from_millis(100),
    };
    let (publish, published) = channel();
    let source = Box::new(LiveSource::open(ProcRoot::live()).unwrap());
    let session = SessionHandle::spawn(source, request, move |update| drop(publish.send(update))).unwrap();
    let settings =
        Settings { path: path.clone(), segments: None, group: None, redaction: Redaction::Secrets, is_synced: false };
    session.noter().note(deed("before it was recorded"));
    session.record(Some(settings));
    wait("a recorded sample", || !samples(&path).is_empty());
    session.noter().note(deed("first"));
    wait("the first", || samples(&path).iter().any(|sample| !sample.deeds.is_empty()));
    session.noter().note(deed("last"));
    // It ends at once, before another sample as a rule.
    drop(session);
    assert!(matches!(published.iter().last(), Some(Published::Update(_))));
    let all = samples(&path);
    let titles: Vec<_> =
        all.iter().flat_map(|sample| &sample.deeds).map(|deed| deed.title.escaped().into_owned()).collect();
    assert_eq!(titles, ["first", "last"]);
    assert!(all.windows(2).all(|pair| pair[0].at < pair[1].at));
    let closer = all.last().unwrap().closer.as_ref().unwrap();
    assert!(closer.survey.tmpfs.value().is_some());
}
