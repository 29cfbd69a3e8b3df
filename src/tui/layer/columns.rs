//! The choice of columns: tick, move.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Answer, Deed};
use crate::model::field::{PROCESS_FIELDS, ProcessField};
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{fill, left, put};
use crate::tui::widget::popup;
use crate::tui::widget::wrap::wrap;

/// All fields, the chosen ones first, in their order.
#[derive(Clone, Debug)]
pub struct Columns {
    fields: Vec<(&'static ProcessField, bool)>,
    selected: usize,
}

impl Columns {
    /// The choice as it is now.
    pub fn new(chosen: &[&'static ProcessField]) -> Self {
        let rest = PROCESS_FIELDS.iter().filter(|field| !chosen.contains(field)).map(|field| (field, false));
        Self { fields: chosen.iter().map(|field| (*field, true)).chain(rest).collect(), selected: 0 }
    }

    fn deed(&self) -> Answer {
        Answer::StayAnd(Deed::Columns(
            self.fields.iter().filter(|(_, is_on)| *is_on).map(|(field, _)| *field).collect(),
        ))
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Answer {
        let last = self.fields.len().saturating_sub(1);
        let is_moving = key.modifiers.intersects(KeyModifiers::SHIFT | KeyModifiers::ALT | KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => return Answer::Close,
            KeyCode::Char(' ' | 'x') => {
                let is_only = self.fields.iter().filter(|(_, is_on)| *is_on).count() == 1;
                let is_on = &mut self.fields[self.selected].1;
                // A table without a column shows nothing.
                *is_on = !*is_on || is_only;
                return self.deed();
            }
            KeyCode::Char('+' | 'J') if self.selected < last => return self.shift(self.selected + 1),
            KeyCode::Char('-' | 'K') if self.selected > 0 => return self.shift(self.selected - 1),
            KeyCode::Down if is_moving && self.selected < last => return self.shift(self.selected + 1),
            KeyCode::Up if is_moving && self.selected > 0 => return self.shift(self.selected - 1),
            KeyCode::Down | KeyCode::Char('j') => self.selected = (self.selected + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::PageDown => self.selected = (self.selected + 10).min(last),
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(10),
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = last,
            _ => {}
        }
        Answer::Stay
    }

    fn shift(&mut self, to: usize) -> Answer {
        self.fields.swap(self.selected, to);
        self.selected = to;
        self.deed()
    }

    pub(super) fn draw(&self, buf: &mut Buffer, screen: Rect, theme: &Theme) {
        let hint = tr!("space on/off  +/- move  esc close");
        // The help of the selected field stands in full below the others.
        let height = self.fields.len() as u16 + 3;
        let inside = popup::frame(buf, screen, 90, height, tr!("columns"), hint, theme);
        let lines = Rect { height: if inside.height > 7 { inside.height - 3 } else { inside.height }, ..inside };
        let help = wrap(tr!(of self.fields[self.selected].0.help), lines.width);
        for (line, y) in help.iter().zip(lines.bottom() + 1..inside.bottom()) {
            put(buf, lines.x, y, lines.width, line, theme.style(Role::Popup).patch(theme.style(Role::Muted)));
        }
        let first = (self.selected + 1).saturating_sub(usize::from(lines.height));
        for ((nth, (field, is_on)), y) in self.fields.iter().enumerate().skip(first).zip(lines.y..lines.bottom()) {
            let is_selected = nth == self.selected;
            let style = theme.style(if is_selected { Role::Selected } else { Role::Popup });
            fill(buf, Rect { y, height: 1, ..lines }, style);
            let pointer = if is_selected { theme.pick("▸", ">") } else { " " };
            let mark = if *is_on { "[x]" } else { "[ ]" };
            let text = format!("{pointer} {mark} {} {}", left(tr!(of field.title), 10), tr!(of field.help));
            put(buf, lines.x, y, lines.width, &text, style);
        }
    }
}
