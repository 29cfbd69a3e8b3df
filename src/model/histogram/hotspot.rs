//! The class histogram of HotSpot, as `jcmd PID GC.class_histogram` prints it.

use super::{Histogram, HistogramKind, HistogramRow};

/// Decodes the text: a line `   1:    15024    1053872  [B (java.base@17.0.15)` a class; releases before 9 tell no module.
/// What is no such line is left out; `None` where there is none at all.
pub fn parse_hotspot(text: &str, pid: u32, time_ms: i64) -> Option<Histogram> {
    let rows: Vec<HistogramRow> = text.lines().filter_map(parse_line).collect();
    let mut histogram = Histogram {
        kind: HistogramKind::JvmClasses,
        source: pid.to_string(),
        pid: Some(pid),
        time_ms: Some(time_ms),
        rows,
    };
    histogram.sort();
    (!histogram.rows.is_empty()).then_some(histogram)
}

fn parse_line(line: &str) -> Option<HistogramRow> {
    let (number, rest) = line.trim_start().split_once(':')?;
    number.parse::<u32>().ok()?;
    let (count, rest) = rest.trim_start().split_once(' ')?;
    let (bytes, rest) = rest.trim_start().split_once(' ')?;
    let rest = rest.trim();
    // The module stands in brackets behind the name.
    let (name, module) = match rest.rsplit_once(" (") {
        Some((name, module)) => (name, module.strip_suffix(')')?),
        None => (rest, ""),
    };
    let bytes = bytes.parse().ok()?;
    let row = HistogramRow {
        name: name.to_owned(),
        place: module.to_owned(),
        count: count.parse().ok()?,
        bytes,
        cumulative: bytes,
    };
    (!name.is_empty()).then_some(row)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn classes_are_read_with_their_modules_and_without() {
        let text = " num     #instances         #bytes  class name (module)\n\
            -------------------------------------------------------\n   \
            2:          2048         196608  Session\n   \
            1:         15024        1053872  [B (java.base@17.0.15)\n\
            Total         17072        1250480\n";
        let histogram = parse_hotspot(text, 7, 5).unwrap();
        let told: Vec<(&str, &str, u64, u64)> =
            histogram.rows.iter().map(|row| (row.name.as_str(), row.place.as_str(), row.count, row.bytes)).collect();
        assert_eq!(told, [("[B", "java.base@17.0.15", 15024, 1_053_872), ("Session", "", 2048, 196_608)]);
        assert_eq!(histogram.total(), (17072, 1_250_480));
        assert_eq!(parse_hotspot("java.lang.IllegalArgumentException: Unknown command\n", 7, 5), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[ 0-9:a-z()\\[\n]{0,200}") {
            let _ = parse_hotspot(&text, 1, 1);
        }
    }
}
