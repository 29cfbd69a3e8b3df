//! From lines of `smaps` to groups: one mapping at a time is kept whole, because what it is may depend on the next.

use std::collections::HashMap;
use std::ops::Range;

use super::header::Header;
use super::shape::{Beside, GO_HEAP, RamFileSystems, by_name, by_shape, is_jvm, is_v8, sysv_name};
use crate::collect::parse::{kilobytes, split_line};
use crate::model::inspect::mapping::{Mapping, MappingGroup, MappingKind, Mappings};
use crate::model::inspect::memory::Memory;
use crate::model::inspect::space::{Region, Space};
use crate::model::inspect::thread::Stack;
use crate::model::text::Text;

/// What is known of the process before its mappings are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Circumstances {
    /// File systems in RAM, as the process sees them.
    pub(super) mounts: RamFileSystems,
    /// Stack pointers of its threads, ascending.
    pub(super) stack_pointers: Vec<u64>,
    /// It has more than one thread.
    pub(super) is_threaded: bool,
}

/// Groups mappings that come by ascending address.
pub(super) struct Builder {
    circumstances: Circumstances,
    /// The mapping that the lines are about.
    current: Option<Current>,
    /// The inaccessible anonymous memory that ends where the current mapping begins.
    reserved_below: u64,
    groups: Vec<MappingGroup>,
    places: HashMap<(MappingKind, Text, bool), usize>,
    /// The group of the mapping before: most are of the same.
    last: usize,
    largest: Vec<Mapping>,
    /// What is not larger is not among the largest.
    threshold: u64,
    space: Space,
    stacks: Vec<(u64, Stack)>,
    /// Guesses that turned out right: machines that the process runs.
    machines: Vec<MappingKind>,
    has_swap_pss: bool,
    read: u64,
    count: u64,
}

/// A mapping whose lines come in.
struct Current {
    header: OwnedHeader,
    memory: Memory,
    is_read: bool,
}

/// A header that outlives its line.
struct OwnedHeader {
    range: Range<u64>,
    permissions: [u8; 4],
    offset: u64,
    device: (u32, u32),
    inode: u64,
    name: Vec<u8>,
}

impl OwnedHeader {
    fn as_header(&self) -> Header<'_> {
        Header {
            start: self.range.start,
            end: self.range.end,
            permissions: self.permissions,
            offset: self.offset,
            device: self.device,
            inode: self.inode,
            name: &self.name,
        }
    }
}

impl Builder {
    pub(super) fn new(circumstances: Circumstances) -> Self {
        Self {
            circumstances,
            current: None,
            reserved_below: 0,
            groups: Vec::new(),
            places: HashMap::new(),
            last: usize::MAX,
            largest: Vec::new(),
            threshold: 0,
            space: Space::default(),
            stacks: Vec::new(),
            machines: Vec::new(),
            has_swap_pss: false,
            read: 0,
            count: 0,
        }
    }

    /// Begins a mapping. Its lines of memory follow where `is_read`.
    pub(super) fn begin(&mut self, header: &Header<'_>, is_read: bool) {
        let name = match self.current.take() {
            Some(current) => self.close(current, Some(header)),
            None => Vec::new(),
        };
        self.count += 1;
        let header = OwnedHeader {
            range: header.start..header.end,
            permissions: header.permissions,
            offset: header.offset,
            device: header.device,
            inode: header.inode,
            name: reuse(name, header.name),
        };
        let memory = Memory { size: header.range.end - header.range.start, ..Memory::default() };
        self.current = Some(Current { header, memory, is_read });
    }

    /// A line of memory of the current mapping.
    pub(super) fn line(&mut self, line: &[u8]) {
        if let Some(current) = &mut self.current {
            self.has_swap_pss |= add_line(&mut current.memory, line);
        }
    }

    /// Files the current mapping, as `next` begins above it, and gives the room of its name back.
    fn close(&mut self, current: Current, next: Option<&Header<'_>>) -> Vec<u8> {
        let Current { header, memory, is_read } = current;
        self.read += u64::from(is_read);
        let head = header.as_header();
        let mut is_deleted = false;
        let mut name: &[u8] = &[];
        let is_reserve = |header: &Header<'_>| header.name.is_empty() && header.is_inaccessible();
        let kind = if let Some(named) = by_name(&head, &self.circumstances.mounts) {
            (name, is_deleted) = (named.name, named.is_deleted);
            named.kind
        } else {
            let above = next.filter(|next| next.start == head.end && is_reserve(next));
            let pointers = &self.circumstances.stack_pointers;
            let pointer = pointers.partition_point(|pointer| *pointer < head.start);
            let beside = Beside {
                reserved_below: self.reserved_below,
                reserved_above: above.map_or(0, Header::size),
                has_stack_pointer: pointers.get(pointer).is_some_and(|pointer| *pointer < head.end),
                is_threaded: self.circumstances.is_threaded,
            };
            by_shape(&head, beside)
        };
        if kind == MappingKind::GoHeap && head.start == GO_HEAP.start {
            self.machines.push(MappingKind::GoHeap);
        }
        self.note_stacks(&head, &memory);
        let group = self.group(kind, name, is_deleted, head.inode);
        group.count = group.count.saturating_add(1);
        group.unread = group.unread.saturating_add(u32::from(!is_read));
        group.memory.add(&memory);
        let bytes = memory.rss.saturating_add(memory.swap).saturating_add(memory.hugetlb);
        self.space.push(Region { start: head.start, end: head.end, kind, bytes });
        if bytes > self.threshold {
            let name = self.groups[self.last].name.clone();
            self.keep(Mapping {
                start: head.start,
                end: head.end,
                permissions: head.permissions,
                offset: head.offset,
                kind,
                name,
                is_deleted,
                memory,
            });
        }
        let is_below = next.is_some_and(|next| next.start == head.end) && is_reserve(&head);
        self.reserved_below = if is_below { head.size() } else { 0 };
        header.name
    }

    fn note_stacks(&mut self, header: &Header<'_>, memory: &Memory) {
        let pointers = &self.circumstances.stack_pointers;
        let first = pointers.partition_point(|pointer| *pointer < header.start);
        let inside = pointers[first..].iter().take_while(|pointer| **pointer < header.end);
        let stack = Stack { size: memory.size, rss: memory.rss, swap: memory.swap };
        self.stacks.extend(inside.map(|pointer| (*pointer, stack)));
    }

    fn group(&mut self, kind: MappingKind, name: &[u8], is_deleted: bool, inode: u64) -> &mut MappingGroup {
        let name_of = |name: &[u8]| match kind {
            MappingKind::Sysv => sysv_name(name, inode),
            _ => Text::new(name),
        };
        let is_last = self.groups.get(self.last).is_some_and(|last| {
            kind != MappingKind::Sysv
                && last.kind == kind
                && last.is_deleted == is_deleted
                && last.name.as_bytes() == name
        });
        if !is_last {
            let key = (kind, name_of(name), is_deleted);
            self.last = if let Some(place) = self.places.get(&key) {
                *place
            } else {
                let proofs = [(is_jvm(name), MappingKind::JvmHeap), (is_v8(name), MappingKind::V8Heap)];
                self.machines.extend(proofs.into_iter().filter_map(|(is_right, machine)| is_right.then_some(machine)));
                self.groups.push(MappingGroup {
                    kind,
                    name: key.1.clone(),
                    is_deleted,
                    count: 0,
                    unread: 0,
                    memory: Memory::default(),
                });
                self.places.insert(key, self.groups.len() - 1);
                self.groups.len() - 1
            };
        }
        &mut self.groups[self.last]
    }

    fn keep(&mut self, mapping: Mapping) {
        self.largest.push(mapping);
        if self.largest.len() >= 2 * Mappings::LARGEST {
            self.cut_largest();
        }
    }

    fn cut_largest(&mut self) {
        let bytes = |mapping: &Mapping| mapping.memory.rss + mapping.memory.swap + mapping.memory.hugetlb;
        self.largest.sort_by_key(|mapping| (std::cmp::Reverse(bytes(mapping)), mapping.start));
        if self.largest.len() > Mappings::LARGEST {
            self.largest.truncate(Mappings::LARGEST);
            self.threshold = self.largest.last().map_or(0, bytes);
        }
    }

    /// How many mappings there were, and how many of them were read.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.read, self.count)
    }

    /// Everything by what it is, and the stacks by the pointers that lie in them. `total` is the whole process's
    /// memory where the mappings were read in part.
    pub(super) fn finish(mut self, total: Option<Memory>) -> (Mappings, Vec<(u64, Stack)>) {
        if let Some(current) = self.current.take() {
            self.close(current, None);
        }
        // V8 takes any address that is free, those of the others included.
        let guesses = [
            (MappingKind::GoHeap, MappingKind::V8Heap),
            (MappingKind::JvmHeap, MappingKind::V8Heap),
            (MappingKind::V8Heap, MappingKind::Anonymous),
        ];
        for (guess, otherwise) in guesses {
            if !self.machines.contains(&guess) {
                self.rename(guess, otherwise);
            }
        }
        if !self.has_swap_pss {
            let all = self.groups.iter_mut().map(|group| &mut group.memory);
            for memory in all.chain(self.largest.iter_mut().map(|mapping| &mut mapping.memory)) {
                memory.swap_pss = memory.swap;
            }
        }
        self.cut_largest();
        self.largest.shrink_to_fit();
        self.groups.sort_by_cached_key(|group| {
            let memory = &group.memory;
            (std::cmp::Reverse(memory.footprint().saturating_add(memory.hugetlb)), group.kind, group.name.clone())
        });
        let read = Memory::sum(self.groups.iter().map(|group| &group.memory));
        let mut total = total.unwrap_or(read);
        total.size = read.size;
        let mappings = Mappings {
            groups: self.groups,
            read,
            coverage: crate::model::inspect::Coverage { read: self.read, of: self.count },
            total,
            largest: self.largest,
            space: self.space.finished(),
        };
        (mappings, self.stacks)
    }

    /// Takes a guess back: what was called `from` is `to`.
    fn rename(&mut self, from: MappingKind, to: MappingKind) {
        self.space.rename(from, to);
        for mapping in &mut self.largest {
            if mapping.kind == from {
                mapping.kind = to;
            }
        }
        let Some(place) = self.groups.iter().position(|group| group.kind == from) else { return };
        let guessed = self.groups.swap_remove(place);
        match self.groups.iter_mut().find(|group| group.kind == to && group.name.is_empty()) {
            Some(group) => {
                group.count = group.count.saturating_add(guessed.count);
                group.unread = group.unread.saturating_add(guessed.unread);
                group.memory.add(&guessed.memory);
            }
            None => self.groups.push(MappingGroup { kind: to, ..guessed }),
        }
    }
}

/// The same room with another content.
fn reuse(mut room: Vec<u8>, content: &[u8]) -> Vec<u8> {
    room.clear();
    room.extend_from_slice(content);
    room
}

/// Adds a line of `smaps` or `smaps_rollup`; whether it is the one that Linux before 4.3 lacks.
pub(super) fn add_line(memory: &mut Memory, line: &[u8]) -> bool {
    let Some((name, value)) = split_line(line) else { return false };
    let is_swap_pss = name == b"SwapPss";
    let add = |place: &mut u64| *place = place.saturating_add(kilobytes(value));
    match name {
        b"Rss" => add(&mut memory.rss),
        b"Pss" => add(&mut memory.pss),
        b"Shared_Dirty" => add(&mut memory.dirty),
        b"Private_Clean" => add(&mut memory.uss),
        b"Private_Dirty" => {
            add(&mut memory.uss);
            add(&mut memory.dirty);
        }
        b"Anonymous" => add(&mut memory.anon),
        b"AnonHugePages" => add(&mut memory.anon_huge),
        b"Shared_Hugetlb" => add(&mut memory.hugetlb),
        b"Private_Hugetlb" => {
            add(&mut memory.hugetlb);
            add(&mut memory.uss);
        }
        b"Swap" => add(&mut memory.swap),
        b"SwapPss" => add(&mut memory.swap_pss),
        b"Locked" => add(&mut memory.locked),
        _ => {}
    }
    is_swap_pss
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::header::{is_header, parse_header};
    use super::*;

    fn build(smaps: &str, circumstances: Circumstances) -> (Mappings, Vec<(u64, Stack)>) {
        let mut builder = Builder::new(circumstances);
        for line in smaps.lines() {
            if is_header(line.as_bytes()) {
                builder.begin(&parse_header(line.as_bytes()).unwrap(), true);
            } else {
                builder.line(line.as_bytes());
            }
        }
        builder.finish(None)
    }

    fn groups(mappings: &Mappings) -> Vec<(String, u32, u64)> {
        mappings.groups.iter().map(|group| (group.shown(), group.count, group.memory.rss / 1024)).collect()
    }

    const SMAPS: &str = "\
00400000-00500000 r-xp 00000000 08:01 9                  /usr/bin/x
Rss:                 100 kB
Pss:                  50 kB
Shared_Clean:        100 kB
01000000-01400000 rw-p 00000000 00:00 0                  [heap]
Rss:                 400 kB
Pss:                 400 kB
Private_Dirty:       400 kB
Anonymous:           400 kB
Swap:                 20 kB
SwapPss:              10 kB
7f0004000000-7f0004021000 rw-p 00000000 00:00 0 
Rss:                  32 kB
Pss:                  32 kB
7f0004021000-7f0008000000 ---p 00000000 00:00 0 
Rss:                   0 kB
7f0010000000-7f0010001000 ---p 00000000 00:00 0 
Rss:                   0 kB
7f0010001000-7f0010801000 rw-p 00000000 00:00 0 
Rss:                   8 kB
Pss:                   8 kB
7f0020000000-7f0020100000 rw-p 00000000 00:00 0 
Rss:                  16 kB
Pss:                  16 kB
7f0020100000-7f0020140000 rw-s 00000000 00:01 77                 /SYSV00000000 (deleted)
Rss:                   4 kB
Pss:                   2 kB
7f0020140000-7f0020180000 r--p 00000000 08:01 9                  /usr/bin/x
Rss:                   4 kB
Pss:                   4 kB
";

    #[test]
    fn mappings_are_grouped_by_what_they_are() {
        let circumstances =
            Circumstances { stack_pointers: vec![0x7f00_1080_0f00], is_threaded: true, ..Circumstances::default() };
        let (mappings, stacks) = build(SMAPS, circumstances);
        let expected = [
            ("[heap]", 1, 400),
            ("/usr/bin/x", 2, 104),
            ("malloc arenas", 1, 32),
            ("anonymous", 1, 16),
            ("thread stacks", 1, 8),
            ("SysV segment 77", 1, 4),
            ("reserved", 2, 0),
        ];
        assert_eq!(groups(&mappings), expected.map(|(name, count, rss)| (name.to_owned(), count, rss)));
        assert_eq!(stacks, [(0x7f00_1080_0f00, Stack { size: 8 << 20, rss: 8 << 10, swap: 0 })]);
        assert_eq!(mappings.read, mappings.total);
        assert!(mappings.coverage.is_whole() && mappings.coverage.of == 9);
        let heap = &mappings.groups[0].memory;
        assert_eq!((heap.uss, heap.dirty, heap.anon), (400 << 10, 400 << 10, 400 << 10));
        assert_eq!((heap.swap, heap.swap_pss, heap.footprint()), (20 << 10, 10 << 10, 410 << 10));
        assert_eq!(mappings.largest[0].shown(), "[heap]");
        assert_eq!(mappings.largest.len(), 7, "what holds nothing is not among the largest");
        assert_eq!(mappings.space.bytes_between(0, u64::MAX), mappings.read.rss + mappings.read.swap);
    }

    #[test]
    fn a_heap_is_called_by_its_machine_only_where_that_runs() {
        let anonymous = "700000000-710000000 rw-p 00000000 00:00 0 \nRss: 8 kB\n\
            7f0000040000-7f0000080000 rw-p 00000000 00:00 0 \nRss: 4 kB\n\
            7f0000081000-7f0000082000 rw-p 00000000 00:00 0 \nRss: 4 kB\n";
        let (mappings, _) = build(anonymous, Circumstances::default());
        assert_eq!(groups(&mappings), [("anonymous".to_owned(), 3, 16)]);
        assert!(mappings.largest.iter().all(|mapping| mapping.kind == MappingKind::Anonymous));
        assert!(mappings.space.regions().iter().all(|region| region.kind == MappingKind::Anonymous));
        let with = |library: &str| {
            let line = format!("7f1000000000-7f1000001000 r-xp 00000000 08:01 9    {library}\nRss: 0 kB\n");
            let (mappings, _) = build(&(anonymous.to_owned() + &line), Circumstances::default());
            groups(&mappings).into_iter().map(|(name, _, rss)| (name, rss)).collect::<Vec<_>>()
        };
        assert!(with("/usr/lib/jvm/libjvm.so").contains(&("Java heap".to_owned(), 8)));
        assert!(with("/usr/bin/node").contains(&("V8 heap".to_owned(), 12)), "V8 takes any address");
        let go = |start: &str| {
            let (mappings, _) = build(&format!("{start} rw-p 0 00:00 0 \nRss: 4 kB\n"), Circumstances::default());
            groups(&mappings)[0].0.clone()
        };
        assert_eq!((go("c000000000-c000400000"), go("c000400000-c000800000")), ("Go heap".into(), "anonymous".into()));
    }

    #[test]
    fn before_linux_4_3_swap_stands_for_its_share() {
        let (mappings, _) = build("1000-2000 rw-p 0 00:00 0 \nRss: 4 kB\nSwap: 8 kB\n", Circumstances::default());
        assert_eq!(mappings.read.swap_pss, 8 << 10);
    }

    proptest! {
        #[test]
        fn groups_hold_every_mapping_and_the_largest_are_the_largest(sizes in proptest::collection::vec(0u64..9000, 1..1500)) {
            let entry = |(nth, rss): (usize, &u64)| {
                let start = 0x7f00_0000_0000u64 + nth as u64 * 0x0100_0000 + 0x1000;
                let (end, name) = (start + 0x00ff_0000, ["", "/a", "/b", "[heap]"][nth % 4]);
                format!("{start:x}-{end:x} rw-p 0 08:01 5 {name}\nRss: {rss} kB\n")
            };
            let smaps: String = sizes.iter().enumerate().map(entry).collect();
            let (mappings, _) = build(&smaps, Circumstances::default());
            let total: u64 = sizes.iter().sum();
            prop_assert_eq!(mappings.read.rss, total << 10);
            prop_assert_eq!(mappings.groups.iter().map(|group| u64::from(group.count)).sum::<u64>(), sizes.len() as u64);
            let mut sorted: Vec<u64> = sizes.iter().copied().filter(|rss| *rss > 0).collect();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            sorted.truncate(Mappings::LARGEST);
            let largest: Vec<u64> = mappings.largest.iter().map(|mapping| mapping.memory.rss >> 10).collect();
            prop_assert_eq!(largest, sorted);
        }
    }
}
