//! Reads a heap snapshot that anybody may have made: whatever it holds, the reader ends and does not panic.

use memtide::heap::browse::{Aside, Browser, By, Question, Sort};
use memtide::heap::error::HeapError;
use memtide::heap::explorer::{Explorer, NodeOrder};
use memtide::heap::parse::Opening;

/// Reads it and asks every question; how many nodes it has.
pub fn read(bytes: &[u8]) -> Result<usize, HeapError> {
    // Compressed ones have no known length: what is announced must not be believed.
    drop(Opening::begin(bytes, None).and_then(|opening| opening.read(&mut |_| ())));
    let graph = Opening::begin(bytes, Some(bytes.len() as u64))?.read(&mut |_| ())?;
    let explorer = Explorer::new(graph, &mut |_| ())?;
    let graph = explorer.graph();
    for (number, class) in explorer.classes().all().iter().enumerate() {
        let nodes = explorer.instances(number as u32, NodeOrder::Shallow, 0..usize::MAX);
        assert_eq!(nodes.len() as u64, class.count);
        explorer.held(&nodes, Some(number as u32))?;
    }
    explorer.duplicates();
    explorer.collections();
    explorer.closures()?;
    explorer.detached();
    explorer.biggest(NodeOrder::Retained, 3);
    explorer.search("a")?;
    let mut sum = 0_u64;
    for node in graph.nodes() {
        sum = sum.saturating_add(graph.size(node));
        explorer.node_text(node);
        explorer.way_text(node)?;
        explorer.fields(node, 0..4);
        explorer.retainers(node, 0..4);
        explorer.dominated(node, 0..4)?;
        assert!(explorer.dominators().retained(node) >= graph.size(node));
    }
    assert_eq!(explorer.total(), sum);
    let count = graph.node_count();
    browse(explorer)?;
    Ok(count)
}

/// Walks through every list, in orders of every kind, as the view does.
fn browse(explorer: Explorer) -> Result<(), HeapError> {
    let classes = explorer.classes().all().len() as u32;
    let nodes: Vec<u32> = explorer.graph().nodes().take(4).collect();
    let mut browser = Browser::of_heap("x".into(), explorer);
    let word = || "a".to_owned();
    let lists = [
        Question::Growth(word()),
        Question::Classes(String::new()),
        Question::Biggest,
        Question::Strings(word()),
        Question::Closures(String::new()),
        Question::Collections,
        Question::Detached,
        Question::Found(word()),
    ];
    let of_nodes = nodes.iter().flat_map(|node| {
        let node = *node;
        [Question::Fields(node), Question::Retainers(node), Question::Way(node), Question::Dominated(node)]
    });
    let of_classes = (0..classes).map(Question::Instances);
    for question in lists.into_iter().chain(of_nodes).chain(of_classes) {
        for by in [By::Given, By::Count, By::Retained, By::Distance, By::Id, By::Name] {
            let page = browser.ask(&question, Sort { by, is_descending: by != By::Name }, 0..3)?;
            assert!(page.lines.len() <= page.of.min(3));
        }
    }
    for node in nodes {
        browser.aside(Aside::Way(node))?;
    }
    Ok(())
}

/// A snapshot whose form is right and whose numbers are not to be trusted: what is behind the form is reached.
pub fn made(data: &[u8]) -> Vec<u8> {
    let mut data = data.iter().copied();
    let nodes = usize::from(data.next().unwrap_or(0) % 12) + 1;
    let mut counts = vec![0_u8; nodes];
    let mut node_rows = Vec::new();
    for count in &mut counts {
        let mut next = || data.next().unwrap_or(0);
        *count = next() % 5;
        let (kind, name, id, size, state) = (next() % 15, next() % 14, next(), next(), next() % 4);
        node_rows.push(format!("{kind},{name},{id},{size},{count},0,{state}"));
    }
    let total: usize = counts.iter().map(|count| usize::from(*count)).sum();
    let edge_rows: Vec<String> = (0..total)
        .map(|_| {
            let mut next = || data.next().unwrap_or(0);
            // Few numbers are wrong: a file with one is refused at once.
            let (kind, label, to, how) = (next() % 7, next() % 14, usize::from(next()), next());
            let to = if how == 255 { to } else { to % nodes * 7 };
            format!("{kind},{label},{to}")
        })
        .collect();
    let places: Vec<String> = data.take(8).map(|byte| format!("{},1,2,3", usize::from(byte) % nodes * 7)).collect();
    let kinds = r#""hidden","array","string","object","code","closure","regexp","number","native","synthetic","concatenated string","sliced string","symbol","bigint","object shape""#;
    let strings = r#""","Object","Map","table","first","second","a b","script","shared","(map descriptors)","1 / part of key (a @1) -> value (b @2) pair in WeakMap (table @3)","<div id=1>","system / NativeContext","sloppy_function_map""#;
    format!(
        r#"{{"snapshot":{{"meta":{{"node_fields":["type","name","id","self_size","edge_count","trace_node_id","detachedness"],
"node_types":[[{kinds}]],"edge_fields":["type","name_or_index","to_node"],
"edge_types":[["context","element","property","internal","hidden","shortcut","weak"]],
"location_fields":["object_index","script_id","line","column"]}},"node_count":{nodes},"edge_count":{total}}},
"nodes":[{}],"edges":[{}],"locations":[{}],"strings":[{strings}]}}"#,
        node_rows.join(","),
        edge_rows.join(","),
        places.join(",")
    )
    .into_bytes()
}
