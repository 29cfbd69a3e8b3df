//! What somebody did to the machine while it was watched, and what came of it: as it is recorded.

use serde::{Deserialize, Serialize};

use super::key::ProcessKey;
use super::text::Text;

/// An action that was carried out. One that is measured again later is told twice, with the same moment and words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// When it began, milliseconds since the Unix epoch.
    pub wall_ms: i64,
    /// The word for it, as `memtide act` takes it: `signal`, `drop_caches`.
    pub action: Text,
    /// What it was, in a line.
    pub title: Text,
    /// The process that it was done to, or the first of several.
    pub target: Option<ProcessKey>,
    /// To whom or what: pids, the path of a control group; empty where that is the machine.
    pub on: Text,
    /// What came of it, a sentence for each target, between semicolons.
    pub result: Text,
    /// Whether all of it was done.
    pub is_done: bool,
    /// Whether this tells what was measured some time later.
    pub is_settled: bool,
    /// What it was to change, before and after: `RSS 812M -> 0`, between commas.
    pub measured: Text,
}

impl Deed {
    /// Whether both tell of the same action.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.wall_ms, &self.action, &self.title, &self.on) == (other.wall_ms, &other.action, &other.title, &other.on)
    }

    /// What it was and what came of it, in a line; escaped.
    pub fn told(&self) -> String {
        let title = self.title.escaped();
        let words = [&self.result, &self.measured].map(|text| text.escaped());
        let said: Vec<&str> = words.iter().map(|text| &**text).filter(|text| !text.is_empty()).collect();
        if said.is_empty() { title.into_owned() } else { format!("{title}: {}", said.join("; ")) }
    }
}
