//! Something that takes its time, beside a thread that listens for Ctrl-C.

use std::time::Duration;

use crate::act::control::Control;
use crate::cmd::stop::Stop;

/// How often it is looked whether it is done.
const STEP: Duration = Duration::from_millis(20);

/// Does something that a signal stops early.
pub(super) fn beside<T: Send>(act: impl FnOnce(&Control) -> T + Send) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut stop = Stop::listen(&runtime)?;
    let control = Control::new(Duration::ZERO);
    std::thread::scope(|scope| {
        let acting = scope.spawn(|| act(&control));
        while !acting.is_finished() {
            if stop.came_within(&runtime, STEP) {
                control.cancel();
            }
        }
        acting.join().map_err(|_| anyhow::anyhow!("it ended in a way that it should not"))
    })
}

/// Waits for so long; whether a signal ended the wait.
pub(super) fn wait(time: Duration) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut stop = Stop::listen(&runtime)?;
    Ok(stop.came_within(&runtime, time))
}
