//! `memtide heap`: what is inside a runtime's heap.

mod diff;
mod open;
mod show;

use std::process::ExitCode;

use crate::cli::{Common, Heap, HeapCommand};

pub(super) fn run(args: &Heap, _common: &Common) -> anyhow::Result<ExitCode> {
    match &args.command {
        HeapCommand::Show(args) => show::run(args),
        HeapCommand::Diff(args) => diff::run(args),
    }
}
