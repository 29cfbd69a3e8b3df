//! Over a real sshd on the loopback: where memtide is at home.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::live::BAR;
use support::pty::{Command, PATIENCE};
use support::require;

const SSHD: &str = "/usr/sbin/sshd";

/// An sshd of our own: own keys, own port on the loopback, in a folder that goes with it.
struct Server {
    daemon: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        for key in ["host", "user"] {
            let made = Process::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &path(key)]).status();
            assert!(made.unwrap().success());
        }
        if rustix::process::geteuid().is_root() {
            // sshd refuses to start as root without the folder that it locks itself into.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        // Free a moment ago; whoever takes it in between makes sshd, and the test, fail and not hang.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n",
            path("host"),
            path("user.pub")
        );
        fs::write(path("config"), config).unwrap();
        let mut daemon =
            Process::new(SSHD).args(["-D", "-e", "-f", &path("config")]).stdin(Stdio::null()).spawn().unwrap();
        let since = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(daemon.try_wait().unwrap().is_none(), "sshd did not start");
            assert!(since.elapsed() < PATIENCE, "sshd does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { daemon, port, folder }
    }

    /// A client in a terminal that runs memtide with these arguments on the other side.
    fn run(&self, args: &str) -> Command {
        let program = env!("CARGO_BIN_EXE_memtide");
        let nowhere = ["-F", "/dev/null", "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no"];
        Command::new("ssh")
            .args(["-tt", "-p", &self.port.to_string(), "-i"])
            .args([self.folder.path().join("user")])
            .args(nowhere)
            .args(["-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", "127.0.0.1"])
            .args([format!("LANG=C.UTF-8 XDG_CONFIG_HOME=/nonexistent XDG_STATE_HOME=/dev/null exec {program} {args}")])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// How many processes have this word in their command line.
fn count(word: &str) -> usize {
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let has_word = |pid: &String| {
        let line = fs::read(Path::new("/proc").join(pid).join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(word)
    };
    pids.filter(has_word).count()
}

#[test]
fn over_ssh_it_is_driven_and_left_and_a_lost_connection_ends_it() {
    if !require::has_programs(&[SSHD, "ssh", "ssh-keygen"]) {
        return;
    }
    let server = Server::start();
    let mut terminal = server.run("").size(100, 30).start();
    let screen = terminal.wait_for_text(BAR);
    assert!(screen.lines()[29].contains(BAR), "as large as the terminal here\n{}", screen.framed());
    terminal.press("M");
    terminal.wait_for("sorted by RSS", |screen| screen.sorted_head().as_deref() == Some("RSS▼"));
    terminal.resize(60, 15);
    terminal.wait_for("the new size", |screen| screen.lines()[14].contains("q quit"));
    // No shell on the other side could bring it back.
    terminal.press("C-z");
    terminal.wait_for_text("no shell waits here");
    terminal.press("q");
    assert!(terminal.wait_for_exit().success());
    terminal.assert_restored();

    let word = format!("no-process-is-called-this-{}", std::process::id());
    let terminal = server.run(&format!("--filter {word}")).start();
    terminal.wait_for_text("filter:");
    assert!(count(&word) >= 2, "the client and memtide");
    terminal.signal(Signal::KILL);
    let since = Instant::now();
    while count(&word) > 0 {
        assert!(since.elapsed() < PATIENCE, "{} left", count(&word));
        std::thread::sleep(Duration::from_millis(10));
    }
}
