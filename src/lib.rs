//! memtide: a memory explorer for the Linux terminal.
//!
//! One thing flows. A `Collector` reads the kernel and gives a [`model::sample::Sample`] (raw counters); a
//! `Session` derives a [`model::snapshot::Snapshot`], keeps history, and publishes an `Update`; the TUI and
//! the one-shot commands show it. A file imports only from rows below its own:
//!
//! | layer | owns |
//! | --- | --- |
//! | `main`, `cli`, `cmd`, `config` | arguments and configuration in, exit status out |
//! | `tui`, `serve` | the faces: for people, and for machines over HTTP |
//! | `session` | the headless program: source, session, timeline |
//! | `guard` | rules to decisions: limits that are kept, pure |
//! | `act`, `record`, `export` | what changes the machine; the recording; JSON, CSV, metrics |
//! | `collect`, `analyze`, `heap` | the only reader of the kernel; history and trend, pure; JavaScript heaps, pure |
//! | `model` | samples, snapshots, fields: pure |
//! | `units`, `lang` | bytes, rates, percentages; the languages of the screen |
//!
//! `tests/architecture.rs` holds every file to this table.

#[macro_use]
pub mod lang;

pub mod act;
pub mod analyze;
pub mod cli;
pub mod cmd;
pub mod collect;
pub mod config;
pub mod export;
pub mod guard;
pub mod heap;
pub mod model;
pub mod record;
pub mod serve;
pub mod session;
pub mod tui;
pub mod units;
