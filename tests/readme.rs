//! Tables of the READMEs and of the pages under `assets/docs/` are the program's own; `BLESS=1 cargo test --test readme` rewrites them. What
//! pages link to is there.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use memtide::lang::{Lang, speak};
use memtide::model::field::PROCESS_FIELDS;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn check(page: &str, name: &str, table: &str) {
    let file = &format!("{ROOT}/{page}");
    let text = std::fs::read_to_string(file).expect("it can be read");
    let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
    let start = text.find(&begin).expect("it has the markers") + begin.len();
    let stop = text.find(&end).expect("it has the markers");
    if std::env::var_os("BLESS").is_some() {
        let new = format!("{}{table}{}", &text[..start], &text[stop..]);
        std::fs::write(file, new).expect("it can be written");
        return;
    }
    assert_eq!(&text[start..stop], table, "{page}: run `BLESS=1 cargo test --test readme -- --test-threads 1`");
}

#[test]
fn the_table_of_columns_is_the_table_of_fields() {
    let mut table = String::from("| key | column | what it is | from |\n| --- | --- | --- | --- |\n");
    for field in PROCESS_FIELDS {
        let since = match field.since {
            (0, 0) => String::new(),
            (major, minor) => format!(", Linux {major}.{minor}"),
        };
        writeln!(table, "| `{}` | {} | {} | {}{since} |", field.key, field.title, field.help, field.source.file())
            .unwrap();
    }
    check("assets/docs/columns.md", "fields", &table);
}

#[test]
fn the_table_of_changes_is_the_table_of_the_program() {
    check("assets/docs/act.md", "changes", &memtide::act::change::changes_markdown());
}

#[test]
fn the_table_of_keys_is_the_table_of_actions() {
    check("assets/docs/keys.md", "keys", &memtide::tui::action::keys_markdown());
}

#[test]
fn the_keys_of_the_bar_stand_in_both_readmes() {
    for (page, head, lang) in
        [("README.md", "| keys | |", Lang::English), ("README.zh-CN.md", "| 按键 | |", Lang::Chinese)]
    {
        let _speaking = speak(lang);
        check(page, "keys", &format!("{head}\n| --- | --- |\n{}", memtide::tui::action::bar_markdown()));
    }
}

#[test]
fn the_table_of_schemas_is_what_can_be_printed() {
    let mut table = String::from("| schema | what has it |\n| --- | --- |\n");
    for schema in memtide::export::schema::schemas() {
        writeln!(table, "| `{}` | {} |", schema.name, schema.about).unwrap();
    }
    check("assets/docs/json.md", "schemas", &table);
}

#[test]
fn the_table_of_metrics_is_what_can_be_exported() {
    check("assets/docs/metrics.md", "metrics", &memtide::export::metrics::names::markdown());
}

/// The pages of the project, with their text.
fn pages() -> Vec<(PathBuf, String)> {
    let listed = |folder: &str| {
        let entries = std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|name| name == "md"))
    };
    let paths: Vec<PathBuf> = listed("").chain(listed("assets/docs")).collect();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn what_a_page_links_to_is_there() {
    let mut seen = 0;
    for (page, text) in pages() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(link, _)| link)) {
            if link.starts_with("https://") {
                continue;
            }
            let file = page.parent().unwrap().join(link.split('#').next().unwrap());
            assert!(file.exists(), "{}: {link}", page.display());
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen} links");
}

#[test]
fn every_page_can_be_reached_from_the_readme() {
    let readme = std::fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    for (page, _) in pages().into_iter().filter(|(page, _)| page.parent().unwrap().ends_with("docs")) {
        let link = format!("](assets/docs/{})", page.file_name().unwrap().to_str().unwrap());
        assert!(readme.contains(&link), "{link}");
    }
}
