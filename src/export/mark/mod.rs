//! A mark as JSON, so that it can be compared with after the program that set it has ended.
//!
//! `memtide.mark/1`: `{schema, name, host, boot_id, wall_ms, at_ms, system: {<key>: bytes or things}, meminfo: {<line>: bytes},
//! ram: {<key>: bytes}, processes: [{pid, start_time, uid, name, command?, cgroup, managed?, v1?, kernel_thread?,
//! <key>: bytes or things}]}`. What was not known is left out; names are escaped. A reader skips keys that it does not
//! know.

pub mod file;
pub mod inspection;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::cgroup::{CgroupVersion, Membership};
use crate::model::key::ProcessKey;
use crate::model::mark::{Mark, Marked, MarkedProcess, name_of};
use crate::model::process::Identity;
use crate::model::reading::{BootMs, Reading};
use crate::model::system::Meminfo;
use crate::model::text::Text;

/// What every mark begins with.
pub const SCHEMA: &str = "memtide.mark/1";

/// Characters of a command line that are kept: enough to tell a process from its like.
const COMMAND: usize = 160;

#[derive(Deserialize, Serialize)]
struct Document {
    schema: String,
    name: String,
    host: String,
    boot_id: String,
    wall_ms: i64,
    at_ms: u64,
    system: BTreeMap<String, u64>,
    meminfo: BTreeMap<String, u64>,
    ram: BTreeMap<String, u64>,
    processes: Vec<Entry>,
}

#[derive(Deserialize)]
struct Head {
    schema: String,
}

#[derive(Deserialize, Serialize)]
struct Entry {
    pid: u32,
    start_time: u64,
    uid: u32,
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    command: String,
    cgroup: String,
    /// Where it differs from the group that accounts its memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    managed: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    v1: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    kernel_thread: bool,
    #[serde(flatten)]
    values: BTreeMap<String, serde_json::Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// The mark as a text, a line a process.
pub fn to_json(mark: &Mark) -> serde_json::Result<String> {
    let document = Document {
        schema: SCHEMA.into(),
        name: mark.name.clone(),
        host: mark.host.escaped().into_owned(),
        boot_id: mark.boot_id.escaped().into_owned(),
        wall_ms: mark.wall_ms,
        at_ms: mark.at.0,
        system: mark.system.iter().map(|(key, value)| (key.to_string(), *value)).collect(),
        meminfo: mark.meminfo.lines().filter_map(|(line, bytes)| Some((line.to_owned(), bytes.value()?))).collect(),
        ram: mark.ram.iter().map(|(key, bytes)| (key.to_string(), *bytes)).collect(),
        processes: mark.processes.iter().map(entry).collect(),
    };
    let mut text = serde_json::to_string(&document)?;
    text.push('\n');
    Ok(text)
}

fn entry(process: &MarkedProcess) -> Entry {
    let identity = &*process.identity;
    let cgroup = &identity.cgroup;
    let values = Marked::ALL.iter().filter_map(|(what, key)| Some(((*key).to_owned(), process.value(*what)?.into())));
    Entry {
        pid: process.key.pid,
        start_time: process.key.start_time,
        uid: identity.uid,
        name: identity.comm.escaped().into_owned(),
        command: identity.command.escaped().chars().take(COMMAND).collect(),
        cgroup: cgroup.memory.escaped().into_owned(),
        managed: (cgroup.managed != cgroup.memory).then(|| cgroup.managed.escaped().into_owned()),
        v1: cgroup.version == CgroupVersion::V1,
        kernel_thread: identity.is_kernel_thread,
        values: values.collect(),
    }
}

/// Why a text is no mark.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// It is no JSON, or lacks what a mark has.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// It is something else, or of a memtide that knows more.
    #[error("it is `{found}`, and what is read here is {wanted}")]
    Schema {
        /// What it begins with.
        found: String,
        /// What it should.
        wanted: &'static str,
    },
    /// Two processes have one pid.
    #[error("pid {0} is there twice")]
    Twice(u32),
}

/// Refuses what begins otherwise.
fn check_schema(text: &[u8], wanted: &'static str) -> Result<(), ParseError> {
    let head: Head = serde_json::from_slice(text)?;
    if head.schema == wanted { Ok(()) } else { Err(ParseError::Schema { found: name_of(&head.schema), wanted }) }
}

/// Reads a mark.
pub fn from_json(text: &[u8]) -> Result<Mark, ParseError> {
    check_schema(text, SCHEMA)?;
    let document: Document = serde_json::from_slice(text)?;
    let mut meminfo = Meminfo::default();
    for (line, bytes) in &document.meminfo {
        if let Some(reading) = meminfo.line_mut(line.as_bytes()) {
            *reading = Reading::Value(*bytes);
        }
    }
    let mut processes: Vec<MarkedProcess> = document.processes.iter().map(process).collect();
    processes.sort_by_key(|process| process.key.pid);
    if let Some(pair) = processes.windows(2).find(|pair| pair[0].key.pid == pair[1].key.pid) {
        return Err(ParseError::Twice(pair[0].key.pid));
    }
    Ok(Mark {
        name: name_of(&document.name),
        boot_id: Text::from(document.boot_id.as_str()),
        host: Text::from(document.host.as_str()),
        at: BootMs(document.at_ms),
        wall_ms: document.wall_ms,
        system: document.system.into_iter().map(|(key, value)| (key.into(), value)).collect(),
        meminfo,
        ram: document.ram.into_iter().map(|(key, bytes)| (key.into(), bytes)).collect(),
        processes,
    })
}

fn process(entry: &Entry) -> MarkedProcess {
    let text = |text: &String| Text::from(text.as_str());
    let membership = Membership {
        memory: text(&entry.cgroup),
        managed: text(entry.managed.as_ref().unwrap_or(&entry.cgroup)),
        version: if entry.v1 { CgroupVersion::V1 } else { CgroupVersion::V2 },
    };
    let identity = Identity {
        comm: text(&entry.name),
        command: text(&entry.command),
        uid: entry.uid,
        is_kernel_thread: entry.kernel_thread,
        cgroup: Arc::new(membership),
        ..Identity::default()
    };
    let key = ProcessKey { pid: entry.pid, start_time: entry.start_time };
    let mut process = MarkedProcess::new(key, Arc::new(identity));
    for (what, key) in Marked::ALL {
        if let Some(value) = entry.values.get(key).and_then(serde_json::Value::as_u64) {
            process.set(what, value);
        }
    }
    process
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::testing;

    fn mark() -> Mark {
        let mut node = testing::process(7, "node", "node app.js");
        testing::set_memory(&mut node, 840, Some((812, 800)));
        let mut evil = testing::process(9, "x\u{1b}[2J", "x");
        testing::set_memory(&mut evil, 22, None);
        let mut snapshot = testing::snapshot(vec![Arc::new(node), Arc::new(evil)]);
        let sample = Arc::make_mut(&mut snapshot.sample);
        Arc::make_mut(&mut sample.host).boot_id = "5f3a".into();
        Mark::of("before", &snapshot)
    }

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let mut mark = mark();
        let text = to_json(&mark).unwrap();
        assert!(text.starts_with("{\"schema\":\"memtide.mark/1\""), "{text}");
        let read = from_json(text.as_bytes()).unwrap();
        // Keys come back in their own order, and what was escaped stays so.
        mark.system.sort_by(|a, b| a.0.cmp(&b.0));
        mark.ram.sort();
        assert_eq!((&read.system, &read.ram, &read.meminfo), (&mark.system, &mark.ram, &mark.meminfo));
        assert_eq!(
            (&read.name, &read.boot_id, read.at, read.wall_ms),
            (&mark.name, &mark.boot_id, mark.at, mark.wall_ms)
        );
        assert_eq!(read.processes[0], mark.processes[0]);
        assert_eq!(read.processes[1].identity.comm.escaped(), "x\\x1b[2J");
        for (what, _) in Marked::ALL {
            assert_eq!(read.processes[1].value(what), mark.processes[1].value(what));
        }
        assert_eq!(read.processes[1].value(Marked::Pss), None, "unknown is no zero");
    }

    #[test]
    fn what_is_no_mark_is_refused_with_the_place() {
        let text = to_json(&mark()).unwrap();
        let error = |text: &str| from_json(text.as_bytes()).unwrap_err().to_string();
        assert!(error("").contains("line 1"));
        assert!(error(&text[..text.len() / 2]).contains("line 1 column"));
        assert!(
            error(&text.replace("mark/1", "mark/2"))
                .contains("`memtide.mark/2`, and what is read here is memtide.mark/1")
        );
        assert!(error(&text.replace("\"boot_id\"", "\"boot\"")).contains("missing field `boot_id`"));
        assert!(error(&text.replace("\"pid\":9", "\"pid\":7")).contains("pid 7 is there twice"));
        assert!(error(&text.replace("\"pid\":9", "\"pid\":-9")).contains("invalid value"));
    }

    #[test]
    fn keys_of_a_later_memtide_are_skipped() {
        let text = to_json(&mark()).unwrap().replace("{\"pid\":7", "{\"new_thing\":[1],\"pid\":7");
        assert_eq!(from_json(text.as_bytes()).unwrap().processes[0], mark().processes[0]);
    }

    proptest! {
        #[test]
        fn a_damaged_mark_is_read_or_refused(at in 0usize..2000, byte: u8) {
            let mut text = to_json(&mark()).unwrap().into_bytes();
            let at = at % text.len();
            text[at] = byte;
            if let Ok(mark) = from_json(&text) {
                prop_assert!(to_json(&mark).is_ok());
            }
        }
    }
}
