//! The frame of a popup in the middle of the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::line::{columns, fill, put};
use crate::tui::theme::{Role, Theme};

/// Draws an empty framed box of at most this size, centred, and returns its inside.
pub fn frame(buf: &mut Buffer, screen: Rect, width: u16, height: u16, title: &str, hint: &str, theme: &Theme) -> Rect {
    let width = (width + 4).min(screen.width);
    let height = (height + 2).min(screen.height);
    let area = Rect::new(screen.x + (screen.width - width) / 2, screen.y + (screen.height - height) / 2, width, height);
    let style = theme.style(Role::Popup);
    fill(buf, area, style);
    let (across, down) = (theme.pick("─", "-"), theme.pick("│", "|"));
    let corners = theme.pick(["┌", "┐", "└", "┘"], ["+", "+", "+", "+"]);
    let right = area.right().saturating_sub(1);
    let bottom = area.bottom().saturating_sub(1);
    for x in area.left()..area.right() {
        put(buf, x, area.top(), 1, across, style);
        put(buf, x, bottom, 1, across, style);
    }
    for y in area.top()..area.bottom() {
        put(buf, area.left(), y, 1, down, style);
        put(buf, right, y, 1, down, style);
    }
    for ((x, y), corner) in [(area.left(), area.top()), (right, area.top()), (area.left(), bottom), (right, bottom)]
        .into_iter()
        .zip(corners)
    {
        put(buf, x, y, 1, corner, style);
    }
    let room = width.saturating_sub(4);
    put(buf, area.x + 2, area.y, room, &format!(" {title} "), theme.style(Role::Title).patch(background(style)));
    if columns(hint) + 2 <= room {
        put(buf, area.x + 2, bottom, room, &format!(" {hint} "), style);
    }
    Rect::new(area.x + 2, area.y + 1, room, height.saturating_sub(2))
}

fn background(style: ratatui::style::Style) -> ratatui::style::Style {
    style.bg.map_or_else(ratatui::style::Style::new, |bg| ratatui::style::Style::new().bg(bg))
}
