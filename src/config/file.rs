//! The configuration file: found, read with errors that name the place, written without losing what a person wrote.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, value};

use super::said::Said;
use crate::tui::action::ACTIONS;
use crate::tui::settings::Settings;

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It can't be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It says what can't be understood; the text has line and column.
    #[error("{path}: {problem}\n`memtide config --print-default` shows every setting", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        problem: String,
    },
}

/// Where the file is unless another one is named: in `$XDG_CONFIG_HOME`, or `~/.config`
/// (XDG Base Directory Specification). `None` without a home.
pub fn default_path() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let configuration = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(configuration.join("memtide/config.toml"))
}

/// Where the machine's settings are: those of everybody who has no others.
pub const SYSTEM: &str = "/etc/memtide/config.toml";

/// What the files say: the one that is named, and no other, or a person's own and below it the machine's.
pub fn settings(named: Option<&Path>) -> Result<Said, FileError> {
    match named {
        Some(path) => read(path, true),
        None => layered(default_path().as_deref(), Path::new(SYSTEM)),
    }
}

fn layered(own: Option<&Path>, system: &Path) -> Result<Said, FileError> {
    let own = own.map(|path| read(path, false)).transpose()?.unwrap_or_default();
    Ok(own.over(read(system, false)?))
}

/// Reads the file. One that is not there says nothing, unless it was named.
pub fn read(path: &Path, was_named: bool) -> Result<Said, FileError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !was_named => Ok(Said::default()),
        Err(source) => Err(FileError::Io { path: path.into(), source }),
    }
}

fn parse(path: &Path, text: &str) -> Result<Said, FileError> {
    toml::from_str(text)
        .map_err(|error| FileError::Format { path: path.into(), problem: error.to_string().trim_end().to_owned() })
}

/// Writes the settings into the file: what else it says stays, comments too. The file is replaced whole or not at
/// all, and only its owner can read it.
pub fn save(path: &Path, settings: &Settings) -> Result<(), FileError> {
    let io = |source| FileError::Io { path: path.into(), source };
    // A link into a folder of dotfiles stays a link.
    let path = &path.canonicalize().unwrap_or_else(|_| path.into());
    let before = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(io(source)),
    };
    let after = edit(path, &before, settings)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(io)?;
    let new = folder.join(format!(".config.toml.{}", std::process::id()));
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(after.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        // What is half written is of no use; the error that led here is told.
        let _ = std::fs::remove_file(&new);
    }
    written.map_err(io)
}

fn edit(path: &Path, text: &str, settings: &Settings) -> Result<String, FileError> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| FileError::Format { path: path.into(), problem: error.to_string() })?;
    let columns: Array = settings.columns.iter().map(|field| field.key).collect();
    let order = if settings.is_descending { "descending" } else { "ascending" };
    let entries: [(&str, Item); 9] = [
        ("columns", value(columns)),
        ("sort", value(settings.sort.key)),
        ("order", value(order)),
        ("filter", value(settings.filter.as_str())),
        ("group", value(settings.group.map_or("none", crate::model::group::GroupBy::word))),
        ("tree", value(settings.is_tree)),
        ("kernel_threads", value(settings.shows_kernel_threads)),
        ("interval", value(format!("{}ms", settings.interval.as_millis()))),
        ("theme", value(settings.theme.as_str())),
    ];
    for (key, item) in entries {
        match document.get_mut(key).and_then(Item::as_value_mut) {
            // The comment after a value is part of the value's decoration.
            Some(old) => {
                let decor = old.decor().clone();
                if let Item::Value(mut new) = item {
                    *new.decor_mut() = decor;
                    *old = new;
                }
            }
            None => document[key] = item,
        }
    }
    Ok(document.to_string())
}

/// Every setting with its default and what it means, and every action with its keys.
pub fn print_default() -> String {
    let mut text = String::from(include_str!("../../assets/config.toml"));
    for spec in ACTIONS {
        let keys: Vec<String> = spec.keys.iter().map(|key| format!("{key:?}")).collect();
        // Writing into a String can't fail.
        let _ = writeln!(text, "{:<16} = [{}]  # {}", spec.name, keys.join(", "), spec.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use clap::Args as _;

    use super::*;
    use crate::config::{Environment, resolve};

    #[test]
    fn the_printed_default_is_the_default_and_names_every_setting() {
        let said = parse(Path::new("default"), &print_default()).unwrap();
        let mut ours = resolve(said, &Environment::default());
        let default = resolve(Said::default(), &Environment::default());
        assert_eq!(ours.keys.len(), ACTIONS.len());
        ours.keys.clear();
        assert_eq!(ours, default);
        let printed: toml::Table = print_default().parse().unwrap();
        for flag in Said::augment_args(clap::Command::new("memtide")).get_arguments() {
            let key = flag.get_id().as_str();
            assert!(printed.contains_key(key) || print_default().contains(&format!("# {key} = ")), "{key}");
        }
    }

    #[test]
    fn an_error_names_the_file_the_line_and_the_mend() {
        let error = |text| parse(Path::new("/x/config.toml"), text).unwrap_err().to_string();
        let wrong = error("theme = \"dark\"\nsort = \"psss\"\n");
        for part in ["/x/config.toml", "line 2", "`psss` is no field", "print-default"] {
            assert!(wrong.contains(part), "{wrong}");
        }
        assert!(error("sorting = 1").contains("unknown field `sorting`"));
        assert!(error("filter = \"rss>\"").contains("line 1"));
        assert!(error("interval = \"1ms\"").contains("100ms to 1h"));
    }

    #[test]
    fn saving_keeps_comments_and_what_it_does_not_know_of() {
        let settings = resolve(Said::default(), &Environment::default()).settings;
        let before = "# mine\nsort = \"rss\"  # why\nmouse = false\n\n[keys]\nquit = [\"Q\"]\n";
        let after = edit(Path::new("x"), before, &settings).unwrap();
        assert!(after.starts_with("# mine\nsort = \"pss\"  # why\nmouse = false\n"), "{after}");
        assert!(after.ends_with("[keys]\nquit = [\"Q\"]\n"), "{after}");
        let again = resolve(parse(Path::new("x"), &after).unwrap(), &Environment::default());
        assert_eq!(again.settings, settings);
        assert!(!again.has_mouse);
    }

    #[test]
    fn ones_own_file_says_more_than_the_machines_and_what_it_leaves_out_is_the_machines() {
        let folder = tempfile::tempdir().unwrap();
        let (own, system) = (folder.path().join("own.toml"), folder.path().join("system.toml"));
        let sorted = |own: &Path| {
            let said = layered(Some(own), &system).unwrap();
            let keys = said.keys.keys().cloned().collect::<Vec<_>>().join(" ");
            (said.sort.map(|field| field.0.key), said.theme, said.order.is_some(), keys)
        };
        assert_eq!(sorted(&own), (None, None, false, String::new()), "neither is there");
        std::fs::write(&system, "sort = \"rss\"\norder = \"ascending\"\ntheme = \"light\"\n[keys]\nquit = [\"x\"]\n")
            .unwrap();
        assert_eq!(sorted(&own), (Some("rss"), Some("light".into()), true, "quit".into()));
        std::fs::write(&own, "sort = \"uss\"\n").unwrap();
        assert_eq!(sorted(&own), (Some("uss"), Some("light".into()), false, "quit".into()));
        std::fs::write(&own, "[keys]\nhelp = [\"x\"]\n").unwrap();
        assert_eq!(sorted(&own).3, "help", "a table of keys takes the place of another");
        std::fs::write(&system, "sort = 1").unwrap();
        let why = layered(Some(&own), &system).unwrap_err().to_string();
        assert!(why.contains("system.toml") && why.contains("line 1"), "{why}");
    }

    #[test]
    fn the_file_is_its_owners_alone_and_a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("dotfiles.toml"), folder.path().join("config.toml"));
        std::fs::write(&real, "").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        save(&link, &resolve(Said::default(), &Environment::default()).settings).unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(read(&link, true).unwrap().columns.is_some());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }
}
