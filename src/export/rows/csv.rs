//! Rows as CSV (RFC 4180), under a head of keys.

use std::io::{self, Write};

use super::{Cell, Column, Encoder};

/// Writes CSV.
pub struct Csv<W: Write>(csv::Writer<W>);

impl<W: Write> Csv<W> {
    /// Begins with the head.
    pub fn new(out: W, columns: &[Column]) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(columns.iter().map(|column| column.key))?;
        Ok(Self(writer))
    }
}

impl<W: Write> Encoder for Csv<W> {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        for cell in cells {
            match cell {
                Cell::Unknown => self.0.write_field("")?,
                Cell::Whole(number) => self.0.write_field(number.to_string())?,
                Cell::Number(number) => self.0.write_field(number.to_string())?,
                Cell::Text(text) => self.0.write_field(&**text)?,
            }
        }
        Ok(self.0.write_record(None::<&[u8]>)?)
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Of, tests::fields};
    use super::*;
    use crate::export::metrics::tests::leaking_machine;

    #[test]
    fn unknown_is_empty_and_hostile_names_stay_in_their_field() {
        let of = Of::Processes(fields(), None);
        let mut out = Vec::new();
        let mut csv = Box::new(Csv::new(&mut out, &of.columns()).unwrap());
        of.write(&leaking_machine(0), &mut *csv).unwrap();
        csv.end().unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "wall_ms,host,pid,name,pss,fd_percent,growth,verdict");
        assert_eq!(lines[1], "1785000000000,web-1,9,\"evil\"\"\\n\\\",,,0,steady");
        assert_eq!(lines[2], "1785000000000,web-1,1234,node,851443712,90.91796875,0,steady");
        assert_eq!(lines.len(), 3);
    }
}
