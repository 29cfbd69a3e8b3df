//! Keys in the view of control groups: the face driven without a terminal.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::time::Duration;

use crossterm::event::MouseEventKind;
use memtide::tui::app::Command;
use support::face::{Face, options};
use support::machine::Crowd;

/// A face on the control groups of the server.
fn groups() -> Face {
    let mut face = Face::starting(140, 36, Crowd::Server, options(), None);
    face.watch(150);
    face.keys("c");
    face
}

/// What the groups on the screen are called, from the top.
fn names(face: &Face) -> Vec<String> {
    let lines = face.lines();
    let (head, heads) = lines.iter().enumerate().find(|(_, line)| line.contains("CGROUP")).unwrap();
    let column = heads[..heads.find("CGROUP").unwrap()].chars().count();
    let name = |line: &String| line.chars().skip(column).collect::<String>();
    let below = lines[head + 1..].iter().map(name).take_while(|name| !name.is_empty());
    below.map(|name| name.trim_start_matches(['├', '└', '│', ' ']).to_owned()).collect()
}

fn selected(face: &Face) -> String {
    face.selected().unwrap().rsplit(['├', '└', ' ']).next().unwrap().to_owned()
}

#[test]
fn the_groups_are_reached_by_key_and_name_and_left_again() {
    let is_there = |face: &Face| face.text().contains("CGROUP");
    let mut face = groups();
    assert!(is_there(&face) && face.app.request().demand.cgroups);
    for keys in ["esc", "c", "c"] {
        let before = is_there(&face);
        face.keys(keys);
        assert_ne!(is_there(&face), before, "after {keys}");
        assert_eq!(face.app.request().demand.cgroups, !before, "nothing is read that nobody looks at");
    }
    face.keys(":").type_text("control groups").keys("enter");
    assert!(is_there(&face));
    face.keys("q");
    assert_eq!(face.commands, [Command::Quit]);
}

#[test]
fn enter_shows_the_processes_of_a_group_and_of_the_groups_in_it() {
    let mut face = groups();
    face.keys("/").type_text("nginx").keys("enter end enter");
    assert_eq!(face.pids(), [1190, 1191, 1192, 1193, 1180]);
    assert!(face.foot().contains("cgroup=\"/system.slice/nginx.service\""), "{}", face.foot());
    face.keys("c / ctrl-u enter /").type_text("user-1000").keys("enter end up enter");
    assert_eq!(face.pids(), [2040, 2077], "they are in the session, which is in the slice");
    face.keys("c / ctrl-u enter home enter");
    assert_eq!(face.pids().len(), 11, "the root has all");
    assert!(!face.foot().contains("filter"), "{}", face.foot());
}

#[test]
fn the_order_is_chosen_by_key_menu_and_mouse() {
    let head = |face: &Face| {
        let lines = face.lines();
        let heads = lines.iter().find(|line| line.contains("CGROUP")).unwrap();
        heads.split_whitespace().find(|head| head.ends_with(['▼', '▲'])).unwrap().to_owned()
    };
    let mut face = groups();
    assert_eq!(head(&face), "USAGE▼");
    assert_eq!(names(&face)[..3], ["/", "system.slice", "app.service"]);
    for (keys, shown) in [
        ("I", "USAGE▲"),
        ("P", "PSS▼"),
        ("P", "PSS▲"),
        ("G", "+/MIN▼"),
        ("S", "SWAP▼"),
        ("N", "CGROUP▲"),
        ("M .", "LIMIT▼"),
        (",", "USAGE▼"),
    ] {
        face.keys(keys);
        assert_eq!(head(&face), shown, "after {keys}");
    }
    face.keys("s").type_text("oom").keys("enter t");
    assert_eq!((head(&face).as_str(), names(&face)[0].as_str()), ("KILLS▼", "orders-db (docker:3f2a9c013f2a)"));
    let lines = face.lines();
    let row = lines.iter().position(|line| line.contains("CGROUP")).unwrap();
    let column = lines[row][..lines[row].find("ANON").unwrap()].chars().count() as u16;
    face.click(column, row as u16, Duration::ZERO);
    assert_eq!(head(&face), "ANON▼");
}

#[test]
fn a_branch_is_folded_and_the_selection_stays_on_its_group() {
    let mut face = groups();
    let all = names(&face).len();
    face.keys("down z");
    assert_eq!(names(&face).len(), all - 5);
    assert_eq!(selected(&face), "system.slice");
    face.keys("z end");
    assert_eq!((names(&face).len(), selected(&face).as_str()), (all, "init.scope"));
    face.keys("N");
    assert_eq!(selected(&face), "init.scope", "wherever it is sorted to");
    face.watch(5);
    assert_eq!(selected(&face), "init.scope");
}

#[test]
fn a_filter_narrows_while_it_is_typed_and_esc_brings_back_what_was() {
    let mut face = groups();
    face.keys("/").type_text("limit_percent>80");
    assert_eq!(names(&face), ["/", "system.slice", "app.service", "orders-db (docker:3f2a9c013f2a)"]);
    face.type_text(" 3f2a9c01");
    assert_eq!(names(&face).len(), 3, "ids are found too");
    face.keys("esc");
    assert_eq!(names(&face).len(), 11);
    face.keys("/").type_text("no such group").keys("enter");
    assert!(face.text().contains("no control group matches `no such group`"));
    face.keys("esc");
    assert_eq!(names(&face).len(), 11, "esc drops the filter first");
    assert!(face.text().contains("CGROUP"));
    face.keys("F3").type_text("session");
    assert_eq!(selected(&face), "session-4.scope");
    face.keys("enter F3").type_text("nothing like it").keys("enter");
    assert!(face.foot().contains("no group holds `nothing like it`"), "{}", face.foot());
}

#[test]
fn the_limit_that_binds_is_told_with_who_sets_it() {
    let mut face = groups();
    face.keys("F3").type_text("session").keys("enter");
    assert!(face.text().contains("limit 512M of /user.slice, 17% used  max 600M"), "{}", face.text());
    face.keys("F3").type_text("app.service").keys("enter");
    assert!(face.text().contains("limit 1.00G its own, 87% used  max 1.00G  high 900M"), "{}", face.text());
    assert!(face.text().contains("some 12.5 8.2 2.0 %"), "{}", face.text());
}

#[test]
fn the_wheel_moves_and_a_double_click_opens() {
    let mut face = groups();
    face.mouse(MouseEventKind::ScrollDown, 5, 10);
    assert_eq!(selected(&face), "system.slice");
    let row = face.lines().iter().position(|line| line.contains("app.service")).unwrap() as u16;
    face.click(20, row, Duration::from_secs(1));
    assert_eq!(selected(&face), "app.service");
    face.click(20, row, Duration::from_millis(100));
    assert_eq!(face.pids(), [1234]);
}

#[test]
fn the_change_since_a_mark_sorts_the_groups() {
    let mut face = groups();
    face.keys("m t");
    face.watch(30);
    assert_eq!(names(&face)[..3], ["system.slice", "app.service", "/"]);
    face.keys("home down");
    assert!(face.text().contains("since the mark +10.0M"), "{}", face.text());
    face.keys(":").type_text("compare none").keys("enter");
    assert!(face.text().contains("USAGE▼") && !face.text().contains("+PSS"));
}

#[test]
fn any_size_is_drawn() {
    let mut face = Face::starting(140, 36, Crowd::Odd, options(), None);
    face.watch(30);
    face.keys("c end");
    for (width, height) in [(40, 8), (80, 24), (41, 9), (300, 90), (60, 12)] {
        face.resize(width, height);
        let text = face.text();
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        assert!(text.contains("refused") || height < 10, "{text}");
    }
}
