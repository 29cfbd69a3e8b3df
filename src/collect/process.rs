//! Reading one process, file by file.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;

use super::cgroup::parse_membership;
use super::error::CollectError;
use super::files::{Buffer, PidPath, count_entries, open_at, reading_of_error, size_of};
use super::parse::{
    narrow, parse_cmdline, parse_fd_limit, parse_number, parse_smaps, parse_stat, parse_statm, parse_status,
    take_number,
};
use super::root::ProcRoot;
use super::runtime::read_program;
use crate::model::cgroup::Membership;
use crate::model::field::Source;
use crate::model::key::ProcessKey;
use crate::model::process::{Identity, ProcessSample, Resident, Rollup};
use crate::model::reading::{BootMs, Need, Reading, Stamped};
use crate::model::text::Text;

/// Reads files of processes below one procfs. Cheap to clone for another thread.
pub(super) struct ProcessReader {
    proc: Arc<OwnedFd>,
    page_size: u64,
    ability: Ability,
    buffer: Buffer,
    /// Most processes share a few cgroups: by the file's content.
    memberships: HashMap<Box<[u8]>, Arc<Membership>>,
}

/// What this kernel's procfs can do, found out once.
#[derive(Clone, Copy, Debug)]
struct Ability {
    /// `/proc/PID/smaps_rollup` (Linux 4.14).
    has_rollup: bool,
    /// `/proc/PID/fd` tells its number of entries as its size (Linux 6.2).
    has_fd_size: bool,
    /// How far `statm` may be off.
    rss_error: RssError,
}

/// How far the RSS of `statm` may fall short of the page tables'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RssError {
    /// Linux 6.17 and later sum the counters of all CPUs.
    None,
    /// From Linux 6.2 on: so many pages.
    Pages(u64),
    /// Before: each thread keeps to itself what its last 64 page faults brought, and a fault of a file brings the 16
    /// pages around it (`fault_around_bytes`).
    PagesPerThread(u64),
}

impl RssError {
    /// By the kernel's release, as `uname -r` gives it; the worst where it makes no sense.
    fn of(release: &[u8], cpus: u64) -> Self {
        let mut rest = release;
        let major = take_number(&mut rest).unwrap_or(0);
        let minor = rest.strip_prefix(b".").and_then(|mut rest| take_number(&mut rest)).unwrap_or(0);
        match (major, minor) {
            (6, 17..) | (7.., _) => Self::None,
            // percpu_counter: a batch of 32, or twice the CPUs, held back by every CPU, for three kinds of page.
            (6, 2..) => Self::Pages(3 * cpus * (2 * cpus).max(32)),
            _ => Self::PagesPerThread(64 * 16),
        }
    }
}

/// A process that could not be found out about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unseen {
    /// It ended.
    Gone,
    /// `hidepid=1` shows its folder and nothing in it.
    Hidden,
}

/// Distinct cgroups that are remembered before the memory of them is emptied.
const MEMBERSHIPS: usize = 4096;

/// Whether a process has no address space: a zombie, a kernel thread, or one whose main thread has ended.
pub(super) fn has_none(resident: Reading<Resident>) -> bool {
    resident.value().is_some_and(|resident| resident.size == 0)
}

fn has_memory(process: &ProcessSample) -> bool {
    process.resident.value().is_some_and(|resident| resident.size > 0)
}

impl ProcessReader {
    pub(super) fn new(root: &ProcRoot) -> Result<Self, CollectError> {
        let no_proc = || CollectError::NoProc { path: root.proc.clone() };
        let proc = rustix::fs::open(
            &root.proc,
            rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )
        .map_err(|_| no_proc())?;
        let release = std::fs::read(root.proc.join("sys/kernel/osrelease")).unwrap_or_default();
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
        let rss_error = RssError::of(&release, cpus);
        let ability = if root.is_live {
            // An empty folder named /proc is what a chroot without procfs has.
            open_at(&proc, c"self/stat").map_err(|_| no_proc())?;
            Ability {
                has_rollup: open_at(&proc, c"self/smaps_rollup").is_ok(),
                has_fd_size: size_of(&proc, c"self/fd").is_ok_and(|size| size > 0),
                rss_error,
            }
        } else {
            open_at(&proc, c"meminfo").map_err(|_| no_proc())?;
            Ability { has_rollup: true, has_fd_size: false, rss_error }
        };
        Ok(Self {
            proc: Arc::new(proc),
            page_size: root.page_size,
            ability,
            buffer: Buffer::new(),
            memberships: HashMap::new(),
        })
    }

    /// The same procfs for another thread.
    pub(super) fn for_thread(&self) -> Self {
        Self {
            proc: Arc::clone(&self.proc),
            page_size: self.page_size,
            ability: self.ability,
            buffer: Buffer::new(),
            memberships: HashMap::new(),
        }
    }

    pub(super) fn proc(&self) -> BorrowedFd<'_> {
        self.proc.as_fd()
    }

    pub(super) fn page_size(&self) -> u64 {
        self.page_size
    }

    pub(super) fn buffer(&mut self) -> &mut Buffer {
        &mut self.buffer
    }

    /// Finds out who a pid is: key, name, state from `stat`, and RSS. Gives its `statm` too, to be held or dropped:
    /// reading it again later costs a third of opening it anew, and once the process has ended it answers ESRCH
    /// whoever has the pid then.
    ///
    /// `statm` is opened first and read last: as it answers, the process was there all the while, and so `stat` was
    /// its own.
    pub(super) fn find(&mut self, pid: u32, now: BootMs) -> Result<(ProcessSample, OwnedFd), Unseen> {
        let unseen = |error| match error {
            Errno::ACCESS | Errno::PERM => Unseen::Hidden,
            _ => Unseen::Gone,
        };
        let statm = open_at(&self.proc, PidPath::new(pid, "statm").as_c_str()).map_err(unseen)?;
        let path = PidPath::new(pid, "stat");
        let bytes = self.buffer.read_record(&self.proc, path.as_c_str()).map_err(unseen)?;
        let line = parse_stat(bytes).ok_or(Unseen::Gone)?;
        let identity =
            Identity { comm: Text::new(line.comm), is_kernel_thread: line.is_kernel_thread, ..Identity::default() };
        let key = ProcessKey { pid, start_time: line.start_time };
        let mut process = ProcessSample::found(key, Arc::new(identity));
        process.stat = Stamped::new(Reading::Value(line.stat), now);
        let bytes = self.buffer.read_held(&statm).map_err(unseen)?;
        if bytes.is_empty() {
            return Err(Unseen::Gone);
        }
        process.resident = parse_statm(bytes, self.page_size).into();
        if has_none(process.resident)
            && !process.identity.is_kernel_thread
            && let Some(survivor) = self.survivor(pid)
        {
            process.resident = Reading::Value(survivor.resident);
            return Ok((process, survivor.statm));
        }
        Ok((process, statm))
    }

    /// Whether a pid still has this name (`/proc/PID/comm`): a tenth of the cost of all that is known of it.
    pub(super) fn is_called(&mut self, pid: u32, comm: &Text) -> bool {
        let bytes = self.buffer.read_record(&self.proc, PidPath::new(pid, "comm").as_c_str()).unwrap_or_default();
        bytes.strip_suffix(b"\n").is_some_and(|name| name == comm.as_bytes())
    }

    /// Whether the pid still belongs to the process of this key.
    pub(super) fn is_same(&mut self, key: ProcessKey) -> bool {
        let path = PidPath::new(key.pid, "stat");
        let bytes = self.buffer.read_record(&self.proc, path.as_c_str()).unwrap_or_default();
        parse_stat(bytes).is_some_and(|line| line.start_time == key.start_time)
    }

    /// Reads `statm` by its path.
    pub(super) fn read_statm(&mut self, pid: u32) -> Reading<Resident> {
        match self.buffer.read_record(&self.proc, PidPath::new(pid, "statm").as_c_str()) {
            Ok(bytes) => {
                let resident = parse_statm(bytes, self.page_size).map_or(Reading::Gone, Reading::Value);
                match has_none(resident).then(|| self.survivor(pid)).flatten() {
                    Some(survivor) => Reading::Value(survivor.resident),
                    None => resident,
                }
            }
            Err(error) => reading_of_error(error),
        }
    }

    /// How far `statm` may fall short for a process with so many threads, bytes.
    pub(super) fn rss_slack(&self, threads: u32) -> u64 {
        let pages = match self.ability.rss_error {
            RssError::None => 0,
            RssError::Pages(pages) => pages,
            RssError::PagesPerThread(pages) => pages * u64::from(threads),
        };
        pages * self.page_size
    }

    /// What the process's PSS can't exceed, bytes: its RSS, and what `statm` may be off by.
    pub(super) fn read_rss_bound(&mut self, pid: u32) -> Reading<u64> {
        let is_by_thread = matches!(self.ability.rss_error, RssError::PagesPerThread(_));
        let stat = is_by_thread
            .then(|| self.read_stamped(pid, "stat", BootMs(0), |bytes| Some(parse_stat(bytes)?.stat)).reading.value());
        let slack = self.rss_slack(stat.flatten().map_or(1, |stat| stat.threads));
        self.read_statm(pid).map(|resident| if resident.size == 0 { 0 } else { resident.rss.saturating_add(slack) })
    }

    /// Reads sources of a process that is not held. Its RSS is [`Reading::Gone`] where it has ended meanwhile: then
    /// what was read may be of another that has its pid now.
    pub(super) fn read_unheld(&mut self, process: &mut ProcessSample, sources: &[Source], now: BootMs) {
        for source in sources {
            self.read(process, *source, now);
        }
        if !self.is_same(process.key) {
            process.resident = Reading::Gone;
        }
    }

    /// Reads one source anew into `process`.
    pub(super) fn read(&mut self, process: &mut ProcessSample, source: Source, now: BootMs) {
        let pid = process.key.pid;
        match source {
            Source::Key | Source::History | Source::Mark => {}
            Source::Statm => process.resident = self.read_statm(pid),
            Source::Identity => self.read_identity(process, now),
            Source::Stat => process.stat = self.read_stamped(pid, "stat", now, |bytes| Some(parse_stat(bytes)?.stat)),
            Source::Status => {
                process.status = self.read_stamped(pid, "status", now, |bytes| Some(parse_status(bytes).1));
                self.amend_status(process, now);
            }
            Source::Rollup if process.identity.is_kernel_thread => {
                process.rollup = Stamped::new(Reading::Unsupported(Need::NotApplicable), now);
            }
            Source::Rollup => {
                let mut rollup = self.read_rollup(pid);
                if rollup == Reading::Unsupported(Need::NotApplicable)
                    && has_memory(process)
                    && let Some(name) = self.survivors_file(pid, "smaps_rollup")
                    && let Ok(bytes) = self.buffer.read_record(&self.proc, PidPath::new(pid, &name).as_c_str())
                {
                    rollup = parse_smaps(bytes).map_or(rollup, Reading::Value);
                }
                process.rollup = Stamped::new(rollup, now);
            }
            Source::Fds => process.fds = Stamped::new(self.read_fds(pid), now),
            Source::Limits => process.fd_limit = self.read_stamped(pid, "limits", now, parse_fd_limit),
            Source::OomScore => {
                process.oom_score = self.read_stamped(pid, "oom_score", now, |bytes| parse_number(bytes).map(narrow));
            }
        }
    }

    /// Where the main thread has ended its status has no memory any more: another thread's has.
    fn amend_status(&mut self, process: &mut ProcessSample, now: BootMs) {
        let has_none = process.status.reading.value().is_some_and(|status| status.peak_rss == 0);
        if has_none
            && has_memory(process)
            && let Some(name) = self.survivors_file(process.key.pid, "status")
        {
            let parse = |bytes: &[u8]| Some(parse_status(bytes).1);
            process.status = self.read_stamped(process.key.pid, &name, now, parse);
        }
    }

    fn read_stamped<T>(&mut self, pid: u32, name: &str, now: BootMs, parse: fn(&[u8]) -> Option<T>) -> Stamped<T> {
        let reading = match self.buffer.read_record(&self.proc, PidPath::new(pid, name).as_c_str()) {
            Ok(bytes) => parse(bytes).map_or(Reading::Gone, Reading::Value),
            Err(error) => reading_of_error(error),
        };
        Stamped::new(reading, now)
    }

    /// Name, arguments, owner and cgroup; the status file that tells the owner is kept as a reading too.
    fn read_identity(&mut self, process: &mut ProcessSample, now: BootMs) {
        let pid = process.key.pid;
        let old = Arc::clone(&process.identity);
        let comm = match self.buffer.read_record(&self.proc, PidPath::new(pid, "comm").as_c_str()) {
            Ok(bytes) => Text::new(bytes.strip_suffix(b"\n").unwrap_or(bytes)),
            Err(_) => old.comm.clone(),
        };
        let command =
            match self.buffer.read_all(&self.proc, PidPath::new(pid, "cmdline").as_c_str(), Identity::COMMAND_LIMIT) {
                Ok(bytes) => Text::new(parse_cmdline(bytes, Identity::COMMAND_LIMIT)),
                Err(_) => old.command.clone(),
            };
        let mut uid = old.uid;
        if let Ok(bytes) = self.buffer.read_record(&self.proc, PidPath::new(pid, "status").as_c_str()) {
            let (owner, status) = parse_status(bytes);
            uid = owner.unwrap_or(uid);
            process.status = Stamped::new(Reading::Value(status), now);
            self.amend_status(process, now);
        }
        let cgroup = self.read_membership(pid).unwrap_or_else(|| Arc::clone(&old.cgroup));
        let is_kernel_thread = old.is_kernel_thread;
        let mut identity = Identity { comm, command, uid, is_kernel_thread, cgroup, ..Identity::default() };
        if !is_kernel_thread {
            read_program(&self.proc, pid, &old, &mut identity, &mut self.buffer);
        }
        if identity != *old {
            process.identity = Arc::new(identity);
        }
    }

    fn read_membership(&mut self, pid: u32) -> Option<Arc<Membership>> {
        let bytes = self.buffer.read_record(&self.proc, PidPath::new(pid, "cgroup").as_c_str()).ok()?;
        if let Some(known) = self.memberships.get(bytes) {
            return Some(Arc::clone(known));
        }
        if self.memberships.len() >= MEMBERSHIPS {
            self.memberships.clear();
        }
        let membership = Arc::new(parse_membership(bytes));
        self.memberships.insert(bytes.into(), Arc::clone(&membership));
        Some(membership)
    }

    /// Reads `smaps_rollup`, or sums `smaps` where the kernel has none.
    pub(super) fn read_rollup(&mut self, pid: u32) -> Reading<Rollup> {
        let nothing = Reading::Unsupported(Need::NotApplicable);
        if self.ability.has_rollup {
            match self.buffer.read_record(&self.proc, PidPath::new(pid, "smaps_rollup").as_c_str()) {
                // A zombie answers with nothing, or ESRCH: its memory is gone already.
                Ok(bytes) => return parse_smaps(bytes).map_or(nothing, Reading::Value),
                Err(Errno::SRCH) => return nothing,
                Err(Errno::NOENT) => {}
                Err(error) => return reading_of_error(error),
            }
        }
        match self.buffer.read_all(&self.proc, PidPath::new(pid, "smaps").as_c_str(), usize::MAX) {
            Ok(bytes) => parse_smaps(bytes).map_or(nothing, Reading::Value),
            Err(Errno::SRCH) => nothing,
            Err(error) => reading_of_error(error),
        }
    }

    fn read_fds(&self, pid: u32) -> Reading<u32> {
        let path = PidPath::new(pid, "fd");
        if self.ability.has_fd_size {
            return match size_of(&self.proc, path.as_c_str()) {
                Ok(size) => Reading::Value(narrow(size)),
                Err(error) => reading_of_error(error),
            };
        }
        count_entries(&self.proc, path.as_c_str()).map_or_else(reading_of_error, Reading::Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_statm_follows_the_release() {
        assert_eq!(RssError::of(b"6.18.44-fc\n", 2), RssError::None);
        assert_eq!(RssError::of(b"7.0.1", 2), RssError::None);
        assert_eq!(RssError::of(b"6.12.9-amd64", 2), RssError::Pages(192));
        assert_eq!(RssError::of(b"6.2.0", 64), RssError::Pages(3 * 64 * 128));
        assert_eq!(RssError::of(b"5.10.198-187.748.amzn2", 2), RssError::PagesPerThread(64 * 16));
        assert_eq!(RssError::of(b"", 2), RssError::PagesPerThread(64 * 16));
    }
}
