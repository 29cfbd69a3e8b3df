//! The languages of the screen: every text of the source and of the tables has its Chinese, and nothing else has.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use memtide::act::change::CHANGES;
use memtide::lang::CHINESE;
use memtide::model::account::Layer;
use memtide::model::field::{CGROUP_FIELDS, PROCESS_FIELDS};
use memtide::model::group::GroupBy;
use memtide::tui::action::ACTIONS;

/// Heads of columns that are names of the kernel or of the field: they are the same in every language.
const HEADS: &[&str] = &[
    "PID", "PPID", "S", "PSS", "RSS", "USS", "SWPSS", "FOOT", "PRIV", "ANON", "FILE", "SHMEM", "FD", "FDMAX", "FD%",
    "+PSS", "+RSS", "+USS", "+SWAP", "+PRIV", "+FOOT", "+FD", "+THR", "MEM%", "MAJFLT", "OOM", "PTE", "LCK", "HUGE",
    "THP", "PANON", "PFILE", "PSHM", "VIRT", "CGROUP", "HIGH", "SWMAX", "SLAB", "SOCK", "PSI", "HIHITS",
];

/// Signs of full width.
const FULL: [char; 7] = ['（', '）', '，', '；', '：', '。', '“'];

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The text of a string literal that begins here, and what follows it.
fn literal(code: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut chars = code.strip_prefix('"')?.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((text, &code[at + 2..])),
            '\\' => match chars.next()?.1 {
                'n' => text.push('\n'),
                // A line that goes on in the next one, without the blanks before it.
                '\n' => {
                    let rest = chars.as_str();
                    let skipped = rest.len() - rest.trim_start().len();
                    if let Some(last) = skipped.checked_sub(1) {
                        chars.nth(last);
                    }
                }
                other => text.push(other),
            },
            c => text.push(c),
        }
    }
    None
}

/// The keys of `tr!("…")`, `tr!("…" => "use")` and `key!("…")` in a file.
fn keys_of(code: &str) -> Vec<String> {
    let mut keys = Vec::new();
    for begin in ["tr!(", "key!("] {
        for (at, _) in code.match_indices(begin) {
            let is_word = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let line = &code[code[..at].rfind('\n').map_or(0, |end| end + 1)..at];
            if is_word || line.contains("//") {
                continue;
            }
            let Some((key, rest)) = literal(code[at + begin.len()..].trim_start()) else { continue };
            match rest.trim_start().strip_prefix("=>").and_then(|rest| literal(rest.trim_start())) {
                Some((used, _)) => keys.push(format!("{key}|{used}")),
                None => keys.push(key),
            }
        }
    }
    keys
}

/// Every text that the screen says, with where it stands.
fn said() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    let mut said = BTreeMap::new();
    for file in files.iter().filter(|file| !file.ends_with("src/lang.rs")) {
        let code = std::fs::read_to_string(file).unwrap();
        let shipped = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
        said.extend(keys_of(shipped).into_iter().map(|key| (key, file.display().to_string())));
    }
    let mut add = |table: &str, text: &str| said.insert(text.to_owned(), table.to_owned());
    for spec in ACTIONS {
        [Some(spec.title), Some(spec.help), spec.bar].into_iter().flatten().for_each(|text| drop(add("ACTIONS", text)));
    }
    for spec in CHANGES {
        let texts = [Some(spec.title), Some(spec.help), spec.value];
        texts.into_iter().flatten().for_each(|text| drop(add("CHANGES", text)));
        add("CHANGES", &format!("{}|on", spec.on.word()));
    }
    for (title, help) in PROCESS_FIELDS.iter().map(|field| (field.title, field.help)) {
        add("PROCESS_FIELDS", help);
        add("PROCESS_FIELDS", title);
    }
    for (title, help) in CGROUP_FIELDS.iter().map(|field| (field.title, field.help)) {
        add("CGROUP_FIELDS", help);
        add("CGROUP_FIELDS", title);
    }
    for (_, word) in GroupBy::ALL {
        add("GroupBy", word);
    }
    for layer in Layer::ALL {
        add("Layer", layer.title());
    }
    said.retain(|text, _| !HEADS.contains(&text.as_str()));
    said
}

fn catalogue() -> BTreeMap<String, String> {
    toml::from_str(CHINESE).expect("the catalogue can be read, and says nothing twice")
}

/// The placeholders of a text.
fn names(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

#[test]
fn every_text_of_the_screen_has_its_chinese() {
    let catalogue = catalogue();
    let missing: Vec<_> = said().into_iter().filter(|(text, _)| !catalogue.contains_key(text)).collect();
    assert!(missing.is_empty(), "assets/lang/zh-CN.toml lacks {missing:#?}");
}

#[test]
fn nothing_is_translated_that_nobody_says() {
    let said = said();
    let unused: Vec<String> = catalogue().into_keys().filter(|key| !said.contains_key(key)).collect();
    assert!(unused.is_empty(), "no source says {unused:#?}");
}

#[test]
fn a_translation_has_the_placeholders_and_the_blanks_of_its_text() {
    for (key, chinese) in catalogue() {
        let text = key.split('|').next().filter(|_| !key.contains(' ')).unwrap_or(&key);
        assert_eq!(names(text), names(&chinese), "{key}: {chinese}");
        let blanks = |text: &str| (text.len() - text.trim_start().len(), text.len() - text.trim_end().len());
        // These have a blank of their own.
        let (before, after) = blanks(text);
        let wanted =
            (if chinese.starts_with(FULL) { 0 } else { before }, if chinese.ends_with(FULL) { 0 } else { after });
        assert_eq!(wanted, blanks(&chinese), "{key}: {chinese}");
        assert!(!chinese.trim().is_empty() || key.trim().is_empty(), "{key}");
    }
}

#[test]
fn keys_are_found_wherever_they_stand() {
    let code = "a(tr!(\"one\"), tr!(\n    \"two \\\n     {x}\", x = tr!(\"thr\\\"ee\" => \"counted\")), key!(\"four\"))\n// tr!(\"five\")\nattr!(\"six\")";
    assert_eq!(keys_of(code), ["one", "two {x}", "thr\"ee|counted", "four"]);
}
