//! From what is selected to a change of it.

use super::action::Action;
use super::app::{App, Command, Temporality};
use super::event::time_of_day;
use super::layer::Layer;
use super::layer::value::Value;
use super::menus;
use super::pursue::nobody;
use super::screen::Screen;
use super::screen::processes::target;
use super::theme::Role;
use crate::act::change::{Change, Subject};
use crate::act::effect::{Effect, GroupTarget, Outcome, Stage};
use crate::model::judgement::Subject as Judged;
use crate::model::snapshot::Row;

impl App {
    /// Whether anything may be changed now; says why not.
    pub(super) fn may_change(&mut self, title: &str) -> bool {
        if self.options.is_read_only {
            self.say(tr!("{title}: refused, memtide was started with --read-only", title), Role::Warn);
        } else if self.is_replay() {
            self.say(tr!("this is a recording: its processes are not those of this machine"), Role::Warn);
        } else if let Temporality::Past(_) = self.temporality {
            let key = self.key(Action::GoLive);
            self.say(tr!("this is the past: press {key} to return to the present first", key), Role::Warn);
        } else {
            return true;
        }
        false
    }

    /// The first key of an action, for hints.
    pub(super) fn key(&self, action: Action) -> String {
        self.keymap.keys(action).first().cloned().unwrap_or_else(|| format!(":{}", action.spec().name))
    }

    /// Who is selected or tagged, or whom the selected finding is about, and their group where they have one.
    fn subject(&mut self) -> Subject {
        let Some(update) = self.update.clone() else { return Subject::default() };
        let snapshot = &*update.snapshot;
        let rows: Vec<Row<'_>> = if self.screen == Screen::Leaks {
            let Some(finding) = self.leaks.selected(&snapshot.analysis.findings) else { return Subject::default() };
            let rows = snapshot.rows().filter(|row| finding.subject.includes(row.process)).collect::<Vec<_>>();
            if rows.is_empty() && finding.subject != Judged::Machine {
                self.say(nobody(finding), Role::Warn);
            }
            rows
        } else if self.screen == Screen::Heap {
            // Whoever is selected in the list is not seen here.
            Vec::new()
        } else if let (Screen::Inspect, Some(inspect)) = (self.screen, &self.inspect) {
            // Whoever is tagged in the list is not seen here.
            snapshot.row_of(inspect.key()).into_iter().collect()
        } else {
            let targets = self.processes.targets(snapshot);
            targets.iter().filter_map(|target| snapshot.row_of(target.key)).collect()
        };
        let mut groups = rows.iter().map(|row| &row.process.identity.cgroup);
        let first = groups.next();
        let is_one = first.is_some_and(|first| groups.all(|group| group.memory == first.memory));
        let group = first.filter(|_| is_one).map(|group| GroupTarget {
            path: group.memory.clone(),
            version: group.version,
            via: rows.first().map(target),
        });
        Subject { targets: rows.iter().map(target).collect(), group }
    }

    /// Lists what can be changed of what is selected.
    pub(super) fn open_actions(&mut self) {
        let subject = self.subject();
        let undo = self.last_undo().cloned();
        self.layers.push(Layer::Menu(menus::actions(&subject, undo)));
    }

    /// Begins a change of who was chosen, or of what is selected: a menu, a line for its value, or the question.
    pub(super) fn begin_change(&mut self, change: Change, chosen: Option<Subject>) {
        if !self.may_change(tr!(of change.spec().title)) {
            return;
        }
        let subject = chosen.unwrap_or_else(|| self.subject());
        match change {
            Change::Signal if !subject.targets.is_empty() => {
                self.layers.push(Layer::Menu(menus::signal(&subject.targets)));
            }
            Change::DropCaches => self.layers.push(Layer::Menu(menus::drop_caches())),
            _ if change.spec().value.is_some() => {
                let proposal = self.proposal(change, &subject);
                self.layers.push(Layer::Value(Value::new(change, subject, &proposal)));
            }
            _ => self.ask_about(change, "", &subject),
        }
    }

    /// What is in the line of a change before anything is typed: a file that is not there yet.
    fn proposal(&self, change: Change, subject: &Subject) -> String {
        match (change, subject.targets.as_slice(), &self.update) {
            (Change::HeapSnapshot, [target], Some(update)) => {
                let time = time_of_day(update.snapshot.sample.wall_ms).replace(':', "");
                format!("/var/tmp/node-{}-{time}.heapsnapshot", target.key.pid)
            }
            _ => String::new(),
        }
    }

    /// Asks about a change of what is selected.
    pub(super) fn change_to(&mut self, change: Change, value: &str) {
        let subject = self.subject();
        self.ask_about(change, value, &subject);
    }

    fn ask_about(&mut self, change: Change, value: &str, subject: &Subject) {
        match change.effect(value, subject) {
            Ok(effect) => self.ask(effect),
            Err(error) => self.say(error, Role::Warn),
        }
    }

    /// What would bring back what the last change replaced.
    fn last_undo(&self) -> Option<&Effect> {
        self.log.iter().find_map(|outcome| outcome.undo.as_ref())
    }

    /// Asks whether to bring it back.
    pub(super) fn undo(&mut self) {
        match self.last_undo().cloned() {
            Some(effect) => self.ask(effect),
            None => self.say(tr!("nothing was changed here that could be undone"), Role::Warn),
        }
    }

    /// Stops what is under way.
    pub(super) fn stop(&mut self) -> Vec<Command> {
        let is_under_way =
            |outcome: &Outcome| (outcome.stage == Stage::Progress && !outcome.is_final) || outcome.awaits_kill();
        if self.log.iter().any(is_under_way) {
            return vec![Command::Stop];
        }
        self.say(tr!("nothing is under way that could be stopped"), Role::Warn);
        Vec::new()
    }
}
