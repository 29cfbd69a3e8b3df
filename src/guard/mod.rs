//! Rules to decisions: limits without cron. Pure: no clock, no file, no signal.
//!
//! [`mod@file`] and the flags of `memtide guard` make [`rule::Rule`]s; [`evaluate::evaluate`] takes rules, [`state::State`]
//! and a snapshot and gives [`decision::Decision`]s and notes, so that the same code runs live and over a recording.
//! [`need`] says what has to be read for that, [`pace`] when to look next, [`journal`] how it is told.

pub mod decision;
pub mod evaluate;
pub mod file;
pub mod journal;
pub mod measure;
pub mod need;
pub mod pace;
pub mod rule;
pub mod state;
pub mod step;
pub mod subject;
