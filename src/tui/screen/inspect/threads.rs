//! The threads of the process: their states, the time they took, their stacks.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::head::{say, unreadable};
use super::seen::Seen;
use crate::model::inspect::thread::{Threads, state_word};
use crate::model::inspect::{Inspection, Part, change};
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{Piece, put_pieces};
use crate::tui::widget::table::{self, Column, Head, Order, Rank, Table};
use crate::units::{Bytes, Span};

/// A line: a thread.
#[derive(Clone, Debug)]
pub(super) struct Row {
    tid: u32,
    name: String,
    state: u8,
    /// CPU time, milliseconds.
    cpu_ms: u64,
    /// CPU time since the mark, or since the tab was first shown, milliseconds; `None` without anything to compare with.
    change_ms: Option<u64>,
    /// Its stack in RAM, and its address space.
    stack: Option<(u64, u64)>,
    is_new: bool,
    is_gone: bool,
}

const LEAST_NAME: u16 = 15;

pub(super) const COLUMNS: [Column<Row>; 7] = [
    Column {
        head: Head { key: "pid", title: "TID", help: key!("Thread id."), is_number: true },
        width: 8,
        goes: 0,
        show: |row, _| (row.tid.to_string(), plain(row)),
        rank: |row| Rank::number(u64::from(row.tid)),
    },
    Column {
        head: Head {
            key: "state",
            title: "S",
            help: key!("State: R runs, S sleeps, D waits for a device, Z zombie, T stopped, I idle."),
            is_number: false,
        },
        width: 2,
        goes: 0,
        show: |row, _| {
            let role = match row.state {
                b'R' => Role::Good,
                b'D' => Role::Warn,
                _ => plain(row),
            };
            (char::from(row.state).to_string(), role)
        },
        rank: |row| Rank::Text(char::from(row.state).to_string()),
    },
    Column {
        head: Head { key: "cpu", title: "CPU", help: key!("CPU time, user and system."), is_number: true },
        width: 7,
        goes: 1,
        show: |row, _| (seconds(row.cpu_ms), plain(row)),
        rank: |row| Rank::number(row.cpu_ms),
    },
    Column {
        head: Head {
            key: "change",
            title: key!("CHANGE"),
            help: key!("CPU time since the mark, else since first shown."),
            is_number: true,
        },
        width: 7,
        goes: 2,
        show: |row, _| match row.change_ms {
            None => ("-".into(), Role::Muted),
            Some(0) => ("0".into(), Role::Muted),
            Some(change) => (format!("+{}", seconds(change)), Role::Growing),
        },
        rank: |row| Rank::number(row.change_ms),
    },
    Column {
        head: Head { key: "rss", title: key!("STACK"), help: key!("The stack in RAM."), is_number: true },
        width: 6,
        goes: 3,
        show: |row, _| bytes(row.stack.map(|(rss, _)| rss)),
        rank: |row| Rank::number(row.stack.map(|(rss, _)| rss)),
    },
    Column {
        head: Head { key: "size", title: key!("SIZE"), help: key!("Address space of the stack."), is_number: true },
        width: 6,
        goes: 4,
        show: |row, _| bytes(row.stack.map(|(_, size)| size)),
        rank: |row| Rank::number(row.stack.map(|(_, size)| size)),
    },
    Column {
        head: Head { key: "name", title: key!("NAME"), help: key!("What it is called."), is_number: false },
        width: 0,
        goes: 0,
        show: |row, _| {
            let more = match (row.is_gone, row.is_new) {
                (true, _) => tr!(" (ended)"),
                (_, true) => tr!(" (new)"),
                _ => "",
            };
            let role = match (row.is_gone, row.is_new) {
                (true, _) => Role::Muted,
                (_, true) => Role::Growing,
                _ => Role::Title,
            };
            (format!("{}{more}", row.name), role)
        },
        rank: |row| Rank::Text(row.name.to_lowercase()),
    },
];

fn plain(row: &Row) -> Role {
    if row.is_gone { Role::Muted } else { Role::Text }
}

fn bytes(bytes: Option<u64>) -> (String, Role) {
    match bytes {
        None => ("-".into(), Role::Muted),
        Some(0) => ("0".into(), Role::Muted),
        Some(bytes) => (Bytes(bytes).to_string(), Role::Text),
    }
}

/// CPU time: `0.42s`, `12.3s`, `9m`.
fn seconds(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{:.2}s", ms as f64 / 1000.0),
        10_000..100_000 => format!("{:.1}s", ms as f64 / 1000.0),
        _ => Span(Duration::from_millis(ms)).to_string(),
    }
}

/// The lines in an order.
pub(super) fn build(seen: &Seen, order: Order) -> Vec<Row> {
    let Some(now) = seen.part(Part::Threads).and_then(known) else { return Vec::new() };
    let before = seen.baseline(Part::Threads).and_then(known);
    let rows = change::threads(now, before).into_iter().map(|line| {
        let thread = line.line();
        Row {
            tid: thread.tid,
            name: thread.comm.escaped().into_owned(),
            state: thread.state,
            cpu_ms: thread.cpu_ms,
            change_ms: before.is_some().then(|| line.change(|thread| thread.cpu_ms).max(0) as u64),
            stack: thread.stack.value().map(|stack| (stack.rss, stack.size)),
            is_new: before.is_some() && line.before.is_none(),
            is_gone: line.now.is_none(),
        }
    });
    table::sorted(rows.collect(), &COLUMNS, order)
}

fn known(inspection: &Inspection) -> Option<&Threads> {
    inspection.threads.as_ref().value()
}

/// The sum, and the table below.
fn split(area: Rect) -> [Rect; 2] {
    let sum = u16::from(area.height > 4);
    [Rect { height: sum, ..area }, Rect { y: area.y + sum, height: area.height - sum, ..area }]
}

/// Lines that fit into the table.
pub(super) fn rows(area: Rect) -> u16 {
    split(area)[1].height.saturating_sub(1)
}

/// The key of the head at a place of the screen.
pub(super) fn head_at(area: Rect, x: u16, y: u16) -> Option<&'static str> {
    let [_, table] = split(area);
    (y == table.y).then(|| table::head_at(&COLUMNS, table, LEAST_NAME, x).map(|head| head.key))?
}

pub(super) fn draw(
    buf: &mut Buffer,
    area: Rect,
    seen: &Seen,
    rows: &[Row],
    order: Order,
    (offset, scroll): (usize, u16),
    theme: &Theme,
) {
    let Some(look) = seen.part(Part::Threads) else {
        return say(buf, area, &seen.unseen(Part::Threads, theme), theme);
    };
    let Some(now) = known(look) else {
        return say(buf, area, &unreadable(tr!("threads"), &look.threads), theme);
    };
    let [sum, table] = split(area);
    if sum.height > 0 {
        let count = now.coverage.of;
        let word = if count == 1 { tr!("thread") } else { tr!("threads") };
        let mut pieces = vec![Piece::new(format!(" {count} {word}"), theme.style(Role::Title), 0)];
        for (nth, (state, count)) in now.states().into_iter().enumerate() {
            let text = format!("  {count} {}", tr!(of state_word(state)));
            pieces.push(Piece::new(text, theme.style(Role::Text), nth as u8 + 1));
        }
        let stacks: u64 = rows.iter().filter(|row| !row.is_gone).filter_map(|row| row.stack).map(|(rss, _)| rss).sum();
        if stacks > 0 {
            pieces.push(Piece::new(tr!("  stacks {stacks}", stacks = Bytes(stacks)), theme.style(Role::Muted), 9));
        }
        if let Some(since) = seen.since(Part::Threads) {
            pieces.push(Piece::new(tr!("  change {since}", since), theme.style(Role::Muted), 10));
        }
        put_pieces(buf, sum, pieces, Vec::new());
    }
    Table { columns: &COLUMNS, order, rows, offset, scroll, least: LEAST_NAME }.draw(buf, table, theme);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_told_as_exactly_as_it_matters() {
        assert_eq!([0, 420, 12_340, 600_000].map(seconds), ["0.00s", "0.42s", "12.3s", "10m"]);
    }
}
