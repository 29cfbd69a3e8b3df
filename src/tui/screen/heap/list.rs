//! A list of which only the part that is looked at is there.

use std::sync::Arc;

use ratatui::layout::Rect;

use super::columns;
use crate::heap::browse::{Aside, By, Kind, Line, Opens, Page, Question, Sort};
use crate::tui::action::Action;
use crate::tui::widget::table::{self, Column, Head, Order, heads};

/// A list.
#[derive(Clone)]
pub(super) struct List {
    pub(super) question: Question,
    pub(super) columns: &'static [Column<Line>],
    pub(super) order: Order,
    pub(super) selected: usize,
    pub(super) offset: usize,
    /// Columns of the last column scrolled away.
    pub(super) scroll: u16,
    /// How many lines it has; none before the first page.
    of: usize,
    page: Option<Arc<Page>>,
    told: Option<(Aside, Arc<[String]>)>,
}

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("List").field("question", &self.question).field("order", &self.order).finish_non_exhaustive()
    }
}

impl List {
    pub(super) fn new(question: Question, kind: Kind, files: usize) -> Self {
        let (columns, order) = columns::of(&question, kind, files);
        Self { question, columns, order, selected: 0, offset: 0, scroll: 0, of: 0, page: None, told: None }
    }

    /// What sorts it, for who makes it.
    pub(super) fn sort(&self) -> Sort {
        let by = By::of_key(self.order.by).unwrap_or(By::Given);
        Sort { by, is_descending: self.order.is_descending }
    }

    /// The lines to ask for: what is on the screen, and as much before and after, in steps of a screen, so that a line
    /// further asks for nothing new.
    pub(super) fn window(&self, rows: usize) -> (usize, usize) {
        let rows = rows.max(1);
        let start = (self.offset / rows).saturating_sub(1) * rows;
        (start, start + 4 * rows)
    }

    /// The page that is there, if it answers what is asked.
    pub(super) fn page(&self) -> Option<&Page> {
        let sort = self.sort();
        self.page.as_deref().filter(|page| page.question == self.question && page.sort == sort)
    }

    /// Takes a page; of another list or order it is nothing.
    pub(super) fn take(&mut self, page: Arc<Page>) {
        if page.question == self.question && page.sort == self.sort() {
            self.of = page.of;
            self.page = Some(page);
        }
    }

    pub(super) fn take_told(&mut self, aside: Aside, told: Arc<[String]>) {
        if self.aside() == Some(aside) {
            self.told = Some((aside, told));
        }
    }

    /// What is told beside it, once it is.
    pub(super) fn told(&self) -> Option<&[String]> {
        let (aside, told) = self.told.as_ref()?;
        (self.aside() == Some(*aside)).then_some(told)
    }

    /// What is to be told beside it.
    pub(super) fn aside(&self) -> Option<Aside> {
        match (&self.question, self.selected_line()) {
            (Question::Growth(_), Some(Line { opens: Opens::New(change), .. })) | (Question::New(change), _) => {
                Some(Aside::Change(*change))
            }
            (Question::Instances(class), _) => Some(Aside::Class(*class)),
            (question, _) if self.has_about() => question.node().map(Aside::Way),
            _ => None,
        }
    }

    /// Whether it is about one object.
    pub(super) fn has_about(&self) -> bool {
        self.page().is_some_and(|page| page.about.is_some())
    }

    /// Whether something is told beside it, whether or not it is there yet.
    pub(super) fn has_aside(&self) -> bool {
        matches!(self.question, Question::Growth(_) | Question::Instances(_) | Question::New(_)) || self.has_about()
    }

    pub(super) fn len(&self) -> usize {
        self.of
    }

    /// The lines from one on, as far as they are there.
    pub(super) fn lines_from(&self, offset: usize) -> Option<&[Line]> {
        let page = self.page()?;
        page.lines.get(offset.checked_sub(page.start)?..)
    }

    pub(super) fn selected_line(&self) -> Option<&Line> {
        self.lines_from(self.selected)?.first()
    }

    /// Keeps the selection in the list and in sight.
    pub(super) fn settle(&mut self, rows: usize) {
        if self.page().is_some() {
            self.selected = self.selected.min(self.of.saturating_sub(1));
        }
        let rows = rows.max(1);
        self.offset = self.offset.min(self.selected).max((self.selected + 1).saturating_sub(rows));
        if self.page().is_some() {
            self.offset = self.offset.min(self.of.saturating_sub(rows));
        }
    }

    pub(super) fn move_by(&mut self, lines: isize) {
        self.selected = self.selected.saturating_add_signed(lines).min(self.of.saturating_sub(1));
    }

    /// Selects a line of those that are shown. False where it is selected already.
    pub(super) fn select_shown(&mut self, line: usize) -> bool {
        let place = self.offset + line;
        let is_other = place != self.selected && place < self.of;
        if is_other {
            self.selected = place;
        }
        is_other || place >= self.of
    }

    pub(super) fn act(&mut self, action: Action, rows: usize) {
        let page = rows.max(1) as isize;
        match action {
            Action::MoveDown => self.move_by(1),
            Action::MoveUp => self.move_by(-1),
            Action::PageDown => {
                self.offset = (self.offset + rows).min(self.of.saturating_sub(rows));
                self.move_by(page);
            }
            Action::PageUp => {
                self.offset = self.offset.saturating_sub(rows);
                self.move_by(-page);
            }
            Action::MoveToStart => self.selected = 0,
            Action::MoveToEnd => self.selected = self.of.saturating_sub(1),
            Action::ScrollRight => self.scroll = (self.scroll + 8).min(4096),
            Action::ScrollLeft => self.scroll = self.scroll.saturating_sub(8),
            Action::ReverseSort if By::of_key(self.order.by).is_some_and(|by| by != By::Given) => {
                self.set_order(self.order.reversed());
            }
            Action::SortByNext => self.set_order(self.order.beside(&self.sorting_heads(), 1)),
            Action::SortByPrevious => self.set_order(self.order.beside(&self.sorting_heads(), -1)),
            _ => {}
        }
    }

    /// The columns that can sort it.
    pub(super) fn sorting_heads(&self) -> Vec<Head> {
        let mut heads = heads(self.columns);
        heads.retain(|head| By::of_key(head.key).is_some());
        heads
    }

    pub(super) fn sort_by(&mut self, key: &str) {
        if let Some(head) = self.sorting_heads().iter().find(|head| head.key == key) {
            self.set_order(self.order.pressed(head));
        }
    }

    fn set_order(&mut self, order: Order) {
        (self.order, self.selected, self.offset) = (order, 0, 0);
    }

    pub(super) fn head_at(&self, area: Rect, x: u16) -> Option<&'static str> {
        table::head_at(self.columns, area, columns::LEAST_NAME, x).map(|head| head.key)
    }

    /// The word that narrows it; `None` where it can't be narrowed.
    pub(super) fn word(&self) -> Option<&str> {
        match &self.question {
            Question::Growth(word) | Question::Classes(word) | Question::Strings(word) | Question::Closures(word) => {
                Some(word)
            }
            _ => None,
        }
    }

    /// Narrows it by a word of small letters, or no longer by the empty one. True where that changes it.
    pub(super) fn set_word(&mut self, new: &str) -> bool {
        let (Question::Growth(word) | Question::Classes(word) | Question::Strings(word) | Question::Closures(word)) =
            &mut self.question
        else {
            return false;
        };
        let is_other = word != new;
        if is_other {
            new.clone_into(word);
            (self.selected, self.offset) = (0, 0);
        }
        is_other
    }
}
