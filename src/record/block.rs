//! A block's payload: from two states and out of one. Pure.

use std::sync::Arc;

use super::columns::TableId;
use super::format::{BlockKind, Head, MOST_PAYLOAD, Packing};
use super::schema::{self, Schema};
use super::state::State;
use super::table::{Differ, apply};
use super::texts::{Held, Interner, encode as encode_texts};
use super::varint::{Cursor, Malformed, put};
use crate::model::reading::BootMs;
use crate::model::text::Text;

/// Kinds of parts.
const SCHEMA: u64 = 1;
const TEXTS: u64 = 2;
const TABLE: u64 = 3;

/// zstd's level: above it a key shrinks by some percent at several times the cost.
const LEVEL: i32 = 3;

/// Payloads below this are stored as they are where zstd would gain nothing by them.
const WORTH_PACKING: usize = 64;

/// Makes payloads, in the same memory again and again.
pub(super) struct Encoder {
    differ: Differ,
    payload: Vec<u8>,
    tables: Vec<u8>,
    part: Vec<u8>,
    packed: Vec<u8>,
    zstd: zstd::bulk::Compressor<'static>,
    /// Texts that the block holds, by number.
    pub(super) texts: Vec<u64>,
}

impl Encoder {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            differ: Differ::default(),
            payload: Vec::new(),
            tables: Vec::new(),
            part: Vec::new(),
            packed: Vec::new(),
            zstd: zstd::bulk::Compressor::new(LEVEL)?,
            texts: Vec::new(),
        })
    }

    /// The payload that makes `new` of `old`, with the texts that `is_known` does not have. `None` where it is larger
    /// than a payload may be.
    pub(super) fn encode(
        &mut self,
        kind: BlockKind,
        old: &State,
        new: &State,
        at: BootMs,
        texts: &Interner,
        is_known: impl Fn(u64) -> bool,
    ) -> Option<(Packing, usize, &[u8])> {
        self.payload.clear();
        self.tables.clear();
        self.differ.texts.clear();
        if kind == BlockKind::Key {
            self.part.clear();
            schema::encode(&mut self.part);
            put_part(&mut self.payload, SCHEMA, &self.part);
        }
        for id in TableId::ALL {
            self.part.clear();
            self.differ.encode(id, old.table(id), new.table(id), at, &mut self.part);
            if !self.part.is_empty() {
                put_part(&mut self.tables, TABLE, &self.part);
            }
        }
        self.texts.clear();
        self.texts.extend(self.differ.texts.iter().filter(|number| !is_known(**number)));
        self.texts.sort_unstable();
        self.texts.dedup();
        if !self.texts.is_empty() {
            self.part.clear();
            encode_texts(&mut self.part, &self.texts, texts);
            put_part(&mut self.payload, TEXTS, &self.part);
        }
        self.payload.extend_from_slice(&self.tables);
        if self.payload.len() > MOST_PAYLOAD {
            return None;
        }
        Some(self.pack())
    }

    fn pack(&mut self) -> (Packing, usize, &[u8]) {
        let length = self.payload.len();
        if length >= WORTH_PACKING {
            self.packed.clear();
            self.packed.reserve(zstd::zstd_safe::compress_bound(length));
            let packed = self.zstd.compress_to_buffer(&self.payload, &mut self.packed);
            if packed.is_ok_and(|packed| packed < length) {
                return (Packing::Zstd, length, &self.packed);
            }
        }
        (Packing::Plain, length, &self.payload)
    }
}

fn put_part(out: &mut Vec<u8>, kind: u64, part: &[u8]) {
    put(out, kind);
    put(out, part.len() as u64);
    out.extend_from_slice(part);
}

/// The payload as it was before it was packed.
pub(super) fn unpack(head: &Head, stored: &[u8]) -> Result<Vec<u8>, Malformed> {
    let length = head.unpacked as usize;
    let payload = match head.packing {
        Packing::Plain => stored.to_vec(),
        Packing::Zstd => zstd::bulk::decompress(stored, length).map_err(|_| Malformed)?,
    };
    if payload.len() == length { Ok(payload) } else { Err(Malformed) }
}

/// A block that was read: its state, and what its texts are.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) state: State,
    pub(super) schema: Arc<Schema>,
    texts: Held,
    base: Option<Arc<Loaded>>,
    /// Parts of kinds that we do not know.
    pub(super) unknown_parts: u32,
}

impl Loaded {
    /// The text of a number.
    pub(super) fn text(&self, number: u64) -> Option<Text> {
        match self.texts.get(number) {
            Some(text) => Some(text.clone()),
            None => self.base.as_ref()?.text(number),
        }
    }

    /// Reads a payload. `base` is there if, and only if, the block is no key.
    pub(super) fn decode(payload: &[u8], at: BootMs, base: Option<Arc<Self>>) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(payload);
        let mut texts = Held::default();
        let mut schema = base.as_ref().map(|base| Arc::clone(&base.schema));
        let mut state = base.as_ref().map(|base| base.state.clone()).unwrap_or_default();
        let mut unknown_parts = 0;
        let mut seen = [false; TableId::ALL.len()];
        while !cursor.is_empty() {
            let kind = cursor.number()?;
            let part = cursor.bytes()?;
            match (kind, &schema) {
                (SCHEMA, None) => schema = Some(Arc::new(Schema::decode(part)?)),
                (TEXTS, _) => texts = Held::decode(&mut Cursor::new(part))?,
                (TABLE, Some(schema)) => {
                    let mut part = Cursor::new(part);
                    let Some(table) = schema.table(part.number()?)? else { continue };
                    // Once for each table: more would be work without end.
                    if std::mem::replace(&mut seen[table.id as usize], true) {
                        return Err(Malformed);
                    }
                    let old = std::mem::take(&mut state.tables[table.id as usize]);
                    let new = apply(&old, table.id.width(), &table.absent, &table.known, at, &mut part)?;
                    state.tables[table.id as usize] = new;
                }
                (SCHEMA | TABLE, _) => return Err(Malformed),
                _ => unknown_parts += 1,
            }
        }
        Ok(Self { state, schema: schema.ok_or(Malformed)?, texts, base, unknown_parts })
    }
}
