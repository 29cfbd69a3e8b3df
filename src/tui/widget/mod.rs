//! Small pure drawings: data in, cells out.

pub mod graph;
pub mod line;
pub mod meter;
pub mod plot;
pub mod popup;
pub mod stack;
pub mod table;
pub mod text_input;
pub mod time_bar;
pub mod wrap;
