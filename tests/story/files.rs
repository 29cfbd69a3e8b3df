//! Descriptors: what is open, by what it leads to.

use crate::server::Server;

/// The log of the application is open as often as it opened it.
pub fn are_counted(server: &Server) {
    let before = server.truth();
    let told = server.json(&["inspect", &before.pid.to_string(), "--part", "descriptors"]);
    let after = server.truth();
    let log = server.path("app.log");
    let log = log.to_str().unwrap();
    let targets = told["descriptors"]["targets"].as_array().unwrap_or_else(|| panic!("{told:#}"));
    let target = targets.iter().max_by_key(|target| target["count"].as_u64()).unwrap();
    assert_eq!(target["name"], log, "{target}");
    let count = target["count"].as_u64().unwrap();
    assert!((before.streams..=after.streams).contains(&count), "{before:?} {count} {after:?}");
    let table = server.told(&["inspect", &before.pid.to_string(), "--part", "descriptors"]);
    assert!(table.contains(&format!("{log}, open ")), "{table}");
}
