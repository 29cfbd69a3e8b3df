//! One short file a command: from arguments to calls, no logic of its own.

mod act;
mod acts;
mod completions;
mod config;
mod diagnose;
mod doctor;
mod export;
mod free;
mod guard;
mod heap;
mod inspect;
mod live;
mod man;
mod ps;
mod record;
mod repair;
mod replay;
mod report;
mod schema;
mod serve;
mod since;
mod stop;
mod verify;
mod watch;

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
        Some(Command::Inspect(args)) => inspect::run(&args, &cli.common),
        Some(Command::Diagnose(args)) => diagnose::run(&args, &cli.common),
        Some(Command::Record(args)) => record::run(&args, &cli.common),
        Some(Command::Replay(args)) => replay::run(&args, args.said.clone(), &cli.common),
        Some(Command::Report(args)) => report::run(&args),
        Some(Command::Verify(args)) => verify::run(&args),
        Some(Command::Repair(args)) => repair::run(&args),
        Some(Command::Act(args)) => act::run(args, &cli.common),
        Some(Command::Guard(args)) => guard::run(&args, &cli.common),
        Some(Command::Export(args)) => export::run(&args),
        Some(Command::Serve(args)) => serve::run(&args, &cli.common),
        Some(Command::Doctor(args)) => doctor::run(&args, &cli.common),
        Some(Command::Heap(args)) => heap::run(&args, &cli.common),
        Some(Command::Schema(args)) => schema::run(&args),
        Some(Command::Config(args)) => config::run(&args, &cli.common),
        Some(Command::Completions(args)) => completions::run(&args),
        Some(Command::Man(args)) => man::run(&args),
    }
}

/// The kernel's files, or those of a recorded tree at its first moment.
fn root(common: &Common) -> ProcRoot {
    common.root.as_deref().map_or_else(ProcRoot::live, |folder| ProcRoot::recorded_steps(folder).swap_remove(0))
}

/// Where each look finds its files: those of the kernel, or a recorded tree's moments in turn, of which the last one
/// stays.
fn roots(common: &Common) -> impl Iterator<Item = ProcRoot> {
    let steps = common.root.as_deref().map_or_else(|| vec![ProcRoot::live()], ProcRoot::recorded_steps);
    (0..).map(move |look: usize| steps[look.min(steps.len() - 1)].clone())
}

/// Columns of the terminal on stdout, if it is one.
fn terminal_width() -> Option<usize> {
    let size = io::stdout().is_terminal().then(|| rustix::termios::tcgetwinsize(io::stdout()).ok())??;
    (size.ws_col > 0).then_some(size.ws_col.into())
}

/// Does something with the kernel's files once, or again and again every so often; it is told whether it is the first
/// time.
fn repeat(
    common: &Common,
    every: Option<Duration>,
    mut once: impl FnMut(&ProcRoot, bool) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut is_first = true;
    for root in roots(common) {
        once(&root, is_first)?;
        is_first = false;
        let Some(every) = every else { break };
        std::thread::sleep(every);
    }
    Ok(())
}
