//! Changes chosen by keys and by words, without a terminal: what is asked about is what was chosen.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use memtide::act::change::{CHANGES, Change};
use memtide::act::effect::{Effect, GroupTarget, Knob, Outcome, Stage};
use memtide::act::run::not_begun;
use memtide::act::words;
use memtide::model::cgroup::CgroupVersion;
use memtide::tui::app::Command;
use support::face::Face;
use support::machine::Crowd;

const NODE: u32 = 1234;
const POSTGRES: u32 = 1310;

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

/// A value that each change takes.
fn value(change: Change) -> &'static str {
    match change {
        Change::Signal => "USR1",
        Change::OomScoreAdj => "500",
        Change::OpenFiles => "4096",
        Change::AddressSpace => "4G",
        Change::DumpHeap | Change::HeapSnapshot => "/tmp/x.hprof",
        Change::Reclaim | Change::MemoryHigh | Change::MemoryMax => "100M",
        Change::DropCaches => "3",
        Change::CollectGarbage | Change::PageOut | Change::Cold | Change::RecycleSwap => "",
    }
}

#[test]
fn every_change_is_reached_by_the_menu_and_by_its_word_and_asks_first() {
    for spec in CHANGES {
        let mut by_menu = face();
        by_menu.keys("a").type_text(spec.title).keys("enter");
        if !value(spec.change).is_empty() {
            // Some propose a value.
            by_menu.keys("ctrl-u").type_text(value(spec.change)).keys("enter");
        }
        let mut by_word = face();
        if spec.value.is_some() {
            by_word.keys(":").type_text(&format!("{} {}", spec.word, value(spec.change))).keys("enter");
        } else {
            by_word.keys(":").type_text(spec.title).keys("enter");
        }
        for face in [&mut by_menu, &mut by_word] {
            assert!(face.effects().is_empty(), "{}: asks first", spec.word);
            assert!(face.text().contains("Undo: "), "{}: {}", spec.word, face.text());
            face.keys("y");
        }
        assert_eq!(by_menu.effects(), by_word.effects(), "{}", spec.word);
        assert_eq!(words::word(by_menu.effects()[0]), spec.word);
    }
}

#[test]
fn a_change_is_of_who_was_chosen_when_the_menu_opened() {
    let mut face = face();
    face.keys("a");
    face.change_crowd(Crowd::Odd);
    face.watch(5);
    face.type_text("open files").keys("enter").type_text("99");
    face.watch(5);
    face.keys("enter y");
    let Effect::Limit { target, soft, .. } = face.effects()[0] else { panic!() };
    assert_eq!((target.key.pid, target.key.start_time), (NODE, u64::from(NODE) * 97));
    assert_eq!(*soft, Some(99));
}

#[test]
fn several_are_signalled_together_and_changed_one_at_a_time() {
    let mut face = face();
    face.keys("space space a").type_text("collect g").keys("enter");
    assert!(face.foot().contains("one process at a time, and not 2"), "{}", face.foot());
    face.keys("a").type_text("send a").keys("enter enter y");
    assert_eq!(targets(face.effects()[0]), [NODE, POSTGRES]);
}

#[test]
fn the_last_change_is_undone_and_what_is_under_way_is_stopped() {
    let group = GroupTarget { path: "/app".into(), version: CgroupVersion::V2, via: None };
    let effect = |to| Effect::Bound { group: group.clone(), knob: Knob::High, to };
    let mut face = face();
    face.keys("u y X");
    assert!(face.commands.is_empty() && face.text().contains("nothing is under way"), "{}", face.foot());
    let outcome = Outcome {
        stage: Stage::Acted,
        results: vec![Ok("/app: memory.high 400M".into())],
        undo: Some(effect(None)),
        ..not_begun(&effect(Some(400 << 20)), 5, String::new())
    };
    face.app.outcome(outcome);
    assert!(face.text().contains("(u undoes it)"), "{}", face.foot());
    face.keys("u n");
    assert!(face.effects().is_empty());
    face.keys("a enter y");
    assert_eq!(face.effects(), [&effect(None)], "the menu has it first");

    let begun = Effect::Reclaim { group: group.clone(), amount: None };
    let progress = |text: &str| Outcome {
        stage: Stage::Progress,
        results: vec![Ok(text.into())],
        is_final: false,
        ..not_begun(&begun, 6, String::new())
    };
    face.app.outcome(progress("1 taken"));
    face.app.outcome(progress("2 taken"));
    assert!(face.text().contains("2 taken (X stops it)"), "{}", face.foot());
    assert!(matches!(face.keys("X").commands.last(), Some(Command::Stop)));
    face.app.outcome(Outcome { is_final: true, ..progress("stopped") });
    face.keys("L");
    let text = face.text();
    assert!(
        text.contains("stopped") && !text.contains("1 taken") && !text.contains("2 taken"),
        "one entry an action: {text}"
    );
    face.keys("X");
    assert!(face.text().contains("nothing is under way"), "{}", face.foot());
}
