//! Rows as JSON Lines: an object a line, its keys those of the columns.

use std::io::{self, Write};

use serde_json::{Map, Value as Json};

use super::{Cell, Column, Encoder};

/// Writes JSON Lines.
pub struct JsonLines<W: Write> {
    out: W,
    columns: Vec<Column>,
}

impl<W: Write> JsonLines<W> {
    /// Rows of these columns.
    pub fn new(out: W, columns: &[Column]) -> Self {
        Self { out, columns: columns.to_vec() }
    }
}

impl<W: Write> Encoder for JsonLines<W> {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        let value = |cell: &Cell<'_>| match cell {
            Cell::Unknown => Json::Null,
            Cell::Whole(number) => (*number).into(),
            Cell::Number(number) => (*number).into(),
            Cell::Text(text) => (&**text).into(),
        };
        let object: Map<String, Json> =
            self.columns.iter().zip(cells).map(|(column, cell)| (column.key.to_owned(), value(cell))).collect();
        serde_json::to_writer(&mut self.out, &object)?;
        self.out.write_all(b"\n")
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Of, tests::fields};
    use super::*;
    use crate::export::metrics::tests::leaking_machine;

    #[test]
    fn unknown_is_null_and_every_line_is_an_object() {
        let of = Of::Processes(fields(), None);
        let mut out = Vec::new();
        let mut lines = Box::new(JsonLines::new(&mut out, &of.columns()));
        of.write(&leaking_machine(1), &mut *lines).unwrap();
        lines.end().unwrap();
        let rows: Vec<Json> =
            out.split_inclusive(|b| *b == b'\n').map(|line| serde_json::from_slice(line).unwrap()).collect();
        assert_eq!(rows.len(), 3);
        assert_eq!((&rows[0]["name"], &rows[0]["pss"]), (&Json::from("evil\"\\n\\"), &Json::Null));
        assert_eq!((&rows[1]["pss"], &rows[1]["wall_ms"]), (&(812u64 << 20).into(), &1_785_000_000_000_i64.into()));
    }
}
