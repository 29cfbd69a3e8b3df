//! The headless program that every face shares: a source gives samples, the session keeps history and publishes
//! updates.
//!
//! ```text
//! collector thread            session thread                              the face
//! Source::next ── Sample ──►  Session::ingest, Session::answer ─ Update ─►  shows it
//!      ▲ Demand ◄──────────── Request ◄───────────────────────────────────  wishes
//! ```

pub mod request;
pub mod source;
mod state;
mod taping;
pub mod thread;
pub mod timeline;
pub mod update;

pub use state::Session;
