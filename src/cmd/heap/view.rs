//! `memtide heap view`: the live view, opened on a heap.

use std::process::ExitCode;

use super::super::live::begin;
use crate::cli::{Common, HeapView};

pub(super) fn run(args: &HeapView, common: &Common) -> anyhow::Result<ExitCode> {
    begin(args.said.clone(), common, |app| app.open_heap(args.files.clone(), args.force))
}
