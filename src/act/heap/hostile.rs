//! Servers that answer as no inspector does. They listen in this very process, so that the proof of who answers holds.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::door;
use super::error::{HeapError, Why};
use super::session::{Event, Session};
use super::wire::Patience;
use crate::act::control::Control;
use crate::act::process::Held;
use crate::collect::parse::parse_stat;
use crate::collect::root::ProcRoot;
use crate::model::key::ProcessKey;

const ID: &str = "0f2c936f-b1cd-4ac9-aab3-f63b0f33d55e";

fn key(pid: u32) -> ProcessKey {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).unwrap();
    ProcessKey { pid, start_time: parse_stat(&stat).unwrap().start_time }
}

/// Answers the first connection with the list of inspectors, and the second by `answer` after its request.
fn serve(answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> SocketAddr {
    let list = format!(r#"[{{"id":"{ID}","type":"node"}}]"#);
    let list = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{list}", list.len());
    serve_list(list.into_bytes(), answer)
}

fn serve_list(list: Vec<u8>, answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream);
        // Whoever has seen enough closes.
        let _ = stream.write_all(&list);
        let (mut second, _) = listener.accept().unwrap();
        read_request(&mut second);
        answer(&mut second);
        // It stays open until the other side closes.
        let _ = second.read_to_end(&mut Vec::new());
    });
    address
}

fn read_request(stream: &mut TcpStream) {
    let mut bytes = Vec::new();
    let mut part = [0; 1024];
    while !bytes.windows(4).any(|end: &[u8]| end == b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(count) if count > 0 => bytes.extend(&part[..count]),
            _ => return,
        }
    }
}

const UPGRADE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

/// A text frame of a server.
fn frame(text: &str) -> Vec<u8> {
    let length = text.len() as u64;
    [&[0x81, 127], &length.to_be_bytes()[..], text.as_bytes()].concat()
}

/// Finds the inspector at an address, and calls it.
fn call(address: SocketAddr) -> Result<usize, HeapError> {
    let (root, control) = (ProcRoot::live(), Control::new(Duration::ZERO));
    let held = Held::open(&root, key(std::process::id())).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let patience = Patience { control: &control, held: Some(&held), deadline };
    let socket = door::listening(&held)?.into_iter().find(|socket| socket.local == address).unwrap();
    let door = door::ask(&held, &socket, patience)?;
    let mut session = Session::open(&held, &door, patience)?;
    let mut bytes = 0;
    session.call("HeapProfiler.takeHeapSnapshot", &serde_json::json!({}), |event| {
        if let Event::Chunk(chunk) = event {
            bytes += chunk.len();
        }
        if bytes > 1 << 20 { Err(HeapError::failed("it sends more than it may")) } else { Ok(()) }
    })?;
    Ok(bytes)
}

fn answered(parts: Vec<Vec<u8>>) -> Result<usize, HeapError> {
    call(serve(move |stream| {
        for part in parts {
            // Whoever has seen enough closes.
            let _ = stream.write_all(&part);
        }
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }))
}

const CHUNK: &str = r#"{"method":"HeapProfiler.addHeapSnapshotChunk","params":{"chunk":"{\"snapshot\":"}}"#;

#[test]
fn events_come_before_the_answer_and_others_are_passed_over() {
    let noise = r#"{"method":"Runtime.executionContextCreated","params":{"context":{"id":1}}}"#;
    let ping = [0x89, 2, b'h', b'i'].to_vec();
    let mut split = frame(CHUNK);
    // The same in two fragments, with a ping between them.
    split[0] = 0x01;
    let end = [&[0x80, 0][..]].concat();
    let parts = vec![UPGRADE.to_vec(), frame(noise), split, ping, end, frame(r#"{"id":1,"result":{}}"#)];
    assert_eq!(answered(parts), Ok(12));
}

#[test]
fn answers_that_make_no_sense_end_the_call_with_a_reason() {
    let frames = |bytes: Vec<u8>| answered(vec![UPGRADE.to_vec(), bytes]).unwrap_err().text;
    for (told, reason) in [
        (answered(vec![b"HTTP/1.1 200 OK\r\n\r\n".to_vec()]).unwrap_err().text, "it opens no WebSocket: status 200"),
        (answered(vec![vec![b'x'; 64 << 10]]).unwrap_err().text, "does not answer as an HTTP server does"),
        (answered(Vec::new()).unwrap_err().text, "closed the connection without an answer"),
        (frames(Vec::new()), "it closed the connection"),
        (frames(frame("{")), "can't be read"),
        (
            frames(frame(r#"{"id":1,"error":{"code":-32601,"message":"'x' wasn't\u001b[2J found"}}"#)),
            "wasn't\\x1b[2J found",
        ),
        (frames([0x81, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff].to_vec()), "a frame is too long"),
        (frames([0x81, 0x85, 0, 0, 0, 0, 1, 2, 3, 4, 5].to_vec()), "masked"),
        (frames(frame(CHUNK).repeat(100_000)), "it sends more than it may"),
    ] {
        assert!(told.contains(reason), "{reason}: {told}");
    }
}

#[test]
fn what_lists_no_inspector_is_none() {
    for (answer, reason) in [
        ("HTTP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n[]", "with more than"),
        ("HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n", "with status 404"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "in chunks"),
        ("HTTP/1.0 200 OK\r\nContent-Length: 28\r\n\r\n[{\"id\":\"a b\",\"type\":\"node\"}]", "lists no inspector"),
        ("\x00\x01\x02\x03\r\n\r\n", "does not answer as an HTTP server does"),
    ] {
        let told = call(serve_list(answer.as_bytes().to_vec(), |_| {})).unwrap_err().text;
        assert!(told.contains(reason), "{reason}: {told}");
    }
}

#[test]
fn another_processs_socket_is_told_from_the_ones_of_the_process() {
    let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let (root, control) = (ProcRoot::live(), Control::new(Duration::ZERO));
    let held = Held::open(&root, key(child.id())).unwrap();
    let patience =
        Patience { control: &control, held: Some(&held), deadline: Instant::now() + Duration::from_secs(20) };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let wire = door::connect(&held, listener.local_addr().unwrap(), patience).unwrap();
    let _accepted = listener.accept().unwrap();
    let refused = door::prove(&held, &wire).unwrap_err();
    assert!(refused.why == Why::Refused && refused.text.contains("is another process"), "{refused}");
    assert!(door::listening(&held).unwrap().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
}
