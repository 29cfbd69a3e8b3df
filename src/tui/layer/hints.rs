//! Three hints at the very first start: over the foot of the list, until any key, which does what it always does.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::action::Action;
use crate::tui::keymap::Keymap;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{columns, put};
use crate::tui::widget::popup;
use crate::tui::widget::wrap::wrap;

/// Below this the list needs the room more.
const LEAST_ROWS: u16 = 16;

/// What the hints are called, and how they go.
const TITLE: &str = key!("first time here");
const HOW_TO_CLOSE: &str = key!("any key closes this, and does what it does");

/// What the keys lead to.
const WHO: &str = key!("who leaks, how fast, until when; the largest lead the list");
const WHOLE: &str = key!("the selected process whole: mappings, descriptors, its limits");
const ALL: &str = key!("every key and every command; nothing is changed before it asks");
const READ_ONLY: &str = key!("every key and every command; nothing is changed: read-only");

/// The hints: the keys, and what they lead to.
#[derive(Clone, Debug)]
pub struct Hints {
    lines: [(String, &'static str); 3],
}

impl Hints {
    /// The hints, with the keys that a person has.
    pub fn new(keymap: &Keymap, is_read_only: bool) -> Self {
        let key = |action| keymap.keys(action).first().map_or("", |key| key.as_str());
        Self {
            lines: [
                (key(Action::ShowLeaks).into(), tr!(of WHO)),
                (key(Action::OpenDetails).into(), tr!(of WHOLE)),
                (
                    format!("{} {}", key(Action::Help), key(Action::Palette)),
                    if is_read_only { tr!(of READ_ONLY) } else { tr!(of ALL) },
                ),
            ],
        }
    }

    pub(super) fn draw(&self, buf: &mut Buffer, screen: Rect, theme: &Theme) {
        if screen.height < LEAST_ROWS {
            return;
        }
        let keys = self.lines.iter().map(|(key, _)| columns(key)).max().unwrap_or(0) + 2;
        let widest = self.lines.iter().map(|(_, text)| columns(text)).max().unwrap_or(0);
        let room = screen.width.saturating_sub(6 + keys);
        let lines: Vec<(&str, String)> = self
            .lines
            .iter()
            .flat_map(|(key, text)| {
                let parts = wrap(text, room).into_iter().enumerate();
                parts.map(move |(nth, part)| (if nth == 0 { key.as_str() } else { "" }, part))
            })
            .collect();
        // The line of the keys stays in sight, and so does the foot of the list.
        let height = lines.len() as u16 + 2;
        let foot = Rect { y: screen.bottom().saturating_sub(height + 2), height, ..screen };
        let width = keys + widest.min(room);
        let inside = popup::frame(buf, foot, width, height - 2, tr!(of TITLE), tr!(of HOW_TO_CLOSE), theme);
        let ground = theme.style(Role::Popup);
        for ((key, text), y) in lines.iter().zip(inside.y..inside.bottom()) {
            put(buf, inside.x, y, keys, key, ground.patch(theme.style(Role::Match)));
            put(buf, inside.x + keys, y, inside.width.saturating_sub(keys), text, ground);
        }
    }
}
