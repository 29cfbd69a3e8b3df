//! The recording: every sample whole, in a file that outlives a crash of who writes it.
//!
//! [`mod@format`] is the specification. A [`writer::Writer`] turns samples into blocks, a [`recorder::Recorder`] keeps one
//! going over full disks, segments and limits, a [`reader::Reader`] gives the samples back. Only raw samples are
//! recorded: what is made of them is made anew by who reads.

pub mod account;
mod block;
mod cells;
mod closer;
mod columns;
pub mod error;
pub mod format;
pub mod place;
pub mod reader;
pub mod recorder;
pub mod redact;
pub mod repair;
mod scan;
mod schema;
mod state;
mod table;
mod texts;
mod varint;
pub mod verify;
pub mod writer;
