//! A process whose main thread has ended and whose other threads live on: its own files say that it has no memory, those
//! of a thread say what it has.

use std::os::fd::OwnedFd;

use super::files::{PidPath, first_numbers, links_of, open_at};
use super::parse::parse_statm;
use super::process::ProcessReader;
use crate::model::process::Resident;

/// A thread that lives on.
pub(super) struct Survivor {
    /// Its id.
    pub(super) tid: u32,
    /// Its `statm`, open.
    pub(super) statm: OwnedFd,
    /// What that says.
    pub(super) resident: Resident,
}

/// Threads that are asked: those that have ended as well are few, and soon gone.
const MOST: usize = 64;

impl ProcessReader {
    /// A thread of the process that has its memory still; none of a zombie or a kernel thread, which have one thread.
    pub(super) fn survivor(&mut self, pid: u32) -> Option<Survivor> {
        let folder = PidPath::new(pid, "task");
        // One thread more than the first: most that have no memory have none.
        if links_of(self.proc(), folder.as_c_str()) <= 3 {
            return None;
        }
        first_numbers(self.proc(), folder.as_c_str(), MOST).into_iter().filter(|tid| *tid != pid).find_map(|tid| {
            let statm = open_at(self.proc(), PidPath::new(pid, &format!("task/{tid}/statm")).as_c_str()).ok()?;
            let page_size = self.page_size();
            let resident = parse_statm(self.buffer().read_held(&statm).ok()?, page_size)?;
            (resident.size > 0).then_some(Survivor { tid, statm, resident })
        })
    }

    /// The name of a file of the process as its survivor has it.
    pub(super) fn survivors_file(&mut self, pid: u32, name: &str) -> Option<String> {
        self.survivor(pid).map(|survivor| format!("task/{}/{name}", survivor.tid))
    }
}
