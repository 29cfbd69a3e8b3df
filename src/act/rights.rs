//! What we may do, asked of the kernel before anything is tried, and what is done to nobody by accident.

use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use rustix::process::{Pid, getpid, test_kill_process};
use rustix::thread::{CapabilitySet, capabilities};

use crate::collect::parse::parse_stat;
use crate::collect::root::ProcRoot;
use crate::model::key::ProcessKey;

/// Why something may not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Root, or a capability.
    Privilege,
    /// The file system is read-only, as in most containers: not even root may.
    ReadOnly,
    /// It is not there.
    Absent,
}

/// Whether the kernel would let us send a signal to `pid`, found out by sending none (kill(2), signal 0).
pub(super) fn may_signal(pid: u32) -> Result<(), Missing> {
    let Some(pid) = Pid::from_raw(pid as i32) else { return Err(Missing::Absent) };
    match test_kill_process(pid) {
        Ok(()) => Ok(()),
        Err(Errno::PERM) => Err(Missing::Privilege),
        Err(_) => Err(Missing::Absent),
    }
}

/// Whether a file may be written by our effective user.
pub(super) fn may_write(path: &Path) -> Result<(), Missing> {
    match accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS) {
        Ok(()) => Ok(()),
        Err(Errno::ROFS) => Err(Missing::ReadOnly),
        Err(Errno::NOENT | Errno::NOTDIR) => Err(Missing::Absent),
        Err(_) => Err(Missing::Privilege),
    }
}

/// Whether we have a capability (capabilities(7)).
pub(super) fn has_capability(capability: CapabilitySet) -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(capability))
}

/// Whether a process is there still, and no zombie.
pub fn is_there(root: &ProcRoot, key: ProcessKey) -> bool {
    let stat = std::fs::read(root.proc.join(key.pid.to_string()).join("stat")).unwrap_or_default();
    parse_stat(&stat).is_some_and(|line| line.start_time == key.start_time && !matches!(line.stat.state, b'Z' | b'X'))
}

/// This process and those it descends from, up to but without pid 1: its shell, its terminal, its sshd.
pub fn own_line(root: &ProcRoot) -> Vec<u32> {
    let mut pid = getpid().as_raw_pid() as u32;
    let mut line = Vec::new();
    // A line of descent has no circle; a hostile tree of files may.
    while pid > 1 && !line.contains(&pid) {
        line.push(pid);
        let stat = std::fs::read(root.proc.join(pid.to_string()).join("stat")).unwrap_or_default();
        pid = parse_stat(&stat).map_or(0, |line| line.stat.ppid);
    }
    line
}

/// Who is hit only where it was chosen alone, by its pid: memtide, what carries it, and whoever lets people log in.
pub(super) struct Carriers<'a> {
    root: &'a ProcRoot,
    own: Vec<u32>,
}

impl<'a> Carriers<'a> {
    pub(super) fn read(root: &'a ProcRoot) -> Self {
        Self { root, own: own_line(root) }
    }

    /// Whether a process is memtide or one that it descends from.
    pub(super) fn is_own(&self, pid: u32) -> bool {
        self.own.contains(&pid)
    }

    /// Whether a process is of a server of secure shells: somebody's session, or the door to the machine.
    pub(super) fn is_door(&self, pid: u32) -> bool {
        let name = std::fs::read(self.root.proc.join(pid.to_string()).join("comm")).unwrap_or_default();
        matches!(name.trim_ascii_end(), b"sshd" | b"sshd-session" | b"sshd-auth" | b"dropbear")
    }

    /// Whether nothing is sent to a process that is one of so many: pid 1 never, carriers not among others.
    pub(super) fn refuse(&self, pid: u32, many: usize) -> bool {
        pid <= 1 || (many > 1 && (self.is_own(pid) || self.is_door(pid)))
    }
}
