//! The real program in a terminal.

use std::ffi::OsStr;

use super::pty::{Command, Terminal};

/// What stands in the last line while the list is shown.
pub const BAR: &str = "F1 help";

/// memtide with these arguments, whatever the settings of the person who runs the tests.
pub fn memtide<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    Command::new(env!("CARGO_BIN_EXE_memtide")).args(args).env("XDG_CONFIG_HOME", "/nonexistent")
}

/// Narrows the list to the processes with this word. It is typed: as an argument it would match memtide too.
pub fn narrow(terminal: &Terminal, word: &str) {
    terminal.wait_for_text(BAR);
    terminal.press("/");
    terminal.wait_for_text("filter:");
    terminal.type_text(word);
    terminal.wait_for_text(&format!("filter: {word}"));
    terminal.press("Enter");
    terminal.wait_for(&format!("only {word} in the list"), |screen| {
        let body = screen.body();
        screen.contains(BAR) && body.first().is_some_and(|line| line.contains(word) && !line.contains("no process"))
    });
}
