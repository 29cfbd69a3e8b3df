//! The cure: a rule holds the application under its limit, whatever it leaks, and whoever keeps it starts it anew.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::load::Load;
use crate::server::Server;

const MIB: u64 = 1 << 20;

/// What the application may have.
const LIMIT: u64 = 400 * MIB;

/// How far beyond that it may get before it has ended, on a machine that is busy: what it leaks here in two seconds.
const BEYOND: u64 = 100 * MIB;

struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Under a load that leaks 50 MiB a second the application is ended ten times, and never gets far beyond its limit.
pub fn ten_restarts(server: &Server) {
    let rule = ["memtide", "guard", "--match", "command~^node", "--footprint-over", "400M", "--interval", "200ms"];
    let then = ["--then", "signal TERM+KILL 2s", "--cooldown", "0s", "--max-per-hour", "100", "--log", "guard.log"];
    let mut command = server.command(&[&rule[..], &then].concat());
    let _guard = Guard(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let _load = Load::start(server.port, "/?kib=512", 100);
    // The highest memory of each start of it, as it says itself.
    let mut highest: BTreeMap<u64, u64> = BTreeMap::new();
    let since = Instant::now();
    while highest.len() < 11 {
        if let Some(truth) = crate::truth::Truth::ask(server.port) {
            let most = highest.entry(truth.pid).or_default();
            *most = truth.rss.max(*most);
            assert!(*most < LIMIT + BEYOND, "{highest:?}");
        }
        assert!(since.elapsed() < Duration::from_mins(5), "{highest:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let log = fs::read_to_string(server.path("guard.log")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let fired: Vec<&Value> = lines.iter().filter(|line| line["event"] == "fired").collect();
    let ended: Vec<u64> = fired.iter().filter_map(|line| line["targets"][0]["pid"].as_u64()).collect();
    let asked: Vec<u64> = highest.keys().copied().take(10).collect();
    assert_eq!(ended[..10], asked, "each was ended once, by the guard: {log}");
    for line in fired {
        let value = line["tests"][0]["value"].as_f64().unwrap();
        assert!((LIMIT as f64..(LIMIT + BEYOND) as f64).contains(&value), "{line}");
    }
    assert!(!lines.iter().any(|line| line["ok"] == false), "{log}");
}
