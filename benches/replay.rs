//! What it costs to open a day's recording of 1,000 processes, and to go to any moment of it: to the first picture, which
//! is published before anything is judged.

mod support;

use std::path::Path;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use divan::Bencher;
use memtide::collect::demand::Demand;
use memtide::model::field::SourceSet;
use memtide::model::reading::BootMs;
use memtide::record::reader::Reader;
use memtide::record::redact::Redaction;
use memtide::record::writer::Writer;
use memtide::session::replay::ReplayHandle;
use memtide::session::request::Request;
use memtide::session::thread::Published;
use support::samples::Samples;
use tempfile::TempDir;

fn main() {
    let folder = day();
    let length = std::fs::metadata(folder.path().join("day.mt")).map_or(0, |file| file.len());
    eprintln!("a day of {PROCESSES} processes, a sample every 5 s: {:.1} MB", length as f64 / 1e6);
    divan::main();
}

const PROCESSES: u32 = 1_000;
const SAMPLES: u64 = 24 * 3600 / 5;
const STEP_MS: u64 = 5_000;

/// The recording, made once.
fn day() -> &'static TempDir {
    static DAY: OnceLock<TempDir> = OnceLock::new();
    DAY.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = Writer::new(Vec::new(), None, Redaction::Nothing).expect("a recording");
        let mut samples = Samples::new(PROCESSES);
        let first = samples.take();
        for nth in 0..SAMPLES {
            let mut sample = samples.take();
            sample.at = BootMs(first.at.0 + nth * STEP_MS);
            sample.wall_ms = 1_790_000_000_000 + (nth * STEP_MS) as i64;
            sample.interval_ms = STEP_MS;
            writer.append(&sample).expect("a sample");
        }
        std::fs::write(folder.path().join("day.mt"), writer.sink()).expect("a file");
        folder
    })
}

fn request(at: u64) -> Request {
    Request {
        demand: Demand {
            sources: SourceSet::default(),
            visible: Vec::new(),
            top_by_pss: 0,
            cgroups: false,
            budget: 0.0,
        },
        series: Vec::new(),
        series_points: 24,
        series_span: Duration::from_mins(10),
        machine_points: 150,
        machine_span: Duration::from_hours(1),
        evidence: None,
        at: Some(BootMs(at + 1)),
        play: None,
        hunt: None,
        inspect: None,
        system: None,
        interval: Duration::from_secs(5),
    }
}

fn open(path: &Path, at: u64) -> (ReplayHandle, Receiver<Published>) {
    let (say, said) = channel();
    let readers = [Reader::open(path).expect("a recording"), Reader::open(path).expect("a recording")];
    let publish = move |published| drop(say.send(published));
    (ReplayHandle::spawn(readers, request(at), publish).expect("a thread"), said)
}

/// From the file to the first picture.
#[divan::bench(sample_count = 30)]
fn open_to_first_picture(bencher: Bencher) {
    let path = day().path().join("day.mt");
    bencher.bench_local(|| {
        let (replay, said) = open(&path, SAMPLES * STEP_MS / 2);
        let first = said.recv().expect("a picture");
        (replay, first)
    });
}

/// From the wish to the picture of another moment, while the past is being judged.
#[divan::bench(sample_count = 100)]
fn go_to_any_moment(bencher: Bencher) {
    let path = day().path().join("day.mt");
    let (replay, said) = open(&path, 0);
    let mut nth = 0u64;
    bencher.bench_local(|| {
        nth += 1;
        let at = nth.wrapping_mul(0x9E37_79B9_7F4A_7C15) % SAMPLES * STEP_MS;
        replay.request(request(at));
        loop {
            match said.recv().expect("a picture") {
                Published::Update(update) if update.timeline.shown == BootMs(at + 1) => break update,
                _ => {}
            }
        }
    });
}
