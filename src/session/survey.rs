//! Surveys beside the samples: a thread of their own that lives only while somebody looks, so that what is dear to read
//! holds up neither a sample nor a key.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crate::collect::root::ProcRoot;
use crate::collect::survey::Surveyor;
use crate::model::survey::{Survey, SurveyWish};

/// Takes in what was surveyed, `None` once it is forgotten. False where nobody listens any more.
pub(super) type Deliver = Box<dyn FnMut(Option<Arc<Survey>>) -> bool + Send>;

/// The wish that the thread follows.
pub(super) struct Surveys {
    /// What is surveyed; `None` where a source has nothing to survey.
    root: Option<ProcRoot>,
    state: Arc<(Mutex<State>, Condvar)>,
    deliver: Box<dyn Fn() -> Deliver + Send + Sync>,
}

#[derive(Default)]
struct State {
    wish: SurveyWish,
    is_running: bool,
    is_over: bool,
}

/// The share of one core that each part may take.
const SHARE: f64 = 0.02;

/// The look at all processes goes on so long at a time, microseconds, and rests for [`BETWEEN_SLICES`] then.
const SLICE_US: u64 = 20_000;
const BETWEEN_SLICES: Duration = Duration::from_millis(180);

/// Between two looks with nothing under way.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Who looks elsewhere may come back: so long what was found is kept.
const LINGER: Duration = Duration::from_secs(30);

impl Surveys {
    /// Nothing is surveyed yet. `deliver` makes what takes in the findings of a thread.
    pub(super) fn new(root: Option<ProcRoot>, deliver: impl Fn() -> Deliver + Send + Sync + 'static) -> Self {
        Self { root, state: Arc::default(), deliver: Box::new(deliver) }
    }

    /// Replaces the wish. The thread is started with the first one and ends a while after the last.
    pub(super) fn ask(&self, wish: SurveyWish) {
        let Some(root) = &self.root else { return };
        let mut state = lock(&self.state.0);
        if state.wish == wish {
            return;
        }
        state.wish = wish;
        self.state.1.notify_one();
        if wish.is_some() && !state.is_running {
            let (root, shared, deliver) = (root.clone(), Arc::clone(&self.state), (self.deliver)());
            // Where no thread can be had there are no surveys: the view says that they are not read yet.
            state.is_running = Builder::new().name("survey".into()).spawn(move || run(root, &shared, deliver)).is_ok();
        }
    }
}

impl Drop for Surveys {
    fn drop(&mut self) {
        lock(&self.state.0).is_over = true;
        self.state.1.notify_one();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(root: ProcRoot, shared: &(Mutex<State>, Condvar), mut deliver: Deliver) {
    let mut surveyor = Surveyor::new(root);
    let mut last: Option<Arc<Survey>> = None;
    while let Some(wish) = next_wish(shared) {
        let survey = surveyor.look(wish, SHARE, SLICE_US);
        if last.as_deref() != Some(survey) {
            let survey = Arc::new(survey.clone());
            last = Some(Arc::clone(&survey));
            if !deliver(Some(survey)) {
                lock(&shared.0).is_running = false;
                return;
            }
        }
        let pause = if surveyor.is_under_way(wish) { BETWEEN_SLICES } else { BETWEEN_LOOKS };
        wait(shared, wish, pause);
    }
    deliver(None);
}

/// The wish of this moment. Without one it waits for a while, and then there is none any more.
fn next_wish(shared: &(Mutex<State>, Condvar)) -> Option<SurveyWish> {
    let mut state = lock(&shared.0);
    let since = Instant::now();
    loop {
        let left = LINGER.saturating_sub(since.elapsed());
        if state.is_over || !state.wish.is_some() && left.is_zero() {
            // In the same breath: whoever asks from now on starts a new thread.
            state.is_running = false;
            return None;
        }
        if state.wish.is_some() {
            return Some(state.wish);
        }
        state = shared.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Waits until the wish is another one, or for so long.
fn wait(shared: &(Mutex<State>, Condvar), wish: SurveyWish, pause: Duration) {
    let mut state = lock(&shared.0);
    let since = Instant::now();
    loop {
        let left = pause.saturating_sub(since.elapsed());
        if state.is_over || state.wish != wish || left.is_zero() {
            return;
        }
        state = shared.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    const PATIENCE: Duration = Duration::from_mins(1);

    fn surveys() -> (Surveys, Receiver<Option<Arc<Survey>>>) {
        let (sender, inbox) = channel();
        let surveys = Surveys::new(Some(ProcRoot::live()), move || {
            let sender = sender.clone();
            Box::new(move |survey| sender.send(survey).is_ok())
        });
        (surveys, inbox)
    }

    #[test]
    fn nothing_is_read_before_somebody_asks_and_then_what_was_asked_for() {
        let (surveys, inbox) = surveys();
        surveys.ask(SurveyWish::default());
        assert!(!lock(&surveys.state.0).is_running && inbox.try_recv().is_err());
        surveys.ask(SurveyWish { settings: true, ..SurveyWish::default() });
        let first = inbox.recv_timeout(PATIENCE).unwrap().unwrap();
        assert!(first.settings.value().is_some() && first.tmpfs.value().is_none());
        surveys.ask(SurveyWish { shared: true, ..SurveyWish::default() });
        let more = std::iter::from_fn(|| inbox.recv_timeout(PATIENCE).ok().flatten());
        let both = more.into_iter().find(|survey| survey.tmpfs.value().is_some()).unwrap();
        assert!(both.settings.value().is_some(), "what was read before is kept");
    }

    #[test]
    fn the_thread_ends_with_the_session() {
        let (surveys, inbox) = surveys();
        surveys.ask(SurveyWish::ALL);
        assert!(inbox.recv_timeout(PATIENCE).unwrap().is_some());
        drop(surveys);
        // The sender goes with the thread.
        while inbox.recv_timeout(PATIENCE).is_ok_and(|survey| survey.is_some()) {}
        assert_eq!(inbox.recv_timeout(PATIENCE), Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn who_does_not_listen_any_more_ends_it() {
        let (surveys, inbox) = surveys();
        drop(inbox);
        surveys.ask(SurveyWish { settings: true, ..SurveyWish::default() });
        let since = Instant::now();
        while lock(&surveys.state.0).is_running {
            assert!(since.elapsed() < PATIENCE, "it goes on");
            std::thread::yield_now();
        }
    }
}
