//! What a day of 1,000 processes costs to write, to open, and to jump around in.

mod support;

use std::path::Path;
use std::sync::LazyLock;

use divan::Bencher;
use memtide::record::reader::Reader;
use memtide::record::redact::Redaction;
use memtide::record::writer::Writer;
use support::samples::Samples;
use tempfile::TempDir;

fn main() {
    divan::main();
    // A static is never dropped.
    let _ = std::fs::remove_dir_all(DAY.0.path());
}

const PROCESSES: u32 = 1_000;

/// A sample every 5 s.
const DAY_SAMPLES: usize = 24 * 3600 / 5;

/// A recording of a day, of which one process in twenty changes in every sample.
static DAY: LazyLock<(TempDir, i64, i64)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let mut samples = Samples::new(PROCESSES);
    let mut writer = Writer::new(Vec::new(), None, Redaction::Secrets).expect("zstd");
    let (mut first, mut last) = (0, 0);
    for nth in 0..DAY_SAMPLES {
        let sample = samples.take();
        writer.append(&sample).expect("memory can be written");
        if nth == 0 {
            first = sample.wall_ms;
        }
        last = sample.wall_ms;
    }
    std::fs::write(folder.path().join("day"), writer.sink()).expect("the recording can be written");
    (folder, first, last)
});

fn day() -> std::path::PathBuf {
    Path::new(DAY.0.path()).join("day")
}

#[divan::bench]
fn append(bencher: Bencher) {
    let mut samples = Samples::new(PROCESSES);
    let mut writer = Writer::new(Vec::new(), None, Redaction::Secrets).expect("zstd");
    bencher.with_inputs(|| samples.take()).bench_local_refs(|sample| writer.append(sample).is_ok());
}

#[divan::bench]
fn open_and_first(bencher: Bencher) {
    let path = day();
    bencher.bench(|| Reader::open(&path).expect("it is there").next());
}

#[divan::bench]
fn jump(bencher: Bencher) {
    let (path, [first, last]) = (day(), [DAY.1, DAY.2]);
    let mut reader = Reader::open(&path).expect("it is there");
    let mut nth = 0;
    bencher.bench_local(|| {
        // Far from the jump before.
        nth = (nth + 7_919) % 10_000;
        reader.seek(first + (last - first) / 10_000 * nth);
        reader.next()
    });
}

#[divan::bench]
fn step_forward(bencher: Bencher) {
    let path = day();
    let mut reader = Reader::open(&path).expect("it is there");
    bencher.bench_local(|| reader.next());
}

#[divan::bench]
fn step_back(bencher: Bencher) {
    let path = day();
    let mut reader = Reader::open(&path).expect("it is there");
    reader.seek(i64::MAX);
    reader.next();
    bencher.bench_local(|| reader.previous());
}
