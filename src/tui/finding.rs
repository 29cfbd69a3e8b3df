//! Findings in words: names of quantities and limits short enough for a line, amounts in their unit, times until.

use std::time::Duration;

use super::theme::Role;
use crate::model::judgement::{self, Finding, Limit, Meeting, Quantity, Subject, Verdict};
use crate::units::{Bytes, BytesPerMinute, Span};

/// How a verdict looks.
pub(super) fn role(verdict: Verdict) -> Role {
    match verdict {
        Verdict::Leaking => Role::Danger,
        Verdict::Growing => Role::Warn,
        Verdict::WarmingUp | Verdict::Stepped | Verdict::Sawtooth => Role::Text,
        Verdict::Shrinking => Role::Good,
        Verdict::Steady | Verdict::NotEnoughData => Role::Muted,
    }
}

/// What grows, in at most thirteen columns.
pub(super) fn what(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Private => tr!("memory"),
        Quantity::Pss => "PSS",
        Quantity::Shmem => tr!("shmem, tmpfs"),
        Quantity::PageTables => tr!("page tables"),
        Quantity::Fds => tr!("fds"),
        Quantity::Threads => tr!("threads"),
        Quantity::Used => tr!("used memory"),
        Quantity::SlabUnreclaimable => tr!("kernel slab"),
        Quantity::KernelStack => tr!("kernel stacks"),
        Quantity::Percpu => tr!("per-CPU"),
        Quantity::Vmalloc => "vmalloc",
        Quantity::Unaccounted => tr!("unaccounted"),
    }
}

/// A limit in at most seven columns.
pub(super) fn limit(limit: Limit) -> &'static str {
    match limit {
        Limit::Cgroup => tr!("cgroup"),
        Limit::Memory => tr!("memory"),
        Limit::Swap => tr!("swap"),
        Limit::Files => tr!("fds"),
        Limit::Heap => tr!("heap"),
    }
}

/// An amount in the quantity's unit: `812M`, `931`.
pub(super) fn amount(quantity: Quantity, value: f64) -> String {
    if quantity.is_bytes() { Bytes(value.max(0.0) as u64).to_string() } else { format!("{value:.0}") }
}

/// A signed amount, or one a minute: `+18.1M`, `+0.4`, `+60`.
pub(super) fn signed(quantity: Quantity, value: f64) -> String {
    if quantity.is_bytes() {
        return BytesPerMinute(value).to_string();
    }
    let decimals = usize::from(value.abs() < 9.95 && value.fract() != 0.0);
    format!("{value:+.decimals$}")
}

/// The subject's name where there is little room: what restarts have to do with it, and what kind of unit it is, stand
/// in the sentences about it.
pub(super) fn short_name(finding: &Finding) -> String {
    if finding.subject == Subject::Machine {
        return tr!(of finding.name.as_str()).to_owned();
    }
    finding.name.split(", ended ").next().unwrap_or_default().replacen(".service", "", 1)
}

/// The subject's whole name, with what restarts have to do with it.
pub(super) fn whole_name(finding: &Finding) -> String {
    let relapsing = finding.name.split_once(", ended ");
    match relapsing.and_then(|(name, rest)| Some((name, rest.split_once(" times with ")?))) {
        Some((name, (times, gained))) => tr!("{name}, ended {times} times with {gained}", name, times, gained),
        None if finding.subject == Subject::Machine => tr!(of finding.name.as_str()).to_owned(),
        None => finding.name.clone(),
    }
}

/// Who grows, and what where it is not plain memory, as short as can be: `node[1234]`, `kernel slab`.
pub(super) fn who(finding: &Finding) -> String {
    let name = short_name(finding);
    match (&finding.subject, finding.quantity) {
        (Subject::Machine, quantity) => what(quantity).to_owned(),
        (_, Quantity::Private | Quantity::Fds | Quantity::Threads) => name,
        (_, quantity) => format!("{name} {}", what(quantity)),
    }
}

/// The rate of a finding: `+18.1M/min`, `+60 fds/min`.
pub(super) fn rate(finding: &Finding) -> String {
    let rate = signed(finding.quantity, finding.judgement.rate);
    match finding.quantity {
        counted @ (Quantity::Fds | Quantity::Threads) => tr!("{rate} {counted}/min", rate, counted = what(counted)),
        _ => tr!("{rate}/min", rate),
    }
}

/// The rate's interval: `17.9M to 18.3M`; `18.1M` where its ends look the same.
pub(super) fn rate_interval(finding: &Finding) -> String {
    let plain = |rate: f64| signed(finding.quantity, rate).trim_start_matches('+').to_owned();
    interval(plain(finding.judgement.rate_low), &plain(finding.judgement.rate_high))
}

fn interval(low: String, high: &str) -> String {
    if low == high { low } else { tr!("{low} to {high}", low, high) }
}

/// How long it is until then: `9m`, `3:12`; `now` where there is nothing left.
pub(super) fn until(ms: f64) -> String {
    match ms {
        ms if ms.is_nan() || ms >= NEVER_MS => tr!("never").into(),
        ms if ms < 1000.0 => tr!("now").into(),
        ms => span(ms).to_string(),
    }
}

/// A time in milliseconds as a span.
pub(super) fn span(ms: f64) -> Span {
    Span(Duration::from_millis(ms.clamp(0.0, NEVER_MS) as u64))
}

/// Ten years, milliseconds: further ahead nobody looks.
pub(super) const NEVER_MS: f64 = 3.2e11;

/// When a limit is met by the ends of the rate's interval: `8m to 11m`; `9m` where they look the same.
pub(super) fn meeting_interval(meeting: &Meeting) -> String {
    interval(until(meeting.earliest_ms), &until(meeting.latest_ms))
}

/// What becomes full when: `full in 9m`, `fd limit in 4m`.
pub(super) fn becomes_full(meeting: &Meeting) -> String {
    let time = until(meeting.in_ms);
    let in_time = if meeting.in_ms < 1000.0 { time } else { tr!("in {time}", time) };
    match meeting.limit {
        Limit::Memory => tr!("full {in_time}", in_time),
        other => tr!("{limit} {in_time}", limit = tr!(of other.title()), in_time),
    }
}

/// The leak that needs somebody most, and how many there are.
pub(super) fn most_urgent(findings: &[Finding]) -> Option<(&Finding, usize)> {
    let is_leak = |finding: &&Finding| finding.judgement.verdict == Verdict::Leaking;
    // They are ranked.
    findings.first().filter(is_leak).map(|first| (first, findings.iter().filter(is_leak).count()))
}

/// Milliseconds until leaks fill the machine's memory; `None` where none does within ten years.
pub(super) fn memory_full_in(findings: &[Finding]) -> Option<f64> {
    judgement::memory_full_in(findings).filter(|ms| *ms < NEVER_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_carry_their_unit() {
        assert_eq!(amount(Quantity::Private, 812.0 * 1_048_576.0), "812M");
        assert_eq!(amount(Quantity::Fds, 931.4), "931");
        assert_eq!(signed(Quantity::Private, 18.1 * 1_048_576.0), "+18.1M");
        assert_eq!(
            [0.43, 9.0, 60.2, -3.5].map(|value| signed(Quantity::Threads, value)),
            ["+0.4", "+9", "+60", "-3.5"]
        );
    }

    #[test]
    fn times_end_somewhere() {
        assert_eq!([0.0, 540_000.0, 11_520_000.0, f64::INFINITY].map(until), ["now", "9m", "3:12", "never"]);
        assert_eq!(until(f64::NAN), "never");
    }
}
