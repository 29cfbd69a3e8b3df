//! Whatever happens to the face, in whatever order: it goes on, and does nothing to the machine unasked.
//!
//! `PROPTEST_CASES=4000 cargo test --test mishaps` looks for longer.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::time::Duration;

use crossterm::event::MouseEventKind;
use proptest::prelude::*;
use support::face::{Face, event, options};
use support::machine::Crowd;

/// Something that can happen to a face.
#[derive(Clone, Debug)]
enum Happening {
    Key(&'static str),
    Char(char),
    Resize(u16, u16),
    Sample(Crowd),
    Paste(String),
    Click(u16, u16),
    Wheel(bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    let keys = vec![
        "enter",
        "esc",
        "up",
        "down",
        "left",
        "right",
        "home",
        "end",
        "pageup",
        "pagedown",
        "space",
        "tab",
        "shift-tab",
        "backspace",
        "delete",
        "F1",
        "F2",
        "F3",
        "F4",
        "F5",
        "F6",
        "F9",
        "ctrl-u",
        "ctrl-w",
        "ctrl-a",
        "ctrl-f",
        "alt-x",
        "ctrl-c",
    ];
    let crowd = prop_oneof![Just(Crowd::Server), Just(Crowd::Odd), Just(Crowd::Nobody)];
    prop_oneof![
        6 => proptest::sample::select(keys).prop_map(Happening::Key),
        6 => proptest::char::range('!', '~').prop_map(Happening::Char),
        1 => proptest::sample::select(vec!['é', '数', '\u{301}', '🐘', '\u{200d}']).prop_map(Happening::Char),
        1 => (0u16..220, 0u16..70).prop_map(|(width, height)| Happening::Resize(width, height)),
        2 => crowd.prop_map(Happening::Sample),
        1 => "\\PC{0,20}".prop_map(Happening::Paste),
        2 => (0u16..150, 0u16..45).prop_map(|(x, y)| Happening::Click(x, y)),
        1 => any::<bool>().prop_map(Happening::Wheel),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_panics_and_nothing_is_done_without_a_yes(
        happenings in proptest::collection::vec(happening(), 1..120)
    ) {
        let mut face = Face::starting(100, 30, Crowd::Server, options(), None);
        face.watch(25);
        for happening in happenings {
            let before = face.effects().len();
            let is_asked = face.text().contains("y  yes, do it");
            let is_yes = matches!(happening, Happening::Char('y' | 'Y'));
            match happening {
                Happening::Key(key) => face.key(event(key)),
                Happening::Char(c) => face.key(event(&c.to_string())),
                Happening::Resize(width, height) => face.resize(width, height),
                Happening::Sample(crowd) => {
                    face.change_crowd(crowd);
                    face.watch(2);
                }
                Happening::Paste(text) => face.paste(&text),
                Happening::Click(x, y) => face.click(x, y, Duration::from_millis(150)),
                Happening::Wheel(true) => face.mouse(MouseEventKind::ScrollDown, 3, 3),
                Happening::Wheel(false) => face.mouse(MouseEventKind::ScrollUp, 3, 3),
            }
            let buffer = face.buffer();
            for cell in &buffer.content {
                prop_assert!(!cell.symbol().chars().any(char::is_control));
            }
            if face.effects().len() > before {
                prop_assert!(is_yes, "done without a yes");
                // Where the screen is too small to show it, the question still stands.
                prop_assert!(is_asked || buffer.area.width < 40 || buffer.area.height < 12);
            }
        }
    }
}
