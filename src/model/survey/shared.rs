//! Shared memory: file systems in RAM, segments, and files that no path leads to.

use serde::{Deserialize, Serialize};

use crate::model::reading::Reading;
use crate::model::text::Text;

/// A mounted file system in RAM (tmpfs, devtmpfs, ramfs), once however often it is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tmpfs {
    /// Where it is mounted, the shortest path if there are several.
    pub path: Text,
    /// `tmpfs`, `devtmpfs`, `ramfs`.
    pub kind: Text,
    /// Its device number, by which its files are known.
    pub device: u64,
    /// What is in it.
    pub usage: Reading<TmpfsUse>,
}

/// How full a file system in RAM is (statfs(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TmpfsUse {
    /// Bytes of file contents, in RAM and in swap.
    pub used: u64,
    /// The most it may hold; zero where there is no limit.
    pub size: u64,
    /// Files and folders.
    pub inodes: u64,
}

/// A System V shared memory segment (proc_sysvipc(5)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// `key` of shmget(2); 0 is private.
    pub key: u32,
    /// `shmid`.
    pub id: u32,
    /// The owner's uid.
    pub uid: u32,
    /// Mode bits: the lowest nine are permissions.
    pub mode: u32,
    /// Size, bytes.
    pub size: u64,
    /// Bytes in RAM (Linux 2.6.38).
    pub rss: Reading<u64>,
    /// Bytes in swap (Linux 2.6.38).
    pub swap: Reading<u64>,
    /// Attachments.
    pub attached: u64,
    /// Who made it; 0 where the maker is in another pid namespace.
    pub creator: u32,
    /// Whether its maker is alive: a process of that pid that is older than the segment's last change.
    pub is_creator_alive: Option<bool>,
    /// Who attached or detached last.
    pub last: u32,
    /// Processes that have it mapped, of those that were seen.
    pub holders: Holders,
    /// When somebody last detached, seconds since the epoch; 0 never.
    pub detached_s: u64,
    /// When it was made or last changed, seconds since the epoch.
    pub changed_s: u64,
}

/// What is to be thought of shared memory that outlives processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A process has it.
    InUse,
    /// Nobody has it, but its maker is alive or can't be told.
    Idle,
    /// Nobody has it and nobody will free it: it stays until somebody removes it.
    Leaked,
}

impl Standing {
    /// The word for people and for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::InUse => tr!("in use"),
            Self::Idle => tr!("idle"),
            Self::Leaked => tr!("leaked"),
        }
    }
}

impl Segment {
    /// SHM_DEST: it goes with the last attachment.
    const DESTROYED: u32 = 0o1000;

    /// Bytes held in RAM and swap; the size where the kernel does not say.
    pub fn held(&self) -> u64 {
        self.rss.value().map_or(self.size, |rss| rss.saturating_add(self.swap.value().unwrap_or(0)))
    }

    /// Whether it is removed once nobody is attached.
    pub fn is_destroyed(&self) -> bool {
        self.mode & Self::DESTROYED != 0
    }

    /// What is to be thought of it.
    pub fn standing(&self) -> Standing {
        match (self.attached, self.is_creator_alive) {
            (1.., _) => Standing::InUse,
            (0, Some(false)) => Standing::Leaked,
            (0, _) => Standing::Idle,
        }
    }
}

/// Which processes have something open or mapped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holders {
    /// The first of them, by pid.
    pub pids: Vec<u32>,
    /// All of them.
    pub count: u32,
}

impl Holders {
    /// Pids that are kept.
    pub const KEPT: usize = 8;

    /// Adds a process that was not added before.
    pub fn add(&mut self, pid: u32) {
        self.count += 1;
        if self.pids.len() < Self::KEPT {
            self.pids.push(pid);
        }
    }
}

/// How much was looked at to find out who holds what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Processes there are.
    pub processes: u32,
    /// Processes whose descriptors and mappings were seen.
    pub seen: u32,
    /// Processes that did not let us.
    pub denied: u32,
    /// Processes whose turn in the budget has yet to come.
    pub waiting: u32,
    /// Files that were left out because there were too many.
    pub left_out: u32,
    /// Whether /proc hides processes (`hidepid`), or other pid namespaces may hold things.
    pub is_hiding: bool,
}

impl Extent {
    /// Whether nobody can hold anything that was not seen.
    pub fn is_complete(&self) -> bool {
        self.processes > 0 && self.denied == 0 && self.waiting == 0 && self.left_out == 0 && !self.is_hiding
    }
}

/// Who has a file open or mapped, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attachment {
    /// These have it.
    Held(Holders),
    /// Nobody has it.
    Nobody,
    /// Nobody has it among those that were seen.
    #[default]
    NobodySeen,
}

/// A file below `/dev/shm`: a POSIX shared memory object (shm_overview(7)) or semaphore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShmFile {
    /// Its path.
    pub path: Text,
    /// The owner's uid.
    pub uid: u32,
    /// Its length, bytes.
    pub length: u64,
    /// Bytes allocated, in RAM and swap.
    pub allocated: u64,
    /// When its contents changed last, seconds since the epoch.
    pub modified_s: i64,
    /// Who has it.
    pub held: Attachment,
}

impl ShmFile {
    /// What is to be thought of it.
    pub fn standing(&self) -> Standing {
        match self.held {
            Attachment::Held(_) => Standing::InUse,
            Attachment::Nobody => Standing::Leaked,
            Attachment::NobodySeen => Standing::Idle,
        }
    }
}

/// Which kind of memory a file without a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LooseKind {
    /// A file of a tmpfs that was removed while somebody had it.
    Deleted,
    /// Made by memfd_create(2).
    Memfd,
    /// Memory that was shared at fork(2): `MAP_SHARED | MAP_ANONYMOUS`.
    Anonymous,
}

impl LooseKind {
    /// The word for people and for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deleted => tr!("deleted file"),
            Self::Memfd => "memfd",
            Self::Anonymous => tr!("shared map"),
        }
    }
}

/// Shared memory that only open descriptors and mappings keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loose {
    /// Its path or name as it was.
    pub path: Text,
    /// What it is.
    pub kind: LooseKind,
    /// Bytes allocated, in RAM and swap.
    pub bytes: u64,
    /// Whether `bytes` is what is mapped of it, and so the most it can be: its size could not be asked for.
    pub is_extent: bool,
    /// Whether a mount that is known holds it: then it is in that one's use as well.
    pub is_of_mount: bool,
    /// Who has it.
    pub holders: Holders,
}
