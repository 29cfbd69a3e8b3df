//! Nothing grows: said plainly, with how long it was watched and what would be shown.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::judgement::Verdict;
use crate::model::reading::BootMs;
use crate::session::update::Update;
use crate::tui::event::time_of_day;
use crate::tui::finding::span;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{fill, put};
use crate::tui::widget::wrap::wrap;

/// Before this much was watched there is no verdict, milliseconds.
const FIRST_VERDICT_MS: u64 = 30_000;

pub(super) fn draw(buf: &mut Buffer, area: Rect, update: &Update, since: BootMs, theme: &Theme) {
    fill(buf, Rect { height: 1.min(area.height), ..area }, theme.style(Role::Header));
    put(buf, area.x + 1, area.y, area.width.saturating_sub(1), tr!("LEAKS AND GROWTH"), theme.style(Role::Header));
    let sample = &update.snapshot.sample;
    let early = update.snapshot.analysis.early;
    let watched_ms = sample.at.since(since);
    let began = time_of_day(sample.wall_ms.saturating_sub_unsigned(watched_ms));
    let first = if watched_ms < FIRST_VERDICT_MS {
        let left = span((FIRST_VERDICT_MS - watched_ms) as f64);
        (tr!("Too early to tell: {left} more until the first verdicts.", left), Role::Warn)
    } else if early.processes > 0 {
        let verb = if early.processes == 1 { tr!("process rises") } else { tr!("processes rise") };
        let time = span(early.needs_ms as f64);
        (
            tr!(
                "{count} {verb}, too early to tell: {time} more. Watched since {began}.",
                count = early.processes,
                verb,
                time,
                began
            ),
            Role::Warn,
        )
    } else {
        (tr!("Nothing grows. Watched for {time}, since {began}.", time = span(watched_ms as f64), began), Role::Good)
    };
    let text = [
        first,
        (String::new(), Role::Text),
        (counts(update), Role::Text),
        (String::new(), Role::Text),
        (
            tr!("What rises would be listed here, the first to fill something on top: a process, by its private memory, \
             file descriptors or threads; a service, where workers grow together or restarts hide it; the machine, \
             by tmpfs, kernel slab and what nobody accounts for. With each its rate, since when, which limit it \
             meets and when, and the course it took.")
                .to_owned(),
            Role::Muted,
        ),
    ];
    let width = area.width.saturating_sub(2);
    let lines = text.iter().flat_map(|(text, role)| wrap(text, width).into_iter().map(|line| (line, *role)));
    for ((line, role), y) in lines.zip(area.y + 1..area.bottom()) {
        put(buf, area.x + 1, y, width, &line, theme.style(role));
    }
}

/// How many processes behave how.
fn counts(update: &Update) -> String {
    let judged = &update.snapshot.analysis.judged;
    let of = |verdict: Verdict| judged.iter().filter(|judged| judged.verdict == verdict).count();
    let words = Verdict::ALL.into_iter().rev().map(|verdict| (verdict, of(verdict))).filter(|(_, count)| *count > 0);
    let shown: Vec<String> = words
        .map(|(verdict, count)| match verdict {
            Verdict::NotEnoughData => tr!("{count} not known yet", count),
            verdict => tr!("{count} {verdict}", count, verdict = tr!(of verdict.word())),
        })
        .collect();
    if shown.is_empty() {
        tr!("No processes.").to_owned()
    } else {
        tr!("Processes: {shown}.", shown = shown.join(", "))
    }
}
