//! What is known as metrics: families of labelled points, made from FIELDS, and their text for Prometheus and
//! OpenMetrics.
//!
//! [`families`] is everything that `memtide serve` answers with. Names are `memtide_`, what it is of, the field's key and
//! the base unit; `assets/docs/metrics.md` says what node_exporter, process-exporter and OpenTelemetry call the same. What is
//! unknown has no point: never a zero. The number of points is bounded by [`Wish::top`], whatever runs on the machine.

pub mod choice;
pub mod encode;
mod findings;
mod machine;
pub mod names;
#[cfg(any(test, feature = "otlp"))]
pub mod otel;
mod own;
pub mod past;
mod subjects;

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

pub use choice::{Choice, Wish};

use crate::model::field::{PROCESS_FIELDS, ProcessField, Unit, Value};
use crate::model::group::GroupBy;
use crate::model::judgement::Analysis;
use crate::model::query::Query;
use crate::model::reading::{BootMs, Reading};
use crate::model::sample::{Sample, Scan};
use crate::model::snapshot::Snapshot;
use crate::model::system::SystemSample;

/// What a number does over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only rises, until what it counts starts anew. Its name has no `_total`: the encoders add it.
    Counter,
    /// Always 1; its labels are what it says. Its name has no `_info`: the encoders add it.
    Info,
}

/// The labels of a point, by name.
pub type Labels = Rc<[(&'static str, String)]>;

/// One number.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// What it is of.
    pub labels: Labels,
    /// In the family's unit.
    pub value: f64,
}

/// All numbers of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name, the unit included.
    pub name: Cow<'static, str>,
    /// What its numbers do over time.
    pub kind: Kind,
    /// The base unit, which the name ends with; empty where it counts things.
    pub unit: &'static str,
    /// What it is, in one sentence.
    pub help: Cow<'static, str>,
    /// Its numbers.
    pub points: Vec<Point>,
}

impl Family {
    fn new(name: impl Into<Cow<'static, str>>, kind: Kind, unit: &'static str, help: &'static str) -> Self {
        Self { name: name.into(), kind, unit, help: help.into(), points: Vec::new() }
    }

    /// Adds a number, if it is known.
    fn add(&mut self, labels: &Labels, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into() {
            self.points.push(Point { labels: Rc::clone(labels), value });
        }
    }

    /// A family of one number without labels; none where it is unknown.
    fn single(mut self, value: impl Into<Option<f64>>) -> Self {
        self.add(&no_labels(), value);
        self
    }
}

/// The labels of what there is one of.
fn no_labels() -> Labels {
    Rc::new([])
}

/// Everything there is to say of a snapshot, families without a point left out. `pid` is our own, where it is known in
/// this snapshot.
pub fn families(snapshot: &Snapshot, choice: &Choice, wish: &Wish, pid: Option<u32>) -> Vec<Family> {
    let mut families = every(snapshot, choice, wish, pid);
    families.retain(|family| !family.points.is_empty());
    families
}

fn every(snapshot: &Snapshot, choice: &Choice, wish: &Wish, pid: Option<u32>) -> Vec<Family> {
    let mut families = machine::families(snapshot);
    families.extend(subjects::families(snapshot, choice, wish));
    families.extend(findings::families(snapshot, wish.top));
    families.extend(own::families(snapshot, pid));
    families
}

/// The fields of all processes that are meant.
pub fn of_all(snapshot: &Snapshot, fields: &[&'static ProcessField], filter: Option<&Query>) -> Vec<Family> {
    let mut families: Vec<Family> = fields.iter().filter_map(|field| subjects::empty(field, "process")).collect();
    let exported: Vec<_> = fields.iter().filter(|field| names::of_process(field).is_some()).collect();
    for row in snapshot.rows().filter(|row| filter.is_none_or(|filter| filter.matches(row))) {
        let labels = subjects::of_process(&row);
        for (family, field) in families.iter_mut().zip(&exported) {
            subjects::add(family, field, &labels, &(field.get)(&row), snapshot);
        }
    }
    families.retain(|family| !family.points.is_empty());
    families
}

/// The machine's alone.
pub fn of_machine(snapshot: &Snapshot) -> Vec<Family> {
    let mut families = machine::families(snapshot);
    families.retain(|family| !family.points.is_empty());
    families
}

/// Every family that there can be, of processes and of groups.
pub fn catalogue() -> Vec<Family> {
    let sample = Sample {
        wall_ms: 0,
        at: BootMs(0),
        closer: None,
        deeds: Vec::new(),
        interval_ms: 0,
        host: Arc::default(),
        system: SystemSample::default(),
        processes: Vec::new(),
        scan: Scan::default(),
    };
    let snapshot = Snapshot::derive(None, Arc::new(sample), Analysis::default());
    let of = |group| {
        let wish = Wish { group, fields: PROCESS_FIELDS.iter().collect(), ..Wish::default() };
        every(&snapshot, &Choice::default(), &wish, None)
    };
    let mut families = of(None);
    families.extend(of(Some(GroupBy::Unit)).into_iter().filter(|family| family.name.starts_with("memtide_group_")));
    for family in &mut families {
        family.points.clear();
    }
    families
}

/// A unit as the world of metrics has it: the end of the name, and by what a value is multiplied.
fn base_unit(unit: Unit) -> (&'static str, f64) {
    match unit {
        Unit::Bytes | Unit::BytesChange => ("bytes", 1.0),
        Unit::BytesPerMinute | Unit::Series => ("bytes_per_second", 1.0 / 60.0),
        Unit::BytesPerSecond => ("bytes_per_second", 1.0),
        Unit::Percent => ("ratio", 0.01),
        Unit::Milliseconds => ("seconds", 0.001),
        Unit::Count | Unit::CountChange | Unit::PerSecond | Unit::Text => ("", 1.0),
    }
}

/// A name with its unit at the end.
fn with_unit(stem: &str, unit: &str) -> String {
    if unit.is_empty() || stem.ends_with(unit) { stem.to_owned() } else { format!("{stem}_{unit}") }
}

/// A field's value in the base unit; `None` where it is unknown or text.
fn number(unit: Unit, reading: &Reading<Value<'_>>) -> Option<f64> {
    let value = reading.as_ref().value().and_then(Value::number)?;
    Some(match unit {
        // A quarter as 0.25 and not as 0.25000000000000006.
        Unit::Percent => value / 100.0,
        Unit::Milliseconds => value / 1000.0,
        _ => value * base_unit(unit).1,
    })
}

/// A label's value: escaped text, cut where it is longer than anybody reads.
fn label(text: &str) -> String {
    const LONGEST: usize = 120;
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::model::judgement::{Finding, Judgement, Limit, Meeting, Quantity, Subject, Verdict};
    use crate::model::key::ProcessKey;
    use crate::model::reading::Stamped;
    use crate::model::testing;

    /// A machine of several programs, one of which leaks; `extra` more processes sleep.
    pub(crate) fn leaking_machine(extra: u32) -> Snapshot {
        let mut node = testing::process(1234, "node", "node app.js --password=hunter2");
        testing::set_memory(&mut node, 840, Some((812, 800)));
        node.fds = Stamped::new(Reading::Value(931), testing::NOW);
        node.fd_limit = Stamped::new(Reading::Value(1024), testing::NOW);
        let mut denied = testing::process(9, "evil\"\n\\", "");
        testing::set_memory(&mut denied, 22, None);
        let mut all = vec![denied, node];
        all.extend((0..extra).map(|nth| {
            let mut process = testing::process(2000 + nth, &format!("sleep-{}", nth % 50), "sleep");
            testing::set_memory(&mut process, 1, Some((1, 1)));
            process
        }));
        let mut snapshot = testing::snapshot(all.into_iter().map(Arc::new).collect());
        let meeting = Meeting {
            limit: Limit::Memory,
            size: 2e9,
            left: 1.8e8,
            in_ms: 540_000.0,
            earliest_ms: 500_000.0,
            latest_ms: f64::INFINITY,
            is_end: false,
        };
        let finding = |name: &str, quantity, meetings| Finding {
            subject: Subject::Process(ProcessKey { pid: 1234, start_time: 1234 }),
            quantity,
            name: name.into(),
            judgement: Judgement {
                verdict: Verdict::Leaking,
                confidence: 0.99,
                rate: 18.0 * 1_048_576.0,
                ..Judgement::unknown(BootMs(9_000_000), 4e8, 0)
            },
            meetings,
        };
        snapshot.analysis.findings =
            [finding("node[1234]", Quantity::Private, vec![meeting]), finding("node[1234]", Quantity::Fds, Vec::new())]
                .into();
        snapshot
    }

    /// A family of one number.
    #[cfg(feature = "otlp")]
    pub(crate) fn gauge(name: &'static str, value: f64) -> Family {
        Family::new(name, Kind::Gauge, "bytes", "A number.").single(value)
    }

    pub(crate) fn all_of(snapshot: &Snapshot, wish: &Wish) -> Vec<Family> {
        families(snapshot, &Choice::default().renew(snapshot, wish), wish, Some(1234))
    }

    fn point<'a>(families: &'a [Family], name: &str, labels: &[(&str, &str)]) -> Option<&'a Point> {
        let family = families.iter().find(|family| family.name == name)?;
        let has = |point: &&Point| {
            labels.iter().all(|(name, value)| point.labels.iter().any(|(own, said)| own == name && said == value))
        };
        family.points.iter().find(has)
    }

    #[test]
    fn a_machine_that_leaks_says_who_how_fast_and_until_when() {
        let families = all_of(&leaking_machine(0), &Wish::default());
        let value = |name, labels: &[_]| point(&families, name, labels).map(|point| point.value);
        assert_eq!(value("memtide_mem_available_bytes", &[]), Some(f64::from(172 << 20)));
        assert_eq!(
            value("memtide_process_pss_bytes", &[("pid", "1234"), ("name", "node")]),
            Some(f64::from(812 << 20))
        );
        assert_eq!(value("memtide_process_fd_ratio", &[("pid", "1234")]), Some(931.0 / 1024.0));
        assert_eq!(value("memtide_leaks", &[]), Some(2.0));
        assert_eq!(value("memtide_memory_full_seconds", &[]), Some(540.0));
        let leak = [("name", "node[1234]"), ("quantity", "private"), ("verdict", "leaking")];
        let per_second = value("memtide_finding_growth_bytes_per_second", &leak).unwrap();
        assert!((per_second - 18.0 * 1_048_576.0 / 60.0).abs() < 1e-6, "{per_second}");
        assert_eq!(value("memtide_finding_full_seconds", &[("limit", "memory")]), Some(540.0));
        assert_eq!(value("memtide_process_pss_bytes", &[("pid", "9")]), None, "what is unknown is no zero");
        assert_eq!(value("process_resident_memory_bytes", &[]), Some(f64::from(840 << 20)), "our own");
    }

    #[test]
    fn where_nothing_leaks_memory_is_never_full() {
        let families = all_of(&testing::snapshot(Vec::new()), &Wish::default());
        let value = |name| point(&families, name, &[]).map(|point| point.value);
        assert_eq!((value("memtide_leaks"), value("memtide_memory_full_seconds")), (Some(0.0), Some(f64::INFINITY)));
    }

    #[test]
    fn the_number_of_points_is_bounded_whatever_runs() {
        let wish = Wish { top: 7, ..Wish::default() };
        let few: usize = all_of(&leaking_machine(10), &wish).iter().map(|family| family.points.len()).sum();
        let families = all_of(&leaking_machine(400), &wish);
        assert_eq!(families.iter().map(|family| family.points.len()).sum::<usize>(), few);
        let of_processes = families.iter().filter(|family| family.name.starts_with("memtide_process_"));
        assert!(of_processes.clone().count() > 5);
        assert!(of_processes.clone().all(|family| family.points.len() <= 7));
    }

    #[test]
    fn no_point_is_there_twice_and_no_command_line_leaves_the_machine() {
        for group in [None, Some(GroupBy::Command), Some(GroupBy::Unit)] {
            let families = all_of(&leaking_machine(60), &Wish { group, ..Wish::default() });
            let mut seen = HashSet::new();
            for family in &families {
                for point in &family.points {
                    assert!(seen.insert((family.name.clone(), point.labels.clone())), "{point:?}");
                    assert!(point.labels.iter().all(|(_, value)| !value.contains("hunter2")), "{point:?}");
                }
            }
        }
    }

    #[test]
    fn names_are_legal_unique_and_end_with_their_unit() {
        let mut seen = HashSet::new();
        for family in catalogue() {
            assert!(seen.insert(family.name.clone()), "{} twice", family.name);
            let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(family.name.chars().all(is_legal), "{}", family.name);
            assert!(family.name.ends_with(family.unit), "{}", family.name);
            assert!(!family.name.ends_with("_total") && !family.name.ends_with("_info"), "{}", family.name);
            assert!(family.help.ends_with('.'), "{}", family.help);
        }
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(label("数据库"), "数据库");
        assert_eq!(label(&"库".repeat(300)).chars().count(), 121);
    }
}
