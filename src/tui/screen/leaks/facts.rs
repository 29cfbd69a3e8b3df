//! What is said of a finding, in sentences.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::judgement::{Finding, Limit, Meeting, Verdict};
use crate::session::update::Update;
use crate::tui::event::{time_ahead, time_of_day};
use crate::tui::finding::{
    NEVER_MS, amount, meeting_interval, rate, rate_interval, role, signed, span, until, whole_name,
};
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::put;
use crate::tui::widget::wrap::wrap;

/// Writes what is said; gives the lines that it takes.
pub(super) fn draw(buf: &mut Buffer, area: Rect, update: &Update, finding: &Finding, theme: &Theme) -> u16 {
    let width = area.width.saturating_sub(2);
    let sentences = sentences(update, finding, theme);
    let lines = sentences.iter().flat_map(|(text, role)| wrap(text, width).into_iter().map(|line| (line, *role)));
    // Where there is hardly room for a picture, words have it.
    let most = if area.height < 9 { area.height } else { 5.min(area.height) };
    let mut y = area.y;
    for (line, role) in lines.take(usize::from(most)) {
        put(buf, area.x + 1, y, width, &line, theme.style(role));
        y += 1;
    }
    y - area.y
}

/// What it is and how sure that is; which limits it meets; the course it took.
pub(in crate::tui::screen) fn sentences(update: &Update, finding: &Finding, theme: &Theme) -> Vec<(String, Role)> {
    let sample = &update.snapshot.sample;
    let limits = limits(finding, sample.wall_ms);
    let course = course(finding, sample.wall_ms, sample.at.since(finding.judgement.since), theme);
    [(verdict(finding), role(finding.judgement.verdict)), (limits, Role::Text), (course, Role::Text)]
        .into_iter()
        .filter(|(text, _)| !text.is_empty())
        .collect()
}

/// `node[1234], private memory: leaking, 99 % sure`.
fn verdict(finding: &Finding) -> String {
    let judgement = &finding.judgement;
    let sure = (f64::from(judgement.confidence) * 100.0).clamp(0.0, 99.0).floor();
    let more = match judgement.verdict {
        Verdict::Leaking => tr!("{sure} % sure", sure = format_args!("{sure:.0}")),
        Verdict::WarmingUp => tr!("ever more slowly: a cache that fills, or a start").to_owned(),
        _ if judgement.needs_ms > 0 => {
            tr!("{time} more to tell whether it leaks", time = span(judgement.needs_ms as f64))
        }
        _ => tr!("no leak as far as it can be told").to_owned(),
    };
    tr!(
        "{name}, {quantity}: {verdict}, {more}",
        name = whole_name(finding),
        quantity = tr!(of finding.quantity.title()),
        verdict = tr!(of judgement.verdict.word()),
        more
    )
}

/// How it went so far.
fn course(finding: &Finding, wall_ms: i64, age_ms: u64, theme: &Theme) -> String {
    let (judgement, quantity) = (&finding.judgement, finding.quantity);
    let began = time_of_day(wall_ms.saturating_sub_unsigned(age_ms));
    tr!(
        "{rate}{between} for {age} since {began}: {from} {arrow} {level} ({gain})",
        rate = rate(finding),
        between = in_brackets(&rate_interval(finding)),
        age = span(age_ms as f64),
        began,
        from = amount(quantity, judgement.from),
        arrow = theme.pick("→", "->"),
        level = amount(quantity, judgement.level),
        gain = signed(quantity, judgement.gain())
    )
}

/// An interval after what it is of; nothing where it says no more.
fn in_brackets(interval: &str) -> String {
    if interval.contains(' ') { format!(" ({interval})") } else { String::new() }
}

/// What is full when, the first to be met first.
fn limits(finding: &Finding, wall_ms: i64) -> String {
    let of = |meeting: &Meeting| {
        let size = amount(finding.quantity, meeting.size);
        let what = match meeting.limit {
            Limit::Memory | Limit::Swap => tr!("{limit} of {size} full", limit = tr!(of meeting.limit.title()), size),
            _ => tr!("{limit} of {size} met", limit = tr!(of meeting.limit.title()), size),
        };
        let time = until(meeting.in_ms);
        match meeting.in_ms {
            ms if ms < 1000.0 => tr!("{what} now", what),
            ms if ms.is_nan() || ms >= NEVER_MS => tr!("{what} never", what),
            ms => tr!(
                "{what} in {time} at {moment}{between}",
                what,
                time,
                moment = time_ahead(wall_ms, ms),
                between = in_brackets(&meeting_interval(meeting))
            ),
        }
    };
    let shown: Vec<String> = finding.meetings.iter().map(of).collect();
    shown.join(tr!("; "))
}
