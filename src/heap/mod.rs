//! V8 heap snapshots: what is inside a JavaScript heap, what holds it, and what of it grew. Pure: bytes in, numbers out.
//!
//! A snapshot is read in one pass into columns ([`parse`], [`graph`]); what retains what follows from dominators
//! ([`dominators`]) over the edges that count ([`retain`]); classes are those of Chrome DevTools ([`classes`]).
//! [`explorer`] answers all questions about one snapshot, [`diff`] those about several.

mod bits;
pub mod browse;
pub mod classes;
pub mod diff;
pub mod distances;
pub mod dominators;
pub mod error;
pub mod explorer;
pub mod graph;
pub mod header;
pub mod holders;
pub mod kind;
pub mod lists;
pub mod parse;
pub mod places;
pub mod retain;
mod say;
mod scan;
mod shapes;
pub mod sizes;
pub mod texts;
