//! What we may do, asked of the kernel before anything is tried.

use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use rustix::process::{Pid, getpid, test_kill_process};

use crate::collect::parse::parse_stat;
use crate::collect::root::ProcRoot;

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
        Err(Errno::NOENT) => Err(Missing::Absent),
        Err(_) => Err(Missing::Privilege),
    }
}

/// This process and those it descends from, up to but without pid 1: its shell, its terminal, its sshd.
pub(super) fn own_line(root: &ProcRoot) -> Vec<u32> {
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
