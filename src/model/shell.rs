//! Words for a shell, in commands that are shown to people.

/// A word that a POSIX shell takes literally, whatever is in it.
pub fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) && !word.starts_with('-') {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_every_word_literally() {
        assert_eq!(quote("nginx.service"), "nginx.service");
        assert_eq!(quote("dev-\\x2d.service"), "'dev-\\x2d.service'");
        assert_eq!(quote("a'; rm -rf /;'.service"), "'a'\\''; rm -rf /;'\\''.service'");
        assert_eq!(quote("$(id)"), "'$(id)'");
        assert_eq!(quote(""), "''");
    }
}
