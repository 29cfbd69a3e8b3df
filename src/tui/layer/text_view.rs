//! Text to read: the help.

use std::borrow::Cow;
use std::cell::Cell;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Answer;
use crate::model::field::PROCESS_FIELDS;
use crate::tui::action::{ACTIONS, Group};
use crate::tui::keymap::Keymap;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{columns, put};
use crate::tui::widget::popup;
use crate::tui::widget::wrap::wrap;

/// Lines under a title, each of cells in columns.
#[derive(Clone, Debug)]
pub struct TextView {
    title: String,
    lines: Vec<Vec<(String, Role)>>,
    offset: usize,
    /// How far it can be scrolled, which is known once it has been drawn.
    most: Cell<usize>,
}

/// A part of a line, in its columns.
struct Piece<'a> {
    x: u16,
    width: u16,
    text: Cow<'a, str>,
    role: Role,
}

impl TextView {
    /// Every key and what it does.
    pub fn help(keymap: &Keymap) -> Self {
        let mut lines = Vec::new();
        for (group, title) in Group::ALL {
            lines.push(vec![(tr!(of title).to_owned(), Role::Title)]);
            for spec in ACTIONS.iter().filter(|spec| spec.group == group) {
                let keys = keymap.keys(spec.action).join(" ");
                lines.push(vec![(format!("  {keys}"), Role::Match), (tr!(of spec.help).to_owned(), Role::Text)]);
            }
            lines.push(Vec::new());
        }
        lines.push(vec![(tr!("Columns").to_owned(), Role::Title)]);
        for field in PROCESS_FIELDS {
            lines.push(vec![
                (format!("  {} ({})", tr!(of field.title), field.key), Role::Match),
                (tr!(of field.help).to_owned(), Role::Text),
            ]);
        }
        Self { title: tr!("help").into(), lines, offset: 0, most: Cell::new(usize::MAX) }
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Answer {
        let is_ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let last = self.most.get();
        self.offset = self.offset.min(last);
        match (key.code, is_ctrl) {
            (KeyCode::Esc | KeyCode::Enter | KeyCode::F(1) | KeyCode::Char('q' | '?' | 'h'), false)
            | (KeyCode::Char('c'), true) => {
                return Answer::Close;
            }
            (KeyCode::Down | KeyCode::Char('j'), false) => self.offset = self.offset.saturating_add(1).min(last),
            (KeyCode::Up | KeyCode::Char('k'), false) => self.offset = self.offset.saturating_sub(1),
            (KeyCode::PageDown | KeyCode::Char(' '), false) | (KeyCode::Char('d'), true) => {
                self.offset = self.offset.saturating_add(10).min(last);
            }
            (KeyCode::PageUp, false) | (KeyCode::Char('u'), true) => self.offset = self.offset.saturating_sub(10),
            (KeyCode::Home, _) => self.offset = 0,
            (KeyCode::End, _) => self.offset = last,
            _ => {}
        }
        Answer::Stay
    }

    pub(super) fn draw(&self, buf: &mut Buffer, screen: Rect, theme: &Theme) {
        let width = 110.min(screen.width.saturating_sub(4));
        let lines = self.fit(width);
        let hint = tr!("up/down scroll  esc close");
        let inside = popup::frame(buf, screen, width, lines.len() as u16, &self.title, hint, theme);
        let ground = theme.style(Role::Popup);
        self.most.set(lines.len().saturating_sub(usize::from(inside.height)));
        let offset = self.offset.min(self.most.get());
        for (line, y) in lines.iter().skip(offset).zip(inside.y..inside.bottom()) {
            for piece in line {
                let Piece { x, width, text, role } = piece;
                put(buf, inside.x + x, y, *width, text, ground.patch(theme.style(*role)));
            }
        }
    }

    /// The lines as they stand in so many columns: the last piece of a line is broken into as
    /// many lines as it takes.
    fn fit(&self, width: u16) -> Vec<Vec<Piece<'_>>> {
        let cells = self.lines.iter().map(Vec::len).max().unwrap_or(1);
        // The last cell of a line takes what is left and measures nothing.
        let widths: Vec<u16> = (0..cells.saturating_sub(1))
            .map(|cell| {
                let own = self.lines.iter().filter(|line| line.len() > cell + 1).map(|line| &line[cell]);
                own.map(|(text, _)| columns(text)).max().unwrap_or(0).min(width / 2)
            })
            .collect();
        let mut fitted = Vec::new();
        for line in &self.lines {
            let mut row = Vec::new();
            let mut x = 0;
            for ((text, role), own) in line.iter().zip(&widths).take(line.len().saturating_sub(1)) {
                row.push(Piece { x, width: *own, text: text.into(), role: *role });
                x += own + 1;
            }
            let Some((text, role)) = line.last() else {
                fitted.push(row);
                continue;
            };
            let rest = width.saturating_sub(x).max(1);
            for (nth, part) in wrap(text, rest).into_iter().enumerate() {
                let mut row = if nth == 0 { std::mem::take(&mut row) } else { Vec::new() };
                row.push(Piece { x, width: rest, text: part.into(), role: *role });
                fitted.push(row);
            }
        }
        fitted
    }
}
