//! A table of rows of any kind: columns that fit, in the order of one of them, its head and its lines.

use std::cmp::Ordering;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::line::{end_of_path, fill, put, put_right, skip_columns};
use crate::tui::theme::{Role, Theme};

/// What sorts a row.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub enum Rank {
    /// Not known: last, either way.
    Unknown,
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl Rank {
    /// The rank of a count or an amount.
    pub fn number(value: impl Into<Option<u64>>) -> Self {
        value.into().map_or(Self::Unknown, |value| Self::Number(value as f64))
    }

    /// The rank of a change.
    pub fn change(value: Option<i64>) -> Self {
        value.map_or(Self::Unknown, |value| Self::Number(value as f64))
    }

    fn order(&self, other: &Self, is_descending: bool) -> Ordering {
        match (self, other) {
            (Self::Unknown, Self::Unknown) => Ordering::Equal,
            (Self::Unknown, _) => Ordering::Greater,
            (_, Self::Unknown) => Ordering::Less,
            (a, b) => {
                let ordering = a.partial_cmp(b).unwrap_or(Ordering::Equal);
                if is_descending { ordering.reverse() } else { ordering }
            }
        }
    }
}

/// What a column is, whatever its rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its name, unlike all others of its table.
    pub key: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it is, in one sentence.
    pub help: &'static str,
    /// Whether it holds numbers: they stand at its right, and the first press puts the largest on top.
    pub is_number: bool,
}

/// A column of rows of type `T`.
pub struct Column<T> {
    /// What it is.
    pub head: Head,
    /// Its width; 0 takes what is left. There is one such column, the last.
    pub width: u16,
    /// How soon it goes where there is no room: the larger, the sooner; 0 stays.
    pub goes: u8,
    /// What it says of a row, and how that looks.
    pub show: fn(&T, &Theme) -> (String, Role),
    /// What sorts a row by it.
    pub rank: fn(&T) -> Rank,
}

/// What sorts a table, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The key of a column.
    pub by: &'static str,
    /// The largest first.
    pub is_descending: bool,
}

impl Order {
    /// The order that a press on a column asks for: by it, or by it the other way round.
    #[must_use]
    pub fn pressed(self, head: &Head) -> Self {
        if self.by == head.key { self.reversed() } else { Self { by: head.key, is_descending: head.is_number } }
    }

    /// The order the other way round.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { is_descending: !self.is_descending, ..self }
    }

    /// The order by the column beside the present one.
    #[must_use]
    pub fn beside(self, heads: &[Head], step: isize) -> Self {
        let place = heads.iter().position(|head| head.key == self.by).unwrap_or(0);
        let next = (place as isize + step).rem_euclid(heads.len().max(1) as isize) as usize;
        heads.get(next).map_or(self, |head| Self { by: head.key, is_descending: head.is_number })
    }
}

/// Rows in an order; equal ones stay as they are.
pub fn sorted<T>(rows: Vec<T>, columns: &[Column<T>], order: Order) -> Vec<T> {
    let Some(column) = columns.iter().find(|column| column.head.key == order.by) else { return rows };
    let mut keyed: Vec<(Rank, T)> = rows.into_iter().map(|row| ((column.rank)(&row), row)).collect();
    keyed.sort_by(|(a, _), (b, _)| a.order(b, order.is_descending));
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// The columns that fit, with their widths.
pub fn layout<T>(columns: &[Column<T>], width: u16, least: u16) -> Vec<(&Column<T>, u16)> {
    let mut chosen: Vec<&Column<T>> = columns.iter().collect();
    let fixed = |chosen: &[&Column<T>]| {
        chosen.iter().filter(|column| column.width > 0).map(|column| column.width + 1).sum::<u16>()
    };
    while fixed(&chosen) + least > width {
        let goes = chosen.iter().enumerate().filter(|(_, column)| column.goes > 0);
        let Some((place, _)) = goes.max_by_key(|(_, column)| column.goes) else { break };
        chosen.remove(place);
    }
    let rest = width.saturating_sub(fixed(&chosen));
    chosen.into_iter().map(|column| (column, if column.width == 0 { rest } else { column.width })).collect()
}

/// A table to be drawn.
pub struct Table<'a, T> {
    /// Its columns.
    pub columns: &'a [Column<T>],
    /// What sorts it: shown in its head.
    pub order: Order,
    /// Its rows, in that order.
    pub rows: &'a [T],
    /// Rows scrolled away.
    pub offset: usize,
    /// Columns of the last column scrolled away.
    pub scroll: u16,
    /// The last column takes so much while others can go.
    pub least: u16,
}

impl<T> Table<'_, T> {
    /// Draws head and rows.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, theme: &Theme) {
        if area.height == 0 {
            return;
        }
        let columns = layout(self.columns, area.width, self.least);
        fill(buf, Rect { height: 1, ..area }, theme.style(Role::Header));
        let mut x = area.x;
        for (column, width) in &columns {
            let is_sorted = column.head.key == self.order.by;
            let mark = match (is_sorted, self.order.is_descending) {
                (false, _) => "",
                (true, true) => theme.pick("▼", "v"),
                (true, false) => theme.pick("▲", "^"),
            };
            let title = format!("{}{mark}", tr!(of column.head.title));
            let style = theme.style(if is_sorted { Role::HeaderSorted } else { Role::Header });
            put_cell(buf, Rect::new(x, area.y, *width, 1), &title, is_right(column), style);
            x += width + 1;
        }
        for (row, y) in self.rows.iter().skip(self.offset).zip(area.y + 1..area.bottom()) {
            let mut x = area.x;
            for (column, width) in &columns {
                let (text, role) = (column.show)(row, theme);
                let shown = match (column.width, self.scroll) {
                    (0, 0) => end_of_path(&text, *width, theme.pick("…", "..")),
                    (0, scroll) => skip_columns(&text, scroll).into(),
                    _ => text.as_str().into(),
                };
                put_cell(buf, Rect::new(x, y, *width, 1), &shown, is_right(column), theme.style(role));
                x += width + 1;
            }
        }
    }
}

fn is_right<T>(column: &Column<T>) -> bool {
    column.head.is_number && column.width > 0
}

fn put_cell(buf: &mut Buffer, cell: Rect, text: &str, is_right: bool, style: Style) {
    if is_right {
        put_right(buf, cell.x, cell.y, cell.width, text, style);
    } else {
        put(buf, cell.x, cell.y, cell.width, text, style);
    }
}

/// What stands above every column, those included that have no room.
pub fn heads<T>(columns: &[Column<T>]) -> Vec<Head> {
    columns.iter().map(|column| column.head).collect()
}

/// The head at a column of the screen.
pub fn head_at<T>(columns: &[Column<T>], area: Rect, least: u16, x: u16) -> Option<Head> {
    let mut left = area.x;
    layout(columns, area.width, least).into_iter().find_map(|(column, width)| {
        left += width + 1;
        (x < left).then_some(column.head)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (&'static str, Option<u64>);

    const COLUMNS: [Column<Row>; 3] = [
        Column {
            head: Head { key: "count", title: "COUNT", help: "How many.", is_number: true },
            width: 6,
            goes: 0,
            show: |row, _| (row.1.map_or_else(|| "-".into(), |count| count.to_string()), Role::Text),
            rank: |row| Rank::number(row.1),
        },
        Column {
            head: Head { key: "spare", title: "SPARE", help: "What can be spared.", is_number: true },
            width: 9,
            goes: 1,
            show: |_, _| ("x".into(), Role::Muted),
            rank: |_| Rank::Unknown,
        },
        Column {
            head: Head { key: "name", title: "NAME", help: "Who.", is_number: false },
            width: 0,
            goes: 0,
            show: |row, _| (row.0.into(), Role::Title),
            rank: |row| Rank::Text(row.0.into()),
        },
    ];

    fn names(order: Order) -> Vec<&'static str> {
        let rows = vec![("b", Some(2)), ("a", None), ("d", Some(7)), ("c", Some(2))];
        sorted(rows, &COLUMNS, order).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_is_unknown_comes_last_either_way_and_equals_stay() {
        assert_eq!(names(Order { by: "count", is_descending: true }), ["d", "b", "c", "a"]);
        assert_eq!(names(Order { by: "count", is_descending: false }), ["b", "c", "d", "a"]);
        assert_eq!(names(Order { by: "name", is_descending: false }), ["a", "b", "c", "d"]);
        assert_eq!(names(Order { by: "nothing", is_descending: false }), ["b", "a", "d", "c"]);
    }

    #[test]
    fn a_press_sorts_and_a_second_one_turns_it_round() {
        let order = Order { by: "name", is_descending: false }.pressed(&COLUMNS[0].head);
        assert_eq!(order, Order { by: "count", is_descending: true });
        assert_eq!(order.pressed(&COLUMNS[0].head), Order { by: "count", is_descending: false });
        assert_eq!(order.beside(&heads(&COLUMNS), -1), Order { by: "name", is_descending: false });
    }

    #[test]
    fn the_least_important_column_goes_and_the_last_takes_the_rest() {
        let widths =
            |width| layout(&COLUMNS, width, 8).iter().map(|(column, own)| (column.head.key, *own)).collect::<Vec<_>>();
        assert_eq!(widths(40), [("count", 6), ("spare", 9), ("name", 23)]);
        assert_eq!(widths(20), [("count", 6), ("name", 13)]);
        assert_eq!(widths(3), [("count", 6), ("name", 0)]);
        let area = Rect::new(5, 0, 40, 1);
        let at = |x| head_at(&COLUMNS, area, 8, x).map(|head| head.key);
        assert_eq!(
            [5, 11, 12, 21, 22, 44].map(at),
            [Some("count"), Some("count"), Some("spare"), Some("spare"), Some("name"), Some("name")]
        );
    }
}
