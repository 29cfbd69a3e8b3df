//! Metrics of what grows: who, what, how fast, how sure, and which limit is met when.

use std::collections::HashSet;

use super::{Family, Kind, Labels, label};
use crate::model::judgement::{Finding, Subject, Verdict, memory_full_in};
use crate::model::snapshot::Snapshot;

pub(super) fn families(snapshot: &Snapshot, top: usize) -> Vec<Family> {
    let findings = &snapshot.analysis.findings;
    let leaks = findings.iter().filter(|finding| finding.judgement.verdict == Verdict::Leaking).count();
    let full = memory_full_in(findings).map_or(f64::INFINITY, |ms| ms / 1000.0);
    let mut families = vec![
        Family::new("memtide_leaks", Kind::Gauge, "", "Leaks that are known now.").single(leaks as f64),
        Family::new(
            "memtide_memory_full_seconds",
            Kind::Gauge,
            "seconds",
            "Time until leaks have filled the machine's memory; +Inf where none does.",
        )
        .single(full),
    ];
    let gauge = |name: &'static str, unit, help| Family::new(name, Kind::Gauge, unit, help);
    let mut confidence =
        gauge("memtide_finding_confidence_ratio", "ratio", "How sure it is that something grows as its verdict says.");
    let mut bytes =
        gauge("memtide_finding_growth_bytes_per_second", "bytes_per_second", "How fast a finding's memory grows.");
    let mut things =
        gauge("memtide_finding_growth_per_second", "", "How many descriptors or threads a second it gains.");
    let mut since =
        gauge("memtide_finding_start_time_seconds", "seconds", "When a finding's growth began, as far as it was seen.");
    let mut until =
        gauge("memtide_finding_full_seconds", "seconds", "Time until a limit is met if a finding's growth goes on.");
    for (finding, labels) in told(findings, top) {
        let judgement = &finding.judgement;
        // 0.99 and not 0.9900000095367432.
        confidence.add(&labels, (f64::from(judgement.confidence) * 1000.0).round() / 1000.0);
        let growth = if finding.quantity.is_bytes() { &mut bytes } else { &mut things };
        growth.add(&labels, judgement.rate / 60.0);
        let ago_ms = snapshot.sample.at.since(judgement.since) as f64;
        since.add(&labels, ((snapshot.sample.wall_ms as f64 - ago_ms) / 1000.0).round());
        let mut limits = HashSet::new();
        for meeting in finding.meetings.iter().filter(|meeting| limits.insert(meeting.limit)) {
            let limit = ("limit", meeting.limit.key().to_owned());
            let labels: Labels = labels.iter().cloned().chain([limit]).collect::<Vec<_>>().into();
            until.add(&labels, meeting.in_ms / 1000.0);
        }
    }
    families.extend([confidence, bytes, things, since, until]);
    families
}

/// The most urgent findings, each once, with their labels.
fn told(findings: &[Finding], top: usize) -> impl Iterator<Item = (&Finding, Labels)> {
    let mut seen = HashSet::new();
    let labelled = findings.iter().map(|finding| {
        let subject = match finding.subject {
            Subject::Process(_) => "process",
            Subject::Group(_) => "group",
            Subject::Machine => "machine",
        };
        let labels = Labels::from([
            ("subject", subject.to_owned()),
            ("name", label(stable_name(finding))),
            ("quantity", finding.quantity.key().to_owned()),
            ("verdict", finding.judgement.verdict.word().to_owned()),
        ]);
        (finding, labels)
    });
    // Two services may have one name: the more urgent one is told.
    labelled.filter(move |(_, labels)| seen.insert(labels.clone())).take(top)
}

/// A finding's name without what changes while it stays the same: how many processes a service has, how many ended.
fn stable_name(finding: &Finding) -> &str {
    let name = finding.name.split(", ended ").next().unwrap_or_default();
    match (&finding.subject, name.rsplit_once(" (")) {
        (Subject::Group(_), Some((stem, count))) if count.trim_end_matches(')').bytes().all(|b| b.is_ascii_digit()) => {
            stem
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::judgement::{Judgement, Quantity};
    use crate::model::reading::BootMs;
    use crate::model::text::Text;

    fn finding(name: &str) -> Finding {
        Finding {
            subject: Subject::Group(Text::from(name)),
            quantity: Quantity::Private,
            name: name.into(),
            judgement: Judgement::unknown(BootMs(0), 0.0, 0),
            meetings: Vec::new(),
        }
    }

    #[test]
    fn a_service_keeps_its_name_while_its_processes_come_and_go() {
        for name in ["php-fpm", "php-fpm (40)", "php-fpm (3), ended 2 times with +40M"] {
            assert_eq!(stable_name(&finding(name)), "php-fpm", "{name}");
        }
        assert_eq!(stable_name(&finding("a (b)")), "a (b)");
    }

    #[test]
    fn two_services_of_one_name_are_told_once() {
        assert_eq!(told(&[finding("nginx (3)"), finding("nginx (5)"), finding("sshd")], 20).count(), 2);
        assert_eq!(told(&[finding("nginx (3)"), finding("sshd")], 1).count(), 1);
    }
}
