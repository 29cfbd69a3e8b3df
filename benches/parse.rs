//! What one parser costs on one file, as this kernel writes it.

mod support;

use divan::{Bencher, black_box};
use memtide::collect::{parse, system};

fn main() {
    divan::main();
}

#[divan::bench]
fn statm(bencher: Bencher) {
    let bytes = support::own("statm");
    bencher.bench(|| parse::parse_statm(black_box(&bytes), 4096));
}

#[divan::bench]
fn stat(bencher: Bencher) {
    let bytes = support::own("stat");
    bencher.bench(|| parse::parse_stat(black_box(&bytes)).is_some());
}

#[divan::bench]
fn status(bencher: Bencher) {
    let bytes = support::own("status");
    bencher.bench(|| parse::parse_status(black_box(&bytes)));
}

#[divan::bench]
fn smaps_rollup(bencher: Bencher) {
    let bytes = support::own("smaps_rollup");
    bencher.bench(|| parse::parse_smaps(black_box(&bytes)));
}

/// What is read in the place of smaps_rollup before Linux 4.14.
#[divan::bench]
fn smaps(bencher: Bencher) {
    let bytes = support::own("smaps");
    bencher.bench(|| parse::parse_smaps(black_box(&bytes)));
}

#[divan::bench]
fn limits(bencher: Bencher) {
    let bytes = support::own("limits");
    bencher.bench(|| parse::parse_fd_limit(black_box(&bytes)));
}

#[divan::bench]
fn meminfo(bencher: Bencher) {
    let bytes = std::fs::read("/proc/meminfo").unwrap_or_default();
    bencher.bench(|| system::parse_meminfo(black_box(&bytes)));
}

#[divan::bench]
fn vmstat(bencher: Bencher) {
    let bytes = std::fs::read("/proc/vmstat").unwrap_or_default();
    bencher.bench(|| system::parse_vmstat(black_box(&bytes)));
}
