//! From a snapshot that was taken, or a file, to the screen that walks through it, and what is done there.

use std::path::PathBuf;

use super::action::Action;
use super::app::App;
use super::event::time_of_day;
use super::layer::input::{Input, Purpose};
use super::layer::menu::{Item, Menu};
use super::layer::{Deed, Layer};
use super::screen::Screen;
use super::screen::heap::{Heap, HeapDeed, TAB_ACTIONS};
use super::screen::inspect::Inspect;
use super::theme::Role;
use super::view;
use crate::act::effect::{Effect, Outcome, Stage, Target};
use crate::model::key::ProcessKey;
use crate::model::shell;
use crate::session::heap::{HeapNews, HeapWish};

/// Snapshots of one process that can be compared from the menu.
const COMPARED: usize = 3;

/// The process of a snapshot that was taken just now; what it cost is measured again later.
pub(super) fn snapshot_of(outcome: &Outcome) -> Option<&Target> {
    match &outcome.effect {
        Effect::HeapSnapshot { target, .. } if is_taken(outcome) && outcome.stage == Stage::Acted => Some(target),
        _ => None,
    }
}

fn is_taken(outcome: &Outcome) -> bool {
    outcome.stage != Stage::Progress && !outcome.results.is_empty() && outcome.results.iter().all(Result::is_ok)
}

/// What is worth a hint on the screen of a heap.
pub(super) fn hints(app: &App) -> Vec<(Action, &'static str)> {
    let Some(heap) = &app.heap else { return Vec::new() };
    let back = (Action::Back, if heap.is_opening() { tr!("stop") } else { tr!("back") });
    let walk = [
        (Action::OpenDetails, tr!("open")),
        (Action::NextTab, tr!("next")),
        (Action::Filter, tr!("filter")),
        (Action::Search, tr!("find")),
        (Action::OpenSortMenu, tr!("sort")),
    ];
    let walk = walk.into_iter().filter(|_| heap.is_open());
    let rest = [(Action::Help, tr!("help")), (Action::Quit, tr!("quit"))];
    [back].into_iter().chain(walk).chain(rest).collect()
}

impl App {
    /// Opens files on the screen of heaps, the oldest first.
    pub fn open_heap(&mut self, files: Vec<PathBuf>, is_forced: bool) {
        let from = match (&self.heap, &self.inspect) {
            (Some(heap), _) if self.screen == Screen::Heap => heap.from(),
            (_, Some(inspect)) if self.screen == Screen::Inspect => Some((inspect.key(), inspect.tab())),
            _ => None,
        };
        self.heaps += 1;
        self.heap = Some(Heap::new(self.heaps, files, is_forced, from, &self.keymap));
        self.screen = Screen::Heap;
        self.settle();
    }

    /// Which heap is to be open, and what of it is looked at.
    pub fn heap_wish(&self) -> Option<HeapWish> {
        self.heap.as_ref().map(Heap::wish)
    }

    /// Takes what is told of a heap.
    pub fn take_heap(&mut self, news: HeapNews) {
        if let Some(heap) = &mut self.heap {
            heap.take(news);
        }
        self.settle_heap();
    }

    /// Gives up the heap once its screen has been left; fits it to the screen while it is there.
    pub(super) fn settle_heap(&mut self) {
        if self.screen != Screen::Heap {
            self.heap = None;
        }
        let body = view::body(self);
        if let Some(heap) = &mut self.heap {
            heap.settle(body);
        }
    }

    /// Does what a key means on the screen of heaps. False where it means the same as everywhere.
    pub(super) fn act_in_heap(&mut self, action: Action) -> bool {
        let Some(heap) = &mut self.heap else { return false };
        match action {
            Action::Back => {
                if !heap.back() {
                    self.leave_heap();
                }
            }
            // There is nothing yet, or nothing at all.
            Action::Filter | Action::Search | Action::OpenSortMenu if !heap.is_open() => {}
            Action::Filter => match heap.word().map(str::to_owned) {
                Some(word) => self.layers.push(Layer::Input(Input::new(Purpose::HeapFilter, &word))),
                None => self.ask_what_to_find(),
            },
            Action::Search => self.ask_what_to_find(),
            Action::OpenSortMenu => match heap.sort_menu() {
                Some(menu) => self.layers.push(Layer::Menu(menu)),
                None => self.say(tr!("nothing is sorted here"), Role::Text),
            },
            Action::OpenDetails
            | Action::NextTab
            | Action::PreviousTab
            | Action::MoveDown
            | Action::MoveUp
            | Action::PageDown
            | Action::PageUp
            | Action::MoveToStart
            | Action::MoveToEnd
            | Action::ScrollRight
            | Action::ScrollLeft
            | Action::ReverseSort
            | Action::SortByNext
            | Action::SortByPrevious => heap.act(action),
            tab if TAB_ACTIONS.contains(&tab) => heap.act(tab),
            Action::ShowLeaks
            | Action::ShowSystem
            | Action::ShowCgroups
            | Action::ShowLog
            | Action::ShowEnded
            | Action::Signal
            | Action::HeapSnapshot
            | Action::OpenActions
            | Action::OpenGroupMenu
            | Action::OpenColumns
            | Action::SearchNext
            | Action::SearchPrevious => {
                let key = self.key(Action::Back);
                self.say(tr!("that is for the list: {key} leads back to it, step by step", key), Role::Text);
            }
            _ => return false,
        }
        true
    }

    fn ask_what_to_find(&mut self) {
        if self.heap.as_ref().is_some_and(Heap::has_objects) {
            self.layers.push(Layer::Input(Input::new(Purpose::HeapFind, "")));
        } else {
            self.say(tr!("there are no objects here, counts alone"), Role::Text);
        }
    }

    /// Goes back to where the heap was opened from.
    fn leave_heap(&mut self) {
        let from = self.heap.take().and_then(|heap| heap.from());
        let lives = |key: &ProcessKey| {
            let snapshot = self.update.as_ref().map(|update| &update.snapshot);
            snapshot.is_some_and(|snapshot| snapshot.row_of(*key).is_some())
        };
        self.screen = match from.filter(|(key, _)| lives(key)) {
            Some((key, tab)) => {
                self.inspect = Some(Inspect::new(key, tab, &self.keymap));
                Screen::Inspect
            }
            None => Screen::Processes,
        };
    }

    pub(super) fn do_with_heap(&mut self, deed: HeapDeed) {
        match (deed, &mut self.heap) {
            (HeapDeed::Open(files), _) => self.open_heap(files, false),
            (HeapDeed::OpenTyped(text), _) => match shell::words(&text) {
                Some(words) if !words.is_empty() => {
                    self.open_heap(words.into_iter().map(PathBuf::from).collect(), false);
                }
                Some(_) => {}
                None => self.say(tr!("a quote is not closed"), Role::Danger),
            },
            (HeapDeed::AskFiles, _) => self.ask_files(),
            (HeapDeed::Filter(word), Some(heap)) => heap.filter(&word),
            (HeapDeed::Find(word), Some(heap)) => heap.find(&word),
            (HeapDeed::SortBy(key), Some(heap)) => heap.sort_by(key),
            (_, None) => {}
        }
    }

    fn ask_files(&mut self) {
        let last = self.taken().next().map(|(_, file, _)| shell::quote(file)).unwrap_or_default();
        self.layers.push(Layer::Input(Input::new(Purpose::HeapFiles, &last)));
    }

    /// Snapshots that were taken here, the latest first: of whom, the file, when.
    fn taken(&self) -> impl Iterator<Item = (&Target, &str, i64)> {
        self.log.iter().filter(|outcome| is_taken(outcome)).filter_map(|outcome| match &outcome.effect {
            Effect::HeapSnapshot { target, file, .. } => Some((target, file.as_str(), outcome.wall_ms)),
            _ => None,
        })
    }

    /// Offers to open what was just taken, where nothing else is being asked; says how else.
    pub(super) fn offer_heap(&mut self, target: &Target) {
        let is_shown = self.screen == Screen::Inspect && self.inspect.as_ref().is_some_and(|i| i.key() == target.key);
        if self.layers.is_empty() && (is_shown || self.screen == Screen::Processes) {
            self.layers.push(Layer::Menu(self.heap_menu(Some(target.key))));
        } else if let Some((message, _)) = &mut self.message {
            let key = self.keymap.keys(Action::OpenHeap).first().cloned().unwrap_or_default();
            *message += &tr!(" ({key} opens it)", key);
        }
    }

    /// Lists what was taken and can be opened; asks for a file where there is nothing.
    pub(super) fn open_heap_menu(&mut self) {
        if self.taken().next().is_some() {
            self.layers.push(Layer::Menu(self.heap_menu(None)));
        } else {
            self.ask_files();
        }
    }

    /// What can be opened: of one process, or of all.
    fn heap_menu(&self, of: Option<ProcessKey>) -> Menu {
        let item = |label: String, note: String, deed| Item { label, note, deed: Deed::Heap(deed) };
        let mut items = Vec::new();
        let mut seen: Vec<ProcessKey> = Vec::new();
        for (target, file, wall_ms) in self.taken() {
            let is_first = !seen.contains(&target.key);
            if of.is_some_and(|of| of != target.key) {
                continue;
            }
            let pid = target.key.pid;
            let open = HeapDeed::Open(vec![file.into()]);
            items.push(item(
                tr!("open that of {pid} at {time}", pid, time = time_of_day(wall_ms)),
                file.to_owned(),
                open,
            ));
            if !is_first {
                continue;
            }
            seen.push(target.key);
            let same: Vec<(&str, i64)> = self
                .taken()
                .filter(|(other, ..)| other.key == target.key)
                .map(|(_, file, wall_ms)| (file, wall_ms))
                .take(COMPARED)
                .collect();
            for count in 2..=same.len() {
                let files = same[..count].iter().rev().map(|(file, _)| PathBuf::from(file)).collect();
                let since = time_of_day(same[count - 1].1);
                let (label, note) = match count {
                    2 => (tr!("compare it with that of {since}", since), tr!("what grew, and who holds it")),
                    _ => (tr!("compare the last {count}, since {since}", count, since), tr!("what grew in every step")),
                };
                items.push(item(label, note.to_owned(), HeapDeed::Open(files)));
            }
        }
        items.push(item(tr!("another file …").into(), tr!("asks for its path").into(), HeapDeed::AskFiles));
        let title = match of {
            Some(key) => tr!("heap snapshot of {pid} is taken", pid = key.pid),
            None => tr!("open a heap").into(),
        };
        Menu::new(title, items, 0)
    }

    /// Moves the selection of the heap by lines.
    pub(super) fn scroll_heap(&mut self, lines: isize) {
        if let Some(heap) = &mut self.heap {
            heap.scroll_lines(lines);
        }
    }

    /// Presses a cell of the heap's screen.
    pub(super) fn click_heap(&mut self, x: u16, y: u16) {
        if let Some(heap) = &mut self.heap {
            heap.click(x, y);
        }
        self.settle();
    }
}
