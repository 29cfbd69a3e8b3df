//! The face for machines: answers scrapes over HTTP from the latest update.
//!
//! HTTP is hyper's (1.x, its HTTP/1 server alone, on the runtime that is here already): maintained, fuzzed, and without
//! threads of its own. What it leaves to us is bounded here: connections at a time, the time each may take, the size of
//! a request's head. A connection answers one request, so that who stays silent holds a place for seconds only.

pub mod address;
mod answer;
mod page;
#[cfg(feature = "otlp")]
pub mod push;
pub mod token;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub use answer::Site;
pub use page::{Latest, Page};

use self::address::Listener;

/// Connections that are answered at a time; the rest wait in the kernel's queue.
pub const MOST_CONNECTIONS: u32 = 32;

/// How long a client may take to send the head of its request.
const HEAD_TIME: Duration = Duration::from_secs(3);

/// How long a connection may last, the answer included.
const WHOLE_TIME: Duration = Duration::from_secs(10);

/// The largest head of a request, bytes.
const HEAD_BYTES: usize = 16 << 10;

/// Who is being answered when the end comes gets this long.
const GRACE: Duration = Duration::from_secs(2);

/// Where no file descriptor is left for a connection there may be one a moment later.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Answers until `stop`.
pub async fn run(listeners: Vec<Listener>, site: Arc<Site>, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS as usize));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, Arc::clone(&site), Arc::clone(&places)));
    }
    stop.await;
    accepting.shutdown().await;
    // Whether or not all have got their answer: it was their last chance.
    let _ = timeout(GRACE, places.acquire_many(MOST_CONNECTIONS)).await;
}

async fn accept(listener: Listener, site: Arc<Site>, places: Arc<Semaphore>) {
    // It is closed by nobody.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let accepted = match &listener {
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                let _ = stream.set_nodelay(true);
                tokio::spawn(converse(stream, Arc::clone(&site), true, place));
            }),
            Listener::Unix(listener, _) => listener.accept().await.map(|(stream, _)| {
                tokio::spawn(converse(stream, Arc::clone(&site), false, place));
            }),
        };
        if accepted.is_err() {
            sleep(AFTER_FAILURE).await;
        }
    }
}

/// One request and its answer.
async fn converse<S>(stream: S, site: Arc<Site>, is_network: bool, _place: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| {
        let answer = site.answer(&request, is_network);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut http = http1::Builder::new();
    http.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD_BYTES);
    // A client that breaks off or says nonsense has had its answer from hyper; there is nobody else to tell.
    let _ = timeout(WHOLE_TIME, http.serve_connection(TokioIo::new(stream), service)).await;
}
