//! The README's tables and that of the metrics are the program's own tables. `BLESS=1 cargo test --test readme` rewrites
//! them.

use std::fmt::Write as _;

use memtide::model::field::PROCESS_FIELDS;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

const METRICS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");

fn check(file: &str, name: &str, table: &str) {
    let text = std::fs::read_to_string(file).expect("it can be read");
    let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
    let start = text.find(&begin).expect("it has the markers") + begin.len();
    let stop = text.find(&end).expect("it has the markers");
    if std::env::var_os("BLESS").is_some() {
        let new = format!("{}{table}{}", &text[..start], &text[stop..]);
        std::fs::write(file, new).expect("it can be written");
        return;
    }
    assert_eq!(&text[start..stop], table, "{file}: run `BLESS=1 cargo test --test readme -- --test-threads 1`");
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
    check(README, "fields", &table);
}

#[test]
fn the_table_of_changes_is_the_table_of_the_program() {
    check(README, "changes", &memtide::act::change::changes_markdown());
}

#[test]
fn the_table_of_keys_is_the_table_of_actions() {
    check(README, "keys", &memtide::tui::action::keys_markdown());
}

#[test]
fn the_table_of_metrics_is_what_can_be_exported() {
    check(METRICS, "metrics", &memtide::export::metrics::names::markdown());
}
