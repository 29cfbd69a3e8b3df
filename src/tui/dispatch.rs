//! What each action does.

use super::action::Action;
use super::app::{App, Command, INTERVALS, Temporality};
use super::layer::columns::Columns;
use super::layer::input::{Input, Purpose};
use super::layer::menu::Menu;
use super::layer::text_view::TextView;
use super::layer::{Layer, palette};
use super::menus;
use super::screen::processes::Direction;
use super::screen::{Screen, log};
use super::theme::Role;
use crate::model::field::process_field;
use crate::model::reading::BootMs;

impl App {
    /// Does what a key means.
    pub fn act(&mut self, action: Action) -> Vec<Command> {
        if action.spec().is_dangerous {
            if self.options.is_read_only {
                self.say(format!("{}: refused, memtide was started with --read-only", action.spec().title), Role::Warn);
                return Vec::new();
            }
            if let Temporality::Past(_) = self.temporality {
                self.say("this is the past: press l to return to the present first", Role::Warn);
                return Vec::new();
            }
        }
        match action {
            Action::Quit => return vec![Command::Quit],
            Action::Suspend => return vec![Command::Suspend],
            Action::Redraw => return vec![Command::Redraw],
            Action::Record => return vec![Command::Record(self.taped.is_none())],
            Action::SaveSettings => return vec![Command::Save(self.settings())],
            Action::Help => self.layers.push(Layer::Text(TextView::help(&self.keymap))),
            Action::Palette => self.layers.push(Layer::Menu(Menu::palette(palette::items(&self.keymap)))),
            Action::Back => self.back(),
            Action::Filter => {
                let text = self.processes.filter().map(ToString::to_string).unwrap_or_default();
                self.layers.push(Layer::Input(Input::new(Purpose::Filter, &text)));
            }
            Action::Search => {
                self.search_origin = self.processes.selected_line().cloned();
                self.layers.push(Layer::Input(Input::new(Purpose::Search, "")));
            }
            Action::SearchNext => self.find(Direction::Next),
            Action::SearchPrevious => self.find(Direction::Previous),
            Action::OpenSortMenu => self.layers.push(Layer::Menu(menus::sort(self.processes.order().by))),
            Action::OpenGroupMenu => self.layers.push(Layer::Menu(menus::group())),
            Action::OpenThemeMenu => self.layers.push(Layer::Menu(menus::theme(&self.theme.name))),
            Action::OpenColumns => self.layers.push(Layer::Columns(Columns::new(self.processes.columns()))),
            Action::Signal if self.screen == Screen::Leaks => self.open_signal_menu_of_finding(),
            Action::Signal => self.open_signal_menu(),
            Action::DropCaches => self.layers.push(Layer::Menu(menus::drop_caches())),
            Action::OpenDetails if self.screen == Screen::Leaks => self.open_finding(),
            Action::OpenDetails => self.open_details(),
            Action::ShowLeaks => self.show(Screen::Leaks),
            Action::ShowLog => self.show(Screen::LOG),
            Action::ShowEnded => self.show(Screen::ENDED),
            Action::Earlier | Action::Later | Action::MuchEarlier | Action::MuchLater => self.travel(action),
            Action::GoLive => self.temporality = Temporality::Live,
            Action::Pause => {
                self.temporality = match self.temporality {
                    Temporality::Paused => Temporality::Live,
                    _ => Temporality::Paused,
                };
            }
            Action::Faster | Action::Slower => self.step_interval(action == Action::Slower),
            _ => self.arrange(action),
        }
        Vec::new()
    }

    /// What orders the list, whether or not there is one yet, and what moves in it.
    fn arrange(&mut self, action: Action) {
        match self.screen {
            Screen::Processes => {}
            Screen::Leaks => return self.move_in_leaks(action),
            _ => return self.scroll_text(action),
        }
        let list = &mut self.processes;
        match action {
            Action::ScrollRight => list.scroll_sideways(8),
            Action::ScrollLeft => list.scroll_sideways(-8),
            Action::Follow => list.toggle_follow(),
            Action::ReverseSort => list.reverse_sort(),
            Action::SortByNext => list.sort_by_neighbour(1),
            Action::SortByPrevious => list.sort_by_neighbour(-1),
            Action::ToggleTree => list.toggle_tree(),
            Action::ToggleFold => list.toggle_fold(),
            Action::ToggleKernelThreads => list.toggle_kernel_threads(),
            Action::ClearTags => list.clear_tags(),
            other => match sort_key(other).and_then(process_field) {
                Some(field) => list.sort_by(field),
                None => self.move_in_list(other),
            },
        }
    }

    fn move_in_list(&mut self, action: Action) {
        let Some(update) = self.update.clone() else { return };
        let snapshot = &*update.snapshot;
        let list = &mut self.processes;
        match action {
            Action::MoveDown => list.move_by(snapshot, 1),
            Action::MoveUp => list.move_by(snapshot, -1),
            Action::PageDown => list.move_by_page(snapshot, 1),
            Action::PageUp => list.move_by_page(snapshot, -1),
            Action::MoveToStart => list.move_to_start(snapshot),
            Action::MoveToEnd => list.move_to_end(snapshot),
            Action::ToggleTag => list.toggle_tag(snapshot),
            Action::TagAll => list.tag_all(snapshot),
            _ => {}
        }
    }

    /// Scrolls the screen of text that is shown.
    pub(super) fn scroll_text(&mut self, action: Action) {
        let rows = usize::from(super::view::body(self.area).height.saturating_sub(1));
        let lines = match self.screen {
            Screen::Ended { .. } => self.update.as_ref().map_or(0, |update| update.ended.len()),
            _ => log::length(&self.log),
        };
        self.screen.scroll(action, lines.saturating_sub(rows));
    }

    fn show(&mut self, screen: Screen) {
        self.screen = if self.screen.is_same_kind(screen) { Screen::Processes } else { screen };
    }

    fn back(&mut self) {
        if self.screen != Screen::Processes {
            self.screen = Screen::Processes;
        } else if self.temporality != Temporality::Live {
            self.temporality = Temporality::Live;
        } else if self.processes.tagged() > 0 {
            self.processes.clear_tags();
        } else {
            self.processes.set_filter(None);
        }
    }

    fn open_details(&mut self) {
        let Some(update) = self.update.clone() else { return };
        match self.processes.selected().and_then(|key| update.snapshot.row_of(key)) {
            Some(row) => self.layers.push(Layer::Text(TextView::details(&row))),
            None => self.processes.toggle_fold(),
        }
    }

    fn open_signal_menu(&mut self) {
        let Some(update) = self.update.clone() else { return };
        let targets = self.processes.targets(&update.snapshot);
        if targets.is_empty() {
            self.say("select or tag a process first", Role::Warn);
            return;
        }
        self.layers.push(Layer::Menu(menus::signal(&targets)));
    }

    fn travel(&mut self, action: Action) {
        const MINUTE: u64 = 60_000;
        let Some(update) = &self.update else { return };
        let (timeline, shown) = (update.timeline, update.snapshot.sample.at);
        let at = match action {
            Action::Earlier => timeline.earlier.unwrap_or(shown),
            Action::MuchEarlier => BootMs(shown.0.saturating_sub(MINUTE)).max(timeline.oldest),
            Action::MuchLater => BootMs(shown.0 + MINUTE),
            _ => timeline.later.unwrap_or(timeline.newest),
        };
        self.temporality = if at >= timeline.newest { Temporality::Live } else { Temporality::Past(at) };
        if at == shown && action == Action::Earlier {
            self.say("there is nothing before this", Role::Warn);
        }
    }

    fn step_interval(&mut self, is_longer: bool) {
        let next = if is_longer {
            INTERVALS.iter().find(|interval| **interval > self.interval())
        } else {
            INTERVALS.iter().rev().find(|interval| **interval < self.interval())
        };
        if let Some(interval) = next {
            self.set_interval(*interval);
        }
    }
}

/// The field that an action sorts by.
fn sort_key(action: Action) -> Option<&'static str> {
    Some(match action {
        Action::SortByPss => "pss",
        Action::SortByRss => "rss",
        Action::SortBySwap => "swap",
        Action::SortByFds => "fds",
        Action::SortByGrowth => "growth",
        Action::SortByAge => "age",
        Action::SortByPid => "pid",
        _ => return None,
    })
}
