//! CloudWatch Embedded Metric Format: JSON lines that CloudWatch Logs makes metrics of
//! (docs.aws.amazon.com, "Specification: Embedded metric format").
//!
//! Names and definitions are those of the CloudWatch agent, whose numbers are gopsutil's: `mem_used` is MemTotal less
//! MemFree, Buffers, Cached and SReclaimable, so that shared memory counts as cache; `mem_used_percent` is its share of
//! MemTotal.
//! What is unknown is left out. Who leaks and who is large are properties, which cost no metric and can be searched for.

use serde_json::{Map, Value as Json, json};

use super::metrics::{Choice, Wish};
use crate::model::field::{ProcessField, Value, process_field};
use crate::model::group::{Group, GroupBy};
use crate::model::judgement::{Finding, Verdict, memory_full_in};
use crate::model::reading::Reading;
use crate::model::snapshot::Snapshot;

/// How lines are addressed.
#[derive(Clone, Debug)]
pub struct Target {
    /// The namespace of the metrics.
    pub namespace: String,
    /// Dimensions beside `host`: `InstanceId`, say.
    pub dimensions: Vec<(String, String)>,
}

/// The machine's line, and one a group where groups are wished.
pub fn lines(snapshot: &Snapshot, choice: &Choice, wish: &Wish, target: &Target) -> Vec<Json> {
    let groups = wish.group.map(|by| choice.groups().iter().map(move |group| of_group(snapshot, group, by, target)));
    std::iter::once(of_machine(snapshot, choice, target)).chain(groups.into_iter().flatten()).collect()
}

/// A line in the making.
struct Line {
    metrics: Vec<Json>,
    properties: Map<String, Json>,
}

impl Line {
    fn new(dimensions: &[(&str, &str)]) -> Self {
        let property = |(name, value): &(&str, &str)| ((*name).to_owned(), Json::from(*value));
        Self { metrics: Vec::new(), properties: dimensions.iter().map(property).collect() }
    }

    fn metric(&mut self, name: &str, unit: &str, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into().filter(|value| value.is_finite()) {
            self.metrics.push(json!({"Name": name, "Unit": unit}));
            // A whole number of bytes stays one.
            let is_whole = value.fract() == 0.0 && (0.0..9e15).contains(&value);
            self.properties.insert(name.into(), if is_whole { (value as u64).into() } else { value.into() });
        }
    }

    fn end(self, snapshot: &Snapshot, namespace: &str, dimensions: &[&str]) -> Json {
        let directive = json!({"Namespace": namespace, "Dimensions": [dimensions], "Metrics": self.metrics});
        let mut line = self.properties;
        line.insert("_aws".into(), json!({"Timestamp": snapshot.sample.wall_ms, "CloudWatchMetrics": [directive]}));
        line.into()
    }
}

fn of_machine(snapshot: &Snapshot, choice: &Choice, target: &Target) -> Json {
    let mem = &snapshot.sample.system.meminfo;
    let bytes = |reading: Reading<u64>| reading.value().map(|bytes| bytes as f64);
    let percent = |part: Reading<u64>, whole: Reading<u64>| match (part.value(), whole.value()) {
        (Some(part), Some(whole)) if whole > 0 => Some(part as f64 / whole as f64 * 100.0),
        // gopsutil's share of no swap.
        (Some(_), Some(_)) => Some(0.0),
        _ => None,
    };
    let host = snapshot.sample.host.name.escaped();
    let dimensions = dimensions(&host, target, None);
    let mut line = Line::new(&dimensions);
    line.metric("mem_used_percent", "Percent", percent(mem.used_beside_cache(), mem.mem_total));
    line.metric("mem_available_percent", "Percent", percent(mem.mem_available, mem.mem_total));
    line.metric("mem_used", "Bytes", bytes(mem.used_beside_cache()));
    line.metric("mem_available", "Bytes", bytes(mem.mem_available));
    line.metric("mem_free", "Bytes", bytes(mem.mem_free));
    line.metric("mem_cached", "Bytes", bytes(mem.cache()));
    line.metric("mem_buffered", "Bytes", bytes(mem.buffers));
    line.metric("mem_total", "Bytes", bytes(mem.mem_total));
    line.metric("swap_used_percent", "Percent", percent(mem.swap_used(), mem.swap_total));
    line.metric("swap_used", "Bytes", bytes(mem.swap_used()));
    line.metric("swap_free", "Bytes", bytes(mem.swap_free));
    let findings = &snapshot.analysis.findings;
    let leaks = || findings.iter().filter(|finding| finding.judgement.verdict == Verdict::Leaking);
    line.metric("memtide_leaks", "Count", leaks().count() as f64);
    line.metric("memtide_memory_full", "Seconds", memory_full_in(findings).map(|ms| ms / 1000.0));
    line.properties.insert("leaks".into(), leaks().take(LEAKS).map(leak).collect());
    line.properties.insert("top".into(), top(snapshot, choice));
    line.end(snapshot, &target.namespace, &names(&dimensions))
}

/// Leaks that a line tells of: it may have a megabyte.
const LEAKS: usize = 20;

fn leak(finding: &Finding) -> Json {
    let meeting = finding.ahead().filter(|meeting| meeting.in_ms.is_finite());
    json!({
        "name": finding.name,
        "quantity": finding.quantity.key(),
        "per_minute": finding.judgement.rate,
        "confidence": finding.judgement.confidence,
        "limit": meeting.map(|meeting| meeting.limit.key()),
        "full_in_seconds": meeting.map(|meeting| meeting.in_ms / 1000.0),
    })
}

/// The largest processes, as properties.
fn top(snapshot: &Snapshot, choice: &Choice) -> Json {
    let process = |key: &crate::model::key::ProcessKey| {
        let row = snapshot.row_of(*key)?;
        let mut process = Map::new();
        for field in ["pid", "name", "user", "pss", "rss", "swap", "fds", "growth", "verdict"]
            .into_iter()
            .filter_map(process_field)
        {
            let value = match (field.get)(&row).value() {
                Some(Value::Text(text) | Value::Ranked(_, text)) => text.into_owned().into(),
                Some(value) => value.number().into(),
                None => Json::Null,
            };
            process.insert(field.key.into(), value);
        }
        Some(Json::Object(process))
    };
    choice.processes().iter().filter_map(process).collect()
}

fn of_group(snapshot: &Snapshot, group: &Group, by: GroupBy, target: &Target) -> Json {
    let host = snapshot.sample.host.name.escaped();
    let dimension = match by {
        // What the agent's procstat has.
        GroupBy::Command => "process_name",
        GroupBy::User | GroupBy::Unit | GroupBy::Container => by.word(),
    };
    let dimensions = dimensions(&host, target, Some((dimension, &group.name)));
    let mut line = Line::new(&dimensions);
    let total =
        |field: Option<&'static ProcessField>| group.total(snapshot, field?).0.value().and_then(|value| value.number());
    for (name, unit, key) in [
        ("procstat_memory_rss", "Bytes", "rss"),
        ("procstat_memory_swap", "Bytes", "swap"),
        ("procstat_num_fds", "Count", "fds"),
        ("procstat_num_threads", "Count", "threads"),
        ("memtide_memory_pss", "Bytes", "pss"),
    ] {
        line.metric(name, unit, total(process_field(key)));
    }
    line.metric("procstat_lookup_pid_count", "Count", group.members.len() as f64);
    line.end(snapshot, &target.namespace, &names(&dimensions))
}

fn dimensions<'a>(host: &'a str, target: &'a Target, of: Option<(&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    let others = target.dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    std::iter::once(("host", host)).chain(others).chain(of).collect()
}

fn names<'a>(dimensions: &[(&'a str, &str)]) -> Vec<&'a str> {
    dimensions.iter().map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::metrics::tests::leaking_machine;

    fn target() -> Target {
        Target { namespace: "CWAgent".into(), dimensions: vec![("InstanceId".into(), "i-1".into())] }
    }

    #[test]
    fn used_is_what_the_cloudwatch_agent_calls_so() {
        let snapshot = leaking_machine(0);
        let line = of_machine(&snapshot, &Choice::default(), &target());
        // MemTotal 1956, MemFree 90, Buffers 4, Cached 190 and SReclaimable 25 MiB.
        assert_eq!(line["mem_used"], (1956 - 90 - 4 - 190 - 25) << 20);
        assert!((line["mem_used_percent"].as_f64().unwrap() - 1647.0 / 1956.0 * 100.0).abs() < 1e-9);
        assert_eq!(line["mem_cached"], 215 << 20, "the agent's cache has the slab that can be given back in it");
    }

    #[test]
    fn a_line_is_what_the_format_asks_for() {
        let snapshot = leaking_machine(3);
        let wish = Wish { group: Some(GroupBy::Command), ..Wish::default() };
        let choice = Choice::default().renew(&snapshot, &wish);
        let lines = lines(&snapshot, &choice, &wish, &target());
        assert_eq!(lines.len(), 1 + 5, "the machine and five programs");
        for line in &lines {
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(line["_aws"]["Timestamp"], 1_785_000_000_000_i64);
            assert_eq!(directive["Namespace"], "CWAgent");
            let metrics = directive["Metrics"].as_array().unwrap();
            assert!((1..=100).contains(&metrics.len()));
            for metric in metrics {
                assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{metric}");
            }
            for dimension in directive["Dimensions"][0].as_array().unwrap() {
                assert!(!line[dimension.as_str().unwrap()].as_str().unwrap().is_empty(), "{dimension}");
            }
            assert!(!line.to_string().contains('\n') && !line.to_string().contains("hunter2"));
        }
        assert_eq!(lines[0]["leaks"][0]["name"], "node[1234]");
        assert_eq!(lines[0]["memtide_memory_full"], 540);
        let node = lines.iter().find(|line| line["process_name"] == "node").unwrap();
        assert_eq!((&node["procstat_memory_rss"], &node["InstanceId"]), (&json!(840u64 << 20), &json!("i-1")));
    }
}
