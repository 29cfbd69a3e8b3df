//! Keys: what a person who has just logged in presses, and what is on the screen then.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::BATCH;
use crate::memory::is_within;
use crate::pictures::{self, COLUMNS, ROWS};
use crate::server::Server;
use crate::support::pty::{PATIENCE, Terminal};
use crate::support::screen::Screen as Shown;
use crate::truth::Truth;

/// Waits until something holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// memtide on the server, in a terminal.
pub struct Screen {
    terminal: Terminal,
    pressed: Cell<usize>,
}

impl Screen {
    /// Starts it.
    pub fn start(server: &Server) -> Self {
        let terminal = server.terminal(&["memtide"]).env("COLORTERM", "truecolor").size(COLUMNS, ROWS).start();
        terminal.wait_for_text("node app.js");
        Self { terminal, pressed: Cell::new(0) }
    }

    fn press(&self, key: &str) {
        self.pressed.set(self.pressed.get() + 1);
        self.terminal.press(key);
    }

    /// Waits until the header, which is there without a key, tells both leaks of the application.
    pub fn wait_for_both_leaks(&self, pid: u64) {
        let is_told = |line: &String| line.contains(&format!("leak: node[{pid}] +")) && line.contains(" more ");
        self.terminal.wait_long_for("both leaks in the header", |screen| is_told(&screen.lines()[0]));
    }

    /// The name, the rates and both causes, by as few keys as a person presses who has never seen it.
    pub fn to_the_cause_in_ten_keys(&self, server: &Server, early: &Truth) {
        let pid = server.truth().pid;
        let before = self.pressed.get();
        self.press("V");
        let of = |quantity: &'static str| {
            move |line: &String| {
                line.starts_with(&format!(" node[{pid}] ")) && line.contains(quantity) && line.contains("leaking")
            }
        };
        let screen = self.terminal.wait_for("both leaks", |screen| {
            let lines = screen.lines();
            lines.iter().any(of(" fds "))
                && lines.iter().any(of(" memory "))
                && screen.contains("⠒⠒ measured")
                && screen.contains("┊")
        });
        pictures::take(
            "leaks",
            &screen,
            "memtide, leaks: descriptors and memory of a Node application, and their limits",
        );

        self.press("Enter");
        let screen = self.terminal.wait_for("the process", |screen| screen.cell("node app.js", "VERDICT").is_some());
        let told = screen.cell("node app.js", "+/MIN").and_then(|told| mebibytes(&told));
        let truth = server.truth().rate(early, |truth| truth.rss) / f64::from(1 << 20);
        assert!(told.is_some_and(|told| is_within(0.15, told, truth)), "{truth}M\n{}", screen.framed());
        pictures::take("processes", &screen, "memtide: a Node application that leaks, sorted by PSS");

        self.press("3");
        let least = server.truth().streams;
        let is_log = |line: &&String| line.contains("app.log") && line.contains(" file ");
        let count = |screen: &Shown| {
            let lines = screen.lines();
            lines.iter().find(is_log)?.split_whitespace().next()?.parse::<u64>().ok()
        };
        let screen = self.terminal.wait_for("the log, open so often", |screen| count(screen) >= Some(least));
        assert!(count(&screen) <= Some(server.truth().streams), "{}", screen.framed());
        pictures::take("descriptors", &screen, "memtide, descriptors of a process: one log, opened again and again");

        self.press("2");
        // How much of it is in RAM takes longer to read than one look may, where the machine is busy.
        self.terminal.wait_for("the heap, as large as the pool", |screen| {
            let line = screen.line_with("V8 heap").unwrap_or_default();
            let size = line.split_whitespace().nth(9).and_then(mebibytes);
            size.is_some_and(|size| is_within(0.25, size, (least * u64::from(BATCH) * 48) as f64 / 1024.0))
        });

        let pressed = self.pressed.get() - before;
        assert!(pressed <= 10, "{pressed} keys");
    }

    /// The views of the machine: where all memory is, and what limits the application.
    pub fn walks_through_the_views(&self, server: &Server) {
        self.press("Esc");
        self.terminal.wait_for_text("COMMAND");
        self.press("y");
        let screen = self.terminal.wait_for("RAM over time", |screen| {
            screen.contains("RAM, part by part") && screen.lines().iter().any(|line| line.ends_with(" now"))
        });
        pictures::take("system", &screen, "memtide, system: where every byte of the machine is");
        self.press("Esc");
        self.terminal.wait_for_text("COMMAND");
        self.press("c");
        self.terminal.wait_for_text("CGROUP");
        let Some(group) = server.group() else { return };
        self.terminal.press("/");
        self.terminal.type_text(group.name());
        self.terminal.press("Enter");
        self.terminal.wait_for("the group of the server with its limit", |screen| {
            let row = screen.line_with(&format!(" {}", group.name()));
            row.is_some_and(|row| row.contains("2.00G")) && screen.contains(" usage ")
        });
        self.press("Down");
        let screen = self.terminal.wait_for_text("limit 2.00G its own");
        pictures::take("cgroups", &screen, "memtide, control groups: the server's own group and its limit");
    }
}

/// What `+148M` or `1.2G` is in MiB.
fn mebibytes(told: &str) -> Option<f64> {
    let told = told.trim_start_matches(['+', '≥']);
    let number: f64 = told.get(..told.len().checked_sub(1)?)?.parse().ok()?;
    match told.chars().last()? {
        'G' => Some(number * 1024.0),
        'M' => Some(number),
        'K' => Some(number / 1024.0),
        _ => None,
    }
}
