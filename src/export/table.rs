//! Aligned columns of text.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

/// A column's head and how its cells stand.
#[derive(Clone, Debug)]
pub struct Column {
    /// The head.
    pub title: String,
    /// Numbers stand at the right.
    pub is_right: bool,
}

/// Cells in columns.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The columns, from the left.
    pub columns: Vec<Column>,
    /// The lines, each with a cell a column.
    pub rows: Vec<Vec<String>>,
    /// A last line below a rule, if there is one.
    pub total: Option<Vec<String>>,
}

impl Table {
    /// Writes the table, each line cut at `width` columns where there is such an edge.
    pub fn write(&self, out: &mut dyn Write, has_head: bool, width: Option<usize>) -> io::Result<()> {
        let heads: Vec<String> = self.columns.iter().map(|column| column.title.clone()).collect();
        let lines = has_head.then_some(&heads).into_iter().chain(&self.rows).chain(&self.total);
        let mut widths = vec![0; self.columns.len()];
        for line in lines.clone() {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(cell.width());
            }
        }
        for (nth, line) in lines.enumerate() {
            let is_total = self.total.is_some() && nth == usize::from(has_head) + self.rows.len();
            if is_total {
                let rule: usize = widths.iter().map(|width| width + 1).sum::<usize>().saturating_sub(1);
                writeln!(out, "{}", "-".repeat(rule.min(width.unwrap_or(usize::MAX)).min(200)))?;
            }
            writeln!(out, "{}", cut(&self.line(line, &widths), width))?;
        }
        Ok(())
    }

    /// Shortens cells of the last column in their middle, so that lines fit into `width` columns: the end of a path says
    /// more than what comes before it.
    #[must_use]
    pub fn fit_last(mut self, width: Option<usize>) -> Self {
        let (Some(width), Some(last)) = (width, self.columns.len().checked_sub(1)) else { return self };
        let of_column = |place: usize| {
            let cells = self.rows.iter().chain(&self.total).filter_map(|row| row.get(place)).map(|cell| cell.width());
            cells.chain([self.columns[place].title.width()]).max().unwrap_or(0)
        };
        let room = width.saturating_sub((0..last).map(|place| of_column(place) + 1).sum());
        for cell in self.rows.iter_mut().filter_map(|row| row.get_mut(last)) {
            if cell.width() > room && room >= SHORTEST {
                *cell = shorten(cell, room);
            }
        }
        self
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, column), width) in cells.iter().zip(&self.columns).zip(widths) {
            if !line.is_empty() {
                line.push(' ');
            }
            let pad = " ".repeat(width.saturating_sub(cell.width()));
            if column.is_right {
                line.push_str(&pad);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&pad);
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// What is shortened below this says nothing.
const SHORTEST: usize = 12;

/// The beginning and, with twice as much room, the end of a text, `room` columns together.
fn shorten(text: &str, room: usize) -> String {
    use unicode_segmentation::UnicodeSegmentation as _;
    let head = cut(text, Some((room - 3) / 3));
    let most = room - 3 - head.width();
    let mut used = 0;
    let tail = text.grapheme_indices(true).rev().take_while(|(_, grapheme)| {
        used += grapheme.width();
        used <= most
    });
    let start = tail.last().map_or(text.len(), |(at, _)| at);
    format!("{head}...{}", &text[start..])
}

/// The text's first `width` columns.
fn cut(text: &str, width: Option<usize>) -> &str {
    use unicode_segmentation::UnicodeSegmentation as _;
    let Some(width) = width else { return text };
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        used += grapheme.width();
        if used > width {
            return &text[..at];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_keeps_its_beginning_and_its_end() {
        assert_eq!(shorten("/usr/lib/x86_64-linux-gnu/libc.so.6", 20), "/usr/...nu/libc.so.6");
        let text = shorten("/srv/数据库数据库数据库/app.log", 20);
        assert!(text.width() <= 20 && text.ends_with("/app.log"), "{text}");
        let table = Table {
            columns: ["N", "WHAT"].map(|title| Column { title: title.into(), is_right: false }).into(),
            rows: vec![vec!["1".into(), "/a/very/long/path/to/a/file.log".into()], vec!["2".into(), "/short".into()]],
            total: None,
        };
        let fitted = table.clone().fit_last(Some(22));
        assert_eq!(fitted.rows[0][1].width(), 20);
        assert!(fitted.rows[0][1].ends_with("file.log"));
        assert_eq!(fitted.rows[1], table.rows[1]);
        assert_eq!(table.clone().fit_last(None).rows, table.rows);
    }

    #[test]
    fn columns_stand_by_display_width_and_lines_end_at_the_edge() {
        let table = Table {
            columns: vec![
                Column { title: "N".into(), is_right: true },
                Column { title: "NAME".into(), is_right: false },
                Column { title: "X".into(), is_right: true },
            ],
            rows: vec![vec!["7".into(), "数据库".into(), "1".into()], vec!["1234".into(), "a".into(), "22".into()]],
            total: Some(vec!["2".into(), String::new(), "23".into()]),
        };
        let text = |width| {
            let mut out = Vec::new();
            table.write(&mut out, true, width).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(None), "   N NAME    X\n   7 数据库  1\n1234 a      22\n--------------\n   2        23\n");
        assert!(text(Some(8)).contains("\n   7 数\n"), "{}", text(Some(8)));
    }
}
