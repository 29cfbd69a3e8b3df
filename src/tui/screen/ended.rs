//! Who was it that died? Processes that have ended, the latest first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::session::update::Update;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{fill, put};
use crate::units::{Bytes, Span};

/// Draws the list.
pub fn draw(buf: &mut Buffer, area: Rect, update: &Update, offset: usize, theme: &Theme) {
    fill(buf, Rect { height: 1, ..area }, theme.style(Role::Header));
    put(
        buf,
        area.x,
        area.y,
        area.width,
        " ENDED     LIVED      PID USER         PEAK  COMMAND",
        theme.style(Role::Header),
    );
    let now = update.snapshot.sample.at;
    let host = &update.snapshot.sample.host;
    if update.ended.is_empty() {
        put(buf, area.x, area.y + 1, area.width, " nobody has ended while memtide watched", theme.style(Role::Muted));
    }
    let rows = usize::from(area.height.saturating_sub(1));
    let offset = offset.min(update.ended.len().saturating_sub(rows));
    for (ended, y) in update.ended.iter().skip(offset).zip(area.y + 1..area.bottom()) {
        let process = &ended.process;
        let ago = Span(std::time::Duration::from_millis(now.since(ended.at))).to_string();
        let started_ms = process.key.start_time.saturating_mul(1000) / host.clock_ticks.max(1);
        let lived = Span(std::time::Duration::from_millis(ended.at.0.saturating_sub(started_ms))).to_string();
        let user = host.user(process.identity.uid);
        let peak = Bytes(ended.peak_private).to_string();
        let line = format!(
            " {ago:>5} ago {lived:>5}  {:>7} {user:<9.9} {peak:>7}  {}",
            process.key.pid,
            process.identity.shown_command()
        );
        put(buf, area.x, y, area.width, &line, theme.style(Role::Text));
    }
}
