//! Keys in the view of leaks, and what the header says of them: the face driven without a terminal.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::time::Duration;

use crossterm::event::MouseEventKind;
use memtide::act::effect::Effect;
use memtide::model::group::GroupBy;
use memtide::model::judgement::{Quantity, Subject};
use memtide::tui::app::Command;
use support::face::{Face, options};
use support::machine::Crowd;

const NODE: u32 = 1234;

fn targets(effect: &Effect) -> Vec<u32> {
    match effect {
        Effect::Signal { targets, .. } => targets.iter().map(|target| target.key.pid).collect(),
        _ => Vec::new(),
    }
}

/// A face on the leaks of a server where much grows.
fn leaks(width: u16, height: u16) -> Face {
    let mut face = Face::starting(width, height, Crowd::Leaks, options(), None);
    face.watch(150);
    face.keys("V");
    face
}

/// The lines of the list of findings.
fn findings(face: &Face) -> Vec<String> {
    let lines = face.lines();
    let below = lines.iter().skip_while(|line| !line.contains("LEAKS AND GROWTH")).skip(1);
    below.take_while(|line| !line.contains(": ")).cloned().collect()
}

#[test]
fn the_leaks_are_reached_by_key_bar_and_name_and_left_again() {
    let is_there = |face: &Face| face.text().contains("LEAKS AND GROWTH");
    let mut face = leaks(120, 30);
    assert!(is_there(&face));
    for keys in ["esc", "V", "V"] {
        let before = is_there(&face);
        face.keys(keys);
        assert_ne!(is_there(&face), before, "after {keys}");
    }
    face.keys(":").type_text("leaks").keys("enter");
    assert!(is_there(&face));
    face.keys("esc");
    let bar = face.lines().pop().unwrap();
    let column = bar[..bar.find("leaks").unwrap()].chars().count() as u16;
    face.click(column, 29, Duration::from_millis(100));
    assert!(is_there(&face));
    face.keys("q");
    assert_eq!(face.commands, [Command::Quit]);
}

#[test]
fn leaks_stand_above_growth_and_growth_above_what_warms_up() {
    let lines = findings(&leaks(140, 40));
    let verdicts: Vec<&str> = lines
        .iter()
        .filter_map(|line| ["leaking", "growing", "warming"].into_iter().find(|word| line.contains(word)))
        .collect();
    assert_eq!(verdicts.len(), lines.len(), "{lines:?}");
    let rank = |verdict: &&str| ["leaking", "growing", "warming"].iter().position(|word| word == verdict);
    assert!(verdicts.is_sorted_by_key(rank) && verdicts.first() == Some(&"leaking"), "{lines:?}");
    // The descriptors are gone before the memory is.
    assert!(lines[0].contains("node[1234]") && lines[0].contains("fds"), "{lines:?}");
    for (subject, what) in [("php8.2-fpm (8)", "memory"), ("machine", "shmem, tmpfs"), ("redis-server[1600]", "memory")]
    {
        assert!(lines.iter().any(|line| line.contains(subject) && line.contains(what)), "{subject}: {lines:?}");
    }
}

#[test]
fn a_finding_leads_to_its_process_or_to_its_service() {
    let mut face = leaks(140, 40);
    face.keys("enter");
    assert_eq!(face.selected_pid(), Some(NODE));
    // Whatever hides it.
    face.keys("t home z / n g i n x enter V enter");
    assert_eq!((face.selected_pid(), face.app.settings().filter.as_str()), (Some(NODE), ""));
    assert!(face.foot().contains("filter"), "{}", face.foot());
    face.keys("g").type_text("user").keys("enter V enter");
    assert_eq!((face.selected_pid(), face.app.settings().group), (Some(NODE), None));
    // A service: its line, opened.
    face.keys("V");
    while !face.selected().unwrap().contains("php8.2-fpm") {
        face.keys("down");
    }
    face.keys("enter");
    assert_eq!(face.app.settings().group, Some(GroupBy::Unit));
    assert!(face.selected().unwrap().contains("[-] php8.2-fpm.service (8)"), "{:?}", face.selected());
    let mut members = face.pids();
    members.sort_unstable();
    assert_eq!(members, (1500..1508).collect::<Vec<_>>());
    // What no process owns leads to where it is.
    face.keys("V home");
    while !face.selected().unwrap().contains("machine") {
        face.keys("down");
    }
    face.keys("enter");
    assert!(face.text().contains("tmpfs by mount"), "{}", face.text());
}

#[test]
fn a_signal_from_the_leaks_is_for_the_finding_and_not_for_the_list() {
    let mut face = leaks(140, 40);
    face.keys("esc down space space V k enter");
    assert!(face.text().contains(&format!("send SIGTERM to process {NODE}?")), "{}", face.text());
    face.keys("y");
    assert_eq!(targets(face.effects()[0]), [NODE]);
    face.keys("down down k enter y");
    assert_eq!(targets(face.effects()[1]), [1610], "{}", face.text());
    for (subject, why) in [("php8.2-fpm", "several processes"), ("machine", "no process owns it")] {
        face.keys("home");
        while !face.selected().unwrap().contains(subject) {
            face.keys("down");
        }
        face.keys("k");
        assert!(face.foot().contains(why), "{}", face.foot());
        face.keys("enter y");
        face.keys("V");
        if !face.text().contains("LEAKS AND GROWTH") {
            face.keys("V");
        }
    }
    assert_eq!(face.effects().len(), 2);
    // In the past nobody is signalled.
    face.keys("[ k enter y");
    assert_eq!(face.effects().len(), 2);
}

#[test]
fn the_evidence_is_asked_for_while_it_is_looked_at() {
    let mut face = leaks(140, 40);
    let wish = |face: &Face| face.app.request().evidence;
    let first = wish(&face).unwrap();
    assert!(matches!(first.subject, Subject::Process(key) if key.pid == NODE), "{first:?}");
    assert_eq!((first.quantity, first.span), (Quantity::Fds, Duration::from_mins(5)));
    assert!(face.text().contains("measured") && face.text().contains("─ fd limit ─"), "{}", face.text());
    face.keys("down");
    assert_eq!(wish(&face).map(|wish| wish.quantity), Some(Quantity::Private));
    assert!(face.text().contains("ETA "), "{}", face.text());
    face.keys("{ {");
    assert!(face.text().contains(" PAST ") && face.text().contains("LEAKS AND GROWTH"), "{}", face.text());
    face.keys("l esc");
    assert_eq!(wish(&face), None, "nobody looks");
}

#[test]
fn what_grows_is_read_as_closely_as_what_is_on_the_screen() {
    let mut face = leaks(140, 40);
    face.keys("esc").keys("/").type_text("nginx").keys("enter");
    let visible = face.app.request().demand.visible;
    assert!(visible.iter().any(|key| key.pid == NODE) && visible[0].pid != NODE, "{visible:?}");
    // The limit of descriptors decides what is said of their growth.
    assert!(face.app.request().demand.sources.contains(memtide::model::field::Source::Limits));
}

#[test]
fn the_selection_stays_on_its_finding_wherever_it_is_ranked() {
    let mut face = leaks(140, 40);
    face.keys("down down");
    assert!(face.selected().unwrap().contains("python3[1610]"), "{:?}", face.selected());
    face.watch(120);
    assert!(face.selected().unwrap().contains("python3[1610]"), "{:?}", face.selected());
    face.keys("home");
    let first = face.selected();
    face.keys("end up pageup pagedown home");
    assert_eq!(face.selected(), first);
    // Who ends is no finding any more, and another is selected.
    face.keys("end");
    face.change_crowd(Crowd::Server);
    face.watch(3);
    let lines = findings(&face);
    assert!(lines.iter().all(|line| line.contains("node[1234]") || line.contains("machine")), "{lines:?}");
    assert!(lines.last().unwrap().contains(&face.selected().unwrap()), "{:?}", face.selected());
}

#[test]
fn the_leaks_open_on_what_is_first_then_whatever_was_first_before() {
    let mut firsts = std::collections::BTreeSet::new();
    let mut face = Face::starting(140, 40, Crowd::Leaks, options(), None);
    for _ in 0..30 {
        face.watch(10);
        face.keys("V");
        if let Some(selected) = face.selected() {
            let lines = findings(&face);
            assert!(lines[0].contains(&selected), "{selected}: {lines:?}");
            firsts.insert(selected);
        }
        face.keys("V");
    }
    assert!(firsts.len() > 1, "another one comes first in time: {firsts:?}");
}

#[test]
fn the_mouse_selects_a_finding_and_opens_it() {
    let mut face = leaks(140, 40);
    let row = face.lines().iter().position(|line| line.contains("python3[1610]")).unwrap() as u16;
    face.click(5, row, Duration::from_millis(500));
    assert!(face.selected().unwrap().contains("python3[1610]"));
    face.mouse(MouseEventKind::ScrollUp, 5, row);
    assert!(face.selected().unwrap().contains("node[1234]"));
    face.click(5, row, Duration::from_millis(500));
    face.click(5, row, Duration::from_millis(100));
    assert_eq!(face.selected_pid(), Some(1610));
    assert!(!face.text().contains("LEAKS AND GROWTH"));
}

#[test]
fn the_header_tells_the_most_urgent_leak_and_when_memory_is_full() {
    let mut face = Face::starting(140, 40, Crowd::Server, options(), None);
    face.watch(25);
    assert!(!face.lines()[0].contains("leak") && !face.text().contains("ETA"), "{}", face.lines()[0]);
    face.watch(40);
    assert!(face.lines()[0].contains("growing: node[1234] +"), "{}", face.lines()[0]);
    face.watch(85);
    assert!(
        face.lines()[0].contains("leak: node[1234] +60 fds/min, fd limit in 2m  and 1 more"),
        "{}",
        face.lines()[0]
    );
    assert!(face.text().contains("ETA ▸ "), "{}", face.text());
    // The less room, the less of it; who and how fast stay longest.
    for (width, shown) in [
        (80, "leak: node[1234] +60 fds/min, fd limit in 2m"),
        (60, "leak: node[1234] +60 fds/min"),
        (40, "leak: node[1234] +60 fds/min"),
    ] {
        face.resize(width, 24);
        assert!(face.lines()[0].contains(shown), "{width}: {}", face.lines()[0]);
    }
}
