//! Appends samples to a recording: which block each becomes, and what it rests on.

use std::io;

use super::block::Encoder;
use super::format::{BlockKind, FRAME, Head, MOST_ROWS};
use super::redact::Redaction;
use super::state::{Filler, State};
use crate::model::reading::BootMs;
use crate::model::sample::Sample;

/// Samples from one anchor to the next, at most.
const ANCHOR_EVERY: u32 = 16;

/// Samples from one key to the next, at most.
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
    /// Bytes of the block before.
    last_bytes: usize,
    of_key: Rent,
    of_anchor: Rent,
}

/// Whether what rests on a base has cost enough for a new one. The older a base, the more differs from it; a new one
/// costs its size once. It is time when what was paid for age is what a new one costs.
#[derive(Clone, Copy, Default)]
struct Rent {
    /// Samples since the base, itself included.
    samples: u32,
    /// Bytes of the first block that rested on a new base: what is to be paid anyway.
    least: usize,
    /// Whether the base is new.
    is_new: bool,
    /// Bytes that were paid beyond that.
    paid: usize,
}

impl Rent {
    /// A block that rests on it took so many bytes.
    fn pay(&mut self, bytes: usize) {
        if std::mem::take(&mut self.is_new) {
            self.least = bytes;
        }
        self.paid += bytes.saturating_sub(self.least);
    }

    /// There is a new base.
    fn renew(&mut self) {
        *self = Self { samples: 0, is_new: true, paid: 0, ..*self };
    }
}

/// A block that others rest on.
struct Base {
    state: State,
    /// Bytes that it took.
    bytes: usize,
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
            last_bytes: 0,
            of_key: Rent::default(),
            of_anchor: Rent::default(),
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
        self.last_bytes = self.block.len();
        self.took(kind, offset, sample.at);
        Ok(kind)
    }

    /// Has the next sample rest on nothing that was written before.
    pub fn begin_group(&mut self) {
        self.key = None;
    }

    fn next_kind(&self, sample: &Sample) -> BlockKind {
        let Some(key) = &self.key else { return BlockKind::Key };
        let is_dear = self.of_key.paid >= key.bytes || self.filler.texts.bytes() > MOST_TEXTS;
        if self.of_key.samples >= KEY_EVERY || is_dear || sample.at < self.last_at {
            return BlockKind::Key;
        }
        // An anchor costs what the last one did; the first one of a group what a delta does now.
        let price = self.anchor.as_ref().map_or(self.last_bytes, |anchor| anchor.bytes);
        // A closer look is paid for once that way, and not with every delta after it.
        let has_more = self.of_anchor.samples >= ANCHOR_EVERY / 4 && self.filler.has_new_closer(sample);
        if has_more
            || self.of_anchor.samples >= ANCHOR_EVERY
            || (self.of_anchor.samples > 1 && self.of_anchor.paid >= price)
        {
            BlockKind::Anchor
        } else {
            BlockKind::Delta
        }
    }

    /// A block is in the file: the next ones may rest on it.
    fn took(&mut self, kind: BlockKind, offset: u64, at: BootMs) {
        self.last_at = at;
        match kind {
            BlockKind::Key => {
                // The first sample of all is incomplete: what rests on it is dear from the beginning.
                if self.last_key.is_some() {
                    self.of_key.renew();
                    self.of_anchor.renew();
                }
                self.last_key = Some(offset);
            }
            BlockKind::Anchor => {
                self.of_key.pay(self.last_bytes);
                self.of_anchor.renew();
            }
            BlockKind::Delta => self.of_anchor.pay(self.last_bytes),
        }
        self.of_key.samples += 1;
        self.of_anchor.samples += 1;
        if kind == BlockKind::Delta {
            return;
        }
        let base = if kind == BlockKind::Key { &mut self.key } else { &mut self.anchor };
        // An anchor takes over the memory of the one before.
        let mut new = base.take().unwrap_or(Base { state: State::default(), bytes: 0, texts: Vec::new(), offset });
        new.state.clone_from(&self.filler.state);
        new.texts.clone_from(&self.encoder.texts);
        new.bytes = self.last_bytes;
        new.offset = offset;
        *base = Some(new);
    }

    /// Where the blocks went.
    pub fn sink(&self) -> &S {
        &self.sink
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_renewed_when_its_age_has_cost_what_a_new_one_does() {
        let mut rent = Rent::default();
        rent.renew();
        for bytes in [100, 150, 300] {
            rent.pay(bytes);
        }
        assert_eq!((rent.least, rent.paid), (100, 250));
        rent.renew();
        rent.pay(90);
        assert_eq!((rent.least, rent.paid), (90, 0));
    }

    #[test]
    fn what_is_dear_from_the_beginning_is_paid_for_whole() {
        let mut rent = Rent::default();
        rent.pay(100);
        assert_eq!(rent.paid, 100);
    }
}
