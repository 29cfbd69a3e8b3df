//! What is known, on stdout: a table for people, JSON and CSV for programs, metrics for databases.

pub mod csv;
pub mod emf;
pub mod json;
pub mod metrics;
pub mod rows;
pub mod story;
pub mod table;
