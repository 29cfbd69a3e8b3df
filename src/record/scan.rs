//! Finds blocks in bytes that nobody vouches for: at a place, after one, before one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::format::{BlockKind, FRAME, HEAD, Head, MAGIC, NoHead};

/// Bytes that can be read at any place.
pub trait Bytes {
    /// How many there are now.
    fn length(&self) -> io::Result<u64>;
    /// Fills the buffer from this place on.
    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl Bytes for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

impl Bytes for Vec<u8> {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(buffer.len());
        buffer.copy_from_slice(self.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// What is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The head of a block that ends before the end.
    Block(Head),
    /// The beginning of a block whose end is not there.
    Torn,
    /// A block of another version.
    Version(u8),
    /// Nothing that can be read.
    Nothing,
}

/// What is at `offset`, of bytes that end at `end`. The payload is not looked at.
pub(super) fn at(bytes: &impl Bytes, offset: u64, end: u64) -> Found {
    let left = end.saturating_sub(offset);
    let mut head = [0; HEAD];
    if left < HEAD as u64 {
        let begun = &mut head[..(left as usize).min(MAGIC.len())];
        let is_begun = bytes.read(begun, offset).is_ok() && MAGIC.starts_with(begun);
        return if is_begun { Found::Torn } else { Found::Nothing };
    }
    // What can't be read is not there: a bad sector costs what is on it.
    if bytes.read(&mut head, offset).is_err() {
        return Found::Nothing;
    }
    match Head::decode(&head) {
        Ok(head) if head.length() <= left => Found::Block(head),
        Ok(_) => Found::Torn,
        Err(NoHead::Version(version)) => Found::Version(version),
        Err(NoHead::Damaged) => Found::Nothing,
    }
}

/// The payload of a block as it is stored; `None` where it is not what was written.
pub(super) fn payload(bytes: &impl Bytes, offset: u64, head: &Head) -> Option<Vec<u8>> {
    let mut stored = vec![0; head.stored as usize + 4];
    bytes.read(&mut stored, offset + HEAD as u64).ok()?;
    let length = stored.split_off(head.stored as usize);
    (length == (head.length() as u32).to_le_bytes() && crc32c::crc32c(&stored) == head.checksum).then_some(stored)
}

/// Bytes that are searched at once.
const CHUNK: usize = 64 << 10;

/// The first block at or after `from` that ends before `end`.
pub(super) fn after(bytes: &impl Bytes, from: u64, end: u64) -> Option<(u64, Head)> {
    let mut chunk = vec![0; CHUNK];
    let mut start = from;
    while end.saturating_sub(start) >= FRAME as u64 {
        let length = CHUNK.min((end - start) as usize);
        let chunk = &mut chunk[..length];
        if bytes.read(chunk, start).is_err() {
            chunk.fill(0);
        }
        for place in places(chunk) {
            let offset = start + place as u64;
            if let Found::Block(head) = at(bytes, offset, end) {
                return Some((offset, head));
            }
        }
        start += (length - (MAGIC.len() - 1)) as u64;
    }
    None
}

/// The last block that ends before `end`: by the length that stands behind it, or, where that is none, by a search.
pub(super) fn before(bytes: &impl Bytes, end: u64) -> Option<(u64, Head)> {
    let mut length = [0; 4];
    if end >= FRAME as u64 && bytes.read(&mut length, end - 4).is_ok() {
        let start = end.checked_sub(u64::from(u32::from_le_bytes(length)));
        if let Some(start) = start
            && let Found::Block(head) = at(bytes, start, end)
            && start + head.length() == end
        {
            return Some((start, head));
        }
    }
    let mut chunk = vec![0; CHUNK];
    let mut stop = end;
    while stop > 0 {
        let start = stop.saturating_sub(CHUNK as u64);
        let length = (stop - start) as usize;
        let chunk = &mut chunk[..length];
        if bytes.read(chunk, start).is_err() {
            chunk.fill(0);
        }
        let found: Vec<usize> = places(chunk).collect();
        for place in found.into_iter().rev() {
            let offset = start + place as u64;
            if let Found::Block(head) = at(bytes, offset, end) {
                return Some((offset, head));
            }
        }
        stop = if start == 0 { 0 } else { start + (MAGIC.len() - 1) as u64 };
    }
    None
}

/// Where a block may begin.
fn places(chunk: &[u8]) -> impl Iterator<Item = usize> {
    chunk.windows(MAGIC.len()).enumerate().filter(|(_, window)| **window == MAGIC).map(|(place, _)| place)
}

/// A key and when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyPlace {
    pub(super) offset: u64,
    pub(super) wall_ms: i64,
}

/// All keys, found from the end by the distances that blocks tell, and by a search where one is damaged.
pub(super) fn keys(bytes: &impl Bytes, end: u64) -> Vec<KeyPlace> {
    let mut keys = Vec::new();
    let mut end = end;
    while let Some((offset, head)) = before(bytes, end) {
        let Some((mut offset, mut head)) = key_of(bytes, offset, head) else {
            end = offset;
            continue;
        };
        loop {
            keys.push(KeyPlace { offset, wall_ms: head.wall_ms });
            let Some(base) = base_of(bytes, offset, &head).filter(|(_, base)| base.kind == BlockKind::Key) else {
                break;
            };
            (offset, head) = base;
        }
        end = offset;
    }
    keys.reverse();
    keys
}

/// Where the newest key begins.
pub(super) fn last_key(bytes: &impl Bytes, end: u64) -> Option<u64> {
    let mut end = end;
    while let Some((offset, head)) = before(bytes, end) {
        if let Some((key, _)) = key_of(bytes, offset, head) {
            return Some(key);
        }
        end = offset;
    }
    None
}

/// The key of the group that a block belongs to.
fn key_of(bytes: &impl Bytes, offset: u64, head: Head) -> Option<(u64, Head)> {
    let mut block = (offset, head);
    // An anchor lies between at most.
    for _ in 0..3 {
        if block.1.kind == BlockKind::Key {
            return Some(block);
        }
        block = base_of(bytes, block.0, &block.1)?;
    }
    None
}

/// The block that another rests on.
pub(super) fn base_of(bytes: &impl Bytes, offset: u64, head: &Head) -> Option<(u64, Head)> {
    let base = offset.checked_sub(u64::from(head.back)).filter(|_| head.back > 0)?;
    match at(bytes, base, offset) {
        Found::Block(head) => Some((base, head)),
        _ => None,
    }
}
