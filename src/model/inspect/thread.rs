//! The threads of a process.

use serde::{Deserialize, Serialize};

use super::Coverage;
use crate::model::reading::Reading;
use crate::model::text::Text;

/// The threads of a process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Threads {
    /// How many there are, and of how many name and state were read.
    pub coverage: Coverage,
    /// Those that were read, by thread id, at most [`Threads::MOST`].
    pub threads: Vec<Thread>,
}

impl Threads {
    /// Threads that are kept one by one.
    pub const MOST: usize = 4096;

    /// How many of the threads that were read are in each state, the most frequent first.
    pub fn states(&self) -> Vec<(u8, u32)> {
        let mut states: Vec<(u8, u32)> = Vec::new();
        for thread in &self.threads {
            match states.iter_mut().find(|(state, _)| *state == thread.state) {
                Some((_, count)) => *count += 1,
                None => states.push((thread.state, 1)),
            }
        }
        states.sort_by_key(|(state, count)| (std::cmp::Reverse(*count), *state));
        states
    }
}

/// One thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Thread id.
    pub tid: u32,
    /// Its name, 15 bytes at most: what it was started with, or gave itself.
    pub comm: Text,
    /// `R`, `S`, `D`, `Z`, `T`, `t`, `I`, `X`.
    pub state: u8,
    /// User and system CPU time, milliseconds.
    pub cpu_ms: u64,
    /// Its stack, found by the stack pointer that `/proc/PID/task/TID/syscall` tells of a thread that waits. `Pending`
    /// where the thread runs, or the mappings were not asked for.
    pub stack: Reading<Stack>,
}

/// The mapping that a thread's stack lies in, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// Address space.
    pub size: u64,
    /// In RAM.
    pub rss: u64,
    /// In swap.
    pub swap: u64,
}

/// A state's letter in words (proc_pid_stat(5)).
pub fn state_word(state: u8) -> &'static str {
    match state {
        b'R' => key!("running"),
        b'S' => key!("sleeping"),
        b'D' => key!("waiting for a device"),
        b'Z' => key!("zombie"),
        b'T' => key!("stopped"),
        b't' => key!("traced"),
        b'I' => key!("idle"),
        b'X' => key!("dead"),
        _ => key!("unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_counted_the_most_frequent_first() {
        let thread = |state| Thread { tid: 1, comm: Text::default(), state, cpu_ms: 0, stack: Reading::Pending };
        let threads = Threads { coverage: Coverage::default(), threads: b"SRSDS".map(thread).to_vec() };
        assert_eq!(threads.states(), [(b'S', 3), (b'D', 1), (b'R', 1)]);
    }
}
