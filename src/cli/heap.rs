//! The arguments of the commands for what is inside a runtime's heap.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::config::said::Said;

use super::{Format, HeapCapture, HeapHistogram, HeapNumbers, Report};

/// `memtide heap`.
#[derive(Args, Debug)]
pub struct Heap {
    /// What to do.
    #[command(subcommand)]
    pub command: HeapCommand,
}

/// What can be done with heaps.
#[derive(Debug, Subcommand)]
pub enum HeapCommand {
    /// Prints what a V8 heap snapshot holds: classes, objects, who retains them
    Show(HeapShow),
    /// Prints what grew from one V8 heap snapshot to the next
    Diff(HeapDiff),
    /// Walks through a V8 heap snapshot in the terminal, or through what grew between several
    View(HeapView),
    /// Takes a V8 heap snapshot of a running Node.js process, or a series of them
    Capture(HeapCapture),
    /// Prints what a running Node.js process has in its V8 heap, in numbers
    Stats(HeapNumbers),
    /// Prints the classes of a running JVM, or what a Go program has in use, by bytes
    Histogram(HeapHistogram),
}

/// `memtide heap show`.
#[derive(Args, Debug)]
#[command(after_help = SHOW_EXAMPLES)]
pub struct HeapShow {
    /// The snapshot (.heapsnapshot), also compressed by gzip
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What to list
    #[arg(long, value_name = "WHAT", default_value = "classes")]
    pub what: HeapWhat,
    /// What sorts
    #[arg(long, value_name = "BY", default_value = "retained")]
    pub by: HeapOrder,
    /// Prints so many lines of each list
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub top: usize,
    /// The objects of this class
    #[arg(long, value_name = "NAME")]
    pub class: Option<String>,
    /// One object: its fields, who retains it, the way to it from a root
    #[arg(long, value_name = "@ID", value_parser = object)]
    pub object: Option<u64>,
    /// Only classes, objects and strings with this in their name
    #[arg(long, value_name = "WORD")]
    pub search: Option<String>,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    /// Sizes in bytes
    #[arg(long, short)]
    pub bytes: bool,
    /// Reads it even where memory is short
    #[arg(long)]
    pub force: bool,
}

/// Lists of what a heap holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HeapWhat {
    /// Objects by their constructor.
    Classes,
    /// Strings that are there several times.
    Strings,
    /// Maps, sets and arrays by the number of their elements.
    Collections,
    /// Functions by where they are written.
    Closures,
    /// What the page or the program has given up and something still holds.
    Detached,
    /// Objects by what would be freed with them.
    Biggest,
    /// The tree of what would be freed with what.
    Dominators,
}

/// What sorts a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HeapOrder {
    /// What would be freed with it.
    Retained,
    /// Its own size.
    Shallow,
    /// How many there are.
    Count,
}

/// Reads `@1234` or `1234`.
fn object(text: &str) -> Result<u64, String> {
    text.strip_prefix('@').unwrap_or(text).parse().map_err(|_| format!("`{text}` is no object: write @1234"))
}

const SHOW_EXAMPLES: &str = "\
Take a snapshot in Node.js with v8.writeHeapSnapshot(), or in Chrome DevTools. Retained is what would be freed with it.

Examples:
  memtide heap show app.heapsnapshot                          classes by what they retain
  memtide heap show app.heapsnapshot --class PooledRequest    its objects, and who holds them
  memtide heap show app.heapsnapshot --object @4711           fields, and the way from a root
  memtide heap show app.heapsnapshot --what strings           strings that are there several times
  memtide heap show app.heapsnapshot --search session         classes and strings with this in their name";

/// `memtide heap view`.
#[derive(Args, Debug)]
#[command(after_help = VIEW_EXAMPLES)]
pub struct HeapView {
    /// A snapshot, or several of one process, the oldest first; histograms of a JVM or of Go likewise
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Opens them even where memory is short
    #[arg(long)]
    pub force: bool,
    /// Settings of the live view.
    #[command(flatten)]
    pub said: Said,
}

const VIEW_EXAMPLES: &str = "\
Enter goes on: from a class to its objects, from an object to its fields, to who holds it and to the root. Esc goes back a
step, 1 to 8 show the other lists, / narrows, F3 finds an object or a string.

Examples:
  memtide heap view app.heapsnapshot                        classes, objects, who holds them
  memtide heap view before.heapsnapshot after.heapsnapshot  what grew, and who holds what is new
  memtide heap view before.json after.json                  what memtide heap histogram --format json wrote
  memtide heap view heap.pb.gz                              a heap profile of Go";

/// `memtide heap diff`.
#[derive(Args, Debug)]
#[command(after_help = DIFF_EXAMPLES)]
pub struct HeapDiff {
    /// Two snapshots or more of one process, the oldest first
    #[arg(value_name = "FILE", num_args = 2.., required = true)]
    pub files: Vec<PathBuf>,
    /// Prints so many lines of each list
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub top: usize,
    /// Only classes with this in their name
    #[arg(long, value_name = "WORD")]
    pub search: Option<String>,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Report,
    /// Sizes in bytes
    #[arg(long, short)]
    pub bytes: bool,
    /// Reads them even where memory is short
    #[arg(long)]
    pub force: bool,
}

const DIFF_EXAMPLES: &str = "\
Objects keep their number as long as their process runs: what is new, and what is gone, is told by that.

Examples:
  memtide heap diff before.heapsnapshot after.heapsnapshot    what grew, and who holds it
  memtide heap diff 1.heapsnapshot 2.heapsnapshot 3.heapsnapshot    what grew in every step";
