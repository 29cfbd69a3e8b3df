//! What a terminal sends for a key.

/// The bytes of a key: `F6`, `Enter`, `C-z` for control, `M-x` for alt, or the character itself.
pub fn bytes(key: &str) -> Vec<u8> {
    if let Some(rest) = key.strip_prefix("C-")
        && let [letter] = rest.as_bytes()
    {
        return vec![letter.to_ascii_uppercase() & 0x1f];
    }
    if let Some(rest) = key.strip_prefix("M-") {
        return [b"\x1b", bytes(rest).as_slice()].concat();
    }
    let sequence = match key {
        "Enter" => "\r",
        "Esc" => "\x1b",
        "Tab" => "\t",
        "BackTab" => "\x1b[Z",
        "Space" => " ",
        "Backspace" => "\x7f",
        "Delete" => "\x1b[3~",
        "Insert" => "\x1b[2~",
        "Up" => "\x1b[A",
        "Down" => "\x1b[B",
        "Right" => "\x1b[C",
        "Left" => "\x1b[D",
        "Home" => "\x1b[H",
        "End" => "\x1b[F",
        "PageUp" => "\x1b[5~",
        "PageDown" => "\x1b[6~",
        "F1" => "\x1bOP",
        "F2" => "\x1bOQ",
        "F3" => "\x1bOR",
        "F4" => "\x1bOS",
        "F5" => "\x1b[15~",
        "F6" => "\x1b[17~",
        "F7" => "\x1b[18~",
        "F8" => "\x1b[19~",
        "F9" => "\x1b[20~",
        "F10" => "\x1b[21~",
        "F11" => "\x1b[23~",
        "F12" => "\x1b[24~",
        character if character.chars().count() == 1 => character,
        unknown => panic!("no key is called {unknown}"),
    };
    sequence.as_bytes().to_vec()
}
