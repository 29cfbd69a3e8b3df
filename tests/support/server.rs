//! `memtide serve` running for a test, and a small HTTP client.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server. Dropping it kills it.
pub struct Server {
    child: Child,
    /// Where it says that it serves.
    pub address: String,
}

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, as they came.
    pub head: String,
    /// What it says.
    pub body: String,
}

impl Server {
    /// Serves on a port of the loopback that the kernel chooses.
    pub fn start(args: &[&str]) -> Self {
        Self::listen("127.0.0.1:0", args)
    }

    /// Serves at an address.
    pub fn listen(address: &str, args: &[&str]) -> Self {
        // Under nohup(1) tests ignore SIGHUP, and so would it.
        let mut command = Command::new("env");
        command.arg("--default-signal=HUP").arg(env!("CARGO_BIN_EXE_memtide"));
        command.args(["serve", "--interval", "1s", "--listen", address]).args(args);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("memtide: serving ").unwrap_or_else(|| panic!("it says: {line}")).into();
        // Who writes on must find a reader.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { child, address }
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The address for a socket.
    pub fn socket(&self) -> SocketAddr {
        self.address.strip_prefix("http://").unwrap().strip_suffix("/metrics").unwrap().parse().unwrap()
    }

    /// A connection to it.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Asks for a path, with more headers, each with its line end.
    pub fn get(&self, path: &str, headers: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.socket());
        say(self.connect(), request.as_bytes())
    }

    /// The metrics, once there are some.
    pub fn metrics(&self, headers: &str) -> Answer {
        let since = Instant::now();
        loop {
            let answer = self.get("/metrics", headers);
            if answer.status != 503 {
                return answer;
            }
            assert!(since.elapsed() < PATIENCE, "{}", answer.body);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The metrics, once something holds of them.
    pub fn metrics_once(&self, holds: impl Fn(&str) -> bool) -> String {
        let since = Instant::now();
        loop {
            let text = self.metrics("").body;
            if holds(&text) {
                return text;
            }
            assert!(since.elapsed() < PATIENCE, "{text}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request and reads the whole answer.
pub fn say(mut stream: impl Read + Write, request: &[u8]) -> Answer {
    // A server that refuses early closes before it has read everything.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// The value of the first sample whose line begins so.
pub fn value(text: &str, start: &str) -> Option<f64> {
    let line =
        text.lines().find(|line| line.strip_prefix(start).is_some_and(|rest| rest.starts_with([' ', '{', ','])))?;
    line.rsplit_once(' ')?.1.parse().ok()
}
