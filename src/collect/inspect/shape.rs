//! What a mapping is: by its name, or, where it has none, by where it lies and what is beside it.

use super::header::Header;
use crate::model::inspect::mapping::MappingKind;
use crate::model::text::Text;

/// What a mapping is and is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) kind: MappingKind,
    /// Empty where the kind says all.
    pub(super) name: &'a [u8],
    pub(super) is_deleted: bool,
}

impl<'a> Named<'a> {
    fn new(kind: MappingKind, name: &'a [u8]) -> Self {
        Self { kind, name, is_deleted: false }
    }
}

/// Devices of file systems that are not on a disk, as major and minor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RamFileSystems {
    /// tmpfs.
    pub(super) tmpfs: Vec<(u32, u32)>,
    /// hugetlbfs.
    pub(super) hugetlb: Vec<(u32, u32)>,
}

impl RamFileSystems {
    /// From `/proc/PID/mountinfo`: `36 35 98:0 /root /mount options [tags] - type source options`
    /// (proc_pid_mountinfo(5)).
    pub(super) fn push(&mut self, line: &[u8]) {
        let mut words = line.split(|byte| *byte == b' ');
        let device = words.nth(2).and_then(parse_device);
        // Optional fields end with a lone hyphen; a space in a path is written `\040`.
        let kind = words.skip_while(|word| *word != b"-").nth(1);
        match (device, kind) {
            (Some(device), Some(b"tmpfs")) => self.tmpfs.push(device),
            (Some(device), Some(b"hugetlbfs")) => self.hugetlb.push(device),
            _ => {}
        }
    }
}

/// `major:minor`, decimal.
fn parse_device(word: &[u8]) -> Option<(u32, u32)> {
    let (major, minor) = std::str::from_utf8(word).ok()?.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The kind of a mapping with a name; `None` where it has none and so must be told by its shape.
pub(super) fn by_name<'a>(header: &Header<'a>, mounts: &RamFileSystems) -> Option<Named<'a>> {
    let name = header.name;
    if name.is_empty() {
        // A shared mapping always has a file; one without is of a device that hides it.
        return None;
    }
    if let Some(inner) = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]")) {
        return Some(match inner {
            b"heap" => Named::new(MappingKind::Heap, b""),
            b"stack" => Named::new(MappingKind::Stack, b""),
            // [stack:TID], Linux 3.4 to 4.4.
            _ if inner.starts_with(b"stack:") => Named::new(MappingKind::ThreadStack, b""),
            _ => match (inner.strip_prefix(b"anon:"), inner.strip_prefix(b"anon_shmem:")) {
                (Some(name), _) => Named::new(MappingKind::NamedAnonymous, name),
                (_, Some(name)) => Named::new(MappingKind::SharedAnonymous, name),
                _ => Named::new(MappingKind::Kernel, name),
            },
        });
    }
    let (path, is_deleted) = match name.strip_suffix(b" (deleted)") {
        Some(path) => (path, true),
        None => (name, false),
    };
    // Files of the kernel's own tmpfs, which is mounted nowhere, are deleted from the start.
    if is_deleted {
        if path == b"/dev/zero" {
            return Some(Named::new(MappingKind::SharedAnonymous, b""));
        }
        if path.len() == 13 && path.starts_with(b"/SYSV") {
            return Some(Named::new(MappingKind::Sysv, path));
        }
        if let Some(name) = path.strip_prefix(b"/memfd:") {
            return Some(Named::new(MappingKind::Memfd, name));
        }
        if path == b"/anon_hugepage" {
            return Some(Named::new(MappingKind::HugeTlb, b""));
        }
        if path == b"/[aio]" {
            return Some(Named::new(MappingKind::Kernel, b"[aio]"));
        }
    }
    let kind = if mounts.hugetlb.contains(&header.device) {
        MappingKind::HugeTlb
    } else if path.starts_with(b"/dev/shm/") {
        MappingKind::PosixShm
    } else if mounts.tmpfs.contains(&header.device) && !path.starts_with(b"/dev/") {
        MappingKind::Tmpfs
    } else if path.starts_with(b"/dev/") || !path.starts_with(b"/") {
        // anon_inode:[perf_event], socket:[7]: memory of a driver or of the kernel.
        MappingKind::Device
    } else {
        MappingKind::File
    };
    Some(Named { kind, name: path, is_deleted })
}

/// The name of a System V segment: its id, which `maps` gives as the inode, and its key where it has one.
pub(super) fn sysv_name(path: &[u8], inode: u64) -> Text {
    match path.strip_prefix(b"/SYSV") {
        Some(b"00000000") | None => Text::from(format!("{inode}").as_str()),
        Some(key) => Text::from(format!("{inode} (key 0x{})", String::from_utf8_lossy(key)).as_str()),
    }
}

/// What is beside a mapping, without a gap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Beside {
    /// Bytes of inaccessible anonymous memory right below.
    pub(super) reserved_below: u64,
    /// Bytes of inaccessible anonymous memory right above.
    pub(super) reserved_above: u64,
    /// The stack pointer of a thread lies in it.
    pub(super) has_stack_pointer: bool,
    /// The process has more than one thread.
    pub(super) is_threaded: bool,
}

/// HEAP_MAX_SIZE of glibc's malloc on 64 bits (malloc/arena.c).
const ARENA: u64 = 64 << 20;

/// A guard is a page, or, where pages are large or the program asks for it, a few (pthread_attr_setguardsize(3)).
const LARGEST_GUARD: u64 = 64 << 10;

/// Go's first arena on 64 bits, which every Go program has, and where those that follow it end for sure
/// (runtime/malloc.go).
pub(super) const GO_HEAP: std::ops::Range<u64> = 0xc0_0000_0000..0x100_0000_0000;

/// Compressed pointers of the JVM reach so far.
const JVM_HEAP_END: u64 = 32 << 30;

/// What begins elsewhere is no part of a Java heap.
const JVM_ALIGNMENT: u64 = 64 << 10;

/// V8 aligns the pages of its heap to this.
const V8_PAGE: u64 = 256 << 10;

/// The kind of a mapping that has no name. [`MappingKind::GoHeap`], [`MappingKind::JvmHeap`] and
/// [`MappingKind::V8Heap`] are guesses that hold only in a process that runs that machine.
pub(super) fn by_shape(header: &Header<'_>, beside: Beside) -> MappingKind {
    if header.is_inaccessible() {
        return MappingKind::Reserved;
    }
    if header.is_shared() {
        return MappingKind::SharedAnonymous;
    }
    if beside.has_stack_pointer {
        return MappingKind::ThreadStack;
    }
    if header.is_executable() {
        return MappingKind::Code;
    }
    if GO_HEAP.contains(&header.start) {
        return MappingKind::GoHeap;
    }
    if header.end <= JVM_HEAP_END && header.start.is_multiple_of(JVM_ALIGNMENT) {
        return MappingKind::JvmHeap;
    }
    if is_arena(header, beside) {
        return MappingKind::MallocArena;
    }
    if beside.is_threaded && (1..=LARGEST_GUARD).contains(&beside.reserved_below) {
        return MappingKind::ThreadStack;
    }
    if header.start.is_multiple_of(V8_PAGE) {
        return MappingKind::V8Heap;
    }
    MappingKind::Anonymous
}

/// Used up to somewhere and reserved from there to where the next arena could begin; or used up.
fn is_arena(header: &Header<'_>, beside: Beside) -> bool {
    let end = header.end.saturating_add(beside.reserved_above);
    let is_full = beside.is_threaded && header.size() == ARENA;
    header.start.is_multiple_of(ARENA) && end.is_multiple_of(ARENA) && (beside.reserved_above > 0 || is_full)
}

/// Whether a program or library says that the process runs Java.
pub(super) fn is_jvm(path: &[u8]) -> bool {
    matches!(file_name(path), b"libjvm.so" | b"java")
}

/// Whether a program or library says that the process runs V8.
pub(super) fn is_v8(path: &[u8]) -> bool {
    let name = file_name(path);
    matches!(name, b"node" | b"nodejs" | b"deno" | b"electron" | b"chrome" | b"chromium" | b"d8")
        || name.starts_with(b"libnode.so")
        || name.starts_with(b"libv8.so")
}

fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::super::header::parse_header;
    use super::*;

    fn kind(line: &str, beside: Beside) -> (MappingKind, String, bool) {
        let header = parse_header(line.as_bytes()).unwrap();
        let mounts = RamFileSystems { tmpfs: vec![(0, 25)], hugetlb: vec![(0, 30)] };
        match by_name(&header, &mounts) {
            Some(named) => (named.kind, String::from_utf8_lossy(named.name).into_owned(), named.is_deleted),
            None => (by_shape(&header, beside), String::new(), false),
        }
    }

    #[test]
    fn names_tell_the_kind() {
        for (name, expected) in [
            ("[heap]", (MappingKind::Heap, "", false)),
            ("[stack]", (MappingKind::Stack, "", false)),
            ("[stack:77]", (MappingKind::ThreadStack, "", false)),
            ("[anon:Go: heap]", (MappingKind::NamedAnonymous, "Go: heap", false)),
            ("[anon_shmem:buffers]", (MappingKind::SharedAnonymous, "buffers", false)),
            ("[vdso]", (MappingKind::Kernel, "[vdso]", false)),
            ("/dev/zero (deleted)", (MappingKind::SharedAnonymous, "", false)),
            ("/SYSV0052e2c1 (deleted)", (MappingKind::Sysv, "/SYSV0052e2c1", false)),
            ("/memfd:doublemapper (deleted)", (MappingKind::Memfd, "doublemapper", false)),
            ("/anon_hugepage (deleted)", (MappingKind::HugeTlb, "", false)),
            ("/dev/shm/PostgreSQL.1 (deleted)", (MappingKind::PosixShm, "/dev/shm/PostgreSQL.1", true)),
            ("/dev/nvidia0", (MappingKind::Device, "/dev/nvidia0", false)),
            ("anon_inode:[perf_event]", (MappingKind::Device, "anon_inode:[perf_event]", false)),
            ("/usr/lib/libc.so.6 (deleted)", (MappingKind::File, "/usr/lib/libc.so.6", true)),
        ] {
            let line = format!("7f0000000000-7f0000001000 rw-p 00000000 08:01 5 {name}");
            let (kind, name, is_deleted) = kind(&line, Beside::default());
            assert_eq!((kind, name.as_str(), is_deleted), expected);
        }
        let on = |device: &str| kind(&format!("1000-2000 rw-s 0 {device} 5 /run/x"), Beside::default()).0;
        assert_eq!((on("00:19"), on("00:1e"), on("08:01")), {
            (MappingKind::Tmpfs, MappingKind::HugeTlb, MappingKind::File)
        });
    }

    #[test]
    fn a_segment_is_called_by_its_id() {
        assert_eq!(sysv_name(b"/SYSV00000000", 4).escaped(), "4");
        assert_eq!(sysv_name(b"/SYSV0052e2c1", 4).escaped(), "4 (key 0x0052e2c1)");
    }

    #[test]
    fn mounts_of_ram_are_told_by_their_device() {
        let mut mounts = RamFileSystems::default();
        mounts.push(b"26 1 0:25 / /dev/shm rw,nosuid - tmpfs tmpfs rw");
        mounts.push(b"27 1 0:30 / /dev/huge\\040pages rw shared:7 master:1 - hugetlbfs none rw");
        mounts.push(b"28 1 8:1 / / rw - ext4 /dev/root rw");
        mounts.push(b"\xff - tmpfs");
        assert_eq!(mounts, RamFileSystems { tmpfs: vec![(0, 25)], hugetlb: vec![(0, 30)] });
    }

    #[test]
    fn what_has_no_name_is_told_by_its_shape() {
        let alone = Beside::default();
        let shape = |range: &str, permissions: &str, beside| {
            kind(&format!("{range} {permissions} 00000000 00:00 0 "), beside).0
        };
        assert_eq!(shape("7f0000001000-7f0000002000", "---p", alone), MappingKind::Reserved);
        assert_eq!(shape("7f0000001000-7f0000002000", "rw-p", alone), MappingKind::Anonymous);
        assert_eq!(shape("7f0000001000-7f0000002000", "rwxp", alone), MappingKind::Code);
        assert_eq!(shape("c000000000-c000400000", "rw-p", alone), MappingKind::GoHeap);
        assert_eq!(shape("700000000-710000000", "rw-p", alone), MappingKind::JvmHeap);
        assert_eq!(shape("7f0000040000-7f0000080000", "rw-p", alone), MappingKind::V8Heap);
        let above = |reserved_above| Beside { reserved_above, ..alone };
        assert_eq!(shape("7f0004000000-7f0004021000", "rw-p", above(0x3fd_f000)), MappingKind::MallocArena);
        let threaded = Beside { is_threaded: true, ..alone };
        assert_eq!(shape("7f0004000000-7f0008000000", "rw-p", threaded), MappingKind::MallocArena);
        assert_eq!(shape("7f0004000000-7f0014000000", "rw-p", threaded), MappingKind::V8Heap, "a large mmap");
        assert_eq!(shape("7f0004001000-7f0004021000", "rw-p", above(0x3fd_f000)), MappingKind::Anonymous);
        let guarded = Beside { reserved_below: 4096, is_threaded: true, ..alone };
        assert_eq!(shape("7f0004001000-7f0004801000", "rw-p", guarded), MappingKind::ThreadStack);
        assert_eq!(
            shape("7f0004001000-7f0004801000", "rw-p", Beside { is_threaded: false, ..guarded }),
            MappingKind::Anonymous
        );
        let pointed = Beside { has_stack_pointer: true, ..alone };
        assert_eq!(shape("7f0004001000-7f0004801000", "rw-p", pointed), MappingKind::ThreadStack);
    }

    #[test]
    fn machines_are_known_by_their_program_or_library() {
        assert!(is_jvm(b"/usr/lib/jvm/java-17/lib/server/libjvm.so") && !is_jvm(b"/opt/javac"));
        assert!(is_v8(b"/usr/bin/node") && is_v8(b"/usr/lib/libnode.so.108") && !is_v8(b"/usr/bin/nodemon"));
    }
}
