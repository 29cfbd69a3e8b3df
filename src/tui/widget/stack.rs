//! Amounts over time, stacked: what the whole was made of at each moment.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

/// A layer: how it looks, its sign where there is no colour, and its values, the oldest first.
#[derive(Clone, Debug)]
pub struct Layer<'a> {
    /// How it looks; `None` leaves the ground as it is.
    pub style: Option<Style>,
    /// Its sign where there is no colour.
    pub sign: &'static str,
    /// Values; NaN where nothing is known.
    pub values: &'a [f32],
}

/// Eighths of a cell from below.
const BLOCKS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Whether these layers can be told apart by colour.
fn has_colours(layers: &[Layer<'_>]) -> bool {
    layers.iter().filter_map(|layer| layer.style).any(|style| style.fg.is_some_and(|colour| colour != Color::Reset))
}

/// Draws the layers from the bottom, the newest values at the right edge; `whole` is the height of the area. With colours
/// an eighth of a line is told; without, a line.
pub fn draw(buf: &mut Buffer, area: Rect, layers: &[Layer<'_>], whole: f32, is_ascii: bool) {
    let area = area.intersection(buf.area);
    if area.is_empty() || whole <= 0.0 {
        return;
    }
    let is_fine = !is_ascii && has_colours(layers);
    let count = layers.iter().map(|layer| layer.values.len()).min().unwrap_or(0);
    let shown = count.min(usize::from(area.width));
    for (x, nth) in (area.right() - shown as u16..).zip(count - shown..count) {
        if layers.iter().any(|layer| !layer.values[nth].is_finite()) {
            continue;
        }
        let at = |share: f32| {
            let mut sum = 0.0;
            let found = layers.iter().position(|layer| {
                sum += layer.values[nth].max(0.0);
                sum > share * whole
            });
            found.and_then(|place| layers[place].style.map(|style| (place, style, layers[place].sign)))
        };
        for (line, y) in (area.top()..area.bottom()).rev().enumerate() {
            let Some(cell) = buf.cell_mut((x, y)) else { continue };
            let height = f32::from(area.height);
            if !is_fine {
                if let Some((_, style, sign)) = at((line as f32 + 0.5) / height) {
                    cell.set_symbol(sign).set_style(style);
                }
                continue;
            }
            let eighths: [_; 8] = std::array::from_fn(|e| at((line as f32 + (e as f32 + 0.5) / 8.0) / height));
            let Some((below, style, _)) = eighths[0] else { continue };
            let same = eighths.iter().take_while(|e| e.is_some_and(|(place, ..)| place == below)).count();
            // Of what lies above in the same cell the uppermost shows.
            let above = eighths[7].filter(|(place, ..)| *place != below).and_then(|(_, style, _)| style.fg);
            let style = above.map_or(style, |colour| style.bg(colour));
            cell.set_symbol(BLOCKS[same]).set_style(style);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layer<'a>(colour: Option<Color>, sign: &'static str, values: &'a [f32]) -> Layer<'a> {
        Layer { style: Some(colour.map_or_else(Style::new, |colour| Style::new().fg(colour))), sign, values }
    }

    fn lines(width: u16, height: u16, layers: &[Layer<'_>], whole: f32, is_ascii: bool) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        draw(&mut buf, area, layers, whole, is_ascii);
        (0..height).map(|y| (0..width).map(|x| buf[(x, y)].symbol().to_owned()).collect()).collect()
    }

    #[test]
    fn layers_stand_on_each_other() {
        let (a, b) = ([1.0, 2.0, 4.0], [2.0, 2.0, 0.0]);
        let layers = [layer(None, "a", &a), layer(None, "b", &b)];
        // Left of the oldest value nothing is known.
        assert_eq!(lines(4, 4, &layers, 4.0, true), ["  ba", " bba", " baa", " aaa"]);
    }

    #[test]
    fn with_colours_an_eighth_is_told_and_what_lies_above_is_the_ground() {
        let (a, b) = ([3.0], [5.0]);
        let layers = [layer(Some(Color::Red), "a", &a), layer(Some(Color::Blue), "b", &b)];
        let area = Rect::new(0, 0, 1, 1);
        let mut buf = Buffer::empty(area);
        draw(&mut buf, area, &layers, 8.0, false);
        let cell = &buf[(0, 0)];
        assert_eq!((cell.symbol(), cell.fg, cell.bg), ("▃", Color::Red, Color::Blue));
    }

    #[test]
    fn a_gap_stays_empty() {
        let values = [f32::NAN, 1.0];
        let layers = [layer(Some(Color::Red), "a", &values)];
        assert_eq!(lines(2, 1, &layers, 1.0, false), [" █"]);
    }

    proptest! {
        #[test]
        fn any_values_are_drawn(values in proptest::collection::vec(any::<f32>(), 0..20), whole in any::<f32>(),
                                width in 0u16..12, height in 0u16..6, is_ascii in any::<bool>()) {
            let layers = [layer(Some(Color::Red), "a", &values), layer(Some(Color::Blue), "b", &values)];
            let mut buf = Buffer::empty(Rect::new(0, 0, 10, 5));
            draw(&mut buf, Rect::new(0, 0, width, height), &layers, whole, is_ascii);
        }
    }
}
