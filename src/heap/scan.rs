//! Bytes of a snapshot in one pass: rows of integers, strings, and what is skipped. No tree of values is built: a
//! snapshot of some GB is two flat arrays of integers and one of strings.

use std::io::Read;

use super::error::{HeapError, Result};

/// Bytes that are asked for at a time.
const CHUNK: usize = 1 << 20;

/// The longest row of integers, in bytes: what is longer is no row.
const LONGEST_ROW: usize = 1 << 16;

/// Reads a stream of JSON from its beginning to its end.
pub(super) struct Scanner<R> {
    source: R,
    buffer: Vec<u8>,
    /// The next byte in the buffer, and the end of what is in it.
    at: usize,
    end: usize,
    /// Where in the stream the buffer begins.
    base: u64,
    /// What is being read, for the error that says so.
    pub(super) what: &'static str,
}

/// What became of a row.
enum Row {
    /// It is read; so many bytes long.
    Whole(usize),
    /// It goes on after the buffer.
    Cut,
    /// It is none, at this byte.
    Bad(usize),
    /// The array ends instead, after so many bytes.
    End(usize),
}

impl<R: Read> Scanner<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: vec![0; CHUNK], at: 0, end: 0, base: 0, what: "the header" }
    }

    /// Bytes of the stream that are behind.
    pub(super) fn position(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Reads on; false at the end of the stream. What is left in the buffer stays.
    fn fill(&mut self) -> Result<bool> {
        self.buffer.copy_within(self.at..self.end, 0);
        self.base += self.at as u64;
        self.end -= self.at;
        self.at = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() + CHUNK, 0);
        }
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(HeapError::Read { at: self.base + self.end as u64, source }),
            }
        }
    }

    fn truncated(&self) -> HeapError {
        HeapError::Truncated { at: self.base + self.end as u64, what: self.what }
    }

    fn malformed(&self, wanted: &'static str) -> HeapError {
        HeapError::Malformed { at: self.position(), wanted }
    }

    /// The next byte that is no white space, which stays; none at the end of the stream.
    pub(super) fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            while self.at < self.end {
                let byte = self.buffer[self.at];
                if !is_space(byte) {
                    return Ok(Some(byte));
                }
                self.at += 1;
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn need(&mut self) -> Result<u8> {
        self.peek()?.ok_or_else(|| self.truncated())
    }

    /// Takes this byte.
    pub(super) fn expect(&mut self, byte: u8, wanted: &'static str) -> Result<()> {
        if self.need()? != byte {
            return Err(self.malformed(wanted));
        }
        self.at += 1;
        Ok(())
    }

    /// Takes this byte if it is next.
    pub(super) fn take(&mut self, byte: u8) -> Result<bool> {
        let is_next = self.need()? == byte;
        self.at += usize::from(is_next);
        Ok(is_next)
    }

    /// The next row of an array of integers; false where the array ends, whose bracket is taken.
    #[inline]
    pub(super) fn row(&mut self, row: &mut [u64], is_first: bool) -> Result<bool> {
        loop {
            match parse_row(&self.buffer[self.at..self.end], row, is_first) {
                Row::Whole(length) => {
                    self.at += length;
                    return Ok(true);
                }
                Row::End(length) => {
                    self.at += length;
                    return Ok(false);
                }
                Row::Bad(length) => {
                    self.at += length;
                    return Err(self.malformed("an integer, a comma or the end of the array"));
                }
                Row::Cut if self.end - self.at > LONGEST_ROW => return Err(self.malformed("a row of integers")),
                Row::Cut => {
                    if !self.fill()? {
                        return Err(self.truncated());
                    }
                }
            }
        }
    }

    /// Appends a string as UTF-8: a lone surrogate is written as U+FFFD. Its opening quote is next.
    pub(super) fn string(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.expect(b'"', "a string")?;
        loop {
            let bytes = &self.buffer[self.at..self.end];
            let length = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(bytes.len());
            out.try_reserve(length).map_err(|_| HeapError::Memory { bytes: out.len() as u64, what: "strings" })?;
            out.extend_from_slice(&bytes[..length]);
            self.at += length;
            match self.byte()? {
                b'"' => return Ok(()),
                b'\\' => self.escape(out)?,
                _ => self.at -= 1,
            }
        }
    }

    /// The next byte, whatever it is, which is taken.
    fn byte(&mut self) -> Result<u8> {
        if self.at == self.end && !self.fill()? {
            return Err(self.truncated());
        }
        self.at += 1;
        Ok(self.buffer[self.at - 1])
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let plain = match self.byte()? {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(out),
            _ => return Err(self.malformed("an escape")),
        };
        out.push(plain);
        Ok(())
    }

    fn unicode(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let mut push = |code: u32| {
            let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        };
        let mut unit = self.hex()?;
        while (0xd800..0xdc00).contains(&unit) {
            while self.end - self.at < 6 && self.fill()? {}
            if !self.buffer[self.at..].starts_with(b"\\u") {
                break;
            }
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                push(0x1_0000 + ((unit - 0xd800) << 10) + (second - 0xdc00));
                return Ok(());
            }
            push(unit);
            unit = second;
        }
        push(unit);
        Ok(())
    }

    fn hex(&mut self) -> Result<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = char::from(self.byte()?).to_digit(16).ok_or_else(|| self.malformed("four hex digits"))?;
            code = code * 16 + digit;
        }
        Ok(code)
    }

    /// Passes a value of any kind, and keeps its text where it is wanted and no longer than `most`.
    pub(super) fn skip(&mut self, mut kept: Option<&mut Vec<u8>>, most: usize) -> Result<()> {
        self.need()?;
        let mut depth = 0_u64;
        let mut is_string = false;
        let mut is_escaped = false;
        loop {
            if self.at == self.end && !self.fill()? {
                // A number may end with the stream.
                return if depth == 0 && !is_string { Ok(()) } else { Err(self.truncated()) };
            }
            let byte = self.buffer[self.at];
            let mut is_end = false;
            if is_string {
                is_string = is_escaped || byte != b'"';
                is_escaped = !is_escaped && byte == b'\\';
                is_end = !is_string && depth == 0;
            } else {
                match byte {
                    b'"' => is_string = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' | b',' if depth == 0 => return Ok(()),
                    b'}' | b']' => {
                        depth -= 1;
                        is_end = depth == 0;
                    }
                    _ => {}
                }
            }
            self.at += 1;
            if let Some(kept) = kept.as_deref_mut() {
                kept.push(byte);
                if kept.len() > most {
                    return Err(self.malformed("a shorter header"));
                }
            }
            if is_end {
                return Ok(());
            }
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// A row of integers with the comma before it, unless it is the first of the array.
#[inline]
fn parse_row(bytes: &[u8], row: &mut [u64], is_first: bool) -> Row {
    let mut at = 0;
    for (place, value) in row.iter_mut().enumerate() {
        let Some(mut byte) = next(bytes, &mut at) else { return Row::Cut };
        let is_start = place == 0 && is_first;
        if !is_start && byte == b',' {
            at += 1;
            match next(bytes, &mut at) {
                Some(found) => byte = found,
                None => return Row::Cut,
            }
        } else if place == 0 && byte == b']' {
            return Row::End(at + 1);
        } else if !is_start {
            return Row::Bad(at);
        }
        if !byte.is_ascii_digit() {
            return Row::Bad(at);
        }
        if let Some((number, length)) = short_number(&bytes[at..]) {
            *value = number;
            at += length;
            continue;
        }
        let start = at;
        let mut number = 0_u64;
        loop {
            let Some(byte) = bytes.get(at) else { return Row::Cut };
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            at += 1;
        }
        // Nineteen digits may be too large for 64 bits.
        if at - start > 18 {
            return Row::Bad(start);
        }
        *value = number;
    }
    Row::Whole(at)
}

/// A number of one to seven digits and its length, eight bytes at a time instead of one: most numbers of a snapshot are
/// such, and half of all time goes into them.
#[inline]
fn short_number(bytes: &[u8]) -> Option<(u64, usize)> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(*bytes.first_chunk::<8>()?);
    // Digits become 0 to 9. What is no digit becomes more: with 0x76 added, or by itself, it has its upper bit set. A
    // carry goes to later bytes only, and the first one that is no digit is what is asked for.
    let values = word ^ (0x30 * EACH);
    let others = (values.wrapping_add(0x76 * EACH) | values) & (0x80 * EACH);
    let length = others.trailing_zeros() / 8;
    if length == 0 || length > 7 {
        return None;
    }
    // The digits to the end of the word, zeros before them; then pairs, fours, and all eight at once.
    let digits = values << (64 - 8 * length);
    let pairs = (digits.wrapping_mul(10).wrapping_add(digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100).wrapping_add(pairs >> 16)) & 0x0000_ffff_0000_ffff;
    let number = (fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) & 0xffff_ffff;
    Some((number, length as usize))
}

/// The next byte that is no white space, which stays.
#[inline]
fn next(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let byte = *bytes.get(*at)?;
        if byte > b' ' || !is_space(byte) {
            return Some(byte);
        }
        *at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that gives a byte at a time.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(1).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn rows(text: &str, width: usize) -> Result<Vec<Vec<u64>>> {
        let mut scanner = Scanner::new(Drip(text.as_bytes()));
        scanner.expect(b'[', "an array")?;
        let mut rows = Vec::new();
        let mut row = vec![0; width];
        while scanner.row(&mut row, rows.is_empty())? {
            rows.push(row.clone());
        }
        Ok(rows)
    }

    #[test]
    fn rows_are_read_across_the_edges_of_the_buffer() {
        assert_eq!(rows("[1,2\n,3,40]", 2).unwrap(), [[1, 2], [3, 40]]);
        assert_eq!(rows("[ 1 , 2 ]", 1).unwrap(), [[1], [2]]);
        assert!(rows("[]", 3).unwrap().is_empty());
        assert_eq!(rows("[123456789012345678]", 1).unwrap(), [[123_456_789_012_345_678]]);
    }

    #[test]
    fn numbers_of_every_length_are_read_whatever_follows() {
        let mut number = 0_u64;
        for length in 1..=7 {
            number = number * 10 + length;
            for end in [",", "]", "\n", " ", ":", "/", "\u{7f}", "é"] {
                let text = format!("{number}{end}123456789");
                assert_eq!(short_number(text.as_bytes()), Some((number, length as usize)), "{text}");
            }
        }
        assert_eq!(short_number(b"9999999,"), Some((9_999_999, 7)));
        assert_eq!(short_number(b"0000010,"), Some((10, 7)));
        for other in ["12345678,", "1,", ",1234567", "x2345678"] {
            assert_eq!(short_number(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_row_says_where() {
        for (text, at) in [("[1,,2]", 3), ("[1 2]", 3), ("[-1]", 1), ("[1,x]", 3), ("[1234567890123456789]", 1)] {
            let error = rows(text, 1).unwrap_err();
            assert!(matches!(error, HeapError::Malformed { at: found, .. } if found == at), "{text}: {error}");
        }
        assert!(matches!(rows("[1,2,3]", 2), Err(HeapError::Malformed { at: 6, .. })));
        assert!(matches!(rows("[1,", 1), Err(HeapError::Truncated { at: 3, .. })));
        assert!(matches!(rows("[1,2", 2), Err(HeapError::Truncated { at: 4, .. })));
        let long = format!("[1{}", " ".repeat(LONGEST_ROW * 2));
        assert!(matches!(Scanner::new(&long.as_bytes()[1..]).row(&mut [0; 2], true), Err(HeapError::Malformed { .. })));
    }

    #[test]
    fn strings_become_utf8() {
        let text = |json: &str| {
            let mut out = Vec::new();
            Scanner::new(Drip(json.as_bytes())).string(&mut out).map(|()| String::from_utf8(out).unwrap())
        };
        assert_eq!(text(r#""a\n\"\\\/b""#).unwrap(), "a\n\"\\/b");
        assert_eq!(
            text(r#""\u6570 \ud83d\ude00 \ud83d x \ud83d\ud83d\ude00""#).unwrap(),
            "数 😀 \u{fffd} x \u{fffd}😀"
        );
        assert_eq!(text("\"数据\"").unwrap(), "数据");
        assert_eq!(text(r#""\ud83d""#).unwrap(), "\u{fffd}");
        for bad in ["\"abc", "\"\\", "\"\\u12", "\"\\ud83d"] {
            assert!(matches!(text(bad), Err(HeapError::Truncated { .. })), "{bad}");
        }
        for bad in ["abc", r#""\x""#, r#""\u12g4""#] {
            assert!(matches!(text(bad), Err(HeapError::Malformed { .. })), "{bad}");
        }
    }

    #[test]
    fn values_are_passed_whatever_they_hold() {
        for value in ["[1,[2,[]],{\"a]\":\"}\\\"\"}]", "\"a,\\\\\"", "12", "{}", "null"] {
            let text = format!("{value} ,7");
            let mut scanner = Scanner::new(Drip(text.as_bytes()));
            let mut kept = Vec::new();
            scanner.skip(Some(&mut kept), 100).unwrap();
            assert_eq!(String::from_utf8(kept).unwrap().trim_end(), value);
            assert!(scanner.take(b',').unwrap(), "{value}");
        }
        assert!(matches!(Scanner::new(Drip(b"[[1]")).skip(None, 0), Err(HeapError::Truncated { at: 4, .. })));
    }
}
