//! What is mapped, by what it is, with its change since the mark, or since the tab was first
//! shown.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::head::{say, unreadable};
use super::map::Map;
use super::seen::Seen;
use crate::model::group::Bound;
use crate::model::inspect::mapping::{Family, Mappings};
use crate::model::inspect::memory::Memory;
use crate::model::inspect::{Inspection, Part, change};
use crate::model::judgement::Quantity;
use crate::tui::finding::signed;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{Piece, put_pieces};
use crate::tui::widget::table::{self, Column, Head, Order, Rank, Table};
use crate::units::Bytes;

/// A line: one kind and name of mapping.
#[derive(Clone, Debug)]
pub(super) struct Row {
    name: String,
    family: Family,
    count: u32,
    /// Mappings of it whose memory was not read.
    unread: u32,
    memory: Memory,
    /// How much PSS and swap it gained; `None` without anything to compare with.
    change: Option<i64>,
    /// It is no more.
    is_gone: bool,
}

/// The column of names takes so much while others can go.
const LEAST_NAME: u16 = 18;

/// A column of bytes.
macro_rules! bytes {
    ($key:ident $goes:literal, $title:expr, $help:expr) => {
        Column {
            head: Head { key: stringify!($key), title: $title, help: $help, is_number: true },
            width: 6,
            goes: $goes,
            show: |row: &Row, theme| amount(row, row.memory.$key, theme),
            rank: |row: &Row| Rank::number(row.memory.$key),
        }
    };
}

pub(super) const COLUMNS: [Column<Row>; 12] = [
    bytes!(pss 0, "PSS", key!("Resident memory, each shared page divided by the number of processes that map it.")),
    Column {
        head: Head {
            key: "change",
            title: key!("CHANGE"),
            help: key!("PSS and swap gained since the mark, else since first shown."),
            is_number: true,
        },
        width: 7,
        goes: 0,
        show: |row, _| match row.change {
            None => ("-".into(), Role::Muted),
            Some(0) => ("0".into(), Role::Muted),
            Some(change) => {
                (signed(Quantity::Private, change as f64), if change > 0 { Role::Growing } else { Role::Good })
            }
        },
        rank: |row| Rank::change(row.change),
    },
    bytes!(rss 2, "RSS", key!("Resident memory, shared pages counted in full.")),
    bytes!(uss 5, "USS", key!("Private memory: what the machine gets back when it is unmapped.")),
    bytes!(swap 4, "SWAP", key!("Memory that was swapped out.")),
    bytes!(dirty 6, key!("DIRTY"), key!("Memory that was changed: it has to be written before the RAM can be used again.")),
    bytes!(anon_huge 8, "THP", key!("Anonymous memory in transparent huge pages.")),
    bytes!(locked 9, "LCK", key!("Memory locked in RAM by mlock(2).")),
    bytes!(hugetlb 10, "HUGE", key!("Pages of hugetlbfs, which no other column counts.")),
    bytes!(size 7, key!("SIZE"), key!("Address space, whether or not anything is in it.")),
    Column {
        head: Head { key: "count", title: "N", help: key!("Mappings."), is_number: true },
        width: 5,
        goes: 3,
        show: |row, _| (row.count.to_string(), Role::Muted),
        rank: |row| Rank::number(u64::from(row.count)),
    },
    Column {
        head: Head { key: "name", title: key!("MAPPING"), help: key!("What is mapped."), is_number: false },
        width: 0,
        goes: 0,
        show: |row, _| {
            let role = match (row.is_gone, row.family) {
                (true, _) => Role::Muted,
                (_, Family::Heap | Family::Anonymous) => Role::Title,
                _ => Role::Text,
            };
            (format!("{}{}", row.name, if row.is_gone { tr!(" (gone)") } else { "" }), role)
        },
        rank: |row| Rank::Text(row.name.to_lowercase()),
    },
];

/// An amount; where a part of the mappings was not read, at least that much.
fn amount(row: &Row, bytes: u64, theme: &Theme) -> (String, Role) {
    let role = if bytes == 0 || row.is_gone { Role::Muted } else { Role::Text };
    let bound = if row.unread > 0 { Bound::AtLeast.mark(theme.is_ascii) } else { "" };
    (format!("{bound}{}", Bytes(bytes)), role)
}

/// The lines in an order.
pub(super) fn build(seen: &Seen, order: Order) -> Vec<Row> {
    let Some(now) = seen.part(Part::Mappings).and_then(known) else { return Vec::new() };
    let before = seen.baseline(Part::Mappings).and_then(known);
    let rows = change::mappings(now, before).into_iter().map(|line| {
        // Which mappings of a group were read in time is chance: no change can be told then.
        let is_told = before.is_some() && line.is_read();
        let group = line.line();
        Row {
            name: group.shown(),
            family: group.kind.family(),
            count: group.count,
            unread: group.unread,
            memory: line.now.map_or_else(Memory::default, |group| group.memory),
            change: is_told.then(|| line.change(|group| group.memory.footprint())),
            is_gone: line.now.is_none(),
        }
    });
    table::sorted(rows.collect(), &COLUMNS, order)
}

fn known(inspection: &Inspection) -> Option<&Mappings> {
    inspection.mappings.as_ref().value()
}

/// The sum, the bar, and the table below.
fn split(area: Rect) -> [Rect; 3] {
    let (sum, map) = match area.height {
        0..4 => (0, 0),
        4..7 => (0, 1),
        7..12 => (1, 2),
        _ => (1, 3),
    };
    let at = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
    [at(0, sum), at(sum, map), at(sum + map, area.height - sum - map)]
}

/// Lines that fit into the table.
pub(super) fn rows(area: Rect) -> u16 {
    split(area)[2].height.saturating_sub(1)
}

/// The key of the head at a place of the screen.
pub(super) fn head_at(area: Rect, x: u16, y: u16) -> Option<&'static str> {
    let [.., table] = split(area);
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
    let Some(look) = seen.part(Part::Mappings) else {
        return say(buf, area, &seen.unseen(Part::Mappings, theme), theme);
    };
    let Some(now) = known(look) else {
        return say(buf, area, &unreadable(tr!("mappings"), &look.mappings), theme);
    };
    let [sum, map, table] = split(area);
    let before = seen.baseline(Part::Mappings);
    if sum.height > 0 {
        put_pieces(buf, sum, summary(now, seen, rows, theme), Vec::new());
    }
    if map.height > 0 {
        let before = before.and_then(known).filter(|before| before.coverage.is_whole() && now.coverage.is_whole());
        let before = before.map(|before| &before.space);
        Map { space: &now.space, before }.draw(buf, map, theme);
    }
    Table { columns: &COLUMNS, order, rows, offset, scroll, least: LEAST_NAME }.draw(buf, table, theme);
}

/// ` PSS 762M  RSS 790M  swap 0  +12M in 3m since first shown  1234 mappings in 45 groups`.
fn summary(now: &Mappings, seen: &Seen, rows: &[Row], theme: &Theme) -> Vec<Piece> {
    let (text, muted) = (theme.style(Role::Text), theme.style(Role::Muted));
    let total = &now.total;
    let mut pieces = vec![
        Piece::new(format!(" PSS {}", Bytes(total.pss)), theme.style(Role::Title), 0),
        Piece::new(format!("  RSS {}", Bytes(total.rss)), text, 2),
        Piece::new(tr!("  swap {swap}", swap = Bytes(total.swap)), text, 3),
    ];
    if let Some(then) = seen.baseline(Part::Mappings).and_then(known) {
        let change = total.footprint() as f64 - then.total.footprint() as f64;
        let role = if change > 0.0 { Role::Growing } else { Role::Muted };
        pieces.push(Piece::new(format!("  {}", signed(Quantity::Private, change)), theme.style(role), 1));
        if let Some(since) = seen.since(Part::Mappings) {
            pieces.push(Piece::new(format!(" {since}"), theme.style(role), 1));
        }
    }
    let groups = rows.iter().filter(|row| !row.is_gone).count();
    pieces.push(Piece::new(tr!("  {count} mappings", count = now.coverage.of), muted, 4));
    pieces.push(Piece::new(tr!(" in {groups} groups", groups), muted, 5));
    let unread: u32 = rows.iter().map(|row| row.unread).sum();
    if unread > 0 {
        let text = tr!("  {unread} not read in time: their memory is in the sum only", unread);
        pieces.push(Piece::new(text, theme.style(Role::Warn), 6));
    }
    pieces
}
