//! The schemas of everything that is printed or kept as JSON: JSON Schema, draft 2020-12, under `assets/schemas/`.
//!
//! A document says of which it is in its `schema`: a name and a version. A version only gains keys that may be missing; what
//! else changes makes the next one, and the schema of the one before stays.

use serde_json::Value;

/// Every schema.
const TEXTS: [&str; 16] = [
    include_str!("../../assets/schemas/memtide.act-1.json"),
    include_str!("../../assets/schemas/memtide.diagnose-1.json"),
    include_str!("../../assets/schemas/memtide.doctor-1.json"),
    include_str!("../../assets/schemas/memtide.free-1.json"),
    include_str!("../../assets/schemas/memtide.guard-1.json"),
    include_str!("../../assets/schemas/memtide.heap.diff-1.json"),
    include_str!("../../assets/schemas/memtide.heap.show-1.json"),
    include_str!("../../assets/schemas/memtide.heap_histogram-1.json"),
    include_str!("../../assets/schemas/memtide.heap_stats-1.json"),
    include_str!("../../assets/schemas/memtide.inspect-1.json"),
    include_str!("../../assets/schemas/memtide.inspection-1.json"),
    include_str!("../../assets/schemas/memtide.mark-1.json"),
    include_str!("../../assets/schemas/memtide.ps-1.json"),
    include_str!("../../assets/schemas/memtide.repair-1.json"),
    include_str!("../../assets/schemas/memtide.report-1.json"),
    include_str!("../../assets/schemas/memtide.verify-1.json"),
];

/// A schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// Its name and version: `memtide.ps/1`.
    pub name: String,
    /// What has it.
    pub about: String,
    /// The schema itself.
    pub text: &'static str,
}

/// Every schema, by name.
pub fn schemas() -> Vec<Schema> {
    let read = |text: &'static str| {
        let schema: Value = serde_json::from_str(text).unwrap_or_default();
        let word = |key: &str| schema[key].as_str().unwrap_or_default().to_owned();
        Schema { name: word("title"), about: word("description"), text }
    };
    TEXTS.into_iter().map(read).collect()
}

/// The schema that a person means: `memtide.heap.diff/1`, `heap.diff/1`, `heap.diff`, or `heap diff` as the command is.
pub fn find(word: &str) -> Option<Schema> {
    let word = word.replace(' ', ".");
    let word = word.strip_prefix("memtide.").unwrap_or(&word);
    let is_meant = |schema: &Schema| {
        let name = schema.name.strip_prefix("memtide.").unwrap_or(&schema.name);
        name == word || name.split('/').next() == Some(word)
    };
    // The newest version is the last.
    schemas().into_iter().rfind(is_meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_json_with_a_name_and_says_what_has_it() {
        for schema in schemas() {
            assert!(schema.name.starts_with("memtide.") && schema.name.contains('/'), "{}", schema.text);
            assert!(schema.about.ends_with('.'), "{}", schema.name);
        }
    }

    #[test]
    fn a_schema_is_found_by_each_of_its_names() {
        for word in ["memtide.heap.diff/1", "heap.diff/1", "heap.diff", "heap diff"] {
            assert_eq!(find(word).unwrap().name, "memtide.heap.diff/1", "{word}");
        }
        assert_eq!(find("heap"), None);
        assert_eq!(find("ps/2"), None);
    }
}
