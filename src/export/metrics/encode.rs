//! Metrics as text: the Prometheus text format 0.0.4 and OpenMetrics 1.0.
//!
//! Hand-made, since the crates for it (prometheus-client, prometheus) keep a registry of live counters and have neither
//! timestamps nor the older format, which promtool and most agents read.

use std::fmt::Write as _;

use super::{Family, Kind, Point};

/// Which text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text format 0.0.4.
    #[default]
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that an `Accept` header prefers (RFC 9110, 12.5.1); without one, Prometheus's.
    pub fn of_accept(accept: &str) -> Self {
        let mut best = (Self::Prometheus, 0.0);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let format = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/openmetrics-text" => Self::OpenMetrics,
                "text/plain" | "text/*" | "*/*" => Self::Prometheus,
                _ => continue,
            };
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            if quality > best.1 {
                best = (format, quality);
            }
        }
        best.0
    }
}

/// The text of all families.
pub fn encode(families: &[Family], format: Format) -> String {
    let mut out = String::with_capacity(32 << 10);
    for family in families {
        head(&mut out, family, format);
        for point in &family.points {
            line(&mut out, family, format, point, None);
        }
    }
    if format == Format::OpenMetrics {
        out.push_str(END);
    }
    out
}

/// How OpenMetrics ends.
pub const END: &str = "# EOF\n";

/// What a point's line begins with: the family's name and what its kind adds.
pub fn sample_name(family: &Family) -> (&str, &'static str) {
    let suffix = match family.kind {
        Kind::Gauge => "",
        Kind::Counter => "_total",
        Kind::Info => "_info",
    };
    (&family.name, suffix)
}

/// The lines that say what a family is.
pub fn head(out: &mut String, family: &Family, format: Format) {
    let (name, suffix) = sample_name(family);
    let (kind, suffix) = match (family.kind, format) {
        (Kind::Gauge, _) => ("gauge", ""),
        (Kind::Counter, Format::OpenMetrics) => ("counter", ""),
        (Kind::Info, Format::OpenMetrics) => ("info", ""),
        // The older format knows samples alone: the whole name has a type.
        (Kind::Counter, Format::Prometheus) => ("counter", suffix),
        (Kind::Info, Format::Prometheus) => ("gauge", suffix),
    };
    out.push_str("# HELP ");
    out.push_str(name);
    out.push_str(suffix);
    out.push(' ');
    // Before OpenMetrics a quotation mark stands for itself in a help text.
    escape(out, &family.help, format == Format::OpenMetrics);
    // Writing to a String does not fail.
    let _ = write!(out, "\n# TYPE {name}{suffix} {kind}\n");
    if format == Format::OpenMetrics && !family.unit.is_empty() {
        let _ = writeln!(out, "# UNIT {name} {}", family.unit);
    }
}

/// One number; `wall_ms` is when it was so, milliseconds since the epoch.
pub fn line(out: &mut String, family: &Family, format: Format, point: &Point, wall_ms: Option<i64>) {
    let (name, suffix) = sample_name(family);
    out.push_str(name);
    out.push_str(suffix);
    for (nth, (label, value)) in point.labels.iter().enumerate() {
        out.push(if nth == 0 { '{' } else { ',' });
        out.push_str(label);
        out.push_str("=\"");
        escape(out, value, true);
        out.push('"');
    }
    if !point.labels.is_empty() {
        out.push('}');
    }
    out.push(' ');
    number(out, point.value);
    if let Some(wall_ms) = wall_ms {
        let _ = match format {
            Format::Prometheus => write!(out, " {wall_ms}"),
            Format::OpenMetrics => write!(out, " {}", wall_ms as f64 / 1000.0),
        };
    }
    out.push('\n');
}

fn number(out: &mut String, value: f64) {
    if value == f64::INFINITY {
        out.push_str("+Inf");
    } else if value == f64::NEG_INFINITY {
        out.push_str("-Inf");
    } else {
        // `NaN` is what both formats call it.
        let _ = write!(out, "{value}");
    }
}

/// Backslash, line feed and, in labels, the quotation mark are escaped; all else stands for itself.
fn escape(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{all_of, leaking_machine};
    use super::super::{Labels, Wish};
    use super::*;

    fn family(kind: Kind, points: Vec<(Vec<(&'static str, String)>, f64)>) -> Family {
        let points = points.into_iter().map(|(labels, value)| Point { labels: Labels::from(labels), value }).collect();
        Family { points, ..Family::new("a_seconds", kind, "seconds", "Says \"a\\b\".") }
    }

    #[test]
    fn both_formats_say_the_same_each_in_its_way() {
        let families = [family(Kind::Counter, vec![(vec![("name", "x".into()), ("by", "y".into())], 1.5)])];
        assert_eq!(
            encode(&families, Format::Prometheus),
            "# HELP a_seconds_total Says \"a\\\\b\".\n# TYPE a_seconds_total counter\n\
             a_seconds_total{name=\"x\",by=\"y\"} 1.5\n"
        );
        assert_eq!(
            encode(&families, Format::OpenMetrics),
            "# HELP a_seconds Says \\\"a\\\\b\\\".\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
             a_seconds_total{name=\"x\",by=\"y\"} 1.5\n# EOF\n"
        );
    }

    #[test]
    fn numbers_are_written_as_go_reads_them() {
        let family = family(Kind::Gauge, Vec::new());
        let written = |value, wall_ms, format| {
            let mut out = String::new();
            line(&mut out, &family, format, &Point { labels: Labels::from([]), value }, wall_ms);
            out
        };
        assert_eq!(written(f64::INFINITY, None, Format::OpenMetrics), "a_seconds +Inf\n");
        assert_eq!(written(f64::NAN, None, Format::Prometheus), "a_seconds NaN\n");
        assert_eq!(written(9_007_199_254_740_993.0, None, Format::Prometheus), "a_seconds 9007199254740992\n");
        assert_eq!(written(0.1, Some(1_785_000_000_123), Format::Prometheus), "a_seconds 0.1 1785000000123\n");
        assert_eq!(written(0.1, Some(1_785_000_000_123), Format::OpenMetrics), "a_seconds 0.1 1785000000.123\n");
    }

    #[test]
    fn the_format_is_what_the_scraper_prefers() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Format::of_accept(prometheus), Format::OpenMetrics);
        for plain in ["", "*/*", "text/html", "text/plain, application/openmetrics-text;q=0.3", "q=q;;,,="] {
            assert_eq!(Format::of_accept(plain), Format::Prometheus, "{plain}");
        }
    }

    #[test]
    fn a_hostile_name_stays_in_its_label() {
        let text = encode(&all_of(&leaking_machine(0), &Wish::default()), Format::Prometheus);
        // The kernel's bytes `evil"\n\` are made visible first, and then escaped.
        assert!(text.contains(r#"name="evil\"\\n\\""#), "{text}");
        assert!(text.lines().all(|line| line.starts_with("# ") || line.rsplit_once(' ').is_some()), "{text}");
    }

    /// What a parser reads of a label's value up to its end, and what is left.
    fn read_label(text: &str) -> (String, &str) {
        let mut value = String::new();
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => return (value, &text[at + 1..]),
                '\\' => value.push(match chars.next() {
                    Some((_, 'n')) => '\n',
                    Some((_, other)) => other,
                    None => panic!("it ends in an escape"),
                }),
                c => value.push(c),
            }
        }
        panic!("it does not end: {text}")
    }

    proptest! {
        #[test]
        fn any_text_comes_back_as_it_was(name in any::<String>()) {
            for format in [Format::Prometheus, Format::OpenMetrics] {
                let mut out = String::new();
                let labels = Labels::from(vec![("name", name.clone())]);
                line(&mut out, &family(Kind::Gauge, Vec::new()), format, &Point { labels, value: 1.0 }, None);
                let (value, rest) = read_label(out.strip_prefix("a_seconds{name=\"").unwrap());
                prop_assert_eq!(&value, &name);
                prop_assert_eq!(rest, "} 1\n");
            }
        }

        #[test]
        fn any_accept_header_is_answered(accept in ".{0,200}") {
            let _ = Format::of_accept(&accept);
        }
    }
}
