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
    base: Option<Arc<Self>>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reading::{Feature, Need, Reading};
    use crate::model::sample::Sample;
    use crate::model::testing::{process, snapshot};
    use crate::record::cells::{Column, ColumnKind};
    use crate::record::columns::TableSpec;
    use crate::record::format::HEAD;
    use crate::record::reader::Reader;
    use crate::record::redact::Redaction;
    use crate::record::scan::{self, Found};
    use crate::record::writer::Writer;

    /// A key as the next version may write it: it calls a column otherwise, and has a column, a table and a part more.
    fn newer_key(bytes: &Vec<u8>) -> Vec<u8> {
        let Found::Block(head) = scan::at(bytes, 0, bytes.len() as u64) else { panic!("there is a block") };
        let payload = unpack(&head, &scan::payload(bytes, 0, &head).unwrap()).unwrap();
        let mut cursor = Cursor::new(&payload);
        let mut newer = Vec::new();
        let extra = Column { name: "rollup.cold".into(), kind: ColumnKind::Number, unit: "bytes" };
        let width = TableId::Processes.width() as u64;
        while !cursor.is_empty() {
            let (kind, part) = (cursor.number().unwrap(), cursor.bytes().unwrap());
            let mut changed = Vec::new();
            if kind == SCHEMA {
                put(&mut changed, TableId::ALL.len() as u64 + 1);
                for table in TableId::ALL {
                    let mut spec = table.spec().clone();
                    if table == TableId::Processes {
                        let renamed = spec.column("oom_score?", ColumnKind::State).unwrap();
                        spec.columns[renamed].name = "oom_rank?".into();
                        spec.columns.push(extra.clone());
                    }
                    schema::encode_table(&mut changed, &spec);
                }
                let gpu = TableSpec { name: "gpu", keys: &["place"], columns: vec![extra.clone()] };
                schema::encode_table(&mut changed, &gpu);
            } else {
                changed.extend_from_slice(part);
                if kind == TABLE && part[0] == TableId::Processes as u8 {
                    put(&mut changed, width - 1 - last_column(part));
                    changed.extend_from_slice(&[5, 0, 1, 0, 0, 84]);
                }
            }
            put_part(&mut newer, kind, &changed);
        }
        put_part(&mut newer, TABLE, &[TableId::ALL.len() as u8, 0, 1, 3, 0, 0, 5, 0, 1, 0, 0, 84]);
        put_part(&mut newer, 77, b"what nobody knows yet");
        let head = Head {
            packing: Packing::Plain,
            stored: newer.len() as u32,
            unpacked: newer.len() as u32,
            checksum: crc32c::crc32c(&newer),
            ..head
        };
        [&head.encode()[..HEAD], &newer, &(head.length() as u32).to_le_bytes()].concat()
    }

    /// The number of the last column that a table's part changes.
    fn last_column(part: &[u8]) -> u64 {
        let mut cursor = Cursor::new(part);
        let _table = cursor.number().unwrap();
        for _ in 0..cursor.number().unwrap() {
            cursor.number().unwrap();
        }
        for _ in 0..2 * cursor.number().unwrap() {
            cursor.number().unwrap();
        }
        let mut next = 0;
        while !cursor.is_empty() {
            next += cursor.number().unwrap() + 1;
            cursor.bytes().unwrap();
        }
        next - 1
    }

    #[test]
    fn what_a_newer_version_added_is_left_out_and_named_and_the_rest_is_read() {
        let processes = [7, 9].map(|pid| Arc::new(process(pid, "node", "node app.js")));
        let sample: Sample = (*snapshot(processes.into()).sample).clone();
        let mut writer = Writer::new(Vec::new(), None, Redaction::Nothing).unwrap();
        writer.append(&sample).unwrap();
        let mut reader = Reader::of_bytes(newer_key(writer.sink()));
        let mut given = reader.next().unwrap();
        let unknown: Vec<_> = reader.unknown().collect();
        assert_eq!(unknown, ["a part of a block", "gpu", "process.oom_rank?", "process.rollup.cold"]);
        assert_eq!(reader.losses().count(), 0);
        for (given, process) in given.processes.iter_mut().zip(&sample.processes) {
            let given = Arc::make_mut(given);
            assert_eq!(given.oom_score.reading, Reading::Unsupported(Need::Feature(Feature::Recording)));
            given.oom_score = process.oom_score;
        }
        assert_eq!(given, sample);
    }

    #[test]
    fn a_payload_that_unpacks_to_more_than_it_says_is_refused() {
        let bomb = zstd::bulk::compress(&vec![0; 20 << 20], 3).unwrap();
        let head = Head {
            kind: BlockKind::Key,
            packing: Packing::Zstd,
            stored: bomb.len() as u32,
            unpacked: 1000,
            back: 0,
            at: BootMs(0),
            wall_ms: 0,
            checksum: 0,
        };
        assert_eq!(unpack(&head, &bomb), Err(Malformed));
        assert_eq!(unpack(&Head { unpacked: 21 << 20, ..head }, &bomb), Err(Malformed));
        assert_eq!(unpack(&Head { unpacked: 20 << 20, ..head }, &bomb).map(|payload| payload.len()), Ok(20 << 20));
    }

    #[test]
    fn parts_out_of_order_and_tables_told_twice_are_refused() {
        let decode = |payload: &[u8]| Loaded::decode(payload, BootMs(0), None).map(|_| ());
        let mut key = Vec::new();
        let mut part = Vec::new();
        schema::encode(&mut part);
        put_part(&mut key, SCHEMA, &part);
        assert_eq!(decode(&key), Ok(()));
        assert_eq!(decode(b""), Err(Malformed), "without a schema");
        let table = |to: &[u8]| {
            let mut payload = to.to_vec();
            put_part(&mut payload, TABLE, &[5, 0, 0]);
            payload
        };
        assert_eq!(decode(&table(b"")), Err(Malformed), "a table before the schema");
        assert_eq!(decode(&table(&key)), Ok(()));
        assert_eq!(decode(&table(&table(&key))), Err(Malformed), "a table told twice");
        assert_eq!(decode(&[&key[..], &key].concat()), Err(Malformed), "a schema told twice");
        assert_eq!(decode(&[&key[..], &[3, 200]].concat()), Err(Malformed), "a part that is cut");
    }
}
