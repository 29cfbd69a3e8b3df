//! A process whose main thread has ended while others live on has the memory that it has, and not none.
#![allow(unreachable_pub, dead_code, reason = "the parts of other test programs")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::process::Command;
use std::time::Duration;

use memtide::collect::collector::Collector;
use memtide::collect::demand::Demand;
use memtide::collect::root::ProcRoot;
use memtide::collect::turn::all_sources;
use serde_json::Value;
use support::programs::Program;

const KIB: u32 = 32 << 10;

#[test]
fn a_process_without_its_main_thread_has_its_memory_all_the_same() {
    let child = Program::headless("headless", KIB);
    let least = u64::from(KIB) << 10;
    let demand = Demand { sources: all_sources(), visible: Vec::new(), top_by_pss: 0, cgroups: false, budget: 1.0 };
    let mut collector = Collector::new(ProcRoot::live()).unwrap();
    for _ in 0..3 {
        let sample = collector.sample(&demand, Duration::from_mins(1)).unwrap();
        let process = sample.processes.iter().find(|process| process.key.pid == child.pid()).unwrap();
        let rss = process.resident.value().unwrap().rss;
        assert!(rss >= least, "RSS {rss}");
    }
    let sample = collector.sample(&demand, Duration::from_mins(1)).unwrap();
    let process = sample.processes.iter().find(|process| process.key.pid == child.pid()).unwrap();
    assert!(process.status.reading.value().unwrap().peak_rss >= least, "{:?}", process.status);
    assert!(process.rollup.reading.value().unwrap().uss >= least, "{:?}", process.rollup);
}

#[test]
fn one_look_finds_it_too() {
    let child = Program::headless("headless-ps", KIB);
    let output = Command::new(env!("CARGO_BIN_EXE_memtide"))
        .args(["ps", "--format", "json", &format!("pid={}", child.pid())])
        .output()
        .unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = &told["processes"][0];
    assert!(row["rss"].as_u64().unwrap() >= u64::from(KIB) << 10, "{told}");
    assert!(row["pss"].as_u64().unwrap() >= u64::from(KIB) << 10, "{told}");
}
