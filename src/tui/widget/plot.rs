//! Curves over time: dots of braille, eight a cell, or one sign a cell where only ASCII may be sent.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// What the edges of a plot stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// The left edge.
    pub left: f64,
    /// The right edge.
    pub right: f64,
    /// The bottom.
    pub low: f64,
    /// The top.
    pub high: f64,
}

/// A line through points, in order of x.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Where it goes; a point that is not finite breaks it.
    pub points: Vec<(f64, f64)>,
    /// How it looks.
    pub style: Style,
    /// Its sign where only ASCII may be sent.
    pub sign: char,
    /// Only every second pair of dots is drawn.
    pub is_dashed: bool,
}

/// Dots of a cell: two across, four down.
const ACROSS: usize = 2;
const DOWN: usize = 4;

/// The bits of braille's dots by column and line.
const BITS: [[u8; DOWN]; ACROSS] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

impl Frame {
    /// The column of a moment, as a share of the width.
    fn across(&self, x: f64) -> f64 {
        (x - self.left) / (self.right - self.left).max(f64::MIN_POSITIVE)
    }

    /// The height of a value, as a share from the top.
    fn down(&self, y: f64) -> f64 {
        (self.high - y) / (self.high - self.low).max(f64::MIN_POSITIVE)
    }

    /// The column of an area in which a moment lies; `None` outside.
    pub fn column(&self, area: Rect, x: f64) -> Option<u16> {
        place(self.across(x), usize::from(area.width)).map(|column| area.x + column as u16)
    }

    /// The line of an area in which a value lies; `None` outside.
    pub fn line(&self, area: Rect, y: f64) -> Option<u16> {
        place(self.down(y), usize::from(area.height)).map(|line| area.y + line as u16)
    }

    /// The value in the middle of a line of an area.
    pub fn value(&self, area: Rect, line: u16) -> f64 {
        self.high - (f64::from(line) + 0.5) / f64::from(area.height.max(1)) * (self.high - self.low)
    }
}

/// The place of a share among so many; the far edge belongs to the last.
fn place(share: f64, count: usize) -> Option<usize> {
    let is_inside = count > 0 && (0.0..=1.0).contains(&share);
    is_inside.then(|| ((share * count as f64) as usize).min(count - 1))
}

/// Draws the curves; where they meet, the later ones give the colour (and in ASCII the sign).
pub fn draw(buf: &mut Buffer, area: Rect, frame: &Frame, curves: &[Curve], is_ascii: bool) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    let (width, height) = (usize::from(area.width) * ACROSS, usize::from(area.height) * DOWN);
    let mut cells = vec![0u8; usize::from(area.width) * usize::from(area.height)];
    for curve in curves {
        let mut dot = |x: usize, y: usize| {
            if curve.is_dashed && (x / 2) % 2 == 1 {
                return;
            }
            let place = y / DOWN * usize::from(area.width) + x / ACROSS;
            cells[place] |= BITS[x % ACROSS][y % DOWN];
            let at = (area.x + (x / ACROSS) as u16, area.y + (y / DOWN) as u16);
            if let Some(cell) = buf.cell_mut(at) {
                let sign = if is_ascii { curve.sign } else { braille(cells[place]) };
                cell.set_char(sign).set_style(curve.style);
            }
        };
        let mut before = None;
        for (x, y) in &curve.points {
            let at = (frame.across(*x) * width as f64, frame.down(*y) * height as f64);
            if !at.0.is_finite() || !at.1.is_finite() {
                before = None;
                continue;
            }
            trace(before.unwrap_or(at), at, (width, height), &mut dot);
            before = Some(at);
        }
    }
}

/// Draws a straight line between two places, in dots, as far as it lies inside.
fn trace(from: (f64, f64), to: (f64, f64), size: (usize, usize), dot: &mut impl FnMut(usize, usize)) {
    let (width, height) = (size.0 as f64, size.1 as f64);
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    // The part of the line whose columns are inside; it is never longer than the plot, however far away its ends are.
    let (mut start, mut end) = (0.0f64, 1.0f64);
    for (origin, delta, most) in [(from.0, dx, width), (from.1, dy, height)] {
        if delta == 0.0 {
            if !(0.0..=most).contains(&origin) {
                return;
            }
            continue;
        }
        let (a, b) = (-origin / delta, (most - origin) / delta);
        start = start.max(a.min(b));
        end = end.min(a.max(b));
    }
    if start > end {
        return;
    }
    let steps = ((dx.abs().max(dy.abs()) * (end - start)).ceil() as usize).min(size.0 + size.1 + 1);
    for step in 0..=steps {
        let share = start + (end - start) * step as f64 / steps.max(1) as f64;
        let (x, y) = (from.0 + dx * share, from.1 + dy * share);
        dot((x.max(0.0) as usize).min(size.0.saturating_sub(1)), (y.max(0.0) as usize).min(size.1.saturating_sub(1)));
    }
}

fn braille(bits: u8) -> char {
    char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(width: u16, height: u16, curves: &[Curve], is_ascii: bool) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        let frame = Frame { left: 0.0, right: 10.0, low: 0.0, high: 10.0 };
        draw(&mut buf, area, &frame, curves, is_ascii);
        (0..height).map(|y| (0..width).map(|x| buf[(x, y)].symbol().to_owned()).collect()).collect()
    }

    fn curve(points: &[(f64, f64)], sign: char, is_dashed: bool) -> Curve {
        Curve { points: points.to_vec(), style: Style::new(), sign, is_dashed }
    }

    #[test]
    fn a_line_goes_from_corner_to_corner() {
        let rising = curve(&[(0.0, 0.0), (10.0, 10.0)], '.', false);
        assert_eq!(lines(4, 2, std::slice::from_ref(&rising), false), ["  ⢀⠜", "⣀⠔⠁ "]);
        assert_eq!(lines(4, 4, &[rising], true), ["   .", "  ..", " .. ", "..  "]);
    }

    #[test]
    fn a_gap_is_a_gap_and_a_dashed_line_has_holes() {
        let broken = curve(&[(0.0, 5.0), (2.0, 5.0), (5.0, f64::NAN), (9.0, 5.0), (10.0, 5.0)], '.', false);
        assert_eq!(lines(10, 1, &[broken], true), ["...      ."]);
        let dashed = curve(&[(0.0, 5.0), (10.0, 5.0)], '*', true);
        assert_eq!(lines(10, 1, &[dashed], true), ["* * * * * "]);
    }

    #[test]
    fn the_later_curve_has_the_cell() {
        let below = curve(&[(0.0, 5.0), (10.0, 5.0)], '.', false);
        let above = curve(&[(4.0, 5.0), (6.0, 5.0)], '#', false);
        assert_eq!(lines(10, 1, &[below, above], true), ["....###..."]);
    }

    #[test]
    fn values_and_moments_have_their_places() {
        let frame = Frame { left: -5.0, right: 5.0, low: 0.0, high: 100.0 };
        let area = Rect::new(10, 20, 10, 5);
        assert_eq!([-5.0, 0.0, 5.0].map(|x| frame.column(area, x)), [Some(10), Some(15), Some(19)]);
        assert_eq!([100.0, 50.0, 0.0].map(|y| frame.line(area, y)), [Some(20), Some(22), Some(24)]);
        assert_eq!((frame.column(area, 5.1), frame.line(area, f64::NAN)), (None, None));
        assert!((frame.value(area, 0) - 90.0).abs() < 1e-9 && (frame.value(area, 4) - 10.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn any_curve_in_any_frame_is_drawn(
            points in proptest::collection::vec((any::<f64>(), any::<f64>()), 0..20),
            edges in any::<[f64; 4]>(), width in 0u16..12, height in 0u16..6, is_ascii in any::<bool>(),
        ) {
            let mut buf = Buffer::empty(Rect::new(0, 0, 10, 5));
            let frame = Frame { left: edges[0], right: edges[1], low: edges[2], high: edges[3] };
            draw(&mut buf, Rect::new(0, 0, width, height), &frame, &[curve(&points, '.', false)], is_ascii);
        }
    }
}
