//! The view of a recording as pictures in text, at the size of an old terminal and of a large one, and what its keys do.
//!
//! Times of day, which depend on the time zone, are masked.
#![allow(unreachable_pub, dead_code, reason = "the parts of other test programs")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::sync::Arc;

use insta::{assert_snapshot, with_settings};
use memtide::model::deed::Deed;
use memtide::model::sample::Sample;
use support::machine::Crowd;
use support::recordings::seconds;
use support::replayed::Replayed;
use support::survey;

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 60)];

/// Four minutes of the server, with a closer look a minute; in the last one nobody is there any more, and somebody has
/// seen to that.
fn recorded() -> Vec<Sample> {
    let gone = seconds(Crowd::Nobody, 240).split_off(180);
    let mut samples = [seconds(Crowd::Server, 180), gone].concat();
    for minute in 0..4 {
        let closer = Arc::new(survey::closer(minute * 60));
        let minute = minute as usize * 60;
        samples[minute..minute + 60].iter_mut().for_each(|sample| sample.closer = Some(Arc::clone(&closer)));
    }
    let node = samples[0].processes.iter().find(|process| process.key.pid == 1234).unwrap().key;
    let began_ms = samples[179].wall_ms + 300;
    samples[180].deeds.push(Deed {
        wall_ms: began_ms,
        action: "signal".into(),
        title: "SIGTERM to 1 process".into(),
        target: Some(node),
        on: "1234".into(),
        result: "1234 node: ended by SIGTERM within 3 ms".into(),
        is_done: true,
        is_settled: false,
        measured: "available 71M -> 900M".into(),
    });
    samples
}

fn check(name: &str, samples: &[Sample], lead: impl Fn(&mut Replayed)) {
    for size in SIZES {
        let mut face = Replayed::new(samples, size);
        lead(&mut face);
        with_settings!({
            filters => vec![
                (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "yyyy-mm-dd hh:mm:ss"),
                (r"\d\d:\d\d:\d\d", "hh:mm:ss"),
                (r"( at|▸|>|ETA)(\s+)\d\d:\d\d\b", "${1}${2}hh:mm"),
            ],
            omit_expression => true,
            prepend_module_to_snapshot => false,
        }, { assert_snapshot!(format!("replay_{name}_{}x{}", size.0, size.1), face.lines().join("\n")) });
    }
}

#[test]
fn a_recording_shows_where_in_it_one_is_and_what_happened() {
    check("begin", &recorded(), |_| {});
    check("end", &recorded(), |face| {
        face.keys("l");
    });
    check("goto", &recorded(), |face| {
        face.keys("J").type_text("+1m");
    });
    check("event", &recorded(), |face| {
        face.keys(")");
    });
}

#[test]
fn two_moments_of_a_recording_are_compared() {
    check("compare", &recorded(), |face| {
        face.keys("m J").type_text("+2m").keys("enter");
    });
}

#[test]
fn views_of_the_machine_show_the_last_closer_look_with_its_age() {
    let to_half = |face: &mut Replayed| {
        face.keys("J").type_text("+90s").keys("enter");
    };
    check("system", &recorded(), |face| {
        to_half(face);
        face.keys("y");
    });
    check("slab", &recorded(), |face| {
        to_half(face);
        face.keys("y tab");
    });
    check("shared", &recorded(), |face| {
        to_half(face);
        face.keys("y tab tab");
    });
    check("cgroups", &recorded(), |face| {
        to_half(face);
        face.keys("c");
    });
}

#[test]
fn what_a_recording_does_not_have_says_so() {
    let samples = seconds(Crowd::Server, 30);
    let mut face = Replayed::new(&samples, (100, 30));
    let text = face.keys("c").lines().join("\n");
    assert!(text.contains("the recording does not have the control groups at this moment"), "{text}");
    let text = face.keys("y tab").lines().join("\n");
    assert!(text.contains("The recording does not have it"), "{text}");
}

#[test]
fn an_action_is_an_event_that_keys_lead_to_and_from() {
    let samples = recorded();
    let mut face = Replayed::new(&samples, (140, 30));
    let mut seen = Vec::new();
    for _ in 0..12 {
        let lines = face.keys(")").lines();
        seen.push(lines[lines.len() - 2].trim().to_owned());
    }
    let action = "SIGTERM to 1 process: 1234 node: ended by SIGTERM within 3 ms; available 71M -> 900M";
    let place = seen.iter().position(|line| line == action);
    assert!(place.is_some(), "{seen:#?}");
    assert_eq!(seen.iter().filter(|line| *line == action).count(), 1, "{seen:#?}");
    face.keys("l").keys("(");
    let text = face.lines().join("\n");
    assert!(text.contains("ended, RSS") || text.contains(action), "{text}");
}
