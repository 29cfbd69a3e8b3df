//! `memtide schema`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::Usage;
use crate::cli::Schema;
use crate::export::schema::{find, schemas};

pub(super) fn run(args: &Schema) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    if args.name.is_empty() {
        for schema in schemas() {
            writeln!(out, "{:<26} {}", schema.name, schema.about)?;
        }
    } else {
        let name = args.name.join(" ");
        let schema = find(&name).ok_or_else(|| Usage(format!("there is no schema `{name}`: see `memtide schema`")))?;
        out.write_all(schema.text.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}
