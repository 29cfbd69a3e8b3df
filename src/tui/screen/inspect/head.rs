//! The two lines on top: the tabs with their keys, how old the picture is; who the process is and how it behaves.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::tab::{TABS, Tab};
use super::{Picture, State};
use crate::model::inspect::{Coverage, Inspection, Part};
use crate::model::key::ProcessKey;
use crate::model::reading::{Need, Reading};
use crate::session::update::Update;
use crate::tui::event::time_of_day;
use crate::tui::finding;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{columns, fill, put, put_right};
use crate::tui::widget::wrap::wrap;

/// What the tabs say of a past moment.
pub(super) const OF_NOW_ONLY: &str = key!(
    "Mappings, descriptors, threads and the runtime are of the present alone: the past keeps what the overview shows. Press l to return."
);

/// What the head is drawn from.
pub(super) struct Head<'a> {
    pub(super) key: ProcessKey,
    pub(super) tab: Tab,
    pub(super) keys: &'a [String; TABS.len()],
    pub(super) picture: &'a Picture<'a>,
    /// The moment that is shown.
    pub(super) now: &'a Update,
    /// The look that the tab shows.
    pub(super) shown: Option<&'a Inspection>,
}

/// Room for what stands right of the tabs.
const BESIDE: u16 = 18;

/// Where each tab stands: its first column, its width, its text.
fn tabs(keys: &[String; TABS.len()], area: Rect) -> Vec<(u16, u16, String)> {
    let named = |name: fn(usize) -> &'static str| -> Vec<String> {
        keys.iter().enumerate().map(|(place, key)| format!(" {key} {} ", name(place))).collect()
    };
    let mut texts = named(|place| tr!(of TABS[place].title));
    let width = |texts: &[String]| texts.iter().map(|text| columns(text)).sum::<u16>();
    if width(&texts) + BESIDE > area.width {
        texts = named(|place| tr!(of TABS[place].short));
    }
    let mut x = area.x;
    let place = |text: String| {
        let at = (x, columns(&text), text);
        x += at.1;
        at
    };
    texts.into_iter().map(place).collect()
}

/// The tab at a column of the line of tabs.
pub(super) fn tab_at(keys: &[String; TABS.len()], area: Rect, x: u16) -> Option<Tab> {
    let tabs = tabs(keys, area);
    let at = tabs.iter().position(|(first, width, _)| (*first..first + width).contains(&x))?;
    Some(TABS[at].tab)
}

pub(super) fn draw(buf: &mut Buffer, area: Rect, head: &Head<'_>, theme: &Theme) {
    if area.height == 0 {
        return;
    }
    fill(buf, Rect { height: 1, ..area }, theme.style(Role::Header));
    let mut end = area.x;
    for ((x, width, text), spec) in tabs(head.keys, area).into_iter().zip(&TABS) {
        let role = if spec.tab == head.tab { Role::HeaderSorted } else { Role::Header };
        put(buf, x, area.y, width.min(area.right().saturating_sub(x)), &text, theme.style(role));
        end = x + width;
    }
    let room = area.right().saturating_sub(end + 1);
    if let Some(note) = notes(head).into_iter().find(|note| columns(note) <= room) {
        put_right(buf, end, area.y, area.right().saturating_sub(end + 1), &note, theme.style(Role::Header));
    }
    if area.height > 1 {
        draw_who(buf, Rect { y: area.y + 1, height: 1, ..area }, head, theme);
    }
}

/// How old the picture is and how much of it was read, where that is to be known; the longest first.
fn notes(head: &Head<'_>) -> Vec<String> {
    let Some(shown) = head.shown else { return Vec::new() };
    let sample = &head.picture.update.snapshot.sample;
    let mut notes = Vec::new();
    if matches!(head.picture.state, State::Ended(_)) || head.now.timeline.is_past {
        return notes;
    }
    let age_ms = sample.at.since(shown.at);
    // As old as the samples are, plus what may lie between two threads.
    let age = (age_ms > 2 * sample.interval_ms.max(1000)).then(|| tr!("{age} ago", age = finding::span(age_ms as f64)));
    let read = head.tab.spec().part.and_then(|part| coverage(shown, part)).filter(|coverage| !coverage.is_whole());
    let read =
        read.map(|coverage| tr!("{share}% read", share = format_args!("{:.0}", (coverage.share() * 100.0).floor())));
    if let (Some(age), Some(read)) = (&age, &read) {
        notes.push(format!("{read}, {age}"));
    }
    notes.extend(read);
    notes.extend(age);
    notes
}

/// How much of a part was read.
fn coverage(inspection: &Inspection, part: Part) -> Option<Coverage> {
    fn of<T>(reading: &Reading<T>, get: impl Fn(&T) -> Coverage) -> Option<Coverage> {
        reading.as_ref().value().map(get)
    }
    match part {
        Part::Mappings => of(&inspection.mappings, |mappings| mappings.coverage),
        Part::Descriptors => of(&inspection.descriptors, |descriptors| descriptors.coverage),
        Part::Threads => of(&inspection.threads, |threads| threads.coverage),
        Part::Runtime => None,
    }
}

/// ` node[1234]  leaking 97  /usr/bin/node app.js`.
fn draw_who(buf: &mut Buffer, area: Rect, head: &Head<'_>, theme: &Theme) {
    let Some(row) = &head.picture.row else {
        let text = tr!(" {pid}: not seen at this moment", pid = head.key.pid);
        put(buf, area.x, area.y, area.width, &text, theme.style(Role::Warn));
        return;
    };
    let identity = &row.process.identity;
    let mut x = area.x;
    let mut say = |text: &str, role: Role| {
        x += put(buf, x, area.y, area.right().saturating_sub(x), text, theme.style(role));
    };
    say(&format!(" {}[{}]", identity.comm.escaped(), head.key.pid), Role::Title);
    match head.picture.state {
        State::Ended(ended) => {
            let when = ended.map_or(head.picture.update.snapshot.sample.wall_ms, |ended| ended.wall_ms);
            let ago = head.now.snapshot.sample.wall_ms.saturating_sub(when).max(0);
            let text = tr!(
                "  ended at {when}, {ago} ago: its last picture",
                when = time_of_day(when),
                ago = finding::span(ago as f64)
            );
            say(&text, Role::Danger);
        }
        _ => {
            if let Reading::Value((verdict, percent)) = row.verdict() {
                let sure = if verdict.is_rising() { format!(" {percent}") } else { String::new() };
                say(&format!("  {}{sure}", tr!(of verdict.word())), finding::role(verdict));
            }
        }
    }
    say(&format!("  {}", identity.shown_command()), Role::Text);
}

/// Says something where there is nothing else to show.
pub(super) fn say(buf: &mut Buffer, area: Rect, text: &str, theme: &Theme) {
    let width = area.width.saturating_sub(2);
    for (line, y) in wrap(text, width).iter().zip(area.y..area.bottom()) {
        put(buf, area.x + 1, y, width, line, theme.style(Role::Muted));
    }
}

/// Why a part is not shown.
pub(super) fn unreadable<T>(what: &str, reading: &Reading<T>) -> String {
    match reading {
        Reading::Unsupported(Need::NotApplicable) => {
            tr!("It has no {what}: a kernel thread has none of its own, and of who has ended none are left.", what)
        }
        other => tr!("The {what} can't be read: {why}.", what, why = other.explain().unwrap_or_default()),
    }
}
