//! A line for the system's log: a datagram to `/dev/log`, which syslogd and the journal read (syslog(3), RFC 3164).

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Facility daemon, severity warning.
const PRIORITY: u8 = 3 << 3 | 4;

/// Where the log listens.
pub const SOCKET: &str = "/dev/log";

/// The most that a line holds: what is longer is cut.
const LONGEST: usize = 2048;

/// Sends a line. It is never waited for: a log that is full does not hold up a guard.
pub fn send(text: &str, socket: &Path) -> Result<(), String> {
    let now = jiff::Zoned::now().strftime("%b %e %H:%M:%S").to_string();
    let text: String = text.chars().take(LONGEST).collect();
    let line = format!("<{PRIORITY}>{now} memtide[{}]: {text}", std::process::id());
    let send = || -> io::Result<()> {
        let log = UnixDatagram::unbound()?;
        log.set_nonblocking(true)?;
        log.send_to(line.as_bytes(), socket).map(drop)
    };
    send().map_err(|error| format!("{}: {error}", socket.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_of_the_form_that_syslogd_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = UnixDatagram::bind(&path).unwrap();
        send("node: over", &path).unwrap();
        let mut buffer = [0; 4096];
        let length = log.recv(&mut buffer).unwrap();
        let line = std::str::from_utf8(&buffer[..length]).unwrap();
        let tail = format!(" memtide[{}]: node: over", std::process::id());
        assert!(line.starts_with("<28>") && line.ends_with(&tail), "{line}");
    }

    #[test]
    fn a_log_that_is_not_there_is_an_error_that_names_it() {
        assert!(send("x", Path::new("/nonexistent/log")).unwrap_err().starts_with("/nonexistent/log: "));
    }
}
