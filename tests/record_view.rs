//! Recording while looking: `r` in the real program, and what the header says of it.
#![allow(unreachable_pub, dead_code, reason = "the parts of other test programs")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::path::Path;
use std::sync::Arc;

use memtide::record::reader::Reader;
use memtide::session::update::{Taped, Update};
use memtide::tui::app::Command;
use support::face::Face;
use support::live::{BAR, memtide};

fn show(face: &mut Face, taped: Option<Taped>) -> String {
    let update = Update { taped, ..face.update() };
    face.app.take(Arc::new(update));
    face.lines()[0].clone()
}

#[test]
fn the_header_shows_what_is_recorded_and_why_nothing_is() {
    let mut face = Face::new(120, 30);
    assert!(!face.lines()[0].contains("rec"));
    let taped = Taped { path: "/srv/evil\x1b[2J.memtide".into(), bytes: 1_258_291, problem: None };
    let line = show(&mut face, Some(taped.clone()));
    assert!(line.contains("  ● rec evil\\x1b[2J.memtide 1.2M"), "{line}");
    let line = show(&mut face, Some(Taped { problem: Some("/srv: No space left".into()), ..taped }));
    assert!(line.contains("  not recorded: evil\\x1b[2J.memtide"), "{line}");
    assert_eq!(face.foot(), "not recorded: /srv: No space left");
    assert!(!show(&mut face, None).contains("rec"));
}

#[test]
fn the_key_begins_a_recording_and_ends_one() {
    let mut face = Face::new(120, 30);
    face.keys("r");
    assert_eq!(face.commands, [Command::Record(true)]);
    show(&mut face, Some(Taped { path: "r".into(), bytes: 0, problem: None }));
    face.keys("r");
    assert_eq!(face.commands, [Command::Record(true), Command::Record(false)]);
    // A paused picture stays, and what is recorded goes on and is told.
    face.keys("p");
    assert!(show(&mut face, Some(Taped { path: "r".into(), bytes: 4096, problem: None })).contains("rec r 4K"));
    face.keys("r");
    assert_eq!(face.commands.last(), Some(&Command::Record(false)));
}

fn recordings(folder: &Path) -> Vec<std::path::PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "memtide")).collect()
}

#[test]
fn what_was_looked_at_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = memtide(["--interval", "100ms"]).folder(folder.path()).size(120, 30).start();
    terminal.wait_for_text(BAR);
    terminal.press("r");
    terminal.wait_for_text("● rec memtide-");
    let path = recordings(folder.path()).pop().unwrap();
    let count = || Reader::open(&path).map_or(0, |mut reader| std::iter::from_fn(|| reader.next()).count());
    terminal.wait_for("three samples in the file", |_| count() >= 3);
    terminal.press("r");
    terminal.wait_until_gone("● rec memtide-");
    let ended = count();
    let mut reader = Reader::open(&path).unwrap();
    let mut last = reader.next().unwrap();
    assert!(last.processes.iter().any(|process| process.key.pid == terminal.pid()), "itself among them");
    while let Some(sample) = reader.next() {
        assert!(sample.at > last.at, "time goes on");
        last = sample;
    }
    assert_eq!((reader.losses().count(), count()), (0, ended), "nothing is added after the end");
}

#[test]
fn a_folder_where_nothing_can_be_written_is_told_in_the_header() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let terminal = memtide(["--interval", "100ms"]).folder(folder.path()).size(120, 30).start();
    terminal.wait_for_text(BAR);
    terminal.press("r");
    terminal.wait_for_text("not recorded: .: everybody may write there");
    terminal.wait_for_text("not recorded: memtide-");
    assert!(recordings(folder.path()).is_empty());
}
