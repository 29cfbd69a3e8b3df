//! Sentences broken into lines by display width.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthChar as _;

use super::line::columns;

/// Lines of at most `width` columns, broken at blanks and beside wide characters; a longer word stands alone and is cut
/// where it is drawn.
pub fn wrap(text: &str, width: u16) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        for (nth, part) in parts(word).into_iter().enumerate() {
            let blank = if nth == 0 && !line.is_empty() { " " } else { "" };
            if !line.is_empty() && columns(&line) + columns(blank) + columns(part) > width {
                lines.push(std::mem::take(&mut line));
            } else {
                line.push_str(blank);
            }
            line.push_str(part);
        }
    }
    lines.push(line);
    lines
}

/// What of a word may stand on a line of its own: Chinese and Japanese have no blanks and break between any two
/// characters, except before what closes and after what opens (a part of UAX #14).
fn parts(word: &str) -> Vec<&str> {
    const CLOSES: &str = "，。、；：？！）》」』】”’…%％,.;:?!)";
    const OPENS: &str = "（《「『【“‘(";
    let is_wide = |c: char| c.width() == Some(2);
    let mut parts = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (at, c) in word.char_indices() {
        let may_break = before.is_some_and(|b| (is_wide(b) || is_wide(c)) && !OPENS.contains(b)) && !CLOSES.contains(c);
        if may_break && c.width() != Some(0) {
            parts.push(&word[start..at]);
            start = at;
        }
        before = Some(c);
    }
    parts.push(&word[start..]);
    parts
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
    fn chinese_breaks_between_characters_but_no_line_begins_with_a_comma() {
        assert_eq!(wrap("内存在增长，没有泄漏。", 10), ["内存在增", "长，没有泄", "漏。"]);
        assert_eq!(wrap("进程 node[1234] 每分钟增长18M", 12), ["进程", "node[1234]", "每分钟增长", "18M"]);
        assert_eq!(wrap("按键（/）", 6), ["按键", "（/）"]);
    }

    #[test]
    fn a_long_word_is_broken_where_nothing_may_be_lost() {
        assert_eq!(wrap_hard("a /very/long/path b", 6), ["a", "/very/", "long/p", "ath", "b"]);
        assert_eq!(wrap_hard("数据库", 3), ["数", "据", "库"]);
        assert_eq!(wrap_hard("", 3), [""]);
    }
}
