//! Facts as JSON in a POST to a plain http address. For https there is curl, by a hook.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Posts a JSON text within the time. `Ok` is the status, where it is one of 2xx.
pub fn post(url: &str, json: String, timeout: Duration) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("{url}: {error}"))?;
    let posted = runtime.block_on(async { tokio::time::timeout(timeout, send(url, json)).await });
    match posted {
        Ok(result) => result.map_err(|why| format!("{url}: {why}")),
        Err(_) => Err(format!("{url}: no answer within {} s", timeout.as_secs_f64())),
    }
}

async fn send(url: &str, json: String) -> Result<String, String> {
    let uri: Uri = url.parse().map_err(|error| format!("it is no address: {error}"))?;
    let authority = uri.authority().ok_or("it names no host")?;
    let host = authority.host().trim_matches(['[', ']']);
    let stream =
        TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await.map_err(|error| error.to_string())?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let request = Request::post(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, authority.as_str())
        .header(USER_AGENT, concat!("memtide/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(json)))
        .map_err(|error| error.to_string())?;
    let answer = async {
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        // The answer's text is of no interest; a frame of it shows that the whole request was taken.
        let _ = answer.into_body().frame().await;
        if status.is_success() { Ok(status.to_string()) } else { Err(format!("the answer was {status}")) }
    };
    tokio::pin!(answer);
    // Who closes the connection at once has perhaps answered before.
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    fn server(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?a=b", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = Vec::new();
            let mut buffer = [0; 1024];
            while !text.ends_with(b"}") {
                let length = stream.read(&mut buffer).unwrap();
                assert!(length > 0);
                text.extend_from_slice(&buffer[..length]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(text).unwrap()
        });
        (url, thread)
    }

    #[test]
    fn facts_are_posted_as_json() {
        let (url, thread) = server("HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(post(&url, "{\"a\":1}".into(), Duration::from_mins(1)), Ok("204 No Content".into()));
        let text = thread.join().unwrap();
        assert!(text.starts_with("POST /hook?a=b HTTP/1.1\r\n") && text.ends_with("\r\n\r\n{\"a\":1}"), "{text}");
        assert!(text.to_ascii_lowercase().contains("content-type: application/json"), "{text}");
    }

    #[test]
    fn a_refusal_a_silence_and_an_absence_are_told() {
        let (url, thread) = server("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n");
        assert!(post(&url, "{}".into(), Duration::from_mins(1)).unwrap_err().contains("500"));
        thread.join().unwrap();
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", silent.local_addr().unwrap());
        assert!(post(&url, "{}".into(), Duration::from_millis(100)).unwrap_err().contains("no answer within"));
        drop(silent);
        assert!(post(&url, "{}".into(), Duration::from_mins(1)).unwrap_err().contains("refused"));
    }
}
