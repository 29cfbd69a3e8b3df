//! Samples as rows of typed columns: one row a process and sample, or one row of the machine a sample.
//!
//! Each row begins with when and where it was: `wall_ms` (milliseconds since the epoch) and `host`. Sizes are bytes, rates
//! per second or minute as the field's unit says; what is unknown is empty in CSV and null elsewhere: never a zero.

mod csv;
mod json_lines;
#[cfg(feature = "parquet")]
mod parquet;

use std::borrow::Cow;
use std::io;

pub use csv::Csv;
pub use json_lines::JsonLines;
#[cfg(feature = "parquet")]
pub use parquet::Parquet;

use crate::model::field::{ProcessField, SYSTEM_FIELDS, Unit, Value};
use crate::model::query::Query;
use crate::model::reading::Reading;
use crate::model::snapshot::Snapshot;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A moment, milliseconds since the epoch.
    Moment,
    /// A whole number: bytes, things, milliseconds.
    Whole,
    /// A number: rates, percent.
    Number,
    /// Words.
    Text,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub key: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Not known.
    Unknown,
    /// A whole number.
    Whole(i64),
    /// A number.
    Number(f64),
    /// Words.
    Text(Cow<'a, str>),
}

/// Writes rows.
pub trait Encoder {
    /// Writes a row: a cell a column.
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()>;

    /// Writes what is left, and what a file of this format ends with.
    fn end(self: Box<Self>) -> io::Result<()>;
}

/// What rows are made of.
#[derive(Debug)]
pub enum Of {
    /// Processes: their fields, and which of them.
    Processes(Vec<&'static ProcessField>, Option<Query>),
    /// The machine: all its fields.
    Machine,
    /// What was done to it.
    Deeds,
}

impl Of {
    /// The columns of its rows.
    pub fn columns(&self) -> Vec<Column> {
        let mut columns = vec![Column { key: "wall_ms", kind: Kind::Moment }, Column { key: "host", kind: Kind::Text }];
        match self {
            Self::Processes(fields, _) => {
                columns.extend(fields.iter().map(|field| Column { key: field.key, kind: kind(field.unit) }));
            }
            Self::Machine => {
                columns.extend(SYSTEM_FIELDS.iter().map(|field| Column { key: field.key, kind: kind(field.unit) }));
            }
            Self::Deeds => {
                columns.extend(["action", "title", "target", "result"].map(|key| Column { key, kind: Kind::Text }));
                columns.extend(["is_done", "is_settled"].map(|key| Column { key, kind: Kind::Whole }));
                columns.push(Column { key: "measured", kind: Kind::Text });
            }
        }
        columns
    }

    /// Writes the rows of a snapshot.
    pub fn write(&self, snapshot: &Snapshot, encoder: &mut dyn Encoder) -> io::Result<()> {
        let sample = &snapshot.sample;
        let host = sample.host.name.escaped();
        let place = || [Cell::Whole(sample.wall_ms), Cell::Text(Cow::Borrowed(&*host))];
        let mut cells = Vec::new();
        match self {
            Self::Processes(fields, filter) => {
                for row in snapshot.rows().filter(|row| filter.as_ref().is_none_or(|filter| filter.matches(row))) {
                    cells.clear();
                    cells.extend(place());
                    cells.extend(fields.iter().map(|field| cell(field.unit, (field.get)(&row))));
                    encoder.row(&cells)?;
                }
                Ok(())
            }
            Self::Machine => {
                cells.extend(place());
                cells.extend(SYSTEM_FIELDS.iter().map(|field| cell(field.unit, (field.get)(snapshot))));
                encoder.row(&cells)
            }
            Self::Deeds => {
                for deed in &sample.deeds {
                    // When it was done, and not when the sample was taken.
                    cells.clear();
                    cells.extend([Cell::Whole(deed.wall_ms), Cell::Text(Cow::Borrowed(&*host))]);
                    let words = [&deed.action, &deed.title, &deed.on, &deed.result];
                    cells.extend(words.map(|text| Cell::Text(text.escaped())));
                    cells.extend([deed.is_done, deed.is_settled].map(|is| Cell::Whole(i64::from(is))));
                    cells.push(Cell::Text(deed.measured.escaped()));
                    encoder.row(&cells)?;
                }
                Ok(())
            }
        }
    }
}

fn kind(unit: Unit) -> Kind {
    match unit {
        Unit::Bytes | Unit::Count | Unit::Milliseconds => Kind::Whole,
        Unit::BytesPerMinute
        | Unit::BytesPerSecond
        | Unit::BytesChange
        | Unit::CountChange
        | Unit::PerSecond
        | Unit::Percent
        | Unit::Series => Kind::Number,
        Unit::Text => Kind::Text,
    }
}

fn cell(unit: Unit, reading: Reading<Value<'_>>) -> Cell<'_> {
    match reading.value() {
        None => Cell::Unknown,
        Some(Value::Text(text) | Value::Ranked(_, text)) => Cell::Text(text),
        // The kernel's "no limit" is the largest number there is.
        Some(Value::Bytes(n) | Value::Count(n) | Value::Milliseconds(n)) if kind(unit) == Kind::Whole => {
            Cell::Whole(i64::try_from(n).unwrap_or(i64::MAX))
        }
        Some(value) => value.number().map_or(Cell::Unknown, Cell::Number),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::export::metrics::tests::leaking_machine;
    use crate::model::field::{PROCESS_FIELDS, process_field};

    /// Fields of every kind.
    pub(crate) fn fields() -> Vec<&'static ProcessField> {
        ["pid", "name", "pss", "fd_percent", "growth", "verdict"].into_iter().filter_map(process_field).collect()
    }

    #[derive(Default)]
    struct Kept(Vec<Vec<String>>);

    impl Encoder for Kept {
        fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
            self.0.push(cells.iter().map(|cell| format!("{cell:?}")).collect());
            Ok(())
        }

        fn end(self: Box<Self>) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_cell_is_of_its_columns_kind() {
        let snapshot = leaking_machine(2);
        for of in [Of::Processes(PROCESS_FIELDS.iter().collect(), None), Of::Machine] {
            let columns = of.columns();
            let mut kept = Kept::default();
            of.write(&snapshot, &mut kept).unwrap();
            assert!(!kept.0.is_empty());
            for row in kept.0 {
                assert_eq!(row.len(), columns.len());
                for (cell, column) in row.iter().zip(&columns) {
                    let wanted = match column.kind {
                        Kind::Moment | Kind::Whole => "Whole",
                        Kind::Number => "Number",
                        Kind::Text => "Text",
                    };
                    assert!(cell == "Unknown" || cell.starts_with(wanted), "{}: {cell}", column.key);
                }
            }
        }
    }

    #[test]
    fn a_filter_chooses_among_the_processes() {
        let snapshot = leaking_machine(5);
        let mut kept = Kept::default();
        let filter = Query::parse("pss>100M").unwrap();
        Of::Processes(fields(), Some(filter)).write(&snapshot, &mut kept).unwrap();
        assert_eq!(kept.0.len(), 1);
        assert_eq!(kept.0[0][2..5], ["Whole(1234)", "Text(\"node\")", &format!("Whole({})", 812 << 20)]);
    }
}
