//! The manual page of the settings, memtide.toml(5), from the same text as `memtide config --print-default`.

use std::fmt::Write as _;

use clap::Args as _;

use super::file;
use super::said::Said;

const DESCRIPTION: &str = "\
Settings of the live view, in TOML. Each has a default, and each but the keys is also a flag of memtide(1). What is said \
more closely counts more: a flag, then a person's own file, then the machine's file, then the default. An unknown \
setting or a wrong value is refused with its line and column.";

const OWN: &str = "A person's own settings. The key W in memtide writes there what was changed on the screen.";
const OWN_ELSE: &str = "The same where XDG_CONFIG_HOME is not set.";
const MACHINE: &str = "Settings for everybody on the machine, for what a person's own file leaves out. A table of keys takes \
                       the place of this one's as a whole.";
const NOTED: &str = "That the hints of the first start were shown; without XDG_STATE_HOME in ~/.local/state. Where it can't \
                     be made, they are not shown.";

/// The page, as roff.
pub fn page() -> String {
    let mut page = format!(".TH memtide.toml 5 \"\" \"memtide {}\"\n", env!("CARGO_PKG_VERSION"));
    section(&mut page, "NAME");
    page += "memtide.toml \\- settings of memtide\n";
    section(&mut page, "DESCRIPTION");
    paragraph(&mut page, DESCRIPTION);
    section(&mut page, "FILES");
    entry(&mut page, "$XDG_CONFIG_HOME/memtide/config.toml", OWN);
    entry(&mut page, "~/.config/memtide/config.toml", OWN_ELSE);
    entry(&mut page, file::SYSTEM, MACHINE);
    entry(&mut page, "$XDG_STATE_HOME/memtide/hints-shown", NOTED);
    section(&mut page, "SETTINGS");
    let text = file::print_default();
    let (settings, keys) = text.split_once("[keys]\n").unwrap_or((&text, ""));
    // What comes before the first blank line is about the file.
    let settings = settings.split_once("\n\n").map_or(settings, |(_, rest)| rest);
    let mut words = String::new();
    for line in settings.lines() {
        match line.strip_prefix("# ").filter(|rest| !is_setting(rest)) {
            Some(comment) => words = if words.is_empty() { comment.into() } else { format!("{words} {comment}") },
            None if is_setting(line.trim_start_matches("# ")) => {
                let line = line.trim_start_matches("# ");
                // What the file leaves to its name is said of the flag.
                let said = if words.is_empty() { help(line) } else { std::mem::take(&mut words) };
                entry(&mut page, line, &said);
            }
            None => section(&mut page, "KEYS"),
        }
    }
    paragraph(&mut page, &words);
    paragraph(&mut page, "Below a line with [keys] stand the actions:");
    for (action, help) in keys.lines().filter_map(|line| line.split_once("  # ")) {
        entry(&mut page, &action.split_whitespace().collect::<Vec<_>>().join(" "), help);
    }
    section(&mut page, "SEE ALSO");
    page += ".BR memtide (1),\n.BR memtide-config (1)\n";
    page
}

/// What is said of the flag of a setting.
fn help(line: &str) -> String {
    let key = line.split(' ').next().unwrap_or_default();
    let flags = Said::augment_args(clap::Command::new("memtide"));
    let flag = flags.get_arguments().find(|flag| flag.get_id() == key);
    flag.and_then(clap::Arg::get_help).map_or_else(String::new, |help| format!("{help}."))
}

/// Whether a line, without the sign of a comment, sets something.
fn is_setting(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
}

fn section(page: &mut String, title: &str) {
    // Writing into a String can't fail.
    let _ = writeln!(page, ".SH {title}");
}

fn paragraph(page: &mut String, text: &str) {
    let _ = writeln!(page, ".PP\n{}", escape(text));
}

fn entry(page: &mut String, term: &str, text: &str) {
    let _ = writeln!(page, ".TP\n\\fB{}\\fR\n{}", escape(term), escape(text));
}

/// A text that roff prints as it is: groff_char(7).
fn escape(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('~', "\\(ti");
    if escaped.starts_with('.') { format!("\\&{escaped}") } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::action::ACTIONS;

    #[test]
    fn the_page_has_every_setting_and_every_action() {
        let page = page();
        let printed: toml::Table = file::print_default().parse().unwrap();
        for key in printed.keys().filter(|key| *key != "keys") {
            assert!(page.contains(&format!("\\fB{key} = ")), "{key}");
        }
        for line in page.split(".TP\n").skip(1) {
            assert!(line.lines().nth(1).is_some_and(|help| help.ends_with('.')), "{line}");
        }
        for spec in ACTIONS {
            assert!(page.contains(&format!("\\fB{} = [", spec.name)), "{}", spec.name);
        }
        assert_eq!(page.matches(".SH KEYS").count(), 1);
        assert!(
            !page.contains("each with its default. They"),
            "what is said of the file is said in the page's own words"
        );
    }

    #[test]
    fn what_roff_would_take_for_its_own_is_escaped() {
        assert_eq!(escape("a-b \\ 'c' ~"), "a\\-b \\e \\(aqc\\(aq \\(ti");
        assert_eq!(escape(".x"), "\\&.x");
    }
}
