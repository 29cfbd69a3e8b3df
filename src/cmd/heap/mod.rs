//! `memtide heap`: what is inside a runtime's heap.

mod beside;
mod capture;
mod diff;
mod histogram;
mod open;
mod show;
mod stats;
mod view;

use std::process::ExitCode;

use crate::cli::{Common, Heap, HeapCommand};

pub(super) fn run(args: &Heap, common: &Common) -> anyhow::Result<ExitCode> {
    match &args.command {
        HeapCommand::Show(args) => show::run(args),
        HeapCommand::Diff(args) => diff::run(args),
        HeapCommand::View(args) => view::run(args, common),
        HeapCommand::Capture(args) => capture::run(args, common),
        HeapCommand::Stats(args) => stats::run(args, common),
        HeapCommand::Histogram(args) => histogram::run(args, common),
    }
}
