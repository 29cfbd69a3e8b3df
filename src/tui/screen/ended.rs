//! Who was it that died? Processes that have ended, the latest first; with a mark, what they had then.

use std::collections::HashSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::key::ProcessKey;
use crate::model::mark::{Mark, Marked, MarkedProcess};
use crate::session::update::{Ended, Update};
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{fill, put, right};
use crate::units::{Bytes, Span};

/// Draws the list.
pub fn draw(buf: &mut Buffer, area: Rect, update: &Update, offset: usize, theme: &Theme) {
    fill(buf, Rect { height: 1, ..area }, theme.style(Role::Header));
    let at_mark = if update.snapshot.mark.is_some() { tr!(" AT MARK") } else { "" };
    let head = tr!(" ENDED     LIVED      PID USER         PEAK{at_mark}  COMMAND", at_mark);
    put(buf, area.x, area.y, area.width, &head, theme.style(Role::Header));
    let lines = lines(update);
    if lines.is_empty() {
        put(
            buf,
            area.x,
            area.y + 1,
            area.width,
            tr!(" nobody has ended while memtide watched"),
            theme.style(Role::Muted),
        );
    }
    let rows = usize::from(area.height.saturating_sub(1));
    let offset = offset.min(lines.len().saturating_sub(rows));
    for (line, y) in lines.iter().skip(offset).zip(area.y + 1..area.bottom()) {
        put(buf, area.x, y, area.width, line, theme.style(Role::Text));
    }
}

/// How many lines the list has.
pub fn length(update: &Update) -> usize {
    update.ended.len() + forgotten(update).len()
}

/// With a mark those that were there then come first, the largest on top.
fn lines(update: &Update) -> Vec<String> {
    let mark = update.snapshot.mark.as_deref();
    let remembered = |ended: &Ended| (then(ended, mark), line(update, ended, mark));
    let mut lines: Vec<(Option<u64>, String)> = update.ended.iter().map(remembered).collect();
    lines.extend(
        forgotten(update)
            .into_iter()
            .map(|process| (Some(process.value(Marked::Private).unwrap_or(0)), forgotten_line(update, process))),
    );
    lines.sort_by_key(|(then, _)| std::cmp::Reverse(*then));
    lines.into_iter().map(|(_, line)| line).collect()
}

/// What a process had at the mark; `None` where it was not there.
fn then(ended: &Ended, mark: Option<&Mark>) -> Option<u64> {
    Some(mark?.process(ended.process.key)?.value(Marked::Private).unwrap_or(0))
}

/// Those of the mark that are no more, and of whose end no more is known.
fn forgotten(update: &Update) -> Vec<&MarkedProcess> {
    let known: HashSet<ProcessKey> = update.ended.iter().map(|ended| ended.process.key).collect();
    let mark = update.snapshot.mark.as_deref();
    let ended = mark.into_iter().flat_map(|mark| mark.ended(&update.snapshot.sample));
    ended.filter(|process| !known.contains(&process.key)).collect()
}

fn line(update: &Update, ended: &Ended, mark: Option<&Mark>) -> String {
    let sample = &update.snapshot.sample;
    let process = &ended.process;
    let span = |ms| Span(std::time::Duration::from_millis(ms)).to_string();
    let ago = span(sample.at.since(ended.at));
    let started_ms = process.key.start_time.saturating_mul(1000) / sample.host.clock_ticks.max(1);
    let lived = span(ended.at.0.saturating_sub(started_ms));
    let user = sample.host.user(process.identity.uid);
    let peak = Bytes(ended.peak_private).to_string();
    let then = mark.map_or_else(String::new, |mark| match mark.process(process.key) {
        Some(marked) => format!(" {:>7}", held(marked)),
        None if ended.at < mark.at => format!(" {:>7}", "-"),
        None => format!(" {}", right(tr!("new"), 7)),
    });
    let (pid, command) = (process.key.pid, process.identity.shown_command());
    tr!(
        " {ago} ago {lived}  {pid} {user} {peak}{then}  {command}",
        ago = format_args!("{ago:>5}"),
        lived = format_args!("{lived:>5}"),
        pid = format_args!("{pid:>7}"),
        user = format_args!("{user:<9.9}"),
        peak = format_args!("{peak:>7}"),
        then,
        command
    )
}

fn forgotten_line(update: &Update, process: &MarkedProcess) -> String {
    let user = update.snapshot.sample.host.user(process.identity.uid);
    let (pid, command) = (process.key.pid, process.identity.shown_command());
    format!(" {:>5}     {:>5}  {pid:>7} {user:<9.9} {:>7} {:>7}  {command}", "-", "-", "-", held(process))
}

/// Private memory and swap at the mark.
fn held(process: &MarkedProcess) -> String {
    process.value(Marked::Private).map_or_else(|| "-".into(), |bytes| Bytes(bytes).to_string())
}
