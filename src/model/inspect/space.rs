//! Where in the address space the memory is: regions, and a bar of them that shows where it grew.

use serde::{Deserialize, Serialize};

use super::mapping::MappingKind;

/// The parts of the address space that hold memory, by address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    regions: Vec<Region>,
}

/// Neighbouring mappings of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// First address.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
    /// What most of it is.
    pub kind: MappingKind,
    /// In RAM and in swap, bytes.
    pub bytes: u64,
}

/// A part of the bar. All parts stand for the same amount of memory, so that a gap of terabytes takes no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// First address.
    pub start: u64,
    /// Address after the last.
    pub end: u64,
    /// What most of it is.
    pub kind: MappingKind,
    /// In RAM and in swap, bytes.
    pub bytes: u64,
    /// How much more that is than in the inspection that is compared with, bytes; zero without one.
    pub gained: i64,
}

impl Space {
    /// Regions that are kept.
    pub const MOST: usize = 1024;

    /// The regions, by address.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// Adds memory at addresses above all that were added before.
    pub fn push(&mut self, region: Region) {
        if region.bytes == 0 || region.start >= region.end {
            return;
        }
        if let Some(last) = self.regions.last_mut()
            && last.end == region.start
            && last.kind == region.kind
        {
            last.end = region.end;
            last.bytes = last.bytes.saturating_add(region.bytes);
            return;
        }
        self.regions.push(region);
        if self.regions.len() >= 2 * Self::MOST {
            self.shorten();
        }
    }

    /// Makes the list final: at most [`Space::MOST`] regions.
    #[must_use]
    pub fn finished(mut self) -> Self {
        if self.regions.len() > Self::MOST {
            self.shorten();
        }
        self.regions.shrink_to_fit();
        self
    }

    /// Calls regions of one kind another, where it turned out what they are.
    pub fn rename(&mut self, from: MappingKind, to: MappingKind) {
        for region in &mut self.regions {
            if region.kind == from {
                region.kind = to;
            }
        }
    }

    /// Joins each pair of neighbours: half as many, with gaps inside.
    fn shorten(&mut self) {
        self.regions = self.regions.chunks(2).map(join).collect();
    }

    /// The memory between two addresses, as far as the regions tell: one that lies there in part counts in part.
    pub fn bytes_between(&self, start: u64, end: u64) -> u64 {
        let first = self.regions.partition_point(|region| region.end <= start);
        let inside = self.regions[first..].iter().take_while(|region| region.start < end);
        inside.map(|region| region.part(start, end)).fold(0, u64::saturating_add)
    }

    /// A bar of at most `columns` parts, by address; `before` is the address space of the same process earlier.
    pub fn buckets(&self, before: Option<&Self>, columns: usize) -> Vec<Bucket> {
        let total: u128 = self.regions.iter().map(|region| u128::from(region.bytes)).sum();
        if total == 0 || columns == 0 {
            return Vec::new();
        }
        let mut buckets: Vec<Bucket> = Vec::with_capacity(columns);
        let mut regions = self.regions.iter().copied();
        let mut current = regions.next();
        let mut used: u128 = 0;
        for column in 1..=columns as u128 {
            let edge = total * column / columns as u128;
            let mut parts: Vec<Region> = Vec::new();
            while let Some(region) = current {
                let room = edge - used;
                if room == 0 {
                    break;
                }
                let (taken, rest) = region.split(u64::try_from(room).unwrap_or(u64::MAX));
                used += u128::from(taken.bytes);
                parts.push(taken);
                current = rest.or_else(|| regions.next());
            }
            if !parts.is_empty() {
                let all = join(&parts);
                buckets.push(Bucket { start: all.start, end: all.end, kind: all.kind, bytes: all.bytes, gained: 0 });
            }
        }
        if let Some(before) = before {
            for bucket in &mut buckets {
                let then = before.bytes_between(bucket.start, bucket.end);
                bucket.gained = bucket.bytes as i64 - then as i64;
            }
        }
        buckets
    }
}

impl Region {
    /// How much of its memory lies between two addresses, taking it as evenly spread.
    fn part(&self, start: u64, end: u64) -> u64 {
        let (from, to) = (self.start.max(start), self.end.min(end));
        if from >= to {
            return 0;
        }
        let share = u128::from(self.bytes) * u128::from(to - from) / u128::from(self.end - self.start);
        u64::try_from(share).unwrap_or(u64::MAX)
    }

    /// Cuts it where its first `bytes` end.
    fn split(self, bytes: u64) -> (Self, Option<Self>) {
        if self.bytes <= bytes {
            return (self, None);
        }
        let length = u128::from(self.end - self.start) * u128::from(bytes) / u128::from(self.bytes);
        let middle = self.start + u64::try_from(length).unwrap_or(0);
        let rest = Self { start: middle, bytes: self.bytes - bytes, ..self };
        (Self { end: middle, bytes, ..self }, Some(rest))
    }
}

/// One region from the first start to the last end, of the kind that most of the memory is.
fn join(parts: &[Region]) -> Region {
    let bytes_of = |kind: MappingKind| -> u64 {
        parts.iter().filter(|part| part.kind == kind).map(|part| part.bytes).fold(0, u64::saturating_add)
    };
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let kind = parts.iter().map(|part| part.kind).max_by_key(|kind| bytes_of(*kind)).unwrap_or(first.kind);
    let bytes = parts.iter().map(|part| part.bytes).fold(0, u64::saturating_add);
    Region { start: first.start, end: last.end, kind, bytes }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn region(start: u64, end: u64, bytes: u64) -> Region {
        Region { start, end, kind: MappingKind::Anonymous, bytes }
    }

    fn space(regions: &[Region]) -> Space {
        let mut space = Space::default();
        for region in regions {
            space.push(*region);
        }
        space.finished()
    }

    #[test]
    fn the_bar_shows_where_it_grew_and_skips_what_is_empty() {
        let heap = Region { kind: MappingKind::Heap, ..region(0x1000, 0x5000, 0x4000) };
        let far = region(0x7000_0000_0000, 0x7000_0000_4000, 0x4000);
        let before = space(&[heap, far]);
        let after = space(&[Region { end: 0xd000, bytes: 0xc000, ..heap }, far]);
        let buckets = after.buckets(Some(&before), 4);
        assert_eq!(buckets.iter().map(|bucket| bucket.bytes).collect::<Vec<_>>(), [0x4000; 4]);
        assert_eq!(buckets[3].kind, MappingKind::Anonymous);
        let gained: Vec<i64> = buckets.iter().map(|bucket| bucket.gained).collect();
        assert_eq!(gained, [0, 0x4000, 0x4000, 0], "the end of the heap is new, the rest is as it was");
    }

    #[test]
    fn neighbours_of_one_kind_are_one_region() {
        let space = space(&[region(0, 10, 5), region(10, 20, 5), region(30, 40, 5), region(40, 50, 0)]);
        assert_eq!(space.regions(), [region(0, 20, 10), region(30, 40, 5)]);
        assert_eq!(space.bytes_between(10, 35), 5 + 2);
    }

    #[test]
    fn without_memory_there_is_no_bar() {
        assert_eq!(Space::default().buckets(None, 10), []);
        assert_eq!(space(&[region(0, 10, 5)]).buckets(None, 0), []);
    }

    proptest! {
        #[test]
        fn a_bar_holds_all_of_the_memory(sizes in proptest::collection::vec((1u64..1 << 40, 1u64..1 << 40), 1..3000), columns in 1usize..250) {
            let mut at = 0;
            let mut list = Space::default();
            for (gap, bytes) in &sizes {
                at += gap;
                list.push(region(at, at + bytes, *bytes));
                at += bytes;
            }
            let total: u64 = sizes.iter().map(|(_, bytes)| bytes).sum();
            let list = list.finished();
            prop_assert!(list.regions().len() <= Space::MOST);
            let buckets = list.buckets(Some(&Space::default()), columns);
            prop_assert!(buckets.len() <= columns);
            prop_assert_eq!(buckets.iter().map(|bucket| bucket.bytes).sum::<u64>(), total);
            prop_assert_eq!(buckets.iter().map(|bucket| bucket.gained).sum::<i64>(), total as i64);
            prop_assert!(buckets.is_sorted_by(|a, b| a.start <= b.start));
        }
    }
}
