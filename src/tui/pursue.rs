//! From a finding, or a control group, to its processes.

use super::action::Action;
use super::app::App;
use super::finding::what;
use super::layer::Layer;
use super::menus;
use super::screen::Screen;
use super::screen::processes::{Direction, target};
use super::screen::system::Section;
use super::theme::Role;
use crate::model::cgroup_query::CgroupQuery;
use crate::model::group::GroupBy;
use crate::model::judgement::{Finding, Quantity, Subject};
use crate::model::query::Query;
use crate::model::snapshot::Row;
use crate::model::text::Text;
use crate::session::update::Update;

impl App {
    /// Moves the selection among the leaks.
    pub(super) fn move_in_leaks(&mut self, action: Action) {
        if let Some(update) = &self.update {
            self.leaks.act(action, &update.snapshot.analysis.findings);
        }
    }

    /// Shows the process of the selected finding in the list, or the group of a service; of the machine, where its memory
    /// is.
    pub(super) fn open_finding(&mut self) {
        let Some(update) = self.update.clone() else { return };
        let snapshot = &*update.snapshot;
        let Some(finding) = self.leaks.selected(&snapshot.analysis.findings) else { return };
        if finding.subject == Subject::Machine {
            self.system.open(section_of(finding.quantity));
            self.screen = Screen::System;
            return;
        }
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
            self.say(tr!("the filter that hid it was dropped"), Role::Text);
        }
    }

    /// Shows the processes of the selected control group and of the groups in it.
    pub(super) fn open_cgroup(&mut self) {
        let Some(path) = self.cgroups.selected() else { return };
        let query = if path.as_bytes() == b"/" {
            // The root has all.
            None
        } else if let Some(Ok(query)) = cgroup_filter(path).map(|text| Query::parse(&text)) {
            Some(query)
        } else {
            self.say(tr!("this group has both kinds of quotes in its name: no filter can name it"), Role::Warn);
            return;
        };
        self.processes.set_filter(query);
        self.processes.set_group(None);
        self.screen = Screen::Processes;
    }

    /// Narrows the list of control groups.
    pub(super) fn filter_cgroups(&mut self, text: &str) {
        match CgroupQuery::parse(text) {
            Ok(query) => self.cgroups.set_filter((!text.trim().is_empty()).then_some(query)),
            Err(error) => self.say(error, Role::Danger),
        }
    }

    /// Finds a control group by the word that was searched for.
    pub(super) fn find_cgroup(&mut self, update: &Update, direction: Direction) {
        let (is_back, is_here) = (direction == Direction::Previous, direction == Direction::Here);
        let word = self.search.clone();
        if !word.is_empty() && !self.cgroups.search(update, &word, is_back, is_here) {
            self.say(tr!("no group holds `{word}`", word), Role::Warn);
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
            Subject::Group(_) => self.say(tr!("several processes: press enter and choose among them"), Role::Warn),
            Subject::Machine => self.say(nobody(finding), Role::Warn),
        }
    }
}

/// Where memory that no process owns is shown in detail.
fn section_of(quantity: Quantity) -> Section {
    match quantity {
        Quantity::Shmem => Section::Shared,
        Quantity::SlabUnreclaimable => Section::Slab,
        _ => Section::Overview,
    }
}

/// The filter of the processes of a control group and of the groups in it; `None` where no quote is left to put around
/// the path.
fn cgroup_filter(path: &Text) -> Option<String> {
    let path = path.escaped();
    let quote = ['"', '\''].into_iter().find(|quote| !path.contains(*quote))?;
    Some(format!("cgroup={quote}{path}{quote} or cgroup={quote}{path}/*{quote}"))
}

pub(super) fn nobody(finding: &Finding) -> String {
    match finding.subject {
        Subject::Machine => {
            tr!("{quantity}: no process owns it; enter shows where memory is", quantity = what(finding.quantity))
        }
        _ => tr!("{name} has ended", name = finding.name),
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
