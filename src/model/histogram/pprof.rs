//! A heap profile of Go: the profile.proto of pprof (github.com/google/pprof, proto/profile.proto), decompressed.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::protobuf::{Field, Fields, numbers};
use super::{Histogram, HistogramKind, HistogramRow};
use crate::model::text::escape;

/// Why there is no histogram.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PprofError {
    /// It is not one.
    #[error("it is no profile of pprof")]
    NotPprof,
    /// It is one of something else.
    #[error("it is no heap profile: it counts {0}, and not inuse_space")]
    NotHeap(String),
}

/// A place in the program.
#[derive(Clone, Copy, Default)]
struct Line {
    function: u64,
    line: u64,
}

/// A profile, by the numbers of its own.
#[derive(Default)]
struct Profile<'b> {
    types: Vec<u64>,
    samples: Vec<Sample>,
    /// The lines of a location, the innermost first: more than one where calls were inlined.
    locations: HashMap<u64, (u64, Vec<Line>)>,
    /// Name and file.
    functions: HashMap<u64, (u64, u64)>,
    strings: Vec<&'b [u8]>,
    time_ns: u64,
}

#[derive(Default)]
struct Sample {
    locations: Vec<u64>,
    values: Vec<u64>,
}

/// Decodes a profile, and adds up what is in use by the line that allocated it.
pub fn parse_pprof(bytes: &[u8], source: &str) -> Result<Histogram, PprofError> {
    let profile = parse(bytes).ok_or(PprofError::NotPprof)?;
    let text = |index: u64| {
        let bytes = usize::try_from(index).ok().and_then(|index| profile.strings.get(index)).copied();
        escape(bytes.unwrap_or_default())
    };
    let place_of = |name: &str| profile.types.iter().position(|index| text(*index) == name);
    let Some(space) = place_of("inuse_space") else {
        let types: Vec<_> = profile.types.iter().map(|index| text(*index)).collect();
        return Err(if types.is_empty() { PprofError::NotPprof } else { PprofError::NotHeap(types.join(", ")) });
    };
    let objects = place_of("inuse_objects");
    let mut rows: BTreeMap<(String, String), HistogramRow> = BTreeMap::new();
    let mut seen = HashSet::new();
    for sample in &profile.samples {
        let value = |place: Option<usize>| place.and_then(|place| sample.values.get(place)).copied().unwrap_or(0);
        let (bytes, count) = (value(Some(space)), value(objects));
        seen.clear();
        let mut is_innermost = true;
        for location in &sample.locations {
            let unknown = (0, Vec::new());
            let (address, lines) = profile.locations.get(location).unwrap_or(&unknown);
            let names: Vec<(String, String)> = if lines.is_empty() {
                vec![(format!("{address:#x}"), String::new())]
            } else {
                let one = |line: &Line| {
                    let (name, file) = profile.functions.get(&line.function).copied().unwrap_or_default();
                    (text(name).into_owned(), format!("{}:{}", text(file), line.line))
                };
                lines.iter().map(one).collect()
            };
            for key in names {
                let row = rows.entry(key.clone()).or_insert_with(|| HistogramRow {
                    name: key.0.clone(),
                    place: key.1.clone(),
                    ..HistogramRow::default()
                });
                if is_innermost {
                    row.bytes = row.bytes.saturating_add(bytes);
                    row.count = row.count.saturating_add(count);
                    is_innermost = false;
                }
                // A line that calls itself has the sample once.
                if seen.insert(key) {
                    row.cumulative = row.cumulative.saturating_add(bytes);
                }
            }
        }
    }
    let mut histogram = Histogram {
        kind: HistogramKind::GoFunctions,
        source: source.to_owned(),
        pid: None,
        time_ms: (profile.time_ns > 0).then_some((profile.time_ns / 1_000_000) as i64),
        rows: rows.into_values().filter(|row| row.cumulative > 0).collect(),
    };
    histogram.sort();
    Ok(histogram)
}

fn parse(bytes: &[u8]) -> Option<Profile<'_>> {
    let mut profile = Profile::default();
    let mut fields = Fields::new(bytes);
    for (number, field) in fields.by_ref() {
        match (number, field) {
            (1, Field::Bytes(bytes)) => profile.types.push(number_of(bytes, 1)?),
            (2, Field::Bytes(bytes)) => profile.samples.push(sample(bytes)?),
            (4, Field::Bytes(bytes)) => {
                let (id, location) = location(bytes)?;
                profile.locations.insert(id, location);
            }
            (5, Field::Bytes(bytes)) => {
                profile.functions.insert(number_of(bytes, 1)?, (number_of(bytes, 2)?, number_of(bytes, 4)?));
            }
            (6, Field::Bytes(bytes)) => profile.strings.push(bytes),
            (9, Field::Number(time)) => profile.time_ns = time,
            _ => {}
        }
    }
    (!fields.is_broken).then_some(profile)
}

/// A number of a message; 0 where it is left out.
fn number_of(bytes: &[u8], wanted: u64) -> Option<u64> {
    let mut fields = Fields::new(bytes);
    let mut found = 0;
    for (number, field) in fields.by_ref() {
        if let (true, Field::Number(value)) = (number == wanted, field) {
            found = value;
        }
    }
    (!fields.is_broken).then_some(found)
}

fn sample(bytes: &[u8]) -> Option<Sample> {
    let mut sample = Sample::default();
    let mut fields = Fields::new(bytes);
    for (number, field) in fields.by_ref() {
        match number {
            1 => numbers(field, &mut sample.locations)?,
            2 => numbers(field, &mut sample.values)?,
            _ => {}
        }
    }
    (!fields.is_broken).then_some(sample)
}

fn location(bytes: &[u8]) -> Option<(u64, (u64, Vec<Line>))> {
    let (mut id, mut address, mut lines) = (0, 0, Vec::new());
    let mut fields = Fields::new(bytes);
    for (number, field) in fields.by_ref() {
        match (number, field) {
            (1, Field::Number(value)) => id = value,
            (3, Field::Number(value)) => address = value,
            (4, Field::Bytes(bytes)) => {
                lines.push(Line { function: number_of(bytes, 1)?, line: number_of(bytes, 2)? });
            }
            _ => {}
        }
    }
    (!fields.is_broken).then_some((id, (address, lines)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn varint(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    fn number(field: u64, value: u64) -> Vec<u8> {
        [varint(field << 3), varint(value)].concat()
    }

    fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
        [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
    }

    /// A profile of two functions; `main.leak` is called by `main.main` and was inlined into itself.
    fn profile(kind: &str) -> Vec<u8> {
        let strings = ["", kind, "inuse_objects", "main.leak", "/src/app.go", "main.main"];
        let packed = |values: &[u64]| values.iter().flat_map(|value| varint(*value)).collect::<Vec<u8>>();
        let line = |function, line| bytes(4, &[number(1, function), number(2, line)].concat());
        let parts = [
            bytes(1, &number(1, 2)),
            bytes(1, &number(1, 1)),
            bytes(2, &[bytes(1, &packed(&[1, 2])), bytes(2, &packed(&[10, 4096]))].concat()),
            bytes(2, &[bytes(1, &packed(&[2])), number(2, 1), number(2, 100)].concat()),
            bytes(2, &[bytes(1, &packed(&[9])), bytes(2, &packed(&[1, 7]))].concat()),
            bytes(4, &[number(1, 1), line(1, 12), line(1, 12)].concat()),
            bytes(4, &[number(1, 2), line(2, 30)].concat()),
            bytes(4, &[number(1, 9), number(3, 0xabc)].concat()),
            bytes(5, &[number(1, 1), number(2, 3), number(4, 4)].concat()),
            bytes(5, &[number(1, 2), number(2, 5), number(4, 4)].concat()),
            strings.iter().flat_map(|text| bytes(6, text.as_bytes())).collect(),
            number(9, 5_000_000),
        ];
        parts.concat()
    }

    #[test]
    fn what_is_in_use_is_added_up_by_the_line_that_allocated_it() {
        let histogram = parse_pprof(&profile("inuse_space"), "heap.pb.gz").unwrap();
        let told: Vec<(&str, &str, u64, u64, u64)> = histogram
            .rows
            .iter()
            .map(|row| (row.name.as_str(), row.place.as_str(), row.count, row.bytes, row.cumulative))
            .collect();
        assert_eq!(
            told,
            [
                ("main.leak", "/src/app.go:12", 10, 4096, 4096),
                ("main.main", "/src/app.go:30", 1, 100, 4196),
                ("0xabc", "", 1, 7, 7),
            ]
        );
        assert_eq!((histogram.total(), histogram.time_ms), ((12, 4203), Some(5)));
    }

    #[test]
    fn a_profile_of_something_else_says_what_it_counts() {
        assert_eq!(
            parse_pprof(&profile("cpu"), "x").unwrap_err().to_string(),
            "it is no heap profile: it counts inuse_objects, cpu, and not inuse_space"
        );
        assert_eq!(parse_pprof(b"", "x"), Err(PprofError::NotPprof));
        assert_eq!(parse_pprof(b"<html>", "x"), Err(PprofError::NotPprof));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_profile_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_pprof(&bytes, "x");
        }

        #[test]
        fn a_profile_cut_or_changed_anywhere_is_read_or_refused(at in 0usize..200, byte in any::<u8>()) {
            let whole = profile("inuse_space");
            let at = at % whole.len();
            let _ = parse_pprof(&whole[..at], "x");
            let mut changed = whole;
            changed[at] = byte;
            let _ = parse_pprof(&changed, "x");
        }
    }
}
