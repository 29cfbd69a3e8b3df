//! What a supervisor does, for as long as a test lasts.

use std::process::Child;

use rustix::process::{Pid, Signal, kill_process_group};

/// A shell that starts a program anew, in a process group of its own, which ends with it: no program is started after it.
pub struct Keeper(pub Child);

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}
