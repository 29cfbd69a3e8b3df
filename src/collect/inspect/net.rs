//! Sockets by their inode, from the lists in `/proc/PID/net`: those of the process's own network namespace.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::time::Instant;

use super::header::take_hex;
use super::lines::Lines;
use crate::model::inspect::socket::{Endpoint, Protocol, Socket, SocketState};
use crate::model::text::Text;

/// Sockets that are looked for, and what was found of them.
#[derive(Default)]
pub(super) struct SocketTable {
    sockets: HashMap<u64, Option<Socket>>,
    /// Local ports that somebody listens on: connections with one of them were accepted.
    listening: HashSet<(bool, u16)>,
    /// Every list was read to its end.
    is_whole: bool,
}

/// How the lines of a list look.
#[derive(Clone, Copy)]
enum Format {
    Inet(Protocol),
    Unix,
    Netlink,
    Packet,
}

/// The lists: those of what leaks most first.
const LISTS: [(&std::ffi::CStr, Format); 14] = [
    (c"net/tcp", Format::Inet(Protocol::Tcp)),
    (c"net/tcp6", Format::Inet(Protocol::Tcp6)),
    (c"net/unix", Format::Unix),
    (c"net/udp", Format::Inet(Protocol::Udp)),
    (c"net/udp6", Format::Inet(Protocol::Udp6)),
    (c"net/netlink", Format::Netlink),
    (c"net/packet", Format::Packet),
    (c"net/raw", Format::Inet(Protocol::Raw)),
    (c"net/raw6", Format::Inet(Protocol::Raw6)),
    (c"net/icmp", Format::Inet(Protocol::Icmp)),
    (c"net/icmp6", Format::Inet(Protocol::Icmp)),
    (c"net/udplite", Format::Inet(Protocol::UdpLite)),
    (c"net/udplite6", Format::Inet(Protocol::UdpLite)),
    (c"net/mptcp", Format::Inet(Protocol::Tcp)),
];

impl SocketTable {
    /// Looks for the sockets of these inodes until `deadline`.
    pub(super) fn read(
        process: BorrowedFd<'_>,
        inodes: impl Iterator<Item = u64>,
        deadline: Instant,
        buffer: &mut Vec<u8>,
    ) -> Self {
        let mut table = Self { sockets: inodes.map(|inode| (inode, None)).collect(), ..Self::default() };
        let mut missing = table.sockets.len();
        for (path, format) in LISTS {
            if missing == 0 {
                break;
            }
            // A list that is not there is of a protocol that this kernel does not have.
            let Ok(mut lines) = Lines::open(process, path, buffer) else { continue };
            let mut count = 0u32;
            while let Ok(Some(line)) = lines.next() {
                if count % 256 == 255 && Instant::now() >= deadline {
                    return table;
                }
                count += 1;
                missing -= usize::from(table.take(line, format));
            }
        }
        table.is_whole = true;
        table
    }

    /// Takes a line in; whether it is of a socket that is looked for and had not been found.
    fn take(&mut self, line: &[u8], format: Format) -> bool {
        let parsed = match format {
            Format::Inet(protocol) => parse_inet(line, protocol),
            Format::Unix => parse_unix(line),
            Format::Netlink => parse_netlink(line),
            Format::Packet => parse_packet(line),
        };
        let Some((inode, socket)) = parsed else { return false };
        if let (SocketState::Listen, Endpoint::Inet(address)) = (socket.state, &socket.local) {
            self.listening.insert((socket.protocol == Protocol::Tcp6, address.port()));
        }
        match self.sockets.get_mut(&inode) {
            Some(place @ None) => {
                *place = Some(socket);
                true
            }
            _ => false,
        }
    }

    /// What is known of a socket.
    pub(super) fn socket(&self, inode: u64) -> Socket {
        self.sockets.get(&inode).and_then(Clone::clone).unwrap_or_else(Socket::unlisted)
    }

    /// What a socket has in common with others of its purpose.
    pub(super) fn common(&self, inode: u64) -> Socket {
        let socket = self.socket(inode);
        let is_served = match &socket.local {
            // A socket of IPv6 accepts connections of IPv4 as well.
            Endpoint::Inet(local) => [true, false].iter().any(|six| self.listening.contains(&(*six, local.port()))),
            _ => false,
        };
        socket.common(is_served)
    }
}

/// Decodes a line of `tcp`, `udp`, `raw` and the like, IPv4 or IPv6 (proc_pid_net(5)): `sl local remote state queues
/// timer retransmits uid timeout inode …`.
pub(super) fn parse_inet(line: &[u8], protocol: Protocol) -> Option<(u64, Socket)> {
    let mut words = words(line);
    let (_, local, peer, state) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let inode = number(words.nth(5)?)?;
    let is_stream = matches!(protocol, Protocol::Tcp | Protocol::Tcp6);
    let state = match (hex(state)?, is_stream) {
        (1, _) => SocketState::Established,
        // Datagrams know two states only, and an unconnected socket is TCP_CLOSE.
        (_, false) => SocketState::Unconnected,
        (2, _) => SocketState::SynSent,
        (3 | 12, _) => SocketState::SynRecv,
        (4, _) => SocketState::FinWait1,
        (5, _) => SocketState::FinWait2,
        (6, _) => SocketState::TimeWait,
        (7, _) => SocketState::Close,
        (8, _) => SocketState::CloseWait,
        (9, _) => SocketState::LastAck,
        (10, _) => SocketState::Listen,
        (11, _) => SocketState::Closing,
        _ => SocketState::Unknown,
    };
    let (local, peer) = (parse_address(local)?, parse_address(peer)?);
    let peer = if peer.port() == 0 && peer.ip().is_unspecified() { Endpoint::None } else { Endpoint::Inet(peer) };
    Some((inode, Socket { protocol, state, local: Endpoint::Inet(local), peer }))
}

/// `0100007F:1F90`, or 32 digits for IPv6: words of 32 bits in the byte order of the machine.
fn parse_address(word: &[u8]) -> Option<SocketAddr> {
    let colon = word.iter().position(|byte| *byte == b':')?;
    let (digits, port) = (&word[..colon], u16::try_from(hex(&word[colon + 1..])?).ok()?);
    let word_of = |digits: &[u8]| Some(u32::try_from(hex(digits)?).ok()?.to_ne_bytes());
    let address = match digits.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word_of(digits)?)),
        32 => {
            let mut bytes = [0; 16];
            for (place, digits) in bytes.chunks_exact_mut(4).zip(digits.chunks_exact(8)) {
                place.copy_from_slice(&word_of(digits)?);
            }
            let address = Ipv6Addr::from(bytes);
            address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4)
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

/// Decodes a line of `unix`: `Num RefCount Protocol Flags Type St Inode Path`.
fn parse_unix(line: &[u8]) -> Option<(u64, Socket)> {
    /// `__SO_ACCEPTCON`: it listens.
    const ACCEPTS: u64 = 1 << 16;
    let mut rest = line;
    let mut next = || {
        let text = rest.trim_ascii_start();
        let length = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
        rest = &text[length..];
        (length > 0).then(|| &text[..length])
    };
    let (_, _, _, flags, _, state) = (next()?, next()?, next()?, next()?, next()?, next()?);
    let inode = number(next()?)?;
    let path = rest.strip_prefix(b" ").unwrap_or(rest);
    let state = match hex(state)? {
        _ if hex(flags)? & ACCEPTS != 0 => SocketState::Listen,
        2 => SocketState::SynSent,
        3 => SocketState::Established,
        4 => SocketState::Closing,
        _ => SocketState::Unconnected,
    };
    let local = if path.is_empty() { Endpoint::None } else { Endpoint::Path(Text::new(path)) };
    Some((inode, Socket { protocol: Protocol::Unix, state, local, peer: Endpoint::None }))
}

/// Decodes a line of `netlink`: `sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode`.
fn parse_netlink(line: &[u8]) -> Option<(u64, Socket)> {
    let mut words = words(line).skip(1);
    let protocol = number(words.next()?)?;
    let inode = number(words.nth(7)?)?;
    let name = match protocol {
        0 => "route",
        4 => "sock_diag",
        9 => "audit",
        12 => "netfilter",
        15 => "uevent",
        16 => "generic",
        _ => "",
    };
    let name = if name.is_empty() { format!("protocol {protocol}") } else { name.to_owned() };
    let local = Endpoint::Name(Text::from(name.as_str()));
    let state = SocketState::Unknown;
    Some((inode, Socket { protocol: Protocol::Netlink, state, local, peer: Endpoint::None }))
}

/// Decodes a line of `packet`: `sk RefCnt Type Proto Iface R Rmem User Inode`.
fn parse_packet(line: &[u8]) -> Option<(u64, Socket)> {
    let inode = number(words(line).nth(8)?)?;
    Some((inode, Socket { protocol: Protocol::Packet, ..Socket::unlisted() }))
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

fn hex(mut word: &[u8]) -> Option<u64> {
    let value = take_hex(&mut word)?;
    word.is_empty().then_some(value)
}

fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1668 1 0000000016b91ef4 100 0 0 10 0
   1: 0100007F:1F90 0200007F:C350 08 00000000:00000001 00:00000000 00000000  1000        0 1700 1 0000000016b91ef4 20 4 30 10 -1
   2: 0100007F:A001 0500000A:1538 01 00000000:00000000 00:00000000 00000000  1000        0 1701 1 0000000016b91ef4 20 4 30 10 -1
   3: 0100007F:A002 0500000A:1538 06 00000000:00000000 03:00000D3A 00000000     0        0 0 3 0000000016b91ef4
";
    const TCP6: &str =
        "   0: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000300007F:C351 01 0:0 00:0 0 0 0 1702 1 0
   1: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 1703 1 0
";
    const UNIX: &str = "Num       RefCount Protocol Flags    Type St Inode Path
00000000b0416274: 00000002 00000000 00010000 0001 01  1800 /run/my app.sock
00000000e31577fc: 00000003 00000000 00000000 0001 03  1801
00000000e31577fd: 00000002 00000000 00000000 0002 01  1802 @abstract
";

    fn table(content: &[(&str, &str)], inodes: &[u64]) -> SocketTable {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("net")).unwrap();
        for (name, text) in content {
            std::fs::write(folder.path().join("net").join(name), text).unwrap();
        }
        let process = std::fs::File::open(folder.path()).unwrap();
        let deadline = Instant::now() + std::time::Duration::from_mins(1);
        SocketTable::read(std::os::fd::AsFd::as_fd(&process), inodes.iter().copied(), deadline, &mut Vec::new())
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn sockets_are_found_by_inode_with_both_addresses() {
        let content = [("tcp", TCP), ("tcp6", TCP6), ("unix", UNIX)];
        let table = table(&content, &[1668, 1700, 1701, 1702, 1703, 1800, 1801, 1802, 1999]);
        for (inode, whole, common) in [
            (1668, "tcp *:8080 LISTEN", "tcp *:8080 LISTEN"),
            (1700, "tcp 127.0.0.1:8080 -> 127.0.0.2:50000 CLOSE_WAIT", "tcp 127.0.0.1:8080 <- 127.0.0.2 CLOSE_WAIT"),
            (1701, "tcp 127.0.0.1:40961 -> 10.0.0.5:5432 ESTABLISHED", "tcp -> 10.0.0.5:5432 ESTABLISHED"),
            (
                1702,
                "tcp6 127.0.0.1:8080 -> 127.0.0.3:50001 ESTABLISHED",
                "tcp6 127.0.0.1:8080 <- 127.0.0.3 ESTABLISHED",
            ),
            (1703, "tcp6 *:80 LISTEN", "tcp6 *:80 LISTEN"),
            (1800, "unix /run/my app.sock LISTEN", "unix /run/my app.sock LISTEN"),
            (1801, "unix ESTABLISHED", "unix ESTABLISHED"),
            (1802, "unix @abstract unconnected", "unix @abstract unconnected"),
            (1999, "in no list of /proc/net", "in no list of /proc/net"),
        ] {
            assert_eq!(table.socket(inode).to_string(), whole);
            assert_eq!(table.common(inode).to_string(), common);
        }
    }

    #[test]
    fn lists_of_other_families_are_read_too() {
        let netlink = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n\
            0000000021d4224f 15  77         00000002 0        0        0     2        0        1594    \n";
        let packet = "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n\
            0000000021d4224f 3      3    0003   2     1 0      0      1595\n";
        let table = table(&[("netlink", netlink), ("packet", packet)], &[1594, 1595]);
        assert_eq!(table.socket(1594).to_string(), "netlink uevent");
        assert_eq!(table.socket(1595).to_string(), "packet");
    }

    #[test]
    fn a_socket_without_a_port_on_the_other_side_has_no_peer() {
        let udp = "  12: 00000000:0035 00000000:0000 07 0:0 00:0 0 0 0 1900 2 0 0\n";
        assert_eq!(table(&[("udp", udp)], &[1900]).socket(1900).to_string(), "udp *:53 unconnected");
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut table = SocketTable::default();
            for format in [Format::Inet(Protocol::Tcp), Format::Unix, Format::Netlink, Format::Packet] {
                table.take(&bytes, format);
            }
        }

        #[test]
        fn any_address_is_found_again(ip in any::<[u8; 4]>(), port in any::<u16>()) {
            let word = format!("{:08X}:{port:04X}", u32::from_ne_bytes(ip));
            prop_assert_eq!(parse_address(word.as_bytes()), Some(SocketAddr::new(IpAddr::from(ip), port)));
        }
    }
}
