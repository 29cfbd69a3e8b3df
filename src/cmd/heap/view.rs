//! `memtide heap view`: the live view, opened on a heap.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use super::super::Usage;
use super::super::live::begin;
use crate::cli::{Common, HeapView};

pub(super) fn run(args: &HeapView, common: &Common) -> anyhow::Result<ExitCode> {
    if !io::stdout().is_terminal() {
        let why = "stdout is no terminal: `memtide heap show` and `memtide heap diff` print to files and pipes";
        return Err(Usage(why.into()).into());
    }
    begin(args.said.clone(), common, |app| app.open_heap(args.files.clone(), args.force))
}
