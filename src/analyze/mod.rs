//! What follows from many samples: the history of every process, service and of the machine, and how it is judged. Pure:
//! time comes with the samples.
//!
//! A value goes from [`history`] into the series of a track, a group or the machine; `judge` looks at windows of the
//! series, `standing` keeps its verdict from fluttering, `findings` ranks what rises by the limit it meets first.

mod bounds;
pub mod events;
pub mod evidence;
mod findings;
mod groups;
pub mod history;
mod judge;
pub mod layers;
mod machine;
mod observed;
pub mod report;
pub mod runtime;
pub mod series;
mod shape;
pub mod sight;
mod standing;
pub mod story;
mod track;
pub mod trend;
#[cfg(test)]
mod verdicts;
mod watch;
