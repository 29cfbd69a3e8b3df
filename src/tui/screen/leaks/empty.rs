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
    put(buf, area.x + 1, area.y, area.width.saturating_sub(1), "LEAKS AND GROWTH", theme.style(Role::Header));
    let sample = &update.snapshot.sample;
    let early = update.snapshot.analysis.early;
    let watched_ms = sample.at.since(since);
    let began = time_of_day(sample.wall_ms.saturating_sub_unsigned(watched_ms));
    let first = if watched_ms < FIRST_VERDICT_MS {
        let left = span((FIRST_VERDICT_MS - watched_ms) as f64);
        (format!("Too early to tell: {left} more until the first verdicts."), Role::Warn)
    } else if early.processes > 0 {
        let (verb, left) =
            (if early.processes == 1 { "process rises" } else { "processes rise" }, early.needs_ms as f64);
        (
            format!("{} {verb}, too early to tell: {} more. Watched since {began}.", early.processes, span(left)),
            Role::Warn,
        )
    } else {
        (format!("Nothing grows. Watched for {}, since {began}.", span(watched_ms as f64)), Role::Good)
    };
    let text = [
        first,
        (String::new(), Role::Text),
        (counts(update), Role::Text),
        (String::new(), Role::Text),
        (
            "What rises would be listed here, the first to fill something on top: a process, by its private memory, \
             file descriptors or threads; a service, where workers grow together or restarts hide it; the machine, \
             by tmpfs, kernel slab and what nobody accounts for. With each its rate, since when, which limit it \
             meets and when, and the course it took."
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
            Verdict::NotEnoughData => format!("{count} not known yet"),
            verdict => format!("{count} {}", verdict.word()),
        })
        .collect();
    if shown.is_empty() { "No processes.".to_owned() } else { format!("Processes: {}.", shown.join(", ")) }
}
