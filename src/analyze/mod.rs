//! What follows from many samples: the history of every process and of the machine, and the slope in it. Pure: time
//! comes with the samples.

pub mod history;
pub mod series;
pub mod trend;
