//! The terminal that the end-to-end tests drive, checked against programs whose behaviour is known.

mod support;

use rustix::process::Signal;
use support::programs::Program;
use support::pty::Command;

fn shell(script: &str) -> Command {
    Command::new("/bin/sh").args(["-c", script])
}

#[test]
fn what_a_program_writes_is_on_the_screen_and_its_exit_status_is_known() {
    let mut terminal = shell("printf 'one\\r\\n  two'; exit 3").start();
    let screen = terminal.wait_for_text("two");
    assert_eq!(screen.lines()[..2], ["one", "  two"]);
    assert_eq!(screen.find("two"), Some((2, 1)));
    assert_eq!(terminal.wait_for_exit().exit_code(), 3);
    terminal.assert_restored();
}

#[test]
fn keys_reach_the_program() {
    let terminal = shell("read line; echo got $line").start();
    terminal.type_text("hello");
    terminal.press("Enter");
    terminal.wait_for_text("got hello");
}

#[test]
fn a_cursor_query_is_answered() {
    let terminal =
        shell("stty raw -echo; printf '\\033[3;5H\\033[6n'; dd bs=1 count=6 2>/dev/null | od -c; cat").start();
    terminal.wait_for_text("[   3   ;   5   R");
}

#[test]
fn the_middle_of_a_synchronized_update_is_not_seen() {
    let terminal =
        shell("echo before; printf '\\033[?2026h\\r\\033[Khalf'; read go; printf ' done\\033[?2026l'; cat").start();
    terminal.wait_for_text("before");
    terminal.wait_for_bytes(b"half");
    assert!(terminal.screen().contains("before") && !terminal.screen().contains("half"));
    terminal.press("Enter");
    terminal.wait_for_text("half");
    assert_eq!(terminal.updates(), 1);
}

#[test]
fn the_size_is_known_to_the_program_and_can_change() {
    let terminal = shell("trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done").size(100, 30).start();
    terminal.wait_for_text("30 100");
    terminal.resize(40, 10);
    terminal.wait_for_text("10 40");
}

#[test]
fn what_is_left_behind_is_named() {
    let mut terminal = shell("printf '\\033[?1049h\\033[?25l\\033[?1000h\\033[?2004h'; stty -icanon -echo").start();
    terminal.wait_for_exit();
    let left = terminal.left_behind();
    assert_eq!(left[..4], ["the alternate screen", "a hidden cursor", "mouse reports", "bracketed paste"]);
    assert!(left[4].starts_with("line modes"), "{left:?}");
}

#[test]
fn losing_the_terminal_hangs_the_program_up() {
    let mut terminal = shell("trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done").start();
    terminal.wait_for_text("up");
    let status = terminal.hang_up();
    assert!(status.signal().is_some_and(|signal| signal.contains("angup")), "{status:?}");
}

#[test]
fn signals_reach_the_program() {
    let mut terminal = shell("echo up; exec cat").start();
    terminal.wait_for_text("up");
    terminal.signal(Signal::TERM);
    assert!(terminal.wait_for_exit().signal().is_some_and(|signal| signal.contains("erminated")));
}

#[test]
fn the_children_do_what_they_are_for() {
    let rss = |program: &Program| {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", program.pid())).unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap()
    };
    let files = |program: &Program| std::fs::read_dir(format!("/proc/{}/fd", program.pid())).unwrap().count();
    let leaker = Program::leaker("harness-leaker", 256, 10);
    let opener = Program::file_leaker("harness-files", 2, 10);
    let (rss_before, files_before) = (rss(&leaker), files(&opener));
    while rss(&leaker) < rss_before + 512 || files(&opener) < files_before + 10 {
        std::thread::yield_now();
    }
    let pid = leaker.pid();
    drop(leaker);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}
