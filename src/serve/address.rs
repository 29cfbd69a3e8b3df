//! Where to listen: an address of this machine, or a socket in the file system.

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::Mode;
use tokio::net::{TcpListener, UnixListener};

/// The port unless another is said.
const PORT: u16 = 9982;

/// An address as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `127.0.0.1:9982`, `[::1]:9982`, or a port alone on the loopback.
    Tcp(SocketAddr),
    /// `unix:/run/memtide/metrics.sock`.
    Unix(PathBuf),
}

impl Default for Address {
    fn default() -> Self {
        Self::Tcp(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT))
    }
}

impl Address {
    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for Address {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            if !path.starts_with('/') {
                return Err(format!("`{path}` is no full path: write unix:/run/memtide/metrics.sock"));
            }
            return Ok(Self::Unix(path.into()));
        }
        if let Ok(port) = text.parse() {
            return Ok(Self::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)));
        }
        text.parse()
            .map(Self::Tcp)
            .map_err(|_| format!("`{text}` is no address: write 127.0.0.1:{PORT}, [::1]:{PORT}, {PORT} or unix:/path"))
    }
}

/// As a scraper would write it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}/metrics"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Listens at an address.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A socket in the file system, which is removed in the end.
    Unix(UnixListener, Socket),
}

/// A socket's place in the file system. Dropping it removes the socket.
#[derive(Debug)]
pub struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        // Somebody else has removed it: all the better.
        let _ = fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Listens. It needs the runtime of its caller, and sets the process's umask for a moment.
    pub async fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp),
            Address::Unix(path) => {
                remove_stale(path).await?;
                // Its owner's and its group's from the first moment: connecting takes the right to write.
                let before = rustix::process::umask(Mode::from_raw_mode(0o117));
                let listener = UnixListener::bind(path);
                rustix::process::umask(before);
                Ok(Self::Unix(listener?, Socket(path.clone())))
            }
        }
    }

    /// The address, with the port that the kernel chose where none was said.
    pub fn address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            Self::Unix(_, socket) => Ok(Address::Unix(socket.0.clone())),
        }
    }
}

/// Removes a socket that a killed process left behind, and nothing else.
async fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket());
    if !is_socket {
        return Ok(());
    }
    match tokio::net::UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // It is in use, or somebody else's: binding says so.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_a_port_alone_is_of_this_machine() {
        let read = |text: &str| text.parse::<Address>();
        assert_eq!(read("9982"), Ok(Address::default()));
        assert_eq!(read("unix:/run/m.sock"), Ok(Address::Unix("/run/m.sock".into())));
        for text in ["", "host", "localhost:80", "unix:m.sock", "1.2.3.4", "70000"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_others_can_reach_is_told_from_what_they_can_not() {
        let is_local = |text: &str| text.parse::<Address>().unwrap().is_local();
        for text in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "1", "unix:/a"] {
            assert!(is_local(text), "{text}");
        }
        for text in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1"] {
            assert!(!is_local(text), "{text}");
        }
    }
}
