//! Reads a recording: forwards, backwards and from any moment, while it is being written too.
//!
//! What it holds is bounded whatever the length of the recording: the places of its keys, the key and the anchor that it
//! last used, and the sample that it last gave, whose processes are shared with the next one where they did not change.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::block::{Loaded, unpack};
use super::error::RecordError;
use super::format::{BlockKind, Head, MOST_COLUMNS};
use super::place::{open_to_read, segments};
pub use super::scan::Bytes;
use super::scan::{self, Found, KeyPlace};
use super::state::Maker;
use crate::model::sample::Sample;

/// A recording of one file, or of a folder of segments, open to be read.
pub struct Reader<B = std::fs::File> {
    segments: Vec<Segment<B>>,
    /// Where the next block is looked for.
    next: Place,
    /// The block of the sample that was given last.
    current: Option<Place>,
    bases: [Option<(Place, Arc<Loaded>)>; 2],
    maker: Maker,
    losses: BTreeMap<(usize, u64), Loss>,
    unknown: BTreeSet<String>,
}

/// One file of a recording.
struct Segment<B> {
    bytes: B,
    /// Up to where it is known.
    end: u64,
    keys: Vec<KeyPlace>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    segment: usize,
    offset: u64,
}

/// A part of a recording that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The file, counted from 0 in the order of the recording.
    pub segment: usize,
    /// Where in it the part begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
    /// The last sample before it, milliseconds since the epoch.
    pub after_wall_ms: Option<i64>,
    /// Why.
    pub why: Lost,
}

/// Why a part can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The last block is not complete: it was being written when the recorder was killed, or still is.
    Torn,
    /// Bytes are not what was written.
    Damaged,
    /// It is sound, and what it rests on is not.
    Base,
    /// Written by a version that this one does not know.
    Version(u8),
    /// The checksum is right and the contents are not: no memtide of this version wrote it.
    Malformed,
}

impl Lost {
    /// As words for people.
    pub fn explain(self) -> String {
        match self {
            Self::Torn => "the last block is not complete".into(),
            Self::Damaged => "damaged".into(),
            Self::Base => "the block that it rests on is damaged".into(),
            Self::Version(version) => format!("written in format version {version}"),
            Self::Malformed => "not written by memtide".into(),
        }
    }
}

/// A block that can be read.
pub(super) struct Block {
    pub(super) head: Head,
    pub(super) stored: Vec<u8>,
    pub(super) segment: usize,
    pub(super) offset: u64,
    loaded: Arc<Loaded>,
    /// The key of its group.
    group: Place,
}

impl Reader {
    /// Opens a file, or a folder of segments. What is appended later is read; segments that are begun later are not.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        let files = segments(path)?;
        let mut reader = Self::empty();
        for file in &files {
            reader.add(open_to_read(file)?, file)?;
        }
        if reader.segments.iter().all(|segment| segment.keys.is_empty()) {
            return Err(reader.why_empty(path));
        }
        Ok(reader)
    }

    fn why_empty(&self, path: &Path) -> RecordError {
        let version = self.segments.iter().find_map(|segment| match scan::at(&segment.bytes, 0, segment.end) {
            Found::Version(version) => Some(version),
            _ => None,
        });
        match version {
            Some(version) => RecordError::Version { path: path.to_owned(), version },
            None => RecordError::NotARecording { path: path.to_owned() },
        }
    }
}

impl Reader<Vec<u8>> {
    /// Reads bytes that are in memory.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        let mut reader = Self::empty();
        // Memory can be read.
        let _ = reader.add(bytes, Path::new(""));
        reader
    }
}

impl<B: Bytes> Reader<B> {
    fn empty() -> Self {
        Self {
            segments: Vec::new(),
            next: Place { segment: 0, offset: 0 },
            current: None,
            bases: [None, None],
            maker: Maker::default(),
            losses: BTreeMap::new(),
            unknown: BTreeSet::new(),
        }
    }

    fn add(&mut self, bytes: B, path: &Path) -> Result<(), RecordError> {
        let end = bytes.length().map_err(|error| RecordError::io(path, error))?;
        let keys = scan::keys(&bytes, end);
        self.segments.push(Segment { bytes, end, keys });
        Ok(())
    }

    /// The next sample; `None` at the end. What comes to the file after that is given by the call after it.
    #[expect(clippy::should_implement_trait, reason = "an iterator that ends may not go on, and this one does")]
    pub fn next(&mut self) -> Option<Sample> {
        self.next_of_kind().map(|(sample, _)| sample)
    }

    /// The next sample, and what kind of block it came from.
    pub(super) fn next_of_kind(&mut self) -> Option<(Sample, BlockKind)> {
        while let Some(block) = self.next_block() {
            if let Some(sample) = self.give(&block) {
                return Some((sample, block.head.kind));
            }
        }
        None
    }

    /// The sample before the one that was given last; `None` where there is none.
    pub fn previous(&mut self) -> Option<Sample> {
        let mut place = self.current?;
        loop {
            let segment = &self.segments[place.segment];
            let Some((offset, head)) = scan::before(&segment.bytes, place.offset) else {
                let segment = place.segment.checked_sub(1)?;
                place = Place { segment, offset: self.segments[segment].end };
                continue;
            };
            place.offset = offset;
            if let Ok(block) = self.load(place, head)
                && let Some(sample) = self.give(&block)
            {
                return Some(sample);
            }
        }
    }

    /// Goes to a moment by the wall clock, milliseconds since the epoch: the next sample is the last one taken by then,
    /// or the first of all.
    pub fn seek(&mut self, wall_ms: i64) {
        self.look_again();
        let keys = || {
            self.segments.iter().enumerate().flat_map(|(segment, of)| {
                of.keys.iter().map(move |key| (Place { segment, offset: key.offset }, key.wall_ms))
            })
        };
        let key = keys().filter(|(_, at)| *at <= wall_ms).last().or_else(|| keys().next());
        let Some((mut place, _)) = key else { return };
        let mut best = place;
        let segment = &self.segments[place.segment];
        while let Found::Block(head) = scan::at(&segment.bytes, place.offset, segment.end) {
            if head.wall_ms > wall_ms || (head.kind == BlockKind::Key && place > best) {
                break;
            }
            best = place;
            place.offset += head.length();
        }
        (self.next, self.current) = (best, None);
    }

    /// When the first and the last sample were taken, milliseconds since the epoch.
    pub fn span(&self) -> Option<[i64; 2]> {
        let first = self.segments.iter().find_map(|segment| segment.keys.first())?.wall_ms;
        let last = self.segments.iter().rev().find_map(|segment| scan::before(&segment.bytes, segment.end))?.1.wall_ms;
        Some([first, last])
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.end).sum()
    }

    /// What could not be read of what was looked at so far, in the order of the recording.
    pub fn losses(&self) -> impl Iterator<Item = &Loss> {
        self.losses.values()
    }

    /// Tables, columns and parts that a newer version wrote and this one does not know, as far as was looked.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.unknown.iter().map(String::as_str)
    }

    /// Finds out what was appended since.
    fn look_again(&mut self) {
        for segment in &mut self.segments {
            match segment.bytes.length() {
                Ok(length) if length > segment.end => {
                    segment.end = length;
                    segment.keys = scan::keys(&segment.bytes, length);
                }
                _ => {}
            }
        }
    }

    /// The next block that can be read; what can't is noted.
    pub(super) fn next_block(&mut self) -> Option<Block> {
        loop {
            let place = self.next;
            let segment = self.segments.get_mut(place.segment)?;
            if place.offset >= segment.end {
                segment.end = segment.bytes.length().unwrap_or(segment.end).max(segment.end);
                if place.offset >= segment.end {
                    if place.segment + 1 >= self.segments.len() {
                        return None;
                    }
                    self.next = Place { segment: place.segment + 1, offset: 0 };
                    continue;
                }
            }
            match scan::at(&segment.bytes, place.offset, segment.end) {
                Found::Block(head) => match self.load(place, head) {
                    Ok(block) => {
                        self.next.offset += head.length();
                        return Some(block);
                    }
                    Err(Lost::Damaged) => self.skip_to_next(Lost::Damaged)?,
                    Err(why) => {
                        self.note(place, head.length(), why);
                        self.next.offset += head.length();
                    }
                },
                Found::Torn => self.skip_to_next(Lost::Torn)?,
                Found::Version(version) => self.skip_to_next(Lost::Version(version))?,
                Found::Nothing => self.skip_to_next(Lost::Damaged)?,
            }
        }
    }

    /// Leaves out what is here, up to the next block. `None` where there is none: then the end of the file may still be
    /// in the making, and is looked at again.
    fn skip_to_next(&mut self, why: Lost) -> Option<()> {
        let place = self.next;
        let segment = &mut self.segments[place.segment];
        let end = segment.bytes.length().unwrap_or(segment.end).max(segment.end);
        if std::mem::replace(&mut segment.end, end) < end {
            // What was being written when it was last looked at may be whole now.
            return Some(());
        }
        if let Some((offset, _)) = scan::after(&segment.bytes, place.offset + 1, end) {
            // A torn block that others follow is no block in the making.
            let why = if why == Lost::Torn { Lost::Damaged } else { why };
            self.note(place, offset - place.offset, why);
            self.next.offset = offset;
            return Some(());
        }
        self.note(place, end - place.offset, why);
        if place.segment + 1 >= self.segments.len() {
            return None;
        }
        self.next = Place { segment: place.segment + 1, offset: 0 };
        Some(())
    }

    fn note(&mut self, place: Place, bytes: u64, why: Lost) {
        let before = self.current.map(|current| (current, &self.segments[current.segment]));
        let after_wall_ms =
            before.and_then(|(current, segment)| match scan::at(&segment.bytes, current.offset, segment.end) {
                Found::Block(head) => Some(head.wall_ms),
                _ => None,
            });
        let loss = Loss { segment: place.segment, offset: place.offset, bytes, after_wall_ms, why };
        self.losses.insert((place.segment, place.offset), loss);
    }

    fn load(&mut self, place: Place, head: Head) -> Result<Block, Lost> {
        let stored = scan::payload(&self.segments[place.segment].bytes, place.offset, &head).ok_or(Lost::Damaged)?;
        let (base, group) = if head.kind == BlockKind::Key {
            (None, place)
        } else {
            let (base, group) = self.load_base(place, &head)?;
            (Some(base), group)
        };
        let payload = unpack(&head, &stored).map_err(|_| Lost::Malformed)?;
        let loaded = Loaded::decode(&payload, head.at, base).map_err(|_| Lost::Malformed)?;
        let loaded = Arc::new(loaded);
        if head.kind != BlockKind::Delta {
            self.bases[usize::from(head.kind == BlockKind::Anchor)] = Some((place, Arc::clone(&loaded)));
        }
        self.losses.remove(&(place.segment, place.offset));
        Ok(Block { head, stored, segment: place.segment, offset: place.offset, loaded, group })
    }

    /// What a block rests on, and the key of its group.
    fn load_base(&mut self, place: Place, head: &Head) -> Result<(Arc<Loaded>, Place), Lost> {
        let (offset, base) =
            scan::base_of(&self.segments[place.segment].bytes, place.offset, head).ok_or(Lost::Base)?;
        let is_sound = match (head.kind, base.kind) {
            (BlockKind::Key, _) | (_, BlockKind::Delta) | (BlockKind::Anchor, BlockKind::Anchor) => false,
            (BlockKind::Anchor | BlockKind::Delta, _) => true,
        };
        if !is_sound {
            return Err(Lost::Malformed);
        }
        let base_place = Place { offset, ..place };
        let group = if base.kind == BlockKind::Key {
            base_place
        } else {
            let key = scan::base_of(&self.segments[place.segment].bytes, offset, &base).ok_or(Lost::Base)?;
            Place { offset: key.0, ..place }
        };
        let loaded = self.bases.iter().flatten().find(|(at, _)| *at == base_place);
        if let Some((_, loaded)) = loaded {
            return Ok((Arc::clone(loaded), group));
        }
        self.load(base_place, base).map(|block| (block.loaded, group)).map_err(|_| Lost::Base)
    }

    fn give(&mut self, block: &Block) -> Option<Sample> {
        let place = Place { segment: block.segment, offset: block.offset };
        let loaded = &block.loaded;
        if self.unknown.len() < MOST_COLUMNS && !loaded.schema.unknown.is_subset(&self.unknown) {
            self.unknown.extend(loaded.schema.unknown.iter().cloned());
        }
        if loaded.unknown_parts > 0 {
            self.unknown.insert("a part of a block".into());
        }
        let text = |number| loaded.text(number);
        let group = (block.group.segment as u64) << 48 | block.group.offset;
        let made = self.maker.make(&loaded.state, group, &text, block.head.at, block.head.wall_ms);
        let Ok(sample) = made else {
            self.note(place, block.head.length(), Lost::Malformed);
            return None;
        };
        self.current = Some(place);
        self.next = Place { offset: place.offset + block.head.length(), ..place };
        Some(sample)
    }
}
