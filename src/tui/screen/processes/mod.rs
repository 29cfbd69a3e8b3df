//! The list of processes: what is in it ([`list`]), how it is drawn (`table`), and what moves in it (here).

pub mod list;
mod marked;
mod table;

use std::collections::{BTreeSet, HashSet};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::act::effect::Target;
use crate::model::field::{PROCESS_FIELDS, ProcessField, Source, SourceSet, process_field};
use crate::model::group::GroupBy;
use crate::model::key::ProcessKey;
use crate::model::query::Query;
use crate::model::snapshot::{Row, Snapshot};
use crate::session::update::Update;
use crate::tui::theme::Theme;
use list::{Line, List, Order};

/// What a line of the list is about, whatever place it has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LineKey {
    /// A process.
    Process(ProcessKey),
    /// A group, by its name.
    Group(String),
}

/// What is under the mouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hit {
    /// A column's head.
    Head(&'static ProcessField),
    /// A line.
    Line(LineKey),
}

/// The direction of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Down, from the line after the selected one.
    Next,
    /// Up.
    Previous,
    /// Down, the selected line included: while the word is being typed.
    Here,
}

/// The panel's state.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what can be switched on and off is independent of each other")]
pub struct Processes {
    /// The chosen ones.
    columns: Vec<&'static ProcessField>,
    /// The ones that are shown: the chosen ones, and their changes while there is a mark to compare with.
    shown: Vec<&'static ProcessField>,
    /// The order before a comparison began.
    order_before: Option<Order>,
    order: Order,
    filter: Option<Query>,
    group: Option<GroupBy>,
    is_tree: bool,
    shows_kernel_threads: bool,
    is_following: bool,
    /// The lines have been arranged anew: the selected one is to be seen once they are built.
    is_reveal_due: bool,
    folded: HashSet<LineKey>,
    selected: Option<LineKey>,
    tagged: BTreeSet<ProcessKey>,
    list: List,
    offset: usize,
    scroll: u16,
    area: Rect,
}

/// Columns that are shown unless others are chosen.
pub const DEFAULT_COLUMNS: [&str; 11] =
    ["pid", "user", "pss", "rss", "uss", "swap", "fds", "history", "growth", "verdict", "command"];

impl Processes {
    /// A panel with these columns, sorted by PSS.
    pub fn new(columns: Vec<&'static ProcessField>) -> Self {
        let by = process_field("pss").unwrap_or(&PROCESS_FIELDS[0]);
        Self {
            shown: columns.clone(),
            columns,
            order_before: None,
            order: Order { by, is_descending: true },
            filter: None,
            group: None,
            is_tree: false,
            shows_kernel_threads: false,
            is_following: false,
            is_reveal_due: false,
            folded: HashSet::new(),
            selected: None,
            tagged: BTreeSet::new(),
            list: List::default(),
            offset: 0,
            scroll: 0,
            area: Rect::default(),
        }
    }

    /// Builds the list anew after an update, a resize or a change of state. The selection stays on its process.
    pub fn settle(&mut self, update: &Update, area: Rect) {
        self.area = area;
        let snapshot = &*update.snapshot;
        self.list.build(
            snapshot,
            &list::Wish {
                order: self.order,
                filter: self.filter.as_ref(),
                group: self.group,
                is_tree: self.is_tree,
                shows_kernel_threads: self.shows_kernel_threads,
                folded: &self.folded,
            },
        );
        self.tagged.retain(|key| snapshot.sample.index_of(*key).is_some());
        if self.place_of_selected(snapshot).is_none() {
            // What was selected has gone: nothing takes its place but the top of a list nobody has moved in.
            self.selected = if self.selected.is_none() { self.key_at(snapshot, 0) } else { self.near(snapshot) };
        }
        let rows = self.rows();
        if std::mem::take(&mut self.is_reveal_due) || self.is_following {
            self.show_selected(snapshot);
        }
        self.offset = self.offset.min(self.list.lines.len().saturating_sub(rows));
    }

    /// The line that now stands where the selected one was last seen.
    fn near(&self, snapshot: &Snapshot) -> Option<LineKey> {
        let place = self.list.last_place.min(self.list.lines.len().saturating_sub(1));
        self.key_at(snapshot, place)
    }

    /// Lines that fit under the head.
    fn rows(&self) -> usize {
        usize::from(self.area.height.saturating_sub(2)).max(1)
    }

    fn key_at(&self, snapshot: &Snapshot, place: usize) -> Option<LineKey> {
        self.list.lines.get(place).map(|line| self.list.key(snapshot, line))
    }

    fn place_of_selected(&mut self, snapshot: &Snapshot) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        let place = self.list.lines.iter().position(|line| self.list.key(snapshot, line) == *selected)?;
        self.list.last_place = place;
        Some(place)
    }

    fn show_selected(&mut self, snapshot: &Snapshot) {
        let Some(place) = self.place_of_selected(snapshot) else { return };
        let rows = self.rows();
        self.offset = self.offset.clamp((place + 1).saturating_sub(rows), place);
    }

    fn go_to(&mut self, snapshot: &Snapshot, place: usize) {
        let place = place.min(self.list.lines.len().saturating_sub(1));
        self.selected = self.key_at(snapshot, place);
        self.show_selected(snapshot);
    }

    /// Moves the selection by lines.
    pub fn move_by(&mut self, snapshot: &Snapshot, lines: isize) {
        let place = self.place_of_selected(snapshot).unwrap_or(self.offset);
        self.go_to(snapshot, place.saturating_add_signed(lines));
    }

    /// Moves the selection by pages.
    pub fn move_by_page(&mut self, snapshot: &Snapshot, pages: isize) {
        self.move_by(snapshot, pages * self.rows() as isize);
    }

    /// Selects the first line.
    pub fn move_to_start(&mut self, snapshot: &Snapshot) {
        self.offset = 0;
        self.go_to(snapshot, 0);
    }

    /// Selects the last line.
    pub fn move_to_end(&mut self, snapshot: &Snapshot) {
        self.go_to(snapshot, usize::MAX);
    }

    /// Moves the window without the selection, as a wheel does.
    pub fn scroll_lines(&mut self, lines: isize) {
        let most = self.list.lines.len().saturating_sub(self.rows());
        self.offset = self.offset.saturating_add_signed(lines).min(most);
    }

    /// Moves the last column sideways.
    pub fn scroll_sideways(&mut self, columns: i16) {
        self.scroll = self.scroll.saturating_add_signed(columns).min(4096);
    }

    /// Selects a line.
    pub fn select(&mut self, key: LineKey) {
        self.selected = Some(key);
    }

    /// Goes to a process, whatever hides it. Says whether the filter had to go for it.
    pub fn go_to_process(&mut self, row: &Row<'_>) -> bool {
        let is_hidden = self.filter.as_ref().is_some_and(|filter| !filter.matches(row));
        if is_hidden {
            self.set_filter(None);
        }
        if self.group.is_some() {
            self.set_group(None);
        }
        self.folded.clear();
        self.select(LineKey::Process(row.process.key));
        self.reveal();
        is_hidden
    }

    /// Goes to the opened group that this process is in. Says whether the filter had to go for it.
    pub fn go_to_group(&mut self, by: GroupBy, row: &Row<'_>) -> bool {
        let is_hidden = self.filter.as_ref().is_some_and(|filter| !filter.matches(row));
        if is_hidden {
            self.set_filter(None);
        }
        self.set_group(Some(by));
        let group = LineKey::Group(by.name_of(row));
        // Groups begin folded: `folded` holds those that were opened.
        self.folded.insert(group.clone());
        self.select(group);
        self.reveal();
        is_hidden
    }

    /// Shows the selected line when the list is built next.
    pub fn reveal(&mut self) {
        self.is_reveal_due = true;
    }

    /// The selected line.
    pub fn selected_line(&self) -> Option<&LineKey> {
        self.selected.as_ref()
    }

    /// The selected process; `None` on a group or an empty list.
    pub fn selected(&self) -> Option<ProcessKey> {
        match self.selected {
            Some(LineKey::Process(key)) => Some(key),
            _ => None,
        }
    }

    /// What sorts the list.
    pub fn order(&self) -> Order {
        self.order
    }

    /// Sorts by a field; by the same again the other way round.
    pub fn sort_by(&mut self, field: &'static ProcessField) {
        self.order = if self.order.by == field {
            Order { is_descending: !self.order.is_descending, ..self.order }
        } else {
            Order { by: field, is_descending: field.sorts_descending() }
        };
        self.offset = 0;
    }

    /// Sorts by a field in this direction.
    pub fn set_order(&mut self, order: Order) {
        self.order = order;
    }

    /// Turns the order round.
    pub fn reverse_sort(&mut self) {
        self.order.is_descending = !self.order.is_descending;
    }

    /// Sorts by the column beside the one that sorts now.
    pub fn sort_by_neighbour(&mut self, step: isize) {
        let place = self.shown.iter().position(|column| *column == self.order.by).unwrap_or(0);
        let count = self.shown.len().max(1) as isize;
        if let Some(field) = self.shown.get((place as isize + step).rem_euclid(count) as usize) {
            self.order = Order { by: field, is_descending: field.sorts_descending() };
        }
    }

    /// Narrows the list.
    pub fn set_filter(&mut self, filter: Option<Query>) {
        self.filter = filter;
        self.offset = 0;
    }

    /// The filter in force.
    pub fn filter(&self) -> Option<&Query> {
        self.filter.as_ref()
    }

    /// Groups the list, or not.
    pub fn set_group(&mut self, group: Option<GroupBy>) {
        self.group = group;
        self.is_tree = false;
        self.folded.clear();
        self.selected = None;
        self.offset = 0;
    }

    /// How the list is grouped.
    pub fn group(&self) -> Option<GroupBy> {
        self.group
    }

    /// Whether the list is a tree.
    pub fn is_tree(&self) -> bool {
        self.is_tree
    }

    /// Shows parents and children, or a flat list.
    pub fn toggle_tree(&mut self) {
        self.is_tree = !self.is_tree;
        self.group = None;
        self.folded.clear();
        self.is_reveal_due = true;
    }

    /// Folds or unfolds what is below the selected line.
    pub fn toggle_fold(&mut self) {
        if let Some(key) = self.selected.clone()
            && !self.folded.remove(&key)
        {
            self.folded.insert(key);
        }
    }

    /// Tags the selected process, or all of a group, and moves on.
    pub fn toggle_tag(&mut self, snapshot: &Snapshot) {
        let keys = self.keys_of_selected(snapshot);
        let is_tagged = keys.iter().all(|key| self.tagged.contains(key));
        for key in keys {
            if is_tagged {
                self.tagged.remove(&key);
            } else {
                self.tagged.insert(key);
            }
        }
        self.move_by(snapshot, 1);
    }

    /// Tags every process of the list.
    pub fn tag_all(&mut self, snapshot: &Snapshot) {
        self.tagged = self.list.processes().map(|index| snapshot.sample.processes[index].key).collect();
    }

    /// Forgets all tags.
    pub fn clear_tags(&mut self) {
        self.tagged.clear();
    }

    /// How many are tagged.
    pub fn tagged(&self) -> usize {
        self.tagged.len()
    }

    /// Keeps the selected process in view wherever it moves, or not.
    pub fn toggle_follow(&mut self) {
        self.is_following = !self.is_following;
    }

    /// Whether the selected process is kept in view.
    pub fn is_following(&self) -> bool {
        self.is_following
    }

    /// Shows kernel threads, or not.
    pub fn toggle_kernel_threads(&mut self) {
        self.shows_kernel_threads = !self.shows_kernel_threads;
    }

    /// Whether kernel threads are shown.
    pub fn shows_kernel_threads(&self) -> bool {
        self.shows_kernel_threads
    }

    /// Chooses the columns.
    pub fn set_columns(&mut self, columns: Vec<&'static ProcessField>) {
        self.columns = columns;
        self.show_columns();
    }

    /// The columns.
    pub fn columns(&self) -> &[&'static ProcessField] {
        &self.columns
    }

    /// Selects the next line whose command, user or pid holds the word. False where there is none.
    pub fn search(&mut self, snapshot: &Snapshot, word: &str, direction: Direction) -> bool {
        let count = self.list.lines.len();
        if word.is_empty() || count == 0 {
            return false;
        }
        let start = self.place_of_selected(snapshot).unwrap_or(0);
        let word = word.to_lowercase();
        let found = (0..count).map(|step| match direction {
            Direction::Here => (start + step) % count,
            Direction::Next => (start + 1 + step) % count,
            Direction::Previous => (start + 2 * count - 1 - step) % count,
        });
        let found = found.into_iter().find(|place| self.list.holds(snapshot, &self.list.lines[*place], &word));
        if let Some(place) = found {
            self.go_to(snapshot, place);
        }
        found.is_some()
    }

    /// Whom an action is for: all tagged, else the selected process or the members of the selected group.
    pub fn targets(&self, snapshot: &Snapshot) -> Vec<Target> {
        let keys = if self.tagged.is_empty() {
            self.keys_of_selected(snapshot)
        } else {
            self.tagged.iter().copied().collect()
        };
        keys.into_iter().filter_map(|key| snapshot.row_of(key)).map(|row| target(&row)).collect()
    }

    fn keys_of_selected(&self, snapshot: &Snapshot) -> Vec<ProcessKey> {
        match &self.selected {
            Some(LineKey::Process(key)) => vec![*key],
            Some(LineKey::Group(name)) => self.list.members(snapshot, name),
            None => Vec::new(),
        }
    }

    /// What has to be read for what is shown, sorted and filtered.
    pub fn sources(&self) -> SourceSet {
        // Names are always shown; the tree needs parents.
        let mut sources: SourceSet = [Source::Identity, Source::Stat].into_iter().collect();
        self.shown.iter().chain([&self.order.by]).for_each(|field| sources.extend(field.sources()));
        sources.extend(self.filter.as_ref().map(Query::sources).unwrap_or_default());
        sources
    }

    /// Processes on the screen, from the top.
    pub fn visible(&self, snapshot: &Snapshot) -> Vec<ProcessKey> {
        let window = self.list.lines.iter().skip(self.offset).take(self.rows());
        window
            .filter_map(|line| match line {
                Line::Process { index, .. } => {
                    snapshot.sample.processes.get(*index as usize).map(|process| process.key)
                }
                Line::Group { .. } => None,
            })
            .collect()
    }

    /// Points of history that fit into a line.
    pub fn history_points(&self) -> usize {
        usize::from(table::history_width(&self.shown, self.area.width))
    }

    /// Lines that can be seen at once.
    pub fn page(&self) -> usize {
        self.rows()
    }

    /// What is at a place of the screen.
    pub fn hit(&self, snapshot: &Snapshot, x: u16, y: u16) -> Option<Hit> {
        if !self.area.contains((x, y).into()) {
            return None;
        }
        if y == self.area.y {
            let columns = table::layout(&self.shown, self.area.width);
            let mut left = self.area.x;
            return columns.into_iter().find_map(|(field, width)| {
                left += width + 1;
                (x < left).then_some(Hit::Head(field))
            });
        }
        let place = self.offset + usize::from(y - self.area.y - 1);
        self.key_at(snapshot, place).map(Hit::Line)
    }

    /// Draws the panel.
    pub fn draw(&self, buf: &mut Buffer, update: &Update, theme: &Theme) {
        table::draw(self, buf, update, theme);
    }
}

/// A process as the target of an action.
pub fn target(row: &Row<'_>) -> Target {
    let identity = &row.process.identity;
    Target {
        key: row.process.key,
        uid: identity.uid,
        user: row.user().into_owned(),
        command: identity.shown_command().into_owned(),
    }
}
