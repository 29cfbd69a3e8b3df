//! What is mapped, grouped by what it is.

use serde::{Deserialize, Serialize};

use super::Coverage;
use super::memory::Memory;
use super::space::Space;
use crate::model::text::Text;

/// The address space of a process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mappings {
    /// Mappings of one kind and name each; the largest footprint first.
    pub groups: Vec<MappingGroup>,
    /// The sum of the groups: what was read.
    pub read: Memory,
    /// Of how many mappings the memory was read. Where time ran out, the address space of the rest is in the groups
    /// and its memory is not: `total` less `read` is theirs.
    pub coverage: Coverage,
    /// The whole process by `/proc/PID/smaps_rollup` where the mappings were read in part; else the sum of the groups.
    pub total: Memory,
    /// The largest mappings by RSS and swap, at most [`Mappings::LARGEST`], the largest first.
    pub largest: Vec<Mapping>,
    /// Where in the address space the memory is.
    pub space: Space,
}

impl Mappings {
    /// Mappings that are kept one by one: all of them could be more memory than memtide may use.
    pub const LARGEST: usize = 256;
}

/// Mappings of one kind and name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingGroup {
    /// What they are.
    pub kind: MappingKind,
    /// The file, segment or name; empty where the kind says all.
    pub name: Text,
    /// The file has no name any more.
    pub is_deleted: bool,
    /// How many mappings.
    pub count: u32,
    /// How many of them were not read in time: their address space is in `memory`, their RAM is not.
    pub unread: u32,
    /// Their memory.
    pub memory: Memory,
}

impl MappingGroup {
    /// Its name for people, escaped: `[heap]`, `/usr/lib/libc.so.6 (deleted)`, `SysV segment 4`.
    pub fn shown(&self) -> String {
        shown(self.kind, &self.name, self.is_deleted)
    }
}

/// One mapping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
    /// Permissions, as the kernel writes them: `rw-p`.
    pub permissions: [u8; 4],
    /// Where in the file it begins, bytes.
    pub offset: u64,
    /// What it is.
    pub kind: MappingKind,
    /// The file, segment or name; empty where the kind says all.
    pub name: Text,
    /// The file has no name any more.
    pub is_deleted: bool,
    /// Its memory.
    pub memory: Memory,
}

impl Mapping {
    /// Its name for people, escaped.
    pub fn shown(&self) -> String {
        shown(self.kind, &self.name, self.is_deleted)
    }
}

fn shown(kind: MappingKind, name: &Text, is_deleted: bool) -> String {
    let deleted = if is_deleted { " (deleted)" } else { "" };
    match kind {
        kind if name.is_empty() => tr!(of kind.title()).to_owned(),
        MappingKind::Sysv | MappingKind::Memfd | MappingKind::NamedAnonymous => {
            format!("{} {}", tr!(of kind.title()), name.escaped())
        }
        _ => format!("{}{deleted}", name.escaped()),
    }
}

/// What a mapping is, by its name, or, where it has none, by its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MappingKind {
    /// `[heap]`: what brk(2) gives, malloc's main arena.
    Heap,
    /// Private anonymous memory that nothing tells more about: mmap(2), large mallocs.
    Anonymous,
    /// Private anonymous memory with a name of its own (`[anon:NAME]`, prctl(2) PR_SET_VMA, Linux 5.17).
    NamedAnonymous,
    /// Anonymous memory that holds code: a JIT compiler's, V8's code range.
    Code,
    /// An arena of glibc's malloc for threads: 64 MiB, aligned to its size, the unused end inaccessible.
    MallocArena,
    /// V8's heap: pages aligned to 256 KiB in a program that is Node.js, Deno, Electron or Chromium.
    V8Heap,
    /// The Go runtime's heap: it begins at 0xc000000000.
    GoHeap,
    /// The Java heap: anonymous memory below 32 GiB, which compressed pointers reach, in a process with libjvm.so.
    JvmHeap,
    /// `[stack]`: the main thread's.
    Stack,
    /// The stack of another thread.
    ThreadStack,
    /// Inaccessible: address space that is only reserved, and guard pages. It costs no memory.
    Reserved,
    /// Shared anonymous memory: `mmap` with MAP_SHARED and no file, here and in children.
    SharedAnonymous,
    /// A System V segment, by its id (ipcs(1)).
    Sysv,
    /// A file of /dev/shm: POSIX shared memory.
    PosixShm,
    /// memfd_create(2).
    Memfd,
    /// A file on another tmpfs: RAM, not disk.
    Tmpfs,
    /// Pages of hugetlbfs, taken from the pool of huge pages.
    HugeTlb,
    /// A device: a GPU's, a network card's, /dev/kvm.
    Device,
    /// A file.
    File,
    /// Given by the kernel: `[vdso]`, `[vvar]`, `[vsyscall]`, `[uprobes]`.
    Kernel,
}

impl MappingKind {
    /// What it is called on screen.
    pub fn title(self) -> &'static str {
        self.words().0
    }

    /// What it is called in JSON.
    pub fn key(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Heap => ("[heap]", "heap"),
            Self::Anonymous => (key!("anonymous"), "anonymous"),
            Self::NamedAnonymous => (key!("anonymous"), "named_anonymous"),
            Self::Code => (key!("generated code"), "code"),
            Self::MallocArena => (key!("malloc arenas"), "malloc_arena"),
            Self::V8Heap => (key!("V8 heap"), "v8_heap"),
            Self::GoHeap => (key!("Go heap"), "go_heap"),
            Self::JvmHeap => (key!("Java heap"), "jvm_heap"),
            Self::Stack => ("[stack]", "stack"),
            Self::ThreadStack => (key!("thread stacks"), "thread_stack"),
            Self::Reserved => (key!("reserved"), "reserved"),
            Self::SharedAnonymous => (key!("shared anonymous"), "shared_anonymous"),
            Self::Sysv => (key!("SysV segment"), "sysv"),
            Self::PosixShm => (key!("POSIX shared memory"), "posix_shm"),
            Self::Memfd => ("memfd", "memfd"),
            Self::Tmpfs => ("tmpfs", "tmpfs"),
            Self::HugeTlb => (key!("huge pages"), "hugetlb"),
            Self::Device => (key!("device"), "device"),
            Self::File => (key!("file"), "file"),
            Self::Kernel => (key!("kernel"), "kernel"),
        }
    }

    /// The family it belongs to, for a bar of few colours.
    pub fn family(self) -> Family {
        match self {
            Self::Heap | Self::MallocArena | Self::V8Heap | Self::GoHeap | Self::JvmHeap => Family::Heap,
            Self::Anonymous | Self::NamedAnonymous => Family::Anonymous,
            Self::Stack | Self::ThreadStack => Family::Stack,
            Self::SharedAnonymous | Self::Sysv | Self::PosixShm | Self::Memfd | Self::Tmpfs | Self::HugeTlb => {
                Family::Shared
            }
            Self::Code | Self::File => Family::File,
            Self::Reserved | Self::Device | Self::Kernel => Family::Other,
        }
    }
}

/// Kinds of mapping that look alike in a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// A heap of known origin.
    Heap,
    /// Other private memory.
    Anonymous,
    /// Stacks.
    Stack,
    /// Shared memory and memory of file systems in RAM.
    Shared,
    /// Code and files.
    File,
    /// All else.
    Other,
}

impl Family {
    /// Every family, in the order of a legend.
    pub const ALL: [Self; 6] = [Self::Heap, Self::Anonymous, Self::Stack, Self::Shared, Self::File, Self::Other];

    /// What it is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::Heap => key!("heap"),
            Self::Anonymous => key!("anonymous"),
            Self::Stack => key!("stacks"),
            Self::Shared => key!("shared"),
            Self::File => key!("files"),
            Self::Other => key!("other"),
        }
    }
}
