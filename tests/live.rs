//! The real program in a real terminal, watching and ending real processes.

#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::path::Path;

use memtide::units::Bytes;
use support::live::{BAR, memtide, narrow};
use support::programs::Program;
use support::pty::Terminal;
use support::require;

const TERM: i32 = 15;
const KILL: i32 = 9;

fn watch(word: &str, args: &[&str]) -> Terminal {
    let terminal = memtide(args).size(140, 30).start();
    narrow(&terminal, word);
    terminal
}

/// A line of `/proc/PID/smaps_rollup`, in bytes.
fn rollup(pid: u32, line: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let found = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'));
    found.unwrap().trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Whether a size as shown is this one. What is shared with others moves as they come and go: half a MiB may be missing
/// or be more.
fn is_about(shown: &str, bytes: u64) -> bool {
    [bytes.saturating_sub(1 << 19), bytes, bytes + (1 << 19)].iter().any(|bytes| Bytes(*bytes).to_string() == shown)
}

#[test]
fn figures_on_the_screen_are_the_kernels() {
    let holder = Program::holder("live-holder", 48 << 10);
    let opener = Program::opener("live-opener", 30);
    holder.freeze();
    opener.freeze();
    let pid = holder.pid();
    let terminal = watch("live-holder", &[]);
    let screen = terminal.wait_for("PSS of the holder", |screen| {
        screen.cell("live-holder", "PSS").is_some_and(|pss| is_about(&pss, rollup(pid, "Pss")))
    });
    let shown = |head| screen.cell("live-holder", head).unwrap();
    assert_eq!(shown("PID"), pid.to_string());
    assert!(is_about(&shown("USS"), rollup(pid, "Private_Dirty") + rollup(pid, "Private_Clean")), "{}", shown("USS"));
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(is_about(&shown("RSS"), pages * rustix::param::page_size() as u64), "{}", shown("RSS"));

    let terminal = watch("live-opener", &[]);
    let files = fs::read_dir(format!("/proc/{}/fd", opener.pid())).unwrap().count();
    assert!(files >= 33);
    terminal.wait_for(&format!("{files} files"), |screen| {
        screen.cell("live-opener", "FD").is_some_and(|fds| fds == files.to_string())
    });
}

#[test]
fn a_leak_is_seen_as_a_rising_line_and_a_rate() {
    let leaker = Program::leaker("live-leaker", 128, 50);
    let sleeper = Program::sleeper("live-leaker-not");
    let terminal = watch("live-leaker", &["--interval", "500ms"]);
    let screen = terminal.wait_for("a rate of the leak and none of the other", |screen| {
        let rate = screen.cell("live-leaker leak", "+/MIN");
        let other = screen.cell("live-leaker-not", "+/MIN");
        rate.is_some_and(|rate| rate.starts_with('+') && rate.ends_with('M')) && other.as_deref() == Some("0")
    });
    let line = screen.body().into_iter().find(|line| line.contains(&leaker.pid().to_string())).unwrap();
    let heights: Vec<char> = line.chars().filter(|c| ('▁'..='█').contains(c)).collect();
    assert!(heights.len() > 2 && heights.first() < heights.last(), "{line}");
    assert!(heights.is_sorted(), "{line}");
    let flat = screen.body().into_iter().find(|line| line.contains(&sleeper.pid().to_string())).unwrap();
    assert!(flat.contains('▁') && !flat.contains('█'), "{flat}");
}

#[test]
fn descriptors_that_are_never_closed_are_seen_to_grow() {
    let leaker = Program::file_leaker("live-files", 3, 100);
    let terminal = watch("live-files", &["--sort", "fds"]);
    let count = |screen: &support::screen::Screen| screen.cell("live-files", "FD")?.parse::<usize>().ok();
    let first = count(&terminal.wait_for("a count", |screen| count(screen).is_some())).unwrap();
    let screen = terminal.wait_for("a higher count", |screen| count(screen).is_some_and(|now| now > first + 6));
    let files = fs::read_dir(format!("/proc/{}/fd", leaker.pid())).unwrap().count();
    assert!(count(&screen).unwrap() <= files);
    assert_eq!(screen.sorted_head().as_deref(), Some("FD▼"));
}

#[test]
fn a_leak_is_seen_to_grow_then_called_one_with_its_limit_and_leads_to_its_process() {
    // Two and a half files a second; the machine that builds and tests all around it does not change that.
    let leaker = Program::limited_file_leaker("live-verdict", 1, 400, 1024);
    let pid = leaker.pid();
    let terminal = watch("live-verdict", &[]);
    let subject = format!("child[{pid}]");
    terminal.press("V");
    let screen = terminal.wait_for_text("LEAKS AND GROWTH");
    assert!(!screen.contains("leak: child"), "nothing is known yet\n{}", screen.framed());
    let line = |screen: &support::screen::Screen, verdict: &str| {
        let is_it = |line: &&String| line.contains(&subject) && line.contains("fds") && line.contains(verdict);
        // The header may tell it, too.
        screen.lines().iter().skip(1).find(is_it).cloned()
    };
    let screen = terminal.wait_long_for("growth", |screen| line(screen, "growing").is_some());
    assert!(line(&screen, "growing").is_some_and(|line| line.contains(" to tell")), "{}", screen.framed());
    // The most urgent leak of the machine is this one unless a neighbour is in greater need.
    terminal.wait_long_for("a leak", |screen| line(screen, "leaking").is_some());
    let is_chosen =
        |screen: &support::screen::Screen| screen.contains(&format!("{subject}, file descriptors: leaking"));
    let row_of = |screen: &support::screen::Screen| {
        let is_it = |line: &String| line.contains(&subject) && line.contains("fds") && line.contains("leaking");
        screen.lines().iter().skip(1).position(is_it).map(|row| row as u16 + 1)
    };
    // Ranks may change between the look and the click.
    for _ in 0..20 {
        if is_chosen(&terminal.screen()) {
            break;
        }
        if let Some(row) = row_of(&terminal.screen()) {
            terminal.click(3, row);
        }
        // Two clicks within 400 ms are a double click, which leads away.
        std::thread::sleep(std::time::Duration::from_millis(600));
    }
    let screen =
        terminal.wait_for("the limit ahead", |screen| screen.contains("─ fd limit ─") && screen.contains("ETA "));
    assert!(screen.lines()[0].contains("leak: "), "{}", screen.framed());
    let rate = line(&screen, "leaking").unwrap();
    let rate = rate.split_whitespace().find_map(|word| word.strip_prefix('+')?.parse::<f64>().ok()).unwrap();
    assert!((100.0..=200.0).contains(&rate), "{rate}\n{}", screen.framed());
    assert!(screen.contains("fd limit of 1024 met in "), "{}", screen.framed());
    terminal.press("k");
    terminal.wait_for_text(&format!("signal to {pid}"));
    terminal.press("Esc");
    terminal.wait_until_gone("signal to");
    terminal.press("Enter");
    let screen = terminal.wait_for("the list", |screen| screen.cell("live-verdict", "PID") == Some(pid.to_string()));
    assert!(screen.cell("live-verdict", "VERDICT").is_some_and(|verdict| verdict == "leaking"), "{}", screen.framed());
}

#[test]
fn before_anything_can_be_told_that_is_said() {
    let terminal = memtide::<&str>([]).start();
    terminal.wait_for_text(BAR);
    terminal.press("V");
    let screen = terminal.wait_for_text("LEAKS AND GROWTH");
    assert!(screen.contains("Too early to tell") && screen.contains("not known yet"), "{}", screen.framed());
    terminal.press("V");
    terminal.wait_for_text("COMMAND");
}

/// Presses the keys that lead to the question about a signal and gives the screen with it.
fn ask(terminal: &Terminal, keys: &str, question: &str) -> support::screen::Screen {
    terminal.press("k");
    terminal.wait_for_text("signal to");
    terminal.keys(keys);
    terminal.wait_for_text(question)
}

#[test]
fn a_process_is_ended_by_keys_and_the_log_tells_it() {
    let mut victim = Program::sleeper("live-victim");
    let mut bystander = Program::sleeper("live-bystander");
    let pid = victim.pid();
    let terminal = watch("live-victim", &[]);
    let screen = ask(&terminal, "Enter", &format!("send SIGTERM to process {pid}?"));
    assert!(screen.contains("live-victim") && screen.contains("started "), "{}", screen.framed());
    terminal.press("y");
    assert_eq!(victim.wait_for_signal(), Some(TERM));
    terminal.wait_for_text("SIGTERM sent, ended within");
    terminal.wait_for_text("no process matches");
    terminal.press("L");
    let screen = terminal.wait_for_text("ACTION LOG");
    assert!(screen.contains("SIGTERM to 1 process") && screen.contains(&pid.to_string()), "{}", screen.framed());
    terminal.press("E");
    terminal.wait_for("the dead among those who ended", |screen| {
        screen.lines().iter().any(|line| line.contains(" ago ") && line.contains("live-victim"))
    });
    assert!(bystander.is_running());
}

#[test]
fn no_is_no() {
    let mut victim = Program::sleeper("live-spared");
    let terminal = watch("live-spared", &[]);
    for answer in ["n", "Esc", "Enter"] {
        ask(&terminal, "Enter", "send SIGTERM");
        terminal.press(answer);
        terminal.wait_until_gone("send SIGTERM");
    }
    terminal.press("L");
    terminal.wait_for_text("nothing was done");
    assert!(victim.is_running());
}

#[test]
fn tagged_processes_are_ended_together() {
    let mut pair = [Program::sleeper("live-pair-a"), Program::sleeper("live-pair-b")];
    let terminal = watch("live-pair", &[]);
    terminal.press("A");
    terminal.wait_for_text("2 tagged");
    let screen = ask(&terminal, "Enter", "send SIGTERM to 2 processes?");
    assert!(screen.contains("live-pair-a") && screen.contains("live-pair-b"), "{}", screen.framed());
    terminal.press("y");
    for program in &mut pair {
        assert_eq!(program.wait_for_signal(), Some(TERM));
    }
    terminal.wait_for_text("no process matches");
}

#[test]
fn who_is_deaf_to_term_gets_kill_after_the_grace() {
    let mut deaf = Program::stubborn("live-deaf");
    let terminal = watch("live-deaf", &[]);
    ask(&terminal, "Down Enter", "gets SIGKILL");
    terminal.press("y");
    terminal.wait_for_text("SIGTERM sent, still there after");
    assert!(deaf.is_running());
    assert_eq!(deaf.wait_for_signal(), Some(KILL));
    terminal.wait_for_text("SIGKILL sent after 5 s, ended");
}

#[test]
fn who_ended_while_the_question_stood_is_not_hit() {
    let mut victim = Program::sleeper("live-gone");
    let terminal = watch("live-gone", &[]);
    ask(&terminal, "Enter", "send SIGTERM");
    victim.end();
    terminal.press("y");
    terminal.wait_for_text("has ended already: nothing was done");
}

#[test]
fn who_took_over_the_pid_while_the_question_stood_is_not_hit() {
    let last_pid = Path::new("/proc/sys/kernel/ns_last_pid");
    let may = fs::read_to_string(last_pid).is_ok_and(|pid| fs::write(last_pid, pid).is_ok());
    if !require::has(may, "the right to choose the next pid (/proc/sys/kernel/ns_last_pid)") {
        return;
    }
    let mut victim = Program::sleeper("live-reused");
    let pid = victim.pid();
    let terminal = watch("live-reused", &[]);
    ask(&terminal, "k i l l Enter", "send SIGKILL");
    victim.end();
    // Others start processes too: whoever gets the pid, it is not the one that was chosen.
    let mut others = Vec::new();
    while !Path::new(&format!("/proc/{pid}")).exists() {
        fs::write(last_pid, (pid - 1).to_string()).unwrap();
        others.push(Program::sleeper("live-heir"));
    }
    terminal.press("y");
    terminal.wait_for_text("its pid belongs to another process now: nothing was done");
    assert!(others.iter_mut().all(Program::is_running));
}

#[test]
fn caches_are_dropped_only_after_a_yes_and_only_by_root() {
    let terminal = memtide(["--sort", "rss"]).size(100, 30).start();
    terminal.wait_for_text(BAR);
    let ask = || {
        terminal.press("d");
        terminal.wait_for_text("dentries and inodes");
        terminal.keys("2 Enter");
        terminal.wait_for_text("vm.drop_caches=2")
    };
    let screen = ask();
    assert!(screen.contains("Frees nothing that a process allocated"), "{}", screen.framed());
    terminal.press("n");
    terminal.wait_until_gone("vm.drop_caches=2");
    terminal.press("L");
    terminal.wait_for_text("nothing was done");
    terminal.press("L");
    terminal.wait_until_gone("ACTION LOG");
    let screen = ask();
    let is_refused = screen.contains("Not permitted") || screen.contains("has no vm.drop_caches");
    let may = rustix::process::geteuid().is_root()
        && fs::OpenOptions::new().write(true).open("/proc/sys/vm/drop_caches").is_ok();
    assert_eq!(is_refused, !may, "{}", screen.framed());
    assert_eq!(screen.contains("sudo sh -c"), !may, "{}", screen.framed());
    terminal.press("y");
    if may {
        terminal.wait_for_text("drop_caches 2: ");
        terminal.press("L");
        let screen = terminal.wait_for_text("reclaimable slab");
        assert!(screen.contains("drop_caches 2: dentries and inodes"), "{}", screen.framed());
    } else {
        terminal.press("Esc");
        terminal.wait_until_gone("vm.drop_caches=2");
    }
}

#[test]
fn a_family_is_a_tree_and_a_group_with_one_sum() {
    let family = Program::family("live-family", 6);
    let terminal = watch("live-family", &[]);
    terminal.wait_for("seven of them", |screen| {
        screen.body().iter().filter(|line| line.contains("live-family")).count() == 7
    });
    terminal.press("t");
    let screen = terminal.wait_for_text("└─");
    let parent = screen.body().into_iter().next().unwrap();
    assert!(parent.contains(&family.pid().to_string()) && !parent.contains("─"), "{}", screen.framed());
    terminal.press("g");
    terminal.wait_for_text("group by");
    terminal.press("Enter");
    terminal.wait_for_text("[+] child (7)");
    terminal.press("Enter");
    terminal.wait_for("the members below it", |screen| screen.body().len() == 8);
}

#[test]
fn a_person_walks_back_in_time_to_who_was_there() {
    let mut guest = Program::sleeper("live-guest");
    let terminal = watch("live-guest", &["--interval", "250ms"]);
    let second = terminal.updates() + 4;
    while terminal.updates() < second {
        terminal.wait_for_output();
    }
    guest.end();
    terminal.wait_for_text("no process matches");
    terminal.press("[");
    terminal.wait_for_text("PAST");
    for _ in 0..40 {
        if terminal.screen().body().iter().any(|line| line.contains("live-guest")) {
            break;
        }
        terminal.press("[");
        terminal.wait_for_output();
    }
    terminal.wait_for("the guest in the past", |screen| screen.body().iter().any(|line| line.contains("live-guest")));
    terminal.press("k");
    terminal.wait_for_text("this is the past");
    terminal.press("l");
    terminal.wait_for_text("no process matches");
    terminal.wait_for_text("live 250ms");
}

#[test]
fn what_was_chosen_is_there_at_the_next_start() {
    let home = tempfile::tempdir().unwrap();
    let start = || memtide::<&str>([]).env("XDG_CONFIG_HOME", home.path()).size(100, 24).start();
    let mut terminal = start();
    terminal.wait_for_text(BAR);
    terminal.keys("M W");
    terminal.wait_for_text("saved to");
    assert!(fs::read_to_string(home.path().join("memtide/config.toml")).unwrap().contains("sort = \"rss\""));
    terminal.press("q");
    assert!(terminal.wait_for_exit().success());
    start().wait_for("sorted by RSS", |screen| screen.sorted_head().as_deref() == Some("RSS▼"));
}

#[test]
fn the_mouse_works_in_a_terminal() {
    let terminal = memtide::<&str>([]).size(120, 24).start();
    let screen = terminal.wait_for_text(BAR);
    let (column, row) = screen.find("RSS").unwrap();
    terminal.click(column, row);
    terminal.wait_for("sorted by RSS", |screen| screen.sorted_head().as_deref() == Some("RSS▼"));
    let (column, row) = terminal.screen().find("F1 help").unwrap();
    terminal.click(column + 1, row);
    terminal.wait_for_text("─ help ─");
    let without = memtide(["--mouse=false"]).start();
    without.wait_for_text(BAR);
    assert!(!String::from_utf8_lossy(&without.raw()).contains("\x1b[?1000h"));
    assert!(String::from_utf8_lossy(&terminal.raw()).contains("\x1b[?1000h"));
}

#[test]
fn where_there_is_nothing_to_read_it_says_so_and_can_be_left() {
    let mut terminal = memtide(["--root", "/nonexistent"]).start();
    let screen = terminal.wait_for_text("/nonexistent/proc: no process information here");
    assert!(screen.contains("mount it with `mount -t proc"), "{}", screen.framed());
    terminal.press("q");
    assert!(terminal.wait_for_exit().success());
    terminal.assert_restored();
}

#[test]
fn a_resize_storm_ends_in_a_whole_screen() {
    let mut terminal = memtide::<&str>([]).start();
    terminal.wait_for_text(BAR);
    for step in 0..60u16 {
        terminal.resize(30 + step * 37 % 190, 5 + step * 23 % 60);
        if step % 7 == 0 {
            terminal.press("Down");
        }
    }
    terminal.resize(40, 10);
    terminal.wait_for("a whole small screen", |screen| {
        let lines = screen.lines();
        lines.len() == 10 && lines[9].contains("q quit") && lines[1].starts_with(" Mem") && lines[2].contains("COMMAND")
    });
    terminal.resize(80, 24);
    terminal.wait_for("a whole screen", |screen| {
        let lines = screen.lines();
        lines[23].contains("q quit") && lines[1].starts_with(" Mem") && lines[4].contains("COMMAND")
    });
    terminal.resize(20, 5);
    terminal.wait_for_text("too small");
    terminal.resize(80, 24);
    terminal.wait_for_text(BAR);
    terminal.press("q");
    assert!(terminal.wait_for_exit().success());
    terminal.assert_restored();
}

#[test]
fn a_serial_console_that_does_not_know_its_size_is_served() {
    if !require::has_programs(&["stty"]) {
        return;
    }
    let script = format!("stty rows 0 cols 0; exec {} --config /dev/null", env!("CARGO_BIN_EXE_memtide"));
    let terminal = support::pty::Command::new("sh").args(["-c", &script]).env("TERM", "vt220").start();
    let screen = terminal.wait_for_text(BAR);
    assert!(screen.lines()[23].contains(BAR), "{}", screen.framed());
}

#[test]
fn keys_are_answered_while_thousands_of_short_lives_go_by() {
    let _burst = Program::burst("live-burst");
    let terminal = memtide(["--interval", "250ms"]).size(100, 24).start();
    terminal.wait_for_text(BAR);
    for (key, head) in [("M", "RSS▼"), ("N", "PID▲"), ("P", "PSS▼")] {
        terminal.press(key);
        terminal.wait_for(head, |screen| screen.sorted_head().as_deref() == Some(head));
    }
    terminal.press("E");
    terminal.wait_for_text("ENDED");
}

#[test]
fn a_process_of_another_user_is_refused_with_the_command_that_could() {
    let is_root = rustix::process::geteuid().is_root();
    if !require::has(is_root, "root, to run as another user") || !require::has_programs(&["setpriv"]) {
        return;
    }
    let mut other = Program::of_user("live-other", 12345);
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("memtide");
    support::copy::copy_program(env!("CARGO_BIN_EXE_memtide"), &program);
    for path in [folder.path(), &program] {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let terminal = support::pty::Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .args([&program])
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .size(120, 30)
        .start();
    let pid = other.pid();
    terminal.wait_for_text(BAR);
    terminal.press("/");
    terminal.type_text(&format!("pid={pid}"));
    terminal.press("Enter");
    terminal.wait_for("its line alone", |screen| {
        screen.body().first().is_some_and(|line| line.contains(&pid.to_string()) && line.contains("sleep 1000"))
    });
    // What can't be read is no zero, and the foot says why.
    let screen = terminal.wait_for_text("needs the process's own user");
    assert_eq!(screen.cell(&pid.to_string(), "PSS").as_deref(), Some("-"), "{}", screen.framed());
    let screen = ask(&terminal, "Enter", &format!("sudo kill -TERM {pid}"));
    assert!(screen.contains("Not permitted"), "{}", screen.framed());
    terminal.press("y");
    terminal.press("Esc");
    terminal.wait_until_gone("Not permitted");
    assert!(other.is_running());
}
