//! The line that begins a mapping in `maps` and `smaps` (proc_pid_maps(5)).

/// A decoded line: `start-end perms offset major:minor inode name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) permissions: [u8; 4],
    pub(super) offset: u64,
    /// Device of the file: major and minor.
    pub(super) device: (u32, u32),
    pub(super) inode: u64,
    /// As the kernel writes it: a newline of a path as `\012`, ` (deleted)` at the end of a file that has no name.
    pub(super) name: &'a [u8],
}

impl Header<'_> {
    pub(super) fn size(&self) -> u64 {
        self.end - self.start
    }

    /// Nothing may be done with it.
    pub(super) fn is_inaccessible(&self) -> bool {
        self.permissions[..3] == *b"---"
    }

    pub(super) fn is_executable(&self) -> bool {
        self.permissions[2] == b'x'
    }

    pub(super) fn is_shared(&self) -> bool {
        self.permissions[3] == b's'
    }
}

/// Whether a line of `smaps` begins a mapping: the others begin with a capital letter.
pub(super) fn is_header(line: &[u8]) -> bool {
    matches!(line.first(), Some(b'0'..=b'9' | b'a'..=b'f'))
}

/// Decodes the line; `None` for what the kernel does not write.
pub(super) fn parse_header(line: &[u8]) -> Option<Header<'_>> {
    let mut rest = line;
    let start = take_hex(&mut rest)?;
    rest = rest.strip_prefix(b"-")?;
    let end = take_hex(&mut rest)?;
    rest = rest.strip_prefix(b" ")?;
    let permissions: [u8; 4] = rest.get(..4)?.try_into().ok()?;
    rest = rest[4..].strip_prefix(b" ")?;
    let offset = take_hex(&mut rest)?;
    rest = rest.strip_prefix(b" ")?;
    let major = take_hex(&mut rest)?;
    rest = rest.strip_prefix(b":")?;
    let minor = take_hex(&mut rest)?;
    rest = rest.strip_prefix(b" ")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let inode = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    // Blanks up to column 73, and then the name, which may begin with a blank of its own only behind a slash.
    let name = rest[digits..].trim_ascii_start();
    (start < end).then_some(Header {
        start,
        end,
        permissions,
        offset,
        device: (u32::try_from(major).ok()?, u32::try_from(minor).ok()?),
        inode,
        name,
    })
}

/// Cuts the next hexadecimal number off; `None` where there is none, or one of more than 64 bits.
pub(super) fn take_hex(rest: &mut &[u8]) -> Option<u64> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digits == 0 || digits > 16 {
        return None;
    }
    let value = rest[..digits].iter().fold(0u64, |value, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            _ => (byte | 0x20) - b'a' + 10,
        };
        value << 4 | u64::from(digit)
    });
    *rest = &rest[digits..];
    Some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_of_maps_is_decoded_whole() {
        let line = b"7f2c8a000000-7f2c8a021000 rw-p 00012000 fe:1a 247749                     /tmp/a b (deleted)";
        let header = parse_header(line).unwrap();
        assert_eq!((header.start, header.size()), (0x7f2c_8a00_0000, 0x21000));
        assert_eq!((header.permissions, header.offset), (*b"rw-p", 0x12000));
        assert_eq!((header.device, header.inode), ((0xfe, 0x1a), 247_749));
        assert_eq!(header.name, b"/tmp/a b (deleted)");
        assert_eq!(parse_header(b"00400000-00401000 ---p 00000000 00:00 0 ").unwrap().name, b"");
    }

    #[test]
    fn the_last_page_of_the_address_space_is_a_mapping_too() {
        let line = b"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]";
        assert_eq!(parse_header(line).unwrap().end, 0xffff_ffff_ff60_1000);
    }

    #[test]
    fn what_no_kernel_writes_is_no_mapping() {
        for line in
            [&b""[..], b"Rss: 4 kB", b"1-0 rw-p 0 0:0 0", b"0-1 rw", b"0-1 rw-p 0 0:0 x", b"11112222333344445-9 "]
        {
            assert_eq!(parse_header(line), None, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = (parse_header(&bytes), is_header(&bytes));
        }

        #[test]
        fn any_name_is_found_again(start in 0u64..1 << 56, pages in 1u64..9999, name in "/[^\n]{0,40}") {
            let end = start + pages * 4096;
            let line = format!("{start:08x}-{end:08x} r-xs {pages:08x} 08:02 77      {name}");
            let header = parse_header(line.as_bytes()).unwrap();
            prop_assert_eq!((header.start, header.end, header.name), (start, end, name.as_bytes()));
            prop_assert!(is_header(line.as_bytes()) && header.is_shared() && header.is_executable());
        }
    }
}
