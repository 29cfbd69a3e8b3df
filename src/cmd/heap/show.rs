//! `memtide heap show`: what a V8 heap snapshot holds.

use std::process::ExitCode;

use crate::cli::HeapShow;

pub(super) fn run(args: &HeapShow) -> anyhow::Result<ExitCode> {
    anyhow::bail!("{}: heap snapshots can't be read yet", args.file.display())
}
