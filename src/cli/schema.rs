//! The arguments of `memtide schema`.

use clap::Args;

/// `memtide schema`.
#[derive(Args, Debug)]
#[command(after_help = SCHEMA_EXAMPLES)]
pub struct Schema {
    /// Which one, as in ps, heap diff or memtide.ps/1; without it, all are listed
    #[arg(value_name = "NAME", num_args = 0..=2)]
    pub name: Vec<String>,
}

const SCHEMA_EXAMPLES: &str = "\
Examples:
  memtide schema                               what there is
  memtide schema ps                            of memtide ps --format json
  memtide schema heap diff                     of memtide heap diff --format json
  memtide schema guard                         of the log of memtide guard, and of what a hook gets";
