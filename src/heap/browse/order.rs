//! What sorts a list, and sorting.

use std::cmp::Reverse;

use crate::heap::error::{Result, room};

macro_rules! by {
    ($($name:ident = $key:literal,)*) => {
        /// What sorts a list. The names are those of the columns.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the columns have their help")]
        pub enum By { $($name,)* }

        impl By {
            /// What a column of this key sorts by; `None` where it sorts nothing.
            pub fn of_key(key: &str) -> Option<Self> {
                match key {
                    $($key => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

by! {
    Given = "given",
    Count = "count",
    Shallow = "shallow",
    Retained = "retained",
    Distance = "distance",
    Name = "name",
    Place = "place",
    Id = "id",
    New = "new",
    Deleted = "deleted",
    Delta = "delta",
    SizeDelta = "size_delta",
    RetainedDelta = "retained_delta",
}

/// An order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// What sorts it: as given where it has no such thing.
    pub by: By,
    /// The largest first.
    pub is_descending: bool,
}

/// What an entry is sorted by.
pub(super) enum Key<'a> {
    Number(i64),
    Text(&'a [u8]),
}

/// A number of bytes or things that can be compared with changes of them.
pub(super) fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// Entries in an order; equal ones as they were given.
pub(super) fn arranged<'a, T: Copy>(list: Vec<T>, sort: Sort, key: impl Fn(&T) -> Option<Key<'a>>) -> Result<Vec<T>> {
    let Some(first) = list.first().and_then(&key) else { return Ok(list) };
    if let Key::Number(_) = first {
        let number_of = |entry: &T| match key(entry) {
            Some(Key::Number(number)) => number,
            _ => 0,
        };
        return by_key(&list, sort.is_descending, number_of);
    }
    let text_of = |entry: &T| match key(entry) {
        Some(Key::Text(text)) => text,
        _ => &[],
    };
    by_key(&list, sort.is_descending, text_of)
}

fn by_key<T: Copy, K: Ord + Copy>(list: &[T], is_descending: bool, key: impl Fn(&T) -> K) -> Result<Vec<T>> {
    let mut keyed: Vec<(K, u32)> = room(list.len(), "an order")?;
    keyed.extend(list.iter().zip(0..).map(|(entry, place)| (key(entry), place)));
    if is_descending {
        keyed.sort_unstable_by_key(|(key, place)| (Reverse(*key), *place));
    } else {
        keyed.sort_unstable();
    }
    let mut sorted = room(list.len(), "an order")?;
    sorted.extend(keyed.iter().map(|(_, place)| list[*place as usize]));
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_both_ways_and_equal_ones_stay() {
        let list = vec![(2, "b"), (1, "a"), (2, "a")];
        let sort = |is_descending| Sort { by: By::Count, is_descending };
        let numbers = |down| arranged(list.clone(), sort(down), |entry| Some(Key::Number(entry.0))).unwrap();
        assert_eq!(numbers(true), [(2, "b"), (2, "a"), (1, "a")]);
        assert_eq!(numbers(false), [(1, "a"), (2, "b"), (2, "a")]);
        let texts = arranged(list.clone(), sort(false), |entry| Some(Key::Text(entry.1.as_bytes()))).unwrap();
        assert_eq!(texts, [(1, "a"), (2, "a"), (2, "b")]);
        assert_eq!(arranged(list.clone(), sort(true), |_| None).unwrap(), list);
        assert_eq!((By::of_key("retained_delta"), By::of_key("value")), (Some(By::RetainedDelta), None));
    }
}
