//! Words for a shell, in commands that are shown to people.

/// A word that a POSIX shell takes literally, whatever is in it.
pub fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) && !word.starts_with('-') {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The words of a line as a POSIX shell takes them apart, without anything that it would put in their place; `None` where
/// a quote is not closed.
pub fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            ('\\', None | Some('"')) => word.get_or_insert_default().push(chars.next()?),
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_as_it_was_put_together() {
        for word in ["a", "a b", "it's", "", "$(id)", "back\\slash", "\"quoted\""] {
            let line = format!("first  {} last ", quote(word));
            assert_eq!(words(&line).unwrap(), ["first", word, "last"], "{line}");
        }
        assert_eq!(words(r#"a\ b "c \" d""#).unwrap(), ["a b", "c \" d"]);
        assert_eq!((words("  "), words("'a"), words("a\\")), (Some(Vec::new()), None, None));
    }

    #[test]
    fn a_shell_takes_every_word_literally() {
        assert_eq!(quote("nginx.service"), "nginx.service");
        assert_eq!(quote("dev-\\x2d.service"), "'dev-\\x2d.service'");
        assert_eq!(quote("a'; rm -rf /;'.service"), "'a'\\''; rm -rf /;'\\''.service'");
        assert_eq!(quote("$(id)"), "'$(id)'");
        assert_eq!(quote(""), "''");
    }
}
