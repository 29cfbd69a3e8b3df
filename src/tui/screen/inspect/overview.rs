//! All in short: how the process grows, the course it took, its facts, and every field with what it is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::facts::{Fact, Facts, facts};
use super::fields::told;
use super::seen::Seen;
use super::{Picture, State, growth};
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{columns, fill, put};
use crate::tui::widget::wrap::wrap_hard;

/// The tab as one long page of which a window is shown.
pub(super) struct Page<'a> {
    picture: &'a Picture<'a>,
    theme: &'a Theme,
    width: u16,
    lines: Vec<Line>,
    /// Lines of the course.
    course: u16,
}

enum Line {
    /// Pieces at their columns.
    Text(Vec<(u16, String, Role)>),
    /// A title.
    Title(&'static str),
    /// A line of the course, by its place in it.
    Course(u16),
}

/// Columns of a fact's title and of a whole fact.
const TITLE: u16 = 15;
const FACT: u16 = 38;

/// Columns of a field's title and value.
const FIELD: u16 = 11;
const VALUE: u16 = 9;

/// Lines of the course: none where words need all the room, few where nothing was found.
fn course_height(area: Rect, picture: &Picture<'_>) -> u16 {
    let is_found = picture.row.as_ref().is_some_and(|row| growth::findings(row).next().is_some());
    match (area.height, is_found) {
        (0..10, _) => 0,
        (height, true) => (height / 3).clamp(4, 14),
        (height, false) => (height / 6).clamp(2, 6),
    }
}

impl<'a> Page<'a> {
    /// Lays the page out for an area.
    pub(super) fn of(picture: &'a Picture<'a>, seen: &Seen, area: Rect, theme: &'a Theme) -> Self {
        let mut page =
            Self { picture, theme, width: area.width, lines: Vec::new(), course: course_height(area, picture) };
        let Some(row) = &picture.row else {
            page.wrapped(1, tr!("The process had not been seen yet at this moment."), Role::Muted);
            return page;
        };
        for (text, role) in growth::sentences(picture, theme) {
            page.wrapped(1, &text, role);
        }
        // What only an inspection reads is of now, not of the past.
        let is_past = picture.update.timeline.is_past && matches!(picture.state, State::Alive);
        let Facts { limit, short, long } = facts(row, seen.latest().filter(|_| !is_past), theme);
        if let Some(limit) = limit {
            page.long(&limit);
        }
        page.lines.extend((0..page.course).map(Line::Course));
        page.short(&short);
        for fact in &long {
            page.long(fact);
        }
        page.lines.push(Line::Title(tr!("EVERY FIELD")));
        for field in told(row) {
            let title = (0, right(field.title, FIELD - 1), Role::Muted);
            let (value, role) = field.value;
            match field.note {
                None => page.labelled(vec![title], FIELD, &value, role),
                Some(note) => {
                    let value = (FIELD, right(&value, VALUE), role);
                    page.labelled(vec![title, value], FIELD + VALUE + 1, &note, Role::Muted);
                }
            }
        }
        page
    }

    /// Lines of the page.
    pub(super) fn height(&self) -> usize {
        self.lines.len()
    }

    /// A text from a column on, in as many lines as it takes.
    fn wrapped(&mut self, x: u16, text: &str, role: Role) {
        let width = self.width.saturating_sub(x + 1).max(1);
        self.lines.extend(wrap_hard(text, width).into_iter().map(|line| Line::Text(vec![(x, line, role)])));
    }

    /// The same with labels before its first line.
    fn labelled(&mut self, labels: Vec<(u16, String, Role)>, x: u16, text: &str, role: Role) {
        let first = self.lines.len();
        self.wrapped(x, text, role);
        if let Some(Line::Text(pieces)) = self.lines.get_mut(first) {
            pieces.extend(labels);
        }
    }

    /// A fact that takes its own lines.
    fn long(&mut self, fact: &Fact) {
        self.labelled(vec![(0, right(fact.title, TITLE - 1), Role::Muted)], TITLE, &fact.value, fact.role);
    }

    /// Facts side by side: down the columns, as they belong together.
    fn short(&mut self, facts: &[Fact]) {
        let across = usize::from((self.width / FACT).max(1));
        let down = facts.len().div_ceil(across).max(1);
        for nth in 0..down {
            let mut pieces = Vec::new();
            for (place, fact) in facts.iter().enumerate().skip(nth).step_by(down) {
                let x = (place / down) as u16 * FACT;
                pieces.push((x, right(fact.title, TITLE - 1), Role::Muted));
                pieces.push((x + TITLE, fact.value.clone(), fact.role));
            }
            self.lines.push(Line::Text(pieces));
        }
    }

    /// Draws the window that begins at a line.
    pub(super) fn draw(&self, buf: &mut Buffer, area: Rect, offset: usize) {
        let course = self.drawn_course();
        for (line, y) in self.lines.iter().skip(offset).zip(area.y..area.bottom()) {
            match line {
                Line::Text(pieces) => {
                    for (x, text, role) in pieces {
                        // What stands beside begins at its own column: what is longer is cut before it.
                        let next = pieces.iter().map(|(other, ..)| *other).filter(|other| other > x).min();
                        let end = next.map_or(self.width, |next| next - 1);
                        put(buf, area.x + x, y, end.saturating_sub(*x), text, self.theme.style(*role));
                    }
                }
                Line::Title(title) => {
                    let style = self.theme.style(Role::Header);
                    fill(buf, Rect { y, height: 1, ..area }, style);
                    put(buf, area.x + 1, y, area.width.saturating_sub(1), title, style);
                }
                Line::Course(nth) => {
                    for x in 0..area.width.min(course.area.width) {
                        let Some(cell) = buf.cell_mut((area.x + x, y)) else { continue };
                        *cell = course[(x, *nth)].clone();
                    }
                }
            }
        }
    }

    /// The course in a buffer of its own, of which the window may show a part.
    fn drawn_course(&self) -> Buffer {
        let area = Rect::new(0, 0, self.width, self.course);
        let mut buf = Buffer::empty(area);
        growth::draw(&mut buf, area, self.picture, self.theme);
        buf
    }
}

/// A text at the right of so many columns.
fn right(text: &str, width: u16) -> String {
    format!("{}{text}", " ".repeat(usize::from(width.saturating_sub(columns(text)))))
}
