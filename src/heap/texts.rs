//! The strings of a snapshot, one after the other in one piece of memory.

use super::error::{HeapError, Result};

/// Strings that share a base: what an end is counted from.
const GROUP: usize = 1024;

/// Strings by their number.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    bytes: Vec<u8>,
    /// Where each string ends, counted from the base of its group: four bytes each, however many bytes there are.
    ends: Vec<u32>,
    bases: Vec<u64>,
}

impl Texts {
    /// Makes room for so many bytes, which are taken only as they are used.
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<()> {
        self.bytes.try_reserve_exact(bytes).map_err(|_| HeapError::Memory { bytes: bytes as u64, what: "strings" })
    }

    /// Appends a string that `write` writes.
    pub(super) fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        let count = self.ends.len();
        if count == u32::MAX as usize {
            return Err(HeapError::TooLarge { what: "strings", count: count as u64, most: u32::MAX.into() });
        }
        if count.is_multiple_of(GROUP) {
            self.bases.push(self.bytes.len() as u64);
        }
        write(&mut self.bytes)?;
        let length = self.bytes.len() as u64 - self.bases[count / GROUP];
        let end = u32::try_from(length).map_err(|_| HeapError::TooLarge {
            what: "bytes in 1024 strings",
            count: length,
            most: u32::MAX.into(),
        })?;
        self.ends.push(end);
        Ok(())
    }

    /// Gives back what was reserved and not used.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// A string's bytes: UTF-8 where the program's own were; nothing for a number that is none of a string.
    #[inline]
    pub fn get(&self, text: u32) -> &[u8] {
        let place = text as usize;
        let Some(end) = self.ends.get(place) else { return &[] };
        let base = self.bases[place / GROUP] as usize;
        let start = if place.is_multiple_of(GROUP) { 0 } else { self.ends[place - 1] as usize };
        &self.bytes[base + start..base + *end as usize]
    }

    /// The number of the first string with these bytes.
    pub fn find(&self, bytes: &[u8]) -> Option<u32> {
        (0..self.len() as u32).find(|text| self.get(*text) == bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_found_by_their_number_across_groups() {
        let mut texts = Texts::default();
        for number in 0..3000 {
            let text = if number % 7 == 0 { String::new() } else { format!("string {number}") };
            texts
                .push_with(|out| {
                    out.extend_from_slice(text.as_bytes());
                    Ok(())
                })
                .unwrap();
        }
        texts.shrink();
        assert_eq!(texts.len(), 3000);
        for number in [1, 1023, 1024, 1025, 2047, 2048, 2999] {
            let wanted = if number % 7 == 0 { String::new() } else { format!("string {number}") };
            assert_eq!(texts.get(number), wanted.as_bytes());
        }
        assert_eq!((texts.get(0), texts.get(3000)), (&b""[..], &b""[..]));
        assert_eq!((texts.find(b"string 1025"), texts.find(b"no")), (Some(1025), None));
    }
}
