//! The only place that changes the machine. An [`effect::Effect`] is a value; [`change::CHANGES`] are the words for
//! them, [`plan::plan`] says what one would do and whether we may, [`run::run`] carries it out and measures what came
//! of it, [`journal`] keeps it.

mod advise;
pub mod change;
pub mod control;
pub mod deed;
mod deliver;
pub mod effect;
pub mod gauge;
mod group;
pub mod heap;
pub mod hook;
pub mod journal;
mod jvm;
pub mod keep;
mod limits;
pub mod own;
pub mod plan;
mod process;
pub mod reach;
pub mod rights;
pub mod run;
pub mod signal;
pub mod snapshot;
mod swap;
pub mod syslog;
pub mod webhook;
pub mod words;
