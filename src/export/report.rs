//! A report as text for people.

use std::io::{self, Write};

use super::story;
use super::table::{Column, Table};
use crate::analyze::report::{Life, Report};
use crate::units::{Bytes, Percent};

/// Events that are listed; of more the number is told.
const MOST_EVENTS: usize = 40;

/// Tables are cut at this width where there is no terminal to say another.
const WIDTH: usize = 100;

/// Writes the report. `clock` gives the time of day of a moment by the wall clock, `moment` the day too.
pub fn write(
    report: &Report,
    out: &mut dyn Write,
    width: Option<usize>,
    clock: impl Fn(i64) -> String,
    moment: impl Fn(i64) -> String,
) -> io::Result<()> {
    story::write(&report.story, out, width, &moment)?;
    if let Some(peak) = &report.peak {
        writeln!(out, "\nPeak: {} used, {} of swap, at {}", Bytes(peak.used), Bytes(peak.swap), moment(peak.wall_ms))?;
        writeln!(out, "The largest of {} processes alive then", peak.alive)?;
        let row = |process: &std::sync::Arc<crate::model::process::ProcessSample>| {
            let rss = process.resident.value().map_or_else(|| "-".into(), |resident| Bytes(resident.rss).to_string());
            let pss = process.rollup.reading.value().map_or_else(|| "-".into(), |rollup| Bytes(rollup.pss).to_string());
            let command = process.identity.shown_command().into_owned();
            vec![process.key.pid.to_string(), rss, pss, command]
        };
        let rows = peak.largest.iter().map(row).collect();
        table(["PID", "RSS", "PSS", "COMMAND"], rows).write(out, true, Some(width.unwrap_or(WIDTH)))?;
    }
    if !report.growers.is_empty() {
        writeln!(out, "\nWho gained most private memory")?;
        let row = |life: &Life| {
            let [began, ended] = life.wall_ms.map(&clock);
            let until = if life.has_ended { format!("{ended} (ended)") } else { ended };
            vec![
                life.process.key.pid.to_string(),
                format!("+{}", Bytes(life.gained())),
                Bytes(life.first).to_string(),
                Bytes(life.most).to_string(),
                began,
                until,
                life.process.identity.shown_command().into_owned(),
            ]
        };
        let heads = ["PID", "GAINED", "FROM", "MOST", "SEEN", "UNTIL", "COMMAND"];
        table(heads, report.growers.iter().map(row).collect()).write(out, true, Some(width.unwrap_or(WIDTH)))?;
    }
    writeln!(out, "\nSwap and pressure")?;
    for line in swap_and_pressure(report, &clock) {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "\nWhat was done")?;
    if report.deeds.is_empty() {
        writeln!(out, "  nothing that was recorded")?;
    }
    for deed in &report.deeds {
        let failed = if deed.is_done { "" } else { "not done: " };
        writeln!(out, "  {}  {failed}{}", clock(deed.wall_ms), deed.told())?;
    }
    writeln!(out, "\nWhat happened")?;
    if report.events.is_empty() {
        writeln!(out, "  nothing")?;
    }
    let left_out = report.events.len().saturating_sub(MOST_EVENTS);
    if left_out > 0 {
        writeln!(out, "  {left_out} events before these (--format json has all)")?;
    }
    for event in &report.events[left_out..] {
        writeln!(out, "  {}  {}", clock(event.wall_ms), event.text)?;
    }
    Ok(())
}

/// Sentences about swap, pressure and the OOM killer.
pub(super) fn swap_and_pressure(report: &Report, clock: impl Fn(i64) -> String) -> Vec<String> {
    let swap = match report.swap.highest {
        Some((most, at)) if most > 0.0 => format!("swap: at most {} used, at {}", Bytes(most as u64), clock(at)),
        Some(_) => "swap: none was used".into(),
        None => "swap: not known".into(),
    };
    let swapped = match report.swapped {
        Some([read, written]) => format!("swapped: {} in, {} out", Bytes(read), Bytes(written)),
        None => "swapped: not known".into(),
    };
    let stalled = match report.stalled.highest {
        Some((most, at)) => {
            format!("pressure: all tasks waited for memory at most {} of 10 s, at {}", Percent(most), clock(at))
        }
        None => "pressure: not known (PSI needs Linux 4.20)".into(),
    };
    let kills = match report.oom_kills {
        Some(kills) => format!("OOM kills: {kills}"),
        None => "OOM kills: not counted (Linux 4.13)".into(),
    };
    vec![swap, swapped, stalled, kills]
}

fn table<const N: usize>(heads: [&str; N], rows: Vec<Vec<String>>) -> Table {
    let is_text = ["COMMAND", "SEEN", "UNTIL"];
    let column = |title: &str| Column { title: title.into(), is_right: !is_text.contains(&title) };
    Table { columns: heads.iter().map(|title| column(title)).collect(), rows, total: None }
}
