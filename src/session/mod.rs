//! The headless program that every face shares: a source gives samples, the session keeps history and publishes
//! updates.

pub mod request;
pub mod update;
