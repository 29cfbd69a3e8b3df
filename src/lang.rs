//! The languages of the screen, from one place.
//!
//! As with gettext, the English text stands in the source and is the key: `tr!("{count} tagged", count)`. What
//! `assets/lang/zh-CN.toml` has for it is Chinese, with the same placeholders in any order; what it lacks is said in
//! English. A text of a table, which is made before anybody speaks, is marked by `key!("…")` there and said by
//! `tr!(of spec.help)`.
//!
//! The language belongs to a thread, as uselocale(3) has it, and is English until [`speak`] says otherwise: the face
//! speaks that of its person in the thread that draws, while JSON, CSV, journals and recordings, which other threads and
//! commands write by the same functions, stay English. No layer is handed a language, and none can change that of
//! another thread.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::{Display, Write as _};
use std::marker::PhantomData;
use std::sync::OnceLock;

/// A language of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// The source's own.
    #[default]
    English,
    /// Chinese, simplified.
    Chinese,
}

impl Lang {
    /// The language of a locale such as `zh_CN.UTF-8` (locale(7)); English where there is no catalogue for it.
    pub fn of_locale(locale: &str) -> Self {
        let name = locale.split(['.', '@']).next().unwrap_or_default().replace('-', "_").to_ascii_lowercase();
        let is_chinese = matches!(name.as_str(), "zh" | "zh_cn" | "zh_sg") || name.starts_with("zh_hans");
        if is_chinese { Self::Chinese } else { Self::English }
    }
}

/// The Chinese catalogue: Chinese by English.
pub const CHINESE: &str = include_str!("../assets/lang/zh-CN.toml");

thread_local! {
    static SPOKEN: Cell<Lang> = const { Cell::new(Lang::English) };
}

/// While this lives its thread speaks a language.
#[derive(Debug)]
#[must_use = "the language is spoken for as long as this lives"]
pub struct Speaking {
    before: Lang,
    /// It belongs to its thread.
    _stays: PhantomData<*const ()>,
}

impl Drop for Speaking {
    fn drop(&mut self) {
        SPOKEN.set(self.before);
    }
}

/// Speaks a language in this thread until the answer is dropped.
pub fn speak(lang: Lang) -> Speaking {
    Speaking { before: SPOKEN.replace(lang), _stays: PhantomData }
}

/// What this thread speaks.
pub fn spoken() -> Lang {
    SPOKEN.get()
}

/// The text in the language that is spoken; `None` where that is the text itself.
pub fn translation(key: &str) -> Option<&'static str> {
    static CATALOGUE: OnceLock<HashMap<String, String>> = OnceLock::new();
    if spoken() == Lang::English {
        return None;
    }
    // A test reads it; were it broken all the same, English would be spoken.
    let catalogue = CATALOGUE.get_or_init(|| toml::from_str(CHINESE).unwrap_or_default());
    catalogue.get(key).map(String::as_str)
}

/// The text in the language that is spoken.
pub fn text(key: &str) -> &str {
    translation(key).unwrap_or(key)
}

/// The same for a word that is another one in Chinese where it is used so: `file|counted`.
pub fn text_as<'a>(key: &'a str, used: &str) -> &'a str {
    if spoken() == Lang::English { key } else { translation(&format!("{key}|{used}")).unwrap_or(key) }
}

/// A template with its placeholders filled in; one that nobody fills stays as it is.
pub fn fill(template: &str, values: &[(&str, &dyn Display)]) -> String {
    let mut filled = String::with_capacity(template.len() + 16 * values.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let named = after.split_once('}');
        let value = named.and_then(|(name, _)| values.iter().find(|(known, _)| *known == name));
        if let (Some((_, after)), Some((_, value))) = (named, value) {
            // Writing into a String can't fail.
            let _ = write!(filled, "{value}");
            rest = after;
        } else {
            filled.push('{');
            rest = after;
        }
    }
    filled.push_str(rest);
    filled
}

/// A text in the language that is spoken: `tr!("quit")`, `tr!("{done} of {all}", done, all = list.len())`. What has no
/// placeholder is a `&'static str`, else a `String`. `tr!("file" => "counted")` is a word in one of its uses,
/// `tr!(of spec.help)` a text of a table.
macro_rules! tr {
    (@value $name:ident) => { $name };
    (@value $name:ident $value:expr) => { $value };
    (of $key:expr => $use:literal) => { $crate::lang::text_as($key, $use) };
    (of $key:expr) => { $crate::lang::text($key) };
    ($key:literal => $use:literal) => { $crate::lang::text_as($key, $use) };
    ($key:literal $(,)?) => { $crate::lang::text($key) };
    ($key:literal, $($name:ident $(= $value:expr)?),+ $(,)?) => {
        match $crate::lang::translation($key) {
            None => format!($key, $($name = tr!(@value $name $($value)?)),+),
            Some(template) => $crate::lang::fill(template, &[$((stringify!($name), &tr!(@value $name $($value)?))),+]),
        }
    };
}

/// Marks a text of a table as one to be said by `tr!(of …)`.
macro_rules! key {
    ($key:literal) => {
        $key
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_simplified_chinese_has_a_catalogue() {
        for locale in ["zh_CN.UTF-8", "zh_CN", "zh-cn", "zh", "zh_SG.utf8", "zh_Hans_CN.UTF-8"] {
            assert_eq!(Lang::of_locale(locale), Lang::Chinese, "{locale}");
        }
        for locale in ["", "C", "C.UTF-8", "en_US.UTF-8", "zh_TW.UTF-8", "zhx", "de_DE@euro"] {
            assert_eq!(Lang::of_locale(locale), Lang::English, "{locale}");
        }
    }

    #[test]
    fn a_thread_speaks_english_unless_it_is_told_otherwise_and_for_itself_alone() {
        assert_eq!(text("quit"), "quit");
        let outer = speak(Lang::Chinese);
        assert_eq!(text("quit"), "退出");
        {
            let _inner = speak(Lang::English);
            assert_eq!(text("quit"), "quit");
        }
        assert_eq!(text("quit"), "退出");
        std::thread::scope(|scope| scope.spawn(|| assert_eq!(text("quit"), "quit")).join().unwrap());
        drop(outer);
        assert_eq!(spoken(), Lang::English);
    }

    #[test]
    fn what_the_catalogue_lacks_is_said_in_english() {
        let _chinese = speak(Lang::Chinese);
        let what = 7;
        assert_eq!(tr!("no catalogue has {what}"), format!("no catalogue has {{what}}"));
        assert_eq!(tr!("no catalogue has {what}, {more}", what, more = 1 + 1), "no catalogue has 7, 2");
    }

    #[test]
    fn placeholders_are_filled_in_whatever_their_order() {
        let values: [(&str, &dyn Display); 2] = [("a", &1), ("b", &"{a}")];
        assert_eq!(fill("{b} of {a}{a}", &values), "{a} of 11");
        assert_eq!(fill("{c} {", &values), "{c} {");
    }
}
