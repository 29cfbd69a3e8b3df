//! Samples of the real machine.

use std::time::Duration;

use memtide::collect::collector::Collector;
use memtide::collect::demand::Demand;
use memtide::collect::once::{Once, read_once};
use memtide::collect::root::ProcRoot;
use memtide::collect::turn::all_sources;
use memtide::model::sample::Sample;

/// A sample with everything in it, as the one-shot commands take it.
pub fn sample_once() -> Sample {
    read_once(&ProcRoot::live(), &Once { sources: all_sources(), top_by_pss: None }).unwrap()
}

/// A sample of a collector that has read all it was asked for.
pub fn sample_in_turn() -> Sample {
    let demand = Demand { sources: all_sources(), visible: Vec::new(), top_by_pss: 0, cgroups: false, budget: 1.0 };
    let mut collector = Collector::new(ProcRoot::live()).unwrap();
    for _ in 0..100 {
        let sample = collector.sample(&demand, Duration::from_secs(1)).unwrap();
        if sample.scan.pending == 0 {
            return sample;
        }
    }
    panic!("after 100 samples something had never been read");
}
