//! Sockets as `/proc/PID/net` tells them, and what makes many of them one line.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::model::text::Text;

/// What is known of a socket, or of several that have this in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Socket {
    /// The protocol.
    pub protocol: Protocol,
    /// Its state.
    pub state: SocketState,
    /// Its own address.
    pub local: Endpoint,
    /// The other side's.
    pub peer: Endpoint,
}

/// The protocol of a socket: the file of `/proc/PID/net` that lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP over IPv4.
    Tcp,
    /// TCP over IPv6, and IPv4 through an IPv6 socket.
    Tcp6,
    /// UDP over IPv4.
    Udp,
    /// UDP over IPv6.
    Udp6,
    /// UDP-Lite, either.
    UdpLite,
    /// Raw IPv4.
    Raw,
    /// Raw IPv6.
    Raw6,
    /// ping(8) without rights: an ICMP echo socket.
    Icmp,
    /// unix(7).
    Unix,
    /// netlink(7).
    Netlink,
    /// packet(7): sees frames, as tcpdump does.
    Packet,
    /// In none of the lists: another family, or closed but still open as a descriptor.
    Unlisted,
}

impl Protocol {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tcp6 => "tcp6",
            Self::Udp => "udp",
            Self::Udp6 => "udp6",
            Self::UdpLite => "udplite",
            Self::Raw => "raw",
            Self::Raw6 => "raw6",
            Self::Icmp => "icmp",
            Self::Unix => "unix",
            Self::Netlink => "netlink",
            Self::Packet => "packet",
            Self::Unlisted => "socket",
        }
    }
}

/// The state of a socket; those of TCP by the kernel's names (include/net/tcp_states.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SocketState {
    /// Connected.
    Established,
    /// Connecting.
    SynSent,
    /// Being accepted.
    SynRecv,
    /// Closed here first: waits for the peer's acknowledgement.
    FinWait1,
    /// Closed here first: waits for the peer to close.
    FinWait2,
    /// Closed by both; the kernel keeps it for a while.
    TimeWait,
    /// Closed.
    Close,
    /// Closed by the peer and not by this process: a descriptor leak's mark.
    CloseWait,
    /// Closed by the peer, then here: waits for the last acknowledgement.
    LastAck,
    /// Waits for connections.
    Listen,
    /// Closed by both at once.
    Closing,
    /// Neither connected nor listening.
    Unconnected,
    /// Nothing is known.
    #[default]
    Unknown,
}

impl SocketState {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Established => "ESTABLISHED",
            Self::SynSent => "SYN_SENT",
            Self::SynRecv => "SYN_RECV",
            Self::FinWait1 => "FIN_WAIT1",
            Self::FinWait2 => "FIN_WAIT2",
            Self::TimeWait => "TIME_WAIT",
            Self::Close => "CLOSE",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::Listen => "LISTEN",
            Self::Closing => "CLOSING",
            Self::Unconnected => "unconnected",
            Self::Unknown => "",
        }
    }
}

/// One side of a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Endpoint {
    /// Not told, or nothing.
    #[default]
    None,
    /// Address and port.
    Inet(SocketAddr),
    /// Any port of an address: where sockets that differ in it are one line.
    Host(IpAddr),
    /// A path of the file system, or, with a leading `@`, of the abstract namespace.
    Path(Text),
    /// A protocol of netlink: `route`, `audit`.
    Name(Text),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Inet(address) if address.ip().is_unspecified() => match address.port() {
                0 => f.write_str("*"),
                port => write!(f, "*:{port}"),
            },
            Self::Inet(address) => write!(f, "{address}"),
            Self::Host(address) => write!(f, "{address}"),
            Self::Path(path) | Self::Name(path) => f.write_str(&path.escaped()),
        }
    }
}

/// `tcp 10.0.0.5:443 <- 10.0.0.9 CLOSE_WAIT`, `unix /run/app.sock LISTEN`.
impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.protocol == Protocol::Unlisted {
            return f.write_str(tr!("in no list of /proc/net"));
        }
        f.write_str(self.protocol.word())?;
        if self.local != Endpoint::None {
            write!(f, " {}", self.local)?;
        }
        if self.peer != Endpoint::None {
            let arrow = if matches!(self.peer, Endpoint::Host(_)) { "<-" } else { "->" };
            write!(f, " {arrow} {}", self.peer)?;
        }
        match self.state {
            SocketState::Unknown => Ok(()),
            state => write!(f, " {}", state.word()),
        }
    }
}

impl Socket {
    /// A socket of which nothing is known but that it is one.
    pub fn unlisted() -> Self {
        Self { protocol: Protocol::Unlisted, state: SocketState::Unknown, local: Endpoint::None, peer: Endpoint::None }
    }

    /// What it has in common with others of the same purpose: a connection that was accepted (`is_served`: the process
    /// listens on its local port) differs from the next by the peer's port, one that was made by its own.
    #[must_use]
    pub fn common(mut self, is_served: bool) -> Self {
        let Endpoint::Inet(peer) = self.peer else { return self };
        if peer.ip().is_unspecified() {
            self.peer = Endpoint::None;
        } else if is_served {
            self.peer = Endpoint::Host(peer.ip());
        } else {
            self.local = Endpoint::None;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(local: &str, peer: &str, state: SocketState) -> Socket {
        let inet = |text: &str| Endpoint::Inet(text.parse().unwrap());
        Socket { protocol: Protocol::Tcp, state, local: inet(local), peer: inet(peer) }
    }

    #[test]
    fn accepted_connections_are_one_by_peer_and_made_ones_by_where_they_go() {
        let served = |port: u16| tcp("10.0.0.5:443", &format!("10.0.0.9:{port}"), SocketState::CloseWait).common(true);
        assert_eq!(served(4000), served(4001));
        assert_eq!(served(4000).to_string(), "tcp 10.0.0.5:443 <- 10.0.0.9 CLOSE_WAIT");
        let made =
            |port: u16| tcp(&format!("10.0.0.5:{port}"), "10.0.0.7:5432", SocketState::Established).common(false);
        assert_eq!(made(4000), made(4001));
        assert_eq!(made(4000).to_string(), "tcp -> 10.0.0.7:5432 ESTABLISHED");
    }

    #[test]
    fn who_listens_has_no_peer() {
        let listens = tcp("0.0.0.0:80", "0.0.0.0:0", SocketState::Listen).common(true);
        assert_eq!(listens.to_string(), "tcp *:80 LISTEN");
    }
}
