//! Memory: whose it is, how fast it grows, what limit is met when, and what is only cache.

use std::io::Write as _;

use serde_json::Value;

use crate::recording::Recorder;
use crate::server::{FILES, MEMORY, Server};
use crate::truth::{Truth, get};

const MIB: u64 = 1 << 20;

/// Whether two numbers differ by no more than a part of the second one.
pub fn is_within(part: f64, told: f64, truth: f64) -> bool {
    (told - truth).abs() <= part * truth.abs()
}

/// The process with the largest share of memory is the application.
pub fn who(server: &Server) {
    let before = server.truth();
    let list = server.json(&["ps", "--sort", "pss", "--top", "10"]);
    let after = server.truth();
    let first = &list["processes"][0];
    assert_eq!(first["pid"].as_u64(), Some(before.pid), "{first}");
    let rss = first["rss"].as_u64().unwrap();
    // The kernel counts RSS late, by some pages for each thread and processor.
    assert!((before.rss - 4 * MIB..=after.rss + 4 * MIB).contains(&rss), "{before:?} {first} {after:?}");
    let table = server.told(&["ps", "--sort", "pss", "--top", "10"]);
    assert!(table.lines().nth(1).is_some_and(|line| line.ends_with(" node app.js")), "{table}");
}

/// A large file that is served makes the cache grow, and is called that, not use.
pub fn cache_is_told_from_use(server: &Server) {
    let Some(group) = server.group() else { return };
    let size = 100 * MIB;
    let before = (group.cache(), told_of_group(server));
    let mut file = std::fs::File::create(server.path("static/video")).unwrap();
    file.write_all(&vec![1; size as usize]).unwrap();
    // What was written here is charged here. Read through nginx it is charged to the server.
    file.sync_all().unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    assert_eq!(get(server.port, "/static/video").map(|body| body.len() as u64), Some(size));
    let (cache, told) = (group.cache(), told_of_group(server));
    assert!(cache >= before.0 + size * 9 / 10, "nginx read it: {cache}");
    assert!(is_within(0.1, told.cache, cache as f64), "{} and {cache}", told.cache);
    let use_gain = (told.usage - told.cache) - (before.1.usage - before.1.cache);
    assert!(use_gain < (size / 4) as f64, "{use_gain} more in use");
    let free = server.told(&["free"]);
    assert!(free.contains(&format!("cgroup /{} limits us to 2.00G", group.name())), "{free}");
}

struct GroupUse {
    usage: f64,
    cache: f64,
}

/// What `memtide diagnose` says of the control group.
fn told_of_group(server: &Server) -> GroupUse {
    let told = server.json(&["diagnose", "--for", "2s"]);
    let sentences = told["sentences"].as_array().unwrap();
    let usage = sentences.iter().find_map(|sentence| fact(sentence, "cgroup_usage"));
    let cache = sentences.iter().find_map(|sentence| fact(sentence, "cgroup_cache"));
    GroupUse { usage: usage.unwrap_or_else(|| panic!("{told:#}")), cache: cache.unwrap() }
}

/// A number in a sentence of a diagnosis.
fn fact(sentence: &Value, key: &str) -> Option<f64> {
    let facts = sentence["facts"].as_array()?;
    facts.iter().find(|fact| fact["key"] == key)?["value"].as_f64()
}

/// The rate of each leak and the time that is left are those of the application.
pub fn how_fast_and_until_when(server: &Server, early: &Truth, recorder: &Recorder) {
    let told = recorder.diagnosis(server);
    let now = server.truth();
    assert_eq!(told["outcome"], "leaking", "{told:#}");
    let finding = |quantity: &str| {
        let is_it = |finding: &&Value| finding["quantity"] == quantity && finding["pid"] == now.pid;
        let found = told["findings"].as_array().unwrap().iter().find(is_it);
        found.unwrap_or_else(|| panic!("no {quantity}: {told:#}"))
    };
    let number = |finding: &Value, key: &str| finding[key].as_f64().unwrap();
    let meeting = |finding: &Value, limit: &str| {
        let found = finding["meetings"].as_array().unwrap().iter().find(|meeting| meeting["limit"] == limit);
        found.unwrap_or_else(|| panic!("no {limit}: {finding:#}"))["in_ms"].as_f64().unwrap() / 60_000.0
    };

    let (memory, rate) = (finding("private"), now.rate(early, |truth| truth.rss));
    assert_eq!(memory["verdict"], "leaking", "{memory:#}");
    assert!(is_within(0.15, number(memory, "rate"), rate), "{rate} is the truth: {memory:#}");
    // The pool alone explains it.
    let pool = now.rate(early, |truth| truth.pooled * 48 * 1024);
    assert!(is_within(0.2, number(memory, "rate"), pool), "{pool} in the pool: {memory:#}");

    let (fds, rate) = (finding("fds"), now.rate(early, |truth| truth.streams));
    assert_eq!(fds["verdict"], "leaking", "{fds:#}");
    assert!(is_within(0.1, number(fds, "rate"), rate), "{rate} is the truth: {fds:#}");

    let left = (FILES - server.descriptors(now.pid)) as f64 / rate;
    assert!(is_within(0.15, meeting(fds, "nofile"), left), "{left} min are left: {fds:#}");
    if let Some(group) = server.group() {
        let left = (MEMORY - group.usage() + group.cache()) as f64 / now.rate(early, |truth| truth.rss);
        assert!(is_within(0.2, meeting(memory, "cgroup"), left), "{left} min are left: {memory:#}");
    }
    // V8 gives up before: that limit is the one of the application itself.
    let heap = told["sentences"]
        .as_array()
        .unwrap()
        .iter()
        .find(|sentence| sentence["topic"] == "limit" && fact(sentence, "size") == Some(now.heap_limit as f64));
    assert!(heap.is_some(), "no limit of {}: {told:#}", now.heap_limit);
}

/// Dropping caches gives the file's memory back, as it says, and nothing of what the application has.
pub fn dropping_caches_helps_against_cache_alone(server: &Server) {
    let Some(group) = server.group() else { return };
    let planned = server.json(&["act", "drop_caches", "1", "--dry-run"]);
    let effects: Vec<&str> = planned["effects"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(effects.iter().any(|effect| effect.starts_with("Frees nothing that a process allocated")), "{effects:?}");
    let (cache, before) = (group.cache(), server.truth());
    assert!(cache > 80 * MIB, "a dry run does nothing: {cache}");
    let acted = server.json(&["act", "drop_caches", "1", "--yes", "--after", "0s"]);
    let freed = cache.saturating_sub(group.cache());
    assert!(freed > 80 * MIB, "{freed} of {cache} freed");
    let told = acted["measured"].as_array().unwrap().iter().find(|measured| measured["name"] == "cache").unwrap();
    let told = told["before"].as_f64().unwrap() - told["after"].as_f64().unwrap();
    // It is the whole machine's cache.
    assert!(told > freed as f64 * 0.8, "{told} is told, {freed} was freed of the server");
    assert!(server.truth().rss + 16 * MIB > before.rss, "what it has is no cache");
}
