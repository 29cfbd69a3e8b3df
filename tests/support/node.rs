//! Node.js servers with a heap that is known.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use memtide::act::effect::Target;
use memtide::collect::inspect::tcp::{read_socket_inodes, read_tcp};
use memtide::collect::parse::parse_stat;
use memtide::model::key::ProcessKey;

/// How long anything may take here before the test fails.
const LONGEST: Duration = Duration::from_mins(1);

/// A running server. Dropping it ends it.
pub struct Node {
    child: Child,
    /// Its port on the loopback.
    pub port: u16,
    /// Its pid.
    pub pid: u32,
    folder: PathBuf,
}

impl Node {
    /// One with so many `PooledRequest`, with options before the script, in a working directory.
    pub fn start(options: &[&str], count: u32, folder: &Path) -> Self {
        Self::start_with(Command::new("node").args(options), count, "", folder)
    }

    /// The same by a command to which the script is added.
    pub fn start_with(command: &mut Command, count: u32, more: &str, folder: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/known-heap.js");
        command.arg(script).arg(count.to_string()).arg(more).current_dir(folder).env_remove("NODE_OPTIONS");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("it did not start: {line}"));
        Self { pid: child.id(), child, port, folder: folder.to_owned() }
    }

    /// What it answers.
    pub fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }

    /// Makes it stand still in a call of its own until it is told to go on.
    pub fn stand_still(&self) -> TcpStream {
        rustix::fs::mkfifoat(rustix::fs::CWD, self.folder.join("go"), 0o600.into()).unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        write!(stream, "GET /wait HTTP/1.0\r\n\r\n").unwrap();
        // It says so by a file.
        self.wait_for("it stands still", || self.folder.join("waiting").exists());
        stream
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        std::fs::write(self.folder.join("go"), "").unwrap();
        std::fs::remove_file(self.folder.join("go")).unwrap();
        std::fs::remove_file(self.folder.join("waiting")).unwrap();
    }

    /// The ports on which it listens beside its own.
    pub fn other_ports(&self) -> Vec<u16> {
        let folder = std::fs::File::open(format!("/proc/{}", self.pid)).unwrap();
        let own = read_socket_inodes(folder.as_fd()).unwrap();
        let sockets = read_tcp(folder.as_fd(), |socket| socket.peer.is_none() && own.contains(&socket.inode)).unwrap();
        sockets.iter().map(|socket| socket.local.port()).filter(|port| *port != self.port).collect()
    }

    /// The process as memtide names it.
    pub fn target(&self) -> Target {
        let stat = std::fs::read(format!("/proc/{}/stat", self.pid)).unwrap();
        let start_time = parse_stat(&stat).unwrap().start_time;
        let key = ProcessKey { pid: self.pid, start_time };
        Target { key, uid: 0, user: "me".into(), command: "node known-heap.js".into() }
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Waits until something is true.
    pub fn wait_for(&self, what: &str, mut is_true: impl FnMut() -> bool) {
        let since = Instant::now();
        while !is_true() {
            assert!(since.elapsed() < LONGEST, "{} does not come to where {what}", self.pid);
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
