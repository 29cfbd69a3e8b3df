//! The TCP sockets of a process: where it listens, and whether a connection ends in it. The lists are those of its own
//! network namespace.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use rustix::fs::readlinkat;
use rustix::io::Errno;

use super::fds::list_numbers;
use super::lines::Lines;
use super::link::{Link, parse_link};
use super::net::parse_inet;
use crate::collect::files::open_at;
use crate::model::inspect::socket::{Endpoint, Protocol, SocketState};

/// A TCP socket of a network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpSocket {
    /// Its inode; 0 of a connection that nobody has accepted yet.
    pub inode: u64,
    /// Its own address.
    pub local: SocketAddr,
    /// The other side's; `None` where it listens.
    pub peer: Option<SocketAddr>,
}

/// The sockets that listen, and the connections, in the network namespace of the process whose folder this is, as far as
/// `wanted` asks for them (`/proc/PID/net/tcp` and `tcp6`).
pub fn read_tcp(process: BorrowedFd<'_>, wanted: impl Fn(&TcpSocket) -> bool) -> Result<Vec<TcpSocket>, Errno> {
    let mut buffer = Vec::new();
    let mut found = Vec::new();
    for (path, protocol) in [(c"net/tcp", Protocol::Tcp), (c"net/tcp6", Protocol::Tcp6)] {
        let mut lines = match Lines::open(process, path, &mut buffer) {
            Ok(lines) => lines,
            // A kernel without IPv6.
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(error),
        };
        while let Some(line) = lines.next()? {
            let Some((inode, socket)) = parse_inet(line, protocol) else { continue };
            let (local, peer) = match (socket.local, socket.peer, socket.state) {
                (Endpoint::Inet(local), _, SocketState::Listen) => (local, None),
                // Also one that a side has closed already.
                (Endpoint::Inet(local), Endpoint::Inet(peer), _) => (local, Some(peer)),
                _ => continue,
            };
            let socket = TcpSocket { inode, local, peer };
            if wanted(&socket) {
                found.push(socket);
            }
        }
    }
    Ok(found)
}

/// The inodes of the sockets that a process has open (`/proc/PID/fd`).
pub fn read_socket_inodes(process: BorrowedFd<'_>) -> Result<HashSet<u64>, Errno> {
    let (folder, numbers) = open_at(process, c"fd").and_then(list_numbers)?;
    let inode = |number: u32| {
        let link = readlinkat(&folder, number.to_string(), Vec::new()).ok()?;
        match parse_link(link.as_bytes()) {
            Link::Socket(inode) => Some(inode),
            _ => None,
        }
    };
    Ok(numbers.into_iter().filter_map(inode).collect())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_listener_and_both_ends_of_a_connection_are_found_by_inode() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        let (accepted, peer) = listener.accept().unwrap();
        let myself = std::fs::File::open("/proc/self").unwrap();
        let sockets = read_tcp(myself.as_fd(), |socket| socket.local == address).unwrap();
        let own = read_socket_inodes(myself.as_fd()).unwrap();
        assert!(sockets.iter().all(|socket| own.contains(&socket.inode)), "{sockets:?}");
        let peers: HashSet<Option<SocketAddr>> = sockets.iter().map(|socket| socket.peer).collect();
        assert_eq!(peers, HashSet::from([None, Some(peer)]));
        assert_eq!(stream.local_addr().unwrap(), peer);
        drop(accepted);
    }
}
