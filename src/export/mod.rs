//! What is known, on stdout: a table for people, JSON and CSV for programs.

pub mod csv;
pub mod json;
pub mod mark;
pub mod story;
pub mod table;
