//! What it costs to remember one more sample, and to answer the screen's request.

mod support;

use std::time::Duration;

use divan::Bencher;
use memtide::analyze::history::History;
use memtide::collect::demand::Demand;
use memtide::model::field::SourceSet;
use memtide::session::Session;
use memtide::session::request::Request;
use support::samples::Samples;

fn main() {
    divan::main();
}

/// Samples that were taken before the measurement begins: the history is no longer short.
const WARM: usize = 120;

#[divan::bench(args = [1_000, 5_000])]
fn push(bencher: Bencher, processes: u32) {
    let mut samples = Samples::new(processes);
    let mut history = History::default();
    (0..WARM).for_each(|_| history.push(&samples.take()));
    bencher.with_inputs(|| samples.take()).bench_local_refs(|sample| history.push(sample));
}

#[divan::bench(args = [1_000, 5_000])]
fn ingest_and_answer(bencher: Bencher, processes: u32) {
    let mut samples = Samples::new(processes);
    let mut session = Session::default();
    (0..WARM).for_each(|_| session.ingest(samples.take()));
    let visible: Vec<_> = samples.take().processes.iter().take(50).map(|process| process.key).collect();
    let request = Request {
        demand: Demand {
            sources: SourceSet::default(),
            visible: visible.clone(),
            top_by_pss: 50,
            cgroups: false,
            budget: 0.02,
        },
        series: visible,
        series_points: 24,
        series_span: Duration::from_mins(10),
        machine_points: 150,
        machine_span: Duration::from_hours(1),
        evidence: None,
        inspect: None,
        system: None,
        at: None,
        play: None,
        hunt: None,
        interval: Duration::from_secs(1),
    };
    bencher.with_inputs(|| samples.take()).bench_local_values(|sample| {
        session.ingest(sample);
        session.answer(&request)
    });
}
