//! Heap snapshots that nobody honest wrote, and broken ones: the body of the fuzz target on inputs by chance, a true
//! snapshot cut at every byte, wrong counts, numbers that lead nowhere.
#![allow(unreachable_pub, dead_code, reason = "the parts of other test programs")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

#[path = "fuzz/bodies/heap.rs"]
mod body;
mod support;

use body::{made, read};
use memtide::heap::error::HeapError;
use memtide::heap::parse::Opening;
use proptest::collection::vec;
use proptest::prelude::*;
use support::any::cases;
use support::heaps::HandMade;

fn small() -> HandMade {
    let mut made = HandMade::new();
    let a = made.object("A", 10);
    let text = made.node("string", "a \"text\"\n数据", 20);
    made.element(0, 1, a);
    made.property(a, "name", text);
    made.place(a, 1, 2, 3);
    made
}

#[test]
fn any_bytes_and_any_numbers_end_in_an_answer_or_an_error() {
    cases(500)
        .run(&vec(any::<u8>(), 0..300), |bytes| {
            let _ = read(&bytes);
            Ok(())
        })
        .unwrap();
    let count = std::cell::Cell::new(0);
    cases(600)
        .run(&vec(any::<u8>(), 0..300), |bytes| {
            count.set(count.get() + usize::from(read(&made(&bytes)).is_ok()));
            Ok(())
        })
        .unwrap();
    // Most of them are whole: the questions are reached.
    assert!(count.get() > 200, "{count:?}");
}

#[test]
fn a_snapshot_cut_at_any_byte_says_that_it_is_incomplete() {
    let whole = small().json();
    assert_eq!(read(whole.as_bytes()).unwrap(), 3);
    for end in 0..whole.len() {
        let cut = &whole.as_bytes()[..end];
        // Its length is that of what is there; of a compressed one it is not known.
        for length in [Some(whole.len() as u64), None] {
            let error = Opening::begin(cut, length).and_then(|opening| opening.read(&mut |_| ())).unwrap_err();
            assert!(matches!(error, HeapError::Truncated { .. }), "at {end}: {error}");
        }
        assert!(read(cut).is_err());
    }
}

#[test]
fn a_snapshot_with_any_byte_changed_is_read_or_refused() {
    let whole = small().json().into_bytes();
    for place in 0..whole.len() {
        for byte in [b'0', b'9', b'"', b',', b']', b' ', 0xff] {
            let mut changed = whole.clone();
            changed[place] = byte;
            let _ = read(&changed);
        }
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let said = |json: &str| read(json.as_bytes()).unwrap_err().to_string();
    let json = small().json();
    let cases = [
        (small().json_with(4, 2), "it announces 4 nodes and has 3"),
        (small().json_with(2, 2), "it announces 2 nodes and has 3"),
        (small().json_with(3, 3), "it announces 3 edges of its nodes and has 2"),
        (small().json_with(3, 1), "it announces 1 edges and has 2"),
        (small().json_with(9_000_000_000, 2), "it has 9000000000 nodes, and more than 536870912 are not supported"),
        (small().json_with(3, 400_000_000), "edges, which do not fit into its"),
        (small().json_with(0, 0), "its header announces no nodes"),
        (json.replace("1,1,7", "1,1,21"), "node 21 is out of range, there are 21"),
        (json.replace("1,1,7", "1,1,8"), "the beginning of a node was expected"),
        (json.replace("1,1,7", "7,1,7"), "kind of edge 7 is out of range, there are 7"),
        (json.replace("1,1,7", "1,-1,7"), "an integer, a comma or the end of the array was expected"),
        (json.replace("3,2,3,10,1,0,0", "99,2,3,10,1,0,0"), "kind of node 99 is out of range, there are 15"),
        (json.replace("3,2,3,10,1,0,0", "3,77,3,10,1,0,0"), "string 77 is out of range, there are 5"),
        (json.replace("\"self_size\"", "\"size\""), "its header names no field `self_size`"),
        (json.replace("\"strings\"", "\"texts\""), "its header is followed by no strings"),
        (json.replace("7,1,2,3", "70,1,2,3"), "node 70 is out of range, there are 21"),
        ("hello".into(), "byte 0: `{\"snapshot\":` was expected"),
        ("[]".into(), "byte 0: `{\"snapshot\":` was expected"),
        ("{\"nodes\":[]}".into(), "\"snapshot\" first was expected"),
        (String::new(), "it is empty"),
    ];
    for (json, wanted) in cases {
        let error = said(&json);
        assert!(error.contains(wanted), "{error}, and not {wanted}");
    }
}

#[test]
fn cyclic_strings_and_pieces_without_end_are_shown_in_part() {
    let mut made = HandMade::new();
    let a = made.node("concatenated string", "(concatenated string)", 20);
    let b = made.node("concatenated string", "(concatenated string)", 20);
    let text = made.node("string", "x\u{1b}[2J", 20);
    made.element(0, 1, a);
    for (from, first, second) in [(a, text, b), (b, a, b)] {
        made.edge(from, "internal", "first", first);
        made.edge(from, "internal", "second", second);
    }
    assert_eq!(read(made.json().as_bytes()).unwrap(), 4);
    let graph = Opening::begin(made.json().as_bytes(), None).unwrap().read(&mut |_| ()).unwrap();
    let shown = graph.string_text(a as u32, 20);
    assert!(shown.starts_with("x\\x1b[2Jx\\x1b[2J") && shown.ends_with('…'), "{shown}");
}
