//! A line that is being typed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_segmentation::UnicodeSegmentation as _;

use super::line::{columns, put};
use crate::tui::theme::{Role, Theme};

/// Text and the place of the cursor, edited by whole graphemes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextInput {
    text: String,
    /// In bytes, always at the edge of a grapheme.
    cursor: usize,
}

/// Longer lines are refused: nobody types them.
const LONGEST: usize = 1024;

impl TextInput {
    /// A line with this text, the cursor at its end.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.len(), text }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Takes a key. Returns whether it was one for a line.
    pub fn press(&mut self, key: KeyEvent) -> bool {
        let is_ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, is_ctrl) {
            (KeyCode::Char('w'), true) => self.delete_word(),
            (KeyCode::Char('u'), true) => drop(self.text.drain(..std::mem::take(&mut self.cursor))),
            (KeyCode::Char('a'), true) | (KeyCode::Home, _) => self.cursor = 0,
            (KeyCode::Char('e'), true) | (KeyCode::End, _) => self.cursor = self.text.len(),
            (KeyCode::Char('k'), true) => self.text.truncate(self.cursor),
            (KeyCode::Char(c), false) if !key.modifiers.contains(KeyModifiers::ALT) => {
                self.insert(c.encode_utf8(&mut [0; 4]));
            }
            (KeyCode::Backspace, _) => {
                let start = self.before();
                self.text.drain(start..self.cursor);
                self.cursor = start;
            }
            (KeyCode::Delete, _) => drop(self.text.drain(self.cursor..self.after())),
            (KeyCode::Left, _) => self.cursor = self.before(),
            (KeyCode::Right, _) => self.cursor = self.after(),
            _ => return false,
        }
        true
    }

    /// Inserts at the cursor what was pasted; line ends and other controls become blanks.
    pub fn insert(&mut self, text: &str) {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if self.text.len() + text.len() <= LONGEST {
            self.text.insert_str(self.cursor, &text);
            self.cursor += text.len();
        }
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        self.text[self.cursor..].graphemes(true).next().map_or(self.cursor, |grapheme| self.cursor + grapheme.len())
    }

    fn delete_word(&mut self) {
        let kept = self.text[..self.cursor].trim_end();
        let blank = kept.char_indices().rfind(|(_, c)| c.is_whitespace());
        let start = blank.map_or(0, |(at, c)| at + c.len_utf8());
        self.text.drain(start..self.cursor);
        self.cursor = start;
    }

    /// Draws the line with its cursor as a reversed cell; a long line is shifted so that the cursor is seen.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, theme: &Theme) {
        let style = theme.style(Role::Text);
        let mut start = 0;
        while columns(&self.text[start..self.cursor]) >= area.width.max(1) {
            start += self.text[start..].graphemes(true).next().map_or(1, str::len);
        }
        put(buf, area.x, area.y, area.width, &self.text[start..], style);
        let x = area.x + columns(&self.text[start..self.cursor]);
        if let Some(cell) = buf.cell_mut((x.min(area.right().saturating_sub(1)), area.y)) {
            cell.modifier.insert(ratatui::style::Modifier::REVERSED);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    #[test]
    fn a_grapheme_is_deleted_whole() {
        let mut input = TextInput::new("ae\u{301}");
        input.press(key(KeyCode::Backspace));
        assert_eq!(input.text(), "a");
    }

    #[test]
    fn a_word_is_deleted_with_the_blanks_after_it() {
        let mut input = TextInput::new("rss>1M node  ");
        input.press(KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL));
        assert_eq!(input.text(), "rss>1M ");
        // A blank may be wide.
        let mut input = TextInput::new("数\u{3000}据");
        input.press(KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL));
        assert_eq!(input.text(), "数\u{3000}");
    }

    proptest! {
        #[test]
        fn any_keys_leave_the_cursor_at_the_edge_of_a_character(keys in proptest::collection::vec(prop_oneof![
            any::<char>().prop_map(KeyCode::Char), Just(KeyCode::Backspace), Just(KeyCode::Delete), Just(KeyCode::Left),
            Just(KeyCode::Right), Just(KeyCode::Home), Just(KeyCode::End)], 0..60), is_ctrl in any::<bool>()) {
            let mut input = TextInput::new("数 e\u{301} x");
            for code in keys {
                input.press(KeyEvent::new(code, if is_ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE }));
                prop_assert!(input.text.is_char_boundary(input.cursor));
                prop_assert!(!input.text.chars().any(char::is_control));
            }
        }
    }
}
