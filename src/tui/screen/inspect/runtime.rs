//! What runs the process, the memory limit that it keeps to by itself, and how far it is to that.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::head;
use super::seen::Seen;
use crate::analyze::runtime::inspected;
use crate::export::runtime;
use crate::model::inspect::Part;
use crate::model::reading::Reading;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::put;
use crate::tui::widget::wrap::wrap;

/// Columns of the names.
const NAME: u16 = 18;

/// A line: its name, where it has one, and what is said.
type Line = (&'static str, String);

/// The lines, as wide as fits; `None` where nothing is known yet, or nothing that runs the process.
fn lines(seen: &Seen, width: u16) -> Option<Vec<Line>> {
    let Reading::Value(Some(known)) = inspected(seen.part(Part::Runtime)?) else { return None };
    let room = width.saturating_sub(NAME + 2).max(8);
    let wrapped = runtime::lines(&known).into_iter().flat_map(|(name, text)| {
        let names = std::iter::once(name).chain(std::iter::repeat(""));
        names.zip(wrap(&text, room)).collect::<Vec<_>>()
    });
    Some(wrapped.collect())
}

/// How many lines there are.
pub(super) fn count(seen: &Seen, body: Rect) -> usize {
    lines(seen, body.width).map_or(0, |lines| lines.len())
}

/// Draws the lines from `offset` on.
pub(super) fn draw(buf: &mut Buffer, body: Rect, seen: &Seen, offset: usize, theme: &Theme) {
    let Some(lines) = lines(seen, body.width) else {
        let text = match seen.part(Part::Runtime).map(inspected) {
            Some(Reading::Value(None)) => {
                tr!("No runtime that is known here runs it: it has no memory limit of its own that could be seen.")
                    .to_owned()
            }
            Some(reading) => tr!("The runtime can't be read: {why}.", why = reading.explain().unwrap_or_default()),
            None => seen.unseen(Part::Runtime, theme),
        };
        return head::say(buf, body, &text, theme);
    };
    for ((name, text), y) in lines.iter().skip(offset).zip(body.y..body.bottom()) {
        put(buf, body.x + 1, y, NAME, name, theme.style(Role::Muted));
        let x = body.x + 1 + NAME;
        put(buf, x, y, body.right().saturating_sub(x), text, theme.style(Role::Text));
    }
}
