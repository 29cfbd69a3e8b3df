//! The line in which the value of a change is typed: a size, a number, a path.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Answer, Deed};
use crate::act::change::{Change, Subject};
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{fill, put};
use crate::tui::widget::text_input::TextInput;

/// A value being typed, for whoever was chosen when it began.
#[derive(Clone, Debug)]
pub struct Value {
    change: Change,
    subject: Subject,
    line: TextInput,
    error: Option<String>,
}

impl Value {
    /// A line with a first proposal.
    pub fn new(change: Change, subject: Subject, proposal: &str) -> Self {
        Self { change, subject, line: TextInput::new(proposal), error: None }
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Answer {
        let is_ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        self.error = None;
        match (key.code, is_ctrl) {
            (KeyCode::Esc, _) | (KeyCode::Char('c' | 'g'), true) => return Answer::Close,
            (KeyCode::Enter, _) => match self.change.effect(self.line.text(), &self.subject) {
                Ok(effect) => return Answer::CloseAnd(Deed::Ask(effect)),
                Err(error) => self.error = Some(error),
            },
            _ => {
                self.line.press(key);
            }
        }
        Answer::Stay
    }

    pub(super) fn paste(&mut self, text: &str) -> Answer {
        self.line.insert(text);
        Answer::Stay
    }

    pub(super) fn draw(&self, buf: &mut Buffer, screen: Rect, theme: &Theme) {
        let y = screen.bottom().saturating_sub(1);
        let line = Rect::new(screen.x, y, screen.width, 1);
        let above = Rect { y: y.saturating_sub(1), ..line };
        let spec = self.change.spec();
        fill(buf, line, theme.style(Role::Text));
        fill(buf, above, theme.style(Role::Text));
        let used = put(buf, line.x, y, line.width, &format!(" {}: ", spec.word), theme.style(Role::Match));
        self.line.draw(buf, Rect { x: line.x + used, width: line.width.saturating_sub(used), ..line }, theme);
        let (hint, role) = match &self.error {
            Some(error) => (format!(" {error}"), Role::Danger),
            None => (
                tr!(" enter asks first  esc close  {value}", value = tr!(of spec.value.unwrap_or_default())),
                Role::Muted,
            ),
        };
        put(buf, above.x, above.y, above.width, &hint, theme.style(role));
    }
}
