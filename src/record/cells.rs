//! How the parts of a sample become cells and come back: each type says once which columns it has.

use std::sync::Arc;

use super::texts::Interner;
use super::varint::Malformed;
use crate::model::cgroup::CgroupVersion;
use crate::model::reading::{BootMs, Denial, Feature, Need, Reading, Stamped};
use crate::model::runtime::Settings;
use crate::model::text::Text;

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Number,
    Signed,
    Real,
    Moment,
    Text,
    State,
}

impl ColumnKind {
    const ALL: [Self; 6] = [Self::Number, Self::Signed, Self::Real, Self::Moment, Self::Text, Self::State];

    pub(super) fn code(self) -> u8 {
        self as u8
    }

    pub(super) fn of_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// What stands where a recording does not have the column.
    pub(super) fn absent(self) -> u64 {
        if self == Self::State { encode_state(&NOT_RECORDED) } else { 0 }
    }
}

const NOT_RECORDED: Reading<()> = Reading::Unsupported(Need::Feature(Feature::Recording));

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: ColumnKind,
    pub(super) unit: &'static str,
}

/// Cells that are being filled.
pub(super) struct Put<'a> {
    pub(super) cells: &'a mut Vec<u64>,
    pub(super) texts: &'a mut Interner,
}

/// Cells that are being read. `text` knows every text by its number.
pub(super) struct Take<'a> {
    pub(super) cells: &'a [u64],
    pub(super) text: &'a dyn Fn(u64) -> Option<Text>,
}

impl Take<'_> {
    fn next(&mut self) -> Result<u64, Malformed> {
        let (first, rest) = self.cells.split_first().ok_or(Malformed)?;
        self.cells = rest;
        Ok(*first)
    }

    fn skip(&mut self, count: usize) -> Result<(), Malformed> {
        self.cells = self.cells.get(count..).ok_or(Malformed)?;
        Ok(())
    }
}

/// A part of a sample as cells.
pub(super) trait Cells: Sized {
    /// How many.
    const WIDTH: usize;
    /// Their columns, below a name.
    fn describe(name: &str, unit: &'static str, columns: &mut Vec<Column>);
    /// Appends them.
    fn put(&self, row: &mut Put<'_>);
    /// Takes them back.
    fn take(row: &mut Take<'_>) -> Result<Self, Malformed>;
}

fn column(name: &str, kind: ColumnKind, unit: &'static str) -> Column {
    Column { name: name.to_owned(), kind, unit }
}

/// A cell that is a number of some type.
macro_rules! numbers {
    ($($type:ty: $kind:ident, $put:expr, $take:expr;)*) => { $(impl Cells for $type {
        const WIDTH: usize = 1;
        fn describe(name: &str, unit: &'static str, columns: &mut Vec<Column>) {
            columns.push(column(name, ColumnKind::$kind, unit));
        }
        fn put(&self, row: &mut Put<'_>) {
            let put: fn($type) -> u64 = $put;
            row.cells.push(put(*self));
        }
        fn take(row: &mut Take<'_>) -> Result<Self, Malformed> {
            let take: fn(u64) -> Option<$type> = $take;
            take(row.next()?).ok_or(Malformed)
        }
    })* };
}

numbers! {
    u64: Number, |value| value, Some;
    u32: Number, u64::from, |cell| cell.try_into().ok();
    u8: Number, u64::from, |cell| cell.try_into().ok();
    bool: Number, u64::from, |cell| Some(cell != 0);
    i64: Signed, |value| value as u64, |cell| Some(cell as i64);
    i32: Signed, |value| i64::from(value) as u64, |cell| (cell as i64).try_into().ok();
    f32: Real, |value| u64::from(value.to_bits()), |cell| u32::try_from(cell).ok().map(f32::from_bits);
    BootMs: Moment, |value| value.0, |cell| Some(BootMs(cell));
    CgroupVersion: Number, |value| value as u64, |cell| match cell {
        0 => Some(CgroupVersion::V2),
        1 => Some(CgroupVersion::V1),
        _ => None,
    };
}

impl Cells for Text {
    const WIDTH: usize = 1;

    fn describe(name: &str, unit: &'static str, columns: &mut Vec<Column>) {
        columns.push(column(name, ColumnKind::Text, unit));
    }

    fn put(&self, row: &mut Put<'_>) {
        let number = row.texts.number(self.as_bytes());
        row.cells.push(number);
    }

    fn take(row: &mut Take<'_>) -> Result<Self, Malformed> {
        match row.next()? {
            0 => Ok(Self::default()),
            number => (row.text)(number).ok_or(Malformed),
        }
    }
}

impl Cells for String {
    const WIDTH: usize = Text::WIDTH;

    fn describe(name: &str, unit: &'static str, columns: &mut Vec<Column>) {
        Text::describe(name, unit, columns);
    }

    fn put(&self, row: &mut Put<'_>) {
        let number = row.texts.number(self.as_bytes());
        row.cells.push(number);
    }

    fn take(row: &mut Take<'_>) -> Result<Self, Malformed> {
        Text::take(row).map(|text| Self::from_utf8_lossy(text.as_bytes()).into_owned())
    }
}

impl<T: Cells> Cells for Reading<T> {
    const WIDTH: usize = 1 + T::WIDTH;

    fn describe(name: &str, unit: &'static str, columns: &mut Vec<Column>) {
        columns.push(column(&format!("{name}?"), ColumnKind::State, ""));
        T::describe(name, unit, columns);
    }

    fn put(&self, row: &mut Put<'_>) {
        row.cells.push(encode_state(self));
        match self {
            Self::Value(value) | Self::Stale(value, _) => value.put(row),
            _ => row.cells.resize(row.cells.len() + T::WIDTH, 0),
        }
    }

    fn take(row: &mut Take<'_>) -> Result<Self, Malformed> {
        let state = row.next()?;
        let Some(without_value) = decode_state(state) else {
            return Ok(match (state & 0xff, T::take(row)?) {
                (0, value) => Self::Value(value),
                (_, value) => Self::Stale(value, state >> 8),
            });
        };
        row.skip(T::WIDTH)?;
        Ok(without_value)
    }
}

impl<T: Cells> Cells for Stamped<T> {
    const WIDTH: usize = 1 + Reading::<T>::WIDTH;

    fn describe(name: &str, unit: &'static str, columns: &mut Vec<Column>) {
        columns.push(column(&format!("{name}@"), ColumnKind::Moment, "ms"));
        Reading::<T>::describe(name, unit, columns);
    }

    fn put(&self, row: &mut Put<'_>) {
        self.at.put(row);
        self.reading.put(row);
    }

    fn take(row: &mut Take<'_>) -> Result<Self, Malformed> {
        Ok(Self { at: BootMs::take(row)?, reading: Reading::take(row)? })
    }
}

impl<T: Cells> Cells for Option<T> {
    const WIDTH: usize = 1 + T::WIDTH;

    fn describe(name: &str, unit: &'static str, columns: &mut Vec<Column>) {
        columns.push(column(&format!("{name}!"), ColumnKind::Number, ""));
        T::describe(name, unit, columns);
    }

    fn put(&self, row: &mut Put<'_>) {
        row.cells.push(u64::from(self.is_some()));
        match self {
            Some(value) => value.put(row),
            None => row.cells.resize(row.cells.len() + T::WIDTH, 0),
        }
    }

    fn take(row: &mut Take<'_>) -> Result<Self, Malformed> {
        if row.next()? != 0 {
            return T::take(row).map(Some);
        }
        row.skip(T::WIDTH)?;
        Ok(None)
    }
}

impl Cells for [u64; 3] {
    const WIDTH: usize = 3;

    fn describe(name: &str, unit: &'static str, columns: &mut Vec<Column>) {
        for part in 0..3 {
            u64::describe(&format!("{name}.{part}"), unit, columns);
        }
    }

    fn put(&self, row: &mut Put<'_>) {
        row.cells.extend(self);
    }

    fn take(row: &mut Take<'_>) -> Result<Self, Malformed> {
        Ok([row.next()?, row.next()?, row.next()?])
    }
}

impl<T: Cells> Cells for Arc<T> {
    const WIDTH: usize = T::WIDTH;

    fn describe(name: &str, unit: &'static str, columns: &mut Vec<Column>) {
        T::describe(name, unit, columns);
    }

    fn put(&self, row: &mut Put<'_>) {
        T::put(self, row);
    }

    fn take(row: &mut Take<'_>) -> Result<Self, Malformed> {
        T::take(row).map(Self::new)
    }
}

impl Cells for Settings {
    const WIDTH: usize = Text::WIDTH;

    fn describe(name: &str, unit: &'static str, columns: &mut Vec<Column>) {
        Text::describe(name, unit, columns);
    }

    fn put(&self, row: &mut Put<'_>) {
        self.as_text().put(row);
    }

    fn take(row: &mut Take<'_>) -> Result<Self, Malformed> {
        Text::take(row).map(Self::from)
    }
}

/// The cells of a struct are those of its fields, in the order in which they are listed, each with its unit. A field
/// that is left out is named behind, in brackets.
macro_rules! cells {
    ($($type:ident { $($field:ident: $kind:ty = $unit:literal,)* } $([$($beside:ident,)*])?)*) => { $(
        impl Cells for $type {
            const WIDTH: usize = 0 $(+ <$kind as Cells>::WIDTH)*;
            fn describe(name: &str, _unit: &'static str, columns: &mut Vec<Column>) {
                let below = |field: &str| if name.is_empty() { field.to_owned() } else { format!("{name}.{field}") };
                $(<$kind as Cells>::describe(&below(stringify!($field)), $unit, columns);)*
            }
            fn put(&self, row: &mut Put<'_>) {
                $(<$kind as Cells>::put(&self.$field, row);)*
            }
            fn take(row: &mut Take<'_>) -> Result<Self, Malformed> {
                Ok(Self { $($field: <$kind as Cells>::take(row)?,)* $($($beside: Default::default(),)*)? })
            }
        }
    )* };
}
pub(super) use cells;

fn encode_state<T>(reading: &Reading<T>) -> u64 {
    match reading {
        Reading::Value(_) => 0,
        Reading::Stale(_, age) => 1 | age << 8,
        Reading::Pending => 2,
        Reading::Denied(Denial::Ptrace) => 3,
        Reading::Denied(Denial::Root) => 3 | 1 << 8,
        Reading::Gone => 4,
        Reading::Unsupported(Need::Kernel(major, minor)) => 5 | u64::from(*major) << 8 | u64::from(*minor) << 16,
        Reading::Unsupported(Need::Feature(feature)) => {
            let code = match feature {
                Feature::Psi => 0,
                Feature::MemoryController => 1,
                Feature::Line => 2,
                Feature::Zfs => 3,
                Feature::SysvIpc => 4,
                Feature::Recording => 5,
                Feature::SlabInfo => 6,
                Feature::Balloon => 7,
                Feature::Covered => 8,
                Feature::Limit => 9,
                Feature::DevShm => 10,
                Feature::Live => 11,
                Feature::Unified => 12,
            };
            6 | code << 8
        }
        Reading::Unsupported(Need::NotApplicable) => 7,
        Reading::Unsupported(Need::NoLimit) => 8,
        Reading::Unsupported(Need::Mark) => 8 | 1 << 8,
        Reading::Unsupported(Need::MarkedValue) => 8 | 2 << 8,
    }
}

/// A state without a value; `None` where there is one. What this version does not know was not recorded for it.
fn decode_state<T>(state: u64) -> Option<Reading<T>> {
    Some(match (state & 0xff, state >> 8) {
        (0 | 1, _) => return None,
        (2, _) => Reading::Pending,
        (3, 1) => Reading::Denied(Denial::Root),
        (3, _) => Reading::Denied(Denial::Ptrace),
        (4, _) => Reading::Gone,
        (5, release) => Reading::Unsupported(Need::Kernel(release as u8, (release >> 8) as u8)),
        (6, 0) => Reading::Unsupported(Need::Feature(Feature::Psi)),
        (6, 1) => Reading::Unsupported(Need::Feature(Feature::MemoryController)),
        (6, 2) => Reading::Unsupported(Need::Feature(Feature::Line)),
        (6, 3) => Reading::Unsupported(Need::Feature(Feature::Zfs)),
        (6, 4) => Reading::Unsupported(Need::Feature(Feature::SysvIpc)),
        (6, 6) => Reading::Unsupported(Need::Feature(Feature::SlabInfo)),
        (6, 7) => Reading::Unsupported(Need::Feature(Feature::Balloon)),
        (6, 8) => Reading::Unsupported(Need::Feature(Feature::Covered)),
        (6, 9) => Reading::Unsupported(Need::Feature(Feature::Limit)),
        (6, 10) => Reading::Unsupported(Need::Feature(Feature::DevShm)),
        (6, 11) => Reading::Unsupported(Need::Feature(Feature::Live)),
        (6, 12) => Reading::Unsupported(Need::Feature(Feature::Unified)),
        (7, _) => Reading::Unsupported(Need::NotApplicable),
        (8, 0) => Reading::Unsupported(Need::NoLimit),
        (8, 1) => Reading::Unsupported(Need::Mark),
        (8, 2) => Reading::Unsupported(Need::MarkedValue),
        _ => Reading::Unsupported(Need::Feature(Feature::Recording)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through<T: Cells>(value: &T) -> T {
        let mut texts = Interner::default();
        let mut cells = Vec::new();
        value.put(&mut Put { cells: &mut cells, texts: &mut texts });
        assert_eq!(cells.len(), T::WIDTH);
        let text = |number| Some(Text::new(texts.text(number)));
        T::take(&mut Take { cells: &cells, text: &text }).unwrap()
    }

    #[test]
    fn every_state_comes_back() {
        let features = [
            Feature::Psi,
            Feature::MemoryController,
            Feature::Line,
            Feature::Zfs,
            Feature::SlabInfo,
            Feature::Balloon,
            Feature::Covered,
            Feature::Limit,
            Feature::DevShm,
            Feature::Live,
            Feature::Unified,
            Feature::SysvIpc,
            Feature::Recording,
        ];
        let mut readings: Vec<Reading<u64>> =
            features.map(|feature| Reading::Unsupported(Need::Feature(feature))).into();
        readings.extend([
            Reading::Value(0),
            Reading::Value(u64::MAX),
            Reading::Stale(7, 1 << 50),
            Reading::Pending,
            Reading::Denied(Denial::Ptrace),
            Reading::Denied(Denial::Root),
            Reading::Gone,
            Reading::Unsupported(Need::Kernel(4, 14)),
            Reading::Unsupported(Need::NotApplicable),
        ]);
        for reading in readings {
            assert_eq!(through(&reading), reading);
        }
    }

    #[test]
    fn a_state_that_is_not_known_is_no_value() {
        for state in [9, 0xff, 6 | 99 << 8] {
            let taken = Reading::<u64>::take(&mut Take { cells: &[state, 5], text: &|_| None }).unwrap();
            assert_eq!(taken, Reading::Unsupported(Need::Feature(Feature::Recording)));
        }
    }

    #[test]
    fn numbers_of_either_sign_and_any_width_come_back() {
        assert_eq!(
            (through(&-3_i32), through(&i64::MIN), through(&u32::MAX), through(&-0.5_f32)),
            (-3, i64::MIN, u32::MAX, -0.5)
        );
        assert_eq!((through(&Some(3_u64)), through(&None::<u64>), through(&true)), (Some(3), None, true));
        assert!(through(&f32::NAN).is_nan());
    }

    #[test]
    fn a_cell_that_no_such_number_has_is_refused() {
        let taken = u8::take(&mut Take { cells: &[256], text: &|_| None });
        assert_eq!(taken, Err(Malformed));
        assert_eq!(Text::take(&mut Take { cells: &[4], text: &|_| None }), Err(Malformed));
        assert_eq!(CgroupVersion::take(&mut Take { cells: &[2], text: &|_| None }), Err(Malformed));
    }
}
