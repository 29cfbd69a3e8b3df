//! A choice among lines that typing narrows.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Answer, Deed, palette};
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{columns, fill, put, put_right};
use crate::tui::widget::popup;
use crate::tui::widget::text_input::TextInput;
use crate::tui::widget::wrap::wrap;

/// A line that can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What it is.
    pub label: String,
    /// What it does, or its key.
    pub note: String,
    /// What choosing it means.
    pub deed: Deed,
}

/// A menu.
#[derive(Clone, Debug)]
pub struct Menu {
    title: String,
    items: Vec<Item>,
    typed: TextInput,
    selected: usize,
    /// Whether what is typed may be a command with a value.
    is_palette: bool,
    error: Option<String>,
}

impl Menu {
    /// A menu with one of its lines selected.
    pub fn new(title: impl Into<String>, items: Vec<Item>, selected: usize) -> Self {
        Self { title: title.into(), items, typed: TextInput::default(), selected, is_palette: false, error: None }
    }

    /// The command palette.
    pub fn palette(items: Vec<Item>) -> Self {
        Self { is_palette: true, ..Self::new(tr!("command"), items, 0) }
    }

    /// The lines that fit what was typed, the best first.
    fn shown(&self) -> Vec<&Item> {
        let word = self.typed.text().to_lowercase();
        let mut shown: Vec<(usize, &Item)> = self
            .items
            .iter()
            .filter_map(|item| Some((rank(&item.label.to_lowercase(), &item.note.to_lowercase(), &word)?, item)))
            .collect();
        shown.sort_by_key(|(rank, _)| *rank);
        shown.into_iter().map(|(_, item)| item).collect()
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Answer {
        let count = self.shown().len();
        self.error = None;
        match (key.code, key.modifiers.contains(KeyModifiers::CONTROL)) {
            (KeyCode::Esc, _) | (KeyCode::Char('c' | 'g'), true) => return Answer::Close,
            (KeyCode::Tab, _) if self.is_palette => {
                if let Some(completed) = palette::complete(self.typed.text()) {
                    self.typed = TextInput::new(completed);
                }
            }
            (KeyCode::Down | KeyCode::Tab, _) | (KeyCode::Char('n'), true) => {
                self.selected = (self.selected + 1) % count.max(1);
            }
            (KeyCode::Up | KeyCode::BackTab, _) | (KeyCode::Char('p'), true) => {
                self.selected = (self.selected + count.max(1) - 1) % count.max(1);
            }
            (KeyCode::PageDown, _) => self.selected = (self.selected + 10).min(count.saturating_sub(1)),
            (KeyCode::PageUp, _) => self.selected = self.selected.saturating_sub(10),
            (KeyCode::Home, _) => self.selected = 0,
            (KeyCode::End, _) => self.selected = count.saturating_sub(1),
            (KeyCode::Enter, _) => return self.choose(),
            _ => {
                let before = self.typed.text().to_owned();
                self.typed.press(key);
                if before != self.typed.text() {
                    self.selected = 0;
                }
            }
        }
        Answer::Stay
    }

    pub(super) fn paste(&mut self, text: &str) -> Answer {
        self.typed.insert(text);
        self.selected = 0;
        Answer::Stay
    }

    fn choose(&mut self) -> Answer {
        if self.is_palette
            && let Some(command) = palette::parse(self.typed.text())
        {
            return match command {
                Ok(deed) => Answer::CloseAnd(deed),
                Err(error) => {
                    self.error = Some(error);
                    Answer::Stay
                }
            };
        }
        match self.shown().get(self.selected) {
            Some(item) => Answer::CloseAnd(item.deed.clone()),
            None => Answer::Stay,
        }
    }

    pub(super) fn draw(&self, buf: &mut Buffer, screen: Rect, theme: &Theme) {
        let shown = self.shown();
        let widest = |text: fn(&Item) -> &str| self.items.iter().map(|item| columns(text(item))).max().unwrap_or(0);
        let (label, note) = (widest(|item| &item.label), widest(|item| &item.note));
        let width = (label + note + 5).clamp(36, 100);
        // What a narrow popup cuts is said in full of the selected line, below the others.
        let is_cut = width + 4 > screen.width;
        let height = self.items.len() as u16 + 1 + if is_cut { 3 } else { 0 };
        let hint = tr!("type to narrow  enter choose  esc close");
        let inside = popup::frame(buf, screen, width, height, &self.title, hint, theme);
        let typed = Rect { height: 1, ..inside };
        let used = put(buf, typed.x, typed.y, typed.width, theme.pick("› ", "> "), theme.style(Role::Match));
        self.typed.draw(buf, Rect { x: typed.x + used, width: typed.width.saturating_sub(used), ..typed }, theme);
        if let Some(error) = &self.error {
            put_right(buf, typed.x, typed.y, typed.width, error, theme.style(Role::Danger));
        }
        let mut lines = Rect { y: inside.y + 1, height: inside.height.saturating_sub(1), ..inside };
        if is_cut && lines.height > 6 {
            lines.height -= 3;
            let note = shown.get(self.selected).map_or("", |item| item.note.as_str());
            let style = theme.style(Role::Popup).patch(theme.style(Role::Muted));
            for (line, y) in wrap(note, lines.width).iter().zip(lines.bottom() + 1..inside.bottom()) {
                put(buf, lines.x, y, lines.width, line, style);
            }
        }
        let first = (self.selected + 1).saturating_sub(usize::from(lines.height));
        for ((nth, item), y) in shown.iter().enumerate().skip(first).zip(lines.y..lines.bottom()) {
            let line = Rect { y, height: 1, ..lines };
            draw_item(buf, line, item, nth == self.selected, label.min(line.width / 2), theme);
        }
    }
}

/// A line, the selected one marked by more than a colour; the notes stand below each other.
fn draw_item(buf: &mut Buffer, line: Rect, item: &Item, is_selected: bool, label: u16, theme: &Theme) {
    let style = theme.style(if is_selected { Role::Selected } else { Role::Popup });
    fill(buf, line, style);
    if is_selected {
        put(buf, line.x, line.y, 1, theme.pick("▸", ">"), style);
    }
    let used = 2 + put(buf, line.x + 2, line.y, line.width.saturating_sub(2), &item.label, style);
    let note = used.max(label + 2) + 2;
    let room = line.width.saturating_sub(note);
    if columns(&item.note) <= room || room > 12 {
        put(buf, line.x + note, line.y, room, &item.note, style);
    }
}

/// How well a line fits: 0 best; `None` not at all. Letters may be left out.
fn rank(label: &str, note: &str, word: &str) -> Option<usize> {
    if word.is_empty() || label.starts_with(word) {
        return Some(0);
    }
    // A signal is called with and without its SIG.
    let begins =
        |part: &str| part.starts_with(word) || part.strip_prefix("sig").is_some_and(|part| part.starts_with(word));
    if label.split_whitespace().any(begins) {
        return Some(1);
    }
    if label.contains(word) {
        return Some(2);
    }
    let mut rest = label.chars();
    if word.chars().filter(|c| !c.is_whitespace()).all(|c| rest.any(|other| other == c)) {
        return Some(3);
    }
    note.contains(word).then_some(4)
}
