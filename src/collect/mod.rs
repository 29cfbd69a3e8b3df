//! The only reader of the kernel. Everything takes a [`root::ProcRoot`]; parsers are pure functions of bytes.
//!
//! [`collector::Collector`] gives sample after sample at a bounded cost; [`once::read_once`] gives one that is
//! complete.

pub mod cgroup;
mod clock;
pub mod collector;
mod crew;
pub mod demand;
mod entry;
pub mod error;
mod files;
pub mod host;
mod limits;
pub mod once;
pub mod parse;
mod process;
pub mod root;
pub mod system;
pub mod sysv;
mod table;
mod top;
pub mod turn;
