//! Keys on the screen of a heap, from snapshots made by hand: the face driven without a terminal.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::MouseEventKind;
use memtide::act::effect::{Effect, Outcome, Stage, Target};
use memtide::act::heap::Options;
use memtide::heap::browse::Browser;
use memtide::heap::explorer::Phase;
use memtide::model::histogram::{Histogram, HistogramKind, HistogramRow};
use memtide::model::key::ProcessKey;
use memtide::session::heap::{News, Progress, Stage as Opening};
use memtide::tui::app::Command;
use support::face::Face;
use support::heapface::{HeapFace, browser};
use support::heaps::{HandMade, server};

fn on(made: &[HandMade]) -> HeapFace {
    HeapFace::new(80, 24, browser(made))
}

/// The line that is selected.
fn selected(heap: &HeapFace) -> String {
    heap.face.selected().unwrap_or_else(|| panic!("nothing is selected:\n{}", heap.text()))
}

/// The lines of the list: what follows its head.
fn lines(heap: &HeapFace, title: &str) -> Vec<String> {
    let lines = heap.face.lines();
    let place =
        lines.iter().position(|line| line.contains(title)).unwrap_or_else(|| panic!("{title}:\n{}", heap.text()));
    lines[place + 1..].to_vec()
}

fn files(face: &Face) -> Vec<PathBuf> {
    face.app.heap_wish().unwrap().files.to_vec()
}

#[test]
fn from_a_class_to_its_objects_their_fields_their_holders_and_back_again() {
    let mut heap = on(&[server(0..500)]);
    heap.keys("/").type_text("pooled").keys("enter enter");
    assert!(heap.text().contains("500 PooledRequest held by Pool.items[…] of server.js:12"), "{}", heap.text());
    assert!(heap.text().contains("Classes › PooledRequest"), "{}", heap.text());
    heap.keys("enter");
    assert!(lines(&heap, "FIELD")[0].contains(".url") && heap.text().contains("1 of 2"), "{}", heap.text());
    assert!(heap.text().contains("way: global.pool.items[0]"), "{}", heap.text());
    heap.keys("2");
    let holders = lines(&heap, "CYCLE");
    assert!(holders[0].contains("[0]") && holders[0].contains("Array") && !holders[0].contains("cycle"), "{holders:?}");
    assert!(holders[1].contains(".request") && holders[1].contains("cycle"), "{holders:?}");
    // Up to the root: the array, the pool, the global object.
    heap.keys("enter enter");
    assert!(lines(&heap, "CYCLE")[0].contains(".pool"), "{}", heap.text());
    heap.keys("3");
    assert!(lines(&heap, "LEADS TO")[1].contains(".pool"), "{}", heap.text());
    heap.keys("esc esc esc esc");
    assert!(heap.text().contains("/pooled") && heap.text().contains("1 of 1"), "{}", heap.text());
    heap.keys("esc");
    assert!(!heap.text().contains("/pooled") && heap.text().contains("(string)"), "{}", heap.text());
    heap.keys("esc");
    assert!(heap.face.app.heap_wish().is_none() && heap.face.selected_pid().is_some(), "{}", heap.text());
}

#[test]
fn classes_are_sorted_by_every_column_both_ways() {
    let mut heap = on(&[server(0..50)]);
    let column = |heap: &HeapFace, place: usize| -> Vec<u64> {
        let cells = lines(heap, "RETAINED").into_iter();
        let cells = cells.map_while(|line| line.split_whitespace().nth(place).map(str::to_owned));
        cells.map_while(|cell| cell.replace(',', "").parse().ok()).collect()
    };
    for (title, place) in [("COUNT", 0), ("DIST", 3)] {
        heap.keys("s").type_text(title).keys("enter");
        let down = column(&heap, place);
        assert!(down.len() > 3 && down.is_sorted_by(|a, b| a >= b), "{title}: {down:?}\n{}", heap.text());
        heap.keys("I");
        assert!(column(&heap, place).is_sorted(), "{}", heap.text());
    }
    // Sizes are written for people: the order is seen by the classes whose sizes are known.
    let order = |heap: &HeapFace| -> Vec<usize> {
        let lines = lines(heap, "RETAINED");
        let places = ["PooledRequest", "Map", "Pool"]
            .map(|name| lines.iter().position(|line| line.ends_with(&format!(" {name}"))));
        places.into_iter().map(Option::unwrap).collect()
    };
    heap.keys("s").type_text("SHALLOW").keys("enter");
    assert!(order(&heap).is_sorted(), "{}", heap.text());
    heap.keys("I");
    assert!(order(&heap).is_sorted_by(|a, b| a > b), "{}", heap.text());
    heap.keys("s").type_text("CLASS").keys("enter");
    assert!(lines(&heap, "RETAINED")[0].contains("Red"), "escape comes first:\n{}", heap.text());
    heap.keys("I");
    assert!(lines(&heap, "RETAINED")[0].contains("数据库连接"), "{}", heap.text());
}

#[test]
fn every_list_has_its_key_and_tab_goes_round() {
    let mut heap = on(&[server(0..30)]);
    let marks = ["WRITTEN", "WHAT", "WHAT", "STRING", "FUNCTION", "ELEMENTS", "WHAT"];
    for (tab, mark) in marks.iter().enumerate() {
        heap.keys(&(tab + 1).to_string());
        assert!(tab == 0 || heap.text().contains(mark), "{tab}: {mark}\n{}", heap.text());
    }
    assert!(heap.text().contains("Socket"), "{}", heap.text());
    heap.keys("tab");
    assert!(heap.text().contains("PooledRequest") && heap.text().contains("CLASS"));
    heap.keys("shift-tab shift-tab");
    assert!(heap.text().contains("ELEMENTS") && heap.text().contains("Map"), "{}", heap.text());
    heap.keys("5");
    assert!(lines(&heap, "FUNCTION").iter().any(|line| line.contains("server.js:31") && line.contains("close()")));
    heap.keys("4");
    assert!(lines(&heap, "STRING")[0].contains("10") && heap.text().contains("/login"), "{}", heap.text());
    // What nothing is named: it changes nothing.
    heap.keys("8");
    assert!(heap.text().contains("/login"));
}

#[test]
fn the_tree_of_dominators_is_walked_down_and_up() {
    let mut heap = on(&[server(0..30)]);
    heap.keys("3");
    assert!(selected(&heap).contains("global"), "{}", heap.text());
    heap.keys("enter");
    // Pool is the largest below the global object.
    assert!(selected(&heap).contains("Pool"), "{}", heap.text());
    heap.keys("enter");
    assert!(selected(&heap).contains("Array"), "{}", heap.text());
    heap.keys("esc esc");
    assert!(selected(&heap).contains("global"), "{}", heap.text());
}

#[test]
fn a_word_finds_objects_and_strings_wherever_they_are() {
    let mut heap = on(&[server(0..30)]);
    heap.keys("F3").type_text("LOGIN").keys("enter");
    assert!(heap.text().contains("1 of 10") && selected(&heap).contains("\"/login\""), "{}", heap.text());
    heap.keys("esc 2 /").type_text("session").keys("enter");
    assert!(heap.text().contains("1 of 4") && selected(&heap).contains("Session"), "{}", heap.text());
    heap.keys("esc 4 /").type_text("cart");
    assert!(heap.text().contains("1 of 1"), "narrowed while it is typed:\n{}", heap.text());
    heap.keys("esc");
    assert!(heap.text().contains("1 of 3"), "as it was:\n{}", heap.text());
    heap.keys("/").type_text("no such text").keys("enter");
    assert!(heap.text().contains("Nothing here has `no such text`"), "{}", heap.text());
}

#[test]
fn of_two_snapshots_what_grew_is_first_and_its_holder_is_told() {
    let mut heap = on(&[server(0..100), server(10..300)]);
    assert!(selected(&heap).contains("PooledRequest") && selected(&heap).contains("+190"), "{}", heap.text());
    let told = "200 new PooledRequest held by Pool.items[…] of server.js:12: ";
    assert!(heap.text().contains(told), "{}", heap.text());
    let row = selected(&heap);
    assert_eq!(row.split_whitespace().take(3).collect::<Vec<_>>(), ["200", "10", "+190"], "{row}");
    heap.keys("enter");
    assert!(heap.text().contains("1 of 200") && heap.text().contains(told), "the new ones alone:\n{}", heap.text());
    heap.keys("esc s").type_text("DELETED").keys("enter I");
    assert!(lines(&heap, "DELETED")[0].split_whitespace().nth(1).unwrap() == "0", "{}", heap.text());
    // The other lists are of the latest, one key further.
    heap.keys("2 /").type_text("pooled").keys("enter");
    assert!(selected(&heap).starts_with("290"), "{}", heap.text());
}

#[test]
fn of_three_snapshots_the_leak_is_what_grew_in_every_step() {
    let made = [0..100, 0..200, 0..300].map(server);
    let heap = HeapFace::new(120, 30, browser(&made));
    let row = selected(&heap);
    assert!(row.contains("+100 +100") && row.contains("yes") && row.contains("PooledRequest"), "{row}");
    assert!(heap.text().contains("more in every step."), "{}", heap.text());
}

#[test]
fn where_objects_are_numbered_anew_it_is_said() {
    let mut other = HandMade::new();
    let global = other.object("global", 40);
    other.edge(0, "shortcut", "global", global);
    for number in 0..400 {
        let node = other.object("Other", 16);
        other.set_id(node, 100_001 + number * 2);
        other.property(global, &format!("x{number}"), node);
    }
    let heap = on(&[server(0..100), other]);
    assert!(heap.text().contains("numbered anew"), "{}", heap.text());
}

fn histogram(count: u64) -> Histogram {
    let row = |name: &str, count: u64| HistogramRow {
        name: name.into(),
        place: "java.base".into(),
        count,
        bytes: count * 24,
        cumulative: count * 24,
    };
    let rows = vec![row("com.app.Session", count), row("java.lang.String", 900)];
    Histogram { kind: HistogramKind::JvmClasses, source: "7".into(), pid: Some(7), time_ms: None, rows }
}

#[test]
fn histograms_are_shown_and_compared_in_the_same_table() {
    let names = |count: usize| (0..count).map(|nth| (format!("{nth}.json"), 24)).collect();
    let mut heap = HeapFace::new(80, 24, Browser::of_histograms(None, histogram(5000), names(1)));
    assert!(selected(&heap).contains("5,000") && selected(&heap).contains("com.app.Session"), "{}", heap.text());
    heap.keys("enter F3");
    assert!(heap.text().contains("counts alone"), "{}", heap.text());
    let both = Browser::of_histograms(Some(histogram(1000)), histogram(5000), names(2));
    let mut heap = HeapFace::new(80, 24, both);
    assert!(selected(&heap).contains("+4,000") && selected(&heap).contains("com.app.Session"), "{}", heap.text());
    heap.keys("2");
    assert!(lines(&heap, "MODULE").iter().any(|line| line.contains("java.lang.String")), "{}", heap.text());
}

#[test]
fn of_a_class_of_many_objects_only_what_is_looked_at_is_asked_for() {
    let mut heap = on(&[server(0..20_000)]);
    heap.keys("/").type_text("pooled").keys("enter enter end");
    assert!(heap.text().contains("20,000 of 20,000"), "{}", heap.text());
    let (start, end) = heap.asked();
    assert!(end - start < 100 && start > 19_000, "{start}..{end}");
    heap.keys("pageup up");
    assert!(!heap.text().contains("looking"), "{}", heap.text());
    let row = selected(&heap);
    heap.keys("down up");
    assert_eq!(selected(&heap), row);
    heap.face.resize(200, 60);
    heap.keys("home");
    assert!(heap.text().contains("1 of 20,000") && selected(&heap).contains("/login"));
}

#[test]
fn the_mouse_sorts_selects_opens_and_chooses_lists() {
    let mut heap = on(&[server(0..30)]);
    let place = |heap: &HeapFace, text: &str| {
        let lines = heap.face.lines();
        let row =
            lines.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}:\n{}", heap.text()));
        (lines[row][..lines[row].find(text).unwrap()].chars().count() as u16, row as u16)
    };
    let (x, y) = place(&heap, "COUNT");
    heap.face.click(x, y, Duration::from_secs(1));
    heap.keys("");
    let (x, y) = place(&heap, "Str");
    heap.face.click(x, y, Duration::from_secs(1));
    heap.keys("home");
    assert!(heap.text().contains("/login"), "{}", heap.text());
    let (x, y) = place(&heap, "/cart");
    heap.face.click(x, y, Duration::from_secs(1));
    heap.keys("I I");
    heap.face.mouse(MouseEventKind::ScrollDown, 5, 12);
    assert!(heap.text().contains("3 of 3"), "{}", heap.text());
}

#[test]
fn while_it_is_opened_its_progress_is_shown_and_esc_ends_it() {
    let mut heap = on(&[server(0..3)]);
    heap.face.app.open_heap(vec!["/srv/a.heapsnapshot".into(), "/srv/b.heapsnapshot".into()], false);
    heap.face.keys("");
    assert!(heap.text().contains("opening /srv/b.heapsnapshot") && heap.text().contains("esc stop"), "{}", heap.text());
    let progress = |stage| News::Progress(Progress { file: "b.heapsnapshot".into(), nth: 2, of: 2, stage });
    heap.tell(progress(Opening::Read(150 << 20, Some(300 << 20))));
    for part in ["opening b.heapsnapshot, 2 of 2", "reading, 50% of 300M"] {
        assert!(heap.text().contains(part), "{part}\n{}", heap.text());
    }
    heap.tell(progress(Opening::Phase(Phase::Dominators)));
    assert!(heap.text().contains("what retains what, step 3 of 4"), "{}", heap.text());
    heap.face.keys("esc");
    assert!(heap.face.app.heap_wish().is_none() && heap.face.selected_pid().is_some());
}

#[test]
fn why_it_cannot_be_opened_is_shown_and_nothing_else_is_asked() {
    let mut heap = on(&[server(0..3)]);
    heap.face.app.open_heap(vec!["/srv/a.heapsnapshot".into()], false);
    heap.tell(News::Failed("/srv/a.heapsnapshot: it ends at byte 7, in the middle of the nodes".into()));
    assert!(heap.text().contains("it ends at byte 7, in the middle of the nodes."), "{}", heap.text());
    assert_eq!(heap.face.app.heap_wish().unwrap().ask, None);
    heap.face.keys("enter down 2 tab /");
    assert!(heap.text().contains("it ends at byte 7"));
    heap.face.keys("esc esc");
    assert!(heap.face.app.heap_wish().is_none());
}

#[test]
fn what_belongs_to_the_list_is_not_done_to_it_unseen() {
    let mut heap = on(&[server(0..3)]);
    for key in ["k", "H", "a", "V", "y", "c", "L", "E", "g", "C"] {
        heap.keys(key);
        assert!(heap.text().contains("that is for the list"), "{key}\n{}", heap.text());
    }
    assert!(heap.face.commands.is_empty());
}

/// A snapshot that has been taken of a process.
fn taken(face: &Face, file: &str, wall_ms: i64) -> Outcome {
    let update = face.update();
    let row = update.snapshot.rows().find(|row| row.process.key.pid == 1234).unwrap();
    let key: ProcessKey = row.process.key;
    let target = Target { key, uid: 1000, user: "app".into(), command: "node app.js".into() };
    Outcome {
        effect: Effect::HeapSnapshot { target, file: file.into(), options: Options::default() },
        wall_ms,
        took: Duration::from_secs(3),
        stage: Stage::Acted,
        results: vec![Ok(format!("1234 node app.js: 9M in 3 s: {file}"))],
        is_final: false,
        measured: Vec::new(),
        undo: None,
    }
}

#[test]
fn a_snapshot_that_is_taken_is_offered_and_a_second_one_of_the_process_to_be_compared() {
    let mut face = Face::new(80, 24);
    face.keys("enter");
    let first = taken(&face, "/var/tmp/1.heapsnapshot", 1000);
    face.app.outcome(first);
    assert!(face.text().contains("heap snapshot of 1234 is taken"), "{}", face.text());
    assert!(!face.text().contains("compare"), "{}", face.text());
    face.keys("enter");
    assert_eq!(files(&face), [PathBuf::from("/var/tmp/1.heapsnapshot")]);
    face.keys("esc");
    assert!(face.text().contains("node[1234]"), "back at the process:\n{}", face.text());
    let second = taken(&face, "/var/tmp/2.heapsnapshot", 2000);
    face.app.outcome(second);
    face.type_text("compare").keys("enter");
    assert_eq!(files(&face), ["/var/tmp/1.heapsnapshot", "/var/tmp/2.heapsnapshot"].map(PathBuf::from));
    face.keys("esc esc");
    let third = taken(&face, "/var/tmp/3.heapsnapshot", 3000);
    face.keys(":");
    face.app.outcome(third);
    assert!(!face.text().contains("is taken"), "nothing comes between what is typed");
    face.keys("esc o").type_text("last 3").keys("enter");
    assert_eq!(files(&face).len(), 3);
    assert!(face.commands.iter().all(|command| !matches!(command, Command::Run(_))));
}

#[test]
fn a_failed_snapshot_is_not_offered() {
    let mut face = Face::new(80, 24);
    face.keys("enter");
    let mut outcome = taken(&face, "/var/tmp/1.heapsnapshot", 1000);
    outcome.results = vec![Err("1234: it ended meanwhile".into())];
    face.app.outcome(outcome);
    assert!(!face.text().contains("is taken"), "{}", face.text());
}

#[test]
fn files_are_named_by_key_and_in_the_palette_with_the_quotes_of_a_shell() {
    let mut face = Face::new(80, 24);
    face.keys("o").type_text("'a b.heapsnapshot' c.heapsnapshot").keys("enter");
    assert_eq!(files(&face), ["a b.heapsnapshot", "c.heapsnapshot"].map(PathBuf::from));
    face.keys("esc :").type_text("heap /x.json").keys("enter");
    assert_eq!(files(&face), [PathBuf::from("/x.json")]);
    face.keys("esc :").type_text("heap 'x").keys("enter");
    assert!(face.text().contains("a quote is not closed") && face.app.heap_wish().is_none(), "{}", face.text());
}

#[test]
fn hostile_names_are_escaped_cut_and_never_sent() {
    for (width, height) in [(80, 24), (200, 60), (40, 10)] {
        let mut heap = HeapFace::new(width, height, browser(&[server(0..9)]));
        for tab in 1..=7 {
            heap.keys(&tab.to_string());
            for line in heap.face.lines() {
                assert!(!line.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{line}");
                assert!(unicode_width::UnicodeWidthStr::width(line.as_str()) <= usize::from(width), "{line}");
            }
        }
    }
}
