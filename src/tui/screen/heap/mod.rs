//! A heap to walk through: lists in tabs, from a class to its objects, from an object to its fields and to who holds it.
//! Each step is a list that is asked for by the page (`list`); steps are gone back one by one (here). The graph itself is
//! elsewhere: what is held here is what is on the screen.

mod columns;
mod draw;
mod list;
mod opening;
mod step;

use std::path::PathBuf;
use std::sync::Arc;

use ratatui::layout::Rect;

use crate::heap::browse::{Kind, Opened, Opens, Question};
use crate::model::key::ProcessKey;
use crate::session::heap::{Ask, HeapNews, HeapWish, News, Progress};
use crate::tui::action::Action;
use crate::tui::keymap::Keymap;
use crate::tui::layer::Deed;
use crate::tui::layer::menu::{Item, Menu};
use crate::tui::screen::inspect::Tab;
use draw::Parts;
use list::List;
use step::Step;

/// The actions that show a tab, in order.
pub(in crate::tui) const TAB_ACTIONS: [Action; 8] = [
    Action::ShowOverview,
    Action::ShowMappings,
    Action::ShowDescriptors,
    Action::ShowThreads,
    Action::ShowRuntime,
    Action::ShowSixth,
    Action::ShowSeventh,
    Action::ShowEighth,
];

/// Steps that can be gone back: of a longer walk the first are forgotten.
const MOST_STEPS: usize = 500;

/// What is done with heaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeapDeed {
    /// Opens these files, the oldest first.
    Open(Vec<PathBuf>),
    /// The same, as somebody typed them.
    OpenTyped(String),
    /// Asks for files to open.
    AskFiles,
    /// Narrows the list.
    Filter(String),
    /// Lists what has a word in its name.
    Find(String),
    /// Sorts the list.
    SortBy(&'static str),
}

/// The screen's state.
#[derive(Clone, Debug)]
pub struct Heap {
    serial: u64,
    files: Arc<[PathBuf]>,
    is_forced: bool,
    /// The process that it was opened from.
    from: Option<(ProcessKey, Tab)>,
    /// The keys of the tabs, as they are shown.
    keys: [String; TAB_ACTIONS.len()],
    stage: Stage,
    area: Rect,
}

/// How far it is.
#[derive(Clone, Debug)]
enum Stage {
    Opening(Option<Progress>),
    Failed(String),
    Open(Walk),
}

/// A walk through what is open.
#[derive(Clone, Debug)]
struct Walk {
    opened: Arc<Opened>,
    /// Never empty: the first has the tabs.
    steps: Vec<Step>,
    /// Why the last list can't be had.
    trouble: Option<String>,
}

impl Walk {
    fn step(&self) -> &Step {
        &self.steps[self.steps.len() - 1]
    }

    fn step_mut(&mut self) -> &mut Step {
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }

    fn list(&self) -> &List {
        self.step().list()
    }

    fn push(&mut self, step: Step) {
        if self.steps.len() > MOST_STEPS {
            self.steps.remove(1);
        }
        self.steps.push(step);
    }

    /// The step whose tabs are shown: the last one that has several.
    fn tabbed(&self) -> usize {
        self.steps.iter().rposition(|step| step.tabs.len() > 1).unwrap_or(0)
    }
}

impl Heap {
    /// Opens files, from a process where there is one.
    pub fn new(
        serial: u64,
        files: Vec<PathBuf>,
        is_forced: bool,
        from: Option<(ProcessKey, Tab)>,
        keymap: &Keymap,
    ) -> Self {
        let keys = TAB_ACTIONS.map(|action| keymap.keys(action).first().cloned().unwrap_or_default());
        let stage = Stage::Opening(None);
        Self { serial, files: files.into(), is_forced, from, keys, stage, area: Rect::default() }
    }

    /// The process that it was opened from.
    pub fn from(&self) -> Option<(ProcessKey, Tab)> {
        self.from
    }

    /// Whether the files are still being opened.
    pub fn is_opening(&self) -> bool {
        matches!(self.stage, Stage::Opening(_))
    }

    /// Whether there is a list.
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }

    /// What is to be opened, and what of it is shown.
    pub fn wish(&self) -> HeapWish {
        let ask = match &self.stage {
            Stage::Open(walk) => {
                let list = walk.list();
                let rows = usize::from(self.parts(walk).rows());
                let aside = list.aside();
                Some(Ask { question: list.question.clone(), sort: list.sort(), page: list.window(rows), aside })
            }
            Stage::Opening(_) | Stage::Failed(_) => None,
        };
        HeapWish { serial: self.serial, files: Arc::clone(&self.files), is_forced: self.is_forced, ask }
    }

    /// Takes what is told of the opening.
    pub fn take(&mut self, news: HeapNews) {
        if news.serial != self.serial {
            return;
        }
        match (news.what, &mut self.stage) {
            (News::Progress(progress), Stage::Opening(known)) => *known = Some(progress),
            (News::Failed(why), stage) => *stage = Stage::Failed(why),
            (News::Opened(opened), stage @ Stage::Opening(_)) => {
                let steps = vec![Step::first(&opened)];
                *stage = Stage::Open(Walk { opened, steps, trouble: None });
            }
            (News::Page(page), Stage::Open(walk)) => {
                walk.trouble = None;
                walk.step_mut().list_mut().take(page);
            }
            (News::Told(aside, told), Stage::Open(walk)) => walk.step_mut().list_mut().take_told(aside, told),
            (News::Trouble(why), Stage::Open(walk)) => walk.trouble = Some(why),
            _ => {}
        }
    }

    /// Takes a size, or a change of state.
    pub fn settle(&mut self, area: Rect) {
        self.area = area;
        let Stage::Open(walk) = &self.stage else { return };
        let rows = usize::from(self.parts(walk).rows());
        if let Stage::Open(walk) = &mut self.stage {
            walk.step_mut().list_mut().settle(rows);
        }
    }

    fn parts(&self, walk: &Walk) -> Parts {
        Parts::of(self.area, walk.list())
    }

    /// Goes a step back. False where there is none: the screen is left.
    pub fn back(&mut self) -> bool {
        let Stage::Open(walk) = &mut self.stage else { return false };
        walk.trouble = None;
        if walk.step_mut().list_mut().set_word("") {
            return true;
        }
        if walk.steps.len() == 1 {
            return false;
        }
        walk.steps.pop();
        true
    }

    /// Does what a key of this screen means.
    pub fn act(&mut self, action: Action) {
        let rows = match &self.stage {
            Stage::Open(walk) => usize::from(self.parts(walk).rows()),
            _ => return,
        };
        if let Some(tab) = TAB_ACTIONS.iter().position(|known| *known == action) {
            return self.show_tab(tab);
        }
        let Stage::Open(walk) = &mut self.stage else { return };
        match action {
            Action::NextTab | Action::PreviousTab => {
                let tabbed = &walk.steps[walk.tabbed()];
                let step = if action == Action::NextTab { 1 } else { tabbed.tabs.len() - 1 };
                let tab = (tabbed.shown + step) % tabbed.tabs.len();
                self.show_tab(tab);
            }
            Action::OpenDetails => walk.open_selected(),
            other => walk.step_mut().list_mut().act(other, rows),
        }
    }

    fn show_tab(&mut self, tab: usize) {
        let Stage::Open(walk) = &mut self.stage else { return };
        let place = walk.tabbed();
        if tab < walk.steps[place].tabs.len() {
            walk.steps.truncate(place + 1);
            walk.step_mut().shown = tab;
        }
    }

    /// Narrows the list, where it can be; or lists what has the word in its name.
    pub fn filter(&mut self, word: &str) {
        if let Stage::Open(walk) = &mut self.stage {
            walk.step_mut().list_mut().set_word(&word.to_lowercase());
        }
    }

    /// The word that narrows the list; `None` where it can't be narrowed.
    pub fn word(&self) -> Option<&str> {
        let Stage::Open(walk) = &self.stage else { return None };
        walk.list().word()
    }

    /// Lists objects and strings that have a word in their name.
    pub fn find(&mut self, word: &str) {
        let Stage::Open(walk) = &mut self.stage else { return };
        if !word.is_empty() && walk.has_objects() {
            walk.push(Step::of(format!("`{word}`"), Question::Found(word.to_lowercase())));
        }
    }

    /// Whether there are objects to find, and not counts alone.
    pub fn has_objects(&self) -> bool {
        matches!(&self.stage, Stage::Open(walk) if walk.has_objects())
    }

    /// Sorts the list by a column; by the same again the other way round.
    pub fn sort_by(&mut self, key: &str) {
        if let Stage::Open(walk) = &mut self.stage {
            walk.step_mut().list_mut().sort_by(key);
        }
    }

    /// The columns that can sort the list.
    pub fn sort_menu(&self) -> Option<Menu> {
        let Stage::Open(walk) = &self.stage else { return None };
        let heads = walk.list().sorting_heads();
        let selected = heads.iter().position(|head| head.key == walk.list().order.by).unwrap_or(0);
        let item = |head: &crate::tui::widget::table::Head| Item {
            label: tr!(of head.title).to_owned(),
            note: tr!(of head.help).to_owned(),
            deed: Deed::Heap(HeapDeed::SortBy(head.key)),
        };
        (!heads.is_empty()).then(|| Menu::new(tr!("sort by"), heads.iter().map(item).collect(), selected))
    }

    /// Moves the selection by lines, as a wheel does.
    pub fn scroll_lines(&mut self, lines: isize) {
        if let Stage::Open(walk) = &mut self.stage {
            walk.step_mut().list_mut().move_by(lines);
        }
    }

    /// Presses what is at a place of the screen: a tab, a column's head, a line; the selected line is opened.
    pub fn click(&mut self, x: u16, y: u16) {
        let Stage::Open(walk) = &self.stage else { return };
        let parts = self.parts(walk);
        if y == parts.tabs.y {
            if let Some(tab) = draw::tab_at(walk, &self.keys, parts.tabs, x) {
                self.show_tab(tab);
            }
            return;
        }
        let head = walk.list().head_at(parts.table, x).filter(|_| y == parts.table.y);
        let line = (parts.table.y + 1..parts.table.bottom()).contains(&y).then(|| y - parts.table.y - 1);
        let Stage::Open(walk) = &mut self.stage else { return };
        match (head, line) {
            (Some(head), _) => walk.step_mut().list_mut().sort_by(head),
            (None, Some(line)) if !walk.step_mut().list_mut().select_shown(usize::from(line)) => walk.open_selected(),
            _ => {}
        }
    }
}

impl Walk {
    fn has_objects(&self) -> bool {
        matches!(self.opened.kind, Kind::Heap | Kind::Growth(_))
    }

    /// Goes on to what the selected line leads to.
    fn open_selected(&mut self) {
        let Some(line) = self.list().selected_line() else { return };
        let next = match line.opens {
            Opens::Nothing => return,
            Opens::Class(class) => Step::of(line.name.clone(), Question::Instances(class)),
            Opens::New(change) => Step::of(line.name.clone(), Question::New(change)),
            Opens::Object(node) => Step::object(line, node, &self.list().question),
        };
        self.push(next);
    }
}
