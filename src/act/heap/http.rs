//! As much of HTTP as asking for a short document takes. What is asked in version 1.0 is answered in one piece, up to
//! the end of the connection or for as long as the answer says.

use super::error::HeapError;
use super::wire::Wire;

/// The longest head of an answer, and the most lines in it.
const MOST_HEAD: usize = 16 << 10;
const MOST_LINES: usize = 64;

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// `Content-Length`.
    pub(super) length: Option<u64>,
    /// It says that it comes in another form than one piece.
    is_chunked: bool,
}

/// Sends a request and waits for the head of the answer; `lines` end with `\r\n` each.
pub(super) fn ask(wire: &mut Wire<'_>, version: &str, host: &str, path: &str, lines: &str) -> Result<Head, HeapError> {
    wire.send(format!("GET {path} HTTP/{version}\r\nHost: {host}\r\n{lines}\r\n").as_bytes())?;
    loop {
        if let Some((head, length)) = parse(wire.waiting())? {
            wire.take(length);
            return Ok(head);
        }
        if !wire.receive()? {
            return Err(HeapError::failed("it closed the connection without an answer"));
        }
    }
}

/// Fetches a document of at most so many bytes.
pub(super) fn get(wire: &mut Wire<'_>, host: &str, path: &str, most: usize) -> Result<Vec<u8>, HeapError> {
    let head = ask(wire, "1.0", host, path, "")?;
    if head.status != 200 {
        return Err(HeapError::failed(format!("it answers {path} with status {}", head.status)));
    }
    if head.is_chunked {
        return Err(HeapError::failed("it answers in chunks, which HTTP 1.0 does not know"));
    }
    let too_long = || HeapError::failed(format!("it answers {path} with more than {most} bytes"));
    if head.length.is_some_and(|length| length > most as u64) {
        return Err(too_long());
    }
    let whole = head.length.and_then(|length| usize::try_from(length).ok());
    loop {
        let waiting = wire.waiting();
        if let Some(length) = whole.filter(|length| waiting.len() >= *length) {
            return Ok(waiting[..length].to_vec());
        }
        if waiting.len() > most {
            return Err(too_long());
        }
        if !wire.receive()? {
            if whole.is_some() {
                return Err(HeapError::failed("its answer ends too early"));
            }
            return Ok(wire.waiting().to_vec());
        }
    }
}

/// The head of an answer and its length in bytes, once it is whole.
fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, HeapError> {
    let strange = |why: &str| HeapError::failed(format!("it does not answer as an HTTP server does: {why}"));
    let mut lines = [httparse::EMPTY_HEADER; MOST_LINES];
    let mut answer = httparse::Response::new(&mut lines);
    match answer.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => {
            let line = |name: &str| answer.headers.iter().find(|line| line.name.eq_ignore_ascii_case(name));
            let text = |name: &str| line(name).and_then(|line| std::str::from_utf8(line.value).ok());
            let head = Head {
                status: answer.code.unwrap_or(0),
                length: text("content-length").and_then(|text| text.trim().parse().ok()),
                is_chunked: line("transfer-encoding").is_some(),
            };
            Ok(Some((head, length)))
        }
        Ok(httparse::Status::Partial) if bytes.len() > MOST_HEAD => Err(strange("the head is too long")),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => Err(strange(&error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_head_tells_status_and_length_once_it_is_whole() {
        let text = b"HTTP/1.0 200 OK\r\nContent-length:  12\r\nX: y\r\n\r\n[]";
        let head = Head { status: 200, length: Some(12), is_chunked: false };
        assert_eq!(parse(text), Ok(Some((head, text.len() - 2))));
        assert_eq!(parse(&text[..30]), Ok(None));
        assert!(parse(b"SSH-2.0-OpenSSH_9.2p1\r\n").is_err());
        let endless = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &vec![b'x'; MOST_HEAD]].concat();
        assert!(parse(&endless).unwrap_err().text.contains("too long"));
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&[b"HTTP/1.1 200 OK\r\n".as_slice(), &bytes].concat());
        }
    }
}
