//! Identity that survives pid reuse.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One process, for as long as the machine is up: its pid and the moment it started.
///
/// The kernel reuses a pid; it never gives the same pid twice in one clock tick. `start_time` is field 22 of
/// `/proc/PID/stat`, in clock ticks since boot (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessKey {
    /// The pid in the namespace of the /proc that was read.
    pub pid: u32,
    /// Clock ticks since boot at which the process started.
    pub start_time: u64,
}

impl fmt::Display for ProcessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.pid, self.start_time)
    }
}
