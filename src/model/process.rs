//! What is read of one process at one instant: raw kernel quantities in bytes and counts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cgroup::Membership;
use super::key::ProcessKey;
use super::reading::{BootMs, Denial, Need, Reading, Stamped};
use super::runtime::{RuntimeKind, Settings};
use super::text::Text;

/// One process in one sample. Where nothing was read anew it is the same allocation as in the sample before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessSample {
    /// Who.
    pub key: ProcessKey,
    /// Name, arguments, owner, cgroup.
    pub identity: Arc<Identity>,
    /// `/proc/PID/statm`, read in every sample.
    pub resident: Reading<Resident>,
    /// `/proc/PID/stat`.
    pub stat: Stamped<Stat>,
    /// `/proc/PID/status`, the part that moves.
    pub status: Stamped<Status>,
    /// `/proc/PID/smaps_rollup`, or summed `/proc/PID/smaps` before Linux 4.14.
    pub rollup: Stamped<Rollup>,
    /// Open file descriptors: the size of `/proc/PID/fd` (Linux 6.2), else its entries counted.
    pub fds: Stamped<u32>,
    /// RLIMIT_NOFILE, soft, from `/proc/PID/limits`.
    pub fd_limit: Stamped<u64>,
    /// `/proc/PID/oom_score`: how near the OOM killer's choice, 0 to 1000 and more.
    pub oom_score: Stamped<u32>,
}

/// What changes seldom: at exec, setproctitle or a move between cgroups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The kernel's name of the task, 15 bytes at most (`comm`).
    pub comm: Text,
    /// Arguments as the process shows them, joined by spaces, trailing NULs cut; empty for kernel threads and
    /// zombies. It holds at most [`Identity::COMMAND_LIMIT`] bytes.
    pub command: Text,
    /// The executable (`/proc/PID/exe`), cut at 512 bytes; empty where it may not be read.
    #[serde(default)]
    pub exe: Text,
    /// The settings about memory in its environment, of the runtimes that take such.
    #[serde(default)]
    pub settings: Settings,
    /// Effective user id.
    pub uid: u32,
    /// A kernel thread (PF_KTHREAD): it has no memory of its own.
    pub is_kernel_thread: bool,
    /// Control group.
    pub cgroup: Arc<Membership>,
}

impl Identity {
    /// Bytes of the command line that are kept: a 2 MiB command line of every process would be the leak itself.
    pub const COMMAND_LIMIT: usize = 4096;

    /// What runs it: by the executable, else the first word of its command line, else its name. `postgres: writer` and
    /// `php-fpm: pool www` are titles that a program gave itself.
    pub fn kind(&self) -> Option<RuntimeKind> {
        let (exe, command, comm) = (self.exe.escaped(), self.command.escaped(), self.comm.escaped());
        let first = command.split_ascii_whitespace().next().unwrap_or_default();
        [&*exe, first.trim_end_matches(':'), &*comm].into_iter().find_map(RuntimeKind::of_program)
    }

    /// The command line, or `[comm]` where there is none, as ps(1) shows it; escaped.
    pub fn shown_command(&self) -> std::borrow::Cow<'_, str> {
        if self.command.is_empty() { format!("[{}]", self.comm.escaped()).into() } else { self.command.escaped() }
    }
}

/// `/proc/PID/statm` (proc_pid_statm(5)), in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resident {
    /// Address space.
    pub size: u64,
    /// RSS. Since Linux 6.2 it may be off by some tens of pages per core; before, by what the last 64 page faults of
    /// each thread brought, which is up to 4 MiB of mapped files.
    pub rss: u64,
    /// The part of RSS in files and shared memory.
    pub shared: u64,
    /// Size of the program text: it changes at exec.
    pub text: u64,
}

impl Resident {
    /// The part of RSS that is anonymous: what a leak is made of.
    pub fn anon(self) -> u64 {
        self.rss.saturating_sub(self.shared)
    }
}

/// The parts of `/proc/PID/stat` that move (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// `R`, `S`, `D`, `Z`, `T`, `t`, `I`, `X`.
    pub state: u8,
    /// Parent's pid.
    pub ppid: u32,
    /// Threads.
    pub threads: u32,
    /// Page faults that needed the disk, since the process started.
    pub major_faults: u64,
    /// User and system CPU time, clock ticks.
    pub cpu_ticks: u64,
}

/// The parts of `/proc/PID/status` that move (proc_pid_status(5)), in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// RssAnon (Linux 4.5).
    pub rss_anon: Reading<u64>,
    /// RssFile (Linux 4.5).
    pub rss_file: Reading<u64>,
    /// RssShmem (Linux 4.5).
    pub rss_shmem: Reading<u64>,
    /// VmSwap: swapped-out anonymous memory; shared memory in swap is not in it.
    pub swap: u64,
    /// VmHWM: the highest RSS so far.
    pub peak_rss: u64,
    /// VmPTE: page tables.
    pub page_tables: u64,
    /// VmLck: locked memory.
    pub locked: u64,
    /// HugetlbPages (Linux 4.4), in neither RSS nor PSS.
    pub hugetlb: u64,
}

/// `/proc/PID/smaps_rollup` (Linux 4.14; Documentation/filesystems/proc.rst), in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollup {
    /// RSS by page-table walk: exact, unlike statm's.
    pub rss: u64,
    /// Proportional set size: each page divided by the number of processes that map it.
    pub pss: u64,
    /// The anonymous, file and shared-memory parts of PSS (Linux 5.2), in this order.
    pub pss_parts: Option<[u64; 3]>,
    /// Private_Clean + Private_Dirty + Private_Hugetlb: what the machine gets back when the process ends.
    pub uss: u64,
    /// Swapped memory, shared memory included.
    pub swap: u64,
    /// Swap divided by the number of processes that share each entry.
    pub swap_pss: u64,
    /// Transparent huge pages.
    pub anon_huge: u64,
}

impl Rollup {
    /// PSS + SwapPss: the honest cost of a process.
    pub fn footprint(self) -> u64 {
        self.pss + self.swap_pss
    }
}

impl ProcessSample {
    /// A process just found: nothing read but its key and its name.
    pub fn found(key: ProcessKey, identity: Arc<Identity>) -> Self {
        let not_applicable = identity.is_kernel_thread;
        let now = BootMs(0);
        let rollup = if not_applicable {
            Stamped::new(Reading::Unsupported(Need::NotApplicable), now)
        } else {
            Stamped::pending()
        };
        Self {
            key,
            identity,
            resident: Reading::Pending,
            stat: Stamped::pending(),
            status: Stamped::pending(),
            rollup,
            fds: Stamped::pending(),
            fd_limit: Stamped::pending(),
            oom_score: Stamped::pending(),
        }
    }

    /// Whether the process has ended and waits for its parent to notice.
    pub fn is_zombie(&self) -> bool {
        matches!(self.stat.reading.value(), Some(stat) if stat.state == b'Z')
    }

    /// Whether any reading was refused for lack of rights.
    pub fn is_denied(&self) -> bool {
        matches!(self.rollup.reading, Reading::Denied(Denial::Ptrace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_executable_name_title_or_interpreter() {
        let of = |comm: &str, command: &str| {
            Identity { comm: comm.into(), command: command.into(), ..Identity::default() }.kind()
        };
        assert_eq!(of("node", "/usr/bin/node app.js"), Some(RuntimeKind::Node));
        assert_eq!(of("MainThread", "node app.js"), Some(RuntimeKind::Node), "what newer releases call themselves");
        assert_eq!(of("java", "/opt/jdk/bin/java -jar a.jar"), Some(RuntimeKind::Jvm));
        assert_eq!(of("gunicorn", "/usr/bin/python3.11 /usr/bin/gunicorn app"), Some(RuntimeKind::Python));
        assert_eq!(of("php-fpm8.2", "php-fpm: pool www"), Some(RuntimeKind::Php));
        assert_eq!(of("postgres", "postgres: 15/main: app shop [local] idle"), Some(RuntimeKind::Postgres));
        assert_eq!(of("redis-server", "redis-server *:6379"), Some(RuntimeKind::Redis));
        assert_eq!(of("nginx", "nginx: worker process"), Some(RuntimeKind::Nginx));
        assert_eq!(of("mariadbd", "/usr/sbin/mariadbd"), Some(RuntimeKind::Mysql));
        assert_eq!(of("", ""), None);
        assert_eq!(of("nodemon-like", "nodemon-like x"), None);
        assert_eq!(of("javac", "javac A.java"), None);
    }

    #[test]
    fn a_title_does_not_hide_the_executable() {
        let identity = Identity {
            exe: "/usr/local/bin/node".into(),
            command: "next-server (v14.2.3)".into(),
            ..Identity::default()
        };
        assert_eq!(identity.kind(), Some(RuntimeKind::Node));
        let replaced =
            Identity { exe: "/usr/bin/python3.11 (deleted)".into(), command: "my title".into(), ..Identity::default() };
        assert_eq!(replaced.kind(), Some(RuntimeKind::Python));
    }
}
