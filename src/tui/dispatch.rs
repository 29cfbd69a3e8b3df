//! What each action does.

use super::action::Action;
use super::app::{App, Command, INTERVALS, Temporality};
use super::layer::columns::Columns;
use super::layer::input::{Input, Purpose};
use super::layer::menu::Menu;
use super::layer::text_view::TextView;
use super::layer::{Layer, palette};
use super::marks::MarkDeed;
use super::menus;
use super::screen::inspect::Tab;
use super::screen::processes::Direction;
use super::screen::{Screen, ended, log};
use super::theme::Role;
use crate::act::change::Change;
use crate::model::field::process_field;
use crate::model::reading::BootMs;

impl App {
    /// Does what a key means.
    pub fn act(&mut self, action: Action) -> Vec<Command> {
        if action.spec().is_dangerous && !self.may_change(tr!(of action.spec().title)) {
            return Vec::new();
        }
        if self.screen == Screen::Heap && self.act_in_heap(action) {
            return Vec::new();
        }
        match action {
            Action::Quit => return vec![Command::Quit],
            Action::Suspend => return vec![Command::Suspend],
            Action::Redraw => return vec![Command::Redraw],
            Action::Record if self.is_replay() => self.say(tr!("this is a recording already"), Role::Warn),
            Action::Record => return vec![Command::Record(self.taped.is_none())],
            Action::SaveSettings => return vec![Command::Save(self.settings())],
            Action::Help => self.layers.push(Layer::Text(TextView::help(&self.keymap))),
            Action::Palette => self.layers.push(Layer::Menu(Menu::palette(palette::items(&self.keymap)))),
            Action::Back => self.back(),
            Action::Filter if self.screen == Screen::Cgroups => {
                let text = self.cgroups.filter().map(ToString::to_string).unwrap_or_default();
                self.layers.push(Layer::Input(Input::new(Purpose::CgroupFilter, &text)));
            }
            Action::Filter
            | Action::Search
            | Action::SearchNext
            | Action::SearchPrevious
            | Action::OpenGroupMenu
            | Action::OpenColumns
                if self.screen == Screen::Inspect =>
            {
                self.say(tr!("that is for the list: press esc first"), Role::Text);
            }
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
            Action::OpenSortMenu if self.screen == Screen::Cgroups => {
                self.layers.push(Layer::Menu(menus::sort_cgroups(self.cgroups.sorted_by())));
            }
            Action::OpenSortMenu if self.screen == Screen::Inspect => self.open_sort_menu_of_inspect(),
            Action::OpenSortMenu => self.layers.push(Layer::Menu(menus::sort(self.processes.order().by))),
            Action::OpenGroupMenu => self.layers.push(Layer::Menu(menus::group())),
            Action::OpenThemeMenu => self.layers.push(Layer::Menu(menus::theme(&self.theme.name))),
            Action::OpenColumns => self.layers.push(Layer::Columns(Columns::new(self.processes.columns()))),
            Action::Signal if self.screen == Screen::Cgroups => {
                self.say(tr!("several processes: press enter and choose among them"), Role::Warn);
            }
            Action::Signal if self.screen == Screen::Leaks => self.open_signal_menu_of_finding(),
            Action::Signal if self.screen == Screen::Inspect => self.open_signal_menu_of_inspected(),
            Action::Signal => self.open_signal_menu(),
            Action::DropCaches => self.layers.push(Layer::Menu(menus::drop_caches())),
            Action::HeapSnapshot => self.begin_change(Change::HeapSnapshot, None),
            Action::OpenHeap => self.open_heap_menu(),
            Action::OpenDetails if self.screen == Screen::Cgroups => self.open_cgroup(),
            Action::OpenActions => self.open_actions(),
            Action::Undo => self.undo(),
            Action::Stop => return self.stop(),
            Action::OpenDetails if self.screen == Screen::Leaks => self.open_finding(),
            Action::OpenDetails if self.screen == Screen::Processes => self.open_details(),
            Action::ShowOverview => self.show_tab(Tab::Overview),
            Action::ShowMappings => self.show_tab(Tab::Mappings),
            Action::ShowDescriptors => self.show_tab(Tab::Descriptors),
            Action::ShowThreads => self.show_tab(Tab::Threads),
            Action::ShowRuntime => self.show_tab(Tab::Runtime),
            Action::ShowLeaks => self.show(Screen::Leaks),
            Action::ShowSystem => self.show(Screen::System),
            Action::ShowCgroups => self.show(Screen::Cgroups),
            Action::SetMark => self.mark(MarkDeed::Set(None)),
            Action::OpenMarkMenu => self.open_mark_menu(),
            Action::ShowLog => self.show(Screen::LOG),
            Action::ShowEnded => self.show(Screen::ENDED),
            Action::Earlier | Action::Later | Action::MuchEarlier | Action::MuchLater => self.travel(action),
            Action::GoLive => self.temporality = Temporality::Live,
            Action::Jump => self.layers.push(Layer::Input(Input::new(Purpose::Jump, ""))),
            Action::PreviousEvent | Action::NextEvent => self.hunt(action == Action::NextEvent),
            Action::Pause if self.is_replay() => self.play_or_stop(),
            Action::Faster | Action::Slower if self.is_replay() => self.step_speed(action == Action::Slower),
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
            Screen::Inspect => return self.move_in_inspect(action),
            Screen::System => return self.move_in_system(action),
            Screen::Cgroups => return self.cgroups.act(action),
            Screen::Heap => return,
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

    /// Scrolls the view of the machine, or goes to another section of it.
    pub(super) fn move_in_system(&mut self, action: Action) {
        if let Some(update) = self.update.clone() {
            self.system.act(action, &update, &self.theme);
        }
    }

    /// Scrolls the screen of text that is shown.
    pub(super) fn scroll_text(&mut self, action: Action) {
        let rows = usize::from(super::view::body(self).height.saturating_sub(1));
        let lines = match self.screen {
            Screen::Ended { .. } => self.update.as_ref().map_or(0, |update| ended::length(update)),
            _ => log::length(&self.log),
        };
        self.screen.scroll(action, lines.saturating_sub(rows));
    }

    fn show(&mut self, screen: Screen) {
        self.screen = if self.screen.is_same_kind(screen) { Screen::Processes } else { screen };
    }

    fn back(&mut self) {
        if self.screen == Screen::Cgroups && self.cgroups.filter().is_some() {
            self.cgroups.set_filter(None);
        } else if self.screen != Screen::Processes {
            self.screen = Screen::Processes;
        } else if self.temporality != Temporality::Live && !self.is_replay() {
            self.temporality = Temporality::Live;
        } else if self.processes.tagged() > 0 {
            self.processes.clear_tags();
        } else {
            self.processes.set_filter(None);
        }
    }

    fn open_signal_menu(&mut self) {
        let Some(update) = self.update.clone() else { return };
        let targets = self.processes.targets(&update.snapshot);
        if targets.is_empty() {
            self.say(tr!("select or tag a process first"), Role::Warn);
            return;
        }
        self.layers.push(Layer::Menu(menus::signal(&targets)));
    }

    fn travel(&mut self, action: Action) {
        const MINUTE: u64 = 60_000;
        let Some(update) = &self.update else { return };
        let (timeline, shown) = (update.timeline, update.timeline.shown);
        let at = match action {
            Action::Earlier => timeline.earlier.unwrap_or(shown),
            Action::MuchEarlier => BootMs(shown.0.saturating_sub(MINUTE)).max(timeline.oldest),
            Action::MuchLater => BootMs(shown.0 + MINUTE),
            _ => timeline.later.unwrap_or(timeline.newest),
        };
        self.temporality = if at >= timeline.newest { Temporality::Live } else { Temporality::Past(at) };
        if at == shown && action == Action::Earlier {
            self.say(tr!("there is nothing before this"), Role::Warn);
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
pub(super) fn sort_key(action: Action) -> Option<&'static str> {
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
