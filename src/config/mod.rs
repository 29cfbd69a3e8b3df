//! What was said in the file and as flags, made into one validated configuration.

pub mod file;
pub mod page;
pub mod said;
pub mod state;
pub mod value;

use std::env;

use self::said::Said;
use crate::collect::demand::Demand;
use crate::lang::Lang;
use crate::model::field::{ProcessField, process_field};
use crate::tui::settings::{Options, Settings};
use crate::tui::theme::Depth;

/// Columns of the list unless others are chosen.
pub use crate::tui::screen::processes::DEFAULT_COLUMNS as COLUMNS;

/// The fields of these keys, those that exist.
pub fn fields(keys: &[&str]) -> Vec<&'static ProcessField> {
    keys.iter().filter_map(|key| process_field(key)).collect()
}

/// What the terminal says of itself, in its environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `NO_COLOR` is set and not empty (no-color.org).
    pub has_no_color: bool,
    /// `COLORTERM`.
    pub color_term: String,
    /// `TERM`.
    pub term: String,
    /// The locale that holds for characters: the first of `LC_ALL`, `LC_CTYPE`, `LANG` that is set (locale(7)).
    pub locale: String,
    /// The locale that holds for messages: the first of `LC_ALL`, `LC_MESSAGES`, `LANG` that is set.
    pub messages: String,
}

impl Environment {
    /// This process's.
    pub fn of_process() -> Self {
        let get = |name| env::var(name).unwrap_or_default();
        let first =
            |names: [&'static str; 3]| names.map(get).into_iter().find(|value| !value.is_empty()).unwrap_or_default();
        Self {
            has_no_color: !get("NO_COLOR").is_empty(),
            color_term: get("COLORTERM"),
            term: get("TERM"),
            locale: first(["LC_ALL", "LC_CTYPE", "LANG"]),
            messages: first(["LC_ALL", "LC_MESSAGES", "LANG"]),
        }
    }

    /// How many colours it has.
    fn depth(&self) -> Depth {
        if self.has_no_color || self.term == "dumb" {
            Depth::Mono
        } else if matches!(self.color_term.as_str(), "truecolor" | "24bit") {
            Depth::True
        } else if self.term.contains("256color") || self.term.contains("direct") {
            Depth::Ansi256
        } else {
            Depth::Ansi16
        }
    }

    /// Whether only ASCII is safe: the locale says so, or it is the kernel's own console with its 512 glyphs. No
    /// locale at all says nothing: `docker exec` and sudo drop it while the terminal is what it was.
    fn is_ascii(&self) -> bool {
        let locale = self.locale.to_ascii_lowercase();
        let is_utf8 = locale.contains("utf-8") || locale.contains("utf8");
        self.term == "linux" || (!locale.is_empty() && !is_utf8)
    }

    /// The language of the screen. What has no characters beyond ASCII is spoken to in English.
    pub fn lang(&self, said: &Said) -> Lang {
        if said.ascii.unwrap_or_else(|| self.is_ascii()) {
            return Lang::English;
        }
        said.lang.and_then(value::Language::lang).unwrap_or_else(|| Lang::of_locale(&self.messages))
    }
}

/// Settings with a value each.
pub fn resolve(said: Said, environment: &Environment) -> Options {
    let sort = said.sort.map_or_else(|| fields(&["pss"])[0], |field| field.0);
    let lang = environment.lang(&said);
    let settings = Settings {
        columns: said
            .columns
            .map_or_else(|| fields(&COLUMNS), |columns| columns.into_iter().map(|field| field.0).collect()),
        sort,
        is_descending: said.order.map_or_else(|| sort.sorts_descending(), value::Order::is_descending),
        filter: said.filter.map(|filter| filter.to_string()).unwrap_or_default(),
        group: said.group.and_then(|group| group.0),
        is_tree: said.tree.unwrap_or(false),
        shows_kernel_threads: said.kernel_threads.unwrap_or(false),
        interval: said.interval.map_or(std::time::Duration::from_secs(1), |interval| interval.0),
        theme: said.theme.unwrap_or_else(|| "dark".into()),
    };
    Options {
        settings,
        depth: said.color.and_then(value::Color::depth).unwrap_or_else(|| environment.depth()),
        lang,
        is_ascii: said.ascii.unwrap_or_else(|| environment.is_ascii()),
        is_read_only: said.read_only.unwrap_or(false),
        has_mouse: said.mouse.unwrap_or(true),
        has_hints: said.hints.unwrap_or(true),
        keys: said.keys,
        budget: said.budget.map_or(Demand::BUDGET, |share| share.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(term: &str, color_term: &str, locale: &str) -> Environment {
        Environment {
            has_no_color: false,
            color_term: color_term.into(),
            term: term.into(),
            locale: locale.into(),
            messages: locale.into(),
        }
    }

    #[test]
    fn colours_follow_the_terminal_and_no_color_wins() {
        assert_eq!(environment("xterm-256color", "truecolor", "").depth(), Depth::True);
        assert_eq!(environment("screen-256color", "", "").depth(), Depth::Ansi256);
        assert_eq!(environment("vt220", "", "").depth(), Depth::Ansi16);
        let plain = Environment { has_no_color: true, ..environment("xterm-256color", "truecolor", "") };
        assert_eq!(plain.depth(), Depth::Mono);
        let said = Said { color: Some(value::Color::Ansi256), ..Said::default() };
        assert_eq!(resolve(said, &plain).depth, Depth::Ansi256, "a flag says more than the environment");
    }

    #[test]
    fn ascii_follows_the_locale() {
        assert!(environment("xterm", "", "C").is_ascii());
        assert!(!environment("xterm", "", "en_US.UTF-8").is_ascii());
        assert!(!environment("xterm", "", "").is_ascii());
        assert!(environment("linux", "", "en_US.UTF-8").is_ascii());
    }

    #[test]
    fn the_language_follows_the_locale_unless_it_is_said() {
        let chinese = environment("xterm", "", "zh_CN.UTF-8");
        let said = |lang| Said { lang, ..Said::default() };
        assert_eq!(chinese.lang(&said(None)), Lang::Chinese);
        assert_eq!(chinese.lang(&said(Some(value::Language::Auto))), Lang::Chinese);
        assert_eq!(chinese.lang(&said(Some(value::Language::English))), Lang::English);
        let plain = environment("xterm", "", "");
        assert_eq!(plain.lang(&said(None)), Lang::English);
        assert_eq!(plain.lang(&said(Some(value::Language::Chinese))), Lang::Chinese);
    }

    #[test]
    fn who_has_no_chinese_characters_is_spoken_to_in_english() {
        let said = Said { lang: Some(value::Language::Chinese), ..Said::default() };
        assert_eq!(environment("xterm", "", "zh_CN.GBK").lang(&said), Lang::English);
        assert_eq!(environment("linux", "", "zh_CN.UTF-8").lang(&said), Lang::English);
        let ascii = Said { ascii: Some(true), ..said };
        assert_eq!(environment("xterm", "", "zh_CN.UTF-8").lang(&ascii), Lang::English);
    }

    #[test]
    fn every_default_column_exists() {
        assert_eq!(fields(&COLUMNS).len(), COLUMNS.len());
    }
}
