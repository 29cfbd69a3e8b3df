//! What a process has open, by kind and target.

use serde::{Deserialize, Serialize};

use super::Coverage;
use super::fdinfo::FdInfo;
use super::socket::Socket;
use crate::model::text::Text;

/// The descriptors of a process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Descriptors {
    /// How many are open, and of how many the target was read. Where time ran out, those read are an even sample over
    /// all numbers, and the counts below are of the sample: [`Coverage::scale`] estimates them for all.
    pub coverage: Coverage,
    /// How many of each kind, the most first.
    pub kinds: Vec<KindCount>,
    /// What they lead to, one line for all that lead to the same, the most first; at most [`Descriptors::TARGETS`].
    pub targets: Vec<Target>,
    /// Descriptors that were read and whose target is not among `targets`.
    pub untold: u32,
    /// Those with the highest numbers, highest first, at most [`Descriptors::NEWEST`]. The kernel gives the lowest free
    /// number, so these are the newest of a process that opens more than it closes. The time of the link is no help:
    /// it is the moment at which procfs was first asked for it.
    pub newest: Vec<Descriptor>,
    /// Files that are deleted and still take space, because they are open here.
    pub deleted: Deleted,
}

impl Descriptors {
    /// Different targets that are kept: 100,000 sockets may have as many peers.
    pub const TARGETS: usize = 2_048;

    /// Descriptors that are kept one by one.
    pub const NEWEST: usize = 64;

    /// Targets of whose descriptors one is looked into, those with the most first.
    pub const INSIDE: usize = 128;
}

/// How many descriptors are of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindCount {
    /// The kind.
    pub kind: DescriptorKind,
    /// How many of those that were read.
    pub count: u32,
}

/// Space that nobody can free but by closing a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// Files, each counted once however often it is open.
    pub files: u32,
    /// Their blocks on disk, bytes.
    pub disk: u64,
    /// Their pages where the file system is a tmpfs: RAM or swap, bytes.
    pub ram: u64,
}

/// What descriptors lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// What it is.
    pub kind: DescriptorKind,
    /// The path of a file, directory, device or named pipe; the name of a memfd; else empty, or the kernel's name for
    /// what has no kind of its own here.
    pub name: Text,
    /// The file has no name any more.
    pub is_deleted: bool,
    /// What is known of a socket.
    pub socket: Option<Socket>,
    /// How many of the descriptors that were read lead there.
    pub count: u32,
    /// The lowest of their numbers.
    pub lowest: u32,
    /// The highest.
    pub highest: u32,
    /// Blocks that a deleted file or a memfd takes, bytes; zero for all else, which is not asked.
    pub blocks: u64,
    /// What is inside of the highest, which stands for all; `None` where it was not read.
    pub info: Option<FdInfo>,
}

impl Target {
    /// A target that no descriptor is counted for yet.
    pub fn nobodys(kind: DescriptorKind, name: Text, is_deleted: bool, socket: Option<Socket>) -> Self {
        Self { kind, name, is_deleted, socket, count: 0, lowest: u32::MAX, highest: 0, blocks: 0, info: None }
    }

    /// Counts a descriptor of this number.
    pub fn count_in(&mut self, number: u32) {
        self.count = self.count.saturating_add(1);
        self.lowest = self.lowest.min(number);
        self.highest = self.highest.max(number);
    }

    /// Its name for people, escaped.
    pub fn shown(&self) -> String {
        shown(self.kind, &self.name, self.is_deleted, self.socket.as_ref())
    }

    /// What is inside, in words, where there is something: of many, of which one.
    pub fn inside(&self) -> Option<String> {
        let words = self.info.map(|info| info.words(self.kind)).filter(|words| !words.is_empty())?;
        Some(if self.count > 1 { format!("fd {}: {words}", self.highest) } else { words })
    }
}

/// One descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// Its number.
    pub fd: u32,
    /// What it is.
    pub kind: DescriptorKind,
    /// As in [`Target::name`].
    pub name: Text,
    /// The file has no name any more.
    pub is_deleted: bool,
    /// What is known of a socket, both ports included.
    pub socket: Option<Socket>,
    /// May be read, may be written: the permissions of the link in `/proc/PID/fd`.
    pub access: Access,
    /// What is inside; `None` where it was not read.
    pub info: Option<FdInfo>,
}

impl Descriptor {
    /// Its name for people, escaped.
    pub fn shown(&self) -> String {
        shown(self.kind, &self.name, self.is_deleted, self.socket.as_ref())
    }

    /// What is inside, in words, where there is something.
    pub fn inside(&self) -> Option<String> {
        self.info.map(|info| info.words(self.kind)).filter(|words| !words.is_empty())
    }
}

/// What a descriptor was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// O_RDONLY.
    Read,
    /// O_WRONLY.
    Write,
    /// O_RDWR.
    Both,
    /// O_PATH, or not told.
    Neither,
}

impl Access {
    /// As lsof(8) writes it: `r`, `w`, `u`.
    pub fn letter(self) -> char {
        match self {
            Self::Read => 'r',
            Self::Write => 'w',
            Self::Both => 'u',
            Self::Neither => ' ',
        }
    }
}

fn shown(kind: DescriptorKind, name: &Text, is_deleted: bool, socket: Option<&Socket>) -> String {
    if let Some(socket) = socket {
        return socket.to_string();
    }
    let deleted = if is_deleted { " (deleted)" } else { "" };
    match kind {
        kind if name.is_empty() => tr!(of kind.title()).to_owned(),
        DescriptorKind::Memfd => format!("memfd {}", name.escaped()),
        _ => format!("{}{deleted}", name.escaped()),
    }
}

/// What a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DescriptorKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A socket.
    Socket,
    /// A pipe, named or not.
    Pipe,
    /// epoll(7).
    Epoll,
    /// eventfd(2).
    Eventfd,
    /// timerfd_create(2).
    Timerfd,
    /// signalfd(2).
    Signalfd,
    /// inotify(7).
    Inotify,
    /// fanotify(7).
    Fanotify,
    /// memfd_create(2): RAM.
    Memfd,
    /// io_uring(7).
    IoUring,
    /// pidfd_open(2).
    Pidfd,
    /// A character or block device.
    Device,
    /// A program or map of bpf(2).
    Bpf,
    /// perf_event_open(2).
    PerfEvent,
    /// userfaultfd(2).
    Userfaultfd,
    /// namespaces(7).
    Namespace,
    /// Something else of the kernel's, by its name.
    Other,
}

impl DescriptorKind {
    /// What it is called on screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::File => key!("file"),
            Self::Directory => key!("directory"),
            Self::Socket => key!("socket"),
            Self::Pipe => key!("pipe"),
            Self::Epoll => "epoll",
            Self::Eventfd => "eventfd",
            Self::Timerfd => "timerfd",
            Self::Signalfd => "signalfd",
            Self::Inotify => "inotify",
            Self::Fanotify => "fanotify",
            Self::Memfd => "memfd",
            Self::IoUring => "io_uring",
            Self::Pidfd => "pidfd",
            Self::Device => key!("device"),
            Self::Bpf => "bpf",
            Self::PerfEvent => key!("perf event"),
            Self::Userfaultfd => "userfaultfd",
            Self::Namespace => key!("namespace"),
            Self::Other => key!("other"),
        }
    }

    /// What several are called.
    pub fn plural(self, count: u64) -> &'static str {
        if count == 1 {
            return self.title();
        }
        match self {
            Self::File => key!("files"),
            Self::Directory => key!("directories"),
            Self::Socket => key!("sockets"),
            Self::Pipe => key!("pipes"),
            Self::Eventfd => key!("eventfds"),
            Self::Timerfd => key!("timerfds"),
            Self::Signalfd => key!("signalfds"),
            Self::Memfd => key!("memfds"),
            Self::Pidfd => key!("pidfds"),
            Self::Device => key!("devices"),
            Self::PerfEvent => key!("perf events"),
            Self::Userfaultfd => key!("userfaultfds"),
            Self::Namespace => key!("namespaces"),
            other => other.title(),
        }
    }

    /// What it is called in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::PerfEvent => "perf_event",
            other => other.title(),
        }
    }
}
