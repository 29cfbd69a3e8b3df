//! A real Prometheus with the configuration of `assets/`.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::server::{Answer, say};

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");

/// One that scrapes a server every second. Dropping it kills it.
pub struct Prometheus {
    child: Child,
    socket: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    /// Starts one with this target and waits until it is ready.
    pub fn scraping(target: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shipped = fs::read_to_string(format!("{ASSETS}/prometheus/prometheus.yml")).unwrap();
        let config = shipped.replace("127.0.0.1:9982", &target.to_string()).replace("15s", "1s");
        assert!(config.contains(&target.to_string()) && config.contains("_interval: 1s"), "{config}");
        fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        fs::copy(format!("{ASSETS}/prometheus/memtide-alerts.yml"), folder.path().join("memtide-alerts.yml")).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--web.listen-address={socket}"))
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut it = Self { child, socket, _folder: folder };
        while it.get("/-/ready").is_none_or(|answer| answer.status != 200) {
            assert!(it.child.try_wait().unwrap().is_none(), "Prometheus does not start");
            thread::sleep(Duration::from_millis(50));
        }
        it
    }

    /// What it answers; `None` while it does not listen.
    pub fn get(&self, path: &str) -> Option<Answer> {
        let stream = TcpStream::connect(self.socket).ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.socket);
        Some(say(stream, request.as_bytes()))
    }

    /// The same, as JSON.
    pub fn ask(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).unwrap().body).unwrap()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
