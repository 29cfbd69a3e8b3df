//! `memtide heap diff`: what grew between V8 heap snapshots.

use std::process::ExitCode;

use crate::cli::HeapDiff;

pub(super) fn run(args: &HeapDiff) -> anyhow::Result<ExitCode> {
    anyhow::bail!("{}: heap snapshots can't be read yet", args.files[0].display())
}
