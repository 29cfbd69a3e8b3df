//! Reading what is open: all numbers, and as many links as time allows, spread evenly over the numbers.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::fs::{AtFlags, FileType, RawDir, StatxFlags, readlinkat_raw, statat, statx};
use rustix::io::Errno;

use super::fdinfo::{is_telling, read_fdinfo};
use super::link::{Link, parse_link};
use super::net::SocketTable;
use super::shape::RamFileSystems;
use crate::collect::files::{open_at, reading_of_error};
use crate::model::inspect::Coverage;
use crate::model::inspect::descriptor::{Access, Deleted, Descriptor, DescriptorKind, Descriptors, KindCount, Target};
use crate::model::inspect::fdinfo::FdInfo;
use crate::model::inspect::socket::Socket;
use crate::model::reading::Reading;
use crate::model::text::Text;

/// The moments after which no more is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// Of links.
    pub(super) links: Instant,
    /// Of the lists of sockets.
    pub(super) sockets: Instant,
}

/// Links are read in rounds: in each, one of so many neighbours.
const STRIDE: usize = 64;

/// The longest path that the kernel writes, and ` (deleted)`.
const LONGEST_LINK: usize = 4096 + 16;

/// Reads the descriptors of the process whose folder `process` is. The links of a recorded tree lead nowhere: the files
/// of this machine, which is live where `is_live`, have nothing to do with them.
pub(super) fn read_descriptors(
    process: BorrowedFd<'_>,
    is_live: bool,
    mounts: &RamFileSystems,
    deadlines: Deadlines,
    buffer: &mut Vec<u8>,
) -> Reading<Descriptors> {
    let (folder, numbers) = match open_at(process, c"fd").and_then(list_numbers) {
        Ok(listed) => listed,
        Err(error) => return reading_of_error(error),
    };
    let mut reader = Reader {
        folder,
        is_live,
        mounts,
        link: vec![0; LONGEST_LINK],
        targets: Vec::new(),
        places: HashMap::new(),
        sockets: Vec::new(),
        seen: HashSet::new(),
        deleted: Deleted::default(),
    };
    let newest: Vec<Opened> =
        numbers.iter().rev().take(Descriptors::NEWEST).filter_map(|number| reader.open(*number)).collect();
    let (mut read, mut of) = (0u64, numbers.len() as u64);
    'rounds: for round in 0..STRIDE {
        // Halves, then quarters, then eighths: after every round what was read lies evenly among the rest.
        let first = round.reverse_bits() >> (usize::BITS - STRIDE.ilog2());
        for (nth, number) in numbers.iter().skip(first).step_by(STRIDE).enumerate() {
            if nth % 16 == 15 && Instant::now() >= deadlines.links {
                break 'rounds;
            }
            match reader.open(*number) {
                Some(opened) => {
                    reader.count(&opened);
                    read += 1;
                }
                // It was closed in between.
                None => of -= 1,
            }
        }
    }
    let inside = Inside { folder: open_at(process, c"fdinfo").ok(), deadline: deadlines.sockets };
    // Of these it is told first: they cost little, whatever the lists of sockets take.
    let newest: Vec<(Opened, Option<FdInfo>)> = newest
        .into_iter()
        .map(|opened| {
            let info = inside.read(opened.kind, &opened.name, opened.number, buffer);
            (opened, info)
        })
        .collect();
    let inodes = reader.sockets.iter().map(|(inode, _)| *inode);
    let inodes = inodes.chain(newest.iter().filter_map(|(opened, _)| opened.socket));
    let sockets = SocketTable::read(process, inodes, deadlines.sockets, buffer);
    let mut descriptors = reader.finish(Coverage { read, of }, newest, &sockets);
    for target in descriptors.targets.iter_mut().take(Descriptors::INSIDE) {
        target.info = inside.read(target.kind, &target.name, target.highest, buffer);
    }
    Reading::Value(descriptors)
}

/// What `fdinfo` says.
struct Inside {
    folder: Option<OwnedFd>,
    deadline: Instant,
}

impl Inside {
    fn read(&self, kind: DescriptorKind, name: &Text, number: u32, buffer: &mut Vec<u8>) -> Option<FdInfo> {
        let is_shared = name.as_bytes().starts_with(b"/dmabuf:");
        let folder = self.folder.as_ref().filter(|_| is_telling(kind) || is_shared)?;
        read_fdinfo(folder, number, self.deadline, buffer)
    }
}

/// The numbers of open descriptors, ascending.
pub(super) fn list_numbers(folder: OwnedFd) -> Result<(OwnedFd, Vec<u32>), Errno> {
    let mut numbers = Vec::new();
    let mut space = [std::mem::MaybeUninit::<u8>::uninit(); 16 * 1024];
    let mut entries = RawDir::new(&folder, &mut space);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = std::str::from_utf8(entry.file_name().to_bytes()).ok();
        numbers.extend(name.and_then(|name| name.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok((folder, numbers))
}

/// A descriptor whose link was read.
struct Opened {
    number: u32,
    kind: DescriptorKind,
    name: Text,
    is_deleted: bool,
    /// The inode of a socket.
    socket: Option<u64>,
    /// The file, by device and inode, and its blocks in bytes, where it takes room that a path does not tell of.
    file: Option<File>,
}

/// A file that only a descriptor leads to.
#[derive(Clone, Copy)]
struct File {
    id: ((u32, u32), u64),
    blocks: u64,
    has_no_name: bool,
}

struct Reader<'a> {
    folder: OwnedFd,
    is_live: bool,
    mounts: &'a RamFileSystems,
    link: Vec<u8>,
    targets: Vec<Target>,
    places: HashMap<(DescriptorKind, Text, bool), usize>,
    /// Sockets by inode, with their numbers: what they are is looked up together.
    sockets: Vec<(u64, u32)>,
    /// Files without a name that were counted.
    seen: HashSet<((u32, u32), u64)>,
    deleted: Deleted,
}

impl Reader<'_> {
    /// Reads a link; `None` where the descriptor was closed.
    fn open(&mut self, number: u32) -> Option<Opened> {
        let name = itoa(number);
        let length = readlinkat_raw(&self.folder, name.as_c_str(), &mut self.link[..]).ok()?;
        let opened = |kind, name: &[u8]| Opened {
            number,
            kind,
            name: Text::new(name),
            is_deleted: false,
            socket: None,
            file: None,
        };
        Some(match parse_link(&self.link[..length]) {
            Link::Kernel(kind, name) => opened(kind, name),
            Link::Socket(inode) => Opened { socket: Some(inode), ..opened(DescriptorKind::Socket, b"") },
            Link::Memfd(name) => {
                let file = self.stat(number).map(|(_, file)| file);
                Opened { file, ..opened(DescriptorKind::Memfd, name) }
            }
            Link::Path(path) => match path.strip_suffix(b" (deleted)") {
                Some(bare) => {
                    let stat = self.stat(number);
                    // A recorded tree has no files to ask.
                    let has_no_name = stat.is_none_or(|(_, file)| file.has_no_name);
                    let kind = stat.map_or(DescriptorKind::File, |(kind, _)| kind);
                    let file = stat.map(|(_, file)| file).filter(|_| has_no_name);
                    Opened { is_deleted: has_no_name, file, ..opened(kind, if has_no_name { bare } else { path }) }
                }
                None => opened(self.kind_of_path(path, number), path),
            },
        })
    }

    /// What is at a path. The many descriptors of one path are asked once.
    fn kind_of_path(&self, path: &[u8], number: u32) -> DescriptorKind {
        let name = Text::new(path);
        let kinds = [DescriptorKind::File, DescriptorKind::Directory, DescriptorKind::Device, DescriptorKind::Pipe];
        let known = kinds.into_iter().find(|kind| self.places.contains_key(&(*kind, name.clone(), false)));
        known.or_else(|| self.stat(number).map(|(kind, _)| kind)).unwrap_or(if path.starts_with(b"/dev/") {
            DescriptorKind::Device
        } else {
            DescriptorKind::File
        })
    }

    /// What a descriptor's file is. Nobody is asked over a network: what the kernel knows is enough.
    fn stat(&self, number: u32) -> Option<(DescriptorKind, File)> {
        if !self.is_live {
            return None;
        }
        let wanted = StatxFlags::TYPE | StatxFlags::INO | StatxFlags::NLINK | StatxFlags::BLOCKS;
        let stat = statx(&self.folder, itoa(number).as_c_str(), AtFlags::STATX_DONT_SYNC, wanted).ok()?;
        let kind = match FileType::from_raw_mode(stat.stx_mode.into()) {
            FileType::Directory => DescriptorKind::Directory,
            FileType::CharacterDevice | FileType::BlockDevice => DescriptorKind::Device,
            FileType::Fifo => DescriptorKind::Pipe,
            FileType::Socket => DescriptorKind::Socket,
            _ => DescriptorKind::File,
        };
        let id = ((stat.stx_dev_major, stat.stx_dev_minor), stat.stx_ino);
        Some((kind, File { id, blocks: stat.stx_blocks.saturating_mul(512), has_no_name: stat.stx_nlink == 0 }))
    }

    /// Counts a descriptor among those with the same target.
    fn count(&mut self, opened: &Opened) {
        if let Some(inode) = opened.socket {
            self.sockets.push((inode, opened.number));
            return;
        }
        let key = (opened.kind, opened.name.clone(), opened.is_deleted);
        let targets = &mut self.targets;
        let place = *self.places.entry(key).or_insert_with_key(|(kind, name, is_deleted)| {
            targets.push(Target::nobodys(*kind, name.clone(), *is_deleted, None));
            targets.len() - 1
        });
        let target = &mut targets[place];
        target.count_in(opened.number);
        if let Some(file) = opened.file
            && self.seen.insert(file.id)
        {
            target.blocks = target.blocks.saturating_add(file.blocks);
            if opened.kind == DescriptorKind::File {
                self.deleted.files += 1;
                let is_ram = self.mounts.tmpfs.contains(&file.id.0) || self.mounts.hugetlb.contains(&file.id.0);
                let place = if is_ram { &mut self.deleted.ram } else { &mut self.deleted.disk };
                *place = place.saturating_add(file.blocks);
            }
        }
    }

    fn finish(
        mut self,
        coverage: Coverage,
        newest: Vec<(Opened, Option<FdInfo>)>,
        sockets: &SocketTable,
    ) -> Descriptors {
        let mut by_purpose: HashMap<Socket, usize> = HashMap::new();
        for (inode, number) in std::mem::take(&mut self.sockets) {
            let common = sockets.common(inode);
            let targets = &mut self.targets;
            let place = *by_purpose.entry(common).or_insert_with_key(|common| {
                targets.push(Target::nobodys(DescriptorKind::Socket, Text::default(), false, Some(common.clone())));
                targets.len() - 1
            });
            targets[place].count_in(number);
        }
        let mut targets = self.targets;
        let mut kinds: Vec<KindCount> = Vec::new();
        for target in &targets {
            match kinds.iter_mut().find(|count| count.kind == target.kind) {
                Some(count) => count.count += target.count,
                None => kinds.push(KindCount { kind: target.kind, count: target.count }),
            }
        }
        kinds.sort_by_key(|count| (std::cmp::Reverse(count.count), count.kind));
        targets.sort_by(|a, b| b.count.cmp(&a.count).then(a.kind.cmp(&b.kind)).then(a.lowest.cmp(&b.lowest)));
        let kept = targets.len().min(Descriptors::TARGETS);
        let untold = targets.drain(kept..).map(|target| target.count).sum();
        targets.shrink_to_fit();
        let folder = &self.folder;
        let newest = newest.into_iter().map(|(opened, info)| Descriptor {
            fd: opened.number,
            kind: opened.kind,
            name: opened.name,
            is_deleted: opened.is_deleted,
            socket: opened.socket.map(|inode| sockets.socket(inode)),
            access: access(folder.as_fd(), opened.number),
            info,
        });
        Descriptors { coverage, kinds, targets, untold, newest: newest.collect(), deleted: self.deleted }
    }
}

/// The permissions of the link: what the file was opened for.
fn access(folder: BorrowedFd<'_>, number: u32) -> Access {
    let mode = statat(folder, itoa(number).as_c_str(), AtFlags::SYMLINK_NOFOLLOW).map_or(0, |stat| stat.st_mode);
    match mode & 0o600 {
        0o600 => Access::Both,
        0o400 => Access::Read,
        0o200 => Access::Write,
        _ => Access::Neither,
    }
}

/// A number as a file name.
fn itoa(number: u32) -> rustix::path::DecInt {
    rustix::path::DecInt::new(number)
}
