//! What grew between snapshots: sentences first, then classes in a table.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::{Cell, Sheet};
use crate::heap::diff::{Change, Numbering, Step, told as told_of};
use crate::heap::explorer::Explorer;
use crate::heap::holders::Held;
use crate::heap::lists::contains;
use crate::model::text::escape;

/// Ways of holding that are told of a class.
const HELD: usize = 3;

/// Classes that are told of in a sentence.
const SENTENCES: usize = 5;

/// Snapshots compared.
pub struct DiffReport<'a> {
    /// The latest.
    pub latest: &'a Explorer,
    /// Names of the files, the number of their nodes where it is known, and bytes of all nodes.
    pub files: &'a [(String, u64)],
    /// What changed, in order, and who holds what is new of it.
    pub changes: &'a [(Change, Vec<Held>)],
    /// How their objects were told apart.
    pub numbering: Numbering,
    /// Only classes with this in their name.
    pub word: &'a str,
    /// Lines of the table.
    pub top: usize,
}

const PAIR: &[(&str, &str)] = &[
    ("new", "NEW"),
    ("deleted", "DELETED"),
    ("delta", "DELTA"),
    ("size_delta", "SIZE"),
    ("retained_delta", "RETAINED"),
    ("class", "CLASS"),
    ("place", "WRITTEN IN"),
];

const STEPS: &[(&str, &str)] = &[
    ("deltas", "IN EACH STEP"),
    ("delta", "DELTA"),
    ("size_delta", "SIZE"),
    ("retained_delta", "RETAINED"),
    ("grows_always", "ALWAYS"),
    ("class", "CLASS"),
    ("place", "WRITTEN IN"),
];

impl DiffReport<'_> {
    fn shown(&self) -> impl Iterator<Item = &(Change, Vec<Held>)> {
        self.changes.iter().filter(|(change, _)| contains(&change.name, self.word))
    }

    fn sheet(&self) -> Sheet {
        let is_pair = self.files.len() == 2;
        let row = |(change, _): &(Change, Vec<Held>)| {
            let whole = &change.whole;
            let graph = self.latest.graph();
            let mut row = if is_pair {
                vec![Cell::Count(whole.new), Cell::Count(whole.deleted)]
            } else {
                let steps: Vec<String> =
                    change.steps.iter().map(|step| Cell::CountChange(step.count()).text(false)).collect();
                vec![Cell::Text(steps.join(" "))]
            };
            row.extend([
                Cell::CountChange(whole.count()),
                Cell::BytesChange(whole.size()),
                Cell::BytesChange(whole.retained),
            ]);
            if !is_pair {
                row.push(Cell::Flag(change.grows_always()));
            }
            row.push(Cell::Text(escape(&change.name).into_owned()));
            row.push(Cell::Text(change.place.map(|place| graph.place_text(place, true)).unwrap_or_default()));
            row
        };
        let rows = self.shown().take(self.top).map(row).collect();
        let columns = if is_pair { PAIR } else { STEPS };
        Sheet { name: "classes", columns, rows, of: self.shown().count() }
    }

    /// One sentence a class, and who holds what is new of it.
    fn sentences(&self, is_bytes: bool) -> Vec<String> {
        let grown = self.shown().filter(|(change, held)| change.whole.count() > 0 && !held.is_empty());
        let told = grown.filter(|(change, _)| change.kind.is_made_by_program()).take(SENTENCES);
        told.map(|(change, held)| {
            let text = told_of(self.latest, change, held, self.numbering).unwrap_or_default();
            let size = Cell::BytesChange(change.whole.retained).text(is_bytes);
            let steps = if self.files.len() > 2 && change.grows_always() { ", more in every step" } else { "" };
            format!("{text}: {size} retained{steps}.")
        })
        .collect()
    }
}

/// Writes it as text.
pub fn write_diff(
    report: &DiffReport<'_>,
    is_bytes: bool,
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let sizes: Vec<String> = report.files.iter().map(|(_, total)| Cell::Bytes(*total).text(is_bytes)).collect();
    let (first, last) = (report.files.first(), report.files.last());
    if let (Some((_, first)), Some((_, last))) = (first, last) {
        let change = Cell::BytesChange(*last as i64 - *first as i64).text(is_bytes);
        writeln!(out, "heap {} ({change})", sizes.join(" → "))?;
    }
    if report.numbering == Numbering::Anew {
        writeln!(
            out,
            "The objects are numbered anew in each: a session of the inspector ended between them, or they are of \
             different processes. So only how many there are is compared."
        )?;
    }
    let sentences = report.sentences(is_bytes);
    if sentences.is_empty() {
        writeln!(out, "Nothing that the program makes has become more.")?;
    }
    for sentence in sentences {
        writeln!(out, "- {sentence}")?;
    }
    writeln!(out)?;
    report.sheet().write(out, is_bytes, width)
}

/// The same as JSON.
pub fn diff_json(report: &DiffReport<'_>) -> Value {
    let step = |step: &Step| {
        json!({
            "new": step.new, "deleted": step.deleted, "delta": step.count(), "size_delta": step.size(),
            "retained_delta": step.retained,
        })
    };
    let graph = report.latest.graph();
    let class = |(change, held): &(Change, Vec<Held>)| {
        let name = escape(&change.name);
        let held = held.iter().take(HELD).map(|held| {
            json!({
                "text": report.latest.held_text(held, &name), "count": held.count, "by": held.by,
                "holders": held.holders, "place": held.place.map(|place| graph.place_text(place, true)),
                "example": graph.id(held.example),
            })
        });
        let mut object = Map::new();
        object.insert("class".into(), json!(name));
        object.insert("place".into(), json!(change.place.map(|place| graph.place_text(place, true))));
        object.insert("counts".into(), json!(change.counts));
        object.insert("shallow".into(), json!(change.shallow));
        object.insert("retained".into(), json!(change.retained));
        object.insert("steps".into(), change.steps.iter().map(step).collect());
        if let Value::Object(whole) = step(&change.whole) {
            object.extend(whole);
        }
        object.insert("grows_always".into(), json!(change.grows_always()));
        object.insert("held".into(), held.collect());
        Value::Object(object)
    };
    json!({
        "schema": "memtide.heap.diff/1",
        "numbered_anew": report.numbering == Numbering::Anew,
        "files": report.files.iter().map(|(file, total)| json!({"file": file, "total": total})).collect::<Vec<_>>(),
        "classes": report.shown().take(report.top).map(class).collect::<Vec<_>>(),
        "of": report.shown().count(),
    })
}
