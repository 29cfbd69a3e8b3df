//! A process held so that what is done reaches it or nobody.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, openat};
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
    /// `/proc/PID`: what is read or written below it is this process's, or fails with ESRCH once it has ended.
    folder: OwnedFd,
    /// `None` before Linux 5.3, which has no pidfd_open(2).
    fd: Option<OwnedFd>,
}

/// Why nothing reached its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Missed {
    /// It has ended.
    #[error("has ended already: nothing was done")]
    Ended,
    /// Its pid belongs to another process by now.
    #[error("has ended, and its pid belongs to another process now: nothing was done")]
    Reused,
    /// The kernel refused.
    #[error("not permitted: it takes the process's own user, root or CAP_KILL")]
    Denied,
    /// It carries the machine, or us.
    #[error("is protected: pid 1 never, and what carries this session is hit alone or not at all")]
    Protected,
    /// There is no such signal here.
    #[error("the C library keeps this signal for itself")]
    NoSignal,
    /// Anything else.
    #[error("failed: {0}")]
    Failed(Errno),
}

impl<'a> Held<'a> {
    /// Takes hold of a process. The order matters: first the pidfd and the folder, then the start time. If the start
    /// time is the expected one, the process behind both started no later, and so is the one that was chosen.
    pub(super) fn open(root: &'a ProcRoot, key: ProcessKey) -> Result<Self, Missed> {
        let pid = Pid::from_raw(key.pid as i32).ok_or(Missed::Ended)?;
        let fd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => Some(fd),
            Err(Errno::NOSYS | Errno::PERM) => None,
            Err(Errno::SRCH | Errno::INVAL) => return Err(Missed::Ended),
            Err(error) => return Err(Missed::Failed(error)),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = match openat(CWD, root.proc.join(key.pid.to_string()), flags, Mode::empty()) {
            Ok(folder) => folder,
            Err(Errno::NOENT | Errno::SRCH) => return Err(Missed::Ended),
            Err(error) => return Err(Missed::Failed(error)),
        };
        let held = Self { key, pid, root, folder, fd };
        match held.start_time() {
            Some((start_time, _)) if start_time == key.start_time => Ok(held),
            Some(_) => Err(Missed::Reused),
            // The folder is of one that has ended, and perhaps another one has the pid.
            None => Err(if held.is_reused() { Missed::Reused } else { Missed::Ended }),
        }
    }

    /// Sends a signal. Without a pidfd the start time is checked once more just before.
    pub(super) fn send(&self, signal: Signal) -> Result<(), Missed> {
        let signal = native(signal).ok_or(Missed::NoSignal)?;
        let sent = match &self.fd {
            Some(fd) => pidfd_send_signal(fd, signal),
            None if !self.is_there() => return Err(Missed::Ended),
            None => kill_process(self.pid, signal),
        };
        sent.map_err(|error| match error {
            Errno::SRCH => Missed::Ended,
            Errno::PERM => Missed::Denied,
            other => Missed::Failed(other),
        })
    }

    /// Does something that the kernel offers by pid alone. `Err(Ended)` where the process ended before or meanwhile:
    /// as long as it has not, nobody else can have its pid.
    pub(super) fn by_pid<T>(&self, act: impl FnOnce(Pid) -> Result<T, Errno>) -> Result<T, Missed> {
        if self.has_ended() {
            return Err(Missed::Ended);
        }
        let done = act(self.pid);
        if self.has_ended() {
            return Err(Missed::Ended);
        }
        done.map_err(|error| match error {
            Errno::SRCH => Missed::Ended,
            other => Missed::Failed(other),
        })
    }

    /// All of a file in its folder, `status` or `limits`.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, Errno> {
        let file = self.open_file(name, OFlags::RDONLY)?;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::fs::File::from(file), &mut bytes)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        Ok(bytes)
    }

    /// Writes to a file in its folder, in one piece.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), Errno> {
        rustix::io::write(self.open_file(name, OFlags::WRONLY)?, text.as_bytes()).map(drop)
    }

    /// Who it is.
    pub(super) fn key(&self) -> ProcessKey {
        self.key
    }

    /// Its folder.
    pub(super) fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// A file in its folder, opened to be read.
    pub(super) fn file(&self, name: &str) -> Result<OwnedFd, Errno> {
        self.open_file(name, OFlags::RDONLY)
    }

    /// A pidfd of its own for who acts on it in our stead; `None` before Linux 5.3.
    pub(super) fn pidfd(&self) -> Option<OwnedFd> {
        self.fd.as_ref()?.try_clone().ok()
    }

    fn open_file(&self, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        openat(&self.folder, name, flags | OFlags::CLOEXEC, Mode::empty())
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

    fn is_there(&self) -> bool {
        self.start_time().is_some_and(|(start_time, _)| start_time == self.key.start_time)
    }

    /// Whether the pid belongs to a process that started at another time.
    fn is_reused(&self) -> bool {
        let stat = std::fs::read(self.root.proc.join(self.key.pid.to_string()).join("stat")).unwrap_or_default();
        parse_stat(&stat).is_some_and(|line| line.start_time != self.key.start_time)
    }

    fn start_time(&self) -> Option<(u64, u8)> {
        parse_stat(&self.read("stat").ok()?).map(|line| (line.start_time, line.stat.state))
    }
}
