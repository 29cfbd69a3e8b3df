//! The same numbers under the names and units of OpenTelemetry's semantic conventions, where they have one
//! ([`names::elsewhere`]), else below `memtide.`: what `memtide serve --otlp` pushes.
//!
//! <https://opentelemetry.io/docs/specs/semconv/system/system-metrics/>,
//! <https://opentelemetry.io/docs/specs/semconv/system/process-metrics/>

use std::collections::BTreeMap;

use super::{Family, Kind, names};

/// A number with its attributes, by name.
pub type OtelPoint = (f64, Vec<(&'static str, String)>);

/// What a metric is, without its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtelKind {
    /// A sum that only rises.
    Counter,
    /// A part of a sum.
    UpDownCounter,
    /// No sum makes sense.
    Gauge,
}

/// A metric as OpenTelemetry has it.
#[derive(Clone, Debug, PartialEq)]
pub struct OtelMetric {
    /// What its numbers are.
    pub kind: OtelKind,
    /// By the Unified Code for Units of Measure; empty where it counts things.
    pub unit: &'static str,
    /// What it is, in one sentence.
    pub help: String,
    /// Its numbers.
    pub points: Vec<OtelPoint>,
}

/// Families by OpenTelemetry's name. What the Prometheus client libraries have every program say of itself is left out.
pub fn metrics(families: &[Family]) -> BTreeMap<String, OtelMetric> {
    let mut metrics = BTreeMap::<String, OtelMetric>::new();
    for family in families.iter().filter(|family| family.name.starts_with("memtide_")) {
        let (name, of_name, kind) = name(family);
        let metric = metrics.entry(name).or_insert_with(|| OtelMetric {
            kind,
            unit: unit(family.unit),
            help: family.help.to_string(),
            points: Vec::new(),
        });
        metric.points.extend(family.points.iter().map(|point| {
            let own = point.labels.iter().map(|(name, value)| (attribute(name), value.clone()));
            (point.value, own.chain(of_name.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect())
        }));
    }
    metrics
}

/// Attributes that stand in a name.
type Attributes = Vec<(&'static str, &'static str)>;

fn name(family: &Family) -> (String, Attributes, OtelKind) {
    let (stem, suffix) = super::encode::sample_name(family);
    let said = names::elsewhere(&format!("{stem}{suffix}")).opentelemetry;
    // An uptime is no start time, and a sum over states is what who asks can take himself.
    let is_other = said.is_empty() || said.contains(" (") || said == "process.uptime";
    match (is_other, family.kind) {
        (true, Kind::Counter) => (own_name(family), Vec::new(), OtelKind::Counter),
        (true, _) => (own_name(family), Vec::new(), OtelKind::Gauge),
        (false, kind) => {
            let (name, attributes) = said.split_once('{').unwrap_or((said, ""));
            let pairs = attributes.trim_end_matches('}').split(',').filter_map(|pair| pair.split_once('='));
            let kind = if kind == Kind::Counter {
                OtelKind::Counter
            } else if family.unit == "ratio" {
                OtelKind::Gauge
            } else {
                OtelKind::UpDownCounter
            };
            (name.to_owned(), pairs.collect(), kind)
        }
    }
}

/// The unit stands beside the name and not in it; a share is a utilization.
fn own_name(family: &Family) -> String {
    let stem = family.name.strip_suffix(family.unit).unwrap_or(&family.name).trim_end_matches('_');
    let stem = stem.trim_start_matches("memtide_");
    let stem = if family.unit == "ratio" { format!("{stem}_utilization") } else { stem.to_owned() };
    let of = ["process_", "group_", "finding_"].into_iter().find_map(|of| Some((of, stem.strip_prefix(of)?)));
    match of {
        Some((of, rest)) => format!("memtide.{}.{rest}", of.trim_end_matches('_')),
        None => format!("memtide.{stem}"),
    }
}

fn unit(unit: &'static str) -> &'static str {
    match unit {
        "bytes" => "By",
        "bytes_per_second" => "By/s",
        "seconds" => "s",
        "ratio" => "1",
        other => other,
    }
}

fn attribute(label: &'static str) -> &'static str {
    match label {
        "pid" => "process.pid",
        "name" => "process.executable.name",
        "user" => "process.owner",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_of, leaking_machine};
    use super::super::{Wish, catalogue};
    use super::*;

    #[test]
    fn what_the_conventions_name_has_their_name_and_the_rest_ours() {
        let metrics = metrics(&all_of(&leaking_machine(3), &Wish::default()));
        let usage = &metrics["system.memory.usage"];
        assert_eq!((usage.kind, usage.unit), (OtelKind::UpDownCounter, "By"));
        let states: Vec<_> = usage.points.iter().map(|(_, attributes)| attributes.clone()).collect();
        assert!(states.contains(&vec![("system.memory.state", "free".to_owned())]), "{states:?}");
        let pss = &metrics["memtide.process.pss"];
        assert_eq!((pss.kind, pss.unit), (OtelKind::Gauge, "By"));
        let (value, attributes) = pss.points.iter().find(|(_, of)| of[0].1 == "1234").unwrap();
        assert_eq!(value.to_bits(), f64::from(812 << 20).to_bits());
        assert_eq!(attributes[..2], [("process.pid", "1234".into()), ("process.executable.name", "node".into())]);
        assert!(
            metrics.contains_key("process.memory.usage") && metrics.contains_key("process.open_file_descriptor.count")
        );
        assert!(metrics.contains_key("memtide.finding.full") && !metrics.contains_key("process.uptime"));
    }

    #[test]
    fn no_point_is_there_twice() {
        for (name, metric) in metrics(&all_of(&leaking_machine(30), &Wish::default())) {
            let mut seen = std::collections::HashSet::new();
            assert!(metric.points.iter().all(|(_, attributes)| seen.insert(attributes.clone())), "{name}");
        }
    }

    #[test]
    fn every_name_is_legal() {
        for name in metrics(&catalogue()).into_keys() {
            let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.');
            assert!(name.chars().all(is_legal) && !name.ends_with(['_', '.']), "{name}");
        }
    }
}
