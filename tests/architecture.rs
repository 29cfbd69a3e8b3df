//! The layer table of `src/lib.rs` is kept: who imports whom, where there is a clock, a terminal, an executor, and how
//! large a file grows. In one crate the compiler does not do this.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The longest file, in lines.
const LONGEST: usize = 600;

/// Where time may be asked for: a layer that is not here gets it from its caller.
const CLOCKS: &[&str] = &[
    "collect/",
    "act/",
    "session/thread.rs",
    "session/inspect.rs",
    "session/survey.rs",
    "session/replay/mod.rs",
    "session/guard/carry.rs",
    "cmd/",
    "tui/event.rs",
    "tui/run.rs",
];
/// Crates that belong to some places alone.
const CONFINED: &[(&str, &[&str])] = &[
    ("ratatui", &["tui/"]),
    ("crossterm", &["tui/"]),
    ("tokio", &["tui/", "serve/", "cmd/", "act/webhook.rs"]),
    ("hyper", &["serve/", "act/webhook.rs"]),
    ("procfs", &["collect/"]),
];

/// Names of files that own nothing.
const NAMELESS: &[&str] = &["utils", "common", "constants", "strings", "types", "helpers"];

/// The modules of the crate with the number of their row in the table: the larger, the lower.
fn layers() -> BTreeMap<String, usize> {
    let table = fs::read_to_string(Path::new(ROOT).join("src/lib.rs")).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let names = rows.enumerate().flat_map(|(row, line)| {
        let (names, _) = line.split_once(" |").unwrap();
        names.split(',').map(move |name| (name.trim_matches([' ', '`']).to_owned(), row)).collect::<Vec<_>>()
    });
    names.collect()
}

/// The modules that a file's module path begins with: `tui/layer/menu.rs` is `tui`, `layer`, `menu`.
fn module_of(file: &str) -> Vec<&str> {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').collect()
}

/// The top-level modules that a file names by `crate::` or by enough `super::`, with the lines where it does.
fn imports(file: &str, text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let mut rest = code;
        while let Some(at) = rest.find("crate::").into_iter().chain(rest.find("super::")).min() {
            let is_word = rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let mut path = &rest[at..];
            let mut up = 0;
            while let Some(after) = path.strip_prefix("super::") {
                (path, up) = (after, up + 1);
            }
            let reaches_top = if let Some(after) = path.strip_prefix("crate::") {
                path = after;
                true
            } else {
                up >= module_of(file).len()
            };
            // `super::*` is how a file's own tests see it.
            if reaches_top && !is_word && !path.starts_with('*') {
                let name: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '{').collect();
                found.push((number + 1, name));
            }
            rest = path;
        }
    }
    found
}

/// What a file breaks.
fn violations(file: &str, text: &str, layers: &BTreeMap<String, usize>) -> Vec<String> {
    let mut broken = Vec::new();
    let own = module_of(file)[0];
    let row = layers.get(own).copied();
    if row.is_none() && own != "lib" {
        broken.push(format!("{file}: `{own}` is not in the table of src/lib.rs"));
    }
    for (line, name) in imports(file, text) {
        let is_allowed = match (row, layers.get(&name)) {
            // The top row is wiring: its parts know each other.
            (Some(row), Some(other)) => name == own || *other > row || (row == 0 && *other == 0),
            // What is no module of ours is an item of `lib.rs`, which has none, or a list that hides its parts.
            _ => false,
        };
        if !is_allowed {
            broken.push(format!("{file}:{line}: `{own}` may not import `{name}`"));
        }
    }
    let is_in = |places: &[&str]| places.iter().any(|place| file.starts_with(place));
    let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
    for (number, line) in shipped.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let clock = ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"];
        if clock.iter().any(|clock| code.contains(clock)) && !is_in(CLOCKS) {
            broken.push(format!("{file}:{}: a clock", number + 1));
        }
        for (name, places) in CONFINED {
            if names_crate(code, name) && !is_in(places) {
                broken.push(format!("{file}:{}: {name}", number + 1));
            }
        }
    }
    let stem = Path::new(file).file_stem().unwrap().to_str().unwrap();
    if NAMELESS.contains(&stem) {
        broken.push(format!("{file}: a name that owns nothing"));
    }
    broken
}

/// Whether a line of code names a crate: `tokio::sync`, `use tokio;`.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let before = code[..at].chars().next_back();
        let after = &code[at + name.len()..];
        let is_start = before.is_none_or(|c| !is_part(c) && c != ':' && c != '"');
        is_start && (after.starts_with("::") || (code.trim_start().starts_with("use ") && after.starts_with(';')))
    })
}

/// What any file of ours breaks, whatever it is for.
fn flaws(file: &str, text: &str) -> Vec<String> {
    let mut flaws = Vec::new();
    let lines = text.lines().count();
    if lines > LONGEST {
        flaws.push(format!("{file}: {lines} lines, at most {LONGEST}"));
    }
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat()];
    for (number, line) in text.lines().enumerate() {
        let is_word = |word: &String| line.split(|c: char| !c.is_alphanumeric()).any(|part| part == word);
        if marks.iter().any(is_word) {
            flaws.push(format!("{file}:{}: unfinished work", number + 1));
        }
    }
    flaws
}

/// Every Rust file below a folder, by its path from there, with its text.
fn files(folder: &str) -> Vec<(String, String)> {
    let base = Path::new(ROOT).join(folder);
    let mut pending: Vec<PathBuf> = vec![base.clone()];
    let mut files = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(&base).unwrap().to_str().unwrap().to_owned();
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(!files.is_empty(), "{folder} has no file");
    files
}

#[test]
fn every_file_imports_only_from_the_rows_below_its_own() {
    let layers = layers();
    let broken: Vec<String> = files("src").iter().flat_map(|(file, text)| violations(file, text, &layers)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_file_is_finished_and_of_a_size_to_be_read() {
    for folder in ["src", "tests", "benches"] {
        let flaws: Vec<String> = files(folder).iter().flat_map(|(file, text)| flaws(file, text)).collect();
        assert!(flaws.is_empty(), "{}", flaws.join("\n"));
    }
}

#[test]
fn every_module_of_the_crate_is_in_the_table() {
    let layers = layers();
    let lib = fs::read_to_string(Path::new(ROOT).join("src/lib.rs")).unwrap();
    let modules: Vec<&str> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(modules.len() > 8, "{modules:?}");
    for module in &modules {
        assert!(layers.contains_key(*module), "{module}");
    }
    // What the table names is there, `main` beside the library.
    assert_eq!(layers.len(), modules.len() + 1, "{layers:?}");
    assert_eq!((layers["main"], layers["cmd"], layers["tui"]), (0, 0, 1));
    assert!(layers["units"] > layers["model"] && layers["model"] > layers["act"]);
}

#[test]
fn the_checks_find_what_they_are_for() {
    let layers = layers();
    let broken = |file: &str, text: &str| violations(file, text, &layers).len();
    for (file, text) in [
        ("model/sample.rs", "use crate::collect::root::ProcRoot;"),
        ("model/field/mod.rs", "let x = super::super::session::Session;"),
        ("collect/root.rs", "use crate::analyze::history::History;"),
        ("session/state.rs", "fn f() { crate::tui::run::run() }"),
        ("export/json.rs", "use crate::{model, tui};"),
        ("units.rs", "use super::model::key::ProcessKey;"),
        ("analyze/trend.rs", "let now = std::time::Instant::now();"),
        ("tui/header.rs", "let now = Timestamp::now();"),
        ("session/state.rs", "use tokio::sync::watch;"),
        ("act/run.rs", "use crossterm::event::KeyEvent;"),
        ("model/text.rs", "fn f(area: ratatui::layout::Rect) {}"),
        ("stray.rs", ""),
        ("tui/utils.rs", ""),
    ] {
        assert_eq!(broken(file, text), 1, "{file}: {text}: {:?}", violations(file, text, &layers));
    }
    for (file, text) in [
        ("tui/layer/menu.rs", "use super::super::theme::Theme;\nuse crate::act::effect::Effect;"),
        ("cmd/live.rs", "use crate::cli::Common;\nuse tokio::sync::mpsc;"),
        ("model/key.rs", "// crate::tui is above this, and Instant::now() too\n//! by `tokio::sync`"),
        ("units.rs", "#[cfg(test)]\nmod tests {\n    use super::*;\n    let now = Instant::now();\n}"),
        ("cli.rs", "#[command(name = \"tokio::x\")]"),
    ] {
        assert_eq!(violations(file, text, &layers), Vec::<String>::new(), "{file}: {text}");
    }
    assert_eq!(flaws("x.rs", &"\n".repeat(LONGEST + 1)).len(), 1);
    assert_eq!(flaws("x.rs", &format!("// {}{}: later", "TO", "DO")).len(), 1);
    assert_eq!(flaws("x.rs", "// a mastodon").len(), 0);
}
