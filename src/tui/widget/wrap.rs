//! Sentences broken into lines by display width.

use unicode_segmentation::UnicodeSegmentation as _;

use super::line::columns;

/// Lines of at most `width` columns, broken at blanks; a longer word stands alone and is cut where it is drawn.
pub fn wrap(text: &str, width: u16) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && columns(&line) + 1 + columns(word) > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// The same, but a longer word is broken too: nothing is cut. A character wider than a line is left out.
pub fn wrap_hard(text: &str, width: u16) -> Vec<String> {
    let broken = |line: String| {
        let mut parts = vec![String::new()];
        for grapheme in line.graphemes(true) {
            let part = parts.last_mut().filter(|part| columns(part) + columns(grapheme) <= width);
            match part {
                Some(part) => part.push_str(grapheme),
                None if columns(grapheme) <= width => parts.push(grapheme.to_owned()),
                None => {}
            }
        }
        parts
    };
    wrap(text, width).into_iter().flat_map(broken).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks_and_lose_no_word() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable x", 4), ["unbreakable", "x"]);
    }

    #[test]
    fn a_long_word_is_broken_where_nothing_may_be_lost() {
        assert_eq!(wrap_hard("a /very/long/path b", 6), ["a", "/very/", "long/p", "ath", "b"]);
        assert_eq!(wrap_hard("数据库", 3), ["数", "据", "库"]);
        assert_eq!(wrap_hard("", 3), [""]);
    }
}
