//! Heaps made by hand, whose truth is known: dominators and what is retained, distances, classes, holders, differences.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::collections::BTreeSet;

use memtide::heap::diff::{Change, Numbering, Summary, compare, holders_of_new};
use memtide::heap::distances::SYSTEM;
use memtide::heap::explorer::{Explorer, NodeOrder};
use memtide::heap::graph::HeapGraph;
use memtide::heap::parse::Opening;
use proptest::prelude::*;
use support::any::cases;
use support::heaps::HandMade;

fn graph(json: &str) -> HeapGraph {
    Opening::begin(json.as_bytes(), Some(json.len() as u64)).unwrap().read(&mut |_| ()).unwrap()
}

fn explorer(made: &HandMade) -> Explorer {
    Explorer::new(graph(&made.json()), &mut |_| ()).unwrap()
}

/// A snapshot of nodes `1..=count` as objects of size 10 each, with these edges; the root has an edge to node 1.
fn objects(count: usize, edges: &[(usize, usize)]) -> HandMade {
    let mut made = HandMade::new();
    for number in 1..=count {
        made.object(&format!("O{number}"), 10);
    }
    made.element(0, 1, 1);
    for (place, (from, to)) in edges.iter().enumerate() {
        made.element(*from, place as u32 + 2, *to);
    }
    made
}

fn class<'a>(explorer: &'a Explorer, name: &str) -> &'a memtide::heap::classes::Class {
    let mut found = explorer.classes().all().iter().filter(|class| class.name == name.as_bytes());
    let class = found.next().unwrap_or_else(|| panic!("no class {name}"));
    assert!(found.next().is_none(), "two classes {name}");
    class
}

#[test]
fn the_example_of_lengauer_and_tarjan_has_the_dominators_of_their_paper() {
    // R=1 A=2 B=3 C=4 D=5 E=6 F=7 G=8 H=9 I=10 J=11 K=12 L=13
    let edges = [
        (1, 2),
        (1, 3),
        (1, 4),
        (2, 5),
        (3, 2),
        (3, 5),
        (3, 6),
        (4, 7),
        (4, 8),
        (5, 13),
        (6, 9),
        (7, 10),
        (8, 10),
        (8, 11),
        (9, 6),
        (9, 12),
        (10, 12),
        (11, 10),
        (12, 10),
        (12, 1),
        (13, 9),
    ];
    let explorer = explorer(&objects(13, &edges));
    let wanted = [(2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 4), (8, 4), (9, 1), (10, 1), (11, 8), (12, 1), (13, 5)];
    for (node, dominator) in wanted {
        assert_eq!(explorer.dominators().nearest(node), dominator, "of {node}");
    }
    assert_eq!([1, 4, 5, 8, 12].map(|node| explorer.dominators().retained(node)), [130, 40, 20, 20, 10]);
    assert_eq!(explorer.total(), 130);
}

/// Dominators by their definition: without it, the root does not reach the node.
fn naive(count: usize, edges: &[(usize, usize)]) -> Vec<BTreeSet<usize>> {
    let reached = |without: usize| {
        let mut seen = BTreeSet::new();
        let mut pending = vec![0];
        while let Some(node) = pending.pop() {
            if node != without && seen.insert(node) {
                pending.extend(edges.iter().filter(|(from, _)| *from == node).map(|(_, to)| *to));
            }
        }
        seen
    };
    let all = reached(usize::MAX);
    let mut dominators = vec![BTreeSet::new(); count];
    for node in &all {
        let rest = reached(*node);
        for other in all.difference(&rest) {
            dominators[*other].insert(*node);
        }
    }
    dominators
}

/// What nothing leads to hangs from the root, as V8's snapshots have a few of; then what only leads to itself.
fn with_orphans(count: usize, mut edges: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    edges.retain(|(from, to)| from != to);
    let has_retainer: BTreeSet<usize> = edges.iter().map(|(_, to)| *to).collect();
    edges.extend((1..count).filter(|node| !has_retainer.contains(node)).map(|node| (0, node)));
    let dominators = naive(count, &edges);
    edges.extend((1..count).filter(|node| dominators[*node].is_empty()).map(|node| (0, node)));
    edges
}

#[test]
fn dominators_and_retained_sizes_of_any_graph_are_those_of_their_definition() {
    let graphs = (2_usize..24).prop_flat_map(|count| {
        (Just(count), prop::collection::vec((0..count, 0..count), 0..60), prop::collection::vec(1_u64..100, count))
    });
    cases(400)
        .run(&graphs, |(count, edges, sizes)| {
            let mut made = HandMade::new();
            for size in &sizes[1..] {
                made.object("O", *size);
            }
            for (from, to) in &edges {
                made.element(*from, 1, *to);
            }
            let explorer = explorer(&made);
            let edges = with_orphans(count, edges);
            let dominators = naive(count, &edges);
            for (node, wanted) in dominators.iter().enumerate().skip(1) {
                let mut above = BTreeSet::from([node]);
                let mut at = node as u32;
                while at != 0 {
                    at = explorer.dominators().nearest(at);
                    above.insert(at as usize);
                }
                prop_assert_eq!(&above, wanted, "of {} in {:?}", node, edges);
            }
            let retained = |node: usize| {
                let of = (1..count).filter(|other| dominators[*other].contains(&node));
                of.map(|other| sizes[other]).sum::<u64>()
            };
            for node in 1..count {
                prop_assert_eq!(explorer.dominators().retained(node as u32), retained(node), "of {}", node);
            }
            prop_assert_eq!(explorer.total(), sizes[1..].iter().sum::<u64>());
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_chain_of_a_million_objects_and_a_million_edges_of_one_are_no_trouble() {
    const COUNT: usize = 1_000_000;
    let chain: Vec<(usize, usize)> = (1..COUNT).map(|node| (node, node + 1)).collect();
    let deep = explorer(&objects(COUNT, &chain));
    assert_eq!(deep.dominators().nearest(COUNT as u32), COUNT as u32 - 1);
    assert_eq!(deep.dominators().retained(1), 10 * COUNT as u64);
    assert_eq!(deep.distances().get(COUNT as u32), COUNT as u32);
    assert!(deep.is_held_by(COUNT as u32, 2));
    assert_eq!(deep.way(COUNT as u32).unwrap().len(), COUNT);
    drop(deep);
    let fan: Vec<(usize, usize)> = (2..=COUNT).map(|node| (1, node)).collect();
    let wide = explorer(&objects(COUNT, &fan));
    assert_eq!(wide.dominators().retained(1), 10 * COUNT as u64);
    assert_eq!(wide.dominated(1, 0..3).unwrap(), [2, 3, 4]);
    assert_eq!(wide.fields(1, 10..12).len(), 2);
    // A hub that all of them lead back to, and one that leads to all of them.
    let mut both = fan;
    both.extend((2..COUNT).flat_map(|node| [(node, COUNT), (node, node + 1)]));
    let hub = explorer(&objects(COUNT, &both));
    assert_eq!(hub.dominators().nearest(COUNT as u32), 1);
    let retainers = hub.retainers(COUNT as u32, 0..2);
    assert_eq!(retainers[0].node, 1);
    assert_eq!(hub.retainers(COUNT as u32, 0..usize::MAX).len(), COUNT);
}

#[test]
fn weak_edges_and_shortcuts_retain_nothing_unless_from_the_root() {
    let mut made = HandMade::new();
    let [a, b, c] = ["A", "B", "C"].map(|name| made.object(name, 10));
    made.edge(0, "shortcut", "global", a);
    made.property(a, "b", b);
    made.edge(a, "weak", "w", c);
    made.edge(b, "shortcut", "s", c);
    let explorer = explorer(&made);
    assert_eq!(explorer.dominators().retained(a as u32), 20);
    assert_eq!(explorer.dominators().nearest(c as u32), 0);
    // A shortcut is a way nevertheless.
    assert_eq!([a, b, c].map(|node| explorer.distances().get(node as u32)), [1, 2, 3]);
}

#[test]
fn what_the_program_reaches_is_not_retained_by_what_it_does_not() {
    let mut made = HandMade::new();
    let roots = made.node("synthetic", "(GC roots)", 0);
    let [global, mine, debugger] = ["global", "Mine", "Debugger"].map(|name| made.object(name, 10));
    made.element(0, 1, roots);
    made.edge(0, "shortcut", "global", global);
    made.element(roots, 1, debugger);
    made.property(global, "mine", mine);
    made.property(debugger, "mine", mine);
    let explorer = explorer(&made);
    assert_eq!(explorer.dominators().retained(global as u32), 20);
    assert!(explorer.distances().get(debugger as u32) > SYSTEM);
    assert_eq!(explorer.distances().get(mine as u32), 2);
}

#[test]
fn a_value_of_a_weak_map_hangs_from_its_key_and_is_as_far_as_the_farther_of_both() {
    let mut made = HandMade::new();
    let [global, map, holder, key, value] =
        ["global", "WeakMap", "Holder", "Key", "Value"].map(|name| made.object(name, 10));
    let table = made.node("array", "", 30);
    made.edge(0, "shortcut", "global", global);
    made.property(global, "map", map);
    made.property(global, "holder", holder);
    made.property(holder, "key", key);
    made.edge(map, "internal", "table", table);
    let pair = format!(
        "part of key (Key @{}) -> value (Value @{}) pair in WeakMap (table @{})",
        made.id(key),
        made.id(value),
        made.id(table)
    );
    made.edge(table, "internal", &format!("1 / {pair}"), value);
    made.edge(key, "internal", &format!("2 / {pair}"), value);
    let explorer = explorer(&made);
    assert_eq!(explorer.dominators().nearest(value as u32), key as u32);
    assert_eq!(explorer.dominators().retained(holder as u32), 30);
    assert_eq!(explorer.distances().get(value as u32), 4);
}

#[test]
fn arrays_and_hidden_nodes_count_for_the_one_that_owns_them() {
    let mut made = HandMade::new();
    let [a, b] = ["A", "B"].map(|name| made.object(name, 10));
    let [own, inner, shared] = [100, 7, 1000].map(|size| made.node("array", "", size));
    let hidden = made.node("hidden", "system / Thing", 5);
    for node in [a, b] {
        made.element(0, node as u32, node);
        made.edge(node, "internal", "shared", shared);
    }
    made.edge(a, "internal", "elements", own);
    made.edge(own, "hidden", "x", hidden);
    made.edge(own, "internal", "inner", inner);
    // A cycle, and a weak edge: neither makes another owner.
    made.edge(inner, "internal", "back", own);
    made.edge(b, "weak", "own", own);
    let explorer = explorer(&made);
    let size = |node: usize| explorer.graph().size(node as u32);
    assert_eq!((size(a), size(own), size(inner), size(hidden)), (122, 0, 0, 0));
    assert_eq!((size(b), size(shared)), (10, 1000));
    assert_eq!((class(&explorer, "(array)").count, explorer.total()), (1, 1132));
}

#[test]
fn a_snapshot_without_roots_of_the_program_keeps_sizes_as_they_are() {
    let mut made = HandMade::new();
    let roots = made.node("synthetic", "(GC roots)", 0);
    let a = made.object("A", 10);
    let array = made.node("array", "", 100);
    made.element(0, 1, roots);
    made.element(roots, 1, a);
    made.edge(a, "internal", "elements", array);
    let explorer = explorer(&made);
    assert_eq!([a, array].map(|node| explorer.graph().size(node as u32)), [10, 100]);
    assert_eq!([0, roots, a].map(|node| explorer.distances().get(node as u32)), [0, 1, 2]);
}

#[test]
fn classes_have_the_names_of_devtools() {
    let mut made = HandMade::new();
    let nodes = [
        ("closure", "f"),
        ("code", "x"),
        ("hidden", "system / Map"),
        ("regexp", "a+"),
        ("string", "s"),
        ("concatenated string", "(concatenated string)"),
        ("number", "heap number"),
        ("symbol", "Symbol"),
        ("bigint", "bigint"),
        ("object shape", "system / Map"),
        ("native", "<div id=\"a\">"),
        ("native", "<div>"),
        ("object", "Server"),
    ];
    for (kind, name) in nodes {
        let node = made.node(kind, name, 10);
        made.element(0, node as u32, node);
    }
    let explorer = explorer(&made);
    let mut names: Vec<String> =
        explorer.classes().all().iter().map(|class| String::from_utf8(class.name.clone()).unwrap()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "(bigint)",
            "(compiled code)",
            "(concatenated string)",
            "(number)",
            "(object shape)",
            "(string)",
            "(symbol)",
            "(system)",
            "<div>",
            "Function",
            "RegExp",
            "Server"
        ]
    );
    assert_eq!(class(&explorer, "<div>").count, 2);
}

#[test]
fn classes_of_one_name_written_in_two_places_are_two() {
    let mut made = HandMade::new();
    for line in [3, 3, 9] {
        let node = made.object("Item", 10);
        made.element(0, line, node);
        made.place(node, 5, line, 0);
    }
    let explorer = explorer(&made);
    let counts: Vec<(u64, u32)> =
        explorer.classes().all().iter().map(|class| (class.count, class.place.unwrap().line)).collect();
    assert_eq!(counts, [(2, 3), (1, 9)]);
    assert_eq!(explorer.graph().place_text(explorer.classes().all()[1].place.unwrap(), false), "script 5:10");
}

#[test]
fn plain_objects_are_told_apart_by_their_properties() {
    let mut made = HandMade::new();
    let value = made.node("number", "heap number", 8);
    let mut object = |names: &[&str]| {
        let node = made.object("Object", 10);
        made.element(0, node as u32, node);
        for name in names {
            made.property(node, name, value);
        }
    };
    for _ in 0..3 {
        object(&["a", "b"]);
    }
    object(&["b", "a"]);
    object(&["a", "b", "c"]);
    object(&["c"]);
    object(&["z"]);
    object(&[]);
    for _ in 0..2 {
        object(&["x,y"]);
    }
    let explorer = explorer(&made);
    let counts = ["{a, b}", "{\"x,y\"}", "Object"].map(|name| class(&explorer, name).count);
    assert_eq!(counts, [5, 2, 3]);
}

#[test]
fn a_class_retains_what_no_other_of_it_dominates() {
    // A list of three, and one of its kind beside it.
    let mut made = HandMade::new();
    let items: Vec<usize> = (0..4).map(|_| made.object("Item", 10)).collect();
    let payload = made.object("Payload", 100);
    made.element(0, 1, items[0]);
    made.element(0, 2, items[3]);
    made.property(items[0], "next", items[1]);
    made.property(items[1], "next", items[2]);
    made.property(items[2], "data", payload);
    let explorer = explorer(&made);
    let item = class(&explorer, "Item");
    assert_eq!((item.count, item.shallow, item.retained, item.distance), (4, 40, 140, 1));
    let sorted = explorer.instances(0, NodeOrder::Retained, 0..2);
    assert_eq!(sorted, [items[0] as u32, items[1] as u32]);
}

#[test]
fn detached_is_passed_on_from_native_to_native_and_no_further() {
    let mut made = HandMade::new();
    let nodes: Vec<usize> = ["<a>", "<b>", "<c>", "<d>"].iter().map(|name| made.node("native", name, 10)).collect();
    let object = made.object("Wrapper", 10);
    let behind = made.node("native", "<e>", 10);
    made.element(0, 1, nodes[0]);
    made.element(0, 2, nodes[2]);
    made.detach(nodes[0], 2);
    made.detach(nodes[2], 1);
    made.edge(nodes[0], "internal", "child", nodes[1]);
    made.edge(nodes[0], "internal", "attached", nodes[3]);
    made.edge(nodes[2], "internal", "child", nodes[3]);
    made.edge(nodes[1], "internal", "wrapper", object);
    made.edge(object, "internal", "node", behind);
    let explorer = explorer(&made);
    assert_eq!(explorer.detached(), [nodes[0] as u32, nodes[1] as u32]);
    let names: BTreeSet<String> = nodes.iter().map(|node| explorer.class_text(*node as u32)).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["<c>", "<d>", "Detached <a>", "Detached <b>"]);
    assert_eq!(explorer.class_text(behind as u32), "<e>");
}

#[test]
fn an_old_snapshot_without_detachedness_reads_the_same() {
    let mut made = objects(4, &[(1, 2), (2, 3), (3, 4), (4, 2)]);
    let new = explorer(&made);
    made.is_old = true;
    let old = explorer(&made);
    for node in 0..5 {
        assert_eq!(old.dominators().nearest(node), new.dominators().nearest(node));
        assert_eq!(old.graph().id(node), new.graph().id(node));
    }
}

#[test]
fn who_holds_an_object_only_through_itself_is_a_cycle_and_comes_last() {
    let mut made = HandMade::new();
    let [server, request, response] = ["Server", "Request", "Response"].map(|name| made.object(name, 10));
    made.element(0, 1, server);
    made.property(response, "request", request);
    made.property(request, "response", response);
    made.property(server, "last", request);
    let explorer = explorer(&made);
    let retainers = explorer.retainers(request as u32, 0..9);
    let found: Vec<(u32, bool)> = retainers.iter().map(|retainer| (retainer.node, retainer.is_cycle)).collect();
    assert_eq!(found, [(server as u32, false), (response as u32, true)]);
    assert_eq!(explorer.way_text(response as u32).unwrap(), "Server.last.response");
}

#[test]
fn a_way_ends_at_the_root_although_something_leads_back_to_it() {
    let mut made = HandMade::new();
    let a = made.object("A", 10);
    made.element(0, 1, a);
    made.property(a, "root", 0);
    let explorer = explorer(&made);
    assert_eq!(explorer.way(a as u32).unwrap().len(), 1);
    assert!(explorer.way(0).unwrap().is_empty());
}

#[test]
fn strings_that_are_there_several_times_and_large_collections_are_listed() {
    let mut made = HandMade::new();
    let all = made.object("Array", 10);
    made.element(0, 1, all);
    for place in 0..5 {
        let text = made.node("string", "again and again", 40);
        made.element(all, place, text);
    }
    let once = made.node("string", "once", 20);
    let longer = made.node("string", "again and again", 5000);
    made.element(all, 5, once);
    made.element(all, 6, longer);
    let explorer = explorer(&made);
    let duplicates = explorer.duplicates();
    assert_eq!(duplicates.len(), 1);
    assert_eq!((duplicates[0].count, duplicates[0].wasted, duplicates[0].total), (5, 160, 200));
    let collections = explorer.collections();
    assert_eq!((collections[0].node, collections[0].elements), (all as u32, 7));
    assert_eq!(explorer.search("AGAIN").unwrap().len(), 6);
}

/// A pool that an array holds requests of, after so many requests came and went.
fn pool(live: std::ops::Range<u32>) -> HandMade {
    let mut made = HandMade::new();
    let [global, pool, items] = ["global", "Pool", "Array"].map(|name| made.object(name, 10));
    made.edge(0, "shortcut", "global", global);
    made.property(global, "pool", pool);
    made.property(pool, "items", items);
    made.place(pool, 9, 11, 0);
    for (place, number) in live.enumerate() {
        let request = made.object("PooledRequest", 48);
        made.set_id(request, 1001 + 2 * number);
        made.place(request, 9, 3, 0);
        made.element(items, place as u32, request);
    }
    made
}

fn changes(live: &[std::ops::Range<u32>]) -> (Explorer, Vec<Summary>, Vec<Change>) {
    let (last, earlier) = live.split_last().unwrap();
    let latest = explorer(&pool(last.clone()));
    let mut summaries: Vec<Summary> = earlier
        .iter()
        .map(|live| Summary::of_earlier(graph(&pool(live.clone()).json()), &latest, &mut |_| ()).unwrap())
        .collect();
    summaries.push(Summary::of(&latest).unwrap());
    let changes = compare(&summaries, Numbering::of(&summaries));
    (latest, summaries, changes)
}

#[test]
fn new_and_deleted_objects_are_told_by_their_numbers_with_who_holds_them() {
    let (latest, summaries, changes) = changes(&[0..100, 10..300]);
    let change = changes.iter().find(|change| change.name == b"PooledRequest").unwrap();
    assert_eq!((change.whole.new, change.whole.deleted, change.whole.count()), (200, 10, 190));
    assert_eq!((change.whole.size(), change.whole.retained), (190 * 48, 190 * 48));
    assert_eq!(change.counts, [100, 290]);
    assert_eq!(changes[0].name, b"PooledRequest");
    // The pool and its array have the same number, but retain more.
    let pool = changes.iter().find(|change| change.name == b"Pool").unwrap();
    assert_eq!((pool.whole.count(), pool.whole.retained), (0, 190 * 48));
    let held = holders_of_new(&latest, &summaries[0], change, Numbering::of(&summaries)).unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(latest.held_text(&held[0], "PooledRequest"), "200 PooledRequest held by Pool.items[…] of script 9:12");
    assert_eq!(Numbering::of(&summaries), Numbering::Kept);
}

#[test]
fn where_the_numbers_begin_anew_only_how_many_there_are_is_compared() {
    // The numbers of the first requests are other objects' now.
    let mut made = pool(1000..1300);
    let items = 3;
    for place in 0..100 {
        let other = made.object("Other", 16);
        made.set_id(other, 1001 + 2 * place);
        made.element(items, 1000 + place, other);
    }
    let latest = explorer(&made);
    let first = Summary::of_earlier(graph(&pool(0..100).json()), &latest, &mut |_| ()).unwrap();
    let summaries = [first, Summary::of(&latest).unwrap()];
    assert_eq!(Numbering::of(&summaries), Numbering::Anew);
    let changes = compare(&summaries, Numbering::Anew);
    let change = changes.iter().find(|change| change.name == b"PooledRequest").unwrap();
    assert_eq!((change.whole.new, change.whole.deleted, change.whole.size()), (200, 0, 200 * 48));
    let held = holders_of_new(&latest, &summaries[0], change, Numbering::Anew).unwrap();
    assert_eq!(held.iter().map(|held| held.count).sum::<u64>(), 300);
}

#[test]
fn of_three_snapshots_what_grows_in_each_step_is_the_leak() {
    let (_, _, grows) = changes(&[0..100, 0..200, 0..300]);
    assert!(grows[0].grows_always());
    assert_eq!(grows[0].steps.iter().map(memtide::heap::diff::Step::count).collect::<Vec<_>>(), [100, 100]);
    assert_eq!(grows[0].whole.new, 200);
    let (_, _, noise) = changes(&[0..100, 0..400, 350..480]);
    let request = noise.iter().find(|change| change.name == b"PooledRequest").unwrap();
    assert!(!request.grows_always());
    assert_eq!((request.whole.count(), request.steps[1].count()), (30, -270));
    let (_, _, same) = changes(&[0..100, 0..100]);
    assert!(same.is_empty(), "{same:?}");
}

#[test]
fn who_holds_what_is_said_in_the_words_of_the_program() {
    let mut made = HandMade::new();
    let global = made.object("global / ", 10);
    made.edge(0, "shortcut", "global", global);
    let f = made.node("closure", "handler", 30);
    made.place(f, 2, 6, 0);
    let scope = made.object("system / Context", 20);
    made.property(global, "handler", f);
    made.edge(f, "internal", "context", scope);
    let map = made.object("Map", 10);
    let table = made.node("array", "", 100);
    made.edge(scope, "context", "sessions", map);
    made.edge(map, "internal", "table", table);
    let cache = made.object("Object", 10);
    made.property(global, "cache", cache);
    let mut sessions = Vec::new();
    let mut entries = Vec::new();
    for number in 0..20 {
        let session = made.object("Session", 10);
        made.edge(table, "internal", &number.to_string(), session);
        sessions.push(session as u32);
        let entry = made.object("Entry", 10);
        made.property(cache, &format!("key{number}"), entry);
        entries.push(entry as u32);
    }
    // A list that one field holds.
    let mut links = Vec::new();
    for number in 0..20 {
        let link = made.object("Link", 10);
        match links.last() {
            None => made.property(global, "first", link),
            Some(before) => made.property(*before as usize, "next", link),
        }
        links.push(link as u32);
        assert_eq!(links.len(), number + 1);
    }
    let explorer = explorer(&made);
    let said = |nodes: &[u32], name: &str| {
        let class = explorer.classes().of_node(nodes[0]);
        let held = explorer.held(nodes, class).unwrap();
        assert_eq!(held.len(), 1, "{held:?}");
        explorer.held_text(&held[0], name)
    };
    assert_eq!(said(&sessions, "Session"), "20 Session held by sessions (Map) of script 2:7");
    assert_eq!(said(&entries, "Entry"), "20 Entry held by global.cache[…]");
    assert_eq!(said(&links, "Link"), "20 Link held by global.first");
}
