//! Words in lines that a person can read, whatever the terminal's width.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

/// Lines are no longer than this, however wide the terminal is.
const WIDEST: usize = 100;

/// Lines are no shorter than this, however narrow it is.
const NARROWEST: usize = 40;

/// The width of lines of text on a terminal of so many columns, if it is one.
pub(super) fn clamp(width: Option<usize>) -> usize {
    width.unwrap_or(WIDEST).clamp(NARROWEST, WIDEST)
}

/// Writes words in lines of at most `width` columns.
pub(super) fn wrap(out: &mut dyn Write, text: &str, lead: &str, indent: &str, width: usize) -> io::Result<()> {
    let mut line = lead.to_owned();
    let mut is_empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !is_empty && line.width() + 1 + word.width() > width {
            writeln!(out, "{line}")?;
            line.clear();
            line.push_str(indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    writeln!(out, "{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_by_display_width_and_never_cut() {
        let mut out = Vec::new();
        wrap(&mut out, "数据库 leaks averyveryverylongword on", "- ", "  ", 14).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "- 数据库 leaks\n  averyveryverylongword\n  on\n");
    }
}
