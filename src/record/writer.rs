//! Appends samples to a recording: which block each becomes, and what it rests on.

use std::io;

use super::block::Encoder;
use super::format::{BlockKind, FRAME, Head, MOST_ROWS};
use super::redact::Redaction;
use super::state::{Filler, State};
use crate::model::reading::BootMs;
use crate::model::sample::Sample;

/// Samples from one anchor to the next.
const ANCHOR_EVERY: u32 = 16;

/// Samples from one key to the next.
const KEY_EVERY: u32 = 128;

/// Texts of a group beyond which the next one begins: processes that come and go all have their own.
const MOST_TEXTS: usize = 4 << 20;

/// Where blocks go.
pub trait Sink {
    /// Appends bytes. Where that fails, none of them are left behind, or [`Sink::end`] is behind those that are.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Bytes that are there.
    fn end(&self) -> u64;
}

impl Sink for Vec<u8> {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&self) -> u64 {
        self.len() as u64
    }
}

/// A recording that is being written.
pub struct Writer<S> {
    sink: S,
    filler: Filler,
    encoder: Encoder,
    block: Vec<u8>,
    /// The newest key, for its successor to point at.
    last_key: Option<u64>,
    key: Option<Base>,
    anchor: Option<Base>,
    last_at: BootMs,
    /// Samples since the key and since the anchor.
    since_key: u32,
    since_anchor: u32,
}

/// A block that others rest on.
struct Base {
    state: State,
    /// The texts that it holds, in ascending order.
    texts: Vec<u64>,
    offset: u64,
}

impl Base {
    fn has(&self, text: u64) -> bool {
        self.texts.binary_search(&text).is_ok()
    }
}

impl<S: Sink> Writer<S> {
    /// Goes on at the end of a sink; `last_key` is where in it the newest key begins.
    pub fn new(sink: S, last_key: Option<u64>, redaction: Redaction) -> io::Result<Self> {
        Ok(Self {
            sink,
            filler: Filler::new(redaction),
            encoder: Encoder::new()?,
            block: Vec::new(),
            last_key,
            key: None,
            anchor: None,
            last_at: BootMs(0),
            since_key: 0,
            since_anchor: 0,
        })
    }

    /// Appends a sample, whole or not at all, and says what it became.
    pub fn append(&mut self, sample: &Sample) -> io::Result<BlockKind> {
        if sample.processes.len() > MOST_ROWS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "more processes than a recording can hold"));
        }
        let kind = self.next_kind(sample);
        if kind == BlockKind::Key {
            self.filler.begin_group();
            (self.key, self.anchor) = (None, None);
        }
        self.filler.fill(sample);
        let (key, anchor) = (self.key.as_ref(), self.anchor.as_ref());
        let anchor = anchor.filter(|_| kind == BlockKind::Delta);
        let base = anchor.or(key);
        let nothing = State::default();
        let is_known = |text| [key, anchor].iter().flatten().any(|base| base.has(text));
        let filled = &self.filler.state;
        let old = base.map_or(&nothing, |base| &base.state);
        let encoded = self.encoder.encode(kind, old, filled, sample.at, &self.filler.texts, is_known);
        let too_large = || io::Error::new(io::ErrorKind::InvalidInput, "a sample larger than a recording can hold");
        let (packing, unpacked, stored) = encoded.ok_or_else(too_large)?;
        let offset = self.sink.end();
        let back = base.map(|base| base.offset).or(self.last_key).map_or(0, |base| offset - base);
        let back = match u32::try_from(back) {
            Ok(back) => back,
            Err(_) if kind == BlockKind::Key => 0,
            // Something else was appended in between, and much of it: a new group begins.
            Err(_) => {
                self.key = None;
                return self.append(sample);
            }
        };
        let head = Head {
            kind,
            packing,
            stored: stored.len() as u32,
            unpacked: unpacked as u32,
            back,
            at: sample.at,
            wall_ms: sample.wall_ms,
            checksum: crc32c::crc32c(stored),
        };
        self.block.clear();
        self.block.extend_from_slice(&head.encode());
        self.block.extend_from_slice(stored);
        self.block.extend_from_slice(&((stored.len() + FRAME) as u32).to_le_bytes());
        self.sink.append(&self.block)?;
        self.took(kind, offset, sample.at);
        Ok(kind)
    }

    /// Has the next sample rest on nothing that was written before.
    pub fn begin_group(&mut self) {
        self.key = None;
    }

    fn next_kind(&self, sample: &Sample) -> BlockKind {
        let is_due = self.since_key >= KEY_EVERY || self.filler.texts.bytes() > MOST_TEXTS;
        if self.key.is_none() || is_due || sample.at < self.last_at {
            BlockKind::Key
        } else if self.since_anchor >= ANCHOR_EVERY {
            BlockKind::Anchor
        } else {
            BlockKind::Delta
        }
    }

    /// A block is in the file: the next ones may rest on it.
    fn took(&mut self, kind: BlockKind, offset: u64, at: BootMs) {
        self.last_at = at;
        self.since_key += 1;
        self.since_anchor += 1;
        if kind == BlockKind::Delta {
            return;
        }
        self.since_anchor = 1;
        let base = if kind == BlockKind::Key { &mut self.key } else { &mut self.anchor };
        // In the memory of the base before.
        let mut new = base.take().unwrap_or(Base { state: State::default(), texts: Vec::new(), offset });
        new.state.clone_from(&self.filler.state);
        new.texts.clone_from(&self.encoder.texts);
        new.offset = offset;
        *base = Some(new);
        if kind == BlockKind::Key {
            self.since_key = 1;
            self.last_key = Some(offset);
        }
    }

    /// Where the blocks went.
    pub fn sink(&self) -> &S {
        &self.sink
    }
}
