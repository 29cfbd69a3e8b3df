//! A process held so that a signal reaches it or nobody.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, kill_process, pidfd_open, pidfd_send_signal};

use super::effect::Signal;
use super::signal::native;
use crate::collect::parse::parse_stat;
use crate::collect::root::ProcRoot;
use crate::model::key::ProcessKey;

/// A process that was there, with the start time that was expected, after it was held.
pub(super) struct Held<'a> {
    key: ProcessKey,
    pid: Pid,
    root: &'a ProcRoot,
    /// `None` before Linux 5.3, which has no pidfd_open(2).
    fd: Option<OwnedFd>,
}

/// Why a signal did not reach its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Missed {
    /// It has ended.
    #[error("has ended already: nothing was sent")]
    Ended,
    /// Its pid belongs to another process by now.
    #[error("has ended, and its pid belongs to another process now: nothing was sent")]
    Reused,
    /// The kernel refused.
    #[error("not permitted: it takes the process's own user, root or CAP_KILL")]
    Denied,
    /// There is no such signal here.
    #[error("the C library keeps this signal for itself")]
    NoSignal,
    /// Anything else.
    #[error("failed: {0}")]
    Failed(Errno),
}

impl<'a> Held<'a> {
    /// Takes hold of a process. The order matters: first the pidfd, then the start time. If the start time is the
    /// expected one, the process behind the pidfd started no later, and so is the one that was chosen.
    pub(super) fn open(root: &'a ProcRoot, key: ProcessKey) -> Result<Self, Missed> {
        let pid = Pid::from_raw(key.pid as i32).ok_or(Missed::Ended)?;
        let fd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => Some(fd),
            Err(Errno::NOSYS | Errno::PERM) => None,
            Err(Errno::SRCH | Errno::INVAL) => return Err(Missed::Ended),
            Err(error) => return Err(Missed::Failed(error)),
        };
        let held = Self { key, pid, root, fd };
        match held.start_time() {
            Some((start_time, _)) if start_time == key.start_time => Ok(held),
            Some(_) => Err(Missed::Reused),
            None => Err(Missed::Ended),
        }
    }

    /// Sends a signal. Without a pidfd the start time is checked once more just before.
    pub(super) fn send(&self, signal: Signal) -> Result<(), Missed> {
        let signal = native(signal).ok_or(Missed::NoSignal)?;
        let sent = match &self.fd {
            Some(fd) => pidfd_send_signal(fd, signal),
            None if self.start_time().is_none_or(|(start_time, _)| start_time != self.key.start_time) => {
                return Err(Missed::Ended);
            }
            None => kill_process(self.pid, signal),
        };
        sent.map_err(|error| match error {
            Errno::SRCH => Missed::Ended,
            Errno::PERM => Missed::Denied,
            other => Missed::Failed(other),
        })
    }

    /// Waits until the process has ended, at most until `deadline`. Returns whether it has.
    pub(super) fn wait(&self, deadline: Instant) -> bool {
        /// How often a kernel without pidfds is asked.
        const STEP: Duration = Duration::from_millis(50);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match &self.fd {
                Some(fd) => {
                    let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
                    match poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout)) {
                        Ok(ready) => return ready > 0,
                        Err(Errno::INTR) => {}
                        Err(_) => return self.has_ended(),
                    }
                }
                None if self.has_ended() => return true,
                None if left.is_zero() => return false,
                None => std::thread::sleep(STEP.min(left)),
            }
        }
    }

    /// Whether it is gone, or a zombie: it holds no memory any more.
    fn has_ended(&self) -> bool {
        self.start_time().is_none_or(|(start, state)| start != self.key.start_time || matches!(state, b'Z' | b'X'))
    }

    fn start_time(&self) -> Option<(u64, u8)> {
        let stat = std::fs::read(self.root.proc.join(self.key.pid.to_string()).join("stat")).ok()?;
        parse_stat(&stat).map(|line| (line.start_time, line.stat.state))
    }
}
