//! Text in cells: cut and aligned by display width.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr;

/// Writes `text` from the left, at most `width` columns; what is left keeps what it had. Returns the columns used.
/// A character that would be cut in half is left out, control characters are never written.
pub fn put(buf: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
    if width == 0 || y >= buf.area.bottom() || x >= buf.area.right() {
        return 0;
    }
    let width = width.min(buf.area.right() - x);
    buf.set_stringn(x, y, text, usize::from(width), style).0.saturating_sub(x)
}

/// Writes `text` so that it ends at the right edge of `width` columns; where it is too long its left part shows.
pub fn put_right(buf: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: Style) {
    let shift = width.saturating_sub(columns(text));
    put(buf, x + shift, y, width - shift, text, style);
}

/// Columns a text takes on the screen.
pub fn columns(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// The text, filled up to so many columns with blanks.
pub fn left(text: &str, width: u16) -> String {
    format!("{text}{}", " ".repeat(usize::from(width.saturating_sub(columns(text)))))
}

/// The same with the blanks before it.
pub fn right(text: &str, width: u16) -> String {
    format!("{}{text}", " ".repeat(usize::from(width.saturating_sub(columns(text)))))
}

/// The text from a column on.
pub fn skip_columns(text: &str, columns: u16) -> &str {
    let mut left = usize::from(columns);
    let mut graphemes = text.grapheme_indices(true);
    while left > 0 {
        let Some((_, grapheme)) = graphemes.next() else { return "" };
        left = left.saturating_sub(grapheme.width());
    }
    graphemes.as_str()
}

/// A text in at most so many columns: of a path that is longer its end is told, which is what tells it from others, after
/// a sign for what is left out.
pub fn end_of_path<'a>(text: &'a str, width: u16, sign: &str) -> Cow<'a, str> {
    if !text.starts_with('/') || columns(text) <= width {
        return text.into();
    }
    let room = width.saturating_sub(columns(sign));
    // Where it begins depends on how wide the rest is, whatever the width of what is left out.
    let start = text.grapheme_indices(true).map(|(at, _)| at).find(|at| columns(&text[*at..]) <= room);
    format!("{sign}{}", &text[start.unwrap_or(text.len())..]).into()
}

/// A piece of a line: what it says, how it looks, and how soon it is left out where there is no room (0 never).
#[derive(Clone, Debug)]
pub struct Piece {
    /// What it says.
    pub text: String,
    /// How it looks.
    pub style: Style,
    /// The larger, the sooner it goes.
    pub dispensable: u8,
}

impl Piece {
    /// A piece.
    pub fn new(text: impl Into<String>, style: Style, dispensable: u8) -> Self {
        Self { text: text.into(), style, dispensable }
    }
}

/// Writes the pieces that fit, side by side, the least important left out whole: no number is ever cut in its middle.
/// The pieces after `right` stand at the right edge.
pub fn put_pieces(buf: &mut Buffer, area: Rect, left: Vec<Piece>, right: Vec<Piece>) {
    let mut pieces: Vec<(bool, Piece)> =
        left.into_iter().map(|piece| (false, piece)).chain(right.into_iter().map(|piece| (true, piece))).collect();
    let total = |pieces: &[(bool, Piece)]| pieces.iter().map(|(_, piece)| columns(&piece.text)).sum::<u16>();
    while total(&pieces) > area.width {
        let goes = pieces.iter().enumerate().max_by_key(|(place, (_, piece))| (piece.dispensable, *place));
        match goes {
            Some((place, (_, piece))) if piece.dispensable > 0 => {
                let gone = pieces.remove(place).1;
                // A label, which ends with a blank, goes with what it labels.
                let label = place.checked_sub(1).filter(|label| pieces[*label].1.text.ends_with(' '));
                if let Some(label) = label.filter(|label| pieces[*label].1.dispensable == gone.dispensable) {
                    pieces.remove(label);
                }
            }
            _ => break,
        }
    }
    let right_width: u16 = pieces.iter().filter(|(is_right, _)| *is_right).map(|(_, piece)| columns(&piece.text)).sum();
    let (mut x, mut right_x) = (area.x, area.right().saturating_sub(right_width));
    for (is_right, piece) in &pieces {
        let at = if *is_right { &mut right_x } else { &mut x };
        *at += put(buf, *at, area.y, area.right().saturating_sub(*at), &piece.text, piece.style);
    }
}

/// Sets the style of a whole line, under what is written later.
pub fn fill(buf: &mut Buffer, area: Rect, style: Style) {
    for y in area.top()..area.bottom() {
        put(buf, area.x, y, area.width, &" ".repeat(usize::from(area.width)), style);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::text::escape;

    fn shown(buf: &Buffer) -> String {
        buf.content.iter().map(ratatui::buffer::Cell::symbol).collect()
    }

    #[test]
    fn a_wide_character_is_never_split() {
        let area = Rect::new(0, 0, 5, 1);
        let mut buf = Buffer::empty(area);
        assert_eq!(put(&mut buf, 0, 0, 3, "数据库", Style::new()), 2);
        assert_eq!(shown(&buf).trim_end(), "数");
    }

    #[test]
    fn of_a_long_path_the_end_is_told() {
        assert_eq!(end_of_path("/usr/lib/libc.so.6", 11, "…"), "…/libc.so.6");
        assert_eq!(end_of_path("/srv/数据库/库", 6, ".."), "../库");
        assert_eq!(end_of_path("/usr", 4, "…"), "/usr");
        assert_eq!(end_of_path("no path at all", 4, "…"), "no path at all");
        assert_eq!(end_of_path("/usr/lib", 1, "…"), "…");
    }

    #[test]
    fn the_least_important_piece_goes_first() {
        let area = Rect::new(0, 0, 12, 1);
        let mut buf = Buffer::empty(area);
        let piece = |text: &str, dispensable| Piece::new(text, Style::new(), dispensable);
        put_pieces(&mut buf, area, vec![piece("12345", 0), piece(" drop me", 2), piece(" ab", 1)], vec![piece("Z", 0)]);
        assert_eq!(shown(&buf), "12345 ab   Z");
    }

    proptest! {
        #[test]
        fn whatever_a_process_calls_itself_no_control_character_reaches_a_cell(bytes in proptest::collection::vec(any::<u8>(), 0..80), width in 0u16..30) {
            let area = Rect::new(0, 0, 30, 1);
        let mut buf = Buffer::empty(area);
            let used = put(&mut buf, 0, 0, width, &escape(&bytes), Style::new());
            put_right(&mut buf, 0, 0, width, &escape(&bytes), Style::new());
            prop_assert!(used <= width);
            for cell in &buf.content {
                prop_assert!(!cell.symbol().chars().any(char::is_control), "{:?}", cell.symbol());
            }
            // Nothing is written to the right of its columns.
            prop_assert!(buf.content[usize::from(width)..].iter().all(|cell| cell.symbol() == " " || width == 0));
        }
    }
}
