//! WebSocket (RFC 6455), the client's side and as much of it as the inspector of Node.js speaks: text messages, whole or
//! in fragments, without extensions.
//!
//! A library for it would bring half a dozen crates of random numbers and hashes. The numbers that hide our frames from
//! proxies come from the hasher of the standard library, and the server's proof of understanding, a hash of our key, is
//! not looked at: who answers is known by the owner of its socket.

use std::hash::{BuildHasher as _, RandomState};

use super::error::HeapError;
use super::http;
use super::wire::Wire;

/// The longest message that is taken. V8 sends a snapshot in pieces of 100 KiB.
const MOST: usize = 64 << 20;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A connection that has become one.
pub(super) struct WebSocket<'a> {
    pub(super) wire: Wire<'a>,
    message: Vec<u8>,
    masks: Masks,
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    is_last: bool,
    opcode: u8,
    /// Bytes before the payload, and of it.
    head: usize,
    length: usize,
}

impl<'a> WebSocket<'a> {
    /// Asks for a WebSocket at this path.
    pub(super) fn open(mut wire: Wire<'a>, host: &str, path: &str) -> Result<Self, HeapError> {
        let mut masks = Masks::new();
        let lines = format!(
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n",
            masks.key()
        );
        let head = http::ask(&mut wire, "1.1", host, path, &lines)?;
        if head.status != 101 {
            return Err(HeapError::failed(format!("it opens no WebSocket: status {}", head.status)));
        }
        Ok(Self { wire, message: Vec::new(), masks })
    }

    /// Sends a text message.
    pub(super) fn send(&mut self, text: &str) -> Result<(), HeapError> {
        let frame = frame(TEXT, text.as_bytes(), self.masks.next());
        self.wire.send(&frame)
    }

    /// The next message; `None` where the other side has closed.
    pub(super) fn receive(&mut self) -> Result<Option<&[u8]>, HeapError> {
        self.message.clear();
        let mut has_begun = false;
        loop {
            let Some(frame) = self.frame()? else { return Ok(None) };
            let payload = &self.wire.waiting()[frame.head..frame.head + frame.length];
            match frame.opcode {
                CLOSE => return Ok(None),
                PING => {
                    let answer = self::frame(PONG, payload, self.masks.next());
                    self.wire.take(frame.head + frame.length);
                    self.wire.send(&answer)?;
                    continue;
                }
                PONG => {
                    self.wire.take(frame.head + frame.length);
                    continue;
                }
                TEXT | BINARY if has_begun => return Err(strange("a message begins in another")),
                0 if !has_begun => return Err(strange("a message goes on that did not begin")),
                0 | TEXT | BINARY => {}
                _ => return Err(strange("a frame of an unknown kind")),
            }
            if self.message.len() + payload.len() > MOST {
                return Err(strange("a message is too long"));
            }
            self.message.extend_from_slice(payload);
            self.wire.take(frame.head + frame.length);
            has_begun = true;
            if frame.is_last {
                return Ok(Some(&self.message));
            }
        }
    }

    /// Waits until a whole frame is there.
    fn frame(&mut self) -> Result<Option<Frame>, HeapError> {
        loop {
            if let Some(frame) = parse(self.wire.waiting())?
                && self.wire.waiting().len() >= frame.head + frame.length
            {
                return Ok(Some(frame));
            }
            if !self.wire.receive()? {
                return Ok(None);
            }
        }
    }
}

fn strange(why: &str) -> HeapError {
    HeapError::failed(format!("it breaks the rules of WebSocket: {why}"))
}

/// The head of the frame that begins here, once it is there.
fn parse(bytes: &[u8]) -> Result<Option<Frame>, HeapError> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(strange("an extension that was not agreed on"));
    }
    if second & 0x80 != 0 {
        return Err(strange("a server's frame is masked"));
    }
    let (head, length) = match second & 0x7f {
        126 => match rest.first_chunk::<2>() {
            Some(bytes) => (4, u64::from(u16::from_be_bytes(*bytes))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(bytes) => (10, u64::from_be_bytes(*bytes)),
            None => return Ok(None),
        },
        short => (2, u64::from(short)),
    };
    let (is_last, opcode) = (first & 0x80 != 0, first & 0x0f);
    let is_control = opcode >= 8;
    if length > MOST as u64 || (is_control && (length > 125 || !is_last)) {
        return Err(strange("a frame is too long"));
    }
    Ok(Some(Frame { is_last, opcode, head, length: length as usize }))
}

/// A frame of ours: whole, and masked as every client's is.
fn frame(opcode: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ ..126 => frame.push(0x80 | short as u8),
        middle @ ..0x1_0000 => {
            frame.push(0xfe);
            frame.extend((middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0xff);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Numbers that nobody can foretell.
struct Masks {
    random: RandomState,
    nth: u64,
}

impl Masks {
    fn new() -> Self {
        Self { random: RandomState::new(), nth: 0 }
    }

    fn number(&mut self) -> u64 {
        self.nth += 1;
        self.random.hash_one(self.nth)
    }

    fn next(&mut self) -> [u8; 4] {
        (self.number() as u32).to_ne_bytes()
    }

    /// Sixteen bytes in base64: of the last letter two bits count, and `A` has none of them set.
    fn key(&mut self) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut key: String = (0..21).map(|_| char::from(LETTERS[(self.number() % 64) as usize])).collect();
        key.push_str("A==");
        key
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_standard_are_read_and_written() {
        // RFC 6455, 5.7.
        let frame_of = |is_last, opcode, head, length| Ok(Some(Frame { is_last, opcode, head, length }));
        assert_eq!(parse(b"\x81\x05Hello"), frame_of(true, TEXT, 2, 5));
        assert_eq!(parse(b"\x01\x03Hel"), frame_of(false, TEXT, 2, 3));
        assert_eq!(parse(b"\x82\x7e\x01\x00"), frame_of(true, BINARY, 4, 256));
        assert_eq!(parse(b"\x82\x7f\0\0\0\0\0\x01\0\0"), frame_of(true, BINARY, 10, 65536));
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(frame(TEXT, b"Hello", [0x37, 0xfa, 0x21, 0x3d]), hello);
    }

    #[test]
    fn what_no_server_may_send_is_refused() {
        for bytes in [
            &b"\xc1\x05Hello"[..],
            b"\x81\x85\0\0\0\0Hello",
            b"\x89\x7e\x01\x00",
            b"\x09\x00",
            b"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(parse(bytes).is_err(), "{bytes:x?}");
        }
        assert_eq!(parse(b"\x81"), Ok(None));
        assert_eq!(parse(b"\x81\x7f\0\0"), Ok(None));
    }

    proptest! {
        #[test]
        fn a_frame_tells_its_length_in_the_shortest_form(length in 0usize..200_000, mask in any::<[u8; 4]>()) {
            let payload = vec![b'x'; length];
            let mut bytes = frame(TEXT, &payload, mask);
            // A server would unmask it; without the mark it is as one of a server.
            bytes[1] &= 0x7f;
            let read = parse(&bytes).unwrap().unwrap();
            prop_assert_eq!((read.is_last, read.opcode, read.length), (true, TEXT, length));
            prop_assert_eq!(bytes.len(), read.head + 4 + length);
            let plain: Vec<u8> = bytes[read.head + 4..].iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
            prop_assert_eq!(plain, payload);
        }

        #[test]
        fn any_bytes_are_a_head_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn keys_are_sixteen_bytes_of_base64_and_differ(_ in 0..4) {
            let (one, other) = (Masks::new().key(), Masks::new().key());
            prop_assert_eq!((one.len(), one.ends_with("A==")), (24, true));
            prop_assert_ne!(one, other);
        }
    }
}
