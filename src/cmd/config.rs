//! `memtide config`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::Usage;
use crate::cli::{Common, Config};
use crate::config::file;
use crate::config::page::page;

pub(super) fn run(args: &Config, common: &Common) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    if args.path {
        let path = common.config.clone().or_else(file::default_path);
        let path = path.ok_or_else(|| Usage("there is no home: set HOME or XDG_CONFIG_HOME".into()))?;
        writeln!(out, "{}", path.display())?;
    } else if args.man {
        out.write_all(page().as_bytes())?;
    } else {
        out.write_all(file::print_default().as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}
