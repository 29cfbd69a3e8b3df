//! Plans and outcomes as JSON, and the file that keeps outcomes, one a line.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use serde_json::{Value, json};

use super::effect::{Effect, Outcome, Plan, Stage};
use super::gauge::Unit;
use super::words;

/// The name and version of the form.
pub const SCHEMA: &str = "memtide.act/1";

/// Sizes in bytes; no limit is the word `max`, what is unknown is null.
fn number(value: Option<i64>) -> Value {
    match value {
        Some(i64::MAX) => "max".into(),
        other => other.into(),
    }
}

/// Who or what an effect is about.
fn subject(effect: &Effect) -> Value {
    let process = |target: &super::effect::Target| json!({"pid": target.key.pid, "start_time": target.key.start_time, "who": words::who(target)});
    match effect {
        Effect::Signal { targets, .. } => targets.iter().map(process).collect(),
        Effect::OomScoreAdj { target, .. }
        | Effect::Limit { target, .. }
        | Effect::Advise { target, .. }
        | Effect::CollectGarbage(target)
        | Effect::DumpHeap { target, .. }
        | Effect::HeapSnapshot { target, .. } => json!([process(target)]),
        Effect::Reclaim { group, .. } | Effect::Bound { group, .. } => json!([{"cgroup": group.path.escaped()}]),
        Effect::DropCaches(_) | Effect::RecycleSwap => json!([]),
    }
}

/// What would happen.
pub fn plan(effect: &Effect, plan: &Plan) -> Value {
    json!({
        "schema": SCHEMA,
        "stage": "planned",
        "action": words::word(effect),
        "on": subject(effect),
        "title": plan.title,
        "targets": plan.targets,
        "effects": plan.effects,
        "needs": plan.needs,
        "risk": plan.risk,
        "undo": plan.undo,
        "refused": plan.refusal.as_ref().map(|refusal| json!({"reason": refusal.reason, "command": refusal.command})),
    })
}

/// What came of it.
pub fn outcome(outcome: &Outcome) -> Value {
    let result = |result: &Result<String, String>| match result {
        Ok(text) => json!({"ok": true, "text": text}),
        Err(text) => json!({"ok": false, "text": text}),
    };
    let measured = outcome.measured.iter().map(|measured| {
        json!({
            "name": measured.name,
            "unit": if measured.unit == Unit::Bytes { "bytes" } else { "count" },
            "before": number(measured.before),
            "after": number(measured.after),
            "later": number(measured.later),
        })
    });
    json!({
        "schema": SCHEMA,
        "stage": match outcome.stage {
            Stage::Progress => "progress",
            Stage::Acted => "acted",
            Stage::Settled => "settled",
        },
        "time_ms": outcome.wall_ms,
        "action": words::word(&outcome.effect),
        "on": subject(&outcome.effect),
        "title": words::title(&outcome.effect),
        "took_ms": outcome.took.as_millis() as u64,
        "results": outcome.results.iter().map(result).collect::<Vec<_>>(),
        "is_final": outcome.is_final,
        "measured": measured.collect::<Vec<_>>(),
        "undo": outcome.undo.as_ref().map(words::command),
    })
}

/// A file of outcomes.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// The last line was not written to its end.
    is_torn: bool,
}

/// Why there is no such file, or a line of it.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It can't be opened or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is a link, a device, or somebody else's.
    #[error("{path}: {why}", path = path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// What it is.
        why: &'static str,
    },
}

impl Journal {
    /// Opens the file to append to it, or makes one that only its owner can read. Never through a link.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let flags = OFlags::WRONLY
            | OFlags::APPEND
            | OFlags::CREATE
            | OFlags::NOFOLLOW
            | OFlags::CLOEXEC
            // A FIFO that nobody reads is no file to wait for.
            | OFlags::NONBLOCK;
        let untrusted = |why| JournalError::Untrusted { path: path.into(), why };
        let io = |source| JournalError::Io { path: path.into(), source };
        let opened = openat(CWD, path, flags, Mode::RUSR | Mode::WUSR).map_err(|error| match error {
            rustix::io::Errno::LOOP => untrusted("it is a symbolic link: name the file itself"),
            error => io(error.into()),
        })?;
        let file = File::from(opened);
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(untrusted("it is no regular file"));
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(untrusted("it belongs to another user"));
        }
        Ok(Self { path: path.into(), file, is_torn: false })
    }

    /// Appends an outcome; how far one under way is, is not kept.
    pub fn write(&mut self, outcome: &Outcome) -> Result<(), JournalError> {
        if outcome.stage == Stage::Progress {
            return Ok(());
        }
        self.append(&self::outcome(outcome))
    }

    /// Appends a line.
    pub fn append(&mut self, line: &Value) -> Result<(), JournalError> {
        // A line that a full disk has cut does not take the next one with it.
        let begin = if self.is_torn { "\n" } else { "" };
        let line = format!("{begin}{line}\n");
        let written = self.file.write_all(line.as_bytes());
        self.is_torn = written.is_err();
        written.map_err(|source| JournalError::Io { path: self.path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::act::effect::DropLevel;
    use crate::act::run::not_begun;

    fn failure() -> Outcome {
        not_begun(&Effect::DropCaches(DropLevel::Both), 1_785_000_000_000, "no\nthread".into())
    }

    #[test]
    fn outcomes_are_appended_a_line_each_for_the_owners_eyes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for _ in 0..2 {
            Journal::open(&path).unwrap().write(&failure()).unwrap();
        }
        let progress = Outcome { stage: Stage::Progress, ..failure() };
        Journal::open(&path).unwrap().write(&progress).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["schema"], &lines[0]["action"]), (&SCHEMA.into(), &"drop_caches".into()));
        assert_eq!(lines[0]["results"][0], json!({"ok": false, "text": "no\nthread"}));
    }

    #[test]
    fn a_link_a_fifo_and_a_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "kept").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        rustix::fs::mknodat(CWD, at("fifo"), rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for name in ["link", "fifo", "."] {
            assert!(Journal::open(&at(name)).is_err(), "{name}");
        }
        assert_eq!(std::fs::read_to_string(at("file")).unwrap(), "kept");
    }

    #[test]
    fn a_full_disk_is_told_and_the_next_line_begins_anew() {
        let full = Path::new("/dev/full");
        let file = std::fs::OpenOptions::new().write(true).open(full).unwrap();
        let mut journal = Journal { path: full.into(), file, is_torn: false };
        let error = journal.write(&failure()).unwrap_err();
        assert!(error.to_string().starts_with("/dev/full: "), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        journal.file = File::create(&path).unwrap();
        journal.write(&failure()).unwrap();
        journal.write(&failure()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!((text.find('{'), text.lines().count()), (Some(1), 3));
    }

    #[test]
    fn no_limit_is_a_word_and_the_unknown_is_null() {
        assert_eq!([number(Some(i64::MAX)), number(None), number(Some(-3))], [json!("max"), Value::Null, json!(-3)]);
    }
}
