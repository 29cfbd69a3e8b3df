//! A gzip file (RFC 1952) of one member, as Go writes a profile.

/// How it begins.
const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// Parts of the head that may follow its first ten bytes, by their bits.
const CHECKSUM: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// Whether the bytes are gzip's.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// What is in it, if that is no more than `most` bytes; `None` where it is damaged, cut, or longer.
pub fn unpack(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let flags = *bytes.get(3).filter(|_| is_gzip(bytes))?;
    let mut rest = bytes.get(10..)?;
    if flags & EXTRA != 0 {
        let (length, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for part in [NAME, COMMENT] {
        if flags & part != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & CHECKSUM != 0 {
        rest = rest.get(2..)?;
    }
    let unpacked = miniz_oxide::inflate::decompress_to_vec_with_limit(rest, most).ok()?;
    // The last four bytes are the length, as far as they hold it.
    let length = u32::from_le_bytes(*bytes.last_chunk::<4>()?);
    (unpacked.len() as u32 == length).then_some(unpacked)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `hello` without compression, in a file with this head.
    fn packed(flags: u8, more: &[u8]) -> Vec<u8> {
        let head = [MAGIC.as_slice(), &[flags, 0, 0, 0, 0, 0, 3], more].concat();
        let block = [&[1, 5, 0, 0xfa, 0xff][..], b"hello"].concat();
        [head, block, vec![0; 4], 5u32.to_le_bytes().to_vec()].concat()
    }

    #[test]
    fn every_form_of_head_is_passed_over() {
        for (flags, more) in
            [(0, &b""[..]), (NAME, b"heap\0"), (EXTRA | NAME | COMMENT | CHECKSUM, b"\x02\0xxheap\0it is\0cc")]
        {
            assert_eq!(unpack(&packed(flags, more), 5).as_deref(), Some(&b"hello"[..]), "{flags}");
        }
        assert_eq!(unpack(&packed(0, b""), 4), None);
        assert_eq!(unpack(&packed(NAME, b"heap"), 5), None);
        assert!(!is_gzip(b"hello") && is_gzip(&packed(0, b"")));
    }

    proptest! {
        #[test]
        fn any_bytes_are_unpacked_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&[MAGIC.as_slice(), &bytes].concat(), 1 << 20);
        }

        #[test]
        fn a_file_that_was_cut_is_refused(at in 0usize..27) {
            prop_assert_eq!(unpack(&packed(0, b"")[..at], 100), None);
        }
    }
}
