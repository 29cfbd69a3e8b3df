//! What whoever started an action can still say to it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Stops an action early, and says how long it is watched afterwards.
#[derive(Debug)]
pub struct Control {
    is_cancelled: Mutex<bool>,
    changed: Condvar,
    settle: Duration,
}

impl Control {
    /// After how long an effect is measured again unless told otherwise.
    pub const SETTLE: Duration = Duration::from_secs(30);

    /// A control of an action that is measured again after some time; zero for not at all.
    pub fn new(settle: Duration) -> Self {
        Self { is_cancelled: Mutex::new(false), changed: Condvar::new(), settle }
    }

    /// Stops the action where it can be stopped.
    pub fn cancel(&self) {
        *self.is_cancelled.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Whether it is to stop.
    pub fn is_cancelled(&self) -> bool {
        *self.is_cancelled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn settle(&self) -> Duration {
        self.settle
    }

    /// Waits for so long; returns early, and true, where the action is to stop.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let mut is_cancelled = self.is_cancelled.lock().unwrap_or_else(PoisonError::into_inner);
        while !*is_cancelled {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let woken = self.changed.wait_timeout(is_cancelled, left);
            is_cancelled = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        *is_cancelled
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_cancel_ends_a_wait_of_an_hour() {
        let control = Arc::new(Control::new(Duration::ZERO));
        let waiting = std::thread::spawn({
            let control = Arc::clone(&control);
            move || control.wait(Duration::from_hours(1))
        });
        control.cancel();
        assert!(waiting.join().unwrap() && control.is_cancelled());
    }

    #[test]
    fn a_wait_that_nobody_ends_is_over_in_time() {
        assert!(!Control::new(Duration::ZERO).wait(Duration::from_millis(1)));
    }
}
