//! What a face starts with, and what a person can have kept for the next time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::lang::Lang;
use crate::model::field::ProcessField;
use crate::model::group::GroupBy;

use super::theme::Depth;

/// What can be changed while looking, and saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Columns, from the left.
    pub columns: Vec<&'static ProcessField>,
    /// What sorts the list.
    pub sort: &'static ProcessField,
    /// The largest first.
    pub is_descending: bool,
    /// The filter, as written.
    pub filter: String,
    /// How the list is grouped.
    pub group: Option<GroupBy>,
    /// Whether it is a tree.
    pub is_tree: bool,
    /// Whether kernel threads are shown.
    pub shows_kernel_threads: bool,
    /// Time between samples.
    pub interval: Duration,
    /// The theme's name or file.
    pub theme: String,
}

/// What stays as it was at the start.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "settings are independent of each other")]
pub struct Options {
    /// What can change.
    pub settings: Settings,
    /// Colours of the terminal.
    pub depth: Depth,
    /// The language of the screen.
    pub lang: Lang,
    /// Only ASCII may be sent.
    pub is_ascii: bool,
    /// Nothing may be changed.
    pub is_read_only: bool,
    /// The mouse is listened to.
    pub has_mouse: bool,
    /// Hints are shown at the very first start.
    pub has_hints: bool,
    /// A person's own keys, by action.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Share of one core that reading in turn may take.
    pub budget: f64,
}
