//! Makes the recordings of the leak benchmark: plays scenes of real programs, each in a memory cgroup of its own, and
//! records them with memtide's own collector beside what is true of them.
//!
//! `cargo run --release --example leak-traces -- FOLDER SCENE...` as root; see README.md. `SCENE:MINUTES` plays another
//! length.
#![allow(unreachable_pub, reason = "the parts of a program of its own")]
#![allow(clippy::unwrap_used, reason = "a scene that can't be played should stop")]

#[path = "make/group.rs"]
mod group;
#[path = "make/record.rs"]
mod record;
#[path = "make/reports.rs"]
mod reports;
#[path = "make/scene.rs"]
mod scene;
#[path = "make/stage.rs"]
mod stage;
#[expect(dead_code, reason = "only the tests read recordings")]
mod trace;
#[expect(dead_code, reason = "only the tests read truths")]
mod truth;

use std::path::PathBuf;

fn main() {
    let mut args = std::env::args().skip(1);
    let Some(folder) = args.next().map(PathBuf::from) else {
        eprintln!("usage: leak-traces FOLDER SCENE[:MINUTES]...");
        std::process::exit(2);
    };
    let scenes = scene::all();
    for name in args {
        let (name, minutes) = name.split_once(':').map_or((&*name, None), |(name, minutes)| (name, Some(minutes)));
        let Some(scene) = scenes.iter().find(|scene| scene.name == name) else {
            eprintln!("no scene is called {name}");
            std::process::exit(2);
        };
        record::play(scene, minutes.map_or(scene.minutes, |minutes| minutes.parse().unwrap()), &folder);
    }
}
