//! The schema in a key: which tables and columns the file has, and which of them are ours.

use std::collections::BTreeSet;

use super::cells::ColumnKind;
use super::columns::{TableId, TableSpec};
use super::format::MOST_COLUMNS;
use super::varint::{Cursor, Malformed, put, put_bytes};

/// Appends our own schema: part 1 of the format.
pub(super) fn encode(out: &mut Vec<u8>) {
    put(out, TableId::ALL.len() as u64);
    for table in TableId::ALL {
        encode_table(out, table.spec());
    }
}

/// Appends the schema of one table.
pub(super) fn encode_table(out: &mut Vec<u8>, spec: &TableSpec) {
    put_bytes(out, spec.name.as_bytes());
    put(out, spec.keys.len() as u64);
    spec.keys.iter().for_each(|key| put_bytes(out, key.as_bytes()));
    put(out, spec.columns.len() as u64);
    for column in &spec.columns {
        put_bytes(out, column.name.as_bytes());
        out.push(column.kind.code());
        put_bytes(out, column.unit.as_bytes());
    }
}

/// What a file has, as far as it concerns us.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Schema {
    /// By the file's numbers.
    tables: Vec<Option<TableSchema>>,
    /// What the file has and we do not know.
    pub(super) unknown: BTreeSet<String>,
}

/// A table that we know.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TableSchema {
    pub(super) id: TableId,
    /// Of each column of the file, which of ours it is.
    pub(super) known: Vec<Option<(usize, ColumnKind)>>,
    /// The cells of a new row: zero, or not recorded where the file does not have the column.
    pub(super) absent: Vec<u64>,
}

impl Schema {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        let mut schema = Self { tables: Vec::new(), unknown: BTreeSet::new() };
        let mut left = MOST_COLUMNS;
        for _ in 0..cursor.count()? {
            let table = schema.take_table(&mut cursor, &mut left)?;
            schema.tables.push(table);
        }
        Ok(schema)
    }

    fn take_table(&mut self, cursor: &mut Cursor<'_>, left: &mut usize) -> Result<Option<TableSchema>, Malformed> {
        let name = text(cursor)?;
        let keys = (0..cursor.count()?).map(|_| text(cursor)).collect::<Result<Vec<_>, _>>()?;
        let id = TableId::ALL.into_iter().find(|id| {
            let spec = id.spec();
            spec.name == name && spec.keys == keys
        });
        if id.is_none() {
            self.unknown.insert(name.clone());
        }
        let mut table = id.map(|id| TableSchema {
            id,
            known: Vec::new(),
            absent: id.spec().columns.iter().map(|column| column.kind.absent()).collect(),
        });
        let count = cursor.count()?;
        *left = left.checked_sub(count).ok_or(Malformed)?;
        for _ in 0..count {
            let column = text(cursor)?;
            let kind = ColumnKind::of_code(cursor.byte()?);
            text(cursor)?;
            let Some(table) = &mut table else { continue };
            let place = kind.and_then(|kind| Some((table.id.spec().column(&column, kind)?, kind)));
            match place {
                Some((place, _)) => table.absent[place] = 0,
                None => {
                    self.unknown.insert(format!("{name}.{column}"));
                }
            }
            table.known.push(place);
        }
        Ok(table)
    }

    /// The table that the file calls by this number: `None` where we do not know it.
    pub(super) fn table(&self, number: u64) -> Result<Option<&TableSchema>, Malformed> {
        let number = usize::try_from(number).map_err(|_| Malformed)?;
        self.tables.get(number).map(Option::as_ref).ok_or(Malformed)
    }
}

fn text(cursor: &mut Cursor<'_>) -> Result<String, Malformed> {
    Ok(String::from_utf8_lossy(cursor.bytes()?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_schema_is_known_whole() {
        let mut bytes = Vec::new();
        encode(&mut bytes);
        let schema = Schema::decode(&bytes).unwrap();
        assert!(schema.unknown.is_empty());
        for (number, id) in (0..).zip(TableId::ALL) {
            let table = schema.table(number).unwrap().unwrap();
            assert_eq!((table.id, table.known.len()), (id, id.width()));
            assert!(table.known.iter().enumerate().all(|(nth, known)| known.is_some_and(|(place, _)| place == nth)));
            assert!(table.absent.iter().all(|cell| *cell == 0));
        }
        assert_eq!(schema.table(TableId::ALL.len() as u64), Err(Malformed));
    }

    #[test]
    fn what_is_new_is_named_and_what_is_missing_was_not_recorded() {
        let mut bytes = Vec::new();
        put(&mut bytes, 2);
        for (name, columns) in [("gpu", &["used"][..]), ("zram", &["used", "used?", "compressed"])] {
            put_bytes(&mut bytes, name.as_bytes());
            put(&mut bytes, 1);
            put_bytes(&mut bytes, b"place");
            put(&mut bytes, columns.len() as u64);
            for column in columns {
                put_bytes(&mut bytes, column.as_bytes());
                bytes.push(if *column == "compressed" { 99 } else { 0 });
                put_bytes(&mut bytes, b"");
            }
        }
        let schema = Schema::decode(&bytes).unwrap();
        let unknown: Vec<_> = schema.unknown.iter().map(String::as_str).collect();
        assert_eq!(unknown, ["gpu", "zram.compressed", "zram.used?"]);
        assert_eq!(schema.table(0), Ok(None));
        let zram = schema.table(1).unwrap().unwrap();
        assert_eq!(zram.known, [Some((3, ColumnKind::Number)), None, None]);
    }

    #[test]
    fn a_schema_beyond_bounds_is_refused() {
        let mut bytes = Vec::new();
        put(&mut bytes, 1);
        put_bytes(&mut bytes, b"t");
        put(&mut bytes, 0);
        put(&mut bytes, MOST_COLUMNS as u64 + 1);
        bytes.resize(bytes.len() + 3 * (MOST_COLUMNS + 1), 0);
        assert_eq!(Schema::decode(&bytes), Err(Malformed));
        assert_eq!(Schema::decode(&[200]), Err(Malformed));
    }
}
