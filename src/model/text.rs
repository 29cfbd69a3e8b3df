//! Bytes that a process chose itself (its name, its arguments, a cgroup's path) and their harmless form.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Hostile bytes as the kernel gave them. They reach a terminal or a file only through [`Text::escaped`].
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Text(Box<[u8]>);

impl Text {
    /// Keeps the bytes as they are.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes as the kernel gave them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Printable text: see [`escape`].
    pub fn escaped(&self) -> Cow<'_, str> {
        escape(&self.0)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.escaped())
    }
}

/// Makes bytes safe to show: control characters (C0, DEL, C1), bidirectional controls, zero-width characters
/// and bytes that are not UTF-8 become visible escapes (`\n`, `\x1b`, `\u{202e}`); all else stays.
pub fn escape(bytes: &[u8]) -> Cow<'_, str> {
    if bytes.iter().all(|byte| (0x20..0x7f).contains(byte))
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_escaped(&mut out, c);
        }
        for byte in chunk.invalid() {
            push_hex(&mut out, u32::from(*byte));
        }
    }
    Cow::Owned(out)
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\r' => out.push_str("\\r"),
        c if c.is_control() => push_hex(out, c as u32),
        c if is_invisible(c) => out.extend(c.escape_unicode()),
        c => out.push(c),
    }
}

fn push_hex(out: &mut String, code: u32) {
    use fmt::Write as _;
    // Writing into a String can't fail.
    let _ = write!(out, "\\x{code:02x}");
}

/// Zero-width, bidirectional and other format characters that change what is seen without being seen.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_borrowed_unchanged() {
        assert!(matches!(escape(b"node app.js"), Cow::Borrowed("node app.js")));
        assert_eq!(escape("数据库 é".as_bytes()), "数据库 é");
    }

    #[test]
    fn what_a_terminal_would_obey_is_made_visible() {
        assert_eq!(escape(b"a\x1b[2Jb\nc"), "a\\x1b[2Jb\\nc");
        assert_eq!(escape("x\u{9b}2J".as_bytes()), "x\\x9b2J");
        assert_eq!(escape("a\u{202e}b\u{200b}".as_bytes()), "a\\u{202e}b\\u{200b}");
        assert_eq!(escape(b"\x7f\xff"), "\\x7f\\xff");
    }
}
