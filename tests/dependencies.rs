//! What the crate is built from: licences that may be combined with ours, one registry, a bounded number of
//! crates, and no second major version of what is in there already unless it is named here.
//!
//! The offline checks of cargo-deny (`licenses`, `bans`, `sources`) over `cargo metadata`, without a build of
//! several hundred crates for them.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Licences that may be combined with `MIT OR Apache-2.0` and ask for no more than the notice.
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
    "Zlib",
    "Unlicense",
    "0BSD",
    "CC0-1.0",
];

/// The most crates that a build of the program on Linux may take.
const MOST_CRATES: usize = 150;

/// Crates that may be there in more than one version, and who asks for the older one.
const DOUBLES: &[(&str, &str)] = &[
    ("syn", "derive_more of crossterm and strum of ratatui, while they are built"),
    ("thiserror", "filedescriptor, by whose poll(2) crossterm reads what is typed faster than it is read"),
    ("thiserror-impl", "the same"),
];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform"])
        .arg("x86_64-unknown-linux-gnu")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The packages that are built on Linux for a kind of use, without our own.
fn packages(metadata: &Value, wanted: Use) -> Vec<&Value> {
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).map(|node| (text(&node["id"]), node)).collect();
    let mut reached = BTreeSet::from([text(&metadata["resolve"]["root"])]);
    let mut pending: Vec<&str> = reached.iter().copied().collect();
    while let Some(id) = pending.pop() {
        for dependency in list(&nodes[id]["deps"]) {
            let is_shipped = list(&dependency["dep_kinds"]).any(|kind| kind["kind"] != "dev");
            if (is_shipped || wanted == Use::Tests) && reached.insert(text(&dependency["pkg"])) {
                pending.push(text(&dependency["pkg"]));
            }
        }
    }
    let is_foreign = |package: &&Value| !package["source"].is_null() && reached.contains(text(&package["id"]));
    list(&metadata["packages"]).filter(is_foreign).collect()
}

/// What a package is built for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// The program.
    Program,
    /// The program and its tests.
    Tests,
}

/// The crates that cargo builds for the program, of the features that are on; the metadata lists what no feature asks
/// for, too.
fn built() -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal,build", "--target", "x86_64-unknown-linux-gnu"])
        .args(["--prefix", "none", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let crates = lines.lines().filter(|line| !line.is_empty() && !line.starts_with("memtide "));
    crates.map(|line| line.split(" (").next().unwrap().to_owned()).collect()
}

fn list(value: &Value) -> std::slice::Iter<'_, Value> {
    value.as_array().unwrap().iter()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Whether an SPDX expression can be satisfied by [`LICENCES`] alone.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace(['(', ')'], " ").replace('/', " OR ");
    // No crate here nests a choice inside a conjunction in a way that reading AND first would get wrong: what
    // is refused wrongly fails the test and is looked at.
    expression.split(" AND ").all(|choice| choice.split(" OR ").any(|licence| LICENCES.contains(&licence.trim())))
}

#[test]
fn every_licence_is_on_the_list() {
    let metadata = metadata();
    let refused: Vec<String> = packages(&metadata, Use::Tests)
        .into_iter()
        .filter(|package| !package["license"].as_str().is_some_and(is_allowed))
        .map(|package| format!("{}: {}", package["name"], package["license"]))
        .collect();
    assert_eq!(refused, Vec::<String>::new());
}

#[test]
fn every_crate_comes_from_the_registry() {
    let metadata = metadata();
    for package in packages(&metadata, Use::Tests) {
        let source = text(&package["source"]);
        assert_eq!(source, "registry+https://github.com/rust-lang/crates.io-index", "{}", package["name"]);
    }
}

#[test]
fn the_number_of_crates_stays_bounded_and_none_is_there_twice_without_a_reason() {
    let metadata = metadata();
    let packages = packages(&metadata, Use::Program);
    let built = built();
    assert!((50..=MOST_CRATES).contains(&built.len()), "{} crates: {built:?}", built.len());
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(text(&package["name"])).or_default().push(text(&package["version"]));
    }
    let doubles: Vec<_> = versions.iter().filter(|(_, versions)| versions.len() > 1).collect();
    let unknown: Vec<_> = doubles.iter().filter(|(name, _)| !DOUBLES.iter().any(|(known, _)| known == *name)).collect();
    assert!(unknown.is_empty(), "twice: {unknown:?}");
    for (known, _) in DOUBLES {
        assert!(doubles.iter().any(|(name, _)| *name == known), "{known} is no longer there twice");
    }
}

#[test]
fn licence_expressions_are_read() {
    assert!(
        is_allowed("MIT OR Apache-2.0")
            && is_allowed("Unlicense/MIT")
            && is_allowed("(MIT OR GPL-2.0) AND Unicode-3.0")
    );
    assert!(!is_allowed("GPL-3.0") && !is_allowed("MIT AND GPL-3.0"));
}
