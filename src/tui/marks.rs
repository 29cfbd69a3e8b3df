//! Marks: moments that were kept, and the one that is compared with.

use std::sync::Arc;

use super::app::App;
use super::event::time_of_day;
use super::finding::span;
use super::layer::input::{Input, Purpose};
use super::layer::menu::{Item, Menu};
use super::layer::{Deed, Layer};
use super::screen::inspect::{Inspect, Looks};
use super::theme::Role;
use crate::model::mark::{Mark, name_of};
use crate::model::reading::BootMs;
use crate::session::update::Update;

/// What is asked for with marks. They are told apart by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkDeed {
    /// Keeps the moment shown and compares with it; without a name it is called by its time.
    Set(Option<String>),
    /// Compares with a mark, or with none.
    Compare(Option<String>),
    /// Asks for a new name.
    AskName(String),
    /// Renames: from, to.
    Rename(String, String),
    /// Forgets a mark.
    Drop(String),
}

/// The marks of a face.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// The oldest first.
    kept: Vec<Arc<Mark>>,
    compared: Option<Arc<Mark>>,
    /// What they keep of processes that were looked at closely.
    pub(super) looks: Looks,
}

/// So many marks are kept.
const MOST: usize = 8;

/// They take no more memory than this together, unless one alone does.
const MOST_BYTES: usize = 2 << 20;

impl Marks {
    /// The mark that is compared with.
    pub fn compared(&self) -> Option<&Arc<Mark>> {
        self.compared.as_ref()
    }

    /// Keeps a mark, in place of one of the same name, and compares with it. Gives the names of those that had to go for
    /// it.
    fn keep(&mut self, mark: Mark) -> Vec<String> {
        self.kept.retain(|kept| kept.name != mark.name);
        let mark = Arc::new(mark);
        self.compared = Some(Arc::clone(&mark));
        self.kept.push(mark);
        let bytes = |kept: &[Arc<Mark>]| kept.iter().map(|mark| mark.bytes()).sum::<usize>();
        let mut gone = Vec::new();
        while self.kept.len() > MOST || (self.kept.len() > 1 && bytes(&self.kept) > MOST_BYTES) {
            gone.push(self.kept.remove(0).name.clone());
        }
        self.prune();
        gone
    }

    fn find(&self, name: &str) -> Option<&Arc<Mark>> {
        self.kept.iter().find(|mark| mark.name == name)
    }

    fn compare(&mut self, name: Option<&str>) -> Result<(), String> {
        self.compared = match name {
            None => None,
            Some(name) => Some(Arc::clone(self.find(name).ok_or_else(|| self.unknown(name))?)),
        };
        Ok(())
    }

    fn unknown(&self, name: &str) -> String {
        let names: Vec<&str> = self.kept.iter().map(|mark| mark.name.as_str()).collect();
        if names.is_empty() {
            tr!("there is no mark yet: m sets one").into()
        } else {
            tr!("there is no mark `{name}`: there are {names}", name, names = names.join(", "))
        }
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), String> {
        let to = name_of(to);
        if to.is_empty() {
            return Err(tr!("a mark needs a name").into());
        }
        if from != to && self.find(&to).is_some() {
            return Err(tr!("there is a mark `{to}` already", to));
        }
        let place = self.kept.iter().position(|mark| mark.name == from).ok_or_else(|| self.unknown(from))?;
        let renamed = Arc::new(Mark { name: to, ..(*self.kept[place]).clone() });
        let old = std::mem::replace(&mut self.kept[place], Arc::clone(&renamed));
        if self.compared.as_ref().is_some_and(|compared| Arc::ptr_eq(compared, &old)) {
            self.compared = Some(renamed);
        }
        Ok(())
    }

    fn drop(&mut self, name: &str) {
        self.kept.retain(|mark| mark.name != name);
        self.compared.take_if(|mark| mark.name == name);
        self.prune();
    }

    fn prune(&mut self) {
        self.looks.retain(|at| self.kept.iter().any(|mark| mark.at == at));
    }

    /// The choice: which to compare with, and what else can be done with them.
    fn menu(&self, now: BootMs) -> Menu {
        let item = |label: String, note: String, deed| Item { label, note, deed: Deed::Mark(deed) };
        let is_compared = |mark: &Mark| self.compared.as_ref().is_some_and(|compared| compared.name == mark.name);
        let newest_first = || self.kept.iter().rev();
        let mut items: Vec<Item> = newest_first()
            .map(|mark| {
                let age = span(now.since(mark.at) as f64);
                let sign = if is_compared(mark) { tr!(", compared with") } else { "" };
                let note = tr!("{age} ago, {count} processes{sign}", age, count = mark.processes.len(), sign);
                item(mark.name.clone(), note, MarkDeed::Compare(Some(mark.name.clone())))
            })
            .collect();
        let selected = newest_first().position(|mark| is_compared(mark)).unwrap_or(0);
        items.push(item(tr!("none").into(), tr!("no change is shown").into(), MarkDeed::Compare(None)));
        items.push(item(tr!("new mark").into(), tr!("this moment, called by its time").into(), MarkDeed::Set(None)));
        items.extend(newest_first().flat_map(|mark| {
            let name = || mark.name.clone();
            [
                item(
                    tr!("rename {name}", name = mark.name),
                    tr!("asks for its name").into(),
                    MarkDeed::AskName(name()),
                ),
                item(tr!("drop {name}", name = mark.name), tr!("forgets it").into(), MarkDeed::Drop(name())),
            ]
        }));
        Menu::new(tr!("compare with"), items, selected)
    }
}

impl App {
    /// The update with the mark to compare with.
    pub(super) fn marked(&self, update: Arc<Update>) -> Arc<Update> {
        let is_same = match (&update.snapshot.mark, self.marks.compared()) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (old, new) => old.is_none() && new.is_none(),
        };
        if is_same {
            return update;
        }
        let mut update = Arc::unwrap_or_clone(update);
        let snapshot = Arc::unwrap_or_clone(update.snapshot);
        update.snapshot = Arc::new(snapshot.compared_with(self.marks.compared().cloned()));
        Arc::new(update)
    }

    pub(super) fn open_mark_menu(&mut self) {
        let Some(update) = &self.update else { return };
        self.layers.push(Layer::Menu(self.marks.menu(update.snapshot.sample.at)));
    }

    /// Does something with the marks.
    pub(super) fn mark(&mut self, deed: MarkDeed) {
        let result = match deed {
            MarkDeed::Set(name) => {
                self.set_mark(name);
                Ok(())
            }
            MarkDeed::Compare(name) => self.marks.compare(name.as_deref()),
            MarkDeed::AskName(name) => {
                self.layers.push(Layer::Input(Input::new(Purpose::MarkName, &name)));
                Ok(())
            }
            MarkDeed::Rename(from, to) => self.marks.rename(&from, &to),
            MarkDeed::Drop(name) => {
                self.marks.drop(&name);
                Ok(())
            }
        };
        if let Err(why) = result {
            self.say(why, Role::Danger);
        }
        self.processes.set_comparing(self.marks.compared().is_some());
        if let Some(update) = self.update.take() {
            self.update = Some(self.marked(update));
        }
    }

    fn set_mark(&mut self, name: Option<String>) {
        let Some(update) = &self.update else { return };
        let name = name.map(|name| name_of(&name)).filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| time_of_day(update.snapshot.sample.wall_ms));
        let gone = self.marks.keep(Mark::of(&name, &update.snapshot));
        // A look is of now, whatever moment of the past is marked.
        if let Some(look) = self.inspect.as_ref().filter(|_| !update.timeline.is_past).and_then(Inspect::look) {
            self.marks.looks.keep(update.snapshot.sample.at, look);
        }
        let keys = self.keymap.keys(super::action::Action::OpenMarkMenu).first().map_or("", String::as_str);
        let more =
            if gone.is_empty() { String::new() } else { tr!("; {gone} had to go for it", gone = gone.join(", ")) };
        self.say(
            tr!("mark `{name}` is set, changes are since then ({keys} for others or none){more}", name, keys, more),
            Role::Good,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;

    fn mark(name: &str) -> Mark {
        Mark::of(name, &testing::snapshot(Vec::new()))
    }

    #[test]
    fn no_more_marks_are_kept_than_fit_and_the_oldest_go_first() {
        let mut marks = Marks::default();
        for nth in 0..MOST {
            assert!(marks.keep(mark(&nth.to_string())).is_empty());
        }
        assert_eq!(marks.keep(mark("last")), ["0"]);
        assert_eq!((marks.kept.len(), marks.compared().unwrap().name.as_str()), (MOST, "last"));
        let crowd: Vec<_> = (0..4000).map(|pid| Arc::new(testing::process(pid, "x", "x"))).collect();
        let large = |name: &str| Mark::of(name, &testing::snapshot(crowd.clone()));
        (0..9).for_each(|nth| drop(marks.keep(large(&format!("large {nth}")))));
        let bytes: usize = marks.kept.iter().map(|mark| mark.bytes()).sum();
        assert!(bytes <= MOST_BYTES && marks.kept.len() > 1, "{bytes} {}", marks.kept.len());
    }

    #[test]
    fn the_mark_compared_with_keeps_being_it_under_a_new_name_and_is_none_once_dropped() {
        let mut marks = Marks::default();
        marks.keep(mark("a"));
        marks.keep(mark("b"));
        marks.compare(Some("a")).unwrap();
        marks.rename("a", "before the deploy").unwrap();
        assert_eq!(marks.compared().unwrap().name, "before the deploy");
        assert!(marks.rename("b", "before the deploy").unwrap_err().contains("already"));
        assert!(marks.compare(Some("c")).unwrap_err().contains("there are before the deploy, b"));
        assert_eq!(marks.compared().unwrap().name, "before the deploy");
        marks.drop("b");
        assert!(marks.compared().is_some());
        marks.drop("before the deploy");
        assert!(marks.compared().is_none() && marks.kept.is_empty());
    }
}
