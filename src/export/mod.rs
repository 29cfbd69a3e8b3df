//! What is known, on stdout: a table for people, JSON and CSV for programs.

pub mod csv;
pub mod html;
pub mod inspect;
pub mod json;
pub mod mark;
pub mod report;
pub mod runtime;
pub mod sheet;
pub mod story;
pub mod table;
mod wrap;
