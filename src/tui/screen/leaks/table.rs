//! The list of findings: who, what, how sure, how fast, since when, and what is full when.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::since::since_mark;
use super::{Leaks, key};
use crate::model::judgement::{Finding, Verdict};
use crate::model::snapshot::Snapshot;
use crate::session::update::Update;
use crate::tui::finding::{self, amount, short_name, signed, span, until, what};
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{columns as columns_of, fill, put, put_right, right};

/// A column of the list.
struct Column {
    title: &'static str,
    width: u16,
    /// How soon it goes where there is no room: the larger, the sooner.
    goes: u8,
    is_right: bool,
    text: fn(&Finding, &Snapshot) -> String,
}

const COLUMNS: [Column; 9] = [
    Column {
        title: key!("WHAT"),
        width: 13,
        goes: 5,
        is_right: false,
        text: |finding, _| what(finding.quantity).into(),
    },
    Column { title: key!("VERDICT"), width: 13, goes: 4, is_right: false, text: |finding, _| verdict(finding) },
    Column {
        title: key!("/MIN"),
        width: 7,
        goes: 1,
        is_right: true,
        text: |finding, _| signed(finding.quantity, finding.judgement.rate),
    },
    Column {
        title: key!("BETWEEN"),
        width: 15,
        goes: 9,
        is_right: true,
        text: |finding, _| finding::rate_interval(finding),
    },
    Column {
        title: key!("AGE"),
        width: 5,
        goes: 6,
        is_right: true,
        text: |finding, snapshot| span(snapshot.sample.at.since(finding.judgement.since) as f64).to_string(),
    },
    Column {
        title: key!("GAINED"),
        width: 6,
        goes: 7,
        is_right: true,
        text: |finding, _| amount(finding.quantity, finding.judgement.gain()),
    },
    Column {
        title: SINCE_MARK,
        width: 7,
        goes: 3,
        is_right: true,
        text: |finding, snapshot| since_mark(finding, snapshot),
    },
    Column { title: key!("FULL IN"), width: 13, goes: 2, is_right: false, text: |finding, _| full_in(finding) },
    Column {
        title: key!("BETWEEN"),
        width: 14,
        goes: 8,
        is_right: false,
        text: |finding, _| {
            finding.ahead().filter(|_| is_told(finding)).map(finding::meeting_interval).unwrap_or_default()
        },
    },
];

/// The change since the mark, while there is one to compare with.
const SINCE_MARK: &str = key!("+MARK");

/// The column of names is never narrower than this while others can go.
const LEAST_NAME: u16 = 15;

/// The name takes no more than this.
const MOST_NAME: u16 = 60;

fn verdict(finding: &Finding) -> String {
    let judgement = &finding.judgement;
    format!(
        "{} {:.0}",
        tr!(of judgement.verdict.word()),
        (f64::from(judgement.confidence) * 100.0).clamp(0.0, 99.0).floor()
    )
}

/// Whether more can't be said by waiting.
fn is_told(finding: &Finding) -> bool {
    finding.judgement.verdict == Verdict::Leaking || finding.judgement.needs_ms == 0
}

/// `   9m memory`; where it is too early to say, how long it still takes.
fn full_in(finding: &Finding) -> String {
    if !is_told(finding) {
        return tr!(
            "{time} to tell",
            time = format_args!("{:>5}", span(finding.judgement.needs_ms as f64).to_string())
        );
    }
    match finding.ahead() {
        Some(meeting) if meeting.in_ms < finding::NEVER_MS => {
            format!("{} {}", right(&until(meeting.in_ms), 5), finding::limit(meeting.limit))
        }
        _ => String::new(),
    }
}

/// The columns that fit beside names of so many columns, and the width of these.
fn layout(width: u16, longest: u16, is_comparing: bool) -> (u16, Vec<&'static Column>) {
    let is_shown = |column: &&Column| is_comparing || column.title != SINCE_MARK;
    let mut chosen: Vec<&Column> = COLUMNS.iter().filter(is_shown).collect();
    let needed = |chosen: &[&Column]| chosen.iter().map(|column| column.width + 1).sum::<u16>();
    // A long name takes the place of others, up to a share of the line.
    let least = longest.min(width * 3 / 10).max(LEAST_NAME);
    while needed(&chosen) + least + 1 > width {
        let goes = chosen.iter().enumerate().max_by_key(|(_, column)| column.goes).map(|(place, _)| place);
        let Some(place) = goes else { break };
        chosen.remove(place);
    }
    (width.saturating_sub(needed(&chosen) + 1).min(MOST_NAME), chosen)
}

pub(super) fn draw(panel: &Leaks, buf: &mut Buffer, area: Rect, update: &Update, theme: &Theme) {
    if area.height == 0 {
        return;
    }
    let findings = &update.snapshot.analysis.findings;
    let longest = findings.iter().map(|finding| columns_of(&short_name(finding))).max().unwrap_or(0);
    let (name_width, columns) = layout(area.width, longest, update.snapshot.mark.is_some());
    let head = Rect { height: 1, ..area };
    fill(buf, head, theme.style(Role::Header));
    put(buf, head.x + 1, head.y, name_width, tr!("LEAKS AND GROWTH"), theme.style(Role::Header));
    cells(&columns, name_width, |column, x| {
        let write = if column.is_right { put_right } else { put_left };
        write(buf, head.x + x, head.y, column.width, tr!(of column.title), theme.style(Role::Header));
    });
    for (finding, y) in findings.iter().skip(panel.offset).zip(area.y + 1..area.bottom()) {
        let is_selected = panel.selected.as_ref() == Some(&key(finding));
        if is_selected {
            fill(buf, Rect::new(area.x, y, area.width, 1), theme.style(Role::Selected));
        }
        // What leaks is seen at once, what may become a leak stands back.
        let is_leak = finding.judgement.verdict == Verdict::Leaking;
        let style = |role: Role| {
            theme.style(match (is_selected, is_leak) {
                (true, _) => Role::Selected,
                (false, true) => role,
                (false, false) => Role::Muted,
            })
        };
        put(buf, area.x + 1, y, name_width, &short_name(finding), style(Role::Title));
        cells(&columns, name_width, |column, x| {
            let role = match column.title {
                "VERDICT" | "/MIN" | "FULL IN" => finding::role(finding.judgement.verdict),
                _ => Role::Text,
            };
            let write = if column.is_right { put_right } else { put_left };
            write(buf, area.x + x, y, column.width, &(column.text)(finding, &update.snapshot), style(role));
        });
    }
}

fn put_left(buf: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: ratatui::style::Style) {
    put(buf, x, y, width, text, style);
}

/// Goes through the columns with where each begins.
fn cells(columns: &[&'static Column], name_width: u16, mut each: impl FnMut(&Column, u16)) {
    let mut x = name_width + 2;
    for column in columns {
        each(column, x);
        x += column.width + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_and_how_fast_and_until_when_stay_longest() {
        let titles = |width| layout(width, 10, false).1.into_iter().map(|column| column.title).collect::<Vec<_>>();
        assert_eq!(titles(200).len(), COLUMNS.len() - 1);
        assert_eq!(titles(80), ["WHAT", "VERDICT", "/MIN", "AGE", "GAINED", "FULL IN"]);
        assert_eq!(titles(40), ["/MIN", "FULL IN"]);
        assert!(layout(80, 19, false).0 >= 19, "a longer name takes the place of a column");
        for width in 20..200 {
            let (name, columns) = layout(width, width / 3, width % 2 == 0);
            let used = name + 1 + columns.iter().map(|column| column.width + 1).sum::<u16>();
            assert!(used <= width, "{width}: {used}");
        }
    }
}
