//! `memtide serve --otlp`: what is pushed is decoded by OpenTelemetry's own messages and agrees with the kernel.
#![cfg(feature = "otlp")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::programs::{Program, compiler};
use support::require::has_programs;

/// A Python that has opentelemetry-proto.
fn python() -> Option<String> {
    let python = std::env::var("MEMTIDE_OTLP").unwrap_or_else(|_| "python3 with opentelemetry-proto".into());
    has_programs(&[&python, &compiler()]).then_some(python)
}

/// A program that is ended with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Collector {
    lines: BufReader<ChildStdout>,
    address: String,
    _child: Ended,
}

impl Collector {
    fn start(python: &str, port: u16) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/otlp/collector.py");
        let mut child = Command::new(python).args([script, &port.to_string()]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let child = Ended(child);
        let mut port = String::new();
        lines.read_line(&mut port).unwrap();
        Self { lines, address: format!("http://127.0.0.1:{}", port.trim()), _child: child }
    }

    fn push(&mut self) -> Value {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).unwrap() > 0, "the collector has ended");
        serde_json::from_str(&line).unwrap()
    }
}

fn serve(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtide"));
    command.args(["serve", "--interval", "1s", "--every", "1s"]).args(args).stdin(Stdio::null());
    command
}

/// A metric of a push by name.
fn find<'a>(push: &'a Value, name: &str) -> Option<&'a Value> {
    let scopes = push["resourceMetrics"][0]["scopeMetrics"].as_array().unwrap().iter();
    let mut metrics = scopes.flat_map(|scope| scope["metrics"].as_array().unwrap());
    metrics.find(|metric| metric["name"] == name)
}

fn metric<'a>(push: &'a Value, name: &str) -> &'a Value {
    find(push, name).unwrap_or_else(|| panic!("{name} in {push:#}"))
}

/// The value of the point that has an attribute.
fn point(metric: &Value, kind: &str, key: &str, value: &Value) -> f64 {
    let points = metric[kind]["dataPoints"].as_array().unwrap_or_else(|| panic!("a {kind}: {metric:#}"));
    let has = |point: &&Value| {
        let mut attributes = point["attributes"].as_array().into_iter().flatten();
        key.is_empty() || attributes.any(|own| own["key"] == key && own["value"] == *value)
    };
    let point = points.iter().find(has).unwrap_or_else(|| panic!("{key} {value} in {metric:#}"));
    point["asDouble"].as_f64().unwrap_or_else(|| panic!("{point}"))
}

fn meminfo(name: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
}

#[test]
fn what_is_pushed_has_the_names_of_the_conventions_and_the_numbers_of_the_kernel() {
    let Some(python) = python() else { return };
    let holder = Program::holder("otlp-holder", 64 << 10);
    kill_process(Pid::from_raw(holder.pid().cast_signed()).unwrap(), Signal::STOP).unwrap();
    let mut collector = Collector::start(&python, 0);
    let filter = format!("pid={}", holder.pid());
    let _server = Ended(serve(&["--otlp", &collector.address, "--filter", &filter]).spawn().unwrap());
    // What is read in turn is not known at once.
    let push =
        std::iter::repeat_with(|| collector.push()).find(|push| find(push, "memtide.process.pss").is_some()).unwrap();

    assert_eq!((&push["path"], &push["type"]), (&"/v1/metrics".into(), &"application/x-protobuf".into()));
    let resource = push["resourceMetrics"][0]["resource"]["attributes"].as_array().unwrap();
    let service = resource.iter().find(|attribute| attribute["key"] == "service.name").unwrap();
    assert_eq!(service["value"]["stringValue"], "memtide");

    let pid = serde_json::json!({ "intValue": holder.pid().to_string() });
    let rss = metric(&push, "process.memory.usage");
    assert_eq!((&rss["unit"], &rss["sum"]["isMonotonic"]), (&"By".into(), &Value::Null));
    let status = std::fs::read_to_string(format!("/proc/{}/status", holder.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kernel = line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0;
    let said = point(rss, "sum", "process.pid", &pid);
    // Before Linux 6.2 the kernel's own count is off by as many pages as it has kept back on each CPU.
    assert!((said - kernel).abs() <= 3.0 * 64.0 * 4096.0, "{said} {kernel}");
    let pss = metric(&push, "memtide.process.pss");
    assert!(point(pss, "gauge", "process.pid", &pid) <= said, "{pss:#}");

    let total = metric(&push, "system.memory.limit");
    assert_eq!(point(total, "sum", "", &Value::Null).to_bits(), meminfo("MemTotal").to_bits());
    let usage = metric(&push, "system.memory.usage");
    let free = serde_json::json!({ "stringValue": "free" });
    assert!(point(usage, "sum", "system.memory.state", &free) < meminfo("MemTotal"));
    let faults = metric(&push, "system.paging.faults");
    assert_eq!(faults["sum"]["isMonotonic"], true);
}

#[test]
fn a_collector_that_is_not_there_is_told_once_and_tried_again() {
    let Some(python) = python() else { return };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = serve(&["--otlp", &format!("http://127.0.0.1:{port}")]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut server = Ended(child);
    let mut text = String::new();
    said.read_line(&mut text).unwrap();
    assert!(text.contains("the collector can't be reached, and is tried again: "), "{text}");
    let mut collector = Collector::start(&python, port);
    collector.push();
    // The last word may be written while the push is read already.
    said.read_line(&mut text).unwrap();
    kill_process(Pid::from_child(&server.0), Signal::TERM).unwrap();
    assert!(server.0.wait().unwrap().success());
    said.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("is reached again").count(), 1, "{text}");
}

#[test]
fn an_address_that_is_none_is_an_error_of_usage() {
    for address in ["https://127.0.0.1:4318", "127.0.0.1:4318"] {
        let output = serve(&["--otlp", address]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("no address of a collector"), "{output:?}");
    }
}
