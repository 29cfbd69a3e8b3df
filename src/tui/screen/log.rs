//! What was done to the machine and what came of it, the latest first.

use std::collections::VecDeque;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::act::effect::Outcome;
use crate::act::words;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{fill, put};

/// Draws the log.
pub fn draw(buf: &mut Buffer, area: Rect, log: &VecDeque<Outcome>, offset: usize, theme: &Theme) {
    fill(buf, Rect { height: 1, ..area }, theme.style(Role::Header));
    put(buf, area.x, area.y, area.width, tr!(" ACTION LOG"), theme.style(Role::Header));
    let mut lines: Vec<(String, Role)> =
        log.iter().flat_map(|outcome| lines_of(outcome, theme.pick("→", "->"))).collect();
    if lines.is_empty() {
        lines.push((tr!(" nothing was done").into(), Role::Muted));
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
    let what = words::title(&outcome.effect);
    let mut lines = vec![(tr!(" {time}  {what}  ({took} ms)", time, what, took), Role::Title)];
    lines.extend(outcome.results.iter().map(|result| match result {
        Ok(text) => (format!("           {text}"), Role::Good),
        Err(text) => (format!("           {text}"), Role::Danger),
    }));
    // Two in a line fit in 80 columns, measured once or twice.
    for pair in outcome.measured.chunks(2) {
        let pair: Vec<String> = pair.iter().map(|measured| measured.line(arrow)).collect();
        lines.push((format!("           {}", pair.join("  ")), Role::Text));
    }
    if let Some(undo) = &outcome.undo {
        lines.push((tr!("           undo: {undo}", undo = words::command(undo)), Role::Muted));
    }
    lines
}
