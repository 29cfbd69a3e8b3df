//! What goes over the wire: how much, in what order, and what never does.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::collections::HashSet;
use std::time::Instant;

use support::live::{BAR, memtide, narrow};
use support::programs::Program;
use support::pty::Terminal;

/// The parameters of every SGR sequence (`ESC [ … m`) that was sent.
fn colours(raw: &[u8]) -> HashSet<String> {
    let text = String::from_utf8_lossy(raw);
    let sequences = text.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        rest[end..].starts_with('m').then(|| rest[..end].to_owned())
    });
    sequences.flat_map(|all| all.split(';').map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn is_colour(parameter: &str) -> bool {
    // 39 and 49 are the terminal's own colours.
    parameter.parse().is_ok_and(|number: u32| matches!(number, 30..=38 | 40..=48 | 90..=97 | 100..=107))
}

/// Looks at every kind of view. An escape alone is told from one that begins a sequence by time: other keys close.
fn look_around(terminal: &Terminal) {
    terminal.wait_for_text(BAR);
    for (keys, text) in [
        ("t", "COMMAND"),
        ("g", "group by"),
        ("Enter", "by command"),
        ("F1", " help "),
        ("q s", " sort by "),
        ("C-g C", " columns "),
        ("q :", " command "),
        ("C-g V", "LEAKS AND GROWTH"),
        ("E", "ENDED"),
        ("L", "ACTION LOG"),
        ("L k", "signal to"),
        ("Enter", "send SIGTERM"),
        ("n t Home Enter", " process "),
    ] {
        terminal.keys(keys);
        terminal.wait_for_text(text);
    }
    terminal.keys("q q");
}

#[test]
fn only_ascii_is_sent_where_that_is_asked_for_or_the_locale_says_so() {
    for (args, locale) in [(vec!["--ascii"], "C.UTF-8"), (vec![], "C")] {
        let mut terminal = memtide(args).env("LANG", locale).size(100, 30).start();
        look_around(&terminal);
        terminal.wait_for_exit();
        assert!(terminal.raw().is_ascii(), "LANG={locale}");
    }
    let terminal = memtide::<&str>([]).start();
    terminal.wait_for_text("▼");
    assert!(!terminal.raw().is_ascii());
}

#[test]
fn no_colour_is_sent_where_none_is_wanted() {
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut terminal = memtide::<&str>([]).env(name, value).size(100, 30).start();
        look_around(&terminal);
        terminal.wait_for_exit();
        let sent = colours(&terminal.raw());
        assert!(!sent.iter().any(|parameter| is_colour(parameter)), "{name}={value}: {sent:?}");
        assert!(sent.contains("7"), "the selected line is told by reverse: {sent:?}");
    }
    let terminal = memtide::<&str>([]).start();
    terminal.wait_for_text(BAR);
    assert!(colours(&terminal.raw()).iter().any(|parameter| is_colour(parameter)), "the check sees colours");
}

#[test]
fn no_name_of_a_process_is_obeyed_by_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let name = "hostile-\x1b]0;owned\x07\x1b[31mred\x1b[2J\u{9b}41m\nnext\r\u{202e}end";
    let program = Program::called(&folder.path().join("ho\x1b[5mst\x07"), name);
    let terminal = memtide(["--columns", "pid,name,pss,command"]).size(200, 24).start();
    narrow(&terminal, "hostile");
    let screen = terminal.wait_for_text("\\x1b]0;owned\\x07");
    let line = screen.line_with("hostile-").unwrap();
    assert!(line.contains("ho\\x1b[5mst\\x07"), "{line}");
    assert!(line.contains("\\nnext\\r\\u{202e}end"), "{line}");
    terminal.keys("Enter");
    terminal.wait_for_text(&format!("[{}]", program.pid()));
    terminal.press("Esc");
    // At once they would be Alt-k.
    terminal.wait_until_gone("1 Overview");
    terminal.press("k");
    terminal.wait_for_text("signal to");
    terminal.keys("Enter");
    terminal.wait_for_text("send SIGTERM");
    let raw = terminal.raw();
    let has = |bytes: &[u8]| raw.windows(bytes.len()).any(|window| window == bytes);
    for bytes in [&b"\x07"[..], b"\x1b]", b"\x1b[31m", b"\x1b[5m", "\u{9b}".as_bytes(), "\u{202e}".as_bytes()] {
        assert!(!has(bytes), "{bytes:?} was sent");
    }
}

/// The clock in the corner.
fn clock(screen: &support::screen::Screen) -> Option<u32> {
    let line = screen.lines().into_iter().next()?;
    let mut parts = line.rsplit(' ').next()?.split(':').map(|part| part.parse::<u32>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    Some(hours * 3600 + minutes * 60 + seconds)
}

#[test]
fn a_screen_on_which_little_changes_costs_little() {
    let _family = Program::family("wire-family", 40);
    let terminal = memtide::<&str>([]).size(180, 50).start();
    narrow(&terminal, "wire-family");
    let start = clock(&terminal.wait_for("a clock", |screen| clock(screen).is_some())).unwrap();
    let passed = |screen: &support::screen::Screen| clock(screen).map(|now| u64::from((now + 86_400 - start) % 86_400));
    let mark = |seconds: u64| {
        let screen = terminal.wait_for("the clock", |screen| passed(screen).is_some_and(|passed| passed >= seconds));
        (passed(&screen).unwrap(), terminal.bytes())
    };
    // The machine of a test is not idle: its figures in the head change as it is. The quietest of some spans, after all
    // have been read once, is what is left.
    let marks: Vec<(u64, u64)> = (3..9).map(|nth| mark(nth * 4)).collect();
    let rates: Vec<u64> =
        marks.windows(2).map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0).max(1)).collect();
    assert!(rates.iter().min() < Some(&700), "{rates:?} bytes a second\n{}", terminal.screen().framed());
}

#[test]
fn every_frame_is_one_synchronized_update() {
    let mut terminal = memtide::<&str>([]).start();
    terminal.wait_for_text(BAR);
    terminal.keys("Down Down M t F1 q");
    while terminal.updates() < 5 {
        terminal.wait_for_output();
    }
    terminal.press("q");
    terminal.wait_for_exit();
    let raw = terminal.raw();
    let text = String::from_utf8_lossy(&raw);
    // Between taking the terminal and giving it back, whatever draws stands between begin and end.
    let face = text.split("\x1b[?2026h").skip(1);
    for frame in face {
        let (_, after) = frame.split_once("\x1b[?2026l").expect("an update that begins ends");
        let drawn = after.split("\x1b[").map(|sequence| sequence.chars().next()).collect::<Vec<_>>();
        assert!(drawn.iter().all(|c| c.is_none_or(|c| c == '?')), "drawn outside of an update: {after:?}");
    }
}

#[test]
fn keys_that_come_fast_share_frames() {
    let terminal = memtide::<&str>([]).size(120, 40).start();
    terminal.wait_for_text(BAR);
    let (began, before) = (Instant::now(), terminal.updates());
    for _ in 0..150 {
        terminal.type_text(&"jj\x10\x10".repeat(5));
    }
    terminal.press("M");
    terminal.wait_for("the last key's answer", |screen| screen.sorted_head().as_deref() == Some("RSS▼"));
    let frames = terminal.updates() - before;
    // At least 33 ms apart, however long it took: 30 a second, and the one that was due.
    let most = began.elapsed().as_millis() / 33 + 2;
    assert!(u128::from(frames) <= most, "{frames} frames where {most} are the most");
}
