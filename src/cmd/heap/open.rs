//! Opens a snapshot and shows how far that is where somebody waits for it.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::heap::explorer::{Explorer, Phase};
use crate::heap::graph::HeapGraph;
use crate::session::heap::open::{Watch, graph as read};
use crate::units::{Bytes, Percent};

/// A wait of less says nothing.
const SILENCE: Duration = Duration::from_secs(1);

/// Time between two words on it.
const PACE: Duration = Duration::from_millis(100);

/// Who waits, and for what.
pub(super) struct Waiting {
    began: Instant,
    said: Option<Instant>,
    is_terminal: bool,
    file: String,
}

impl Waiting {
    pub(super) fn for_file(path: &Path) -> Self {
        let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let file = crate::model::text::escape(file.as_bytes()).into_owned();
        Self { began: Instant::now(), said: None, is_terminal: io::stderr().is_terminal(), file }
    }

    fn say(&mut self, what: &str) {
        let is_early = self.began.elapsed() < SILENCE || self.said.is_some_and(|said| said.elapsed() < PACE);
        if self.is_terminal && !is_early {
            self.said = Some(Instant::now());
            // Nothing is lost where it can't be said.
            let _ = write!(io::stderr(), "\r\x1b[K{}: {what}", self.file);
        }
    }

    fn read(&mut self, position: u64, length: Option<u64>) {
        let share = length.map(|length| format!("{} of ", Percent(position as f64 * 100.0 / length.max(1) as f64)));
        let of = length.unwrap_or(position);
        self.say(&format!("reading, {}{}", share.unwrap_or_default(), Bytes(of)));
    }

    pub(super) fn phase(&mut self, phase: Phase) {
        // A phase is told at once: it may last.
        if self.said.is_some() {
            self.said = None;
        }
        self.say(match phase {
            Phase::Reading => "reading",
            Phase::Owners => "whose each size is",
            Phase::Dominators => "what retains what",
            Phase::Classes => "classes",
        });
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.said.is_some() && self.is_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Reads a snapshot's nodes, edges and strings.
pub(super) fn graph(path: &Path, is_forced: bool, waiting: &mut Waiting) -> anyhow::Result<HeapGraph> {
    let mut watch = Watch { is_over: None, read: &mut |position, length| waiting.read(position, length) };
    read(path, is_forced, &mut watch).with_context(|| path.display().to_string())
}

/// Reads a snapshot and computes what every question needs.
pub(super) fn explorer(path: &Path, is_forced: bool) -> anyhow::Result<Explorer> {
    let mut waiting = Waiting::for_file(path);
    let graph = graph(path, is_forced, &mut waiting)?;
    Explorer::new(graph, &mut |phase| waiting.phase(phase)).with_context(|| path.display().to_string())
}
