//! What the end-to-end tests share: a terminal to drive, its screen, and real programs to watch.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

pub mod any;
pub mod copy;
pub mod crowd;
pub mod face;
pub mod groups;
pub mod guard;
pub mod guest;
pub mod heapface;
pub mod heaps;
pub mod inspect;
pub mod inspected;
pub mod keeper;
pub mod keys;
pub mod live;
pub mod machine;
pub mod node;
pub mod programs;
pub mod prometheus;
pub mod pty;
pub mod qemu;
pub mod recordings;
pub mod replayed;
pub mod require;
pub mod samples;
pub mod screen;
pub mod server;
pub mod survey;
pub mod svg;
