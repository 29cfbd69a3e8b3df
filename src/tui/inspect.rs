//! Opening the process that is shown whole, moving in it, and acting on it.

use super::action::Action;
use super::app::{App, Temporality};
use super::layer::Layer;
use super::menus;
use super::screen::Screen;
use super::screen::inspect::{Inspect, Tab};
use super::screen::processes::target;
use super::theme::Role;
use crate::session::inspect::InspectWish;

impl App {
    /// Shows the selected process whole, or opens or closes the selected group.
    pub(super) fn open_details(&mut self) {
        if self.update.is_none() {
            return;
        }
        if self.processes.selected().is_some() {
            self.inspect_selected(Tab::Overview);
        } else {
            self.processes.toggle_fold();
        }
    }

    /// Shows a part of the process that is shown, or of the selected one of the list.
    pub(super) fn show_tab(&mut self, tab: Tab) {
        match (&mut self.inspect, self.screen) {
            (Some(inspect), Screen::Inspect) => inspect.show(tab),
            (_, Screen::Processes) => self.inspect_selected(tab),
            _ => {}
        }
    }

    fn inspect_selected(&mut self, tab: Tab) {
        let Some(update) = &self.update else { return };
        match self.processes.selected().filter(|key| update.snapshot.row_of(*key).is_some()) {
            Some(key) => {
                self.inspect = Some(Inspect::new(key, tab, &self.keymap));
                self.screen = Screen::Inspect;
            }
            None => self.say(tr!("select a process first"), Role::Warn),
        }
    }

    /// Moves in the process that is shown.
    pub(super) fn move_in_inspect(&mut self, action: Action) {
        if let Some(inspect) = &mut self.inspect {
            inspect.act(action);
        }
    }

    /// Moves the window on the process that is shown.
    pub(super) fn scroll_inspect(&mut self, lines: isize) {
        if let Some(inspect) = &mut self.inspect {
            inspect.scroll_lines(lines);
        }
    }

    /// Shows the columns that sort the part that is shown.
    pub(super) fn open_sort_menu_of_inspect(&mut self) {
        match self.inspect.as_ref().and_then(Inspect::sort_menu) {
            Some(menu) => self.layers.push(Layer::Menu(menu)),
            None => self.say(tr!("nothing is sorted here: the other tabs have columns"), Role::Text),
        }
    }

    /// Asks which signal the process that is shown is to get.
    pub(super) fn open_signal_menu_of_inspected(&mut self) {
        let (Some(update), Some(inspect)) = (&self.update, &self.inspect) else { return };
        match update.snapshot.row_of(inspect.key()) {
            Some(row) => self.layers.push(Layer::Menu(menus::signal(&[target(&row)]))),
            None => self.say(tr!("{pid} has ended", pid = inspect.key().pid), Role::Warn),
        }
    }

    /// What is to be read of the process that is shown: nothing of one that has ended, of the past, or of a picture that
    /// is kept as it is.
    pub(super) fn inspect_wish(&self) -> Option<InspectWish> {
        let inspect = self.inspect.as_ref().filter(|_| self.temporality == Temporality::Live)?;
        let update = self.update.as_ref()?;
        update.snapshot.row_of(inspect.key())?;
        Some(InspectWish { key: inspect.key(), parts: inspect.tab().parts() })
    }
}
