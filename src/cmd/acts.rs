//! The actions of the live view, each on a thread of its own: sync(2) and a grace period take their time.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::mpsc::UnboundedSender;

use crate::act::control::Control;
use crate::act::deed;
use crate::act::effect::{Effect, Outcome};
use crate::act::journal::Journal;
use crate::act::run::{not_begun, run};
use crate::collect::root::ProcRoot;
use crate::session::thread::Noter;

/// What is under way, and where its outcomes go.
pub(super) struct Acts {
    root: Arc<ProcRoot>,
    keep: Keep,
    running: Vec<Act>,
}

/// Where outcomes go.
#[derive(Clone)]
struct Keep {
    journal: Option<Arc<Mutex<Journal>>>,
    note: Option<Noter>,
    report: UnboundedSender<Outcome>,
}

/// One of them.
struct Act {
    control: Arc<Control>,
    effect: Effect,
    thread: JoinHandle<()>,
}

impl Acts {
    /// `note` records what is done, where a recording can go on beside it.
    pub(super) fn new(
        root: ProcRoot,
        journal: Option<Journal>,
        note: Option<Noter>,
        report: UnboundedSender<Outcome>,
    ) -> Self {
        let journal = journal.map(|journal| Arc::new(Mutex::new(journal)));
        let keep = Keep { journal, note, report };
        Self { root: Arc::new(root), keep, running: Vec::new() }
    }

    /// Begins one.
    pub(super) fn begin(&mut self, effect: Effect) {
        self.running.retain(|act| !act.thread.is_finished());
        let control = Arc::new(Control::new(Control::SETTLE));
        let (root, keep) = (Arc::clone(&self.root), self.keep.clone());
        let spawned = std::thread::Builder::new().name("act".into()).spawn({
            let (control, effect) = (Arc::clone(&control), effect.clone());
            move || run(&effect, &root, &control, |outcome| keep.tell(outcome))
        });
        match spawned {
            Ok(thread) => self.running.push(Act { control, effect, thread }),
            Err(error) => {
                let why = format!("nothing was done: no thread could be started: {error}");
                let now = jiff::Timestamp::now().as_millisecond();
                self.keep.tell(not_begun(&effect, now, why));
            }
        }
    }

    /// Stops what can be stopped; what has been done is only measured a last time.
    pub(super) fn stop(&self) {
        self.running.iter().filter(|act| act.effect.can_be_stopped()).for_each(|act| act.control.cancel());
    }

    /// The face is gone. Swap is taken back into use, and an inspector that was opened closed, before the program ends.
    pub(super) fn end(&mut self) {
        for act in self.running.drain(..) {
            if matches!(act.effect, Effect::RecycleSwap | Effect::HeapSnapshot { .. }) {
                act.control.cancel();
                // A panic there was told when it happened.
                let _ = act.thread.join();
            }
        }
    }
}

impl Keep {
    /// Keeps an outcome, and shows it.
    fn tell(&self, mut outcome: Outcome) {
        if let Some(journal) = &self.journal
            && let Err(error) = journal.lock().unwrap_or_else(PoisonError::into_inner).write(&outcome)
        {
            outcome.results.push(Err(format!("not written to the log: {error}")));
        }
        if let Some(note) = &self.note
            && let Some(deed) = deed::of(&outcome)
        {
            note.note(deed);
        }
        // Where the face has gone there is nobody to show it to.
        let _ = self.report.send(outcome);
    }
}
