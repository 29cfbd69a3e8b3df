//! A TCP connection that is given up when its time is over, when nobody wants it any more, or when the process at its
//! other end has ended.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::error::{HeapError, Why};
use crate::act::control::Control;
use crate::act::process::Held;

/// How often it is looked whether it is still worth waiting.
pub(super) const STEP: Duration = Duration::from_millis(25);

/// How long a process may still be there after its connections are closed.
const END: Duration = Duration::from_millis(500);

/// Bytes that are asked for at once.
const CHUNK: usize = 256 << 10;

/// How long something is waited for.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    pub(super) control: &'a Control,
    /// The process that is asked, where it is a known one.
    pub(super) held: Option<&'a Held<'a>>,
    pub(super) deadline: Instant,
}

impl Patience<'_> {
    /// The same for at most so long.
    #[must_use]
    pub(super) fn at_most(self, time: Duration) -> Self {
        Self { deadline: self.deadline.min(Instant::now() + time), ..self }
    }

    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether it is still worth waiting.
    pub(super) fn check(&self) -> Result<(), HeapError> {
        if self.control.is_cancelled() {
            return Err(HeapError::new(Why::Stopped, "stopped; the process goes on"));
        }
        if self.held.is_some_and(|held| held.wait(Instant::now())) {
            return Err(ended());
        }
        if self.left().is_zero() {
            return Err(HeapError::new(Why::TimedOut, "it took longer than it was given"));
        }
        Ok(())
    }

    /// Waits a little.
    pub(super) fn pause(&self) -> Result<(), HeapError> {
        self.check()?;
        self.control.wait(STEP);
        Ok(())
    }
}

/// A connection, with what came and was not taken yet.
pub(super) struct Wire<'a> {
    stream: TcpStream,
    pub(super) patience: Patience<'a>,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl<'a> Wire<'a> {
    pub(super) fn new(stream: TcpStream, patience: Patience<'a>) -> Result<Self, HeapError> {
        let set = || {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(STEP))?;
            stream.set_write_timeout(Some(STEP))
        };
        set().map_err(|error| broken(&error))?;
        Ok(Self { stream, patience, bytes: Vec::new(), start: 0, end: 0 })
    }

    /// Both ends, ours first.
    pub(super) fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        Some((self.stream.local_addr().ok()?, self.stream.peer_addr().ok()?))
    }

    pub(super) fn send(&mut self, mut bytes: &[u8]) -> Result<(), HeapError> {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Err(HeapError::failed("it closed the connection")),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_slow(&error) => self.patience.check()?,
                Err(error) => return Err(self.lost(&error)),
            }
        }
        Ok(())
    }

    /// What came and was not taken.
    pub(super) fn waiting(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Takes so many bytes of what came.
    pub(super) fn take(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Waits for more; false where the other end has closed.
    pub(super) fn receive(&mut self) -> Result<bool, HeapError> {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.bytes.len() - self.end < CHUNK {
            self.bytes.resize(self.end + CHUNK, 0);
        }
        loop {
            self.patience.check()?;
            match self.stream.read(&mut self.bytes[self.end..]) {
                Ok(0) => return self.closed(),
                Ok(count) => {
                    self.end += count;
                    return Ok(true);
                }
                Err(error) if is_slow(&error) => {}
                // It was closed with something unread.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return self.closed(),
                Err(error) => return Err(self.lost(&error)),
            }
        }
    }

    /// The other end has closed: on purpose, or because the process ends, which takes a moment longer to be seen.
    fn closed(&self) -> Result<bool, HeapError> {
        if self.patience.held.is_some_and(|held| held.wait(Instant::now() + END)) {
            return Err(ended());
        }
        self.patience.check().map(|()| false)
    }

    fn lost(&self, error: &std::io::Error) -> HeapError {
        self.closed().err().unwrap_or_else(|| broken(error))
    }
}

fn is_slow(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn ended() -> HeapError {
    HeapError::new(Why::Ended, "it ended meanwhile")
}

fn broken(error: &std::io::Error) -> HeapError {
    HeapError::failed(format!("the connection broke: {error}"))
}
