//! What the process has open: how many of the limit, of which kinds, and one line for all that lead to the same; by
//! folder, and the newest ones, beside it or below.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Picture;
use super::growth;
use super::head::{say, unreadable};
use super::seen::Seen;
use crate::model::inspect::descriptor::{DescriptorKind, Descriptors, Target};
use crate::model::inspect::prefix::by_prefix;
use crate::model::inspect::{Inspection, Part, change};
use crate::model::judgement::Quantity;
use crate::tui::finding::{self, signed};
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{Piece, end_of_path, fill, put, put_pieces, put_right, skip_columns};
use crate::tui::widget::table::{self, Column, Head, Order, Rank, Table};
use crate::units::{Bytes, Percent};

/// A line: all descriptors that lead to the same.
#[derive(Clone, Debug)]
pub(super) struct Row {
    name: String,
    kind: DescriptorKind,
    count: u64,
    /// Whether the count is estimated from a sample.
    is_about: bool,
    change: Option<i64>,
    lowest: u32,
    highest: u32,
    blocks: u64,
    is_gone: bool,
}

/// The column of names takes so much while others can go: a socket has two addresses and a state.
const LEAST_NAME: u16 = 38;

pub(super) const COLUMNS: [Column<Row>; 6] = [
    Column {
        head: Head { key: "count", title: "N", help: key!("Descriptors that lead there."), is_number: true },
        width: 7,
        goes: 0,
        show: |row, _| {
            let role = if row.is_gone || row.count == 1 { Role::Muted } else { Role::Title };
            (format!("{}{}", if row.is_about { "~" } else { "" }, row.count), role)
        },
        rank: |row| Rank::number(row.count),
    },
    Column {
        head: Head {
            key: "change",
            title: key!("CHANGE"),
            help: key!("Descriptors gained since the mark, else since first shown."),
            is_number: true,
        },
        width: 7,
        goes: 1,
        show: |row, _| match row.change {
            None => ("-".into(), Role::Muted),
            Some(0) => ("0".into(), Role::Muted),
            Some(change) => (signed(Quantity::Fds, change as f64), if change > 0 { Role::Growing } else { Role::Good }),
        },
        rank: |row| Rank::change(row.change),
    },
    Column {
        head: Head { key: "kind", title: key!("KIND"), help: key!("File, socket, pipe and so on."), is_number: false },
        width: 10,
        goes: 2,
        show: |row, _| (tr!(of row.kind.title()).into(), Role::Muted),
        rank: |row| Rank::Text(row.kind.title().into()),
    },
    Column {
        head: Head {
            key: "fds",
            title: "FDS",
            help: key!("The lowest and the highest number: the highest are the newest."),
            is_number: true,
        },
        width: 11,
        goes: 4,
        show: |row, _| {
            let numbers = if row.lowest == row.highest {
                row.highest.to_string()
            } else {
                format!("{}-{}", row.lowest, row.highest)
            };
            // No number is cut in its middle: the highest is the newest.
            (if numbers.len() > 11 { format!("-{}", row.highest) } else { numbers }, Role::Muted)
        },
        rank: |row| Rank::number(u64::from(row.highest)),
    },
    Column {
        head: Head {
            key: "space",
            title: key!("HOLDS"),
            help: key!("Space that a deleted file or a memfd takes for as long as it is open."),
            is_number: true,
        },
        width: 6,
        goes: 3,
        show: |row, _| {
            if row.blocks == 0 { (String::new(), Role::Muted) } else { (Bytes(row.blocks).to_string(), Role::Warn) }
        },
        rank: |row| Rank::number(row.blocks),
    },
    Column {
        head: Head {
            key: "name",
            title: key!("LEADS TO"),
            help: key!("Path, address, or what it is."),
            is_number: false,
        },
        width: 0,
        goes: 0,
        show: |row, _| {
            let role = if row.is_gone { Role::Muted } else { Role::Text };
            (format!("{}{}", row.name, if row.is_gone { tr!(" (closed)") } else { "" }), role)
        },
        rank: |row| Rank::Text(row.name.to_lowercase()),
    },
];

/// The lines in an order.
pub(super) fn build(seen: &Seen, order: Order) -> Vec<Row> {
    let Some(now) = seen.part(Part::Descriptors).and_then(known) else { return Vec::new() };
    let coverage = now.coverage;
    let before = change::whole(now, seen.baseline(Part::Descriptors).and_then(known));
    let rows = change::targets(now, before).into_iter().map(|line| {
        let target = line.line();
        Row {
            name: target.shown() + &inside(line.now.and_then(Target::inside)),
            kind: target.kind,
            count: coverage.scale(line.now.map_or(0, |target| u64::from(target.count))),
            is_about: !coverage.is_whole(),
            change: before.is_some().then(|| line.change(|target| u64::from(target.count))),
            lowest: target.lowest,
            highest: target.highest,
            blocks: target.blocks,
            is_gone: line.now.is_none(),
        }
    });
    table::sorted(rows.collect(), &COLUMNS, order)
}

/// What stands behind a name of what is inside.
fn inside(words: Option<String>) -> String {
    words.map_or_else(String::new, |words| format!("  {words}"))
}

fn known(inspection: &Inspection) -> Option<&Descriptors> {
    inspection.descriptors.as_ref().value()
}

/// From so many columns on, folders and the newest stand beside the table; else below its lines.
const BESIDE: u16 = 132;

/// Folders that are shown.
const FOLDERS: usize = 8;

struct Parts {
    sum: Rect,
    kinds: Rect,
    table: Rect,
    beside: Option<Rect>,
}

fn split(area: Rect) -> Parts {
    let sum = u16::from(area.height > 4);
    let kinds = u16::from(area.height > 6);
    let at = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
    let rest = at(sum + kinds, area.height - sum - kinds);
    let (table, beside) = if area.width >= BESIDE {
        let own = area.width * 3 / 5;
        let beside = Rect { x: area.x + own + 1, width: area.width - own - 1, ..rest };
        (Rect { width: own, ..rest }, Some(beside))
    } else {
        (rest, None)
    };
    Parts { sum: at(0, sum), kinds: at(sum, kinds), table, beside }
}

/// A line beside the table, or below its lines.
enum More {
    /// What the lines after it are.
    Title(&'static str),
    /// A number and what it is of.
    Line(String, String),
}

/// What is told beside the table: folders, the newest.
fn more(now: &Descriptors) -> Vec<More> {
    let mark = if now.coverage.is_whole() { "" } else { "~" };
    let about = |count: u32| format!("{mark}{}", now.coverage.scale(u64::from(count)));
    let mut lines = Vec::new();
    if now.untold > 0 {
        lines.push(More::Line(about(now.untold), tr!("more lead elsewhere").to_owned()));
    }
    let folders = by_prefix(&now.targets, FOLDERS);
    if !folders.is_empty() {
        lines.push(More::Title(tr!("BY FOLDER")));
        lines.extend(folders.iter().map(|prefix| {
            let paths = if prefix.paths == 1 { String::new() } else { tr!("  ({paths} paths)", paths = prefix.paths) };
            More::Line(about(prefix.count), format!("{}{paths}", prefix.folder.escaped()))
        }));
    }
    if !now.newest.is_empty() {
        lines.push(More::Title(tr!("NEWEST (HIGHEST NUMBERS)")));
        // What was opened again and again is told once.
        let runs = now.newest.chunk_by(|a, b| {
            (a.kind, a.access, a.is_deleted, &a.name, &a.socket) == (b.kind, b.access, b.is_deleted, &b.name, &b.socket)
        });
        lines.extend(runs.map(|run| {
            let (newest, oldest) = (&run[0], &run[run.len() - 1]);
            let times = if run.len() > 1 {
                tr!("  ({count} down to {fd})", count = run.len(), fd = oldest.fd)
            } else {
                String::new()
            };
            More::Line(
                format!("{}{}", newest.fd, newest.access.letter()),
                format!("{}{times}{}", newest.shown(), inside(newest.inside())),
            )
        }));
    }
    lines
}

/// Lines that there are, and that fit under the head of the table.
pub(super) fn lines(rows: usize, look: Option<&Inspection>, area: Rect) -> (usize, u16) {
    let parts = split(area);
    let below = match (parts.beside, look.and_then(known)) {
        (None, Some(now)) => more(now).len(),
        _ => 0,
    };
    (rows + below, parts.table.height.saturating_sub(1))
}

/// The key of the head at a place of the screen.
pub(super) fn head_at(area: Rect, x: u16, y: u16) -> Option<&'static str> {
    let table = split(area).table;
    (y == table.y && x < table.right()).then(|| table::head_at(&COLUMNS, table, LEAST_NAME, x).map(|head| head.key))?
}

#[expect(clippy::too_many_arguments, reason = "what is drawn, where, and how it was left")]
pub(super) fn draw(
    buf: &mut Buffer,
    area: Rect,
    picture: &Picture<'_>,
    seen: &Seen,
    rows: &[Row],
    order: Order,
    (offset, scroll): (usize, u16),
    theme: &Theme,
) {
    let Some(look) = seen.part(Part::Descriptors) else {
        return say(buf, area, &seen.unseen(Part::Descriptors, theme), theme);
    };
    let parts = split(area);
    if parts.sum.height > 0 {
        put_pieces(buf, parts.sum, summary(look, picture, theme), Vec::new());
    }
    let Some(now) = known(look) else {
        let below = Rect { y: parts.sum.bottom(), height: area.bottom() - parts.sum.bottom(), ..area };
        return say(buf, below, &unreadable(tr!("descriptors"), &look.descriptors), theme);
    };
    if parts.kinds.height > 0 {
        let before = seen.baseline(Part::Descriptors).and_then(known);
        let mut pieces = kinds(now, before, theme);
        if let Some(since) = seen.since(Part::Descriptors) {
            pieces.push(Piece::new(format!("  {since}"), theme.style(Role::Muted), 0));
        }
        put_pieces(buf, parts.kinds, pieces, Vec::new());
    }
    Table { columns: &COLUMNS, order, rows, offset, scroll, least: LEAST_NAME }.draw(buf, parts.table, theme);
    let lines = more(now);
    if let Some(beside) = parts.beside {
        draw_lines(buf, beside, &lines, 0, theme);
    } else {
        let shown = rows.len().saturating_sub(offset).min(usize::from(parts.table.height));
        let y = parts.table.y + 1 + shown as u16;
        let below = Rect { y, height: parts.table.bottom().saturating_sub(y), ..parts.table };
        draw_lines(buf, below, lines.get(offset.saturating_sub(rows.len())..).unwrap_or_default(), scroll, theme);
    }
}

/// Columns of the numbers beside the table.
const NUMBER: u16 = 8;

fn draw_lines(buf: &mut Buffer, area: Rect, lines: &[More], scroll: u16, theme: &Theme) {
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        match line {
            More::Title(title) => {
                fill(buf, Rect { y, height: 1, ..area }, theme.style(Role::Header));
                put(buf, area.x + 1, y, area.width.saturating_sub(1), title, theme.style(Role::Header));
            }
            More::Line(number, name) => {
                put_right(buf, area.x, y, NUMBER, number, theme.style(Role::Muted));
                let room = area.width.saturating_sub(NUMBER + 1);
                let name = match scroll {
                    0 => end_of_path(name, room, theme.pick("…", "..")),
                    scroll => skip_columns(name, scroll).into(),
                };
                put(buf, area.x + NUMBER + 1, y, room, &name, theme.style(Role::Text));
            }
        }
    }
}

/// ` 931 open of 1024 (91%)  +60/min, fd limit in 2m  deleted files hold 3.2M of disk`.
fn summary(look: &Inspection, picture: &Picture<'_>, theme: &Theme) -> Vec<Piece> {
    let (text, muted) = (theme.style(Role::Text), theme.style(Role::Muted));
    let sampled = picture.row.as_ref().and_then(|row| row.process.fds.reading.value()).map(u64::from);
    let open = known(look).map(|known| known.coverage.of).or(sampled);
    let mut pieces = Vec::new();
    match open {
        Some(open) => pieces.push(Piece::new(tr!(" {open} open", open), theme.style(Role::Title), 0)),
        None => pieces.push(Piece::new(tr!(" not known how many are open, the limit is"), text, 0)),
    }
    match look.overview.fd_limit.as_ref().value() {
        Some(limit) if limit.soft == u64::MAX => pieces.push(Piece::new(tr!(", no limit"), muted, 3)),
        Some(limit) => {
            let share = open.map(|open| open as f64 * 100.0 / limit.soft.max(1) as f64);
            let role = match share {
                Some(share) if share >= 90.0 => Role::Danger,
                Some(share) if share >= 75.0 => Role::Warn,
                _ => Role::Text,
            };
            let of = if open.is_some() { tr!("of ") } else { "" };
            pieces.push(Piece::new(format!(" {of}{}", limit.soft), text, 0));
            if let Some(share) = share {
                pieces.push(Piece::new(format!(" ({})", Percent(share)), theme.style(role), 1));
            }
            if limit.hard != limit.soft {
                let hard = if limit.hard == u64::MAX { tr!("unlimited").into() } else { limit.hard.to_string() };
                pieces.push(Piece::new(tr!(", hard {hard}", hard), muted, 5));
            }
        }
        None => {}
    }
    let mut findings = picture.row.as_ref().map(growth::findings).into_iter().flatten();
    if let Some(finding) = findings.find(|finding| finding.quantity == Quantity::Fds) {
        let style = theme.style(finding::role(finding.judgement.verdict));
        pieces.push(Piece::new(format!("  {}", finding::rate(finding)), style, 2));
        if let Some(meeting) = finding.ahead().filter(|meeting| meeting.in_ms < finding::NEVER_MS) {
            pieces.push(Piece::new(format!(", {}", finding::becomes_full(meeting)), style, 3));
        }
    }
    if let Some(deleted) = known(look).map(|known| known.deleted).filter(|deleted| deleted.files > 0) {
        let word = if deleted.files == 1 { tr!("deleted file holds") } else { tr!("deleted files hold") };
        let (disk, ram) = (Bytes(deleted.disk), Bytes(deleted.ram));
        let what = match (deleted.disk, deleted.ram) {
            (_, 0) => tr!("{disk} of disk", disk),
            (0, _) => tr!("{ram} of RAM", ram),
            _ => tr!("{disk} of disk and {ram} of RAM", disk, ram),
        };
        pieces.push(Piece::new(format!("  {} {word} {what}", deleted.files), theme.style(Role::Warn), 4));
    }
    pieces
}

/// ` 512 sockets +12  300 files  8 pipes`.
fn kinds(now: &Descriptors, before: Option<&Descriptors>, theme: &Theme) -> Vec<Piece> {
    let is_whole = now.coverage.is_whole() && before.is_some_and(|before| before.coverage.is_whole());
    let mut pieces = Vec::new();
    for (nth, kind) in now.kinds.iter().enumerate() {
        let count = now.coverage.scale(u64::from(kind.count));
        let mark = if now.coverage.is_whole() { "" } else { "~" };
        let goes = (nth as u8).saturating_add(1).min(250);
        let text = format!("  {mark}{count} {}", tr!(of kind.kind.plural(count)));
        pieces.push(Piece::new(if nth == 0 { text[1..].to_owned() } else { text }, theme.style(Role::Text), goes));
        let then = before
            .filter(|_| is_whole)
            .map(|before| before.kinds.iter().find(|then| then.kind == kind.kind).map_or(0, |then| then.count));
        if let Some(then) = then.filter(|then| *then != kind.count) {
            let change = signed(Quantity::Fds, f64::from(kind.count) - f64::from(then));
            let role = if kind.count > then { Role::Growing } else { Role::Good };
            pieces.push(Piece::new(format!(" {change}"), theme.style(role), goes));
        }
    }
    pieces
}
