//! Metrics: what a real Prometheus has stored is what memtide says, and what the application says.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::keys::wait_until;
use crate::load::Load;
use crate::server::Server;
use crate::support::prometheus::Prometheus;
use crate::support::require::has_programs;

/// `memtide serve` on the server, and who scrapes it. Both end when it is dropped.
pub struct Metrics {
    serve: Child,
    prometheus: Prometheus,
}

impl Metrics {
    /// Starts both; `None` where there is no Prometheus.
    pub fn start(server: &Server) -> Option<Self> {
        if !has_programs(&["prometheus"]) {
            return None;
        }
        let mut command = server.command(&["memtide", "serve", "--interval", "1s", "--listen", "127.0.0.1:0"]);
        let mut serve = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(serve.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let address =
            line.trim().strip_prefix("memtide: serving http://").and_then(|line| line.strip_suffix("/metrics"));
        let address = address.unwrap_or_else(|| panic!("it says: {line}")).parse().unwrap();
        // Who writes on must find a reader.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Some(Self { serve, prometheus: Prometheus::scraping(address) })
    }

    /// What leaks is known to Prometheus; while nothing grows, all three say the same.
    pub fn are_stored(&self, server: &Server, load: &Load) {
        // It is judged on its own: as long as the leaks go on.
        let name = format!("{{name=\"node[{}]\"}}", server.truth().pid);
        wait_until("both leaks are stored", || self.value("memtide_leaks").is_some_and(|leaks| leaks >= 2.0));
        assert!(self.value(&format!("min(memtide_finding_full_seconds{name})")).is_some_and(|left| left < 3600.0));
        load.set(0);
        let truth = server.truth();
        let pid = truth.pid.to_string();
        let shown = server.json(&["ps", "-o", "pid,fds,fd_limit", &format!("pid={pid}")]);
        let shown = &shown["processes"][0];
        let of_process = |name: &str| self.value(&format!("memtide_process_{name}{{pid=\"{pid}\"}}"));
        wait_until("Prometheus has the descriptors that memtide shows", || of_process("fds") == shown["fds"].as_f64());
        assert_eq!(of_process("fd_limit"), shown["fd_limit"].as_f64());
        // It has opened a few dozen others, to start.
        let others = of_process("fds").unwrap() - truth.streams as f64;
        assert!((5.0..60.0).contains(&others), "{others} beside the streams");
        load.set(crate::RATE);
    }

    /// The value that it answers a query with.
    fn value(&self, query: &str) -> Option<f64> {
        let mut path = "/api/v1/query?query=".to_owned();
        for byte in query.bytes() {
            write!(path, "%{byte:02x}").unwrap();
        }
        let answer = self.prometheus.ask(&path);
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.serve.kill();
        let _ = self.serve.wait();
    }
}
