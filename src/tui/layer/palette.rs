//! Commands with a value: `sort rss`, `filter rss>100M`, `group user`, `columns +oom_score`, `interval 2s`, `theme light`,
//! `mark before`, `compare before`, and changes: `reclaim 100M`, `memory.high 400M`.

use super::Deed;
use super::menu::Item;
use crate::act::change::{CHANGES, Change};
use crate::model::field::{PROCESS_FIELDS, process_field};
use crate::model::group::GroupBy;
use crate::model::query::Query;
use crate::tui::action::ACTIONS;
use crate::tui::keymap::Keymap;
use crate::tui::marks::MarkDeed;
use crate::tui::screen::heap::HeapDeed;
use crate::tui::screen::processes::DEFAULT_COLUMNS;
use crate::tui::theme::Theme;
use crate::units::parse_duration;

/// Commands that take a value.
const COMMANDS: [(&str, &str); 9] = [
    ("sort", key!("sort FIELD: by this field; once more reverses")),
    ("filter", key!("filter EXPRESSION: as / does")),
    ("group", key!("group command|user|unit|container|none")),
    ("columns", key!("columns a,b,c  or  columns +oom_score")),
    ("interval", key!("interval 500ms|2s|1m: the time between samples")),
    ("theme", key!("theme dark|light|high-contrast|ansi16|mono|FILE.toml")),
    ("mark", key!("mark NAME: keeps this moment under a name")),
    ("compare", key!("compare NAME|none: shows the change since that mark")),
    ("heap", key!("heap FILE [FILE …]: opens a heap snapshot, or what grew between several")),
];

/// Every action, and the changes that no action leads to.
pub fn items(keymap: &Keymap) -> Vec<Item> {
    let actions = ACTIONS.iter().map(|spec| Item {
        label: label(spec.title, spec.name),
        note: format!("{}  {}", keymap.keys(spec.action).join(" "), tr!(of spec.help)),
        deed: Deed::Act(spec.action),
    });
    let has_action = |change| matches!(change, Change::Signal | Change::DropCaches | Change::HeapSnapshot);
    let changes = CHANGES.iter().filter(|spec| !has_action(spec.change)).map(|spec| Item {
        label: tr!(of spec.title).to_owned(),
        note: format!("{} {}  {}", spec.word, tr!(of spec.value.unwrap_or_default()), tr!(of spec.help)),
        deed: Deed::Change(spec.change, None),
    });
    actions.chain(changes).collect()
}

/// A title, and where it can't be typed in ASCII the name that can.
fn label(title: &str, name: &str) -> String {
    let said = tr!(of title);
    if said == title { title.to_owned() } else { format!("{said} {name}") }
}

/// The command that was typed: `None` where it is none of those that take a value.
pub(super) fn parse(text: &str) -> Option<Result<Deed, String>> {
    let (command, value) = text.trim().split_once(char::is_whitespace)?;
    let value = value.trim();
    Some(match command {
        "sort" => process_field(value).map(Deed::SortBy).ok_or_else(|| tr!("there is no field `{value}`", value)),
        "filter" => Query::parse(value).map(|_| Deed::Filter(value.to_owned())).map_err(|error| error.to_string()),
        "group" if matches!(value, "none" | "off") => Ok(Deed::GroupBy(None)),
        "group" => {
            GroupBy::parse(value).map(|by| Deed::GroupBy(Some(by))).ok_or_else(|| tr!(of COMMANDS[2].1).to_owned())
        }
        "columns" => parse_columns(value).map(Deed::Columns),
        "interval" => parse_duration(value).map(Deed::Interval).map_err(|error| error.to_string()),
        "theme" => Ok(Deed::Theme(value.to_owned())),
        "mark" => Ok(Deed::Mark(MarkDeed::Set(Some(value.to_owned())))),
        "compare" => Ok(Deed::Mark(MarkDeed::Compare((value != "none").then(|| value.to_owned())))),
        "heap" => Ok(Deed::Heap(HeapDeed::OpenTyped(value.to_owned()))),
        word => Ok(Deed::ChangeTo(Change::parse(word)?, value.to_owned())),
    })
}

/// `a,b,c` replaces the columns; `+a -b` changes the default ones.
fn parse_columns(value: &str) -> Result<Vec<&'static crate::model::field::ProcessField>, String> {
    let field = |key: &str| process_field(key).ok_or_else(|| tr!("there is no field `{key}`", key));
    let words = || value.split([',', ' ']).filter(|word| !word.is_empty());
    if words().all(|word| !word.starts_with(['+', '-'])) {
        return words().map(field).collect();
    }
    let mut columns: Vec<_> = DEFAULT_COLUMNS.iter().filter_map(|key| process_field(key)).collect();
    for word in words() {
        let changed = field(word.trim_start_matches(['+', '-']))?;
        columns.retain(|column| *column != changed);
        if !word.starts_with('-') {
            let command = columns.iter().position(|column| column.width == 0).unwrap_or(columns.len());
            columns.insert(command, changed);
        }
    }
    Ok(columns)
}

/// What Tab makes of what was typed.
pub(super) fn complete(text: &str) -> Option<String> {
    let Some((command, start)) = text.split_once(' ') else {
        let commands = COMMANDS.iter().map(|(command, _)| *command);
        let mut all = commands.chain(CHANGES.iter().filter(|spec| spec.value.is_some()).map(|spec| spec.word));
        return all.find(|command| command.starts_with(text)).map(|command| format!("{command} "));
    };
    let value_start = start.rfind([',', ' ', '+', '-']).map_or(0, |at| at + 1);
    let (kept, word) = start.split_at(value_start);
    let mut fields = PROCESS_FIELDS.iter().map(|field| field.key);
    let found = match command {
        "sort" | "columns" | "filter" => fields.find(|key| key.starts_with(word)),
        "group" => GroupBy::ALL.iter().map(|(_, name)| *name).find(|name| name.starts_with(word)),
        "theme" => Theme::names().find(|name| name.starts_with(word)),
        _ => None,
    }?;
    Some(format!("{command} {kept}{found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_take_values() {
        assert_eq!(parse("sort rss"), Some(Ok(Deed::SortBy(process_field("rss").unwrap()))));
        assert_eq!(parse("group none"), Some(Ok(Deed::GroupBy(None))));
        assert!(parse("filter rss>").unwrap().is_err());
        assert!(parse("interval soon").unwrap().is_err());
        let named = |name: &str| Some(Ok(Deed::Mark(MarkDeed::Set(Some(name.into())))));
        assert_eq!(parse("mark before the deploy"), named("before the deploy"));
        assert_eq!(parse("compare none"), Some(Ok(Deed::Mark(MarkDeed::Compare(None)))));
        assert_eq!(parse("memory.high 1G"), Some(Ok(Deed::ChangeTo(Change::MemoryHigh, "1G".into()))));
        assert_eq!(parse("heap a b"), Some(Ok(Deed::Heap(HeapDeed::OpenTyped("a b".into())))));
        assert_eq!(parse("quit"), None);
        assert_eq!(parse("quit 1"), None);
    }

    #[test]
    fn columns_are_added_before_the_command() {
        let Some(Ok(Deed::Columns(columns))) = parse("columns +oom_score -uss") else { panic!() };
        let keys: Vec<&str> = columns.iter().map(|column| column.key).collect();
        assert_eq!(&keys[keys.len() - 2..], ["oom_score", "command"]);
        assert!(!keys.contains(&"uss"));
    }

    #[test]
    fn tab_completes_commands_and_values() {
        assert_eq!(complete("so").as_deref(), Some("sort "));
        assert_eq!(complete("rec").as_deref(), Some("reclaim "));
        assert_eq!(complete("sort sw").as_deref(), Some("sort swap"));
        assert_eq!(complete("theme hi").as_deref(), Some("theme high-contrast"));
        assert_eq!(complete("columns +oo").as_deref(), Some("columns +oom_score"));
    }
}
