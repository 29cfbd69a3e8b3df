//! `memtide completions`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Usage;
use crate::cli::{Cli, Completions};

pub(super) fn run(args: &Completions) -> anyhow::Result<ExitCode> {
    let shell = args.shell.or_else(Shell::from_env);
    let shell = shell.ok_or_else(|| Usage("$SHELL names no shell that is known: name one, as in bash".into()))?;
    // Made whole first: the generator panics where it can't write, as into a pipe that nobody reads.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "memtide", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
