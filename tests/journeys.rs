//! Keys in, what is shown and asked for out: the face driven without a terminal, over samples made of numbers.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::time::Duration;

use crossterm::event::MouseEventKind;
use memtide::act::effect::{DropLevel, Effect, Signal};
use memtide::model::field::{PROCESS_FIELDS, process_field};
use memtide::model::group::GroupBy;
use memtide::model::judgement::{Analysis, Judged, Verdict};
use memtide::model::process::ProcessSample;
use memtide::tui::action::{ACTIONS, Action};
use memtide::tui::app::Command;
use memtide::tui::settings::Options;
use support::face::{Face, options};
use support::machine::{BOOT_MS, Crowd};

const NODE: u32 = 1234;
const POSTGRES: u32 = 1310;
const JOURNAL: u32 = 412;

/// A face of a usual size.
fn face() -> Face {
    Face::new(140, 40)
}

fn targets(effect: &Effect) -> Vec<u32> {
    match effect {
        Effect::Signal { targets, .. } => targets.iter().map(|target| target.key.pid).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn keys_move_the_selection() {
    for (keys, selected) in [
        ("", NODE),
        ("down", POSTGRES),
        ("j j", JOURNAL),
        ("down down up", POSTGRES),
        ("up", NODE),
        ("end", 2077),
        ("end home", NODE),
        ("pagedown", 2077),
        ("end pageup", NODE),
        ("ctrl-n ctrl-n ctrl-p", POSTGRES),
        ("N", NODE),
        ("N home", 1),
    ] {
        assert_eq!(face().keys(keys).selected_pid(), Some(selected), "after `{keys}`");
    }
}

#[test]
fn every_field_sorts_both_ways() {
    for field in PROCESS_FIELDS {
        let mut face = face();
        face.keys(":").type_text(&format!("sort {}", field.key)).keys("enter");
        let settings = face.app.settings();
        assert_eq!(settings.sort, field);
        let was_sorting = field.key == "pss";
        assert_eq!(settings.is_descending, field.sorts_descending() != was_sorting, "{}", field.key);
        let before = face.pids();
        face.keys("I");
        let after = face.pids();
        assert_eq!(before.len(), after.len());
        // Who is first by a known value is last the other way round; equals keep their order.
        let update = |pid: u32| {
            let sample = support::machine::sample(Crowd::Server, 149);
            let growth = |process: &ProcessSample| if process.key.pid == NODE { 2e7 } else { 0.0 };
            let judged =
                sample.processes.iter().map(|process| Judged::new(growth(process), Verdict::Growing, 0.5)).collect();
            let analysis = Analysis { judged, ..Analysis::default() };
            let snapshot = memtide::model::snapshot::Snapshot::derive(None, std::sync::Arc::new(sample), analysis);
            let index = snapshot.sample.processes.iter().position(|process| process.key.pid == pid).unwrap();
            (field.get)(&snapshot.row(index)).value().map(|value| value.to_string())
        };
        let known = |pids: &[u32]| pids.iter().filter_map(|pid| update(*pid)).collect::<Vec<_>>();
        let (first, last) = (known(&before), known(&after));
        assert_eq!(first.first(), last.last(), "{}", field.key);
        assert_eq!(first.last(), last.first(), "{}", field.key);
    }
}

#[test]
fn keys_sort() {
    for (keys, head) in [
        ("", "PSS▼"),
        ("P", "PSS▲"),
        ("M", "RSS▼"),
        ("M M", "RSS▲"),
        ("S", "SWAP▼"),
        ("D", "FD▼"),
        ("G", "+/MIN▼"),
        ("N", "PID▲"),
        ("I", "PSS▲"),
        (".", "RSS▼"),
        (",", "USER▲"),
        ("s u s e r enter", "USER▲"),
        ("s down enter", "RSS▼"),
        ("> esc", "PSS▼"),
    ] {
        assert_eq!(face().keys(keys).sorted_head(), head, "after `{keys}`");
    }
    assert_eq!(face().keys("T").app.settings().sort.key, "age");
}

#[test]
fn keys_before_the_first_sample_are_not_lost() {
    let mut face = Face::starting(140, 40, Crowd::Server, options(), None);
    face.keys("down k space A M / n g i n x enter");
    face.watch(30);
    assert_eq!(face.sorted_head(), "RSS▼");
    assert_eq!(face.pids().len(), 5);
}

#[test]
fn a_filter_narrows_while_it_is_typed_and_esc_brings_the_old_one_back() {
    let mut face = face();
    let all = face.pids().len();
    face.keys("/").type_text("nginx");
    assert_eq!(face.pids().len(), 5, "while typing");
    face.keys("enter");
    assert_eq!(face.app.settings().filter, "nginx");
    face.keys("/").type_text(" user=root");
    assert_eq!(face.pids(), [1180]);
    face.keys("esc");
    assert_eq!((face.pids().len(), face.app.settings().filter.as_str()), (5, "nginx"));
    // A mistake keeps what was there, and Enter does not close over it.
    face.keys("/").type_text(" rss>").keys("enter");
    assert!(face.text().contains("filter: nginx rss>"), "{}", face.text());
    face.keys("ctrl-u enter");
    assert_eq!((face.pids().len(), face.app.settings().filter.as_str()), (all, ""));
    face.keys("/").type_text("fds>800").keys("enter esc");
    assert_eq!(face.app.settings().filter, "", "esc in the list drops the filter");
}

#[test]
fn a_search_goes_on_while_it_is_typed_and_to_the_next_and_the_one_before() {
    let mut face = face();
    face.keys("F3").type_text("ngi");
    assert_eq!(face.selected_pid(), Some(1190));
    face.keys("enter n");
    assert_eq!(face.selected_pid(), Some(1191));
    face.keys("n n n");
    assert_eq!(face.selected_pid(), Some(1180));
    face.keys("n");
    assert_eq!(face.selected_pid(), Some(1190), "from the end to the start");
    face.keys("b");
    assert_eq!(face.selected_pid(), Some(1180));
    face.keys("home F3").type_text("worker").keys("down up down enter");
    assert_eq!(face.selected_pid(), Some(1191));
    face.keys("F3").type_text("no such thing");
    assert_eq!(face.selected_pid(), Some(1191), "where the search began");
    face.keys("enter");
    assert!(face.foot().contains("no line holds"), "{}", face.foot());
    face.keys("home F3").type_text("less");
    assert_eq!(face.selected_pid(), Some(2077));
    face.keys("esc");
    assert_eq!(face.selected_pid(), Some(NODE));
}

#[test]
fn a_tree_folds_and_keeps_its_selection_in_view() {
    let mut face = Face::new(100, 14);
    face.keys("F3").type_text("less").keys("enter t");
    assert_eq!(face.selected_pid(), Some(2077), "in view after the change");
    assert!(face.app.settings().is_tree);
    face.keys("home z");
    assert_eq!(face.pids(), [1]);
    assert!(face.text().contains("[+] "), "{}", face.text());
    face.keys("* down");
    assert!(face.pids().len() > 5);
    assert_eq!(face.selected_pid(), Some(NODE));
    face.keys("t");
    assert!(!face.text().contains("├─"), "{}", face.text());
}

#[test]
fn groups_open_and_their_members_can_be_signalled() {
    let mut face = face();
    face.keys("g").type_text("user").keys("enter");
    assert_eq!(face.app.settings().group, Some(GroupBy::User));
    assert!(face.selected().unwrap().contains("[+] app"), "{:?}", face.selected());
    face.keys("enter");
    assert_eq!(face.pids(), [NODE, 2040, 2077]);
    face.keys("enter");
    assert_eq!(face.pids(), Vec::<u32>::new());
    face.keys("k enter y");
    assert_eq!(targets(face.effects()[0]), [NODE, 2040, 2077]);
    face.keys("g up enter");
    assert_eq!(face.app.settings().group, None);
}

#[test]
fn a_followed_process_stays_in_view() {
    let mut face = Face::new(100, 12);
    face.keys("F3").type_text("less").keys("enter N home end F");
    let row = |face: &Face| face.pids().iter().position(|pid| Some(*pid) == face.selected_pid());
    assert!(face.foot().contains("following"), "{}", face.foot());
    for keys in ["P", "I", "N", "I", "t", "t", "M"] {
        face.keys(keys);
        assert!(row(&face).is_some(), "after {keys}\n{}", face.text());
        assert_eq!(face.selected_pid(), Some(2077));
    }
}

#[test]
fn the_selection_stays_on_its_process_wherever_it_moves() {
    let mut face = face();
    face.keys("down down");
    for keys in ["P", "N", "M", "t", "t", "K"] {
        assert_eq!(face.keys(keys).selected_pid(), Some(JOURNAL), "after {keys}");
        face.watch(1);
        assert_eq!(face.selected_pid(), Some(JOURNAL));
    }
    // Who takes over its place when it has gone is another process, and visibly so.
    face.change_crowd(Crowd::Odd);
    face.watch(1);
    assert!(face.selected_pid().is_some_and(|pid| pid >= 1400), "{:?}", face.selected());
}

#[test]
fn a_signal_goes_to_the_selected_or_to_the_tagged_after_a_question() {
    let term = Signal(15);
    for (keys, pids, signal, escalates) in [
        ("k enter y", vec![NODE], term, false),
        ("F9 enter Y", vec![NODE], term, false),
        ("k k i l l enter y", vec![NODE], Signal(9), false),
        ("k down enter y", vec![NODE], term, true),
        ("k U S R 2 enter y", vec![NODE], Signal(12), false),
        ("k end enter y", vec![NODE], Signal(64), false),
        ("space space k enter y", vec![NODE, POSTGRES], term, false),
        ("space up space k enter y", vec![POSTGRES], term, false),
        ("A U k enter y", vec![NODE], term, false),
        ("space esc k enter y", vec![POSTGRES], term, false),
    ] {
        let mut face = face();
        face.keys(keys);
        let effects = face.effects();
        assert_eq!(effects.len(), 1, "after `{keys}`\n{}", face.text());
        assert_eq!(targets(effects[0]), pids, "after `{keys}`");
        let Effect::Signal { signal: sent, escalate, .. } = effects[0] else { panic!("{effects:?}") };
        assert_eq!((*sent, escalate.is_some()), (signal, escalates), "after `{keys}`");
    }
    let mut face = face();
    face.keys("/").type_text("nginx").keys("enter A k enter y");
    assert_eq!(targets(face.effects()[0]), [1180, 1190, 1191, 1192, 1193], "all that pass the filter");
}

#[test]
fn the_question_is_about_those_who_were_chosen_not_about_who_stands_there_now() {
    let mut face = face();
    face.keys("k enter");
    face.change_crowd(Crowd::Odd);
    face.watch(5);
    face.keys("y");
    let Effect::Signal { targets, .. } = face.effects()[0] else { panic!() };
    assert_eq!((targets[0].key.pid, targets[0].key.start_time), (NODE, u64::from(NODE) * 97));
}

#[test]
fn only_yes_is_yes() {
    for keys in [
        "k enter n",
        "k enter N",
        "k enter esc",
        "k enter enter",
        "k enter q",
        "k esc",
        "k enter ctrl-c",
        "k enter space",
        "k enter F9 k d",
        "d enter n",
        "d esc",
        "d enter enter",
        "d enter tab Z",
        "y",
        "k y esc",
        "d y esc",
        ": y esc",
    ] {
        let mut face = face();
        face.keys(keys);
        assert!(face.effects().is_empty(), "after `{keys}`: {:?}", face.effects());
    }
    // A click is no answer either.
    let mut face = face();
    face.keys("k enter");
    let rows = face.lines();
    let row = rows.iter().position(|line| line.contains("y  yes")).unwrap() as u16;
    for column in 0..140 {
        face.click(column, row, Duration::from_millis(1));
    }
    assert!(face.effects().is_empty());
}

#[test]
fn caches_are_dropped_at_the_level_that_was_chosen() {
    for (keys, level) in
        [("d enter y", DropLevel::PageCache), ("d down enter y", DropLevel::Slab), ("d 3 enter y", DropLevel::Both)]
    {
        let mut face = face();
        face.keys(keys);
        assert_eq!(face.effects(), [&Effect::DropCaches(level)], "after `{keys}`");
    }
}

#[test]
fn read_only_refuses_what_changes_the_machine_and_nothing_else() {
    let start = || {
        let mut face = Face::starting(140, 40, Crowd::Server, Options { is_read_only: true, ..options() }, None);
        face.watch(150);
        face
    };
    for keys in [
        "k",
        "d",
        "F9",
        "a",
        "u",
        ": s i g n a l enter",
        ": d r o p enter",
        ": r e c l a i m space 1 M enter",
        ": c o l l e c t space g enter",
    ] {
        let mut face = start();
        face.keys(keys);
        assert!(face.foot().contains("--read-only"), "after `{keys}`: {}", face.foot());
        face.keys("enter y Y enter y");
        assert!(face.effects().is_empty(), "after `{keys}`");
    }
    assert_eq!(start().keys("M").sorted_head(), "RSS▼");
}

#[test]
fn what_is_refused_for_lack_of_rights_can_not_be_answered_with_yes() {
    let refusal = memtide::act::effect::Refusal { reason: "Not permitted".into(), command: "sudo x".into() };
    let mut face = Face::starting(140, 40, Crowd::Server, options(), Some(refusal));
    face.watch(30);
    face.keys("d enter");
    assert!(face.text().contains("sudo x"));
    face.keys("y Y enter y");
    assert!(face.effects().is_empty());
}

#[test]
fn the_past_is_walked_and_left() {
    let mut face = face();
    let now = BOOT_MS + 149_000;
    let at = |face: &Face| face.app.request().at.map(|at| now - at.0);
    assert_eq!(at(&face), None);
    face.keys("[");
    assert_eq!(at(&face), Some(1000));
    assert!(face.lines()[0].contains(" PAST "), "{}", face.lines()[0]);
    face.keys("{");
    assert_eq!(at(&face), Some(61_000));
    assert!(face.pids().contains(&1950), "who has ended since is there\n{}", face.text());
    face.keys("]");
    assert!(at(&face).is_some_and(|ago| ago < 61_000));
    face.watch(3);
    assert!(face.lines()[0].contains(" PAST "), "the present does not push in");
    face.keys("k");
    assert!(face.foot().contains("this is the past"), "{}", face.foot());
    face.keys("l");
    assert_eq!(at(&face), None);
    assert!(face.lines()[0].contains("live"));
    face.keys("{ esc");
    assert_eq!(at(&face), None);
    face.keys("[ }");
    assert_eq!(at(&face), None, "beyond the newest is the present");
    face.keys("{ { { { { [");
    assert!(face.foot().contains("nothing before"), "{}", face.foot());
}

#[test]
fn a_pause_keeps_the_picture() {
    let mut face = face();
    face.keys("p");
    let before = face.text();
    face.watch(30);
    assert_eq!(face.text(), before);
    face.keys("down");
    assert_eq!(face.selected_pid(), Some(POSTGRES), "it can still be looked around in");
    face.keys("p");
    face.watch(1);
    assert!(face.lines()[0].contains("live"));
    assert_ne!(face.text(), before);
}

#[test]
fn the_interval_changes_in_steps_and_by_word() {
    for (keys, millis) in [
        ("", 1000),
        ("+", 2000),
        ("= =", 5000),
        ("-", 500),
        ("- - -", 250),
        ("+ + + + + + + + +", 300_000),
        (": i n t e r v a l space 1 5 s enter", 15_000),
        (": i n t e r v a l space 1 m s enter", 250),
    ] {
        let mut face = face();
        face.keys(keys);
        assert_eq!(face.app.request().interval, Duration::from_millis(millis), "after `{keys}`");
    }
}

#[test]
fn columns_are_chosen_and_moved() {
    let keys = |face: &Face| face.app.settings().columns.iter().map(|field| field.key).collect::<Vec<_>>();
    let mut face = face();
    face.keys("C down space");
    assert!(!keys(&face).contains(&"user"));
    face.keys("space +");
    assert_eq!(keys(&face)[..3], ["pid", "pss", "user"]);
    face.keys("home");
    for _ in 0..20 {
        face.keys("space down");
    }
    face.keys("esc");
    assert!(!keys(&face).is_empty());
    face.keys(":").type_text("columns pid,oom_score,command").keys("enter");
    assert_eq!(keys(&face), ["pid", "oom_score", "command"]);
    assert!(face.text().contains("OOM"), "{}", face.text());
    // What is not shown is not read.
    assert!(!face.app.request().demand.sources.contains(memtide::model::field::Source::Fds));
}

#[test]
fn the_palette_runs_actions_by_name_and_commands_with_values() {
    let mut face = face();
    face.keys(":").type_text("sort rss").keys("enter");
    assert_eq!(face.sorted_head(), "RSS▼");
    face.keys(":").type_text("filter nginx").keys("enter");
    assert_eq!(face.app.settings().filter, "nginx");
    face.keys(":").type_text("group unit").keys("enter");
    assert_eq!(face.app.settings().group, Some(GroupBy::Unit));
    face.keys(":").type_text("theme light").keys("enter");
    assert_eq!(face.app.settings().theme, "light");
    face.keys(":").type_text("gro").keys("tab").type_text("us").keys("tab enter");
    assert_eq!(face.app.settings().group, Some(GroupBy::User));
    face.keys(":").type_text("sort nothing").keys("enter");
    assert!(face.text().contains("there is no field `nothing`"));
    face.keys("esc :").type_text("save").keys("enter");
    assert!(matches!(face.commands.last(), Some(Command::Save(_))), "{:?}", face.commands);
    face.keys(":").type_text("quit").keys("enter");
    assert_eq!(face.commands.last(), Some(&Command::Quit));
}

#[test]
fn a_pasted_line_goes_where_a_line_is_typed_and_nowhere_else() {
    let mut face = face();
    face.paste("q\rky");
    assert!(face.commands.is_empty(), "{:?}", face.commands);
    face.keys("/");
    face.paste("nginx\n");
    face.keys("enter");
    assert_eq!(face.pids().len(), 5);
    face.keys("k enter");
    face.paste("y");
    assert!(face.effects().is_empty());
}

#[test]
fn the_mouse_sorts_selects_scrolls_and_presses_the_bar() {
    let moment = Duration::from_millis(100);
    let mut face = Face::new(140, 14);
    let head = face.lines().iter().position(|line| line.contains("COMMAND")).unwrap() as u16;
    let column = |face: &Face, title: &str| {
        let line = &face.lines()[usize::from(head)];
        line[..line.find(title).unwrap()].chars().count() as u16
    };
    let at = column(&face, "RSS");
    face.click(at, head, moment);
    assert_eq!(face.sorted_head(), "RSS▼");
    let at = column(&face, "RSS");
    face.click(at, head, moment);
    assert_eq!(face.sorted_head(), "RSS▲");
    face.keys("P");
    face.click(10, head + 2, moment);
    assert_eq!(face.selected_pid(), Some(POSTGRES));
    assert!(face.lines()[0].contains("web-1"), "a single click opens nothing");
    face.click(10, head + 2, Duration::from_secs(2));
    assert!(!face.text().contains("postgres[1310]"), "two slow clicks are no double click");
    face.click(10, head + 2, moment);
    assert!(face.text().contains("postgres[1310]"), "{}", face.text());
    face.keys("esc");
    let first = face.pids()[0];
    face.mouse(MouseEventKind::ScrollDown, 10, 5);
    assert_ne!(face.pids()[0], first);
    face.mouse(MouseEventKind::ScrollUp, 10, 5);
    face.mouse(MouseEventKind::ScrollUp, 10, 5);
    assert_eq!(face.pids()[0], first);
    let bar = face.lines().pop().unwrap();
    let tree = bar[..bar.find("tree").unwrap()].chars().count() as u16;
    face.click(tree, 13, moment);
    assert!(face.app.settings().is_tree);
    face.click(0, 13, moment);
    assert!(face.text().contains("help"), "{}", face.text());
    face.keys("esc");
    let quit = bar.chars().count() as u16 - 2;
    face.click(quit, 13, moment);
    assert_eq!(face.commands, [Command::Quit]);
}

#[test]
fn any_size_is_drawn_and_the_selection_survives() {
    let mut face = face();
    face.keys("down down");
    for (width, height) in [(40, 10), (200, 60), (40, 8), (39, 5), (1, 1), (500, 200), (80, 24), (41, 11), (3, 90)] {
        face.resize(width, height);
        let buffer = face.buffer();
        assert_eq!((buffer.area.width, buffer.area.height), (width, height));
    }
    face.resize(140, 40);
    assert_eq!(face.selected_pid(), Some(JOURNAL));
    // Where the window grows, no line stays away that would fit.
    face.resize(140, 12);
    face.keys("end");
    face.resize(140, 40);
    assert_eq!(face.pids()[0], NODE);
}

#[test]
fn unknown_keys_are_harmless() {
    let mut face = face();
    let before = face.text();
    for key in
        ["F8", "F11", "F12", "insert", "alt-x", "ctrl-q", "é", "0", "%", "alt-k", "ctrl-y", "数", "tab", "delete"]
    {
        face.keys(key);
        assert_eq!(face.text(), before, "after {key}");
    }
    assert!(face.commands.is_empty());
}

#[test]
fn every_action_is_reached_by_each_of_its_keys_and_by_its_name() {
    for spec in ACTIONS {
        let by_title = |face: &mut Face| {
            face.keys(":").type_text(spec.title).keys("enter");
        };
        let mut named = face();
        by_title(&mut named);
        for key in spec.keys {
            let mut pressed = face();
            pressed.keys(key);
            assert_eq!(pressed.commands, named.commands, "{}: {key}", spec.name);
            assert_eq!(pressed.text(), named.text(), "{}: {key}", spec.name);
            assert_eq!(pressed.app.settings(), named.app.settings(), "{}: {key}", spec.name);
        }
    }
    assert!(matches!(face().keys("ctrl-z").commands[..], [Command::Suspend]));
    assert!(matches!(face().keys("ctrl-l").commands[..], [Command::Redraw]));
    assert!(ACTIONS.iter().any(|spec| spec.action == Action::Quit));
}

#[test]
fn what_was_chosen_is_what_is_saved() {
    let mut face = face();
    face.keys("M t K + C space esc :").type_text("theme mono").keys("enter /").type_text("rss>1M").keys("enter W");
    let Some(Command::Save(settings)) = face.commands.last() else { panic!("{:?}", face.commands) };
    assert_eq!(settings.sort, process_field("rss").unwrap());
    assert!(settings.is_tree && settings.shows_kernel_threads && settings.is_descending);
    assert_eq!((settings.filter.as_str(), settings.theme.as_str()), ("rss>1M", "mono"));
    assert_eq!(settings.interval, Duration::from_secs(2));
    assert_ne!(settings.columns[0].key, "pid");
    // A face that starts with them is the same face.
    let again = Face::starting(140, 40, Crowd::Server, Options { settings: settings.clone(), ..options() }, None);
    assert_eq!(again.app.settings(), *settings);
}
