//! The wire form of Protocol Buffers (protobuf.dev/programming-guides/encoding): fields of numbers and bytes. It is small
//! enough to be read without a generator and its libraries.

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'b> {
    /// A varint, or a number of fixed width.
    Number(u64),
    /// A string, a message, or packed numbers.
    Bytes(&'b [u8]),
}

/// The fields of a message: number and value each, or nothing more where the bytes make no sense.
pub(super) struct Fields<'b> {
    bytes: &'b [u8],
    /// The bytes made no sense.
    pub(super) is_broken: bool,
}

impl<'b> Fields<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, is_broken: false }
    }

    fn field(&mut self) -> Option<(u64, Field<'b>)> {
        let tag = take_varint(&mut self.bytes)?;
        let value = match tag & 7 {
            0 => Field::Number(take_varint(&mut self.bytes)?),
            1 => Field::Number(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(take_varint(&mut self.bytes)?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Number(u64::from(u32::from_le_bytes(self.take(4)?.try_into().ok()?))),
            _ => return None,
        };
        Some((tag >> 3, value))
    }

    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = (u64, Field<'b>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() || self.is_broken {
            return None;
        }
        let field = self.field();
        self.is_broken = field.is_none();
        field
    }
}

/// A number of seven bits a byte, the lowest first.
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        // Of the tenth byte one bit is left.
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The numbers of a repeated field, packed or one by one.
pub(super) fn numbers(field: Field<'_>, into: &mut Vec<u64>) -> Option<()> {
    match field {
        Field::Number(number) => into.push(number),
        Field::Bytes(mut bytes) => {
            while !bytes.is_empty() {
                into.push(take_varint(&mut bytes)?);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_description_are_read() {
        let fields: Vec<_> = Fields::new(b"\x08\x96\x01\x12\x07testing\x1d\x01\0\0\0").collect();
        assert_eq!(fields, [(1, Field::Number(150)), (2, Field::Bytes(b"testing")), (3, Field::Number(1))]);
        let mut packed = Vec::new();
        numbers(Field::Bytes(b"\x03\x8e\x02\x9e\xa7\x05"), &mut packed).unwrap();
        assert_eq!(packed, [3, 270, 86942]);
        assert_eq!(take_varint(&mut &[0xff; 9][..]), None);
        assert_eq!(take_varint(&mut &b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"[..]), Some(u64::MAX));
    }

    #[test]
    fn what_ends_too_early_is_broken() {
        for bytes in [&b"\x08"[..], b"\x12\x07test", b"\x0b", b"\x09\x01"] {
            let mut fields = Fields::new(bytes);
            assert_eq!(fields.by_ref().count(), 0, "{bytes:?}");
            assert!(fields.is_broken);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_fields_or_broken(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut all = Vec::new();
            for (_, field) in Fields::new(&bytes) {
                let _ = numbers(field, &mut all);
            }
        }
    }
}
