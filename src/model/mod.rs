//! The vocabulary: what a sample is made of, what is derived from it, and [`field`], the one table of every
//! quantity that can be shown, sorted, filtered or exported. Pure: no files, no clock, no terminal.

pub mod account;
pub mod census;
pub mod cgroup;
pub mod cgroup_query;
pub mod cgroup_tree;
pub mod field;
pub mod group;
pub mod inspect;
pub mod judgement;
pub mod key;
pub mod mark;
pub mod power;
pub mod process;
pub mod query;
pub mod reading;
pub mod reclaim;
pub mod runtime;
pub mod sample;
pub mod shell;
pub mod snapshot;
pub mod survey;
pub mod system;
pub mod tenant;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod tree;
