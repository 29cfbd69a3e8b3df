//! From keys to actions: names of keys, the bindings of ACTIONS, and a person's own.

use std::collections::{BTreeMap, HashMap};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::action::{ACTIONS, Action};

/// A key with its modifiers; shift is part of the character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// Which key does what.
#[derive(Clone, Debug)]
pub struct Keymap {
    actions: HashMap<Key, Action>,
    shown: HashMap<Action, Vec<String>>,
}

/// Why bindings are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// No such key.
    #[error(
        "`{0}` is no key: write a character, F1 to F12, space, enter, esc, tab, shift-tab, backspace, delete, insert, home, end, pageup, pagedown, up, down, left, right, or ctrl- and alt- before one"
    )]
    Key(String),
    /// No such action.
    #[error("`{0}` is no action: `memtide config --print-default` lists them all")]
    Action(String),
    /// Two actions on one key.
    #[error("`{key}` is bound to both `{first}` and `{second}`: give one of them another key")]
    Clash {
        /// The key.
        key: String,
        /// One action.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
}

const NAMED: [(&str, KeyCode); 16] = [
    ("space", KeyCode::Char(' ')),
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("shift-tab", KeyCode::BackTab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
];

impl Key {
    /// Reads `F5`, `ctrl-d`, `space`, `?`.
    pub fn parse(name: &str) -> Result<Self, KeymapError> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = name;
        loop {
            let lower = rest.to_ascii_lowercase();
            let (prefix, modifier) = match () {
                () if lower.starts_with("ctrl-") => ("ctrl-", KeyModifiers::CONTROL),
                () if lower.starts_with("alt-") => ("alt-", KeyModifiers::ALT),
                () => break,
            };
            modifiers |= modifier;
            rest = &rest[prefix.len()..];
        }
        let refuse = || KeymapError::Key(name.to_owned());
        let lower = rest.to_ascii_lowercase();
        if let Some((_, code)) = NAMED.iter().find(|(known, _)| *known == lower) {
            return Ok(Self { code: *code, modifiers });
        }
        if let Some(number) = lower.strip_prefix('f').and_then(|number| number.parse::<u8>().ok()) {
            return if (1..=12).contains(&number) {
                Ok(Self { code: KeyCode::F(number), modifiers })
            } else {
                Err(refuse())
            };
        }
        let mut chars = rest.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() && !c.is_whitespace() => Ok(Self { code: KeyCode::Char(c), modifiers }),
            _ => Err(refuse()),
        }
    }

    /// The key of an event.
    pub fn of(event: KeyEvent) -> Self {
        // Terminals differ in whether they tell shift beside the capital letter.
        let modifiers = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT);
        Self { code: event.code, modifiers }
    }
}

impl Keymap {
    /// The bindings of ACTIONS, with the keys of some actions replaced.
    pub fn new(overrides: &BTreeMap<String, Vec<String>>) -> Result<Self, KeymapError> {
        if let Some(unknown) = overrides.keys().find(|name| !ACTIONS.iter().any(|spec| spec.name == *name)) {
            return Err(KeymapError::Action(unknown.clone()));
        }
        let mut keymap = Self { actions: HashMap::new(), shown: HashMap::new() };
        // A person's own keys first: they take a default key from whoever has it.
        for spec in ACTIONS {
            for name in overrides.get(spec.name).into_iter().flatten() {
                if let Some(other) = keymap.actions.insert(Key::parse(name)?, spec.action)
                    && other != spec.action
                {
                    return Err(KeymapError::Clash { key: name.clone(), first: other.spec().name, second: spec.name });
                }
                keymap.shown.entry(spec.action).or_default().push(name.clone());
            }
        }
        for spec in ACTIONS.iter().filter(|spec| !overrides.contains_key(spec.name)) {
            for name in spec.keys {
                let key = Key::parse(name)?;
                if keymap.actions.contains_key(&key) {
                    continue;
                }
                keymap.actions.insert(key, spec.action);
                keymap.shown.entry(spec.action).or_default().push((*name).to_owned());
            }
        }
        Ok(keymap)
    }

    /// What a key does.
    pub fn action(&self, event: KeyEvent) -> Option<Action> {
        self.actions.get(&Key::of(event)).copied()
    }

    /// The names of an action's keys.
    pub fn keys(&self, action: Action) -> &[String] {
        self.shown.get(&action).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn press(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    #[test]
    fn no_default_key_has_two_actions() {
        let mut seen: HashMap<Key, &str> = HashMap::new();
        for spec in ACTIONS {
            for name in spec.keys {
                let other = seen.insert(Key::parse(name).unwrap(), spec.name);
                assert_eq!(other, None, "{name}: {}", spec.name);
            }
        }
    }

    #[test]
    fn a_persons_own_key_replaces_the_default_and_takes_it_from_others() {
        let overrides = BTreeMap::from([("pause".to_owned(), vec!["k".to_owned()])]);
        let keymap = Keymap::new(&overrides).unwrap();
        assert_eq!(keymap.action(press(KeyCode::Char('k'))), Some(Action::Pause));
        assert_eq!(keymap.action(press(KeyCode::Char('p'))), None);
        assert_eq!(keymap.action(press(KeyCode::F(9))), Some(Action::Signal));
        assert_eq!(keymap.keys(Action::Signal), ["F9"]);
    }

    #[test]
    fn mistakes_are_named() {
        let bind = |name: &str, key: &str| BTreeMap::from([(name.to_owned(), vec![key.to_owned()])]);
        assert_eq!(Keymap::new(&bind("puase", "x")).unwrap_err(), KeymapError::Action("puase".into()));
        assert_eq!(Keymap::new(&bind("pause", "hyper-x")).unwrap_err(), KeymapError::Key("hyper-x".into()));
        let two = BTreeMap::from([("pause".into(), vec!["x".into()]), ("quit".into(), vec!["x".into()])]);
        assert!(matches!(Keymap::new(&two), Err(KeymapError::Clash { .. })));
    }

    #[test]
    fn a_capital_letter_is_the_same_with_and_without_shift() {
        let keymap = Keymap::new(&BTreeMap::new()).unwrap();
        let shifted = KeyEvent::new(KeyCode::Char('P'), KeyModifiers::SHIFT);
        assert_eq!(keymap.action(shifted), Some(Action::SortByPss));
        assert_eq!(keymap.action(press(KeyCode::Char('P'))), Some(Action::SortByPss));
    }

    proptest! {
        #[test]
        fn any_name_is_a_key_or_refused(name in "\\PC{0,12}") {
            let _ = Key::parse(&name);
        }
    }
}
