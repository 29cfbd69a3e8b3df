//! Who has which shared memory open or mapped: the descriptors and mappings of all processes, looked at in slices, so
//! that a machine with a hundred thousand descriptors costs no more at a time than a small one.

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{AtFlags, MemfdFlags, RawDir, Stat, fstat, makedev, memfd_create, readlinkat_raw, statat, statfs};
use rustix::io::Errno;

use super::posix::FileKey;
use super::tmpfs::parse_device;
use crate::collect::clock::thread_cpu_us;
use crate::collect::files::{Buffer, PidPath, list_pids, open_at};
use crate::collect::parse::{lines, narrow, parse_number, parse_stat};
use crate::collect::root::ProcRoot;
use crate::model::survey::{Extent, Holders, Loose, LooseKind};
use crate::model::text::Text;

/// `f_type` of tmpfs (statfs(2)).
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// The first pid namespace (`PROC_PID_INIT_INO` in include/linux/proc_ns.h).
const FIRST_PIDS: &str = "pid:[4026531836]";

/// Files that are remembered; what comes after is counted.
const MOST_FILES: usize = 8192;

/// Bytes of a process's mappings that are read: some 150,000 of them.
const MOST_MAPS: usize = 16 << 20;

const DELETED: &[u8] = b" (deleted)";

/// What is looked for beside files that no path leads to. It stays the same for a whole lap: of what is newer nothing
/// can be said.
#[derive(Default)]
pub(super) struct Sought {
    /// Files that have a path.
    pub(super) files: HashSet<FileKey>,
    /// The last parts of their paths: whatever the folders above are called where the process is.
    pub(super) names: HashSet<Box<[u8]>>,
    /// Devices that are file systems in RAM.
    pub(super) devices: Vec<u64>,
}

/// What a lap around all processes finds.
#[derive(Default)]
pub(super) struct Lap {
    /// Files without a path.
    loose: HashMap<FileKey, Loose>,
    /// Who has the files that were sought.
    files: HashMap<FileKey, Holders>,
    /// Who has which System V segment, by `shmid`.
    pub(super) segments: HashMap<u32, Holders>,
    pub(super) extent: Extent,
    sought: Sought,
}

impl Lap {
    /// Who has a file; `None` where it was not looked for.
    pub(super) fn holders(&self, key: FileKey) -> Option<Holders> {
        let is_known = self.sought.files.contains(&key);
        is_known.then(|| self.files.get(&key).cloned().unwrap_or_default())
    }

    /// The files without a path, the largest first.
    pub(super) fn loose(&self) -> Vec<Loose> {
        let mut loose: Vec<Loose> = self.loose.values().cloned().collect();
        loose.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
        loose
    }
}

/// The scan's state between slices.
pub(super) struct HolderScan {
    proc: PathBuf,
    /// Whether /proc shows the first pid namespace, and so everybody.
    is_whole: bool,
    /// The device of the kernel's own tmpfs, which is mounted nowhere: memfd, SysV and shared anonymous memory.
    own_device: u64,
    /// Which devices are tmpfs, as far as it was asked.
    is_tmpfs: HashMap<u64, bool>,
    pids: Vec<u32>,
    next: usize,
    lap: Lap,
    /// The last lap that was completed.
    done: Option<Lap>,
    links: Vec<u8>,
}

impl HolderScan {
    pub(super) fn new(root: &ProcRoot) -> Self {
        let own = memfd_create(c"memtide", MemfdFlags::CLOEXEC).and_then(fstat).map(|stat| stat.st_dev);
        Self {
            proc: root.proc.clone(),
            is_whole: std::fs::read_link(root.proc.join("self/ns/pid"))
                .is_ok_and(|link| link.as_os_str() == FIRST_PIDS),
            own_device: own.unwrap_or(makedev(0, 1)),
            is_tmpfs: HashMap::new(),
            pids: Vec::new(),
            next: 0,
            lap: Lap::default(),
            done: None,
            links: vec![0; 4096],
        }
    }

    /// The last complete lap, or what is known so far of the first one.
    pub(super) fn known(&self) -> &Lap {
        self.done.as_ref().unwrap_or(&self.lap)
    }

    /// Whether a lap is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.next < self.pids.len()
    }

    /// Begins a lap around all processes.
    pub(super) fn begin(&mut self, proc: BorrowedFd<'_>, sought: Sought) {
        if list_pids(proc, &mut self.pids).is_err() {
            self.pids.clear();
        }
        self.next = 0;
        self.is_tmpfs = sought.devices.iter().map(|device| (*device, true)).collect();
        self.is_tmpfs.insert(self.own_device, true);
        let extent = Extent {
            processes: self.pids.len() as u32,
            is_hiding: self.pids.first() != Some(&1) || !self.is_whole,
            ..Extent::default()
        };
        self.lap = Lap { extent, sought, ..Lap::default() };
    }

    /// Goes on with the lap for so many microseconds of CPU time; at least one process is looked at.
    pub(super) fn go_on(&mut self, proc: BorrowedFd<'_>, buffer: &mut Buffer, allowance_us: u64) {
        let began = thread_cpu_us();
        while self.is_under_way() {
            let pid = self.pids[self.next];
            self.next += 1;
            match self.look_at(proc, pid, buffer) {
                Err(Errno::ACCESS | Errno::PERM) if can_hold(proc, pid, buffer) => self.lap.extent.denied += 1,
                Ok(()) | Err(Errno::ACCESS | Errno::PERM) => self.lap.extent.seen += 1,
                // It has ended.
                Err(_) => self.lap.extent.processes -= 1,
            }
            if thread_cpu_us().saturating_sub(began) >= allowance_us {
                break;
            }
        }
        self.lap.extent.waiting = (self.pids.len() - self.next) as u32;
        if !self.is_under_way() {
            self.done = Some(std::mem::take(&mut self.lap));
        }
    }

    fn look_at(&mut self, proc: BorrowedFd<'_>, pid: u32, buffer: &mut Buffer) -> Result<(), Errno> {
        let mut seen = HashSet::new();
        self.look_at_descriptors(proc, pid, &mut seen)?;
        let maps = buffer.read_all(proc, PidPath::new(pid, "maps").as_c_str(), MOST_MAPS)?;
        self.look_at_mappings(proc, pid, maps, &mut seen);
        Ok(())
    }

    fn look_at_descriptors(
        &mut self,
        proc: BorrowedFd<'_>,
        pid: u32,
        seen: &mut HashSet<FileKey>,
    ) -> Result<(), Errno> {
        let folder = open_at(proc, PidPath::new(pid, "fd").as_c_str())?;
        let mut space = [std::mem::MaybeUninit::<u8>::uninit(); 16 * 1024];
        let mut entries = RawDir::new(&folder, &mut space);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name();
            // What is no link, as `.` and `..` are, or was closed meanwhile.
            let Ok(length) = readlinkat_raw(&folder, name, &mut self.links[..]) else { continue };
            let is_gone = self.links[..length].ends_with(DELETED);
            let last = self.links[..length].rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            if !is_gone && !self.lap.sought.names.contains(last) {
                continue;
            }
            let Ok(stat) = statat(&folder, name, AtFlags::empty()) else { continue };
            let key = (stat.st_dev, stat.st_ino);
            if seen.contains(&key) {
                continue;
            }
            if is_gone {
                if !self.is_in_ram(stat.st_dev, pid, "fd", name) {
                    continue;
                }
                let (path, kind) = name_of(&self.links[..length]);
                self.add_loose(key, &path, kind, Size::Allocated(allocated(&stat)), pid);
            } else if self.lap.sought.files.contains(&key) {
                self.lap.files.entry(key).or_default().add(pid);
            }
            seen.insert(key);
        }
        Ok(())
    }

    fn look_at_mappings(&mut self, proc: BorrowedFd<'_>, pid: u32, maps: &[u8], seen: &mut HashSet<FileKey>) {
        let mut folder: Option<OwnedFd> = None;
        for mapping in lines(maps).filter_map(parse_mapping) {
            let key = (mapping.device, mapping.inode);
            if let Some(id) = mapping.segment().filter(|_| mapping.device == self.own_device) {
                // A segment may be mapped more than once.
                if seen.insert(key) {
                    self.lap.segments.entry(id).or_default().add(pid);
                }
                continue;
            }
            if !mapping.path.ends_with(DELETED) {
                if self.lap.sought.files.contains(&key) && seen.insert(key) {
                    self.lap.files.entry(key).or_default().add(pid);
                }
                continue;
            }
            let is_known = self.is_tmpfs.get(&mapping.device).copied();
            if is_known == Some(false) || seen.contains(&key) && !self.needs_extent(key) {
                continue;
            }
            // The names of this folder are the mappings' addresses; it takes CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN.
            if folder.is_none() {
                folder = open_at(proc, PidPath::new(pid, "map_files").as_c_str()).ok();
            }
            let mut name = [0; 64];
            let name = name_in(&mut name, mapping.addresses);
            let stat = folder.as_ref().and_then(|folder| statat(folder, name, AtFlags::empty()).ok());
            if is_known.is_none() && !(stat.is_some() && self.is_in_ram(mapping.device, pid, "map_files", name)) {
                continue;
            }
            let size = stat.map_or(Size::Mapped(mapping.length()), |stat| Size::Allocated(allocated(&stat)));
            let (path, kind) = name_of(mapping.path);
            if seen.insert(key) {
                self.add_loose(key, &path, kind, size, pid);
            } else if let (Size::Mapped(more), Some(loose)) = (size, self.lap.loose.get_mut(&key)) {
                loose.bytes = loose.bytes.saturating_add(more);
            }
        }
    }

    /// Whether a file without a path is known by what is mapped of it alone, first by this process.
    fn needs_extent(&self, key: FileKey) -> bool {
        self.lap.loose.get(&key).is_some_and(|loose| loose.is_extent && loose.holders.count == 1)
    }

    /// Whether a device is a tmpfs: asked once a device, of a link that leads to a file on it.
    fn is_in_ram(&mut self, device: u64, pid: u32, folder: &str, name: &CStr) -> bool {
        if let Some(known) = self.is_tmpfs.get(&device) {
            return *known;
        }
        let Ok(name) = name.to_str() else { return false };
        let path = self.proc.join(pid.to_string()).join(folder).join(name);
        let Ok(found) = statfs(&path) else { return false };
        let is_tmpfs = found.f_type as u64 == TMPFS_MAGIC;
        self.is_tmpfs.insert(device, is_tmpfs);
        is_tmpfs
    }

    fn add_loose(&mut self, key: FileKey, path: &Text, kind: LooseKind, size: Size, pid: u32) {
        if !self.lap.loose.contains_key(&key) && self.lap.loose.len() >= MOST_FILES {
            self.lap.extent.left_out += 1;
            return;
        }
        let (bytes, is_extent) = match size {
            Size::Allocated(bytes) => (bytes, false),
            Size::Mapped(bytes) => (bytes, true),
        };
        let is_of_mount = self.lap.sought.devices.contains(&key.0);
        let new = Loose { path: path.clone(), kind, bytes, is_extent, is_of_mount, holders: Holders::default() };
        let loose = self.lap.loose.entry(key).or_insert(new);
        if loose.is_extent && !is_extent {
            (loose.bytes, loose.is_extent) = (bytes, false);
        }
        loose.holders.add(pid);
    }
}

/// Its name without what the kernel adds, and its kind.
fn name_of(link: &[u8]) -> (Text, LooseKind) {
    let name = link.strip_suffix(DELETED).unwrap_or(link);
    match name.strip_prefix(b"/memfd:") {
        Some(name) => (Text::new(name), LooseKind::Memfd),
        None if name == b"/dev/zero" => (Text::from("anonymous"), LooseKind::Anonymous),
        None => (Text::new(name), LooseKind::Deleted),
    }
}

/// Whether a process that keeps to itself what it has can have anything: kernel threads and zombies can't.
fn can_hold(proc: BorrowedFd<'_>, pid: u32, buffer: &mut Buffer) -> bool {
    let stat = buffer.read_record(proc, PidPath::new(pid, "stat").as_c_str()).unwrap_or_default();
    parse_stat(stat).is_none_or(|line| !line.is_kernel_thread && line.stat.state != b'Z')
}

/// What is known of a file's size.
#[derive(Clone, Copy)]
enum Size {
    /// Its blocks.
    Allocated(u64),
    /// What is mapped of it.
    Mapped(u64),
}

fn allocated(stat: &Stat) -> u64 {
    (stat.st_blocks as u64).saturating_mul(512)
}

/// A line of `/proc/PID/maps` (proc_pid_maps(5)) that has a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Mapping<'a> {
    /// First and last address, as they are written.
    pub addresses: &'a [u8],
    /// Device of the file.
    pub device: u64,
    /// Its inode; of a System V segment its `shmid`.
    pub inode: u64,
    /// Its path.
    pub path: &'a [u8],
}

impl Mapping<'_> {
    /// Bytes of the address space.
    fn length(&self) -> u64 {
        let number = |word: &[u8]| u64::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok();
        let mut ends = self.addresses.split(|byte| *byte == b'-').map(number);
        match (ends.next().flatten(), ends.next().flatten()) {
            (Some(start), Some(end)) => end.saturating_sub(start),
            _ => 0,
        }
    }

    /// The System V segment that is mapped, if it is one.
    fn segment(&self) -> Option<u32> {
        let key = self.path.strip_prefix(b"/SYSV")?.strip_suffix(DELETED)?;
        (key.len() == 8 && key.iter().all(u8::is_ascii_hexdigit)).then(|| narrow(self.inode))
    }
}

/// Decodes a line of `/proc/PID/maps`; `None` where no file on a nameless device, as all in RAM are, is mapped.
pub fn parse_mapping(line: &[u8]) -> Option<Mapping<'_>> {
    let mut words = line.splitn(5, |byte| *byte == b' ');
    let addresses = words.next()?;
    let device = words.nth(2)?;
    if !device.starts_with(b"00:") {
        return None;
    }
    let rest = words.next()?;
    let blank = rest.iter().position(|byte| *byte == b' ')?;
    let path = rest[blank..].trim_ascii_start();
    if path.first() != Some(&b'/') {
        return None;
    }
    Some(Mapping { addresses, device: parse_device(device, 16)?, inode: parse_number(&rest[..blank])?, path })
}

/// The name that `/proc/PID/map_files` has for a mapping: its addresses, without leading zeros.
fn name_in<'a>(space: &'a mut [u8; 64], addresses: &[u8]) -> &'a CStr {
    let mut length = 0;
    let mut push = |byte: u8| {
        if length + 1 < space.len() {
            space[length] = byte;
            length += 1;
        }
    };
    for (nth, word) in addresses.split(|byte| *byte == b'-').enumerate() {
        if nth > 0 {
            push(b'-');
        }
        let zeros = word.iter().take_while(|byte| **byte == b'0').count().min(word.len().saturating_sub(1));
        word[zeros..].iter().for_each(|byte| push(*byte));
    }
    CStr::from_bytes_until_nul(space).unwrap_or_default()
}

/// Opens procfs for the scan.
pub(super) fn open_proc(root: &ProcRoot) -> Option<OwnedFd> {
    rustix::fs::open(
        &root.proc,
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsFd as _;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mapping_of_a_file_in_ram_is_told_from_others() {
        let line = b"7f0000001000-7f0000005000 rw-s 00000000 00:01 32769                      /SYSV0000002a (deleted)";
        let mapping = parse_mapping(line).unwrap();
        assert_eq!((mapping.device, mapping.segment(), mapping.length()), (makedev(0, 1), Some(32_769), 0x4000));
        assert_eq!(parse_mapping(b"00400000-00401000 r-xp 00000000 fe:00 12 /bin/sh"), None);
        assert_eq!(parse_mapping(b"7f00-7f01 rw-p 00000000 00:00 0 "), None);
        assert_eq!(parse_mapping(b"7f00-7f01 rw-p 00000000 00:00 0                 [heap]"), None);
        let named = parse_mapping(b"7f00-7f01 rw-s 00000000 00:1b 4 /dev/shm/a b").unwrap();
        assert_eq!((named.path, named.segment()), (&b"/dev/shm/a b"[..], None));
    }

    #[test]
    fn names_of_mappings_have_no_leading_zeros() {
        let mut space = [0; 64];
        assert_eq!(name_in(&mut space, b"00400000-00401000"), c"400000-401000");
        let mut space = [0; 64];
        assert_eq!(name_in(&mut space, b"0000-1000"), c"0-1000");
        let mut space = [0; 64];
        assert_eq!(name_in(&mut space, &[b'a'; 200]).count_bytes(), 63);
    }

    #[test]
    fn what_this_process_has_open_and_mapped_is_found() {
        let root = ProcRoot::live();
        let proc = open_proc(&root).unwrap();
        let memory = memfd_create(c"holders \x1b test", MemfdFlags::CLOEXEC).unwrap();
        std::fs::File::from(memory.try_clone().unwrap()).write_all(&vec![1; 300_000]).unwrap();
        let mut scan = HolderScan::new(&root);
        let mut buffer = Buffer::new();
        scan.begin(proc.as_fd(), Sought::default());
        // A slice of no time looks at one process: until the lap is done nothing is complete.
        scan.go_on(proc.as_fd(), &mut buffer, 0);
        assert!(scan.known().extent.waiting > 0 && !scan.known().extent.is_complete());
        while scan.is_under_way() {
            scan.go_on(proc.as_fd(), &mut buffer, 1000);
        }
        let loose = scan.known().loose();
        let ours = loose.iter().find(|loose| loose.path.as_bytes() == b"holders \x1b test").unwrap();
        assert_eq!((ours.kind, ours.is_extent), (LooseKind::Memfd, false));
        assert!((300_000..400_000).contains(&ours.bytes), "{ours:?}");
        assert!(ours.holders.pids.contains(&std::process::id()), "{ours:?}");
        assert_eq!(scan.known().extent.waiting, 0);
        drop(memory);
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = [b"7f00-7f01 rw-s 00000000 00:01 ", &bytes[..]].concat();
            for line in [&bytes[..], &text] {
                if let Some(mapping) = parse_mapping(line) {
                    mapping.length();
                    mapping.segment();
                    name_in(&mut [0; 64], mapping.addresses);
                }
            }
        }
    }
}
