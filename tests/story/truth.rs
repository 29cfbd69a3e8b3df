//! What the application says of itself, by which every answer is judged.

use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;

use crate::support::server::say;

/// Its state at a moment.
#[derive(Clone, Debug)]
pub struct Truth {
    /// When it was asked.
    pub at: Instant,
    /// Its pid, as it knows it.
    pub pid: u64,
    /// Objects in the pool.
    pub pooled: u64,
    /// Streams of the log that are open.
    pub streams: u64,
    /// `process.memoryUsage().rss`, in bytes.
    pub rss: u64,
    /// The most that V8 lets its heap grow to, in bytes.
    pub heap_limit: u64,
}

impl Truth {
    /// Asks through nginx; `None` while nobody answers.
    pub fn ask(port: u16) -> Option<Self> {
        let body = get(port, "/truth")?;
        let told: Value = serde_json::from_str(&body).ok()?;
        let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{told}"));
        Some(Self {
            at: Instant::now(),
            pid: number(&told["pid"]),
            pooled: number(&told["pooled"]),
            streams: number(&told["streams"]),
            rss: number(&told["memory"]["rss"]),
            heap_limit: number(&told["heap_limit"]),
        })
    }

    /// How much something grew a minute since an earlier moment.
    pub fn rate(&self, before: &Self, of: impl Fn(&Self) -> u64) -> f64 {
        let minutes = (self.at - before.at).as_secs_f64() / 60.0;
        (of(self) as f64 - of(before) as f64) / minutes
    }
}

/// What nginx answers to a request; `None` where it does not, or not with a 200.
pub fn get(port: u16, path: &str) -> Option<String> {
    let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: shop.example\r\n\r\n");
    let answer = say(stream, request.as_bytes());
    (answer.status == 200).then_some(answer.body)
}
