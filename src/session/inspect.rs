//! One process looked at whole, again and again, on a thread of its own, for as long as somebody wants it. Neither the
//! samples nor a key press waits for it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crate::model::inspect::{Inspection, PartSet};
use crate::model::key::ProcessKey;

/// What is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InspectWish {
    /// Whose.
    pub key: ProcessKey,
    /// Which parts: only what is shown is read.
    pub parts: PartSet,
}

/// What came of a look, or why nothing did, as a sentence without its full stop.
pub type Looked = Result<Arc<Inspection>, Arc<str>>;

/// Looks at one process. It keeps its buffers between looks.
pub type Look = Box<dyn FnMut(&InspectWish) -> Looked + Send>;

/// Begins to look: what is needed for it is held only while somebody looks.
pub type Inspector = Box<dyn Fn() -> Look + Send>;

/// A look may take this share of the time: what takes long is done less often. Reading `smaps` holds the process's mmap
/// lock.
const SHARE: u32 = 20;

/// The looks that are wanted now, if any are, and the latest.
pub(super) struct Inspecting {
    inspector: Option<Inspector>,
    running: Option<Running>,
    latest: Option<Looked>,
}

/// A thread that looks. It ends when this is dropped.
struct Running {
    key: ProcessKey,
    wish: Arc<Wish>,
}

struct Wish {
    state: Mutex<WishState>,
    changed: Condvar,
}

struct WishState {
    wish: InspectWish,
    interval: Duration,
    is_new: bool,
    is_over: bool,
}

impl Inspecting {
    /// Nothing is looked at yet. Without an inspector nothing ever is.
    pub(super) fn new(inspector: Option<Inspector>) -> Self {
        Self { inspector, running: None, latest: None }
    }

    /// Takes a wish. `send` gives what was seen to [`Inspecting::take`], on this thread.
    pub(super) fn want(
        &mut self,
        wish: Option<InspectWish>,
        interval: Duration,
        send: impl Fn(ProcessKey, Looked) + Send + 'static,
    ) {
        let Some(wish) = wish else {
            self.running = None;
            self.latest = None;
            return;
        };
        if let Some(running) = self.running.as_ref().filter(|running| running.key == wish.key) {
            running.wish.replace(wish, interval);
            return;
        }
        (self.running, self.latest) = (None, None);
        let started = match &self.inspector {
            Some(inspector) => Running::start(wish, interval, inspector(), send),
            None => Err("samples alone were recorded".into()),
        };
        match started {
            Ok(running) => self.running = Some(running),
            Err(why) => self.latest = Some(Err(why)),
        }
    }

    /// Takes what came of a look; what is no longer wanted is dropped.
    pub(super) fn take(&mut self, key: ProcessKey, looked: Looked) {
        if self.running.as_ref().is_some_and(|running| running.key == key) {
            self.latest = Some(looked);
        }
    }

    /// What came of the last look at what is wanted.
    pub(super) fn latest(&self) -> Option<Looked> {
        self.latest.clone()
    }
}

impl Running {
    fn start(
        wish: InspectWish,
        interval: Duration,
        look: Look,
        send: impl Fn(ProcessKey, Looked) + Send + 'static,
    ) -> Result<Self, Arc<str>> {
        let state = Mutex::new(WishState { wish, interval, is_new: false, is_over: false });
        let shared = Arc::new(Wish { state, changed: Condvar::new() });
        let thread = Arc::clone(&shared);
        let started = Builder::new().name("inspect".into()).spawn(move || thread.run(look, send));
        match started {
            Ok(_) => Ok(Self { key: wish.key, wish: shared }),
            Err(error) => Err(format!("no thread could be started: {error}").into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.wish.lock().is_over = true;
        self.wish.changed.notify_one();
    }
}

impl Wish {
    fn lock(&self) -> MutexGuard<'_, WishState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, wish: InspectWish, interval: Duration) {
        let mut state = self.lock();
        // What is shown already is not read again before its time.
        state.is_new |= state.wish != wish;
        state.wish = wish;
        state.interval = interval;
        self.changed.notify_one();
    }

    fn run(&self, mut look: Look, send: impl Fn(ProcessKey, Looked)) {
        loop {
            let wish = {
                let mut state = self.lock();
                if state.is_over {
                    return;
                }
                state.is_new = false;
                state.wish
            };
            let began = Instant::now();
            let looked = look(&wish);
            let took = began.elapsed();
            send(wish.key, looked);
            if self.wait(began, took) {
                return;
            }
        }
    }

    /// Waits for the next turn. True when nobody wants it any longer.
    fn wait(&self, began: Instant, took: Duration) -> bool {
        let mut state = self.lock();
        loop {
            if state.is_over {
                return true;
            }
            let left = state.interval.max(took.saturating_mul(SHARE)).saturating_sub(began.elapsed());
            if state.is_new || left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::model::inspect::Part;

    const NEVER: Duration = Duration::from_hours(1);

    fn wish(pid: u32, parts: PartSet) -> InspectWish {
        InspectWish { key: ProcessKey { pid, start_time: 1 }, parts }
    }

    /// An inspector whose looks tell what they were asked for, and what came of each look.
    fn inspecting() -> (Inspecting, Receiver<InspectWish>) {
        let (tell, told) = channel();
        let inspector: Inspector = Box::new(move || {
            let tell = tell.clone();
            Box::new(move |wish| {
                tell.send(*wish).unwrap();
                Err(format!("look at {}", wish.key.pid).into())
            })
        });
        (Inspecting::new(Some(inspector)), told)
    }

    #[test]
    fn a_new_wish_is_looked_for_at_once_and_the_same_one_not_again() {
        let (mut inspecting, told) = inspecting();
        let (send, results) = channel();
        let mut want = |wish: InspectWish| {
            let send = send.clone();
            inspecting.want(Some(wish), NEVER, move |key, looked| drop(send.send((key, looked))));
        };
        let all = PartSet::all();
        let few: PartSet = [Part::Threads].into_iter().collect();
        for (asked, is_looked_for) in [
            (wish(7, all), true),
            (wish(7, all), false),
            (wish(7, few), true),
            (wish(8, few), true),
            (wish(8, few), false),
            (wish(7, all), true),
        ] {
            want(asked);
            if is_looked_for {
                assert_eq!(told.recv().unwrap(), asked);
                assert_eq!(results.recv().unwrap().0, asked.key);
            }
        }
    }

    #[test]
    fn what_came_of_a_look_is_held_until_nobody_wants_it() {
        let (mut inspecting, told) = inspecting();
        let (send, results) = channel();
        inspecting.want(Some(wish(7, PartSet::all())), NEVER, move |key, looked| drop(send.send((key, looked))));
        let (key, looked) = results.recv().unwrap();
        inspecting.take(ProcessKey { pid: 8, ..key }, looked.clone());
        assert_eq!(inspecting.latest(), None, "another's");
        inspecting.take(key, looked.clone());
        assert_eq!(inspecting.latest(), Some(Err("look at 7".into())));
        inspecting.want(None, NEVER, |_, _| {});
        assert_eq!(inspecting.latest(), None);
        inspecting.take(key, looked);
        assert_eq!(inspecting.latest(), None, "too late");
        // The thread and what it held have gone: nobody can send any more.
        drop(inspecting);
        assert_eq!(told.iter().count(), 1);
        assert_eq!(results.iter().count(), 0);
    }

    #[test]
    fn looks_follow_each_other_by_the_interval() {
        let (mut inspecting, told) = inspecting();
        inspecting.want(Some(wish(7, PartSet::all())), Duration::from_millis(1), |_, _| {});
        assert_eq!(told.iter().take(3).count(), 3);
    }

    #[test]
    fn where_nothing_can_be_looked_at_it_is_said() {
        let mut inspecting = Inspecting::new(None);
        inspecting.want(Some(wish(7, PartSet::all())), NEVER, |_, _| {});
        assert_eq!(inspecting.latest(), Some(Err("samples alone were recorded".into())));
    }
}
