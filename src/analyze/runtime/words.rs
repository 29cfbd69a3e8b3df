//! Options on a command line, as words, and the sizes in them.

/// The value of the last word that begins with one of these names and an equals sign: later options override earlier
/// ones.
pub(super) fn last_of<'a>(words: &[&'a str], names: &[&str]) -> Option<&'a str> {
    words
        .iter()
        .rev()
        .find_map(|word| names.iter().find_map(|name| word.strip_prefix(name).and_then(|rest| rest.strip_prefix('='))))
}

/// The word after the last one of this name.
pub(super) fn after<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    let at = words.iter().rposition(|word| *word == name)?;
    words.get(at + 1).copied()
}

/// `512m`, `2G`, `100mb`, `512MiB`, `1048576`.
pub(super) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    number.checked_mul(1 << unit)
}

/// A share of a whole in percent.
pub(super) fn share(whole: u64, percent: f64) -> u64 {
    (whole as f64 * percent / 100.0) as u64
}

/// A number of percent, 0 to 100.
pub(super) fn percent(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_of_several_options_counts() {
        let words = ["-a=1", "-b=2", "-a=3"];
        assert_eq!(last_of(&words, &["-a"]), Some("3"));
        assert_eq!(last_of(&words, &["-c"]), None);
        assert_eq!(after(&["x", "-m", "64", "-m", "128"], "-m"), Some("128"));
        assert_eq!(after(&["x", "-m"], "-m"), None);
    }

    #[test]
    fn sizes_have_the_units_of_every_program() {
        assert_eq!(size("512m"), Some(512 << 20));
        assert_eq!(size("100mb"), Some(100 << 20));
        assert_eq!(size("1GiB"), Some(1 << 30));
        assert_eq!(size("4096"), Some(4096));
        assert_eq!(size("12 kB"), Some(12 << 10));
        assert_eq!((size(""), size("x"), size("5q"), size("99999999999999T")), (None, None, None, None));
    }

    proptest! {
        #[test]
        fn any_text_is_a_size_or_none(text in ".{0,30}") {
            size(&text);
            percent(&text);
        }
    }
}
