//! Keys on the screen of one process: the face driven without a terminal.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::time::Duration;

use crossterm::event::MouseEventKind;
use memtide::act::effect::Effect;
use memtide::model::field::{PROCESS_FIELDS, Unit};
use memtide::model::inspect::{Part, PartSet};
use memtide::tui::settings::Options;
use support::face::{Face, options};
use support::machine::Crowd;

const NODE: u32 = 1234;
const BACKUP: u32 = 1950;

/// What stands on each tab alone.
const MARKS: [&str; 5] = ["EVERY FIELD", "MAPPING", "LEADS TO", "NAME", "at the limit"];

/// A face on the application, its overview shown.
fn opened(width: u16, height: u16) -> Face {
    let mut face = Face::new(width, height);
    face.keys("enter");
    face
}

/// The tab that is shown, by what stands on it alone.
fn tab(face: &Face) -> Option<usize> {
    let text = face.text();
    text.contains("node[1234]  leaking").then(|| MARKS.iter().position(|mark| text.contains(mark)))?
}

/// The first line with this text.
fn line(face: &Face, text: &str) -> String {
    let lines = face.lines();
    lines.iter().find(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}:\n{}", face.text())).clone()
}

/// Where a text stands: column and line.
fn place(face: &Face, text: &str) -> (u16, u16) {
    let lines = face.lines();
    let row = lines.iter().position(|line| line.contains(text)).unwrap();
    let before = &lines[row][..lines[row].find(text).unwrap()];
    (before.chars().count() as u16, row as u16)
}

fn parts(of: &[Part]) -> PartSet {
    of.iter().copied().collect()
}

#[test]
fn enter_opens_keys_and_clicks_choose_the_tab_and_esc_returns_to_the_line() {
    let mut face = Face::new(120, 60);
    face.keys("down enter");
    assert!(face.text().contains("postgres[1310]"));
    face.keys("esc");
    assert_eq!(face.selected_pid(), Some(1310));
    face.keys("home enter");
    let mut shown = |keys: &str| tab(face.keys(keys));
    for (keys, place) in [("", 0), ("tab", 1), ("tab tab tab", 4), ("tab", 0), ("shift-tab", 4), ("3", 2), ("1", 0)] {
        assert_eq!(shown(keys), Some(place), "after {keys}");
    }
    for (text, at) in [("Runtime", 4), ("Threads", 3), ("Mappings", 1), ("Overview", 0), ("Descriptors", 2)] {
        let (x, y) = place(&face, text);
        face.click(x + 1, y, Duration::from_millis(500));
        assert_eq!(tab(&face), Some(at), "a click on {text}");
    }
    face.keys(":").type_text("mappings").keys("enter");
    assert_eq!(tab(&face), Some(1));
    face.keys("esc");
    assert_eq!((tab(&face), face.selected_pid()), (None, Some(NODE)));
}

#[test]
fn a_tab_is_opened_from_the_list_by_its_key() {
    for (key, place) in [("1", 0), ("2", 1), ("3", 2), ("4", 3)] {
        let mut face = Face::new(120, 60);
        assert_eq!(tab(face.keys(key)), Some(place), "after {key}");
    }
    // A group is no process.
    let mut face = Face::new(120, 60);
    face.keys("g").type_text("user").keys("enter 2");
    assert!(face.foot().contains("select a process first"), "{}", face.foot());
}

#[test]
fn only_what_is_shown_is_read_and_only_while_it_is() {
    let mut face = Face::new(120, 40);
    let asked = |face: &mut Face, keys: &str| face.keys(keys).app.request().inspect.map(|wish| wish.parts);
    assert_eq!(asked(&mut face, ""), None);
    for (keys, wanted) in [
        ("enter", Some(parts(&[]))),
        ("2", Some(parts(&[Part::Mappings]))),
        ("3", Some(parts(&[Part::Descriptors]))),
        ("4", Some(parts(&[Part::Threads, Part::Mappings]))),
        // The past can't be looked at, and a picture that is kept needs no look.
        ("[", None),
        ("l", Some(parts(&[Part::Threads, Part::Mappings]))),
        ("p", None),
        ("p", Some(parts(&[Part::Threads, Part::Mappings]))),
        ("V", None),
        ("esc home enter", Some(parts(&[]))),
        ("E", None),
        ("esc enter", Some(parts(&[]))),
        ("L", None),
        ("esc enter", Some(parts(&[]))),
        ("esc", None),
    ] {
        assert_eq!(asked(&mut face, keys), wanted, "after {keys}");
    }
}

#[test]
fn every_field_of_a_process_is_told_with_what_it_is_or_why_it_is_not_known() {
    for crowd in [Crowd::Server, Crowd::Odd] {
        let mut face = Face::starting(100, 24, crowd, options(), None);
        face.watch(60);
        face.keys("N enter");
        let mut pages = face.text();
        for _ in 0..20 {
            face.keys("pagedown");
            pages += &face.text();
        }
        for field in PROCESS_FIELDS.iter().filter(|field| field.width > 0 && field.unit != Unit::Series) {
            let is_told = pages.lines().any(|line| line.trim_start().starts_with(&format!("{} ", field.title)));
            assert!(is_told, "{} is nowhere:\n{pages}", field.title);
        }
    }
    let mut face = Face::starting(100, 60, Crowd::Odd, options(), None);
    face.watch(60);
    face.keys("F3").type_text("vault").keys("enter enter");
    assert!(line(&face, "not known").contains("PSS, USS, footprint"), "{}", face.text());
    assert!(face.text().contains("CAP_SYS_PTRACE"));
}

#[test]
fn the_overview_has_the_verdict_the_evidence_and_the_limit_with_who_sets_it() {
    let face = opened(120, 40);
    assert!(line(&face, "file descriptors: leaking").contains("% sure"));
    assert!(face.text().contains("── fd limit ──") && face.text().contains("ETA"), "{}", face.text());
    assert!(line(&face, "memory limit").contains("1.09G of 1.50G (70%)"));
    assert!(line(&face, "memory limit").contains("set by /system.slice"));
    let mut calm = Face::new(120, 40);
    calm.keys("down enter");
    assert!(line(&calm, "private memory:").contains("steady"));
    assert!(line(&calm, "memory limit").contains("none but the machine's"));
    let course: Vec<String> = calm.lines().into_iter().skip_while(|line| !line.contains("memory limit")).collect();
    assert!(course.iter().any(|line| line.contains('▇')), "its history is drawn\n{}", calm.text());
}

#[test]
fn what_is_new_since_the_screen_was_opened_is_told_and_sorts() {
    let mut face = opened(120, 40);
    face.keys("3");
    assert!(!face.text().contains("+1 ") && face.text().contains(" - file "), "one look alone\n{}", face.text());
    face.watch(20);
    let log = line(&face, "+20 file ");
    assert!(log.trim_start().starts_with("809 ") && log.contains("/srv/app/log/app.log"), "one line for all: {log}");
    assert!(line(&face, "39 sockets").contains("811 files +20"));
    face.keys("2 N");
    face.watch(10);
    assert!(line(&face, "V8 heap").contains("+3.3M"), "{}", face.text());
    assert!(line(&face, "▲ +").contains("from 3a1"), "{}", face.text());
    face.keys("G");
    assert!(line(&face, "MAPPING").contains("CHANGE▼"));
    face.watch(10);
    assert!(line(&face, "V8 heap").contains("+6.7M"));
    // Another time it is opened nothing is new yet.
    face.keys("esc enter 3");
    assert!(!line(&face, " files ").contains('+'), "{}", face.text());
    assert!(line(&face, " - file ").contains("/srv/app/log/app.log"), "{}", face.text());
}

#[test]
fn a_mark_keeps_the_look_that_is_shown_and_every_later_one_is_compared_with_it() {
    let mut face = opened(160, 40);
    face.keys("3");
    face.watch(20);
    assert!(line(&face, "39 sockets").contains("811 files +20  ") && face.text().contains("in 20s since first shown"));
    face.keys(":").type_text("mark deploy").keys("enter");
    assert!(!face.text().contains("first shown") && !face.text().contains("since mark"), "{}", face.text());
    face.watch(10);
    let kinds = line(&face, "39 sockets");
    assert!(kinds.contains("821 files +10") && kinds.contains("in 10s since mark deploy"), "{kinds}");
    assert!(line(&face, "/srv/app/log/app.log").contains("+10 file"), "{}", face.text());
    // What was not looked at then is compared with the first look after it.
    face.keys("2");
    face.watch(10);
    let sum = line(&face, "mappings in");
    assert!(sum.contains("in 10s, first seen 10s after mark deploy"), "{sum}");
    // Closed and opened again it is still that mark, until none is compared with.
    face.keys("esc enter 3");
    face.watch(10);
    assert!(line(&face, "39 sockets").contains("841 files +30  "), "{}", face.text());
    assert!(face.text().contains("in 30s since mark deploy"), "{}", face.text());
    face.keys(":").type_text("compare none").keys("enter");
    face.watch(5);
    assert!(!face.text().contains("deploy"), "{}", face.text());
    assert!(line(&face, "39 sockets").contains("since first shown"), "{}", face.text());
}

#[test]
fn any_column_sorts_by_key_menu_neighbour_and_mouse() {
    let mut face = opened(140, 40);
    face.keys("2");
    let head = |face: &Face, mark: &str| {
        let heads = line(face, mark);
        let sorted = heads.split_whitespace().find(|head| head.ends_with(['▼', '▲'])).map(str::to_owned);
        sorted.unwrap_or_default()
    };
    for (keys, sorted) in
        [("", "PSS▼"), ("M", "RSS▼"), ("M", "RSS▲"), ("S", "SWAP▼"), (".", "DIRTY▼"), (", , ,", "RSS▼")]
    {
        assert_eq!(head(face.keys(keys), "MAPPING"), sorted, "after `{keys}`");
    }
    face.keys("s").type_text("size").keys("enter");
    assert_eq!(head(&face, "MAPPING"), "SIZE▼");
    let first = |face: &Face| {
        let lines = face.lines();
        let at = lines.iter().position(|line| line.contains("SIZE▼") || line.contains("MAPPING▲")).unwrap();
        lines[at + 1].clone()
    };
    assert!(first(&face).contains("reserved"), "{}", face.text());
    let (x, y) = place(&face, "MAPPING");
    face.click(x, y, Duration::from_millis(500));
    assert_eq!(head(&face, "MAPPING"), "MAPPING▲");
    assert!(first(&face).contains("/srv/app"), "{}", face.text());
    // Each tab has an order of its own; what sorts the list alone changes nothing here, nor the other way round.
    assert_eq!(head(face.keys("3"), "LEADS TO"), "N▼");
    face.keys("T");
    assert_eq!(head(&face, "LEADS TO"), "N▼");
    assert_eq!(head(face.keys("4 I"), "NAME"), "CPU▲");
    assert_eq!(head(face.keys("2"), "MAPPING"), "MAPPING▲");
    // What narrows or groups the list does nothing to it from here.
    for keys in ["/", "F3", "n", "g", "C"] {
        assert!(face.keys(keys).foot().contains("that is for the list"), "after {keys}: {}", face.foot());
    }
    face.keys("1 s");
    assert!(face.foot().contains("nothing is sorted here"), "{}", face.foot());
    face.keys("esc");
    assert_eq!(face.sorted_head(), "PSS▼");
}

#[test]
fn a_signal_from_here_is_for_this_process_alone() {
    let mut face = Face::new(120, 40);
    // Others are tagged, and another line is selected.
    face.keys("F3").type_text("less").keys("enter space home enter 3 k enter");
    assert!(face.text().contains("1234"), "{}", face.text());
    face.keys("y");
    let [Effect::Signal { targets, .. }] = face.effects()[..] else { panic!("{:?}", face.effects()) };
    assert_eq!(targets.iter().map(|target| target.key.pid).collect::<Vec<_>>(), [NODE]);
    let options = Options { is_read_only: true, ..options() };
    let mut face = Face::starting(120, 40, Crowd::Server, options, None);
    face.watch(60);
    face.keys("enter k");
    assert!(face.foot().contains("refused"), "{}", face.foot());
}

#[test]
fn who_has_ended_keeps_his_last_picture_and_gets_no_signal() {
    let mut face = Face::starting(120, 40, Crowd::Server, options(), None);
    face.watch(110);
    face.keys("F3").type_text("backup").keys("enter enter 2");
    let before = line(&face, "V8 heap");
    face.watch(30);
    let who = line(&face, "backup[1950]");
    assert!(who.contains("ended at") && who.contains("ago: its last picture"), "{who}");
    assert_eq!(line(&face, "V8 heap"), before);
    assert_eq!(face.app.request().inspect, None, "nothing is left to be looked at");
    face.keys("k");
    assert!(face.foot().contains(&format!("{BACKUP} has ended")), "{}", face.foot());
    face.keys("1");
    assert!(line(&face, "PSS ").contains("61M"), "{}", face.text());
    // Before its end it is alive again.
    face.keys("{");
    assert!(!face.text().contains("ended at"), "{}", face.text());
    face.keys("l esc");
    assert!(face.text().contains("COMMAND"));
}

#[test]
fn the_past_shows_what_is_known_of_it_and_says_what_is_not() {
    let mut face = opened(120, 40);
    let now = line(&face, "PSS 7");
    face.keys("{");
    assert_ne!(line(&face, "PSS 7"), now);
    assert!(!face.text().contains("memory limit"), "a limit that was read now is none of then");
    face.keys("2");
    assert!(face.text().contains("of the present alone"), "{}", face.text());
    face.keys("l");
    assert!(face.text().contains("V8 heap"), "{}", face.text());
}

#[test]
fn long_tabs_scroll_by_line_page_and_wheel_and_long_names_sideways() {
    let mut face = Face::starting(80, 24, Crowd::Odd, options(), None);
    face.watch(30);
    face.keys("F3").type_text("more than").keys("enter enter 2");
    let first = |face: &Face| {
        let lines = face.lines();
        let head = lines.iter().position(|line| line.contains("MAPPING")).unwrap();
        lines[head + 1].clone()
    };
    let top = first(&face);
    face.keys("down");
    assert_ne!(first(&face), top);
    face.keys("up");
    assert_eq!(first(&face), top);
    face.mouse(MouseEventKind::ScrollDown, 10, 15);
    let wheeled = first(&face);
    assert_ne!(wheeled, top);
    face.keys("home end");
    assert!(face.text().contains("00002940.sst"), "{}", face.text());
    let end = face.text();
    face.keys("down pagedown end");
    assert_eq!(face.text(), end, "it ends there");
    face.keys("home right");
    assert!(face.text().contains("gments/"), "{}", face.text());
    // What is below the table is reached, too.
    let mut face = opened(80, 24);
    face.keys("3 end");
    assert!(face.text().contains("NEWEST"), "{}", face.text());
}
