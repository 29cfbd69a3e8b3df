//! Every list of a heap as a picture in text, at the size of an old terminal and of a large one.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use insta::{assert_snapshot, with_settings};
use memtide::heap::browse::Browser;
use memtide::model::histogram::HistogramKind;
use memtide::session::heap::{News, Progress, Stage};
use support::heapface::{HeapFace, browser, histogram};
use support::heaps::server;

/// Compares what keys lead to with what was accepted.
fn check(name: &str, browser: impl Fn() -> Browser, lead: impl Fn(&mut HeapFace)) {
    for (width, height) in [(80, 24), (200, 60)] {
        let mut heap = HeapFace::new(width, height, browser());
        lead(&mut heap);
        let lines = heap.face.lines();
        for line in &lines {
            assert!(unicode_width::UnicodeWidthStr::width(line.as_str()) <= usize::from(width), "{name}: {line}");
        }
        with_settings!({
            filters => vec![(r"\d\d:\d\d:\d\d", "hh:mm:ss"), (r"( at|▸|>|ETA)(\s+)\d\d:\d\d\b", "${1}${2}hh:mm")],
            omit_expression => true,
            prepend_module_to_snapshot => false,
        }, { assert_snapshot!(format!("heap_{name}_{width}x{height}"), lines.join("\n")) });
    }
}

fn one() -> Browser {
    browser(&[server(0..100)])
}

fn keys(keys: &'static str) -> impl Fn(&mut HeapFace) {
    move |heap| {
        heap.keys(keys);
    }
}

#[test]
fn the_lists_of_one_snapshot() {
    let lists = ["classes", "biggest", "dominators", "strings", "closures", "collections", "detached"];
    for (tab, name) in (1..).zip(lists) {
        check(name, one, |heap| {
            heap.keys(&tab.to_string());
        });
    }
    check("filtered", one, |heap| {
        heap.keys("/").type_text("s");
    });
    check("found", one, |heap| {
        heap.keys("F3").type_text("login").keys("enter");
    });
    check("sort_menu", one, keys("s"));
}

#[test]
fn an_object_with_its_fields_and_who_holds_it() {
    let classes = || one();
    check("instances", classes, |heap| {
        heap.keys("/").type_text("pooled").keys("enter enter");
    });
    for (tab, name) in (1..).zip(["fields", "retainers", "way", "dominated"]) {
        check(name, classes, |heap| {
            heap.keys("/").type_text("pooled").keys("enter enter enter").keys(&tab.to_string());
        });
    }
}

#[test]
fn what_grew() {
    check("growth", || browser(&[server(0..100), server(10..300)]), keys(""));
    check("growth_new", || browser(&[server(0..100), server(10..300)]), keys("enter"));
    check("growth_steps", || browser(&[0..100, 0..150, 10..300].map(server)), keys(""));
}

#[test]
fn histograms() {
    let names = |count: usize| (0..count).map(|nth| (format!("{nth}.json"), 24 << 10)).collect();
    let jvm = HistogramKind::JvmClasses;
    check("histogram", || Browser::of_histograms(None, histogram(5000, jvm), names(1)), keys(""));
    let go = HistogramKind::GoFunctions;
    check("histogram_of_go", || Browser::of_histograms(None, histogram(5000, go), names(1)), keys(""));
    let both = || Browser::of_histograms(Some(histogram(1000, jvm)), histogram(5000, jvm), names(2));
    check("histogram_growth", both, keys(""));
}

#[test]
fn before_there_is_a_list() {
    let open = |heap: &mut HeapFace| heap.face.app.open_heap(vec!["/srv/a.heapsnapshot".into()], false);
    check("opening", one, |heap| {
        open(heap);
        let stage = Stage::Read(150 << 20, Some(312 << 20));
        heap.tell(News::Progress(Progress { file: "a.heapsnapshot".into(), nth: 1, of: 1, stage }));
    });
    check("failed", one, |heap| {
        open(heap);
        let why = "/srv/a.heapsnapshot: it needs about 2.31G of memory and 812M is available here: read it on another \
                   machine, or with --force";
        heap.tell(News::Failed(why.into()));
    });
    check("ask_files", one, keys("o"));
}
