//! What lies over the screen: the topmost layer gets the keys, all are drawn.

pub mod columns;
pub mod confirm;
pub mod hints;
pub mod input;
pub mod menu;
pub mod palette;
pub mod text_view;
pub mod value;

use std::time::Duration;

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::action::Action;
use super::marks::MarkDeed;
use super::moment::Moment;
use super::screen::heap::HeapDeed;
use super::screen::processes::Direction;
use super::theme::Theme;
use crate::act::change::{Change, Subject};
use crate::act::effect::Effect;
use crate::model::field::{CgroupField, ProcessField};
use crate::model::group::GroupBy;

/// What a layer asks the app to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// What a key of the list does.
    Act(Action),
    /// Sorts by a field.
    SortBy(&'static ProcessField),
    /// Sorts the part of a process that is shown by a column.
    SortPartBy(&'static str),
    /// Sorts the control groups by a field.
    SortCgroupsBy(&'static CgroupField),
    /// Narrows the list of control groups; said with every key while typing.
    FilterCgroups(String),
    /// Groups, or not.
    GroupBy(Option<GroupBy>),
    /// Changes the colours.
    Theme(String),
    /// Changes the time between samples.
    Interval(Duration),
    /// Chooses the columns.
    Columns(Vec<&'static ProcessField>),
    /// Narrows the list; said with every key while typing.
    Filter(String),
    /// Goes to a moment.
    Jump(Moment),
    /// Goes to a line that holds the word.
    Search(String, Direction),
    /// Sets, chooses, renames or drops a mark.
    Mark(MarkDeed),
    /// Opens a heap, or moves in the one that is open.
    Heap(HeapDeed),
    /// Begins a change of who was chosen, or of what is selected now.
    Change(Change, Option<Subject>),
    /// Begins a change of what is selected, with its value.
    ChangeTo(Change, String),
    /// Asks before it does something to the machine.
    Ask(Effect),
    /// Does something to the machine: the question was answered.
    Run(Effect),
}

/// What came of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The layer stays.
    Stay,
    /// The layer stays, and this is to be done.
    StayAnd(Deed),
    /// The layer closes.
    Close,
    /// The layer closes, and this is to be done.
    CloseAnd(Deed),
}

/// A popup.
#[derive(Clone, Debug)]
pub enum Layer {
    /// A choice.
    Menu(menu::Menu),
    /// A line to type.
    Input(input::Input),
    /// The value of a change.
    Value(value::Value),
    /// A question.
    Confirm(confirm::Confirm),
    /// Text to read.
    Text(text_view::TextView),
    /// The choice of columns.
    Columns(columns::Columns),
    /// What is told at the very first start.
    Hints(hints::Hints),
}

impl Layer {
    /// Takes a key.
    pub fn press(&mut self, key: KeyEvent) -> Answer {
        match self {
            Self::Menu(menu) => menu.press(key),
            Self::Input(input) => input.press(key),
            Self::Value(value) => value.press(key),
            Self::Confirm(confirm) => confirm.press(key),
            Self::Text(text) => text.press(key),
            Self::Columns(columns) => columns.press(key),
            // The app closes them before it takes a key, which is for what lies below.
            Self::Hints(_) => Answer::Close,
        }
    }

    /// Takes what was pasted.
    pub fn paste(&mut self, text: &str) -> Answer {
        match self {
            Self::Menu(menu) => menu.paste(text),
            Self::Input(input) => input.paste(text),
            Self::Value(value) => value.paste(text),
            _ => Answer::Stay,
        }
    }

    /// Draws the layer over the screen.
    pub fn draw(&self, buf: &mut Buffer, screen: Rect, theme: &Theme) {
        match self {
            Self::Menu(menu) => menu.draw(buf, screen, theme),
            Self::Input(input) => input.draw(buf, screen, theme),
            Self::Value(value) => value.draw(buf, screen, theme),
            Self::Confirm(confirm) => confirm.draw(buf, screen, theme),
            Self::Text(text) => text.draw(buf, screen, theme),
            Self::Columns(columns) => columns.draw(buf, screen, theme),
            Self::Hints(hints) => hints.draw(buf, screen, theme),
        }
    }
}
