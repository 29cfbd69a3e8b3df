//! Where in a recording we are, and what happened in it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::line::{columns, fill, put, put_right};
use crate::analyze::events::EventKind;
use crate::model::reading::BootMs;
use crate::session::update::{Replay, Update};
use crate::tui::event::time_of_day;
use crate::tui::theme::{Role, Theme};

/// How much an event matters where several fall on one column: the first of these is shown.
const ORDER: [EventKind; 6] = [
    EventKind::OomKill,
    EventKind::Action,
    EventKind::Verdict,
    EventKind::SwapStorm,
    EventKind::Ended,
    EventKind::Started,
];

/// Draws the bar on one line: the recording's ends, its events as far as they are known, and the moment shown.
pub fn draw(buf: &mut Buffer, area: Rect, update: &Update, replay: &Replay, theme: &Theme) {
    let (text, muted) = (theme.style(Role::Text), theme.style(Role::Muted));
    fill(buf, area, text);
    let timeline = &update.timeline;
    let wall = |at: BootMs| update.snapshot.sample.wall_ms + at.0 as i64 - timeline.shown.0 as i64;
    let first = format!(" {} ", time_of_day(wall(timeline.oldest)));
    let judged = replay.judged.map(|percent| tr!(" judging {percent}%", percent)).unwrap_or_default();
    let last = format!(" {}{judged} ", time_of_day(wall(timeline.newest)));
    let bar = Rect {
        x: area.x + columns(&first),
        width: area.width.saturating_sub(columns(&first) + columns(&last)),
        ..area
    };
    put(buf, area.x, area.y, area.width, &first, muted);
    put_right(buf, area.x, area.y, area.width, &last, muted);
    if bar.width < 4 {
        return;
    }
    let span = timeline.newest.since(timeline.oldest).max(1);
    let column = |at: BootMs| {
        let share = at.since(timeline.oldest).min(span) as f64 / span as f64;
        bar.x + (share * f64::from(bar.width - 1)).round() as u16
    };
    let known_to = column(replay.known_to.max(timeline.oldest));
    for x in bar.x..bar.right() {
        let is_known = x <= known_to && replay.known_to > timeline.oldest;
        put(buf, x, bar.y, 1, theme.pick("─", "-"), if is_known { text } else { muted });
    }
    for kind in ORDER.into_iter().rev() {
        for (at, _) in replay.events.iter().filter(|(_, event)| event.kind == kind) {
            put(buf, column(*at), bar.y, 1, &kind.sign().to_string(), theme.style(role(kind)));
        }
    }
    put(buf, column(timeline.shown), bar.y, 1, theme.pick("┃", "|"), theme.style(Role::Past));
}

fn role(kind: EventKind) -> Role {
    match kind {
        EventKind::OomKill | EventKind::Verdict => Role::Danger,
        EventKind::SwapStorm => Role::Warn,
        EventKind::Started | EventKind::Ended => Role::Text,
        EventKind::Action => Role::Title,
    }
}
