//! What `assets/` ships: the dashboard, the alerts and the scrape configuration, the systemd units, rules of a guard.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::process::Command;

use support::require;

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");

/// Every word of a text that is the name of a metric of ours.
fn metrics_in(text: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_part(c)).filter(|word| word.starts_with("memtide_") || word.starts_with("process_")).collect()
}

fn known() -> Vec<String> {
    let families = memtide::export::metrics::catalogue();
    families
        .iter()
        .map(|family| {
            let (name, suffix) = memtide::export::metrics::encode::sample_name(family);
            format!("{name}{suffix}")
        })
        .collect()
}

#[test]
fn the_dashboard_asks_for_metrics_that_exist() {
    let text = std::fs::read_to_string(format!("{ASSETS}/grafana/memtide.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let known = known();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries: Vec<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(queries.len() >= 10, "{queries:?}");
    for query in queries {
        let metrics = metrics_in(query);
        assert!(!metrics.is_empty(), "{query}");
        for metric in metrics {
            assert!(known.iter().any(|name| name == metric), "{metric} in {query}");
        }
        if require::has_programs(&["promtool"]) {
            // The variable stands for one machine.
            let rule = query.replace("$instance", "a").replace("$__rate_interval", "1m");
            let rules = serde_json::json!({"groups": [{"name": "a", "rules": [{"record": "a", "expr": rule}]}]});
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), rules.to_string()).unwrap();
            let output = Command::new("promtool").args(["check", "rules"]).arg(file.path()).output().unwrap();
            assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let mut ids: Vec<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), panels.len());
}

#[test]
fn the_alerts_and_the_scrape_configuration_are_sound() {
    let known = known();
    let alerts = std::fs::read_to_string(format!("{ASSETS}/prometheus/memtide-alerts.yml")).unwrap();
    let queries: Vec<&str> = alerts.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    assert_eq!(queries.len(), 5);
    for metric in queries.into_iter().flat_map(metrics_in) {
        assert!(known.iter().any(|name| name == metric), "{metric}");
    }
    if !require::has_programs(&["promtool"]) {
        return;
    }
    let here = env!("CARGO_MANIFEST_DIR");
    for (what, file) in [
        (["check", "config"], "assets/prometheus/prometheus.yml"),
        (["check", "rules"], "assets/prometheus/memtide-alerts.yml"),
        (["test", "rules"], "tests/assets/alerts.test.yml"),
    ] {
        let output = Command::new("promtool").args(what).arg(file).current_dir(here).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn systemd_takes_the_units_and_finds_them_hardened() {
    if !require::has_programs(&["systemd-analyze"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Tenths of systemd's exposure level, of which 0 is the best. A guard signals whom it must, and runs what its rules
    // say; who answers Prometheus has a network.
    for (name, threshold) in
        [("memtide.service", "22"), ("memtide-record.service", "14"), ("memtide-guard.service", "33")]
    {
        let unit = folder.path().join(name);
        let text = std::fs::read_to_string(format!("{ASSETS}/systemd/{name}")).unwrap();
        std::fs::write(&unit, text.replace("/usr/local/bin/memtide", env!("CARGO_BIN_EXE_memtide"))).unwrap();
        let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output().unwrap();
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert!(verified.status.success() && !said.contains(name), "{said}");
        let rated = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager", "--threshold", threshold])
            .arg(&unit)
            .output()
            .unwrap();
        let table = String::from_utf8_lossy(&rated.stdout);
        assert!(rated.status.success(), "{table}");
        let level = table.lines().find(|line| line.contains("Overall exposure level")).unwrap();
        // Straight to the file: what a passing test prints is not shown.
        std::io::Write::write_all(&mut std::io::stderr(), format!("{}\n", level.trim()).as_bytes()).unwrap();
    }
}

#[test]
fn the_example_rules_are_sound() {
    let text = std::fs::read_to_string(format!("{ASSETS}/guard/rules.toml")).unwrap();
    let rules = memtide::guard::file::parse(&text).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(rules.rules.len(), 5);
}
