//! One process whole: its parts in tabs (`tab`), what was seen of them (`seen`), how each is drawn, and what moves in
//! them (here). What is held for it is freed with it.

mod descriptors;
mod facts;
mod fields;
mod growth;
mod head;
mod map;
mod mappings;
mod overview;
mod runtime;
mod seen;
mod since;
mod tab;
mod threads;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::analyze::evidence::EvidenceWish;
use crate::model::field::{PROCESS_FIELDS, Source, SourceSet};
use crate::model::inspect::{Inspection, Part};
use crate::model::key::ProcessKey;
use crate::model::snapshot::Row;
use crate::session::update::{Ended, Update};
use crate::tui::action::Action;
use crate::tui::dispatch::sort_key;
use crate::tui::keymap::Keymap;
use crate::tui::layer::Deed;
use crate::tui::layer::menu::{Item, Menu};
use crate::tui::screen::leaks;
use crate::tui::theme::Theme;
use crate::tui::widget::table::{Head, Order, heads};
use seen::Seen;
pub use since::Looks;
pub use tab::{TABS, Tab, TabSpec};

/// The screen's state.
#[derive(Clone, Debug)]
pub struct Inspect {
    key: ProcessKey,
    tab: Tab,
    /// The keys of the tabs, as they are shown.
    keys: [String; TABS.len()],
    seen: Seen,
    /// The latest picture in which the process was alive.
    last: Option<Arc<Update>>,
    /// What sorts each tab, and the lines of it that are scrolled away.
    orders: [Order; TABS.len()],
    offsets: [usize; TABS.len()],
    /// Columns of long names that are scrolled away.
    scroll: u16,
    rows: Rows,
    /// Lines that the tab has, and that fit.
    lines: usize,
    page: usize,
    area: Rect,
}

/// The lines of a tab that is a table, in its order.
#[derive(Clone, Debug, Default)]
enum Rows {
    #[default]
    None,
    Mappings(Vec<mappings::Row>),
    Descriptors(Vec<descriptors::Row>),
    Threads(Vec<threads::Row>),
}

impl Rows {
    fn count(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Mappings(rows) => rows.len(),
            Self::Descriptors(rows) => rows.len(),
            Self::Threads(rows) => rows.len(),
        }
    }
}

/// What is drawn: a moment of the process, and how it stands to now.
struct Picture<'a> {
    update: &'a Update,
    /// The process at that moment.
    row: Option<Row<'a>>,
    state: State<'a>,
}

/// How the process stands at the moment that is shown.
enum State<'a> {
    /// It lives.
    Alive,
    /// It has ended; this was its last moment. How it ended is forgotten after hours.
    Ended(Option<&'a Ended>),
    /// It had not been seen yet.
    Unseen,
}

/// The parts of the screen: tabs and who it is, and what is shown below.
fn split(area: Rect) -> (Rect, Rect) {
    let head = Rect { height: 2.min(area.height), ..area };
    (head, Rect { y: head.bottom(), height: area.height - head.height, ..area })
}

impl Inspect {
    /// Opens the screen on a process.
    pub fn new(key: ProcessKey, tab: Tab, keymap: &Keymap) -> Self {
        let by = |by: &'static str| Order { by, is_descending: true };
        let key_of = |spec: &TabSpec| keymap.keys(spec.action).first().cloned().unwrap_or_default();
        Self {
            key,
            tab,
            keys: TABS.each_ref().map(key_of),
            seen: Seen::default(),
            last: None,
            orders: [by(""), by("pss"), by("count"), by("cpu"), by("")],
            offsets: [0; TABS.len()],
            scroll: 0,
            rows: Rows::None,
            lines: 0,
            page: 1,
            area: Rect::default(),
        }
    }

    /// Whose screen it is.
    pub fn key(&self) -> ProcessKey {
        self.key
    }

    /// The tab that is shown.
    pub fn tab(&self) -> Tab {
        self.tab
    }

    /// Whether the tab is a table that can be sorted.
    pub fn is_table(&self) -> bool {
        !self.heads().is_empty()
    }

    /// Shows a tab.
    pub fn show(&mut self, tab: Tab) {
        if self.tab != tab {
            self.tab = tab;
            self.scroll = 0;
            self.rows = Rows::None;
        }
    }

    /// The latest look at it.
    pub fn look(&self) -> Option<&Arc<Inspection>> {
        self.seen.look()
    }

    /// Takes an update, a size, or a change of state; `kept` are the looks of marks.
    pub fn settle(&mut self, update: &Arc<Update>, area: Rect, theme: &Theme, kept: &mut Looks) {
        self.area = area;
        if !update.timeline.is_past && update.snapshot.row_of(self.key).is_some() {
            self.last = Some(Arc::clone(update));
        }
        let looked = update.inspection.as_ref();
        let looked = looked.filter(|looked| looked.as_ref().map_or(true, |inspection| inspection.key == self.key));
        let is_new = looked.is_some_and(|looked| self.seen.take(looked));
        let is_other = self.seen.compare(self.key, update.snapshot.mark.as_ref(), kept);
        if is_new || is_other || matches!(self.rows, Rows::None) {
            self.build();
        }
        let (_, body) = split(area);
        let (lines, page) = match self.tab {
            Tab::Overview => {
                let picture = self.picture(update);
                (overview::Page::of(&picture, &self.seen, body, theme).height(), body.height)
            }
            Tab::Mappings => (self.rows.count(), mappings::rows(body)),
            Tab::Descriptors => descriptors::lines(self.rows.count(), self.seen.part(Part::Descriptors), body),
            Tab::Threads => (self.rows.count(), threads::rows(body)),
            Tab::Runtime => (runtime::count(&self.seen, body), body.height),
        };
        self.lines = lines;
        self.page = usize::from(page).max(1);
        let offset = &mut self.offsets[self.tab as usize];
        *offset = (*offset).min(lines.saturating_sub(self.page));
    }

    /// Builds the lines of the tab anew.
    fn build(&mut self) {
        let order = self.orders[self.tab as usize];
        self.rows = match self.tab {
            Tab::Overview | Tab::Runtime => Rows::None,
            Tab::Mappings => Rows::Mappings(mappings::build(&self.seen, order)),
            Tab::Descriptors => Rows::Descriptors(descriptors::build(&self.seen, order)),
            Tab::Threads => Rows::Threads(threads::build(&self.seen, order)),
        };
    }

    /// The moment that is drawn: the one shown, or the last one of a process that has ended.
    fn picture<'a>(&'a self, update: &'a Update) -> Picture<'a> {
        if let Some(row) = update.snapshot.row_of(self.key) {
            return Picture { update, row: Some(row), state: State::Alive };
        }
        let last = self.last.as_deref().filter(|last| last.snapshot.sample.at <= update.snapshot.sample.at);
        match last {
            Some(last) => {
                let ended = update.ended.iter().find(|ended| ended.process.key == self.key);
                Picture { update: last, row: last.snapshot.row_of(self.key), state: State::Ended(ended) }
            }
            None => Picture { update, row: None, state: State::Unseen },
        }
    }

    /// Does what a key of this screen means.
    pub fn act(&mut self, action: Action) {
        let most = self.lines.saturating_sub(self.page);
        let offset = &mut self.offsets[self.tab as usize];
        match action {
            Action::NextTab => self.show(self.tab.beside(1)),
            Action::PreviousTab => self.show(self.tab.beside(-1)),
            Action::MoveDown => *offset = (*offset + 1).min(most),
            Action::MoveUp => *offset = offset.saturating_sub(1),
            Action::PageDown => *offset = (*offset + self.page).min(most),
            Action::PageUp => *offset = offset.saturating_sub(self.page),
            Action::MoveToStart => *offset = 0,
            Action::MoveToEnd => *offset = most,
            Action::ScrollRight => self.scroll = (self.scroll + 8).min(4096),
            Action::ScrollLeft => self.scroll = self.scroll.saturating_sub(8),
            Action::ReverseSort => self.set_order(self.order().reversed()),
            Action::SortByNext => self.set_order(self.order().beside(&self.heads(), 1)),
            Action::SortByPrevious => self.set_order(self.order().beside(&self.heads(), -1)),
            // What sorts the list sorts here what means the same.
            other => match sort_key(other) {
                Some("growth") => self.sort_by("change"),
                Some(key) => self.sort_by(key),
                None => {}
            },
        }
    }

    /// Moves the window by lines, as a wheel does.
    pub fn scroll_lines(&mut self, lines: isize) {
        let most = self.lines.saturating_sub(self.page);
        let offset = &mut self.offsets[self.tab as usize];
        *offset = offset.saturating_add_signed(lines).min(most);
    }

    /// Sorts the tab by a column; by the same again the other way round. A column that it does not have is no order.
    pub fn sort_by(&mut self, key: &str) {
        if let Some(head) = self.heads().iter().find(|head| head.key == key) {
            self.set_order(self.order().pressed(head));
        }
    }

    fn order(&self) -> Order {
        self.orders[self.tab as usize]
    }

    fn set_order(&mut self, order: Order) {
        if !self.is_table() {
            return;
        }
        self.orders[self.tab as usize] = order;
        self.offsets[self.tab as usize] = 0;
        self.rows = Rows::None;
    }

    /// The columns of the tab; none where it is no table.
    fn heads(&self) -> Vec<Head> {
        match self.tab {
            Tab::Overview | Tab::Runtime => Vec::new(),
            Tab::Mappings => heads(&mappings::COLUMNS),
            Tab::Descriptors => heads(&descriptors::COLUMNS),
            Tab::Threads => heads(&threads::COLUMNS),
        }
    }

    /// The columns that can sort the tab; `None` where it is no table.
    pub fn sort_menu(&self) -> Option<Menu> {
        let heads = self.heads();
        let selected = heads.iter().position(|head| head.key == self.order().by)?;
        let item = |head: &Head| Item {
            label: tr!(of head.title).to_owned(),
            note: tr!(of head.help).to_owned(),
            deed: Deed::SortPartBy(head.key),
        };
        Some(Menu::new(tr!("sort by"), heads.iter().map(item).collect(), selected))
    }

    /// Presses what is at a place of the screen: a tab, a column's head.
    pub fn click(&mut self, x: u16, y: u16) {
        let (head, body) = split(self.area);
        if y == head.y {
            if let Some(tab) = head::tab_at(&self.keys, head, x) {
                self.show(tab);
            }
            return;
        }
        let pressed = match self.tab {
            Tab::Overview | Tab::Runtime => None,
            Tab::Mappings => mappings::head_at(body, x, y),
            Tab::Descriptors => descriptors::head_at(body, x, y),
            Tab::Threads => threads::head_at(body, x, y),
        };
        if let Some(key) = pressed {
            self.sort_by(key);
        }
    }

    /// What every sample has to hold for it.
    pub fn sources(&self) -> SourceSet {
        match self.tab {
            Tab::Overview => PROCESS_FIELDS.iter().map(|field| field.source).chain([Source::Limits]).collect(),
            _ => [Source::Fds, Source::Limits].into_iter().collect(),
        }
    }

    /// Points of history that fit.
    pub fn points(&self) -> usize {
        usize::from(growth::width(self.area))
    }

    /// What is to be sent for the evidence of the process's worst growth.
    pub fn evidence_wish(&self, update: &Update) -> Option<EvidenceWish> {
        let row = update.snapshot.row_of(self.key)?;
        let finding = growth::findings(&row).next().filter(|_| self.tab == Tab::Overview)?;
        Some(leaks::evidence_wish(finding, update.snapshot.sample.at, 2 * self.points()))
    }

    /// Draws the screen.
    pub fn draw(&self, buf: &mut Buffer, update: &Update, theme: &Theme) {
        let (head, body) = split(self.area);
        let picture = self.picture(update);
        let shown = self.tab.spec().part.map_or_else(|| self.seen.latest(), |part| self.seen.part(part));
        let about =
            head::Head { key: self.key, tab: self.tab, keys: &self.keys, picture: &picture, now: update, shown };
        head::draw(buf, head, &about, theme);
        let at = (self.offsets[self.tab as usize], self.scroll);
        let order = self.orders[self.tab as usize];
        match (self.tab, &self.rows) {
            (Tab::Overview, _) => overview::Page::of(&picture, &self.seen, body, theme).draw(buf, body, at.0),
            _ if update.timeline.is_past => head::say(buf, body, tr!(of head::OF_NOW_ONLY), theme),
            (Tab::Runtime, _) => runtime::draw(buf, body, &self.seen, at.0, theme),
            (Tab::Mappings, Rows::Mappings(rows)) => mappings::draw(buf, body, &self.seen, rows, order, at, theme),
            (Tab::Descriptors, Rows::Descriptors(rows)) => {
                descriptors::draw(buf, body, &picture, &self.seen, rows, order, at, theme);
            }
            (Tab::Threads, Rows::Threads(rows)) => threads::draw(buf, body, &self.seen, rows, order, at, theme),
            _ => {}
        }
    }
}
