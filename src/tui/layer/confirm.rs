//! The question before anything is changed: who, what will happen, what it needs. No is the answer unless yes is said.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Answer, Deed};
use crate::act::effect::{Effect, Plan};
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::put;
use crate::tui::widget::popup;
use crate::tui::widget::wrap::wrap;

/// A question. The effect holds the processes as they were when it was asked.
#[derive(Clone, Debug)]
pub struct Confirm {
    effect: Effect,
    plan: Plan,
}

impl Confirm {
    /// The question about an effect.
    pub fn new(effect: Effect, plan: Plan) -> Self {
        Self { effect, plan }
    }

    pub(super) fn press(&self, key: KeyEvent) -> Answer {
        match key.code {
            KeyCode::Char('y' | 'Y') if self.plan.refusal.is_none() => Answer::CloseAnd(Deed::Run(self.effect.clone())),
            KeyCode::Char('c') if !key.modifiers.contains(KeyModifiers::CONTROL) => Answer::Stay,
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('n' | 'N' | 'q' | 'c') => Answer::Close,
            _ => Answer::Stay,
        }
    }

    pub(super) fn draw(&self, buf: &mut Buffer, screen: Rect, theme: &Theme) {
        let width = 76.min(screen.width.saturating_sub(4));
        let text = theme.style(Role::Popup);
        let ground = |role| text.patch(theme.style(role));
        let broken = |texts: &[String], style| -> Vec<(String, Style)> {
            texts.iter().flat_map(|text| wrap(text, width)).map(|line| (line, style)).collect()
        };
        let (answer, hint) = match &self.plan.refusal {
            None => (
                vec![(tr!("y  yes, do it        n  no (also enter, esc)").to_owned(), ground(Role::Warn))],
                tr!("y yes  n no"),
            ),
            Some(refusal) => {
                let mut lines = broken(std::slice::from_ref(&refusal.reason), ground(Role::Danger));
                if !refusal.command.is_empty() {
                    lines.extend(broken(std::slice::from_ref(&refusal.command), ground(Role::Match)));
                }
                (lines, tr!("esc close"))
            }
        };
        let effects = broken(&self.plan.lines(), text);
        let targets = broken(&self.plan.targets, ground(Role::Title));
        // Who is hit and the answer are seen first, then what will happen, as far as there is room.
        let room = usize::from(screen.height.saturating_sub(2)).saturating_sub(answer.len());
        let blanks = usize::from(room > targets.len().min(3) + effects.len() + 1);
        let for_targets = room.saturating_sub(effects.len() + 2 * blanks).max(room.min(3));
        let mut lines = shorten(targets, for_targets, |left| (tr!("and {left} more", left), text));
        let for_effects = room.saturating_sub(lines.len() + 2 * blanks);
        let blank = || std::iter::repeat_n((String::new(), text), blanks);
        lines.extend(blank());
        lines.extend(shorten(effects, for_effects, |_| (theme.pick("…", "...").to_owned(), text)));
        lines.extend(blank());
        lines.extend(answer);
        let inside = popup::frame(buf, screen, width, lines.len() as u16, &self.plan.title, hint, theme);
        for ((line, style), y) in lines.iter().zip(inside.y..inside.bottom()) {
            put(buf, inside.x, y, inside.width, line, *style);
        }
    }
}

/// At most `room` lines, the last of them telling how many were left out where not all fit.
fn shorten<T>(mut lines: Vec<T>, room: usize, rest: impl FnOnce(usize) -> T) -> Vec<T> {
    if lines.len() > room {
        let left = lines.len() - room.saturating_sub(1);
        lines.truncate(room.saturating_sub(1));
        if room > 0 {
            lines.push(rest(left));
        }
    }
    lines
}
