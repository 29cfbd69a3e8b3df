//! Texts by number: command lines, names and paths are written once a group and called by their number after that.

use std::collections::HashMap;
use std::sync::Arc;

use super::varint::{Cursor, Malformed, put};
use crate::model::text::Text;

/// The texts of one group, as its writer knows them. Zero is the empty text.
#[derive(Default)]
pub(super) struct Interner {
    numbers: HashMap<Arc<[u8]>, u32>,
    texts: Vec<Arc<[u8]>>,
    bytes: usize,
}

impl Interner {
    /// The number of a text.
    pub(super) fn number(&mut self, text: &[u8]) -> u64 {
        if text.is_empty() {
            return 0;
        }
        if let Some(number) = self.numbers.get(text) {
            return u64::from(*number);
        }
        let text: Arc<[u8]> = text.into();
        self.bytes += text.len();
        self.texts.push(Arc::clone(&text));
        let number = self.texts.len() as u32;
        self.numbers.insert(text, number);
        u64::from(number)
    }

    /// The text of a number that it gave.
    pub(super) fn text(&self, number: u64) -> &[u8] {
        usize::try_from(number)
            .ok()
            .and_then(|number| number.checked_sub(1))
            .and_then(|place| self.texts.get(place))
            .map_or(&[], |text| text)
    }

    /// Bytes of all texts.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Appends the texts of these numbers, which ascend.
pub(super) fn encode(out: &mut Vec<u8>, numbers: &[u64], texts: &Interner) {
    put(out, numbers.len() as u64);
    let mut before = 0;
    for number in numbers {
        put(out, number - before);
        before = *number;
    }
    for number in numbers {
        put(out, texts.text(*number).len() as u64);
    }
    for number in numbers {
        out.extend_from_slice(texts.text(*number));
    }
}

/// Texts as a block holds them, by number.
#[derive(Debug, Default)]
pub(super) struct Held(Vec<(u64, Text)>);

impl Held {
    pub(super) fn decode(cursor: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let count = cursor.count()?;
        let mut numbers = Vec::with_capacity(count);
        let mut number: u64 = 0;
        for _ in 0..count {
            let step = cursor.number()?;
            number = number.checked_add(step).filter(|_| step > 0).ok_or(Malformed)?;
            numbers.push(number);
        }
        let lengths = (0..count).map(|_| cursor.number()).collect::<Result<Vec<_>, _>>()?;
        let mut texts = Vec::with_capacity(count);
        for (number, length) in numbers.into_iter().zip(lengths) {
            let bytes = cursor.take(usize::try_from(length).map_err(|_| Malformed)?)?;
            texts.push((number, Text::new(bytes)));
        }
        Ok(Self(texts))
    }

    /// The text of a number, if this block holds it.
    pub(super) fn get(&self, number: u64) -> Option<&Text> {
        let place = self.0.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.0.get(place).map(|(_, text)| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_number_and_the_empty_one_has_zero() {
        let mut texts = Interner::default();
        let [node, empty, nginx, again] = [&b"node"[..], b"", b"nginx", b"node"].map(|text| texts.number(text));
        assert_eq!((node, empty, nginx, again), (1, 0, 2, 1));
        assert_eq!(
            (texts.text(2), texts.text(0), texts.text(9), texts.bytes()),
            (&b"nginx"[..], &b""[..], &b""[..], 9)
        );
    }

    #[test]
    fn texts_come_back_by_their_numbers() {
        let mut texts = Interner::default();
        for text in ["a", "bb", "\u{1b}[2J", "dddd"] {
            texts.number(text.as_bytes());
        }
        let mut bytes = Vec::new();
        encode(&mut bytes, &[2, 3], &texts);
        let held = Held::decode(&mut Cursor::new(&bytes)).unwrap();
        assert_eq!((held.get(2), held.get(3)), (Some(&"bb".into()), Some(&"\u{1b}[2J".into())));
        assert_eq!((held.get(1), held.get(4)), (None, None));
    }

    #[test]
    fn lengths_and_numbers_that_can_not_be_are_refused() {
        for bytes in [&[9, 1][..], &[1, 0, 0], &[1, 1, 200, 1, b'a'], &[2, 1, 1, 1, 1, b'a']] {
            assert!(Held::decode(&mut Cursor::new(bytes)).is_err(), "{bytes:?}");
        }
    }
}
