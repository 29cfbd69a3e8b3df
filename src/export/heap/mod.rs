//! What is inside a heap, as a table for people, JSON or CSV for programs: each list is made once as a sheet of typed
//! cells.
//!
//! `memtide.heap.show/1`: `{schema, file, nodes, edges, total, extra_native, <list>: [{<column>: value}], of}` with the
//! list that was asked for (`classes`, `strings`, `collections`, `closures`, `detached`, `biggest`, `dominators`,
//! `objects`) and `of` how many it has in all. Of one object: `object: {…}, way: [{node, id, edge}], fields: [{edge, kind,
//! value, id, shallow, retained}], retainers: [{…, cycle}]`. Sizes are bytes; a `distance` of an object that only V8's own
//! roots reach, or none, is `null`; lines are counted from 1.
//!
//! `memtide.heap.diff/1`: `{schema, numbered_anew, files: [{file, total}], classes: [{class, place, counts, shallow,
//! retained, steps: [STEP], new, deleted, delta, size_delta, retained_delta, grows_always, held: [{text, count, by, holders,
//! place, example}]}], of}`, where a STEP has the same five deltas from one file to the next; `numbered_anew` where objects
//! can't be told apart, and `new` is only how many more there are.

mod diff;
mod lists;
mod object;

pub use diff::{DiffReport, diff_json, write_diff};
pub use lists::{ClassOrder, biggest, classes, closures, collections, detached, dominated, found, objects, strings};
pub use object::{object_json, write_object};

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::table::{Column as TableColumn, Table};
use crate::heap::distances::SYSTEM;
use crate::heap::explorer::Explorer;
use crate::heap::holders::grouped;
use crate::units::{Bytes, BytesChange};

/// What a cell holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A number of things.
    Count(u64),
    /// Bytes.
    Bytes(u64),
    /// Things more, or less.
    CountChange(i64),
    /// Bytes more, or less.
    BytesChange(i64),
    /// The number of an object.
    Id(u32),
    /// Steps from a root.
    Distance(u32),
    /// Words.
    Text(String),
    /// Whether it is so.
    Flag(bool),
}

impl Cell {
    fn text(&self, is_bytes: bool) -> String {
        match self {
            Self::Count(count) => grouped(*count),
            Self::Bytes(bytes) if is_bytes => bytes.to_string(),
            Self::Bytes(bytes) => Bytes(*bytes).to_string(),
            Self::CountChange(change) => match change {
                0 => "0".into(),
                more @ 1.. => format!("+{}", grouped(more.unsigned_abs())),
                less => format!("-{}", grouped(less.unsigned_abs())),
            },
            Self::BytesChange(change) if is_bytes => format!("{change:+}"),
            Self::BytesChange(change) => BytesChange(*change).to_string(),
            Self::Id(id) => format!("@{id}"),
            Self::Distance(distance) if *distance < SYSTEM => distance.to_string(),
            Self::Distance(_) => "-".into(),
            Self::Text(text) => text.clone(),
            Self::Flag(is_so) => if *is_so { "yes" } else { "" }.into(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Count(number) | Self::Bytes(number) => json!(number),
            Self::CountChange(number) | Self::BytesChange(number) => json!(number),
            Self::Id(id) => json!(id),
            Self::Distance(distance) => json!(Some(*distance).filter(|distance| *distance < SYSTEM)),
            Self::Text(text) if text.is_empty() => Value::Null,
            Self::Text(text) => json!(text),
            Self::Flag(is_so) => json!(is_so),
        }
    }

    fn csv(&self) -> String {
        match self.json() {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    fn is_number(&self) -> bool {
        !matches!(self, Self::Text(_) | Self::Flag(_))
    }
}

/// A list.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// What is listed, as JSON names it.
    pub name: &'static str,
    /// Keys and titles of its columns.
    pub columns: &'static [(&'static str, &'static str)],
    /// Its lines.
    pub rows: Vec<Vec<Cell>>,
    /// How many there are in all.
    pub of: usize,
}

impl Sheet {
    /// Writes it as a table.
    pub fn write(&self, out: &mut dyn Write, is_bytes: bool, width: Option<usize>) -> io::Result<()> {
        let is_right = |place: usize| self.rows.first().is_some_and(|row| row[place].is_number());
        let columns = self.columns.iter().enumerate();
        let columns =
            columns.map(|(place, (_, title))| TableColumn { title: (*title).to_owned(), is_right: is_right(place) });
        let rows = self.rows.iter().map(|row| row.iter().map(|cell| cell.text(is_bytes)).collect());
        Table { columns: columns.collect(), rows: rows.collect(), total: None }
            .fit_last(width)
            .write(out, true, width)?;
        if self.of > self.rows.len() {
            writeln!(out, "{} of {}", grouped(self.rows.len() as u64), grouped(self.of as u64))?;
        }
        Ok(())
    }

    /// Its lines as JSON.
    pub fn json(&self) -> Value {
        let row = |row: &Vec<Cell>| {
            let pairs = self.columns.iter().zip(row).map(|((key, _), cell)| ((*key).to_owned(), cell.json()));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        Value::Array(self.rows.iter().map(row).collect())
    }

    /// Writes it as CSV.
    pub fn write_csv(&self, out: &mut dyn Write) -> Result<(), csv::Error> {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record(self.columns.iter().map(|(key, _)| key))?;
        for row in &self.rows {
            csv.write_record(row.iter().map(Cell::csv))?;
        }
        csv.flush()?;
        Ok(())
    }
}

/// What every document of a snapshot begins with.
pub fn head(explorer: &Explorer, file: &str) -> Map<String, Value> {
    let graph = explorer.graph();
    let pairs = [
        ("schema", json!("memtide.heap.show/1")),
        ("file", json!(file)),
        ("nodes", json!(graph.node_count())),
        ("edges", json!(graph.edge_count())),
        ("total", json!(explorer.total())),
        ("extra_native", json!(graph.extra_native())),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_one_thing_in_three_forms() {
        let sheet = Sheet {
            name: "classes",
            columns: &[("count", "COUNT"), ("delta", "DELTA"), ("distance", "DISTANCE"), ("class", "CLASS")],
            rows: vec![vec![
                Cell::Count(41_200),
                Cell::BytesChange(-3072),
                Cell::Distance(SYSTEM + 7),
                Cell::Text("a,b".into()),
            ]],
            of: 9,
        };
        let mut out = Vec::new();
        sheet.write(&mut out, false, None).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), " COUNT DELTA DISTANCE CLASS\n41,200 -3.0K        - a,b\n1 of 9\n");
        assert_eq!(sheet.json(), json!([{"count": 41200, "delta": -3072, "distance": null, "class": "a,b"}]));
        let mut out = Vec::new();
        sheet.write_csv(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "count,delta,distance,class\n41200,-3072,,\"a,b\"\n");
    }
}
