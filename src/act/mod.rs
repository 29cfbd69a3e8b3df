//! The only place that changes the machine. An [`effect::Effect`] is a value; [`plan::plan`] says what it would do
//! and whether we may, [`run::run`] carries it out and measures what came of it.

pub mod effect;
pub mod plan;
mod process;
pub mod rights;
pub mod run;
pub mod signal;
