//! One short file a command: from arguments to calls, no logic of its own.

mod config;
mod free;
mod live;
mod ps;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::{Cli, Command, Common};
use crate::collect::root::ProcRoot;

/// Wrong usage that clap can't see: exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Does what was asked for.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        None => live::run(cli.said, &cli.common),
        Some(Command::Ps(args)) => ps::run(&args, &cli.common),
        Some(Command::Free(args)) => free::run(&args, &cli.common),
        Some(Command::Config(args)) => config::run(&args, &cli.common),
    }
}

/// The kernel's files, or those of a recorded tree.
fn root(common: &Common) -> ProcRoot {
    common.root.as_deref().map_or_else(ProcRoot::live, ProcRoot::recorded)
}

/// Columns of the terminal on stdout, if it is one.
fn terminal_width() -> Option<usize> {
    let size = io::stdout().is_terminal().then(|| rustix::termios::tcgetwinsize(io::stdout()).ok())??;
    (size.ws_col > 0).then_some(size.ws_col.into())
}

/// Does something once, or again and again every so often.
fn repeat(every: Option<Duration>, mut once: impl FnMut(bool) -> anyhow::Result<()>) -> anyhow::Result<()> {
    once(true)?;
    while let Some(every) = every {
        std::thread::sleep(every);
        once(false)?;
    }
    Ok(())
}
