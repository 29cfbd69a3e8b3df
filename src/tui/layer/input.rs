//! A line to type at the bottom of the screen: the filter, the search, a name.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Answer, Deed};
use crate::model::cgroup_query::CgroupQuery;
use crate::model::query::Query;
use crate::tui::marks::MarkDeed;
use crate::tui::moment::Moment;
use crate::tui::screen::heap::HeapDeed;
use crate::tui::screen::processes::Direction;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::line::{fill, put};
use crate::tui::widget::text_input::TextInput;

/// What is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A filter expression.
    Filter,
    /// A filter of control groups.
    CgroupFilter,
    /// A word to find.
    Search,
    /// A moment to go to.
    Jump,
    /// A mark's new name.
    MarkName,
    /// A word that narrows a list of a heap.
    HeapFilter,
    /// A word to find in a heap.
    HeapFind,
    /// Files to open.
    HeapFiles,
}

/// A line.
#[derive(Clone, Debug)]
pub struct Input {
    purpose: Purpose,
    line: TextInput,
    /// What was there before: Esc brings it back.
    before: String,
    error: Option<String>,
}

impl Input {
    /// A line with the text it had last.
    pub fn new(purpose: Purpose, text: &str) -> Self {
        Self { purpose, line: TextInput::new(text), before: text.to_owned(), error: None }
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Answer {
        let is_ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, is_ctrl) {
            (KeyCode::Esc, _) | (KeyCode::Char('c' | 'g'), true) => match self.purpose {
                Purpose::Filter => Answer::CloseAnd(Deed::Filter(self.before.clone())),
                Purpose::CgroupFilter => Answer::CloseAnd(Deed::FilterCgroups(self.before.clone())),
                // Nothing is looked for: the selection is where it was.
                Purpose::Search => Answer::CloseAnd(Deed::Search(String::new(), Direction::Here)),
                Purpose::HeapFilter => Answer::CloseAnd(Deed::Heap(HeapDeed::Filter(self.before.clone()))),
                Purpose::MarkName | Purpose::Jump | Purpose::HeapFind | Purpose::HeapFiles => Answer::Close,
            },
            (KeyCode::Enter, _) if self.purpose == Purpose::Jump => match self.line.text().parse::<Moment>() {
                Ok(moment) => Answer::CloseAnd(Deed::Jump(moment)),
                Err(error) => {
                    self.error = Some(error);
                    Answer::Stay
                }
            },
            (KeyCode::Enter, _) if self.error.is_none() => Answer::CloseAnd(self.deed(Direction::Here)),
            (KeyCode::Down, _) if self.purpose == Purpose::Search => Answer::StayAnd(self.deed(Direction::Next)),
            (KeyCode::Up, _) if self.purpose == Purpose::Search => Answer::StayAnd(self.deed(Direction::Previous)),
            _ => {
                self.line.press(key);
                self.changed()
            }
        }
    }

    pub(super) fn paste(&mut self, text: &str) -> Answer {
        self.line.insert(text);
        self.changed()
    }

    /// What is done while it is typed.
    fn deed(&self, direction: Direction) -> Deed {
        let text = self.line.text().to_owned();
        match self.purpose {
            Purpose::CgroupFilter => Deed::FilterCgroups(text),
            Purpose::Search => Deed::Search(text, direction),
            Purpose::MarkName => Deed::Mark(MarkDeed::Rename(self.before.clone(), text)),
            Purpose::HeapFilter => Deed::Heap(HeapDeed::Filter(text)),
            Purpose::HeapFind => Deed::Heap(HeapDeed::Find(text)),
            Purpose::HeapFiles => Deed::Heap(HeapDeed::OpenTyped(text)),
            // Where to go is said once it is typed.
            Purpose::Filter | Purpose::Jump => Deed::Filter(text),
        }
    }

    fn changed(&mut self) -> Answer {
        self.error = match self.purpose {
            Purpose::Filter => Query::parse(self.line.text()).err().map(|error| error.to_string()),
            Purpose::CgroupFilter => CgroupQuery::parse(self.line.text()).err(),
            _ => None,
        };
        let waits = matches!(self.purpose, Purpose::MarkName | Purpose::Jump | Purpose::HeapFind | Purpose::HeapFiles);
        if self.error.is_some() || waits {
            return Answer::Stay;
        }
        Answer::StayAnd(self.deed(Direction::Here))
    }

    pub(super) fn draw(&self, buf: &mut Buffer, screen: Rect, theme: &Theme) {
        let y = screen.bottom().saturating_sub(1);
        let line = Rect::new(screen.x, y, screen.width, 1);
        fill(buf, line, theme.style(Role::Text));
        let prompt = match self.purpose {
            Purpose::Filter | Purpose::CgroupFilter => tr!(" filter: "),
            Purpose::Search => tr!(" search: "),
            Purpose::Jump => tr!(" go to: "),
            Purpose::MarkName => tr!(" name of the mark: "),
            Purpose::HeapFilter => tr!(" with in its name: "),
            Purpose::HeapFind => tr!(" object or string: "),
            Purpose::HeapFiles => tr!(" heap: "),
        };
        let used = put(buf, line.x, y, line.width, prompt, theme.style(Role::Match));
        self.line.draw(buf, Rect { x: line.x + used, width: line.width.saturating_sub(used), ..line }, theme);
        let above = Rect { y: y.saturating_sub(1), ..line };
        let (hint, role) = match (&self.error, self.purpose) {
            (Some(error), _) => (format!(" {error}"), Role::Danger),
            (None, Purpose::Filter) => (
                tr!(" enter keep  esc undo   rss>100M  user=app  node  fds>900 or growth>1M  not root  command~^php")
                    .to_owned(),
                Role::Muted,
            ),
            (None, Purpose::CgroupFilter) => (
                tr!(" enter keep  esc undo   nginx  usage>100M  limit_percent>80  oom_kills>0  not user.slice")
                    .to_owned(),
                Role::Muted,
            ),
            (None, Purpose::Search) => {
                (tr!(" enter keep  esc close  down/up next and previous match").to_owned(), Role::Muted)
            }
            (None, Purpose::Jump) => (
                tr!(" enter go  esc stay   14:03   14:03:22   -10m   +1h   2026-11-24 14:03   start   end").to_owned(),
                Role::Muted,
            ),
            (None, Purpose::MarkName | Purpose::HeapFilter) => {
                (tr!(" enter keep  esc as it was").to_owned(), Role::Muted)
            }
            (None, Purpose::HeapFind) => (tr!(" enter find  esc close").to_owned(), Role::Muted),
            (None, Purpose::HeapFiles) => {
                (tr!(" enter open  esc close   FILE, or FILE FILE: what grew between them").to_owned(), Role::Muted)
            }
        };
        fill(buf, above, theme.style(Role::Text));
        put(buf, above.x, above.y, above.width, &hint, theme.style(role));
    }
}
