//! The memory of one mapping or of many, and its table of columns.

use serde::{Deserialize, Serialize};

/// Memory as `/proc/PID/smaps` tells it (Documentation/filesystems/proc.rst), bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Address space: what was asked for, in RAM or not.
    pub size: u64,
    /// In RAM.
    pub rss: u64,
    /// In RAM, each page divided by the number of processes that map it.
    pub pss: u64,
    /// Private_Clean + Private_Dirty + Private_Hugetlb: nobody else has it.
    pub uss: u64,
    /// In swap.
    pub swap: u64,
    /// In swap, each entry divided by the number of processes that share it (Linux 4.3; before, `swap`).
    pub swap_pss: u64,
    /// Private_Dirty + Shared_Dirty: it has to be written somewhere before the page can be used for something else.
    pub dirty: u64,
    /// Anonymous pages in RAM.
    pub anon: u64,
    /// Transparent huge pages of anonymous memory.
    pub anon_huge: u64,
    /// Pages of hugetlbfs, which neither RSS nor PSS counts.
    pub hugetlb: u64,
    /// Locked into RAM by mlock(2).
    pub locked: u64,
}

/// One column of [`Memory`].
#[derive(Debug)]
pub struct MemoryField {
    /// Its name in JSON and on the command line.
    pub key: &'static str,
    /// The column's head.
    pub title: &'static str,
    /// What it is, one sentence.
    pub help: &'static str,
    /// The value, bytes.
    pub get: fn(&Memory) -> u64,
    /// Its place, for sums.
    slot: fn(&mut Memory) -> &mut u64,
}

macro_rules! memory_fields {
    ($($name:ident, $title:literal, $help:literal;)*) => {
        /// Every column there is: tables, sort orders and JSON keys come from here.
        pub const MEMORY_FIELDS: &[MemoryField] = &[$(MemoryField {
            key: stringify!($name),
            title: $title,
            help: $help,
            get: |memory| memory.$name,
            slot: |memory| &mut memory.$name,
        }),*];
    };
}

memory_fields! {
    pss, "PSS", "In RAM, each shared page divided by the number of processes that map it.";
    rss, "RSS", "In RAM, shared pages counted in full.";
    uss, "USS", "In RAM and nobody else's: what the machine gets back when it is unmapped.";
    swap, "SWAP", "Swapped out.";
    swap_pss, "SWAP PSS", "Swapped out, shared entries divided by the number of processes that share them.";
    dirty, "DIRTY", "Changed since it was read or made: it has to be written before the RAM can be used again.";
    anon, "ANON", "Pages of no file.";
    anon_huge, "HUGE", "In transparent huge pages.";
    hugetlb, "HUGETLB", "Pages of hugetlbfs, which no other column counts.";
    locked, "LOCKED", "Locked into RAM by mlock(2).";
    size, "SIZE", "Address space, in RAM or not.";
}

/// The column of this key.
pub fn memory_field(key: &str) -> Option<&'static MemoryField> {
    MEMORY_FIELDS.iter().find(|field| field.key == key)
}

impl Memory {
    /// What the process really pays for it: PSS + SwapPss.
    pub fn footprint(&self) -> u64 {
        self.pss.saturating_add(self.swap_pss)
    }

    /// Adds another's memory, each column.
    pub fn add(&mut self, other: &Self) {
        for field in MEMORY_FIELDS {
            let slot = (field.slot)(self);
            *slot = slot.saturating_add((field.get)(other));
        }
    }

    /// The sum of many.
    pub fn sum<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        all.into_iter().for_each(|memory| sum.add(memory));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_of_every_column_and_never_overflow() {
        let one = Memory { size: 1, rss: 2, pss: u64::MAX, locked: 3, ..Memory::default() };
        let sum = Memory::sum([&one, &one]);
        assert_eq!((sum.size, sum.rss, sum.pss, sum.locked), (2, 4, u64::MAX, 6));
        assert_eq!(sum.footprint(), u64::MAX);
    }

    #[test]
    fn each_column_reads_and_adds_to_its_own_place() {
        for (nth, field) in MEMORY_FIELDS.iter().enumerate() {
            let mut memory = Memory::default();
            *(field.slot)(&mut memory) = nth as u64 + 1;
            assert_eq!((field.get)(&memory), nth as u64 + 1, "{}", field.key);
            assert!(field.help.ends_with('.'), "{}", field.key);
            assert_eq!(memory_field(field.key).unwrap().title, field.title);
        }
    }
}
