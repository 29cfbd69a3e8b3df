//! Keys that set, choose, rename and drop marks, and what every view makes of them: the face driven without a terminal.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use support::face::Face;

const NODE: u32 = 1234;
const BACKUP: &str = "/usr/sbin/backup";

/// A face that has watched for a minute, marked by `m`, and watched on.
fn marked(seconds: u64) -> Face {
    let mut face = Face::starting(180, 40, support::machine::Crowd::Server, support::face::options(), None);
    face.watch(60);
    face.keys("m");
    face.watch(seconds);
    face
}

/// The cell under a head in the line with this text.
fn cell(face: &Face, text: &str, head: &str) -> String {
    let lines = face.lines();
    let heads = lines.iter().find(|line| line.contains("COMMAND")).unwrap();
    let line = lines.iter().find(|line| line.contains(text)).unwrap_or_else(|| panic!("{}", face.text()));
    let start = heads.find(head).map(|byte| heads[..byte].chars().count()).unwrap();
    // A number reaches to the end of its column, the mark of the order included.
    let end = start + heads.chars().skip(start).skip_while(|c| *c == ' ').position(|c| c == ' ').unwrap() + head.len()
        - head.trim_start().len();
    let left: String = line.chars().take(end).collect();
    left.split_whitespace().next_back().unwrap().to_owned()
}

#[test]
fn one_key_shows_in_every_line_what_has_changed_since() {
    let face = marked(30);
    assert_eq!(face.sorted_head(), "+PSS▼");
    assert_eq!(face.pids()[0], NODE);
    // A third of a MiB a second.
    assert_eq!((cell(&face, "app.js", " +PSS"), cell(&face, "app.js", "  +FD")), ("+10.0M".into(), "+30".into()));
    assert_eq!(cell(&face, "systemd-journald", " +PSS"), "0");
    assert!(face.lines()[1].contains("avail 242M (-10.0M)"), "{}", face.lines()[1]);
    assert!(face.lines()[0].contains("  since "), "{}", face.lines()[0]);
}

#[test]
fn who_has_ended_since_is_counted_and_found() {
    let mut face = marked(90);
    face.keys("home");
    assert!(face.foot().contains(": 0 new, 1 ended"), "{}", face.foot());
    face.keys("E");
    let first = face.lines().into_iter().skip_while(|line| !line.contains("AT MARK")).nth(1).unwrap();
    assert!(first.contains(BACKUP) && first.contains(" 60M"), "{first}");
}

#[test]
fn marks_are_named_chosen_renamed_and_dropped() {
    let mut face = marked(30);
    face.keys(":").type_text("mark later").keys("enter");
    face.watch(30);
    assert_eq!(cell(&face, "app.js", " +PSS"), "+10.0M");
    assert!(face.lines()[0].contains("  since later 30s"), "{}", face.lines()[0]);
    // The first mark is the second line of the menu.
    face.keys("' down enter");
    assert_eq!(cell(&face, "app.js", " +PSS"), "+20.0M");
    face.keys("'").type_text("rename later").keys("enter");
    face.keys("ctrl-u").type_text("after lunch").keys("enter :").type_text("compare after lunch").keys("enter");
    assert!(face.lines()[0].contains("  since after lunch"), "{}", face.lines()[0]);
    face.keys(":").type_text("compare never set").keys("enter");
    assert!(face.foot().contains("there is no mark `never set`: there are"), "{}", face.foot());
    face.keys("'").type_text("drop after").keys("enter");
    assert!(!face.lines()[0].contains("  since "), "{}", face.lines()[0]);
    assert_eq!(face.sorted_head(), "PSS▼");
    assert!(!face.text().contains("+PSS"));
    face.keys("'");
    assert!(!face.text().contains("after lunch"));
}

#[test]
fn a_mark_is_chosen_while_the_picture_stands_still() {
    let mut face = marked(30);
    face.keys("p :").type_text("compare none").keys("enter");
    assert!(!face.text().contains("+PSS"));
    face.keys("' enter");
    assert_eq!(cell(&face, "app.js", " +PSS"), "+10.0M");
}

#[test]
fn a_moment_of_the_past_can_be_marked_and_the_present_compared_with_it() {
    let mut face = Face::starting(180, 40, support::machine::Crowd::Server, support::face::options(), None);
    face.watch(90);
    face.keys("{ m");
    assert_eq!(cell(&face, "app.js", " +PSS"), "0");
    // Moments older than one minute are kept every ten seconds: this one is of the second 20.
    face.keys("l");
    assert_eq!(cell(&face, "app.js", " +PSS"), "+23.0M");
}

#[test]
fn a_filter_finds_who_changed() {
    let mut face = marked(30);
    face.keys("/").type_text("pss_change>5M").keys("enter");
    assert_eq!(face.pids(), [NODE]);
    face.keys("/ ctrl-u").type_text("fds_change=0 nginx").keys("enter");
    assert_eq!(face.pids().len(), 5);
}

#[test]
fn what_is_saved_is_no_order_of_a_mark() {
    let face = marked(3);
    assert_eq!(face.app.settings().sort.key, "pss");
    assert!(face.app.settings().columns.iter().all(|field| field.marked().is_none()));
}
