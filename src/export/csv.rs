//! CSV (RFC 4180): heads are field keys, sizes are bytes, unknown is an empty field.

use std::io::Write;

use crate::model::field::{ProcessField, Value};
use crate::model::reading::Reading;

/// Writes records.
pub struct Csv<W: Write>(csv::Writer<W>);

impl<W: Write> Csv<W> {
    /// A writer onto `out`.
    pub fn new(out: W) -> Self {
        Self(csv::Writer::from_writer(out))
    }

    /// Writes the head: `first`, then a column a field.
    pub fn head(&mut self, first: &[&str], fields: &[&'static ProcessField]) -> Result<(), csv::Error> {
        self.0.write_record(first.iter().copied().chain(fields.iter().map(|field| field.key)))
    }

    /// Writes a record of words and readings.
    pub fn record<'a>(
        &mut self,
        first: &[String],
        readings: impl Iterator<Item = Reading<Value<'a>>>,
    ) -> Result<(), csv::Error> {
        for word in first {
            self.0.write_field(word)?;
        }
        for reading in readings {
            self.0.write_field(field(&reading))?;
        }
        self.0.write_record(None::<&[u8]>)
    }

    /// Hands everything on.
    pub fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

fn field(reading: &Reading<Value<'_>>) -> String {
    match reading {
        Reading::Value(value) | Reading::Stale(value, _) => match value {
            Value::Text(text) | Value::Ranked(_, text) => text.to_string(),
            other => other.number().map(|number| number.to_string()).unwrap_or_default(),
        },
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::field::process_field;

    #[test]
    fn hostile_names_stay_in_their_field_and_unknown_is_empty() {
        let mut out = Vec::new();
        let mut csv = Csv::new(&mut out);
        csv.head(&["time"], &[process_field("pss").unwrap(), process_field("command").unwrap()]).unwrap();
        let readings = [Reading::Pending, Reading::Value(Value::Text("a,\"b\"".into()))];
        csv.record(&["1".into()], readings.into_iter()).unwrap();
        csv.record(&["2".into()], [Reading::Value(Value::Bytes(1 << 40))].into_iter()).unwrap_err();
        csv.flush().unwrap();
        drop(csv);
        assert!(String::from_utf8(out).unwrap().starts_with("time,pss,command\n1,,\"a,\"\"b\"\"\"\n"));
    }
}
