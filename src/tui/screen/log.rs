//! What was done to the machine and what came of it, the latest first.

use std::collections::VecDeque;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::act::effect::{DropLevel, Effect, Measured, Outcome};
use crate::act::signal;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{fill, put};
use crate::units::Bytes;

/// Draws the log.
pub fn draw(buf: &mut Buffer, area: Rect, log: &VecDeque<Outcome>, offset: usize, theme: &Theme) {
    fill(buf, Rect { height: 1, ..area }, theme.style(Role::Header));
    put(buf, area.x, area.y, area.width, " ACTION LOG", theme.style(Role::Header));
    let mut lines: Vec<(String, Role)> =
        log.iter().flat_map(|outcome| lines_of(outcome, theme.pick("→", "->"))).collect();
    if lines.is_empty() {
        lines.push((" nothing was done".into(), Role::Muted));
    }
    let rows = usize::from(area.height.saturating_sub(1));
    let offset = offset.min(lines.len().saturating_sub(rows));
    for ((line, role), y) in lines.iter().skip(offset).zip(area.y + 1..area.bottom()) {
        put(buf, area.x, y, area.width, line, theme.style(*role));
    }
}

/// Lines of the whole log.
pub fn length(log: &VecDeque<Outcome>) -> usize {
    log.iter().map(|outcome| lines_of(outcome, "").len()).sum()
}

fn lines_of(outcome: &Outcome, arrow: &str) -> Vec<(String, Role)> {
    let time = crate::tui::event::time_of_day(outcome.wall_ms);
    let took = outcome.took.as_millis();
    let what = match &outcome.effect {
        Effect::Signal { targets, signal, escalate } => {
            let then = escalate.map_or_else(String::new, |after| format!(", then KILL after {} s", after.as_secs()));
            let whom = if targets.len() == 1 { "process" } else { "processes" };
            format!("SIG{}{then} to {} {whom}", signal::name(*signal), targets.len())
        }
        Effect::DropCaches(DropLevel::PageCache) => "drop_caches 1: page cache".into(),
        Effect::DropCaches(DropLevel::Slab) => "drop_caches 2: dentries and inodes".into(),
        Effect::DropCaches(DropLevel::Both) => "drop_caches 3: page cache, dentries and inodes".into(),
    };
    let mut lines = vec![(format!(" {time}  {what}  ({took} ms)"), Role::Title)];
    lines.extend(outcome.results.iter().map(|result| match result {
        Ok(text) => (format!("           {text}"), Role::Good),
        Err(text) => (format!("           {text}"), Role::Danger),
    }));
    if let Some(measured) = &outcome.measured {
        lines.extend(before_after(measured, arrow).map(|line| (format!("           {line}"), Role::Text)));
    }
    lines
}

fn before_after(measured: &Measured, arrow: &str) -> [String; 2] {
    let pair = |name: &str, before: u64, after: u64| format!("{name} {} {arrow} {}", Bytes(before), Bytes(after));
    let free = pair("free", measured.free_before, measured.free_after);
    let available = pair("available", measured.available_before, measured.available_after);
    let cache = pair("cache", measured.cache_before, measured.cache_after);
    let slab = pair("reclaimable slab", measured.slab_before, measured.slab_after);
    [format!("{free}  {available}"), format!("{cache}  {slab}")]
}
