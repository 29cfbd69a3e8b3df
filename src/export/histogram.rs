//! Histograms of heaps, and the statistics of V8's, as text, JSON and CSV; and the JSON read back to compare with.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::table::{Column, Table};
use crate::model::histogram::{Histogram, HistogramChange, HistogramKind, HistogramRow};
use crate::model::text::escape;
use crate::units::{Bytes, BytesChange};

/// The name and version of the form.
pub const SCHEMA: &str = "memtide.heap_histogram/1";

/// The most lines that are read back.
const MOST_ROWS: usize = 1 << 20;

fn right(title: &str) -> Column {
    Column { title: title.into(), is_right: true }
}

fn left(title: &str) -> Column {
    Column { title: title.into(), is_right: false }
}

fn size(bytes: u64, is_bytes: bool) -> String {
    if is_bytes { bytes.to_string() } else { Bytes(bytes).to_string() }
}

fn change(bytes: i64, is_bytes: bool) -> String {
    if is_bytes { format!("{bytes:+}") } else { BytesChange(bytes).to_string() }
}

/// The names of the columns that a kind of lines has.
fn titles(kind: HistogramKind) -> (&'static str, &'static str) {
    match kind {
        HistogramKind::JvmClasses => ("CLASS", "MODULE"),
        HistogramKind::GoFunctions => ("FUNCTION", "LINE"),
    }
}

/// The table of the largest lines, with the sum of all of them.
pub fn table(histogram: &Histogram, top: usize, is_bytes: bool) -> Table {
    let (name, place) = titles(histogram.kind);
    let is_go = histogram.kind == HistogramKind::GoFunctions;
    let mut columns = vec![right("BYTES"), right("COUNT"), left(name), left(place)];
    if is_go {
        columns.insert(1, right("WITH CALLED"));
    }
    let line = |row: &HistogramRow| {
        let mut cells = vec![size(row.bytes, is_bytes), row.count.to_string(), row.name.clone(), row.place.clone()];
        if is_go {
            cells.insert(1, size(row.cumulative, is_bytes));
        }
        cells
    };
    let (count, bytes) = histogram.total();
    let mut total = vec![size(bytes, is_bytes), count.to_string(), String::new(), String::new()];
    if is_go {
        total.insert(1, String::new());
    }
    let left_out = histogram.rows.len().saturating_sub(top);
    let last = total.len() - 2;
    total[last] = if left_out > 0 { format!("all, {left_out} more lines") } else { "all".into() };
    Table { columns, rows: histogram.rows.iter().take(top).map(line).collect(), total: Some(total) }
}

/// The table of what changed.
pub fn changes_table(kind: HistogramKind, changes: &[HistogramChange], top: usize, is_bytes: bool) -> Table {
    let (name, place) = titles(kind);
    let columns = vec![right("CHANGE"), right("BYTES"), right("COUNT CHANGE"), right("COUNT"), left(name), left(place)];
    let line = |one: &HistogramChange| {
        vec![
            change(one.bytes, is_bytes),
            size(one.row.bytes, is_bytes),
            format!("{:+}", one.count),
            one.row.count.to_string(),
            one.row.name.clone(),
            one.row.place.clone(),
        ]
    };
    Table { columns, rows: changes.iter().take(top).map(line).collect(), total: None }
}

/// The document of a histogram; with what changed since another, where that is given.
pub fn json(histogram: &Histogram, changes: Option<(&Histogram, &[HistogramChange])>) -> Value {
    let (count, bytes) = histogram.total();
    let row = |row: &HistogramRow| {
        let mut line = json!({"name": row.name, "place": row.place, "count": row.count, "bytes": row.bytes});
        if histogram.kind == HistogramKind::GoFunctions {
            line["cumulative"] = row.cumulative.into();
        }
        line
    };
    let mut document = json!({
        "schema": SCHEMA,
        "kind": histogram.kind.key(),
        "source": histogram.source,
        "pid": histogram.pid,
        "time_ms": histogram.time_ms,
        "count": count,
        "bytes": bytes,
        "rows": histogram.rows.iter().map(row).collect::<Vec<_>>(),
    });
    if let Some((before, changes)) = changes {
        let with_change = |one: &HistogramChange| {
            let mut line = row(&one.row);
            line["count_change"] = one.count.into();
            line["bytes_change"] = one.bytes.into();
            line
        };
        document["since_ms"] = before.time_ms.into();
        document["changes"] = changes.iter().map(with_change).collect();
    }
    document
}

/// Lines as CSV: sizes in bytes.
pub fn csv(histogram: &Histogram, changes: Option<&[HistogramChange]>, out: impl Write) -> Result<(), csv::Error> {
    let mut out = csv::Writer::from_writer(out);
    let number = |number: u64| number.to_string();
    match changes {
        None => {
            out.write_record(["name", "place", "count", "bytes", "cumulative"])?;
            for row in &histogram.rows {
                let numbers = [number(row.count), number(row.bytes), number(row.cumulative)];
                out.write_record([&row.name, &row.place].into_iter().chain(&numbers))?;
            }
        }
        Some(changes) => {
            out.write_record(["name", "place", "count", "bytes", "count_change", "bytes_change"])?;
            for one in changes {
                let row = &one.row;
                let numbers = [number(row.count), number(row.bytes), one.count.to_string(), one.bytes.to_string()];
                out.write_record([&row.name, &row.place].into_iter().chain(&numbers))?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

/// Reads what [`json()`] wrote.
pub fn read(bytes: &[u8]) -> Result<Histogram, String> {
    let document: Value = serde_json::from_slice(bytes).map_err(|error| format!("it is no JSON: {error}"))?;
    if document["schema"] != SCHEMA {
        return Err(format!("it is no histogram that --format json wrote ({SCHEMA})"));
    }
    let kind = document["kind"].as_str().and_then(HistogramKind::of_key).ok_or("its kind is not known")?;
    let rows = document["rows"].as_array().ok_or("it has no rows")?;
    if rows.len() > MOST_ROWS {
        return Err(format!("it has more than {MOST_ROWS} rows"));
    }
    let plain = |value: &Value| value.as_str().map(|text| escape(text.as_bytes()).into_owned());
    let row = |row: &Value| {
        let bytes = row["bytes"].as_u64()?;
        Some(HistogramRow {
            name: plain(&row["name"])?,
            place: plain(&row["place"]).unwrap_or_default(),
            count: row["count"].as_u64()?,
            bytes,
            cumulative: row["cumulative"].as_u64().unwrap_or(bytes),
        })
    };
    let rows = rows.iter().map(row).collect::<Option<Vec<_>>>().ok_or("a row of it lacks its name or a number")?;
    Ok(Histogram {
        kind,
        source: plain(&document["source"]).unwrap_or_default(),
        pid: document["pid"].as_u64().and_then(|pid| pid.try_into().ok()),
        time_ms: document["time_ms"].as_i64(),
        rows,
    })
}

/// Writes a line above a table: whose it is.
pub fn head(histogram: &Histogram, out: &mut dyn Write) -> io::Result<()> {
    let what = match histogram.kind {
        HistogramKind::JvmClasses => "classes of JVM",
        HistogramKind::GoFunctions => "what Go has in use, by the line that allocated it:",
    };
    writeln!(out, "{what} {}", histogram.source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::histogram::diff;

    fn histogram(count: u64) -> Histogram {
        let row = |name: &str, count: u64| HistogramRow {
            name: name.into(),
            place: "m".into(),
            count,
            bytes: count * 24,
            cumulative: count * 24,
        };
        let rows = vec![row("Session", count), row("a,b", 1)];
        Histogram { kind: HistogramKind::JvmClasses, source: "7".into(), pid: Some(7), time_ms: Some(5), rows }
    }

    #[test]
    fn what_is_written_as_json_is_read_back() {
        let one = histogram(2048);
        assert_eq!(read(json(&one, None).to_string().as_bytes()), Ok(one));
        for bad in ["", "{}", r#"{"schema":"memtide.heap_histogram/1","kind":"x","rows":[]}"#] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
        let lacking = r#"{"schema":"memtide.heap_histogram/1","kind":"jvm_classes","rows":[{"name":"x"}]}"#;
        assert!(read(lacking.as_bytes()).unwrap_err().contains("lacks"));
    }

    #[test]
    fn tables_and_csv_show_lines_sums_and_changes() {
        let (before, after) = (histogram(48), histogram(2048));
        let mut text = Vec::new();
        table(&after, 1, false).write(&mut text, true, None).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("48K  2048 Session") && text.contains("2049 all, 1 more lines"), "{text}");
        let changes = diff(&before, &after);
        let mut text = Vec::new();
        changes_table(after.kind, &changes, 9, true).write(&mut text, true, None).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("+48000 49152") && text.contains("+2000"), "{text}");
        let mut text = Vec::new();
        csv(&after, None, &mut text).unwrap();
        csv(&after, Some(&changes), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("\"a,b\",m,1,24,24\n") && text.contains("Session,m,2048,49152,2000,48000\n"), "{text}");
    }
}
