//! `memtide man`.

use std::io;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::cli::{Cli, Man};

pub(super) fn run(args: &Man) -> anyhow::Result<ExitCode> {
    let command = Cli::command().disable_help_subcommand(true);
    match &args.output {
        Some(folder) => clap_mangen::generate_to(command, folder).with_context(|| folder.display().to_string())?,
        None => clap_mangen::Man::new(command).render(&mut io::stdout().lock())?,
    }
    Ok(ExitCode::SUCCESS)
}
