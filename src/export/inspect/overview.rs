//! Who the process is, what it has in total, and which limits bind it: a line each.

use std::io::{self, Write};
use std::time::Duration;

use super::Report;
use crate::export::wrap::wrap;
use crate::model::inspect::overview::Overview;
use crate::model::inspect::thread::state_word;
use crate::model::reading::Reading;
use crate::units::{Percent, Span};

/// The column in which values begin.
pub(super) const INDENT: usize = 16;

/// Lines of the overview, and what is missing in them.
struct Facts {
    lines: Vec<(&'static str, String)>,
    unknown: Vec<(&'static str, String)>,
}

impl Facts {
    fn add(&mut self, label: &'static str, value: String) {
        self.lines.push((label, value));
    }

    /// Adds a line of what was read; why it was not read comes last.
    fn read<T>(&mut self, label: &'static str, reading: Reading<T>, show: impl FnOnce(T) -> String) {
        if let Some(why) = reading.explain() {
            self.unknown.push((label, why));
        }
        if let Some(value) = reading.value() {
            self.add(label, show(value));
        }
    }
}

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write, width: usize) -> io::Result<()> {
    let mut facts = Facts { lines: Vec::new(), unknown: Vec::new() };
    identity(report, &mut facts);
    memory(report, &mut facts);
    limits(report, &mut facts);
    let indent = " ".repeat(INDENT);
    for (label, value) in &facts.lines {
        wrap(out, value, &format!("  {label:<width$}", width = INDENT - 2), &indent, width)?;
    }
    // One line for all that have the same reason.
    let mut unknown = facts.unknown;
    while let Some((_, why)) = unknown.first().cloned() {
        let labels: Vec<&str> = unknown.iter().filter(|(_, other)| *other == why).map(|(label, _)| *label).collect();
        wrap(out, &format!("{}: {why}", labels.join(", ")), &format!("  {:<14}", "not shown"), &indent, width)?;
        unknown.retain(|(_, other)| *other != why);
    }
    Ok(())
}

fn identity(report: &Report<'_>, facts: &mut Facts) {
    let Overview { process, user, age_ms, program, .. } = &report.inspection.overview;
    let identity = &process.identity;
    let pid = process.key.pid;
    facts.add("process", format!("{}[{pid}] of user {}", identity.comm.escaped(), user.escaped()));
    let age = Span(Duration::from_millis(*age_ms));
    facts.read("state", process.stat.reading, |stat| {
        format!(
            "{}, up {age}, parent {}, {} {}",
            state_word(stat.state),
            stat.ppid,
            stat.threads,
            if stat.threads == 1 { "thread" } else { "threads" }
        )
    });
    facts.add("command", identity.shown_command().into_owned());
    facts.read("program", program.as_ref(), |program| program.escaped().into_owned());
    if let Some(unit) = identity.cgroup.unit() {
        facts.add("unit", unit.into_owned());
    }
    if let Some(container) = identity.cgroup.container() {
        facts.add("container", container);
    }
    if !identity.cgroup.memory.is_empty() {
        facts.add("control group", identity.cgroup.memory.escaped().into_owned());
    }
}

fn memory(report: &Report<'_>, facts: &mut Facts) {
    let size = |bytes| report.size(bytes);
    let Overview { process, totals, .. } = &report.inspection.overview;
    facts.read("footprint", process.rollup.reading, |rollup| {
        format!(
            "{} = {} of RAM (PSS) + {} in swap; {} is nobody else's (USS)",
            size(rollup.footprint()),
            size(rollup.pss),
            size(rollup.swap_pss),
            size(rollup.uss)
        )
    });
    let status = process.status.reading;
    facts.read("RSS", process.resident, |resident| {
        let peak = status.value().filter(|status| status.peak_rss > 0);
        let peak = peak.map_or_else(String::new, |status| format!(", at most {} so far", size(status.peak_rss)));
        format!("{}{peak}: {} anonymous, {} files and shared", size(resident.rss), size(resident.anon()), {
            size(resident.shared)
        })
    });
    facts.read("address space", *totals, |totals| {
        format!("{}, at most {} so far", size(totals.size), size(totals.peak_size))
    });
    facts.read("swapped out", status, |status| size(status.swap));
    facts.read("page tables", status, |status| size(status.page_tables));
    let pinned = totals.value().map_or(0, |totals| totals.pinned);
    facts.read("locked", status, |status| format!("{}, {} pinned", size(status.locked), size(pinned)));
    let hugetlb = status.value().map_or(0, |status| status.hugetlb);
    facts.read("huge pages", process.rollup.reading, |rollup| {
        format!("{} transparent, {} of hugetlbfs", size(rollup.anon_huge), size(hugetlb))
    });
    facts.read("major faults", process.stat.reading, |stat| stat.major_faults.to_string());
}

fn limits(report: &Report<'_>, facts: &mut Facts) {
    let size = |bytes| report.size(bytes);
    let Overview { process, limit, fd_limit, oom_score_adj, .. } = &report.inspection.overview;
    facts.read("memory limit", limit.as_ref(), |limit| {
        let Some(limit) = limit else { return "none but the machine's memory".into() };
        let share = Percent(limit.usage as f64 * 100.0 / limit.limit.max(1) as f64);
        let swap = limit.swap_limit.filter(|limit| *limit < 1 << 60);
        let swap = swap.map_or_else(String::new, |swap| format!(", and {} of swap", size(swap)));
        let text = format!(
            "{}, set by control group {}: {} used ({share}), {} of it file cache that can go{swap}",
            size(limit.limit),
            limit.path.escaped(),
            size(limit.usage),
            size(limit.inactive_file)
        );
        match limit.oom_kills {
            Some(kills) if kills > 0 => text + &format!("; the kernel killed for it {kills} times"),
            _ => text,
        }
    });
    facts.read("descriptors", process.fds.reading, |fds| {
        let Some(limit) = fd_limit.value() else { return fds.to_string() };
        let raise = match limit.hard {
            hard if hard == limit.soft => String::new(),
            u64::MAX => "; it may raise the limit without end".into(),
            hard => format!("; it may raise the limit to {hard}"),
        };
        match limit.soft {
            u64::MAX => format!("{fds}, without limit"),
            soft => format!("{fds} of {soft} ({}){raise}", Percent(f64::from(fds) * 100.0 / soft.max(1) as f64)),
        }
    });
    facts.read("OOM score", process.oom_score.reading, |score| match oom_score_adj.value() {
        Some(adjustment) => format!("{score}, adjustment {adjustment}; the highest is killed first"),
        None => score.to_string(),
    });
}
