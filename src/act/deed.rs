//! Outcomes as they are recorded: out of the lines of the journal, so that what one memtide does and another records is
//! told in the same words. Arguments of command lines are left out.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::effect::{Outcome, Stage};
use super::journal;
use crate::model::deed::Deed;
use crate::model::key::ProcessKey;
use crate::units::Bytes;

/// An outcome as it is recorded; `None` while it is under way.
pub fn of(outcome: &Outcome) -> Option<Deed> {
    if outcome.stage == Stage::Progress { None } else { of_line(&journal::outcome(outcome)) }
}

/// A line of a journal as it is recorded; `None` where it is none.
fn of_line(line: &Value) -> Option<Deed> {
    let text = |name: &str| line.get(name).and_then(Value::as_str);
    if text("schema") != Some(journal::SCHEMA) {
        return None;
    }
    let list = |name: &str| line.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let on = list("on");
    let key = |on: &Value| {
        let pid = on.get("pid")?.as_u64()?;
        Some(ProcessKey { pid: pid.try_into().ok()?, start_time: on.get("start_time")?.as_u64()? })
    };
    let name = |on: &Value| {
        let group = || on.get("cgroup").and_then(Value::as_str).map(str::to_owned);
        on.get("pid").and_then(Value::as_u64).map(|pid| pid.to_string()).or_else(group)
    };
    let brief = |text: &str| on.iter().fold(text.to_owned(), |text, on| without_arguments(&text, on));
    let results: Vec<String> =
        list("results").iter().filter_map(|result| result.get("text")?.as_str()).map(brief).collect();
    Some(Deed {
        wall_ms: line.get("time_ms")?.as_i64()?,
        action: text("action")?.into(),
        title: brief(text("title")?).as_str().into(),
        target: on.first().and_then(key),
        on: on.iter().filter_map(name).collect::<Vec<_>>().join(", ").as_str().into(),
        result: results.join("; ").as_str().into(),
        is_done: list("results").iter().all(|result| result.get("ok").and_then(Value::as_bool) == Some(true)),
        is_settled: match text("stage")? {
            "acted" => false,
            "settled" => true,
            _ => return None,
        },
        measured: list("measured").iter().filter_map(change).collect::<Vec<_>>().join(", ").as_str().into(),
    })
}

/// `1234 node app.js --x: ended` without what follows the name of the program.
fn without_arguments(text: &str, on: &Value) -> String {
    let Some(who) = on.get("who").and_then(Value::as_str) else { return text.to_owned() };
    let mut words = who.split(' ');
    let (pid, program) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let program = program.rsplit('/').next().unwrap_or(program);
    text.replace(who, format!("{pid} {program}").trim_end())
}

/// `RSS 812M -> 0`.
fn change(measured: &Value) -> Option<String> {
    let is_bytes = measured.get("unit")?.as_str()? == "bytes";
    let number = |value: &Value| match (value.as_i64(), value.as_str()) {
        (Some(bytes), _) if is_bytes => Some(Bytes(bytes.max(0) as u64).to_string()),
        (Some(number), _) => Some(number.to_string()),
        (None, Some(word)) => Some(word.to_owned()),
        (None, None) => None,
    };
    let steps: Vec<String> =
        ["before", "after", "later"].iter().filter_map(|step| number(measured.get(*step)?)).collect();
    let name = measured.get("name")?.as_str()?;
    (steps.len() > 1).then(|| format!("{name} {}", steps.join(" -> ")))
}

/// A journal that others write to, read as it grows.
#[derive(Debug)]
pub struct Following {
    path: PathBuf,
    /// Up to where it has been read; lines that were there before are of no concern.
    offset: u64,
    /// Bytes of a line that is not complete yet.
    begun: Vec<u8>,
}

/// At most so many bytes are read at a time: what is left is read the next time.
const MOST_BYTES: usize = 64 << 10;

impl Following {
    /// Follows a file, which may come into being later, from its present end on.
    pub fn from_end(path: &Path) -> Self {
        let offset = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        Self { path: path.to_owned(), offset, begun: Vec::new() }
    }

    /// What was done since the last call. A file that can't be read has nothing new.
    pub fn look(&mut self) -> Vec<Deed> {
        let Ok(file) = File::open(&self.path) else { return Vec::new() };
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        if length < self.offset {
            // It was begun anew.
            (self.offset, self.begun) = (0, Vec::new());
        }
        let wanted = usize::try_from(length - self.offset).unwrap_or(usize::MAX).min(MOST_BYTES);
        let mut bytes = vec![0; wanted];
        let Ok(read) = file.read_at(&mut bytes, self.offset) else { return Vec::new() };
        self.offset += read as u64;
        self.begun.extend_from_slice(&bytes[..read]);
        let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') else {
            // No line of ours is so long.
            if self.begun.len() > MOST_BYTES {
                self.begun.clear();
            }
            return Vec::new();
        };
        let rest = self.begun.split_off(end + 1);
        let lines = std::mem::replace(&mut self.begun, rest);
        let lines = lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        lines.filter_map(|line: Value| of_line(&line)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Duration;

    use super::*;
    use crate::act::effect::{Effect, Signal, Target};
    use crate::act::gauge::{Measured, Unit};
    use crate::act::words;

    fn outcome(stage: Stage) -> Outcome {
        let target = Target {
            key: ProcessKey { pid: 1234, start_time: 99 },
            uid: 1000,
            user: "app".into(),
            command: "/usr/bin/node app.js --token=hunter2hunter2hunter2".into(),
        };
        let result = format!("{}: ended by SIGTERM within 3 ms", words::who(&target));
        Outcome {
            effect: Effect::Signal { targets: vec![target], signal: Signal(15), escalate: None },
            wall_ms: 5000,
            took: Duration::from_millis(3),
            stage,
            results: vec![Ok(result)],
            is_final: true,
            measured: vec![Measured {
                name: "available",
                unit: Unit::Bytes,
                before: Some(100 << 20),
                after: Some(900 << 20),
                later: None,
            }],
            undo: None,
        }
    }

    #[test]
    fn an_outcome_is_recorded_with_whom_what_and_what_came_of_it_and_no_arguments() {
        let deed = of(&outcome(Stage::Acted)).unwrap();
        assert_eq!(
            deed.told(),
            "SIGTERM to 1 process: 1234 node: ended by SIGTERM within 3 ms; available 100M -> 900M"
        );
        assert_eq!((deed.wall_ms, deed.is_done, deed.is_settled), (5000, true, false));
        assert_eq!(deed.target, Some(ProcessKey { pid: 1234, start_time: 99 }));
        assert_eq!(deed.on.escaped(), "1234");
        assert_eq!(of(&outcome(Stage::Progress)), None);
    }

    #[test]
    fn a_journal_is_followed_line_by_line_from_its_end_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let line = |stage| format!("{}\n", journal::outcome(&outcome(stage)));
        std::fs::write(&path, line(Stage::Acted)).unwrap();
        let mut following = Following::from_end(&path);
        assert_eq!(following.look(), []);
        let mut file = File::options().append(true).open(&path).unwrap();
        let next = line(Stage::Settled);
        let (first, rest) = next.split_at(40);
        file.write_all(first.as_bytes()).unwrap();
        assert_eq!(following.look(), [], "half a line is none");
        file.write_all(format!("{rest}nonsense\n{{\"schema\": \"else\"}}\n").as_bytes()).unwrap();
        assert_eq!(following.look(), [of(&outcome(Stage::Settled)).unwrap()]);
        std::fs::write(&path, line(Stage::Acted)).unwrap();
        assert_eq!(following.look(), [of(&outcome(Stage::Acted)).unwrap()], "it was begun anew");
    }
}
