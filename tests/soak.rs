//! A day in a minute: 24 hours' worth of samples at the recorder's interval through the session that every face of
//! memtide shares, on a machine where programs leak and short-lived ones come and go. What it keeps of them is bounded.
//!
//! `benches/soak.py` watches the program itself for an hour of real time.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::sync::Arc;

use memtide::model::key::ProcessKey;
use memtide::model::process::ProcessSample;
use memtide::model::sample::Sample;
use memtide::session::Session;
use support::face::{Face, options};
use support::machine::{Crowd, sample};

/// Seconds from a sample to the next.
const INTERVAL: u64 = 5;

/// Samples in an hour.
const HOUR: u64 = 3600 / INTERVAL;

/// Processes of which each sample has others, as a machine has that builds or serves CGI.
const SHORT_LIVES: u32 = 20;

/// What this process has in RAM, in KiB, and how many files it has open.
fn own() -> (u64, usize) {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    (pages * rustix::param::page_size() as u64 / 1024, fs::read_dir("/proc/self/fd").unwrap().count())
}

/// The machine at a moment, with its short-lived processes.
fn at(number: u64) -> Sample {
    let mut sample = sample(Crowd::Leaks, number * INTERVAL);
    let model = Arc::clone(sample.processes.last().unwrap());
    let least = model.key.pid + 1;
    for nth in 0..SHORT_LIVES {
        // Pids come round, as they do where the largest one is 32768.
        let pid = least + ((number as u32 * SHORT_LIVES + nth) % 20_000);
        let key = ProcessKey { pid, start_time: number * 500 + u64::from(nth) };
        sample.processes.push(Arc::new(ProcessSample { key, ..(*model).clone() }));
    }
    sample.processes.sort_by_key(|process| process.key.pid);
    sample
}

#[test]
fn a_day_of_samples_leaves_no_more_behind_than_three_hours() {
    let request = Face::starting(120, 30, Crowd::Leaks, options(), None).app.request();
    let mut session = Session::default();
    let mut after = Vec::new();
    for hour in 0..24 {
        for number in hour * HOUR..(hour + 1) * HOUR {
            session.ingest(at(number));
            if number % 12 == 0 {
                // Once a minute somebody looks.
                assert!(session.answer(&request).is_some());
            }
        }
        let (rss, files) = own();
        after.push((rss, files, session.heap_bytes()));
    }
    let told = || format!("RSS in KiB, files, bytes of the session after each hour: {after:?}");
    let (early, last) = (after[2], after[23]);
    assert!(last.0 <= early.0 + 2048, "{}", told());
    assert_eq!(last.1, early.1, "{}", told());
    assert!(last.2 <= early.2 + early.2 / 4, "{}", told());
}
