//! Sheets as lines of cells: which columns there is room for, how wide each is, and where the last one is broken.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::look;
use crate::export::sheet::{Sheet, SheetColumn, SheetRow};
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{columns, fill, put, put_right};
use crate::tui::widget::wrap::wrap;

/// A piece of a line.
#[derive(Clone, Debug, PartialEq)]
struct Span {
    x: u16,
    width: u16,
    text: String,
    role: Role,
    is_right: bool,
}

/// A line of the list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Line {
    spans: Vec<Span>,
    /// Whether it is the head of columns.
    is_head: bool,
}

impl Line {
    fn text(x: u16, text: String, role: Role) -> Self {
        let span = Span { x, width: columns(&text), text, role, is_right: false };
        Self { spans: vec![span], is_head: false }
    }

    /// Draws the line.
    pub(super) fn draw(&self, buf: &mut Buffer, area: Rect, theme: &Theme) {
        if self.is_head {
            fill(buf, area, theme.style(Role::Header));
        }
        for span in &self.spans {
            let room = area.width.saturating_sub(span.x).min(span.width);
            let write = if span.is_right { put_right } else { put_left };
            write(buf, area.x + span.x, area.y, room, &span.text, theme.style(span.role));
        }
    }
}

fn put_left(buf: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: ratatui::style::Style) {
    put(buf, x, y, width, text, style);
}

/// Between columns.
const GAP: u16 = 1;

/// The last column is not broken into narrower lines than this: below that it has lines of its own.
const LEAST_LAST: u16 = 24;

/// Other columns are never wider than this share of a line.
const MOST_SHARE: u16 = 2;

/// A row's own lines begin here.
const INDENT: u16 = 4;

/// All lines of the sheets, one below the other.
pub(super) fn lines(sheets: &[Sheet], width: u16, theme: &Theme) -> Vec<Line> {
    let mut lines = Vec::new();
    for sheet in sheets {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.extend(lines_of(sheet, width, theme));
    }
    lines
}

fn lines_of(sheet: &Sheet, width: u16, theme: &Theme) -> Vec<Line> {
    let mut lines = vec![Line::text(1, sheet.title.clone(), Role::Title)];
    for (note, tone) in &sheet.notes {
        let broken = wrap(note, width.saturating_sub(2));
        lines.extend(broken.into_iter().map(|text| Line::text(1, text, look::of_tone(*tone))));
    }
    if sheet.rows.is_empty() || sheet.columns.is_empty() {
        return lines;
    }
    let table = Table::of(sheet, width);
    lines.push(table.head(sheet));
    lines.extend(sheet.rows.iter().flat_map(|row| table.row(row, theme)));
    lines
}

/// A column that is shown.
struct Chosen {
    /// Its place in the sheet.
    place: usize,
    x: u16,
    width: u16,
}

/// The columns that there is room for.
struct Table {
    chosen: Vec<Chosen>,
    /// Where rows have lines of their own for the last column.
    own_lines: Option<usize>,
    width: u16,
    columns: Vec<SheetColumn>,
}

impl Table {
    fn of(sheet: &Sheet, width: u16) -> Self {
        let last = sheet.columns.len() - 1;
        let most = (width / MOST_SHARE).max(8);
        let natural = |place: usize| {
            let cells = sheet.rows.iter().filter_map(|row| row.cells.get(place)).map(|cell| columns(cell));
            let wide = cells.chain([columns(tr!(of sheet.columns[place].title))]).max().unwrap_or(0);
            // The sign of a layer stands before its name.
            if place == 0 && sheet.rows.iter().any(|row| row.layer.is_some()) { wide + 2 } else { wide }
        };
        let widths: Vec<u16> = (0..=last).map(natural).collect();
        let mut places: Vec<usize> = (0..=last).collect();
        let capped = |place: usize| if place == last { widths[place] } else { widths[place].min(most) };
        let fixed = |places: &[usize]| {
            places.iter().filter(|place| **place != last).map(|place| capped(*place) + GAP).sum::<u16>()
        };
        let room = width.saturating_sub(2);
        // What few rows have to say stands below these and takes no place from others.
        let said = sheet.rows.iter().filter(|row| row.cells.get(last).is_some_and(|cell| !cell.is_empty())).count();
        let is_sparse = said * 2 < sheet.rows.len();
        let is_last_kept = |places: &[usize]| places.contains(&last);
        // What is least needed goes until all that is left fits, the last column in a few words.
        loop {
            let words = if is_last_kept(&places) && !is_sparse { widths[last].min(LEAST_LAST) } else { 0 };
            if fixed(&places) + words <= room {
                break;
            }
            let goes = places.iter().copied().filter(|place| sheet.columns[*place].goes > 0);
            let Some(goes) = goes.max_by_key(|place| sheet.columns[*place].goes) else { break };
            places.retain(|place| *place != goes);
        }
        let left = room.saturating_sub(fixed(&places));
        let needs_lines = is_last_kept(&places) && places.len() > 1 && widths[last] > left && left < LEAST_LAST;
        let own_lines = needs_lines.then_some(last);
        places.retain(|place| Some(*place) != own_lines);
        let mut x = 1;
        let mut chosen = Vec::new();
        // Where even what must stay does not fit the first column is cut.
        let surplus = fixed(&places).saturating_sub(GAP).saturating_sub(room);
        for (nth, place) in places.iter().copied().enumerate() {
            let wanted = capped(place).saturating_sub(if nth == 0 { surplus } else { 0 }).max(6.min(capped(place)));
            let width = if place == last { room.saturating_sub(x - 1) } else { wanted };
            chosen.push(Chosen { place, x, width });
            x += width + GAP;
        }
        Self { chosen, own_lines, width, columns: sheet.columns.clone() }
    }

    fn head(&self, sheet: &Sheet) -> Line {
        let span = |chosen: &Chosen| {
            let column = sheet.columns[chosen.place];
            Span {
                x: chosen.x,
                width: chosen.width,
                text: tr!(of column.title).to_owned(),
                role: Role::Header,
                is_right: column.is_right,
            }
        };
        Line { spans: self.chosen.iter().map(span).collect(), is_head: true }
    }

    /// The lines of a row: the last cell may take several.
    fn row(&self, row: &SheetRow, theme: &Theme) -> Vec<Line> {
        let role = look::of_tone(row.tone);
        let mut first = Line::default();
        let mut more = Vec::new();
        for chosen in &self.chosen {
            let column = self.columns[chosen.place];
            let Some(cell) = row.cells.get(chosen.place) else { continue };
            let is_last = chosen.place + 1 == self.columns.len();
            let mut broken = if is_last && !column.is_right { wrap(cell, chosen.width) } else { vec![cell.clone()] };
            let role = if chosen.place == 0 { row.layer.map_or(role, look::role) } else { role };
            let text = cut(&broken.remove(0), chosen.width, theme);
            first.spans.push(Span { x: chosen.x, width: chosen.width, text, role, is_right: column.is_right });
            more.extend(broken.into_iter().map(|text| Line::text(chosen.x, text, role)));
        }
        if let (Some(layer), Some(span)) = (row.layer, first.spans.first_mut()) {
            // Where there is no colour the sign says which layer it is.
            span.text = cut(&format!("{} {}", look::sign(layer, theme), span.text), span.width, theme);
        }
        if let Some(cell) = self.own_lines.and_then(|place| row.cells.get(place)).filter(|cell| !cell.is_empty()) {
            let broken = wrap(cell, self.width.saturating_sub(INDENT + 1));
            more.extend(broken.into_iter().map(|text| Line::text(INDENT, text, Role::Muted)));
        }
        std::iter::once(first).chain(more).collect()
    }
}

/// The text, or its beginning with a mark where there is no room for all of it.
fn cut(text: &str, width: u16, theme: &Theme) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mark = theme.pick("…", "~");
    let mut kept = String::new();
    for letter in text.chars() {
        let mut longer = kept.clone();
        longer.push(letter);
        if columns(&longer) + 1 > width {
            break;
        }
        kept = longer;
    }
    kept + mark
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::export::sheet::Tone;
    use crate::tui::theme::Depth;

    fn theme() -> Theme {
        Theme::load("dark", Depth::True, false).unwrap()
    }

    fn sheet(rows: &[&[&str]]) -> Sheet {
        let column = |title, is_right, goes| SheetColumn { title, is_right, goes };
        let columns =
            vec![column("NAME", false, 0), column("SIZE", true, 0), column("EXTRA", true, 2), column("WHY", false, 0)];
        let rows = rows.iter().map(|cells| SheetRow {
            cells: cells.iter().map(|cell| (*cell).to_owned()).collect(),
            tone: Tone::Plain,
            layer: None,
        });
        Sheet { title: "A title".into(), notes: Vec::new(), columns, rows: rows.collect() }
    }

    fn shown(sheet: &Sheet, width: u16) -> Vec<String> {
        let lines = lines(std::slice::from_ref(sheet), width, &theme());
        let area = Rect::new(0, 0, width, lines.len() as u16);
        let mut buf = Buffer::empty(area);
        for (line, y) in lines.iter().zip(0..) {
            line.draw(&mut buf, Rect::new(0, y, width, 1), &theme());
        }
        (0..area.height)
            .map(|y| (0..width).map(|x| buf[(x, y)].symbol()).collect::<String>().trim_end().to_owned())
            .collect()
    }

    #[test]
    fn the_last_column_is_broken_under_itself() {
        let sheet = sheet(&[&["a", "12M", "7", "this is read again from disk when it is needed"]]);
        assert_eq!(
            shown(&sheet, 44),
            [
                " A title",
                " NAME SIZE EXTRA WHY",
                " a     12M     7 this is read again from",
                "                 disk when it is needed"
            ]
        );
    }

    #[test]
    fn where_there_is_no_room_columns_go_and_the_last_has_lines_of_its_own() {
        let sheet = sheet(&[&["a name", "12M", "7", "this is read again from disk"], &["b", "1", "2", ""]]);
        assert_eq!(
            shown(&sheet, 30),
            [" A title", " NAME   SIZE", " a name  12M", "    this is read again from", "    disk", " b         1"]
        );
    }

    #[test]
    fn what_is_cut_is_marked() {
        let sheet = sheet(&[&["/a/path/that/is/very/long", "12M", "7", "x"]]);
        assert!(shown(&sheet, 24).iter().any(|line| line.contains('…')), "{:?}", shown(&sheet, 24));
    }

    proptest! {
        #[test]
        fn whatever_is_listed_stays_within_the_lines(
            cells in proptest::collection::vec(proptest::collection::vec("\\PC{0,40}", 4), 0..6), width in 2u16..120,
        ) {
            let rows: Vec<Vec<&str>> = cells.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
            let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
            let lines = lines(&[sheet(&rows)], width, &theme());
            // What is drawn too wide would be seen right of the area.
            let mut buf = Buffer::empty(Rect::new(0, 0, width + 50, lines.len() as u16));
            for (line, y) in lines.iter().zip(0..) {
                line.draw(&mut buf, Rect::new(0, y, width, 1), &theme());
            }
            for y in 0..buf.area.height {
                let beyond: String = (width..width + 50).map(|x| buf[(x, y)].symbol()).collect();
                prop_assert_eq!(beyond.trim(), "", "line {}", y);
            }
        }
    }
}
