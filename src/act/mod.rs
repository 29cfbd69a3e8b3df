//! The only place that changes the machine.

pub mod effect;
