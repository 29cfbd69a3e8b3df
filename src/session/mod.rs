//! The headless program that every face shares: a source gives samples, the session keeps history and publishes
//! updates.
//!
//! ```text
//! collector thread            session thread                              the face
//! Source::next ── Sample ──►  Session::ingest, Session::answer ─ Update ─►  shows it
//!      ▲ Demand ◄──────────── Request ◄───────────────────────────────────  wishes
//! ```
//!
//! A third thread, [`inspect`], looks at one process whole for as long as a face shows it.
//! Heaps are opened and walked through by a thread of their own, [`heap`].
//! What is too dear for a sample is surveyed beside it, on a thread that lives while a request wishes for it.

pub mod closer;
pub mod guard;
pub mod heap;
pub mod inspect;
pub mod replay;
pub mod request;
pub mod source;
mod state;
mod survey;
pub mod system;
mod taping;
pub mod thread;
pub mod timeline;
pub mod update;

pub use state::Session;
