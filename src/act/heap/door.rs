//! Where a process can be asked: the socket on which its inspector listens, and proof that it is its own. Anybody on
//! the machine may listen on the port of an inspector.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;

use super::error::{HeapError, Why};
use super::http;
use super::node::{Node, PORT, USR1};
use super::session;
use super::wire::{Patience, Wire};
use crate::act::control::Control;
use crate::act::process::{Held, Missed};
use crate::collect::inspect::tcp::{TcpSocket, read_socket_inodes, read_tcp};
use crate::collect::parse::parse_stat;

/// How long a connection on this machine and an answer of the inspector's own thread may take.
const ANSWER: Duration = Duration::from_secs(5);

/// How long a port that may be anything may take.
const GUESS: Duration = Duration::from_secs(1);

/// How long Node.js may take to listen after SIGUSR1.
const LISTEN: Duration = Duration::from_secs(10);

/// How long an inspector that nobody waits for any more is waited for, to close it.
const LATE: Duration = Duration::from_secs(2);

/// Ports that are asked whether they are an inspector's.
const MOST_GUESSES: usize = 8;

/// Workers of a cluster count on from the first port.
const PORTS: std::ops::Range<u16> = PORT..PORT + 100;

/// The longest document that is read.
const MOST: usize = 256 << 10;

/// An inspector that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Door {
    pub(super) address: SocketAddr,
    inode: u64,
    /// The path of its WebSocket.
    pub(super) path: String,
    /// It was opened by us, and is ours to close.
    pub(super) is_ours: bool,
}

/// The sockets on which a process listens.
pub(super) fn listening(held: &Held<'_>) -> Result<Vec<TcpSocket>, HeapError> {
    let own = read_socket_inodes(held.folder()).map_err(unseen)?;
    read_tcp(held.folder(), |socket| socket.peer.is_none() && own.contains(&socket.inode)).map_err(unseen)
}

fn unseen(error: Errno) -> HeapError {
    match error {
        Errno::ACCESS | Errno::PERM => HeapError::refused(
            "not permitted: its sockets are seen by its own user and root, with the right to ptrace it",
        ),
        Errno::NOENT | Errno::SRCH => HeapError::new(Why::Ended, "it has ended already"),
        error => HeapError::failed(format!("its sockets can't be read: {error}")),
    }
}

/// Whether a socket may well be the inspector's.
fn is_likely(socket: &TcpSocket, named: &[u16]) -> bool {
    named.contains(&socket.local.port()) || (socket.local.ip().is_loopback() && PORTS.contains(&socket.local.port()))
}

/// Where its inspector seems to be open, as far as sockets and options tell without asking.
pub(super) fn likely(held: &Held<'_>, node: &Node) -> Result<Option<SocketAddr>, HeapError> {
    let named = node.named_ports();
    Ok(listening(held)?.into_iter().find(|socket| is_likely(socket, &named)).map(|socket| socket.local))
}

/// Looks for an open inspector where it seems to be.
pub(super) fn find(held: &Held<'_>, node: &Node, patience: Patience<'_>) -> Result<Option<Door>, HeapError> {
    let named = node.named_ports();
    first(held, |socket| is_likely(socket, &named), ANSWER, patience)
}

/// Looks for one on the other ports of the loopback: they are the program's own, and are asked only where nothing else
/// is left.
pub(super) fn guess(held: &Held<'_>, node: &Node, patience: Patience<'_>) -> Result<Option<Door>, HeapError> {
    let named = node.named_ports();
    first(held, |socket| socket.local.ip().is_loopback() && !is_likely(socket, &named), GUESS, patience)
}

/// The first of some sockets that answers as an inspector does.
fn first(
    held: &Held<'_>,
    wanted: impl Fn(&TcpSocket) -> bool,
    time: Duration,
    patience: Patience<'_>,
) -> Result<Option<Door>, HeapError> {
    for socket in listening(held)?.iter().filter(|socket| wanted(socket)).take(MOST_GUESSES) {
        match ask(held, socket, patience.at_most(time)) {
            Ok(door) => return Ok(Some(door)),
            // It is somebody else's, or no inspector.
            Err(_) => patience.check()?,
        }
    }
    Ok(None)
}

/// Makes the process open its inspector, which is told by a socket that was not there before.
pub(super) fn open(held: &Held<'_>, node: &Node, patience: Patience<'_>) -> Result<Door, HeapError> {
    if let Some(why) = node.why_not_usr1() {
        return Err(HeapError::refused(why));
    }
    let before: HashSet<u64> = listening(held)?.iter().map(|socket| socket.inode).collect();
    let (_, port) = node.would_open();
    if port != 0 && is_taken(held, port, &before)? {
        return Err(HeapError::refused(format!(
            "port {port}, on which it would open the inspector, is another process's: end that, or start this one with \
             --inspect-port=0"
        )));
    }
    wait_until_it_can_hear(held, patience)?;
    patience.check()?;
    held.send(USR1).map_err(|missed| {
        HeapError::new(if missed == Missed::Ended { Why::Ended } else { Why::Refused }, missed.to_string())
    })?;
    listen_for(held, &before, patience.at_most(LISTEN)).map_err(|error| match error.why {
        Why::Ended => HeapError::new(Why::Ended, "it ended after SIGUSR1"),
        Why::TimedOut | Why::Stopped => {
            let told = if error.why == Why::Stopped {
                error
            } else {
                let why = "no inspector opened after SIGUSR1: the program handles that signal itself, or stands still";
                HeapError::new(Why::TimedOut, why)
            };
            shut_what_opens_late(held, &before).map_or_else(|left| told.clone().and(&left), |()| told.clone())
        }
        _ => error,
    })
}

/// Waits for an inspector on a socket that was not there before.
fn listen_for(held: &Held<'_>, before: &HashSet<u64>, patience: Patience<'_>) -> Result<Door, HeapError> {
    loop {
        for socket in listening(held)?.iter().filter(|socket| !before.contains(&socket.inode)) {
            // Something else that it began to listen on just now does not answer as an inspector does.
            if let Ok(door) = ask(held, socket, patience.at_most(ANSWER)) {
                return Ok(Door { is_ours: true, ..door });
            }
        }
        patience.pause()?;
    }
}

/// Nobody waits for the inspector any more, but the signal was sent: what opens soon is closed, and of what may open later
/// is told.
fn shut_what_opens_late(held: &Held<'_>, before: &HashSet<u64>) -> Result<(), String> {
    let control = Control::new(Duration::ZERO);
    let patience = Patience { control: &control, held: Some(held), deadline: Instant::now() + LATE };
    match listen_for(held, before, patience) {
        Ok(door) => session::close(held, &door, LATE),
        Err(error) if error.why == Why::Ended => Ok(()),
        Err(_) => Err(format!("if it opens one later, memtide heap stats {} --close closes it", held.key().pid)),
    }
}

/// Waits until its main thread waits for events or runs: one that stands still in another call would open the inspector
/// only when nobody is there any more to close it.
fn wait_until_it_can_hear(held: &Held<'_>, patience: Patience<'_>) -> Result<(), HeapError> {
    while !can_hear(held) {
        patience.pause().map_err(|error| match error.why {
            Why::TimedOut => HeapError::new(
                Why::TimedOut,
                "its main thread stands still in a system call and would not hear SIGUSR1: nothing was sent",
            ),
            _ => error,
        })?;
    }
    Ok(())
}

fn can_hear(held: &Held<'_>) -> bool {
    /// epoll_wait(2), epoll_pwait(2), epoll_pwait2(2), in which libuv waits.
    const WAITS: &[u32] = if cfg!(target_arch = "x86_64") {
        &[232, 281, 441]
    } else if cfg!(target_arch = "aarch64") {
        &[22, 441]
    } else {
        &[]
    };
    let stat = held.read("stat").unwrap_or_default();
    match parse_stat(&stat).map(|line| line.stat.state) {
        Some(b'R') => return true,
        Some(b'T' | b't') => return false,
        _ => {}
    }
    // `/proc/PID/syscall`: a number, or a word for who is in none. Where it can't be read nothing is known.
    let syscall = held.read("syscall").unwrap_or_default();
    let number = String::from_utf8_lossy(&syscall).split_whitespace().next().and_then(|word| word.parse::<u32>().ok());
    number.is_none_or(|number| WAITS.is_empty() || WAITS.contains(&number))
}

/// Whether somebody else in its network namespace listens on a port.
fn is_taken(held: &Held<'_>, port: u16, own: &HashSet<u64>) -> Result<bool, HeapError> {
    let others = read_tcp(held.folder(), |socket| {
        let is_there = socket.local.ip().is_unspecified() || socket.local.ip().is_loopback();
        socket.peer.is_none() && socket.local.port() == port && is_there && !own.contains(&socket.inode)
    });
    Ok(!others.map_err(unseen)?.is_empty())
}

/// Asks a socket of the process whether it is an inspector.
pub(super) fn ask(held: &Held<'_>, socket: &TcpSocket, patience: Patience<'_>) -> Result<Door, HeapError> {
    let address = within_reach(socket.local);
    let mut wire = connect(held, address, patience)?;
    let list = http::get(&mut wire, &address.to_string(), "/json/list", MOST)?;
    let path = path_of(&list).ok_or_else(|| HeapError::failed("it lists no inspector of Node.js"))?;
    prove(held, &wire)?;
    Ok(Door { address, inode: socket.inode, path, is_ours: false })
}

/// The path of the WebSocket in the answer to `/json/list`.
fn path_of(list: &[u8]) -> Option<String> {
    let list: Value = serde_json::from_slice(list).ok()?;
    let first = list.as_array()?.iter().find(|one| one["type"] == "node")?;
    let id = first["id"].as_str()?;
    let is_plain = !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_plain.then(|| format!("/{id}"))
}

/// Where a connection to who listens on an address goes.
fn within_reach(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Connects in the network namespace of the process.
pub(super) fn connect<'a>(held: &Held<'_>, address: SocketAddr, patience: Patience<'a>) -> Result<Wire<'a>, HeapError> {
    let time = patience.left().min(ANSWER).max(Duration::from_millis(1));
    let connected = match elsewhere(held)? {
        None => TcpStream::connect_timeout(&address, time),
        // A socket stays where it was made; this thread alone goes there.
        Some(namespace) => std::thread::scope(|scope| {
            let there = scope.spawn(move || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
                TcpStream::connect_timeout(&address, time)
            });
            there.join().unwrap_or_else(|_| Err(std::io::Error::other("the thread that connects ended")))
        }),
    };
    let stream = connected.map_err(|error| {
        patience.check().err().unwrap_or_else(|| HeapError::failed(format!("no connection to {address}: {error}")))
    })?;
    Wire::new(stream, patience)
}

/// The network namespace of the process, where it is not ours; an error where we may not enter it.
pub(super) fn elsewhere(held: &Held<'_>) -> Result<Option<OwnedFd>, HeapError> {
    let seen = |folder, path: &str| statat(folder, path, AtFlags::empty()).map(|stat| (stat.st_dev, stat.st_ino));
    let ours = seen(rustix::fs::CWD, "/proc/self/ns/net").map_err(unseen)?;
    if seen(held.folder(), "ns/net").map_err(unseen)? == ours {
        return Ok(None);
    }
    if !crate::act::rights::has_capability(rustix::thread::CapabilitySet::SYS_ADMIN) {
        let pid = held.key().pid;
        return Err(HeapError::refused(format!(
            "it lives in another network namespace (a container), whose loopback is reached by root alone: run this under \
             sudo, or sudo nsenter -t {pid} -n memtide heap capture {pid}"
        )));
    }
    openat(held.folder(), "ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map(Some).map_err(unseen)
}

/// Makes sure that the other end of an accepted connection is the process.
pub(super) fn prove(held: &Held<'_>, wire: &Wire<'_>) -> Result<(), HeapError> {
    let ends = wire.ends().ok_or_else(|| HeapError::failed("the connection broke"))?;
    let other =
        read_tcp(held.folder(), |socket| (socket.peer, socket.local) == (Some(ends.0), ends.1)).map_err(unseen)?;
    let own = read_socket_inodes(held.folder()).map_err(unseen)?;
    if other.iter().any(|socket| own.contains(&socket.inode)) {
        return Ok(());
    }
    Err(HeapError::refused(format!("who answers on {} is another process", ends.1)))
}

/// Whether the inspector still listens.
pub(super) fn is_open(held: &Held<'_>, door: &Door) -> bool {
    // Of one that has ended there is nothing left to close.
    listening(held).is_ok_and(|sockets| sockets.iter().any(|socket| socket.inode == door.inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_that_of_the_first_inspector_and_of_no_other_letters() {
        let list = |id: &str, kind: &str| format!(r#"[{{"id":"{id}","type":"{kind}","url":"file:///app.js"}}]"#);
        let id = "0f2c936f-b1cd-4ac9-aab3-f63b0f33d55e";
        assert_eq!(path_of(list(id, "node").as_bytes()), Some(format!("/{id}")));
        for bad in [
            list(id, "page"),
            list("a b", "node"),
            list("", "node"),
            list("a\\r\\nX: y", "node"),
            "[]".into(),
            "{".into(),
        ] {
            assert_eq!(path_of(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn who_listens_everywhere_is_reached_on_the_loopback() {
        for (listens, reached) in [
            ("0.0.0.0:9229", "127.0.0.1:9229"),
            ("[::]:9229", "[::1]:9229"),
            ("127.0.0.1:9300", "127.0.0.1:9300"),
            ("10.0.0.5:9229", "10.0.0.5:9229"),
        ] {
            assert_eq!(within_reach(listens.parse().unwrap()), reached.parse().unwrap());
        }
    }

    #[test]
    fn a_port_is_likely_where_it_is_named_or_the_usual_one_of_the_loopback() {
        let likely =
            |address: &str| is_likely(&TcpSocket { inode: 1, local: address.parse().unwrap(), peer: None }, &[4000]);
        assert!(likely("0.0.0.0:4000") && likely("127.0.0.1:9229") && likely("127.0.0.1:9231"));
        assert!(!likely("0.0.0.0:9229") && !likely("127.0.0.1:3000"));
    }
}
