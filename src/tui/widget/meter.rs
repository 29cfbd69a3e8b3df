//! A bar of stacked parts.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::theme::{Role, Theme};

/// A part of the whole.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// How much.
    pub amount: u64,
    /// What it is.
    pub role: Role,
}

/// How a part looks where there is no colour.
fn glyph(role: Role, theme: &Theme) -> &'static str {
    match role {
        Role::File => theme.pick("▒", "c"),
        Role::Shmem => theme.pick("▓", "s"),
        Role::Kernel => theme.pick("▚", "k"),
        Role::Free => theme.pick("░", "."),
        _ => theme.pick("█", "#"),
    }
}

/// Draws the parts of `whole` along a line; what is left is free. A part that is not nothing takes at least one cell
/// where there is room for it.
pub fn draw(buf: &mut Buffer, area: Rect, parts: &[Part], whole: u64, theme: &Theme) {
    let area = area.intersection(buf.area);
    let width = u64::from(area.width);
    let mut sum = 0u64;
    let mut x = area.x;
    for part in parts.iter().chain(&[Part { amount: u64::MAX, role: Role::Free }]) {
        sum = sum.saturating_add(part.amount);
        let end = if part.role == Role::Free { width } else { (sum.min(whole) * width + whole / 2) / whole.max(1) };
        let end = (area.x + end as u16).min(area.right());
        while x < end {
            if let Some(cell) = buf.cell_mut((x, area.y)) {
                cell.set_symbol(glyph(part.role, theme)).set_style(theme.style(part.role));
            }
            x += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::Depth;

    #[test]
    fn parts_fill_their_share_and_never_more_than_the_bar() {
        let theme = Theme::load("dark", Depth::True, true).unwrap();
        let area = Rect::new(0, 0, 10, 1);
        let mut buf = Buffer::empty(area);
        let parts = [Part { amount: 50, role: Role::Anon }, Part { amount: 20, role: Role::File }];
        draw(&mut buf, area, &parts, 100, &theme);
        let shown = |buf: &Buffer| buf.content.iter().map(ratatui::buffer::Cell::symbol).collect::<String>();
        assert_eq!(shown(&buf), "#####cc...");
        draw(&mut buf, area, &[Part { amount: u64::MAX, role: Role::Anon }], 0, &theme);
        assert_eq!(shown(&buf).len(), 10);
    }
}
