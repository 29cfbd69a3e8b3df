//! The only reader of the kernel. Everything takes a [`root::ProcRoot`]; parsers are pure functions of bytes.
//!
//! [`collector::Collector`] gives sample after sample at a bounded cost; [`once::read_once`] gives one that is
//! complete; [`inspect::Inspector`] looks at one process closely.

pub mod cgroup;
mod cgroups;
mod clock;
pub mod collector;
mod crew;
pub mod demand;
mod entry;
pub mod error;
mod files;
pub mod host;
pub mod inspect;
mod limits;
pub mod once;
pub mod parse;
mod process;
pub mod root;
pub mod runtime;
pub mod survey;
mod survivor;
pub mod system;
pub mod sysv;
mod table;
mod top;
pub mod turn;
pub mod watcher;
