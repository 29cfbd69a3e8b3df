//! The story that memtide is for, played from login to cure: a server of 2 GB, a Node.js application behind nginx with
//! an object pool that is never cleaned and a log module that never closes its streams, under steady load.
//!
//! Each step is what a person would type; each answer is checked against what the application says of itself. One
//! server is used for all that is found out, another one for the cure, which needs ten restarts.
//!
//! `BLESS=1 cargo test --test story` takes the README's pictures of the views as well.
#![allow(unreachable_pub, reason = "the parts of one test program")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

#[path = "story/files.rs"]
mod files;
#[path = "story/group.rs"]
mod group;
#[path = "story/guard.rs"]
mod guard;
#[path = "story/heap.rs"]
mod heap;
#[path = "story/keys.rs"]
mod keys;
#[path = "story/load.rs"]
mod load;
#[path = "story/memory.rs"]
mod memory;
#[path = "story/metrics.rs"]
mod metrics;
#[path = "story/pictures.rs"]
mod pictures;
#[path = "story/recording.rs"]
mod recording;
#[path = "story/server.rs"]
mod server;
mod support;
#[path = "story/truth.rs"]
mod truth;

use load::Load;
use server::Server;

/// Fifty requests a second, each of which leaves 48 KiB behind, and each 25th a stream: some 140 MiB and 120
/// descriptors a minute.
const REQUEST: &str = "/?kib=48";
const RATE: u32 = 50;
/// Requests for which the application opens a stream of its log.
const BATCH: u32 = 25;

#[test]
fn who_leaks_what_how_fast_until_when_and_why_is_found_as_the_application_tells_it() {
    if !Server::can_be_had() {
        return;
    }
    let server = Server::start();
    let load = Load::start(server.port, REQUEST, RATE);
    let recorder = recording::Recorder::start(&server);
    let metrics = metrics::Metrics::start(&server);
    let screen = keys::Screen::start(&server);

    memory::who(&server);
    memory::cache_is_told_from_use(&server);
    memory::dropping_caches_helps_against_cache_alone(&server);
    let early = server.truth();
    screen.wait_for_both_leaks(early.pid);

    screen.to_the_cause_in_ten_keys(&server, &early);
    memory::how_fast_and_until_when(&server, &early, &recorder);
    files::are_counted(&server);
    if let Some(metrics) = metrics {
        metrics.are_stored(&server, &load);
    }
    screen.walks_through_the_views(&server);
    heap::two_snapshots_name_the_class_and_its_holder(&server, &load);
    recorder.tells_it_afterwards(&server);
    pictures::are_in_the_readme();
}

#[test]
fn a_guard_holds_it_under_its_limit_for_ten_restarts() {
    if !Server::can_be_had() {
        return;
    }
    let server = Server::start();
    guard::ten_restarts(&server);
}
