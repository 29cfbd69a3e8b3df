//! The heap: which class became more between two snapshots, by how many, and who holds it.

use serde_json::Value;

use crate::load::Load;
use crate::server::Server;
use crate::{RATE, truth::Truth};

/// Two snapshots, between which the load leaves a known number of objects behind.
pub fn two_snapshots_name_the_class_and_its_holder(server: &Server, load: &Load) {
    let first = snapshot(server, load, "before.heapsnapshot");
    load.set(RATE);
    crate::keys::wait_until("the pool has grown", || server.truth().pooled >= first.pooled + 100);
    let second = snapshot(server, load, "after.heapsnapshot");
    load.set(RATE);
    let grown = second.pooled - first.pooled;

    let files = ["before.heapsnapshot", "after.heapsnapshot"];
    let told = server.json(&[&["heap", "diff"][..], &files, &["--top", "100"]].concat());
    let class = |name: &str| {
        let found = told["classes"].as_array().unwrap().iter().find(|class| class["class"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {told:#}"))
    };
    let request = class("PooledRequest");
    assert_eq!(request["delta"].as_u64(), Some(grown), "{request:#}");
    assert_eq!(request["counts"], serde_json::json!([first.pooled, second.pooled]), "{request:#}");
    let holder = &request["held"][0];
    assert_eq!((holder["count"].as_u64(), &holder["by"]), (Some(second.pooled), &"pool.items[…]".into()), "{holder}");
    let retained = request["retained_delta"].as_f64().unwrap();
    assert!(crate::memory::is_within(0.02, retained, (grown * 48 * 1024) as f64), "{retained}");
    assert_eq!(class("WriteStream")["delta"].as_u64(), Some(second.streams - first.streams));
    let table = server.told(&[&["heap", "diff"][..], &files].concat());
    let grown = thousands(grown);
    let line = table.lines().find(|line| line.contains(" PooledRequest (")).unwrap_or_else(|| panic!("{table}"));
    assert!(line.contains(&format!("({grown} more) held by pool.items[…] of app.js")), "{line}");
}

/// A number as it is shown, in groups of three digits.
fn thousands(number: u64) -> String {
    if number < 1000 { number.to_string() } else { format!("{},{:03}", number / 1000, number % 1000) }
}

/// Takes a snapshot while nobody visits, and gives what the application has meanwhile.
fn snapshot(server: &Server, load: &Load, file: &str) -> Truth {
    load.set(0);
    let truth = server.truth();
    let pid = truth.pid.to_string();
    let capture = ["heap", "capture", &pid, "-o", file, "--yes"];
    // The heap is large by now: the copy of it might not fit below the limit of the server.
    let asked = server.memtide(&capture);
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    if server.group().is_some() {
        assert_eq!(asked.status.code(), Some(1), "{said}");
        assert!(said.contains("--force takes it all the same"), "{said}");
        let told = server.json(&[&capture[..], &["--force"]].concat());
        let is_done = |result: &Value| result["ok"] == true;
        assert!(told["results"].as_array().unwrap().iter().all(is_done), "{told:#}");
    }
    assert_eq!(server.truth().pooled, truth.pooled, "nobody visits");
    truth
}
