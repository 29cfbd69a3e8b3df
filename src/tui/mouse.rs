//! What the mouse does: the wheel, the heads of columns, lines, the function bar.

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::action::Action;
use super::app::{App, Command};
use super::screen::Screen;
use super::screen::cgroups;
use super::screen::leaks::FindingKey;
use super::screen::processes::{Hit, LineKey};
use super::view;
use crate::model::text::Text;

/// Two clicks within this are a double click.
const DOUBLE_CLICK: Duration = Duration::from_millis(400);

/// The line that was clicked last, and when.
pub(super) type Click = Option<(Instant, Clicked)>;

/// A line that can be clicked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Clicked {
    /// Of the list of processes.
    Line(LineKey),
    /// Of the leaks.
    Finding(FindingKey),
    /// Of the control groups.
    Cgroup(Text),
}

impl App {
    /// Takes what the mouse did at a moment.
    pub fn point(&mut self, mouse: MouseEvent, at: Instant) -> Vec<Command> {
        if matches!(mouse.kind, MouseEventKind::Down(_) | MouseEventKind::ScrollDown | MouseEventKind::ScrollUp) {
            self.close_hints();
        }
        if !self.layers.is_empty() {
            // A popup takes the wheel as keys, and no click: what changes the machine is answered by a key.
            let code = match mouse.kind {
                MouseEventKind::ScrollDown => KeyCode::Down,
                MouseEventKind::ScrollUp => KeyCode::Up,
                _ => return Vec::new(),
            };
            return self.press(KeyEvent::new(code, KeyModifiers::NONE));
        }
        match mouse.kind {
            MouseEventKind::ScrollDown => self.scroll(3),
            MouseEventKind::ScrollUp => self.scroll(-3),
            MouseEventKind::Down(MouseButton::Left) if mouse.row + 1 == self.area.bottom() => {
                let commands = view::bar_action(self, mouse.column).map_or_else(Vec::new, |action| self.act(action));
                self.settle();
                return commands;
            }
            MouseEventKind::Down(MouseButton::Left) if self.screen == Screen::Inspect => {
                if let Some(inspect) = &mut self.inspect {
                    inspect.click(mouse.column, mouse.row);
                }
                self.settle();
            }
            MouseEventKind::Down(MouseButton::Left) if self.screen == Screen::Heap => {
                self.click_heap(mouse.column, mouse.row);
            }
            MouseEventKind::Down(MouseButton::Left) if self.screen == Screen::System => {
                self.system.click(mouse.column, mouse.row);
            }
            MouseEventKind::Down(MouseButton::Left)
                if matches!(self.screen, Screen::Processes | Screen::Leaks | Screen::Cgroups) =>
            {
                return self.click(mouse, at);
            }
            _ => {}
        }
        Vec::new()
    }

    fn click(&mut self, mouse: MouseEvent, at: Instant) -> Vec<Command> {
        let Some(update) = self.update.clone() else { return Vec::new() };
        let findings = &update.snapshot.analysis.findings;
        let clicked = if self.screen == Screen::Leaks {
            self.leaks.hit(findings, mouse.column, mouse.row).map(Clicked::Finding)
        } else if self.screen == Screen::Cgroups {
            match self.cgroups.hit(mouse.column, mouse.row) {
                Some(cgroups::Hit::Head(field)) => {
                    self.cgroups.sort_by(field);
                    None
                }
                Some(cgroups::Hit::Group(path)) => Some(Clicked::Cgroup(path)),
                None => None,
            }
        } else {
            match self.processes.hit(&update.snapshot, mouse.column, mouse.row) {
                Some(Hit::Head(field)) => {
                    self.processes.sort_by(field);
                    None
                }
                Some(Hit::Line(key)) => Some(Clicked::Line(key)),
                None => None,
            }
        };
        if let Some(clicked) = clicked {
            let is_double = self
                .last_click
                .take()
                .is_some_and(|(before, last)| at.saturating_duration_since(before) < DOUBLE_CLICK && last == clicked);
            match clicked.clone() {
                Clicked::Line(key) => self.processes.select(key),
                Clicked::Finding(key) => self.leaks.select(key),
                Clicked::Cgroup(path) => self.cgroups.select(path),
            }
            if is_double {
                self.settle();
                return self.act(Action::OpenDetails);
            }
            self.last_click = Some((at, clicked));
        }
        self.settle();
        Vec::new()
    }

    fn scroll(&mut self, lines: isize) {
        let step = if lines > 0 { Action::MoveDown } else { Action::MoveUp };
        match self.screen {
            Screen::Processes => self.processes.scroll_lines(lines),
            Screen::Leaks => self.move_in_leaks(step),
            Screen::Inspect => self.scroll_inspect(lines),
            Screen::Heap => self.scroll_heap(lines),
            Screen::System => (0..3).for_each(|_| self.move_in_system(step)),
            Screen::Cgroups => self.cgroups.act(step),
            _ => self.scroll_text(step),
        }
        self.settle();
    }
}
