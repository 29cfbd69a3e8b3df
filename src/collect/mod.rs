//! The only reader of the kernel. Everything takes a [`root::ProcRoot`]; parsers are pure functions of bytes.

pub mod demand;
pub mod root;
