//! The hints of the very first start: shown once, gone with any key, which does what it does.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crossterm::event::{MouseButton, MouseEventKind};
use insta::{assert_snapshot, with_settings};
use memtide::act::effect::Effect;
use memtide::tui::settings::Options;
use support::face::{Face, options};
use support::live::{BAR, memtide};
use support::machine::Crowd;
use support::pty::Terminal;

const TITLE: &str = "first time here";

fn greeted(width: u16, height: u16, options: Options) -> Face {
    let mut face = Face::starting(width, height, Crowd::Server, options, None);
    face.app.show_hints();
    face.watch(150);
    face
}

#[test]
fn three_hints_stand_over_the_foot_of_the_list() {
    let read_only = Options { is_read_only: true, ..options() };
    let ascii = Options { is_ascii: true, ..options() };
    for (name, width, height, options) in [
        ("hints", 80, 24, options()),
        ("hints", 200, 60, options()),
        ("hints", 40, 16, options()),
        ("hints_read_only", 80, 24, read_only),
        ("hints_ascii", 80, 24, ascii),
    ] {
        let face = greeted(width, height, options);
        with_settings!({
            filters => vec![(r"\d\d:\d\d:\d\d", "hh:mm:ss"), (r"( at|▸|>|ETA)(\s+)\d\d:\d\d\b", "${1}${2}hh:mm")],
            omit_expression => true,
            prepend_module_to_snapshot => false,
        }, { assert_snapshot!(format!("{name}_{width}x{height}"), face.text()) });
    }
    assert!(!greeted(40, 10, options()).text().contains(TITLE), "a tiny screen has no room for them");
}

#[test]
fn a_key_closes_them_and_does_what_it_does() {
    let with = |keys: &str| {
        let mut face = greeted(80, 24, options());
        face.keys(keys);
        face
    };
    let without = |keys: &str| {
        let mut face = Face::new(80, 24);
        face.keys(keys);
        face
    };
    // Keys that do nothing at all close them too.
    for keys in ["down", "M", "F1", "V", "/", "space", "ctrl-v", "down down", "k"] {
        assert_eq!(with(keys).text(), without(keys).text(), "{keys}");
    }
    let mut face = with("k enter y");
    assert!(matches!(face.effects()[..], [Effect::Signal { .. }]), "{:?}", face.effects());
    face = greeted(80, 24, options());
    face.paste("text");
    assert_eq!(face.text(), without("").text());
}

#[test]
fn a_click_closes_them_and_chooses_what_was_clicked() {
    let mut face = greeted(80, 24, options());
    face.mouse(MouseEventKind::Moved, 5, 12);
    assert!(face.text().contains(TITLE), "who moves the mouse over them still reads");
    face.mouse(MouseEventKind::Down(MouseButton::Left), 5, 12);
    let mut other = Face::new(80, 24);
    other.mouse(MouseEventKind::Down(MouseButton::Left), 5, 12);
    assert_eq!(face.text(), other.text());
    assert_eq!(face.selected(), other.selected());
}

#[test]
fn they_name_the_keys_that_a_person_has() {
    let keys = [("leaks".to_owned(), vec!["F8".to_owned()])].into();
    let text = greeted(80, 24, Options { keys, ..options() }).text();
    assert!(text.contains("F8") && text.contains("who leaks"), "{text}");
}

/// Starts memtide for who has these folders, and waits for the list.
fn start(state: &Path, args: &[&str]) -> Terminal {
    let terminal = memtide(args).env("XDG_STATE_HOME", state).start();
    terminal.wait_for_text(BAR);
    terminal
}

fn leave(mut terminal: Terminal) {
    terminal.press("q");
    assert!(terminal.wait_for_exit().success());
}

#[test]
fn they_are_shown_at_the_first_start_alone_and_the_key_is_not_lost() {
    let home = tempfile::tempdir().unwrap();
    let first = start(home.path(), &["--read-only"]);
    first.wait_for_text(TITLE);
    let note = home.path().join("memtide/hints-shown");
    assert_eq!(note.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    first.press("V");
    first.wait_for_text("GROWTH");
    first.wait_until_gone(TITLE);
    leave(first);
    let second = start(home.path(), &[]);
    assert!(!second.screen().contains(TITLE));
    // What is not there is not shown late either.
    second.press("V");
    second.wait_for_text("GROWTH");
    assert!(!second.screen().contains(TITLE));
    leave(second);
}

#[test]
fn who_wants_none_gets_none_and_nothing_is_noted() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.toml");
    std::fs::write(&config, "hints = false\n").unwrap();
    for args in [&["--hints=false"][..], &["--config", config.to_str().unwrap()]] {
        let terminal = start(home.path(), args);
        assert!(!terminal.screen().contains(TITLE), "{args:?}");
        leave(terminal);
    }
    assert!(!home.path().join("memtide").exists());
}

#[test]
fn where_it_cant_be_noted_and_over_a_recording_there_are_none() {
    let nowhere = start(Path::new("/dev/null"), &[]);
    assert!(!nowhere.screen().contains(TITLE));
    leave(nowhere);
    let home = tempfile::tempdir().unwrap();
    let recording = home.path().join("a.memtide");
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_memtide"))
        .args(["record", "--for", "1s", "--interval", "200ms", "-o"])
        .arg(&recording)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let replay = memtide(["replay", recording.to_str().unwrap()]).env("XDG_STATE_HOME", home.path()).start();
    replay.wait_for_text("REPLAY");
    assert!(!replay.screen().contains(TITLE));
    leave(replay);
    assert!(!home.path().join("memtide").exists());
}
