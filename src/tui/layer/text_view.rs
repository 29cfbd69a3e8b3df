//! Text to read: the help, the details of a process.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Answer;
use crate::model::field::PROCESS_FIELDS;
use crate::model::reading::Reading;
use crate::model::snapshot::Row;
use crate::tui::action::{ACTIONS, Group};
use crate::tui::keymap::Keymap;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{columns, put};
use crate::tui::widget::popup;

/// Lines under a title, each of cells in columns.
#[derive(Clone, Debug)]
pub struct TextView {
    title: String,
    lines: Vec<Vec<(String, Role)>>,
    offset: usize,
}

impl TextView {
    /// Every key and what it does.
    pub fn help(keymap: &Keymap) -> Self {
        let mut lines = Vec::new();
        for (group, title) in Group::ALL {
            lines.push(vec![(title.to_owned(), Role::Title)]);
            for spec in ACTIONS.iter().filter(|spec| spec.group == group) {
                let keys = keymap.keys(spec.action).join(" ");
                lines.push(vec![(format!("  {keys}"), Role::Match), (spec.help.to_owned(), Role::Text)]);
            }
            lines.push(Vec::new());
        }
        lines.push(vec![("Columns".to_owned(), Role::Title)]);
        for field in PROCESS_FIELDS {
            lines.push(vec![
                (format!("  {} ({})", field.title, field.key), Role::Match),
                (field.help.to_owned(), Role::Text),
            ]);
        }
        Self { title: "help".into(), lines, offset: 0 }
    }

    /// Everything known of a process, and why the rest is not.
    pub fn details(row: &Row<'_>) -> Self {
        let key = row.process.key;
        let mut lines = vec![
            vec![(row.process.identity.shown_command().into_owned(), Role::Title)],
            vec![(format!("pid {}, started at tick {} since boot", key.pid, key.start_time), Role::Muted)],
            Vec::new(),
        ];
        for field in PROCESS_FIELDS.iter().filter(|field| field.width > 0 && field.key != "history") {
            let reading = (field.get)(row);
            let reason = field.explain(&reading);
            let (value, role, note) = match &reading {
                Reading::Value(value) => (value.to_string(), Role::Text, field.help.to_owned()),
                Reading::Stale(value, age) => {
                    (value.to_string(), Role::Stale, format!("{} Read {} s ago.", field.help, age / 1000))
                }
                _ => ("-".to_owned(), Role::Muted, reason.unwrap_or_default()),
            };
            lines.push(vec![
                (format!("{:>10}", field.title), Role::Muted),
                (format!("{value:>8}"), role),
                (note, Role::Muted),
            ]);
        }
        Self { title: format!("process {}", key.pid), lines, offset: 0 }
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Answer {
        let is_ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let last = self.lines.len().saturating_sub(1);
        match (key.code, is_ctrl) {
            (KeyCode::Esc | KeyCode::Enter | KeyCode::F(1) | KeyCode::Char('q' | '?' | 'h'), false)
            | (KeyCode::Char('c'), true) => {
                return Answer::Close;
            }
            (KeyCode::Down | KeyCode::Char('j'), false) => self.offset = (self.offset + 1).min(last),
            (KeyCode::Up | KeyCode::Char('k'), false) => self.offset = self.offset.saturating_sub(1),
            (KeyCode::PageDown | KeyCode::Char(' '), false) | (KeyCode::Char('d'), true) => {
                self.offset = (self.offset + 10).min(last);
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
        let inside =
            popup::frame(buf, screen, width, self.lines.len() as u16, &self.title, "up/down scroll  esc close", theme);
        let cells = self.lines.iter().map(Vec::len).max().unwrap_or(1);
        // The last cell takes what is left; a line of one cell is a heading and measures nothing.
        let widths: Vec<u16> = (0..cells.saturating_sub(1))
            .map(|cell| {
                let own = self.lines.iter().filter(|line| line.len() > 1).filter_map(|line| line.get(cell));
                own.map(|(text, _)| columns(text)).max().unwrap_or(0).min(inside.width / 2)
            })
            .collect();
        let ground = theme.style(Role::Popup);
        let offset = self.offset.min(self.lines.len().saturating_sub(usize::from(inside.height)));
        for (line, y) in self.lines.iter().skip(offset).zip(inside.y..inside.bottom()) {
            let mut x = inside.x;
            for (cell, (text, role)) in line.iter().enumerate() {
                let rest = inside.right().saturating_sub(x);
                let own = if line.len() > 1 { widths.get(cell).copied().unwrap_or(rest).min(rest) } else { rest };
                put(buf, x, y, own, text, ground.patch(theme.style(*role)));
                x += own + 1;
            }
        }
    }
}
