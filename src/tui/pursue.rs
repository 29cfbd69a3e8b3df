//! From a finding to its processes.

use super::action::Action;
use super::app::App;
use super::finding::what;
use super::layer::Layer;
use super::menus;
use super::screen::Screen;
use super::screen::processes::target;
use super::theme::Role;
use crate::model::group::GroupBy;
use crate::model::judgement::{Finding, Subject};
use crate::model::snapshot::Row;

impl App {
    /// Moves the selection among the leaks.
    pub(super) fn move_in_leaks(&mut self, action: Action) {
        if let Some(update) = &self.update {
            self.leaks.act(action, &update.snapshot.analysis.findings);
        }
    }

    /// Shows the process of the selected finding in the list, or the group of a service.
    pub(super) fn open_finding(&mut self) {
        let Some(update) = self.update.clone() else { return };
        let snapshot = &*update.snapshot;
        let Some(finding) = self.leaks.selected(&snapshot.analysis.findings) else { return };
        let Some(row) = snapshot.rows().find(|row| finding.subject.includes(row.process)) else {
            self.say(nobody(finding), Role::Warn);
            return;
        };
        let was_hidden = match finding.subject {
            Subject::Process(_) => self.processes.go_to_process(&row),
            _ => self.processes.go_to_group(way_of_grouping(finding, &row), &row),
        };
        self.screen = Screen::Processes;
        if was_hidden {
            self.say("the filter that hid it was dropped", Role::Text);
        }
    }

    /// Asks which signal the process of the selected finding is to get.
    pub(super) fn open_signal_menu_of_finding(&mut self) {
        let Some(update) = self.update.clone() else { return };
        let snapshot = &*update.snapshot;
        let Some(finding) = self.leaks.selected(&snapshot.analysis.findings) else { return };
        match &finding.subject {
            Subject::Process(key) => match snapshot.row_of(*key) {
                Some(row) => self.layers.push(Layer::Menu(menus::signal(&[target(&row)]))),
                None => self.say(nobody(finding), Role::Warn),
            },
            Subject::Group(_) => self.say("several processes: press enter and choose among them", Role::Warn),
            Subject::Machine => self.say(nobody(finding), Role::Warn),
        }
    }
}

pub(super) fn nobody(finding: &Finding) -> String {
    match finding.subject {
        Subject::Machine => {
            format!("{}: no process owns it; `memtide free` shows where memory is", what(finding.quantity))
        }
        _ => format!("{} has ended", finding.name),
    }
}

/// How the list is to be grouped to show a service as one line.
fn way_of_grouping(finding: &Finding, row: &Row<'_>) -> GroupBy {
    let membership = &row.process.identity.cgroup;
    match &finding.subject {
        Subject::Group(key) if *key != membership.memory => GroupBy::Command,
        _ if membership.container().is_some() => GroupBy::Container,
        _ => GroupBy::Unit,
    }
}
