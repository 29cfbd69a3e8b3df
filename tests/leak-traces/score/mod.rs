//! How well a judge of growth knows the recordings: what it called, against what was true.

pub mod baseline;
pub mod case;
pub mod detector;
pub mod judge;
pub mod memtide;
pub mod metric;
pub mod replay;
