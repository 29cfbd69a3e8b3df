//! Every setting, declared once: as a flag and as a key of the configuration file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use super::value::{Color, FieldName, Filter, Grouping, Interval, Language, Order, Share};

/// Settings that were said; the others have their default.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Said {
    /// Columns from the left, by field: pid,user,pss,command
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub columns: Option<Vec<FieldName>>,
    /// Field that sorts the list
    #[arg(long, short, value_name = "FIELD")]
    pub sort: Option<FieldName>,
    /// Which end of the order is on top; by default the largest, and words from A to Z
    #[arg(long, value_name = "ORDER")]
    pub order: Option<Order>,
    /// Shows only what matches, as in 'rss>100M user=app node'
    #[arg(long, short, value_name = "EXPRESSION")]
    pub filter: Option<Filter>,
    /// Groups by command, user, unit, container or none
    #[arg(long, short, value_name = "BY")]
    pub group: Option<Grouping>,
    /// Shows children below their parents
    #[arg(long, short, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub tree: Option<bool>,
    /// Shows kernel threads
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub kernel_threads: Option<bool>,
    /// Time between samples: 100ms to 1h
    #[arg(long, short, value_name = "TIME")]
    pub interval: Option<Interval>,
    /// Theme: dark, light, high-contrast, ansi16, mono, or the path of a .toml file
    #[arg(long, value_name = "THEME")]
    pub theme: Option<String>,
    /// Colours; NO_COLOR in the environment is honoured
    #[arg(long, value_name = "WHEN")]
    pub color: Option<Color>,
    /// Language of the screen: auto follows the locale; a terminal that has no UTF-8 is spoken to in English
    #[arg(long, value_name = "LANG")]
    pub lang: Option<Language>,
    /// Sends nothing but ASCII; by default as the locale says
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub ascii: Option<bool>,
    /// Refuses everything that changes the machine
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub read_only: Option<bool>,
    /// Listens to the mouse; false leaves it to the terminal
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub mouse: Option<bool>,
    /// Shows three hints at the very first start; false never does
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub hints: Option<bool>,
    /// Share of one core that reading PSS and descriptors in turn may take: 0.1% to 100%
    #[arg(long, value_name = "SHARE")]
    pub budget: Option<Share>,
    /// Appends what is done to the machine, and what came of it, to this file as JSON lines
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// A person's own keys: lists of keys by action.
    #[arg(skip)]
    pub keys: BTreeMap<String, Vec<String>>,
}

impl Said {
    /// These settings, and for what they leave out those below.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            columns: self.columns.or(below.columns),
            // An order belongs to the field it was said of.
            order: self.order.or(if self.sort.is_some() { None } else { below.order }),
            sort: self.sort.or(below.sort),
            filter: self.filter.or(below.filter),
            group: self.group.or(below.group),
            tree: self.tree.or(below.tree),
            kernel_threads: self.kernel_threads.or(below.kernel_threads),
            interval: self.interval.or(below.interval),
            theme: self.theme.or(below.theme),
            color: self.color.or(below.color),
            lang: self.lang.or(below.lang),
            ascii: self.ascii.or(below.ascii),
            read_only: self.read_only.or(below.read_only),
            mouse: self.mouse.or(below.mouse),
            hints: self.hints.or(below.hints),
            budget: self.budget.or(below.budget),
            log: self.log.or(below.log),
            keys: if self.keys.is_empty() { below.keys } else { self.keys },
        }
    }
}
