//! A running `memtide guard`, and what it says.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// `memtide guard`, whatever the settings of the person who runs the tests.
pub fn memtide() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtide"));
    command.arg("guard").env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// A running guard. What it says is collected as it comes.
pub struct Guard {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Guard {
    /// Starts one with these arguments.
    pub fn start(args: &[&str]) -> Self {
        Self::of(memtide().args(args))
    }

    /// Starts one.
    pub fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Self { child, lines, said: Vec::new() }
    }

    /// Its pid.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits until it says a line with this in it, and gives the line. What was said before does not count again.
    pub fn wait_for(&mut self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(why) => panic!("it never said `{part}` ({why}):\n{}", self.said.join("\n")),
            }
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for the end of one that was told to end.
    pub fn end_quietly(mut self) {
        assert!(self.child.wait().unwrap().success());
    }

    /// Ends it in order.
    pub fn end(mut self) -> String {
        self.signal(Signal::TERM);
        let status = self.child.wait().unwrap();
        self.said.extend(self.lines.iter());
        assert!(status.success(), "{status}: {}", self.said.join("\n"));
        self.said.join("\n")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a condition holds.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
