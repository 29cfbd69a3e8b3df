//! The question before anything is changed: who, what will happen, what it needs. No is the answer unless yes is said.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

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
        let mut lines: Vec<(String, ratatui::style::Style)> = Vec::new();
        let room = usize::from(screen.height).saturating_sub(8 + self.plan.effects.len()).max(1);
        lines.extend(self.plan.targets.iter().take(room).map(|target| (target.clone(), ground(Role::Title))));
        if self.plan.targets.len() > room {
            lines.push((format!("and {} more", self.plan.targets.len() - room), text));
        }
        lines.push((String::new(), text));
        for effect in &self.plan.effects {
            lines.extend(wrap(effect, width).into_iter().map(|line| (line, text)));
        }
        lines.push((String::new(), text));
        let hint = match &self.plan.refusal {
            None => {
                lines.push(("y  yes, do it        n  no (also enter, esc)".to_owned(), ground(Role::Warn)));
                "y yes  n no"
            }
            Some(refusal) => {
                lines.extend(wrap(&refusal.reason, width).into_iter().map(|line| (line, ground(Role::Danger))));
                if !refusal.command.is_empty() {
                    lines.push((refusal.command.clone(), ground(Role::Match)));
                }
                "esc close"
            }
        };
        let inside = popup::frame(buf, screen, width, lines.len() as u16, &self.plan.title, hint, theme);
        // Where not all fits, the end with the answer is what must be seen.
        let surplus = lines.len().saturating_sub(usize::from(inside.height));
        for ((line, style), y) in lines.iter().skip(surplus).zip(inside.y..inside.bottom()) {
            put(buf, inside.x, y, inside.width, line, *style);
        }
    }
}
