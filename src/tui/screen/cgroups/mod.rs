//! Control groups as a tree: what each uses, what bounds it, what happened to it and who is in it. Which lines there are
//! (`rows`), how they are drawn (`table`), what is said of the selected one (`facts`), and what moves among them (here).

mod facts;
mod rows;
mod table;

use std::collections::HashSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::census::Census;
use crate::model::cgroup_query::CgroupQuery;
use crate::model::field::{CGROUP_FIELDS, CgroupField, Unit, cgroup_field};
use crate::model::text::Text;
use crate::session::update::Update;
use crate::tui::action::Action;
use crate::tui::theme::Theme;
use rows::Line;

/// What is under the mouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hit {
    /// A column's head.
    Head(&'static CgroupField),
    /// A group.
    Group(Text),
}

/// What sorts the list, and which way.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Order {
    by: &'static CgroupField,
    is_descending: bool,
}

/// The panel's state.
#[derive(Clone, Debug)]
pub struct Cgroups {
    order: Order,
    /// The order before a comparison began.
    order_before: Option<Order>,
    is_flat: bool,
    folded: HashSet<Text>,
    filter: Option<CgroupQuery>,
    selected: Option<Text>,
    census: Option<Census>,
    lines: Vec<Line>,
    /// Where the selected line was seen last.
    place: usize,
    offset: usize,
    area: Rect,
}

impl Default for Cgroups {
    fn default() -> Self {
        Self {
            order: Order { by: &CGROUP_FIELDS[0], is_descending: true },
            order_before: None,
            is_flat: false,
            folded: HashSet::new(),
            filter: None,
            selected: None,
            census: None,
            lines: Vec::new(),
            place: 0,
            offset: 0,
            area: Rect::default(),
        }
    }
}

/// The parts of the screen: the list with its head, and the facts below it, where there is room for both.
fn split(area: Rect) -> (Rect, Rect) {
    let facts = match area.height {
        0..10 => 1,
        10..20 => 6,
        _ => 8,
    };
    let list = Rect { height: area.height.saturating_sub(facts), ..area };
    (list, Rect { y: list.bottom(), height: area.height - list.height, ..area })
}

impl Cgroups {
    /// Builds the lines anew. The selection stays on its group.
    pub fn settle(&mut self, update: &Update, area: Rect) {
        self.area = area;
        self.compare(update.snapshot.mark.is_some());
        self.census = update.cgroups.as_ref().map(|tree| Census::take(tree, &update.snapshot));
        self.lines = self.census.as_ref().map_or_else(Vec::new, |census| {
            let wish = rows::Wish {
                order: self.order,
                is_flat: self.is_flat,
                folded: &self.folded,
                filter: self.filter.as_ref(),
            };
            rows::build(census, &update.snapshot, &wish)
        });
        if self.lines.is_empty() {
            return;
        }
        let is_selected = |line: &Line| self.path(line).as_ref() == self.selected.as_ref();
        if let Some(place) = self.lines.iter().position(is_selected) {
            self.place = place;
        } else {
            self.place = self.place.min(self.lines.len() - 1);
            self.selected = self.path(&self.lines[self.place]);
        }
        let rows = self.rows();
        self.offset = self.offset.clamp((self.place + 1).saturating_sub(rows), self.place);
        self.offset = self.offset.min(self.lines.len().saturating_sub(rows));
    }

    /// Sorts by change while there is a mark to compare with, and as before without.
    fn compare(&mut self, is_comparing: bool) {
        let change = cgroup_field("pss_change");
        match (is_comparing, self.order_before) {
            (true, None) => {
                self.order_before = Some(self.order);
                self.order = Order { by: change.unwrap_or(self.order.by), is_descending: true };
            }
            (false, Some(before)) => {
                self.order_before = None;
                if Some(self.order.by) == change {
                    self.order = before;
                }
            }
            _ => {}
        }
    }

    fn is_comparing(&self) -> bool {
        self.order_before.is_some()
    }

    fn path(&self, line: &Line) -> Option<Text> {
        Some(self.census.as_ref()?.tree.nodes.get(line.place)?.path.clone())
    }

    /// Lines that fit under the head.
    fn rows(&self) -> usize {
        usize::from(split(self.area).0.height.saturating_sub(1)).max(1)
    }

    /// Does what a key means here.
    pub fn act(&mut self, action: Action) {
        let page = self.rows();
        let place = match action {
            Action::MoveDown => self.place + 1,
            Action::MoveUp => self.place.saturating_sub(1),
            Action::PageDown => self.place + page,
            Action::PageUp => self.place.saturating_sub(page),
            Action::MoveToStart => 0,
            Action::MoveToEnd => usize::MAX,
            Action::ToggleTree => {
                self.is_flat = !self.is_flat;
                return;
            }
            Action::ToggleFold => return self.toggle_fold(),
            Action::ReverseSort => {
                self.order.is_descending = !self.order.is_descending;
                return;
            }
            Action::SortByNext => return self.sort_by_neighbour(1),
            Action::SortByPrevious => return self.sort_by_neighbour(-1),
            other => {
                if let Some(field) = sort_key(other).and_then(cgroup_field) {
                    self.sort_by(field);
                }
                return;
            }
        };
        self.place = place.min(self.lines.len().saturating_sub(1));
        self.selected = self.lines.get(self.place).and_then(|line| self.path(line));
    }

    fn toggle_fold(&mut self) {
        if let Some(path) = self.selected.clone()
            && !self.folded.remove(&path)
        {
            self.folded.insert(path);
        }
    }

    /// Sorts by a field; by the same again the other way round.
    pub fn sort_by(&mut self, field: &'static CgroupField) {
        self.order = if self.order.by == field {
            Order { is_descending: !self.order.is_descending, ..self.order }
        } else {
            Order { by: field, is_descending: field.unit != Unit::Text }
        };
    }

    fn sort_by_neighbour(&mut self, step: isize) {
        let columns = table::layout(split(self.area).0.width, self.is_comparing());
        let place = columns.iter().position(|(column, _)| *column == self.order.by).unwrap_or(0);
        let next = (place as isize + step).rem_euclid(columns.len().max(1) as isize) as usize;
        if let Some((field, _)) = columns.get(next) {
            self.order = Order { by: field, is_descending: field.unit != Unit::Text };
        }
    }

    /// The field that sorts.
    pub fn sorted_by(&self) -> &'static CgroupField {
        self.order.by
    }

    /// Narrows the list, or no longer.
    pub fn set_filter(&mut self, filter: Option<CgroupQuery>) {
        self.filter = filter;
        self.offset = 0;
    }

    /// The filter in force.
    pub fn filter(&self) -> Option<&CgroupQuery> {
        self.filter.as_ref()
    }

    /// Selects the next group, or the one before, whose path or label holds the word. False where there is none.
    pub fn search(&mut self, update: &Update, word: &str, is_back: bool, is_here: bool) -> bool {
        let word = word.to_lowercase();
        let count = self.lines.len();
        let start = self.place + usize::from(!is_here);
        let found = (0..count).map(|step| if is_back { self.place + 2 * count - 1 - step } else { start + step });
        let Some(census) = &self.census else { return false };
        let holds = |place: &usize| {
            let row = census.row(self.lines[*place % count].place, &update.snapshot);
            row.label().to_lowercase().contains(&word) || row.node.path.escaped().to_lowercase().contains(&word)
        };
        let found = found.into_iter().find(holds).map(|place| place % count);
        if let Some(place) = found {
            self.place = place;
            self.selected = self.path(&self.lines[place]);
        }
        found.is_some()
    }

    /// Selects a group.
    pub fn select(&mut self, path: Text) {
        self.selected = Some(path);
    }

    /// The path of the selected group.
    pub fn selected(&self) -> Option<&Text> {
        self.selected.as_ref().filter(|_| !self.lines.is_empty())
    }

    /// What is at a place of the screen.
    pub fn hit(&self, x: u16, y: u16) -> Option<Hit> {
        let (list, _) = split(self.area);
        if !list.contains((x, y).into()) {
            return None;
        }
        if y == list.y {
            let mut left = list.x;
            return table::layout(list.width, self.is_comparing()).into_iter().find_map(|(field, width)| {
                left += width + 1;
                (x < left).then_some(Hit::Head(field))
            });
        }
        let line = self.lines.get(self.offset + usize::from(y - list.y - 1))?;
        self.path(line).map(Hit::Group)
    }

    /// Draws the panel. `is_past` says whether an older moment is shown.
    pub fn draw(&self, buf: &mut Buffer, update: &Update, theme: &Theme) {
        let (list, rest) = split(self.area);
        table::draw(self, buf, list, update, theme);
        if let (Some(census), Some(line)) = (&self.census, self.lines.get(self.place)) {
            facts::draw(self, buf, rest, &census.row(line.place, &update.snapshot), theme);
        }
    }
}

/// The field that an action of the list of processes sorts by here.
fn sort_key(action: Action) -> Option<&'static str> {
    Some(match action {
        Action::SortByPss => "pss",
        Action::SortByRss => "usage",
        Action::SortBySwap => "swap",
        Action::SortByGrowth => "growth",
        Action::SortByPid => "name",
        _ => return None,
    })
}
