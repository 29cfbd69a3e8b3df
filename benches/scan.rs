//! What one sample costs: on a tree of files, where only our own work counts, and on the running machine.

mod support;

use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use memtide::collect::collector::Collector;
use memtide::collect::demand::Demand;
use memtide::collect::once::{Once, read_once};
use memtide::collect::root::ProcRoot;
use memtide::collect::turn::all_sources;
use memtide::model::field::{Source, SourceSet};

fn main() {
    divan::main();
}

const INTERVAL: Duration = Duration::from_secs(1);

fn demand(sources: SourceSet) -> Demand {
    Demand { sources, visible: Vec::new(), top_by_pss: 50, cgroups: false, budget: Demand::BUDGET }
}

fn sample_again_and_again(bencher: Bencher, root: ProcRoot, sources: SourceSet) {
    let mut collector = Collector::new(root).expect("the root is readable");
    let demand = demand(sources);
    let first = collector.sample(&demand, INTERVAL).expect("the root is readable");
    bencher
        .counter(ItemsCount::new(first.processes.len()))
        .bench_local(|| collector.sample(&demand, INTERVAL).expect("the root is readable"));
}

#[divan::bench(args = [1_000, 5_000])]
fn statm_of_a_tree(bencher: Bencher, processes: u32) {
    let (_folder, root) = support::tree(processes);
    sample_again_and_again(bencher, root, SourceSet::from_iter([Source::Statm]));
}

#[divan::bench(args = [1_000])]
fn everything_of_a_tree(bencher: Bencher, processes: u32) {
    let (_folder, root) = support::tree(processes);
    sample_again_and_again(bencher, root, all_sources());
}

#[divan::bench]
fn statm_of_this_machine(bencher: Bencher) {
    sample_again_and_again(bencher, ProcRoot::live(), SourceSet::from_iter([Source::Statm]));
}

#[divan::bench]
fn everything_of_this_machine(bencher: Bencher) {
    sample_again_and_again(bencher, ProcRoot::live(), all_sources());
}

#[divan::bench(args = [None, Some(10)])]
fn once_of_this_machine(bencher: Bencher, top_by_pss: Option<usize>) {
    let root = ProcRoot::live();
    let wish = Once { sources: all_sources(), top_by_pss };
    bencher.bench(|| read_once(&root, &wish).expect("/proc is readable"));
}
