//! The signals that end what a command does, and not what it has to say.

use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, SIGTERM and, unless it is ignored as nohup(1) has it, SIGHUP.
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Stop {
    /// Catches them from now on.
    pub(super) fn listen(runtime: &Runtime) -> io::Result<Self> {
        let _guard = runtime.enter();
        let is_ignored = crate::collect::host::ignores_hangup();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if is_ignored { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    /// Waits until one of them comes.
    pub(super) async fn came(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }

    /// Waits for so long; whether one of them came.
    pub(super) fn came_within(&mut self, runtime: &Runtime, time: Duration) -> bool {
        runtime.block_on(async {
            tokio::select! {
                () = self.came() => true,
                () = tokio::time::sleep(time) => false,
            }
        })
    }
}
