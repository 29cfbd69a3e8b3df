//! The answer to a request: the page of metrics to who may see it.

use std::net::IpAddr;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};

use super::page::Page;
use super::token::Token;
use crate::export::metrics::encode::Format;

/// What is served, and to whom.
pub struct Site {
    page: Page,
    token: Option<Token>,
}

impl Site {
    /// A page, to everybody who can connect or, where there is a token, to who shows it.
    pub fn new(page: Page, token: Option<Token>) -> Self {
        Self { page, token }
    }

    /// Answers a request by its head; a body is not read.
    pub(super) fn answer<B>(&self, request: &Request<B>, is_network: bool) -> Response<Full<Bytes>> {
        let header = |name: HeaderName| request.headers().get(name).map(HeaderValue::as_bytes);
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return with(words(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD"), ALLOW, "GET, HEAD");
        }
        match &self.token {
            Some(token) if !header(AUTHORIZATION).is_some_and(|shown| token.is_shown_by(shown)) => {
                let refusal = words(StatusCode::UNAUTHORIZED, "a bearer token is needed");
                return with(refusal, WWW_AUTHENTICATE, "Bearer realm=\"memtide\"");
            }
            // A page in a browser on this machine may be made to ask here under a name of its own.
            None if is_network && header(HOST).is_some_and(|host| !is_own_name(host)) => {
                return words(StatusCode::MISDIRECTED_REQUEST, "without a token, only by localhost or an IP address");
            }
            _ => {}
        }
        match request.uri().path() {
            "/metrics" => {
                let accept = header(ACCEPT).and_then(|accept| std::str::from_utf8(accept).ok()).unwrap_or_default();
                let format = Format::of_accept(accept);
                match self.page.text(format) {
                    Ok(text) => with(Response::new(Full::new(text)), CONTENT_TYPE, format.content_type()),
                    Err(why) => with(words(StatusCode::SERVICE_UNAVAILABLE, &why), RETRY_AFTER, "1"),
                }
            }
            "/" => words(StatusCode::OK, "memtide: the metrics are at /metrics"),
            _ => words(StatusCode::NOT_FOUND, "only /metrics"),
        }
    }
}

/// A line of text.
fn words(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{text}\n"))));
    *response.status_mut() = status;
    with(response, CONTENT_TYPE, "text/plain; charset=utf-8")
}

fn with(mut response: Response<Full<Bytes>>, name: HeaderName, value: &'static str) -> Response<Full<Bytes>> {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

/// Whether a `Host` header is a name that only this machine has for itself, or an address.
fn is_own_name(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_localhost_are_our_names_and_no_other() {
        for host in ["localhost", "LocalHost:9982", "127.0.0.1:9982", "[::1]:9982", "10.0.0.7"] {
            assert!(is_own_name(host.as_bytes()), "{host}");
        }
        for host in
            ["evil.example", "evil.example:9982", "localhost.evil.example", "127.0.0.1.evil.example", "", "\u{e9}"]
        {
            assert!(!is_own_name(host.as_bytes()), "{host}");
        }
    }
}
