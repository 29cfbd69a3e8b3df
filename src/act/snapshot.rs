//! The heap snapshots that rules take: where they are written, one after the other, and stopped where the guard ends.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::control::Control;
use super::effect::{Effect, Target};
use super::heap::Options;

/// What takes snapshots.
#[derive(Debug)]
pub struct Snapshots {
    folder: PathBuf,
    control: Control,
    /// Whoever holds this takes one: each of them needs memory beside the heap it is of.
    turn: Mutex<()>,
}

impl Snapshots {
    /// Snapshots that are written to this folder.
    pub fn to(folder: PathBuf) -> Self {
        Self { folder, control: Control::new(Duration::ZERO), turn: Mutex::new(()) }
    }

    /// Takes one, the wait for its turn included, within this time. `act` carries an effect out.
    pub fn take(
        &self,
        target: &Target,
        timeout: Duration,
        act: impl FnOnce(&Effect, &Control) -> Result<String, String>,
    ) -> Result<String, String> {
        let began = Instant::now();
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.control.is_cancelled() {
            return Err(format!("{} {}: the guard ends: no heap snapshot is begun", target.command, target.key.pid));
        }
        let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
        let file = self.folder.join(format!("node-{}-{now}.heapsnapshot", target.key.pid));
        let options = Options { timeout: timeout.saturating_sub(began.elapsed()), force: false };
        let file = file.to_string_lossy().into_owned();
        act(&Effect::HeapSnapshot { target: target.clone(), file, options }, &self.control)
    }

    /// Stops what is under way, and waits until the process is as it was before: its inspector closed, no half of a file.
    pub fn end(&self) {
        self.control.cancel();
        drop(self.turn.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
