//! What a heap holds, as counts and bytes by class or by function: the class histogram of a JVM, the profile of a Go
//! program. Two of them can be compared.

mod gzip;
mod hotspot;
mod pprof;
mod protobuf;

use std::collections::BTreeMap;

pub use gzip::{is_gzip, unpack};
pub use hotspot::parse_hotspot;
pub use pprof::{PprofError, parse_pprof};

/// What the lines of a histogram are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistogramKind {
    /// Classes of a JVM, by `GC.class_histogram`.
    JvmClasses,
    /// Functions of Go that allocated what is in use, by pprof.
    GoFunctions,
}

impl HistogramKind {
    /// Its name in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::JvmClasses => "jvm_classes",
            Self::GoFunctions => "go_functions",
        }
    }

    /// The kind of a name.
    pub fn of_key(key: &str) -> Option<Self> {
        [Self::JvmClasses, Self::GoFunctions].into_iter().find(|kind| kind.key() == key)
    }
}

/// What a heap holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// What the lines are.
    pub kind: HistogramKind,
    /// Whose heap it is: a pid, a file or an address, escaped.
    pub source: String,
    /// The process, where it is one.
    pub pid: Option<u32>,
    /// When it was taken, milliseconds since the epoch; `None` where that is not told.
    pub time_ms: Option<i64>,
    /// The lines, the largest first.
    pub rows: Vec<HistogramRow>,
}

/// A line of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistogramRow {
    /// The class, or the function; escaped.
    pub name: String,
    /// The module of the class, or the file and line in the function; escaped, empty where it is not told.
    pub place: String,
    /// Objects.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that were allocated in it or in what it called; the same as `bytes` for classes.
    pub cumulative: u64,
}

impl Histogram {
    /// Objects and bytes of all lines.
    pub fn total(&self) -> (u64, u64) {
        self.rows
            .iter()
            .fold((0u64, 0u64), |sum, row| (sum.0.saturating_add(row.count), sum.1.saturating_add(row.bytes)))
    }

    /// Puts the largest first.
    fn sort(&mut self) {
        let by = |row: &HistogramRow| std::cmp::Reverse((row.bytes, row.cumulative, row.count));
        self.rows.sort_by(|one, other| by(one).cmp(&by(other)).then_with(|| one.name.cmp(&other.name)));
    }
}

/// A line and its change since an older histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramChange {
    /// The line as it is now; without objects where it is gone.
    pub row: HistogramRow,
    /// Objects more, or fewer.
    pub count: i64,
    /// Bytes more, or fewer.
    pub bytes: i64,
}

/// What changed from one histogram to a later one, what grew most first. Lines that did not change are left out.
pub fn diff(before: &Histogram, after: &Histogram) -> Vec<HistogramChange> {
    let of = |histogram: &Histogram| -> BTreeMap<(String, String), HistogramRow> {
        histogram.rows.iter().map(|row| ((row.name.clone(), row.place.clone()), row.clone())).collect()
    };
    let (mut old, new) = (of(before), of(after));
    let mut changes = Vec::new();
    for (key, row) in new {
        let was = old.remove(&key).unwrap_or_default();
        changes.push(HistogramChange { count: change(was.count, row.count), bytes: change(was.bytes, row.bytes), row });
    }
    for was in old.into_values() {
        let row = HistogramRow { count: 0, bytes: 0, cumulative: 0, ..was.clone() };
        changes.push(HistogramChange { row, count: change(was.count, 0), bytes: change(was.bytes, 0) });
    }
    changes.retain(|change| (change.count, change.bytes) != (0, 0));
    changes.sort_by(|one, other| {
        (other.bytes, other.count).cmp(&(one.bytes, one.count)).then_with(|| one.row.name.cmp(&other.row.name))
    });
    changes
}

fn change(from: u64, to: u64) -> i64 {
    let by = i128::from(to) - i128::from(from);
    i64::try_from(by).unwrap_or(if by < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(rows: &[(&str, u64, u64)]) -> Histogram {
        let row = |(name, count, bytes): &(&str, u64, u64)| HistogramRow {
            name: (*name).into(),
            count: *count,
            bytes: *bytes,
            cumulative: *bytes,
            ..HistogramRow::default()
        };
        let rows = rows.iter().map(row).collect();
        Histogram { kind: HistogramKind::JvmClasses, source: "1".into(), pid: Some(1), time_ms: None, rows }
    }

    #[test]
    fn what_grew_most_is_first_and_what_is_gone_last() {
        let before = histogram(&[("a", 1, 10), ("b", 5, 50), ("same", 2, 20)]);
        let after = histogram(&[("a", 3, 30), ("new", 9, 90), ("same", 2, 20)]);
        let changes = diff(&before, &after);
        let told: Vec<(&str, i64, i64)> =
            changes.iter().map(|change| (change.row.name.as_str(), change.count, change.bytes)).collect();
        assert_eq!(told, [("new", 9, 90), ("a", 2, 20), ("b", -5, -50)]);
        assert_eq!((changes[2].row.count, after.total()), (0, (14, 140)));
    }

    #[test]
    fn the_largest_numbers_have_a_change_too() {
        let changes = diff(&histogram(&[("a", 0, u64::MAX)]), &histogram(&[("a", u64::MAX, 0)]));
        assert_eq!((changes[0].count, changes[0].bytes), (i64::MAX, i64::MIN));
    }
}
