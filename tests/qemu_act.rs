//! Changes that need swap in use, or touch the whole machine, read back from Debian's kernel in a machine of its own
//! (`tests/qemu/act.sh`), and refused to who may not.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use serde_json::Value;
use support::qemu::{Guest, Parts};

const MIB: u64 = 1 << 20;

#[test]
fn memory_goes_to_swap_and_comes_back_caches_go_and_nobody_is_refused_without_a_reason() {
    let Some(guest) = Guest::running("act.sh") else { return };
    guest.copy_program("/usr/bin/perl", "usr/bin/perl");
    let parts = guest.boot();
    a_process_is_taken_for_cold(&parts);
    a_process_is_paged_out(&parts);
    swap_is_brought_back(&parts);
    caches_are_dropped(&parts);
    who_may_not_is_told(&parts);
}

/// A value that a JSON line of an action has, of what was measured.
fn measured(line: &Value, name: &str, when: &str) -> u64 {
    let all = line["measured"].as_array().unwrap();
    all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{line}"))[when].as_u64().unwrap()
}

fn text(line: &Value) -> &str {
    line["results"][0]["text"].as_str().unwrap()
}

/// The lines of a part that are JSON.
fn lines(parts: &Parts, name: &str) -> Vec<Value> {
    assert_eq!(parts.get(&format!("{name} status")).trim(), "0", "{}", parts.get(&format!("{name} errors")));
    parts.get(name).lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn a_process_is_taken_for_cold(parts: &Parts) {
    let line = parts.json("cold");
    let referenced = |when: &str| parts.bytes(&format!("{when} rollup"), "Referenced");
    assert!(referenced("start") >= 40 * MIB && referenced("cold") <= MIB, "{line}");
    assert_eq!(measured(&line, "referenced", "after"), referenced("cold"));
    assert_eq!(parts.bytes("cold rollup", "Rss"), parts.bytes("start rollup", "Rss"), "nothing goes");
    assert!(text(&line).contains("taken for cold") && line["undo"].is_null(), "{line}");
}

fn a_process_is_paged_out(parts: &Parts) {
    let plan = parts.get("planned");
    for part in ["page out process", "anonymous memory to swap", "CAP_SYS_NICE", "Undo: none, and none is needed"] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    let all = lines(parts, "pageout");
    assert_eq!((&all[0]["stage"], &all[1]["stage"]), (&"acted".into(), &"settled".into()));
    let bytes = |when: &str, line: &str| parts.bytes(&format!("{when} rollup"), line);
    assert_eq!(bytes("denied", "Swap"), 0);
    assert!(bytes("pageout", "Swap") >= 39 * MIB, "{all:?}");
    assert!(bytes("pageout", "Rss") + 39 * MIB <= bytes("denied", "Rss"), "{all:?}");
    for (name, line) in [("RSS", "Rss"), ("in swap", "Swap"), ("anonymous", "Anonymous")] {
        assert_eq!(measured(&all[0], name, "before"), bytes("denied", line), "{name}");
        assert_eq!(measured(&all[0], name, "after"), bytes("pageout", line), "{name}");
        assert_eq!(measured(&all[1], name, "later"), bytes("pageout", line), "{name}");
    }
    assert!(text(&all[0]).contains("asked to go") && text(&all[0]).contains(" more in swap"), "{}", text(&all[0]));
}

fn swap_is_brought_back(parts: &Parts) {
    let line = parts.json("recycle");
    assert!(text(&line).contains("back in RAM, in use again"), "{line}");
    assert_eq!(parts.bytes("recycle rollup", "Swap"), 0);
    assert!(parts.bytes("recycle rollup", "Rss") >= 40 * MIB);
    assert!(parts.get("alive").contains("sleeping"), "{}", parts.get("alive"));
}

fn caches_are_dropped(parts: &Parts) {
    let line = parts.json("caches");
    let went = |name: &str| parts.bytes("before meminfo", name).saturating_sub(parts.bytes("after meminfo", name));
    assert!(went("Buffers") >= 40 * MIB, "{line}");
    assert!(parts.bytes("after meminfo", "MemFree") >= parts.bytes("before meminfo", "MemFree") + 32 * MIB, "{line}");
    assert!(measured(&line, "cache", "before") >= measured(&line, "cache", "after") + 40 * MIB, "{line}");
    let line = parts.json("slab");
    assert!(parts.bytes("after slab", "SReclaimable") < parts.bytes("before slab", "SReclaimable"), "{line}");
    assert!(measured(&line, "reclaimable slab", "after") < measured(&line, "reclaimable slab", "before"), "{line}");
}

fn who_may_not_is_told(parts: &Parts) {
    for (name, command) in [
        ("denied", "sudo memtide act pageout --pid "),
        ("refused caches", "sudo sh -c 'sync; sysctl -w vm.drop_caches=3'"),
        ("refused swap", "swapoff \"$d\" && swapon \"$d\""),
        ("refused reclaim", "echo 1048576 | sudo tee /sys/fs/cgroup/app/memory.reclaim"),
        ("refused high", "echo 1073741824 | sudo tee /sys/fs/cgroup/app/memory.high"),
        ("refused limit", "--as=8589934592:"),
    ] {
        assert_eq!(parts.get(&format!("{name} status")).trim(), "1", "{name}");
        let told = parts.get(&format!("{name} errors"));
        assert!(told.contains("nothing was done. Not permitted") && told.contains(command), "{name}: {told}");
    }
}
