//! A mark of one process: an inspection of it as JSON, to be compared with by a later `memtide inspect`.
//!
//! `memtide.inspection/1`: `{schema, name, host, boot_id, inspection}`. The inspection is as it was read; names are kept
//! byte for byte, so that the same name is the same line later.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::file::{MarkError, other_boot, read_bytes, write};
use super::{ParseError, check_schema};
use crate::model::inspect::Inspection;
use crate::model::key::ProcessKey;
use crate::model::mark::name_of;
use crate::model::sample::Host;
use crate::model::text::Text;

/// What every such mark begins with.
pub const SCHEMA: &str = "memtide.inspection/1";

/// What sets one.
const MEND: &str = "memtide inspect PID --save-mark FILE";

/// An inspection that was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct InspectMark {
    /// Its name for people, harmless and short.
    pub name: String,
    /// The machine's name.
    pub host: Text,
    /// The boot it was taken in.
    pub boot_id: Text,
    /// What was seen.
    pub inspection: Inspection,
}

#[derive(Serialize)]
struct Written<'a> {
    schema: &'static str,
    name: &'a str,
    host: String,
    boot_id: String,
    inspection: &'a Inspection,
}

#[derive(Deserialize)]
struct Document {
    name: String,
    host: String,
    boot_id: String,
    inspection: Inspection,
}

impl InspectMark {
    /// Reads a mark.
    pub fn read(path: &Path) -> Result<Self, MarkError> {
        let text = read_bytes(path)?;
        from_json(&text).map_err(|problem| MarkError::Format { path: path.into(), problem, mend: MEND })
    }

    /// Writes the mark, in place of an older one. Nothing but a mark of a process is ever written over.
    pub fn save(&self, path: &Path) -> Result<(), MarkError> {
        let io = |error: serde_json::Error| MarkError::Io { path: path.into(), source: error.into() };
        write(path, SCHEMA, &to_json(self).map_err(io)?)
    }

    /// Refuses a mark of another boot, or of another process than that of this key.
    pub fn check(&self, path: &Path, host: &Host, key: ProcessKey) -> Result<(), MarkError> {
        let inspection = &self.inspection;
        if self.boot_id != host.boot_id {
            return Err(other_boot(path, &self.host, inspection.wall_ms, MEND));
        }
        let what = match inspection.key {
            marked if marked == key => return Ok(()),
            marked if marked.pid == key.pid => "which has ended: another process, started later, has its pid now",
            _ => "and this is another process",
        };
        let comm = inspection.overview.process.identity.comm.escaped();
        let marked = format!("{comm}[{}]", inspection.key.pid);
        Err(MarkError::OtherProcess { path: path.into(), marked, what, mend: MEND })
    }
}

fn to_json(mark: &InspectMark) -> serde_json::Result<String> {
    let mut text = serde_json::to_string(&Written {
        schema: SCHEMA,
        name: &mark.name,
        host: mark.host.escaped().into_owned(),
        boot_id: mark.boot_id.escaped().into_owned(),
        inspection: &mark.inspection,
    })?;
    text.push('\n');
    Ok(text)
}

fn from_json(text: &[u8]) -> Result<InspectMark, ParseError> {
    check_schema(text, SCHEMA)?;
    let document: Document = serde_json::from_slice(text)?;
    Ok(InspectMark {
        name: name_of(&document.name),
        host: Text::from(document.host.as_str()),
        boot_id: Text::from(document.boot_id.as_str()),
        inspection: document.inspection,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::collect::inspect::Inspector;
    use crate::collect::root::ProcRoot;
    use crate::model::inspect::PartSet;

    /// A mark of this very process.
    fn mark() -> (InspectMark, Host) {
        let mut inspector = Inspector::open(ProcRoot::live()).unwrap();
        let key = inspector.key_of(std::process::id()).unwrap();
        let inspection = inspector.inspect(key, PartSet::all(), std::time::Duration::from_mins(1)).unwrap();
        let host = inspector.host().clone();
        let mark =
            InspectMark { name: "before".into(), host: host.name.clone(), boot_id: host.boot_id.clone(), inspection };
        (mark, host)
    }

    #[test]
    fn a_mark_of_a_process_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("before.json");
        let (mut mark, _) = mark();
        Arc::make_mut(&mut mark.inspection.overview.process.identity).comm = Text::new(&b"x\x1b[2J\xff"[..]);
        mark.save(&path).unwrap();
        assert_eq!(InspectMark::read(&path).unwrap(), mark);
        mark.save(&path).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_mark_of_another_process_boot_or_kind_is_refused_with_the_mend() {
        let (mark, host) = mark();
        let path = Path::new("/x/a.json");
        let key = mark.inspection.key;
        mark.check(path, &host, key).unwrap();
        let later = ProcessKey { start_time: key.start_time + 1, ..key };
        let other = ProcessKey { pid: key.pid + 1, ..key };
        let rebooted = Host { boot_id: "another".into(), ..host.clone() };
        for (refused, says) in [
            (mark.check(path, &host, later), "another process, started later, has its pid now"),
            (mark.check(path, &host, other), "and this is another process"),
            (mark.check(path, &rebooted, key), "of another boot"),
        ] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("/x/a.json"), "{error}");
            assert!(error.contains("`memtide inspect PID --save-mark FILE`"), "{error}");
        }
        let text = to_json(&mark).unwrap().replace("memtide.inspection/1", "memtide.mark/1");
        let error = from_json(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("it is `memtide.mark/1`, and what is read here is memtide.inspection/1"), "{error}");
    }
}
