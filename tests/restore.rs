//! However memtide ends or is interrupted, the terminal is as it was before.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::path::Path;

use memtide::tui::terminal::Terminal as Face;
use rustix::process::{Pid, Signal, kill_process};
use support::live::{BAR, memtide};
use support::pty::{Command, Terminal};
use support::require;
use vt100::MouseProtocolMode;

fn started() -> Terminal {
    let terminal = memtide::<&str>([]).start();
    let screen = terminal.wait_for_text(BAR);
    let cells = screen.cells();
    assert!(cells.alternate_screen() && cells.hide_cursor() && cells.bracketed_paste());
    assert_ne!(cells.mouse_protocol_mode(), MouseProtocolMode::None);
    assert!(!terminal.left_behind().is_empty(), "the checks see what is changed while it runs");
    terminal
}

#[test]
fn keys_that_end_it_leave_nothing_behind() {
    for keys in ["q", "F10", "C-c", "k C-g q", "/ x C-c q", "F1 q q"] {
        let mut terminal = started();
        terminal.keys(keys);
        let status = terminal.wait_for_exit();
        assert!(status.success(), "{keys}: {status:?}");
        terminal.assert_restored();
        assert_eq!(terminal.screen().text().trim(), "", "{keys}: the screen of before is shown");
    }
}

#[test]
fn signals_that_end_it_leave_nothing_behind() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut terminal = started();
        terminal.signal(signal);
        let status = terminal.wait_for_exit();
        assert!(status.success(), "{signal:?}: {status:?}");
        terminal.assert_restored();
    }
}

#[test]
fn a_lost_terminal_ends_it() {
    let mut terminal = started();
    let pid = terminal.pid();
    terminal.hang_up();
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

const HELPER: &str = "MEMTIDE_TEST_PANIC";

/// What the next test runs in a terminal; by itself it does nothing.
#[test]
fn helper_that_panics_with_the_terminal_in_its_hands() {
    let Ok(how) = std::env::var(HELPER) else { return };
    let area = ratatui::layout::Rect::new(0, 0, 80, 24);
    let mut face = Face::take(true).unwrap();
    face.draw(area, |buf| buf.set_string(0, 0, "drawn by the helper", ratatui::style::Style::new())).unwrap();
    assert_ne!(how, "here", "it fell down here");
    std::thread::spawn(|| panic!("it fell down there")).join().unwrap_err();
    // Who draws on does not paint over what the thread had to say.
    let refused = face.draw(area, |_| {}).unwrap_err();
    std::io::Write::write_all(&mut std::io::stdout(), format!("\nrefused: {refused}\n").as_bytes()).unwrap();
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_is_reported() {
    for (how, said) in [("here", "it fell down here"), ("there", "it fell down there")] {
        let program = std::env::current_exe().unwrap();
        let args = ["--exact", "helper_that_panics_with_the_terminal_in_its_hands", "--nocapture"];
        let mut terminal =
            Command::new(program).args(args).env(HELPER, how).env("RUST_BACKTRACE", "0").size(100, 40).start();
        let status = terminal.wait_for_exit();
        assert_eq!(status.success(), how == "there", "{status:?}");
        terminal.assert_restored();
        let screen = terminal.screen();
        assert!(screen.contains(said), "{}", screen.framed());
        assert!(!screen.contains("drawn by the helper"), "{}", screen.framed());
        assert_eq!(screen.contains("refused: given back"), how == "there", "{}", screen.framed());
    }
}

/// An interactive bash with job control, and the modes of its terminal while it runs a program.
struct Shell {
    terminal: Terminal,
    folder: tempfile::TempDir,
    count: u32,
}

impl Shell {
    fn start() -> Self {
        let terminal = Command::new("bash")
            .args(["--norc", "--noprofile", "-i"])
            .env("PS1", "ready> ")
            .env("HISTFILE", "/dev/null")
            .env("XDG_CONFIG_HOME", "/nonexistent")
            .size(120, 30)
            .start();
        terminal.wait_for_text("ready>");
        Self { terminal, folder: tempfile::tempdir().unwrap(), count: 0 }
    }

    fn run(&self, line: &str) {
        self.terminal.type_text(line);
        self.terminal.press("Enter");
    }

    /// The line modes as stty(1) names them.
    fn modes(&mut self) -> String {
        self.count += 1;
        let file = self.folder.path().join(self.count.to_string());
        self.run(&format!("stty -g > {0}.new; mv {0}.new {0}", file.display()));
        let since = std::time::Instant::now();
        while !file.exists() {
            assert!(since.elapsed() < support::pty::PATIENCE, "{}", self.terminal.screen().framed());
            std::thread::yield_now();
        }
        fs::read_to_string(file).unwrap()
    }

    /// The terminal is the shell's own: nothing of memtide is left but the bracketed paste that bash itself wants.
    fn assert_own(&mut self, modes: &str) {
        let screen = self.terminal.wait_for("the screen of before", |screen| {
            let cells = screen.cells();
            !cells.alternate_screen() && !cells.hide_cursor()
        });
        assert_eq!(screen.cells().mouse_protocol_mode(), MouseProtocolMode::None);
        assert_eq!(self.modes(), modes);
    }
}

/// The process that another one started.
fn child_of(parent: u32) -> u32 {
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)) == Some(parent.to_string().as_str())
    };
    let entries = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    entries.into_iter().find(is_child).unwrap()
}

#[test]
fn ctrl_z_and_fg_in_a_shell() {
    if !require::has_programs(&["bash", "stty"]) {
        return;
    }
    let program = env!("CARGO_BIN_EXE_memtide");
    // Also where a script has started it: the whole job stops.
    for line in [program.to_owned(), format!("sh -c '{program}; true'")] {
        let mut shell = Shell::start();
        let modes = shell.modes();
        shell.run(&line);
        shell.terminal.wait_for_text(BAR);
        for _ in 0..2 {
            shell.terminal.press("C-z");
            shell.terminal.wait_for_text("Stopped");
            shell.assert_own(&modes);
            shell.run("clear; fg");
            shell.terminal.wait_for_text(BAR);
        }
        shell.terminal.press("M");
        shell.terminal.wait_for("sorted by RSS", |screen| screen.sorted_head().as_deref() == Some("RSS▼"));
        shell.terminal.press("q");
        shell.assert_own(&modes);
        shell.run("echo left with $?");
        shell.terminal.wait_for_text("left with 0");
    }
}

#[test]
fn stopped_from_outside_and_continued() {
    if !require::has_programs(&["bash", "stty"]) {
        return;
    }
    let mut shell = Shell::start();
    let modes = shell.modes();
    shell.run(env!("CARGO_BIN_EXE_memtide"));
    shell.terminal.wait_for_text(BAR);
    let pid = Pid::from_raw(child_of(shell.terminal.pid()).cast_signed()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    shell.terminal.wait_for_text("Stopped");
    shell.run("clear; fg");
    shell.terminal.wait_for_text(BAR);
    // A key is a key again, not the beginning of a line.
    shell.terminal.press("M");
    shell.terminal.wait_for("sorted by RSS", |screen| screen.sorted_head().as_deref() == Some("RSS▼"));
    shell.terminal.press("q");
    shell.assert_own(&modes);
}

#[test]
fn where_no_shell_could_continue_it_ctrl_z_does_not_stop_it() {
    let mut terminal = started();
    terminal.press("C-z");
    terminal.wait_for_text("no shell waits here");
    terminal.press("M");
    terminal.wait_for("sorted by RSS", |screen| screen.sorted_head().as_deref() == Some("RSS▼"));
    terminal.press("q");
    assert!(terminal.wait_for_exit().success());
    terminal.assert_restored();
}
