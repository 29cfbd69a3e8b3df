//! What is known, on stdout: a table for people, JSON and CSV for programs, metrics for databases.

pub mod csv;
pub mod doctor;
pub mod emf;
pub mod heap;
pub mod histogram;
pub mod html;
pub mod inspect;
pub mod json;
pub mod mark;
pub mod metrics;
pub mod report;
pub mod rows;
pub mod runtime;
pub mod schema;
pub mod sheet;
pub mod story;
pub mod table;
pub mod v8;
mod wrap;
