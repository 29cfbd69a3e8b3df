//! A table of cells, and what changed of it from one state to another: columns of differences. Pure.

use super::cells::ColumnKind;
use super::columns::TableId;
use super::format::MOST_ROWS;
use super::varint::{Cursor, Malformed, put, unzigzag, zigzag};
use crate::model::reading::BootMs;

/// A row's key: up to two numbers, zero where the table has fewer.
pub(super) type RowKey = (u64, u64);

/// Rows in ascending order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) keys: Vec<RowKey>,
    /// Row after row.
    pub(super) cells: Vec<u64>,
}

impl Table {
    /// The cells of a row of a table so many columns wide.
    pub(super) fn row(&self, place: usize, width: usize) -> &[u64] {
        &self.cells[place * width..(place + 1) * width]
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.cells.clear();
    }
}

/// Finds differences again and again in the same memory.
#[derive(Default)]
pub(super) struct Differ {
    ended: Vec<u64>,
    new: Vec<RowKey>,
    /// Of each column, the rows that changed and by what.
    changes: Vec<Vec<(u32, i64)>>,
    rest: Vec<u8>,
    /// Numbers of the texts that changed cells hold.
    pub(super) texts: Vec<u64>,
}

impl Differ {
    /// Appends what makes `new` of `old`: part 3 of the format. Nothing where nothing changed.
    pub(super) fn encode(&mut self, id: TableId, old: &Table, new: &Table, at: BootMs, out: &mut Vec<u8>) {
        let columns = &id.spec().columns;
        let width = columns.len();
        self.ended.clear();
        self.new.clear();
        self.changes.iter_mut().for_each(Vec::clear);
        self.changes.resize_with(width.max(self.changes.len()), Vec::new);
        let mut old_place = 0;
        for (place, key) in new.keys.iter().enumerate() {
            while old.keys.get(old_place).is_some_and(|old_key| old_key < key) {
                self.ended.push(old_place as u64);
                old_place += 1;
            }
            let row = new.row(place, width);
            if old.keys.get(old_place) == Some(key) {
                let old_row = old.row(old_place, width);
                old_place += 1;
                if old_row == row {
                    continue;
                }
                for (nth, (old_cell, cell)) in old_row.iter().zip(row).enumerate() {
                    if old_cell != cell {
                        self.note(columns[nth].kind, nth, place, *old_cell, *cell, at);
                    }
                }
            } else {
                self.new.push(*key);
                for (nth, cell) in row.iter().enumerate() {
                    if *cell != 0 {
                        self.note(columns[nth].kind, nth, place, 0, *cell, at);
                    }
                }
            }
        }
        self.ended.extend(old_place as u64..old.keys.len() as u64);
        if self.ended.is_empty() && self.new.is_empty() && self.changes.iter().all(Vec::is_empty) {
            return;
        }
        put(out, id as u64);
        put_gaps(out, &self.ended);
        put(out, self.new.len() as u64);
        let mut before = (0_u64, 0_u64);
        for key in &self.new {
            put(out, key.0 - before.0);
            put(out, zigzag(key.1.wrapping_sub(before.1) as i64));
            before = *key;
        }
        let mut before = None;
        for (nth, changes) in self.changes.iter().enumerate().filter(|(_, changes)| !changes.is_empty()) {
            put(out, before.map_or(nth, |before| nth - before - 1) as u64);
            before = Some(nth);
            self.rest.clear();
            put_changes(&mut self.rest, changes);
            put(out, self.rest.len() as u64);
            out.extend_from_slice(&self.rest);
        }
    }

    fn note(&mut self, kind: ColumnKind, column: usize, place: usize, old: u64, new: u64, at: BootMs) {
        let change = match kind {
            ColumnKind::Moment => at.0.wrapping_sub(new) as i64,
            _ => new.wrapping_sub(old) as i64,
        };
        if kind == ColumnKind::Text && new != 0 {
            self.texts.push(new);
        }
        self.changes[column].push((place as u32, change));
    }
}

/// Places, ascending, each as the distance from the one before.
fn put_gaps(out: &mut Vec<u8>, places: &[u64]) {
    put(out, places.len() as u64);
    let mut next = 0;
    for place in places {
        put(out, place - next);
        next = place + 1;
    }
}

fn put_changes(out: &mut Vec<u8>, changes: &[(u32, i64)]) {
    let shift = changes.iter().fold(0, |all, (_, change)| all | change).trailing_zeros().min(63);
    out.push(shift as u8);
    let runs = || changes.chunk_by(|a, b| a.0 + 1 == b.0);
    put(out, runs().count() as u64);
    let mut next = 0;
    for run in runs() {
        put(out, u64::from(run[0].0 - next));
        put(out, run.len() as u64 - 1);
        next = run[0].0 + run.len() as u32;
    }
    for (_, change) in changes {
        put(out, zigzag(change >> shift));
    }
}

/// Which of the columns of a file's table are which of ours: the place and kind of ours, or `None` where we do not know
/// it.
pub(super) type Known = [Option<(usize, ColumnKind)>];

/// Makes the changes that a block holds, from behind the number of its table.
pub(super) fn apply(
    old: &Table,
    width: usize,
    absent: &[u64],
    known: &Known,
    at: BootMs,
    cursor: &mut Cursor<'_>,
) -> Result<Table, Malformed> {
    let mut table = take_rows(old, width, absent, cursor)?;
    let mut nth = 0_usize;
    while !cursor.is_empty() {
        let skipped = cursor.number()?;
        let skipped = usize::try_from(skipped).map_err(|_| Malformed)?;
        let column = nth.checked_add(skipped).ok_or(Malformed)?;
        nth = column + 1;
        let mut rest = Cursor::new(cursor.bytes()?);
        if let Some((place, kind)) = known.get(column).ok_or(Malformed)? {
            take_changes(&mut table, width, *place, *kind, at, &mut rest)?;
        }
    }
    Ok(table)
}

/// The rows that are left and those that are new, as they were before the changes.
fn take_rows(old: &Table, width: usize, absent: &[u64], cursor: &mut Cursor<'_>) -> Result<Table, Malformed> {
    let ended_count = cursor.count()?;
    let mut ended = Vec::with_capacity(ended_count.min(old.keys.len()));
    let mut next = 0_u64;
    for _ in 0..ended_count {
        let place =
            next.checked_add(cursor.number()?).filter(|place| *place < old.keys.len() as u64).ok_or(Malformed)?;
        ended.push(place as usize);
        next = place + 1;
    }
    let new_count = cursor.count()?;
    let rows = old.keys.len() - ended.len() + new_count;
    if rows > MOST_ROWS {
        return Err(Malformed);
    }
    if ended.is_empty() && new_count == 0 {
        return Ok(old.clone());
    }
    let mut table = Table { keys: Vec::with_capacity(rows), cells: Vec::with_capacity(rows * width) };
    let mut ended = ended.into_iter().peekable();
    let mut left = (0..old.keys.len()).filter(|place| ended.next_if_eq(place).is_none()).peekable();
    let mut before = (0_u64, 0_u64);
    for _ in 0..new_count {
        let first = before.0.checked_add(cursor.number()?).ok_or(Malformed)?;
        let key = (first, before.1.wrapping_add(unzigzag(cursor.number()?) as u64));
        while let Some(place) = left.next_if(|place| old.keys[*place] < key) {
            table.keys.push(old.keys[place]);
            table.cells.extend_from_slice(old.row(place, width));
        }
        table.keys.push(key);
        table.cells.extend_from_slice(absent);
        before = key;
    }
    for place in left {
        table.keys.push(old.keys[place]);
        table.cells.extend_from_slice(old.row(place, width));
    }
    if table.keys.windows(2).all(|pair| pair[0] < pair[1]) { Ok(table) } else { Err(Malformed) }
}

fn take_changes(
    table: &mut Table,
    width: usize,
    column: usize,
    kind: ColumnKind,
    at: BootMs,
    cursor: &mut Cursor<'_>,
) -> Result<(), Malformed> {
    let shift = cursor.byte()?;
    if shift > 63 {
        return Err(Malformed);
    }
    let runs = cursor.count()?;
    let mut values = *cursor;
    for _ in 0..runs * 2 {
        values.number()?;
    }
    let mut next = 0_u64;
    for _ in 0..runs {
        let first = next.checked_add(cursor.number()?).ok_or(Malformed)?;
        let end = cursor.number()?.checked_add(1).and_then(|length| first.checked_add(length)).ok_or(Malformed)?;
        if end > table.keys.len() as u64 {
            return Err(Malformed);
        }
        for place in first as usize..end as usize {
            let change = (unzigzag(values.number()?) << shift) as u64;
            let cell = &mut table.cells[place * width + column];
            *cell = if kind == ColumnKind::Moment { at.0.wrapping_sub(change) } else { cell.wrapping_add(change) };
        }
        next = end;
    }
    if values.is_empty() { Ok(()) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: TableId = TableId::Zram;
    const AT: BootMs = BootMs(1_000_000);

    fn table(rows: &[(u64, [u64; 4])]) -> Table {
        let mut table = Table::default();
        for (key, cells) in rows {
            table.keys.push((*key, 0));
            table.cells.extend_from_slice(cells);
        }
        table
    }

    fn encode(old: &Table, new: &Table) -> Vec<u8> {
        let mut out = Vec::new();
        Differ::default().encode(ID, old, new, AT, &mut out);
        out
    }

    /// Every column is known, and is where it is.
    fn decode(old: &Table, bytes: &[u8]) -> Result<Table, Malformed> {
        if bytes.is_empty() {
            return Ok(old.clone());
        }
        let columns = &ID.spec().columns;
        let known: Vec<_> = columns.iter().enumerate().map(|(nth, column)| Some((nth, column.kind))).collect();
        let mut cursor = Cursor::new(bytes);
        assert_eq!(cursor.number(), Ok(ID as u64));
        apply(old, columns.len(), &[0; 4], &known, AT, &mut cursor)
    }

    fn any_table() -> impl Strategy<Value = Table> {
        let cell = prop_oneof![Just(0), 0..9_u64, any::<u64>(), (0..1000_u64).prop_map(|pages| pages * 4096)];
        proptest::collection::btree_map(any::<(u8, u8)>(), proptest::array::uniform4(cell), 0..20).prop_map(|rows| {
            let mut table = Table::default();
            for ((first, second), cells) in rows {
                table.keys.push((u64::from(first) << 50, u64::from(second)));
                table.cells.extend_from_slice(&cells);
            }
            table
        })
    }

    proptest! {
        #[test]
        fn what_was_changed_comes_back(old in any_table(), new in any_table()) {
            prop_assert_eq!(decode(&old, &encode(&old, &new)), Ok(new.clone()));
            prop_assert_eq!(encode(&new, &new), Vec::<u8>::new());
        }

        #[test]
        fn any_bytes_are_refused_or_make_a_table_in_order(old in any_table(), bytes in proptest::collection::vec(any::<u8>(), 1..80)) {
            let bytes = [&[ID as u8], &bytes[..]].concat();
            if let Ok(table) = decode(&old, &bytes) {
                prop_assert!(table.keys.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert_eq!(table.cells.len(), table.keys.len() * 4);
            }
        }
    }

    #[test]
    fn multiples_of_a_page_take_no_more_than_pages() {
        let old = table(&[(1, [0, 0, 0, 0]), (2, [0, 0, 0, 0])]);
        let new = table(&[(1, [0, 40 << 20, 0, 0]), (2, [0, 41 << 20, 0, 0])]);
        // table, none ended, none new, column, length, shift, one run of two, and 40 and 41 in a byte each.
        assert_eq!(encode(&old, &new), [ID as u8, 0, 0, 1, 6, 20, 1, 0, 1, 80, 82]);
    }

    #[test]
    fn rows_that_are_not_there_and_keys_out_of_order_are_refused() {
        let old = table(&[(5, [1, 2, 3, 4])]);
        for hostile in [
            &[ID as u8, 1, 1, 0][..],
            &[ID as u8, 0, 1, 5, 0],
            &[ID as u8, 0, 2, 9, 0, 0, 0],
            &[ID as u8, 0, 0, 0, 5, 0, 1, 1, 0, 2],
            &[ID as u8, 0, 0, 9, 1, 0],
            &[ID as u8, 0, 0, 0, 4, 64, 1, 0, 0, 2],
            &[ID as u8, 0, 0, 0, 6, 0, 1, 0, 0, 2, 2],
        ] {
            assert_eq!(decode(&old, hostile), Err(Malformed), "{hostile:?}");
        }
    }
}
