//! Where every byte of RAM and swap is, in sections: the overview with all of it over time (`overview`), slab, shared
//! memory, swap, settings. What is said comes from the sheets of `export`; how it is laid out is in `layout`, and what
//! moves in it here.

mod layout;
mod look;
mod overview;

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::layout::{Line, lines};
use crate::export::sheet::{self, About, Sheet};
use crate::model::field::{Source, SourceSet};
use crate::model::survey::SurveyWish;
use crate::session::system::SystemWish;
use crate::session::update::Update;
use crate::tui::action::Action;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{columns, fill, put, put_right};
use crate::units::Bytes;

/// A part of the view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Section {
    /// All of RAM, over time and part by part.
    #[default]
    Overview,
    /// Slab by cache.
    Slab,
    /// tmpfs, segments, files without a path.
    Shared,
    /// Devices and processes.
    Swap,
    /// sysctls and watermarks.
    Settings,
}

impl Section {
    /// Every section with its title, and a shorter one where there is little room.
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Overview, key!("Overview"), key!("RAM")),
        (Self::Slab, key!("Slab"), key!("Slab")),
        (Self::Shared, key!("Tmpfs & shared memory"), key!("Shared")),
        (Self::Swap, key!("Swap"), key!("Swap")),
        (Self::Settings, key!("Settings"), key!("Set")),
    ];

    fn place(self) -> usize {
        Self::ALL.iter().position(|(section, ..)| *section == self).unwrap_or(0)
    }
}

/// The panel's state.
#[derive(Clone, Debug, Default)]
pub struct System {
    section: Section,
    /// Lines scrolled away in each section.
    offsets: [usize; Section::ALL.len()],
    area: Rect,
}

impl System {
    /// Takes the place on the screen.
    pub fn settle(&mut self, area: Rect) {
        self.area = area;
    }

    /// What must be read of the processes.
    pub fn sources(&self) -> SourceSet {
        let swap = [Source::Status, Source::Rollup, Source::Identity];
        swap.into_iter().filter(|_| self.section == Section::Swap).collect()
    }

    /// What is to be surveyed and sent.
    pub fn wish(&self, span: Duration) -> SystemWish {
        let none = SurveyWish::default();
        let survey = match self.section {
            Section::Overview if overview::is_wide(self.body()) => SurveyWish { slab: true, shared: true, ..none },
            Section::Overview | Section::Swap => none,
            Section::Slab => SurveyWish { slab: true, ..none },
            Section::Shared => SurveyWish { shared: true, holders: true, ..none },
            Section::Settings => SurveyWish { settings: true, ..none },
        };
        SystemWish { survey, points: overview::points(self.area), span }
    }

    /// Shows a section.
    pub fn open(&mut self, section: Section) {
        self.section = section;
    }

    /// Scrolls, or goes to another section.
    pub fn act(&mut self, action: Action, update: &Update, theme: &Theme) {
        let count = Section::ALL.len();
        let next = match action {
            Action::NextTab | Action::ScrollRight => self.section.place() + 1,
            Action::PreviousTab | Action::ScrollLeft => self.section.place() + count - 1,
            _ => return self.scroll(action, update, theme),
        };
        self.section = Section::ALL[next % count].0;
    }

    fn scroll(&mut self, action: Action, update: &Update, theme: &Theme) {
        let (most, page) = self.extent(update, theme);
        let offset = &mut self.offsets[self.section.place()];
        *offset = match action {
            Action::MoveDown => *offset + 1,
            Action::MoveUp => offset.saturating_sub(1),
            Action::PageDown => *offset + page,
            Action::PageUp => offset.saturating_sub(page),
            Action::MoveToStart => 0,
            Action::MoveToEnd => most,
            _ => *offset,
        }
        .min(most);
    }

    /// The section at a place of the screen is shown.
    pub fn click(&mut self, x: u16, y: u16) {
        let tabs = tabs(self.area);
        if y == self.area.y
            && let Some((section, ..)) =
                tabs.into_iter().find(|(_, from, title)| (*from..from + columns(title)).contains(&x))
        {
            self.section = section;
        }
    }

    /// Where lines are scrolled in the section that is shown.
    fn list(&self) -> Rect {
        let body = self.body();
        if self.section == Section::Overview { overview::list(body) } else { body }
    }

    /// The lines below the titles of the sections.
    fn body(&self) -> Rect {
        Rect { y: self.area.y + 1, height: self.area.height.saturating_sub(1), ..self.area }
    }

    /// The most lines that can be scrolled away, and a page.
    fn extent(&self, update: &Update, theme: &Theme) -> (usize, usize) {
        let list = self.list();
        let rows = usize::from(list.height);
        let shown = lines(&self.sheets(update), list.width, theme).len();
        (shown.saturating_sub(rows), rows.saturating_sub(1).max(1))
    }

    fn sheets(&self, update: &Update) -> Vec<Sheet> {
        let about = about(update);
        let parts: &[fn(&About<'_>) -> Sheet] = match self.section {
            Section::Overview => &[sheet::parts, sheet::reclaim],
            Section::Slab => &[sheet::slab],
            Section::Shared => &[sheet::shmem, sheet::tmpfs, sheet::segments, sheet::posix, sheet::loose],
            Section::Swap => &[sheet::devices, sheet::processes],
            Section::Settings => &[sheet::settings, sheet::zones],
        };
        parts.iter().map(|part| part(&about)).collect()
    }

    /// Draws the panel. `span` is how far back its chart reaches.
    pub fn draw(&self, buf: &mut Buffer, update: &Update, span: Duration, theme: &Theme) {
        if self.area.height == 0 {
            return;
        }
        if self.section == Section::Overview {
            overview::draw(buf, self.body(), update, span, theme);
        }
        let list = self.list();
        let lines = lines(&self.sheets(update), list.width, theme);
        let below = draw_lines(buf, list, &lines, self.offsets[self.section.place()], theme);
        self.draw_tabs(buf, below, theme);
    }

    /// The titles of the sections, and how many lines lie below what is shown.
    fn draw_tabs(&self, buf: &mut Buffer, below: usize, theme: &Theme) {
        let head = Rect { height: 1, ..self.area };
        fill(buf, head, theme.style(Role::Header));
        for (section, x, title) in tabs(self.area) {
            let role = if section == self.section { Role::Selected } else { Role::Header };
            put(buf, x, head.y, head.right().saturating_sub(x), title, theme.style(role));
        }
        let end = tabs(self.area).last().map_or(0, |(_, x, title)| x + columns(title));
        let hint = tr!("{below} more {sign}", below, sign = theme.pick("↓", "v"));
        if below > 0 && end + columns(&hint) + 2 <= head.right() {
            put_right(buf, end, head.y, head.right() - end - 1, &hint, theme.style(Role::Header));
        }
    }
}

/// Draws as many lines as there is room for; gives how many lie below.
fn draw_lines(buf: &mut Buffer, area: Rect, lines: &[Line], offset: usize, theme: &Theme) -> usize {
    let rows = usize::from(area.height);
    let offset = offset.min(lines.len().saturating_sub(rows));
    for (line, y) in lines.iter().skip(offset).zip(area.y..area.bottom()) {
        line.draw(buf, Rect { y, height: 1, ..area }, theme);
    }
    lines.len().saturating_sub(offset + rows)
}

/// Titles of the sections: where each begins.
fn tabs(area: Rect) -> Vec<(Section, u16, &'static str)> {
    const GAP: u16 = 2;
    let full: u16 = Section::ALL.iter().map(|(_, title, _)| columns(tr!(of * title)) + GAP).sum();
    let is_full = full < area.width;
    let mut x = area.x + 1;
    let tab = |(section, title, short): (Section, &'static str, &'static str)| {
        let title = if is_full { tr!(of title) } else { tr!(of short) };
        let from = x;
        x += columns(title) + GAP;
        (section, from, title)
    };
    Section::ALL.into_iter().map(tab).collect()
}

fn human(bytes: u64) -> String {
    Bytes(bytes).to_string()
}

/// What sheets are made from at the moment that is shown.
fn about(update: &Update) -> About<'_> {
    let survey = update.system.as_ref().and_then(|system| system.survey.as_deref());
    let without = match (&update.replay, update.timeline.is_past) {
        (Some(_), _) => tr!("The recording does not have it: who made it was older, or made no closer look yet"),
        (None, true) => tr!("Not kept of the past: l shows the present"),
        (None, false) => tr!("Not read yet"),
    };
    About { snapshot: &update.snapshot, survey, without, size: &human, tells_age: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_have_their_places_and_fit() {
        for (place, (section, ..)) in Section::ALL.into_iter().enumerate() {
            assert_eq!(section.place(), place);
        }
        for width in [40, 80, 200] {
            let tabs = tabs(Rect::new(0, 0, width, 10));
            let (_, from, title) = tabs.last().unwrap();
            assert!(from + columns(title) <= width, "{width}");
        }
    }

    #[test]
    fn a_click_on_a_title_shows_its_section() {
        let mut panel = System::default();
        panel.settle(Rect::new(0, 4, 80, 19));
        let tabs = tabs(panel.area);
        for (section, x, _) in tabs {
            panel.click(x, 4);
            assert_eq!(panel.section, section);
        }
        panel.click(1, 5);
        assert_eq!(panel.section, Section::Settings, "only the line of titles");
    }
}
