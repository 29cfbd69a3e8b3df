//! Histories as blocks: one line a process, several for the machine.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

const BLOCKS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const ASCII: [&str; 9] = [" ", "_", ".", ":", "-", "=", "+", "*", "#"];

/// What the bottom and the top of a graph stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The bottom.
    pub low: f32,
    /// The top.
    pub high: f32,
}

impl Scale {
    /// From the smallest to the largest point, but not so narrow that noise looks like a mountain: at least 2 % of
    /// the largest, and at least `least`.
    pub fn of(points: &[f32], least: f32) -> Self {
        let known = || points.iter().copied().filter(|point| point.is_finite());
        let (low, high) = known().fold((f32::MAX, f32::MIN), |(low, high), point| (low.min(point), high.max(point)));
        if low > high {
            return Self { low: 0.0, high: 1.0 };
        }
        let span = (high - low).max(high * 0.02).max(least);
        // What is flat lies a little above the ground.
        Self { low: low - span * 0.2, high: low + span }
    }

    /// Height of a point in eighths of a line, at least one: zero eighths would look like no data.
    fn eighths(self, point: f32, lines: u16) -> u16 {
        let full = f32::from(lines) * 8.0;
        let share = ((point - self.low) / (self.high - self.low).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
        ((share * full).round() as u16).max(1)
    }
}

/// Draws the points, the newest at the right edge, as an area of `area.height` lines. A gap stays empty.
pub fn draw(buf: &mut Buffer, area: Rect, points: &[f32], scale: Scale, is_ascii: bool, style: Style) {
    let glyphs = if is_ascii { &ASCII } else { &BLOCKS };
    let area = area.intersection(buf.area);
    let shown = points.len().min(usize::from(area.width));
    let first = area.right() - shown as u16;
    for (x, point) in (first..).zip(&points[points.len() - shown..]) {
        let eighths = if point.is_finite() { scale.eighths(*point, area.height) } else { 0 };
        for (line, y) in (area.top()..area.bottom()).rev().enumerate() {
            let here = eighths.saturating_sub(line as u16 * 8).min(8);
            if here > 0
                && let Some(cell) = buf.cell_mut((x, y))
            {
                cell.set_symbol(glyphs[usize::from(here)]).set_style(style);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(points: &[f32], scale: Scale) -> String {
        let area = Rect::new(0, 0, 8, 1);
        let mut buf = Buffer::empty(area);
        draw(&mut buf, area, points, scale, false, Style::new());
        buf.content.iter().map(ratatui::buffer::Cell::symbol).collect()
    }

    #[test]
    fn a_ramp_is_a_ramp_and_a_gap_a_gap() {
        let points = [f32::NAN, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        assert_eq!(line(&points, Scale { low: 0.0, high: 7.0 }), " ▁▂▃▅▆▇█");
    }

    #[test]
    fn noise_is_not_a_mountain() {
        let points = [1000.0, 1001.0, 1000.0, 1001.0];
        let shown = line(&points, Scale::of(&points, 0.0));
        assert_eq!(shown.trim(), "▁▂▁▂");
    }

    #[test]
    fn several_lines_stack() {
        let area = Rect::new(0, 0, 2, 2);
        let mut buf = Buffer::empty(area);
        draw(&mut buf, area, &[0.25, 1.0], Scale { low: 0.0, high: 1.0 }, true, Style::new());
        let shown: String = buf.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(shown, " #-#");
    }

    #[test]
    fn nothing_known_draws_nothing() {
        assert_eq!(line(&[f32::NAN; 8], Scale::of(&[f32::NAN; 8], 1.0)), " ".repeat(8));
    }
}
