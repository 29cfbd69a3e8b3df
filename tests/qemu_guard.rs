//! `memtide guard` under a real systemd, on control groups of v2 with swap, and while the clock is moved: in a machine of
//! its own with Debian's kernel (`tests/qemu/guard.sh`).
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::programs::child_program;
use support::qemu::{Guest, Parts};
use support::require::has_programs;

const MIB: u64 = 1 << 20;

const RULES: &str = "interval = '1s'\n[[rule]]\nname = 'leaky'\nmatch = 'name=leaky'\nwhen = 'footprint > 40M'\n\
                     then = ['notify syslog', 'restart unit']\ncooldown = '1h'\n";

/// Where systemd's units are on Debian.
const UNITS: &str = "/lib/systemd/system";

/// A guest whose first process is systemd, with the unit of `assets/` as its own words say to take it.
fn guest() -> Option<Guest> {
    let programs = ["/lib/systemd/systemd", "/lib/systemd/systemd-journald", "/bin/systemctl", "/bin/journalctl"];
    if !has_programs(&programs) {
        return None;
    }
    let guest = Guest::running("systemd.sh")?;
    for program in programs {
        guest.copy_program(program, program);
    }
    for name in ["leaky", "hungry", "runaway", "clock", "on", "back"] {
        guest.copy(child_program(), &format!("bin/{name}"));
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    for unit in ["default.target", "guest.service", "leaky.service", "hungry.service"] {
        guest.copy(&own.join("tests/qemu/units").join(unit), &format!("etc/systemd/system/{unit}"));
    }
    for unit in ["systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket"] {
        guest.copy(&Path::new(UNITS).join(unit), &format!("{UNITS}/{unit}"));
    }
    for script in ["guard.sh", "race.sh"] {
        let to = if script == "guard.sh" { "guest.sh" } else { script };
        guest.copy(&own.join("tests/qemu").join(script), to);
    }
    let write = |path: &str, text: &str| {
        let path = guest.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    guest.copy(&own.join("assets/systemd/memtide-guard.service"), "etc/systemd/system/memtide-guard.service");
    let confined = fs::read_to_string(own.join("tests/qemu/units/test.conf")).unwrap();
    write("etc/systemd/system/memtide-guard.service.d/test.conf", &confined);
    write("etc/memtide/rules.toml", RULES);
    // Where the unit and the scripts look for it.
    for link in ["usr/local/bin/memtide", "bin/memtide"] {
        fs::create_dir_all(guest.root().join(link).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/memtide", guest.root().join(link)).unwrap();
    }
    Some(guest)
}

#[test]
fn services_are_started_anew_slowed_down_and_killed_in_time_whatever_the_clock_says() {
    let Some(guest) = guest() else { return };
    let parts = guest.boot();
    the_unit_that_is_shipped_starts_a_service_anew(&parts);
    who_hangs_is_started_anew_and_remembers(&parts);
    memory_high_is_lowered(&parts);
    no_clock_moves_a_rule(&parts);
    race(&parts);
}

/// The rest of the line that begins with a word.
fn line<'a>(parts: &'a Parts, part: &str, word: &str) -> &'a str {
    let text = parts.get(part);
    let found = text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("{part} has no {word}: {text}")).trim()
}

fn number(parts: &Parts, part: &str, word: &str) -> u64 {
    line(parts, part, word).parse().unwrap_or_else(|_| panic!("{part}: {word}: {}", parts.get(part)))
}

fn the_unit_that_is_shipped_starts_a_service_anew(parts: &Parts) {
    let (first, second) = (number(parts, "unit", "first"), number(parts, "unit", "second"));
    assert!(first > 0 && second > 0 && first != second, "{}", parts.get("unit"));
    assert_eq!((line(parts, "unit", "leaky"), line(parts, "unit", "adj")), ("active", "-900"));
    // All that it has is locked: mlockall is permitted to it.
    assert!(parts.bytes("locked", "VmLck") >= parts.bytes("locked", "VmRSS") / 2, "{}", parts.get("locked"));
    let journal = parts.get("journal");
    for part in [
        "1 rule is kept",
        &format!("leaky: leaky[{first}]: footprint "),
        "leaky: notify syslog: told to the log",
        "leaky: restart unit: `systemctl restart leaky.service`: done",
    ] {
        assert!(journal.contains(part), "{part}: {journal}");
    }
}

fn who_hangs_is_started_anew_and_remembers(parts: &Parts) {
    assert_eq!(number(parts, "watchdog", "restarts"), 1);
    assert_ne!(number(parts, "watchdog", "again"), number(parts, "unit", "guard"));
    assert_eq!(line(parts, "watchdog", "cooling"), "yes", "the cooldown outlived it");
    assert_eq!(parts.get("journal").matches("systemctl restart").count(), 1, "{}", parts.get("journal"));
}

fn memory_high_is_lowered(parts: &Parts) {
    assert_eq!(number(parts, "high", "high"), 16 * MIB);
    assert!(number(parts, "high", "current") <= 16 * MIB, "{}", parts.get("high"));
    assert!(number(parts, "high", "swap.current") >= 20 * MIB, "{}", parts.get("high"));
    assert_eq!((line(parts, "high", "alive"), line(parts, "high", "adj")), ("active", "500"));
    assert!(line(parts, "high", "events").contains("oom_kill 0"), "{}", parts.get("high"));
    let said = parts.get("high said");
    for part in ["memory.high 16M (was max)", "drop-caches 1: drop_caches 1: ", "oom_score_adj 500 (was 0)"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

fn no_clock_moves_a_rule(parts: &Parts) {
    let lines: Vec<Value> = parts.get("clock").lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let fired = |rule: &str| lines.iter().filter(|line| line["event"] == "fired" && line["rule"] == rule).count();
    let count = |rules: [&str; 3]| rules.map(fired);
    assert_eq!(count(["cooling", "waiting", "often"]), [1, 0, 2], "{}", parts.get("clock"));
    let subjects = |line: &&Value| line["event"] == "fired" && line["rule"] == "soon";
    let soon: Vec<&Value> = lines.iter().filter(subjects).collect();
    let of = |name: &str| soon.iter().find(|line| line["subject"] == name).unwrap_or_else(|| panic!("{soon:?}"));
    // It held for a second of time that passed, and not of what the clock said.
    for name in ["on", "back"] {
        assert!((1_000..60_000).contains(&of(name)["held_ms"].as_u64().unwrap()), "{}", of(name));
    }
    let hours = (of("on")["time_ms"].as_i64().unwrap() - of("back")["time_ms"].as_i64().unwrap()) / 3_600_000;
    assert!((90..=96).contains(&hours), "the clock was moved: {hours}");
}

/// Whoever allocates without end in a group is ended by the rule, with swap to fill first, before the kernel has to. For the
/// whole machine it is a question of speed, which `benches/guard.py swap` asks.
fn race(parts: &Parts) {
    let race = parts.get("race memtide group");
    assert!(race.starts_with("3 of 3\n"), "{race}");
}
