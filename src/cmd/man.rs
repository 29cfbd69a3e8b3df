//! `memtide man`.

use std::fs;
use std::io;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_mangen::Man as Page;

use crate::cli::{Cli, Man};

pub(super) fn run(args: &Man) -> anyhow::Result<ExitCode> {
    let mut command = Cli::command();
    command.build();
    let Some(folder) = &args.output else {
        Page::new(command).render(&mut io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    };
    let pages = command.get_subcommands().filter(|sub| sub.get_name() != "help").map(|sub| {
        let name = format!("memtide-{}", sub.get_name());
        (name.clone(), sub.clone().display_name(&name))
    });
    for (name, command) in pages.collect::<Vec<_>>().into_iter().chain([("memtide".to_owned(), command)]) {
        let mut page = Vec::new();
        Page::new(command).render(&mut page)?;
        let path = folder.join(format!("{name}.1"));
        fs::write(&path, page).with_context(|| path.display().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}
