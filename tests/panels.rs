//! Every view as a picture in text: at the size of an old terminal, of a large one, and of a very small one.
//!
//! The samples are made of numbers ([`support::machine`]); times of day, which depend on the time zone, are masked.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::collections::VecDeque;
use std::time::Duration;

use insta::{assert_snapshot, with_settings};
use memtide::act::effect::{DropLevel, Effect, GroupTarget, Knob, Outcome, Refusal, Signal, Stage, Target};
use memtide::act::gauge::{Measured, Unit};
use memtide::model::cgroup::CgroupVersion;
use memtide::model::group::GroupBy;
use memtide::model::key::ProcessKey;
use memtide::model::survey::Survey;
use memtide::tui::settings::Options;
use support::face::{Face, options, without_colours};
use support::machine::Crowd;
use support::survey;

const OLD: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (200, 60);
const TINY: (u16, u16) = (40, 10);

/// Compares the view that keys lead to, at several sizes, with what was accepted.
fn check(name: &str, sizes: &[(u16, u16)], start: impl Fn(u16, u16) -> Face) {
    for &(width, height) in sizes {
        let face = start(width, height);
        let lines = face.lines();
        for line in &lines {
            assert!(unicode_width::UnicodeWidthStr::width(line.as_str()) <= usize::from(width), "{name}: {line}");
        }
        keep(&format!("{name}_{width}x{height}"), &lines.join("\n"));
    }
}

/// Compares a text with the accepted one of this name.
fn keep(name: &str, text: &str) {
    with_settings!({
        filters => vec![(r"\d\d:\d\d:\d\d", "hh:mm:ss"), (r"( at|▸|>|ETA)(\s+)\d\d:\d\d\b", "${1}${2}hh:mm")],
        omit_expression => true,
        prepend_module_to_snapshot => false,
    }, { assert_snapshot!(name, text) });
}

fn after(keys: &'static str) -> impl Fn(u16, u16) -> Face {
    move |width, height| {
        let mut face = Face::new(width, height);
        face.keys(keys);
        face
    }
}

fn with_options(crowd: Crowd, options: Options) -> impl Fn(u16, u16) -> Face {
    move |width, height| {
        let mut face = Face::starting(width, height, crowd, options.clone(), None);
        face.watch(150);
        face
    }
}

#[test]
fn processes() {
    check("flat", &[OLD, LARGE, TINY], after(""));
    check("tree", &[OLD, LARGE, TINY], after("t K"));
    check("tree_folded", &[OLD], after("t N home z"));
    check("tagged", &[OLD], after("space space down space"));
    check("following", &[OLD], after("down down F"));
    check("scrolled_sideways", &[OLD], after("right"));
}

#[test]
fn groups() {
    for (by, word) in GroupBy::ALL {
        let mut options = options();
        options.settings.group = Some(by);
        let start = with_options(Crowd::Server, options);
        check(&format!("by_{word}"), &[OLD, LARGE], |width, height| {
            let mut face = start(width, height);
            // The second group opened: a closed one above it, its members below it.
            face.keys("home down enter");
            face
        });
    }
}

#[test]
fn odd_processes() {
    let start = || with_options(Crowd::Odd, options());
    check("odd", &[OLD, LARGE, TINY], start());
    check("odd_group", &[OLD], |width, height| {
        let mut face = start()(width, height);
        face.keys("g enter");
        face
    });
    check("nobody", &[OLD, LARGE], with_options(Crowd::Nobody, options()));
}

#[test]
fn finding() {
    check("filter_open", &[OLD, LARGE, TINY], |width, height| {
        let mut face = Face::new(width, height);
        face.keys("/").type_text("rss>10M user=www-data");
        face
    });
    check("filter_kept", &[OLD], |width, height| {
        let mut face = Face::new(width, height);
        face.keys("/").type_text("nginx").keys("enter");
        face
    });
    check("filter_wrong", &[OLD], |width, height| {
        let mut face = Face::new(width, height);
        face.keys("/").type_text("rss>lots");
        face
    });
    check("filter_matches_nobody", &[OLD], |width, height| {
        let mut face = Face::new(width, height);
        face.keys("/").type_text("apache").keys("enter");
        face
    });
    check("search", &[OLD], |width, height| {
        let mut face = Face::new(width, height);
        face.keys("F3").type_text("postg");
        face
    });
}

#[test]
fn menus() {
    check("sort_menu", &[OLD, LARGE, TINY], after("s"));
    check("columns", &[OLD, LARGE, TINY], after("C down down"));
    check("group_menu", &[OLD, TINY], after("g"));
    check("theme_menu", &[OLD], after("Y"));
    check("signal_menu", &[OLD, LARGE, TINY], after("k"));
    check("drop_menu", &[OLD, TINY], after("d"));
    check("palette", &[OLD, LARGE, TINY], after(":"));
    check("palette_narrowed", &[OLD], |width, height| {
        let mut face = Face::new(width, height);
        face.keys(":").type_text("swap");
        face
    });
    check("palette_refuses", &[OLD], |width, height| {
        let mut face = Face::new(width, height);
        face.keys(":").type_text("sort nothing").keys("enter");
        face
    });
    check("help", &[OLD, LARGE, TINY], after("F1"));
}

#[test]
fn questions() {
    check("confirm_signal", &[OLD, LARGE, TINY], after("k enter"));
    check("confirm_several", &[OLD, TINY], after("space space space space k enter"));
    check("confirm_escalation", &[OLD], after("k down enter"));
    check("confirm_drop", &[OLD, LARGE, TINY], after("d down down enter"));
    check("actions", &[OLD, LARGE, TINY], after("a"));
    check("actions_undo", &[OLD], |width, height| {
        let mut face = Face::new(width, height);
        face.app.outcome(bound(400, None));
        face.keys("a");
        face
    });
    check("value", &[OLD, TINY], after(": m e m o r y . h enter"));
    check("value_refused", &[OLD], after(": m e m o r y . h enter 4 X enter"));
    check("confirm_bound", &[OLD, LARGE, TINY], after(": m e m o r y . h enter 4 0 0 M enter"));
    check("confirm_oom_score_adj", &[OLD], after(": o o m _ s c o r e enter 5 0 0 enter"));
    check("confirm_refused", &[OLD, LARGE, TINY], |width, height| {
        let refusal = Refusal {
            reason: "Not permitted: it takes root. Run this, or memtide under sudo:".into(),
            command: "sudo sh -c 'sync; sysctl -w vm.drop_caches=1'".into(),
        };
        let mut face = Face::starting(width, height, Crowd::Server, options(), Some(refusal));
        face.watch(150);
        face.keys("d enter");
        face
    });
}

#[test]
fn what_was_and_what_was_done() {
    check("ended", &[OLD, LARGE, TINY], after("E"));
    check("ended_nobody", &[OLD], |width, height| {
        let mut face = Face::starting(width, height, Crowd::Server, options(), None);
        face.watch(10);
        face.keys("E");
        face
    });
    check("log_empty", &[OLD], after("L"));
    check("log", &[OLD, LARGE, TINY], |width, height| {
        let mut face = Face::new(width, height);
        for outcome in outcomes() {
            face.app.outcome(outcome);
        }
        face.keys("L");
        face
    });
    check("message", &[OLD, TINY], |width, height| {
        let mut face = Face::new(width, height);
        for outcome in outcomes() {
            face.app.outcome(outcome);
        }
        face
    });
    check("past", &[OLD, LARGE, TINY], after("{ ["));
    check("paused", &[OLD, TINY], after("p"));
}

#[test]
fn leaks() {
    let watched = |crowd, seconds: u64| {
        move |width, height| {
            let mut face = Face::starting(width, height, crowd, options(), None);
            face.watch(seconds);
            face.keys("V");
            face
        }
    };
    let moved = |keys: &'static str| {
        move |width, height| {
            let mut face = watched(Crowd::Leaks, 150)(width, height);
            face.keys(keys);
            face
        }
    };
    check("leaks", &[OLD, LARGE, TINY], watched(Crowd::Leaks, 150));
    check("leaks_of_descriptors", &[OLD], watched(Crowd::Server, 150));
    check("leaks_of_memory", &[OLD, (120, 30)], moved("down"));
    check("leaks_growing", &[OLD], moved("end up"));
    check("leaks_last", &[OLD], moved("end"));
    check("leaks_past", &[OLD], moved("{ ["));
    check("leaks_early", &[OLD], watched(Crowd::Leaks, 60));
    check("leaks_none", &[OLD, LARGE, TINY], watched(Crowd::Odd, 150));
    check("leaks_too_early", &[OLD], watched(Crowd::Leaks, 10));
    check("leaks_in_the_list", &[OLD, (120, 30)], |width, height| {
        let mut face = watched(Crowd::Leaks, 150)(width, height);
        face.keys("esc");
        face
    });
    check("leaks_by_unit", &[(120, 30)], |width, height| {
        let mut face = watched(Crowd::Leaks, 150)(width, height);
        face.keys("esc g").type_text("unit").keys("enter");
        face
    });
}

/// A face on the parts of a process, watched a little longer than it was open.
fn inspected(crowd: Crowd, word: &'static str, keys: &'static str) -> impl Fn(u16, u16) -> Face {
    move |width, height| {
        let mut face = Face::starting(width, height, crowd, options(), None);
        face.watch(140);
        face.keys("F3").type_text(word).keys("enter enter").keys(keys);
        face.watch(10);
        face
    }
}

/// The view of the machine after keys, with a survey.
fn system(crowd: Crowd, survey: fn() -> Survey, keys: &'static str) -> impl Fn(u16, u16) -> Face {
    move |width, height| {
        let mut face = Face::starting(width, height, crowd, options(), None);
        face.watch(150);
        face.keys("y");
        face.survey(survey());
        face.keys(keys);
        face
    }
}

#[test]
fn one_process_whole() {
    const NARROW: (u16, u16) = (80, 12);
    let app = |keys| inspected(Crowd::Server, "app.js", keys);
    check("inspect", &[OLD, LARGE, TINY], app(""));
    check("inspect_fields", &[OLD], app("pagedown pagedown"));
    check("inspect_mappings", &[OLD, LARGE, TINY, NARROW], app("2"));
    check("inspect_mappings_by_change", &[OLD], app("2 G"));
    check("inspect_descriptors", &[OLD, LARGE, TINY, NARROW], app("3"));
    check("inspect_descriptors_below", &[OLD], app("3 end"));
    check("inspect_threads", &[OLD, LARGE, TINY], app("4"));
    check("inspect_runtime_node", &[OLD, LARGE], app("5"));
    check("inspect_runtime_jvm", &[OLD, LARGE], inspected(Crowd::Java, "shop.jar", "5"));
    check("inspect_sort_menu", &[OLD], app("2 s"));
    check("inspect_steady", &[OLD], inspected(Crowd::Server, "postgres", ""));
    check("inspect_past", &[OLD], app("["));
    check("inspect_past_mappings", &[OLD, TINY], app("2 ["));
}

#[test]
fn odd_processes_whole() {
    for (name, word) in [("denied", "vault"), ("huge", "more than"), ("hostile", "evil")] {
        for (tab, keys) in [("", "1"), ("_mappings", "2"), ("_descriptors", "3"), ("_threads", "4")] {
            let sizes: &[(u16, u16)] = if name == "hostile" { &[OLD, TINY] } else { &[OLD] };
            check(&format!("inspect_{name}{tab}"), sizes, inspected(Crowd::Odd, word, keys));
        }
    }
    check("inspect_kernel_thread_mappings", &[OLD], |width, height| {
        let mut face = Face::starting(width, height, Crowd::Server, options(), None);
        face.watch(30);
        face.keys("K F3").type_text("kswapd").keys("enter 2");
        face
    });
    let ended = |keys: &'static str| {
        move |width, height| {
            let mut face = Face::starting(width, height, Crowd::Server, options(), None);
            face.watch(110);
            face.keys("F3").type_text("backup").keys("enter enter").keys(keys);
            face.watch(30);
            face
        }
    };
    check("inspect_ended", &[OLD, TINY], ended(""));
    check("inspect_ended_mappings", &[OLD], ended("2"));
}

#[test]
fn where_every_byte_is() {
    let sizes = [OLD, LARGE, TINY];
    for (section, keys) in [
        ("", ""),
        ("_slab", "tab"),
        ("_shared", "tab tab"),
        ("_swap", "shift-tab shift-tab"),
        ("_settings", "shift-tab"),
    ] {
        check(&format!("system{section}"), &sizes, system(Crowd::Server, survey::typical, keys));
    }
    check("system_shared_below", &[OLD], system(Crowd::Server, survey::typical, "right right pagedown"));
    check("system_parts_below", &[OLD, TINY], system(Crowd::Server, survey::typical, "end"));
    check("system_past", &[OLD], system(Crowd::Server, survey::typical, "tab { ["));
    check("system_grows", &[(120, 30)], system(Crowd::Leaks, survey::typical, ""));
    check("system_not_surveyed", &[OLD], after("y tab"));
}

#[test]
fn where_every_byte_is_for_who_may_not_see_it_and_on_an_old_kernel() {
    for (section, keys) in [("_slab", "tab"), ("_shared", "tab tab"), ("_settings", "shift-tab")] {
        check(&format!("system_denied{section}"), &[OLD, LARGE, TINY], system(Crowd::Server, survey::denied, keys));
        check(&format!("system_old{section}"), &[OLD, LARGE, TINY], system(Crowd::Old, survey::old, keys));
    }
    check("system_old", &[OLD, LARGE, TINY], system(Crowd::Old, survey::old, ""));
}

#[test]
fn cgroups() {
    let watched = |crowd, keys: &'static str| {
        move |width, height| {
            let mut face = Face::starting(width, height, crowd, options(), None);
            face.watch(150);
            face.keys("c");
            face.keys(keys);
            face
        }
    };
    check("cgroups", &[OLD, LARGE, TINY], watched(Crowd::Server, ""));
    check("cgroups_leaking", &[OLD, (120, 30)], watched(Crowd::Server, "down down"));
    check("cgroups_container", &[OLD, (120, 30)], watched(Crowd::Server, "down down down"));
    check("cgroups_inherited", &[OLD], watched(Crowd::Server, "end up up up"));
    check("cgroups_flat", &[OLD], watched(Crowd::Server, "t"));
    check("cgroups_folded", &[OLD], watched(Crowd::Server, "down z"));
    check("cgroups_odd", &[OLD, LARGE, TINY], watched(Crowd::Odd, ""));
    check("cgroups_none", &[OLD], watched(Crowd::Nobody, ""));
    check("cgroups_past", &[OLD], watched(Crowd::Server, "["));
    check("cgroups_sort_menu", &[OLD, TINY], watched(Crowd::Server, "s"));
    check("cgroups_filter", &[OLD], |width, height| {
        let mut face = watched(Crowd::Server, "/")(width, height);
        face.type_text("usage>30M not user").keys("enter");
        face
    });
    check("cgroups_filter_wrong", &[OLD], |width, height| {
        let mut face = watched(Crowd::Server, "/")(width, height);
        face.type_text("usage>lots");
        face
    });
    check("cgroups_marked", &[OLD, (120, 30)], |width, height| {
        let mut face = watched(Crowd::Server, "m")(width, height);
        face.watch(30);
        face
    });
}

#[test]
fn marks() {
    let marked = |keys: &'static str| {
        move |width, height| {
            let mut face = Face::starting(width, height, Crowd::Server, options(), None);
            face.watch(60);
            face.keys(":").type_text("mark before the deploy").keys("enter");
            face.watch(90);
            face.keys("home");
            face.keys(keys);
            face
        }
    };
    check("marked", &[OLD, LARGE, TINY], marked(""));
    check("marked_by_unit", &[(120, 30)], |width, height| {
        let mut face = marked("g")(width, height);
        face.type_text("unit").keys("enter");
        face
    });
    check("marked_details", &[LARGE], marked("enter"));
    check("marked_ended", &[OLD, TINY], marked("E"));
    check("marked_leaks", &[OLD, LARGE], marked("V home"));
    check("mark_menu", &[OLD, TINY], marked("'"));
    check("mark_is_set", &[OLD], after("m"));
    check("mark_name", &[OLD], |width, height| {
        let mut face = marked("'")(width, height);
        face.type_text("rename").keys("enter");
        face
    });
}

fn outcomes() -> VecDeque<Outcome> {
    let target = |pid: u32, command: &str| Target {
        key: ProcessKey { pid, start_time: 97 },
        uid: 1000,
        user: "app".into(),
        command: command.into(),
    };
    let signal = |results, is_final| Outcome {
        effect: Effect::Signal {
            targets: vec![target(1234, "node app.js"), target(2077, "less")],
            signal: Signal(15),
            escalate: Some(Duration::from_secs(5)),
        },
        wall_ms: 1_785_000_000_000,
        took: Duration::from_millis(730),
        stage: Stage::Acted,
        results,
        is_final,
        measured: Vec::new(),
        undo: None,
    };
    VecDeque::from([
        signal(
            vec![
                Ok("1234 node app.js: SIGTERM sent, still there after 700 ms".into()),
                Err("2077 less has ended already: nothing was done".into()),
            ],
            false,
        ),
        Outcome {
            effect: Effect::DropCaches(DropLevel::Both),
            wall_ms: 1_785_000_060_000,
            took: Duration::from_millis(2210),
            results: vec![Ok("drop_caches 3: 148M more free".into())],
            is_final: true,
            stage: Stage::Settled,
            measured: [("free", 90, 238, 230), ("available", 172, 176, 171), ("cache", 194, 58, 70)]
                .map(|(name, before, after, later)| Measured {
                    name,
                    unit: Unit::Bytes,
                    before: Some(before << 20),
                    after: Some(after << 20),
                    later: Some(later << 20),
                })
                .to_vec(),
            undo: None,
        },
        bound(400, None),
    ])
}

/// A change that can be undone.
fn bound(mib: u64, was: Option<u64>) -> Outcome {
    let group = GroupTarget { path: "/system.slice/app.service".into(), version: CgroupVersion::V2, via: None };
    let effect = |to| Effect::Bound { group: group.clone(), knob: Knob::High, to };
    Outcome {
        effect: effect(Some(mib << 20)),
        wall_ms: 1_785_000_120_000,
        took: Duration::from_millis(1),
        stage: Stage::Acted,
        results: vec![Ok("/system.slice/app.service: memory.high 400M (was max)".into())],
        is_final: true,
        measured: vec![Measured {
            name: "memory.high",
            unit: Unit::Bytes,
            before: Some(i64::MAX),
            after: Some(400 << 20),
            later: None,
        }],
        undo: Some(effect(was)),
    }
}

#[test]
fn states_of_the_program() {
    check("read_only", &[OLD], |width, height| {
        let options = Options { is_read_only: true, ..options() };
        let mut face = with_options(Crowd::Server, options)(width, height);
        face.keys("k");
        face
    });
    let nothing = |width, height| Face::starting(width, height, Crowd::Server, options(), None);
    check("before_the_first_sample", &[OLD, TINY], nothing);
    check("after_the_first_sample", &[OLD, LARGE], |width, height| {
        let mut face = nothing(width, height);
        face.watch(1);
        face
    });
    check("failed_at_once", &[OLD, TINY], |width, height| {
        let mut face = nothing(width, height);
        face.app.fail("/proc: no process can be read there (is procfs mounted?)");
        face
    });
    check("failed_later", &[OLD], |width, height| {
        let mut face = Face::new(width, height);
        face.app.fail("/proc: no process can be read there (is procfs mounted?)");
        face
    });
    check("too_small", &[(39, 10), (40, 7), (1, 1), (12, 3)], after(""));
}

#[test]
fn only_ascii() {
    for keys in [
        "",
        "t",
        "g enter",
        "k",
        "C",
        "k enter",
        "F1",
        "L",
        "E",
        "/",
        "d enter",
        "[",
        "p",
        "Y",
        "enter",
        "V",
        "c",
        "y",
        "y tab",
        "y tab tab",
        "2",
        "3",
        "4",
        "5",
    ] {
        let ascii = Options { is_ascii: true, ..options() };
        for crowd in [Crowd::Server, Crowd::Leaks, Crowd::Nobody] {
            for (width, height) in [OLD, LARGE, TINY] {
                let mut face = with_options(crowd, ascii.clone())(width, height);
                face.survey(survey::typical());
                face.keys(keys);
                for outcome in outcomes() {
                    face.app.outcome(outcome);
                }
                assert!(face.text().is_ascii(), "after `{keys}`:\n{}", face.text());
            }
        }
        let mut face = with_options(Crowd::Server, ascii)(OLD.0, OLD.1);
        face.keys(keys);
        match keys {
            "" => keep("ascii_flat", &face.text()),
            "t" => keep("ascii_tree", &face.text()),
            "g enter" => keep("ascii_groups", &face.text()),
            "k" => keep("ascii_menu", &face.text()),
            "V" => keep("ascii_leaks", &face.text()),
            "y" => keep("ascii_system", &face.text()),
            "c" => keep("ascii_cgroups", &face.text()),
            _ => {}
        }
    }
}

#[test]
fn styles() {
    keep("styles_dark", &format!("{:?}", Face::new(OLD.0, OLD.1).buffer()));
    let without = |keys: &str| {
        let mut face = with_options(Crowd::Server, without_colours())(OLD.0, OLD.1);
        face.keys(keys);
        let buffer = face.buffer();
        for cell in &buffer.content {
            assert!([cell.fg, cell.bg].iter().all(|colour| *colour == ratatui::style::Color::Reset), "{cell:?}");
        }
        buffer
    };
    keep("styles_mono", &format!("{:?}", without("k down enter")));
    for keys in ["1", "2", "3", "4", "5", "y"] {
        without(keys);
    }
    let mut face = Face::new(OLD.0, OLD.1);
    face.keys("y");
    keep("styles_system", &format!("{:?}", face.buffer()));
    let mut face = with_options(Crowd::Server, without_colours())(OLD.0, OLD.1);
    face.keys("y");
    keep("system_mono_80x24", &face.text());
}
