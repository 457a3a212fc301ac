//! A bare hyper: the headers of an allowed check, and nothing else. No server on hyper answers a check faster.
//!
//!     hyper-hello ADDRESS

use std::convert::Infallible;
use std::error::Error;

use hyper::Response;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// hyper adds content-length and date, as it does to Vestibule's.
static HEADERS: [(HeaderName, HeaderValue); 16] = [
    header("content-type", "text/plain; charset=utf-8"),
    header("remote-user", "alice.johnson"),
    header("remote-name", "Alice Johnson"),
    header("remote-email", "alice.johnson@example.com"),
    header("remote-groups", "board"),
    header("remote-methods", "password"),
    header("cookie", ""),
    header(
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
    ),
    header("x-content-type-options", "nosniff"),
    header("x-frame-options", "DENY"),
    header("referrer-policy", "same-origin"),
    header("cross-origin-opener-policy", "same-origin"),
    header("cross-origin-resource-policy", "same-origin"),
    header(
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    header("vary", "Cookie, Accept"),
    header("cache-control", "no-store"),
];

const fn header(name: &'static str, value: &'static str) -> (HeaderName, HeaderValue) {
    (
        HeaderName::from_static(name),
        HeaderValue::from_static(value),
    )
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("hyper-hello ADDRESS")?;
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = service_fn(async |_| Ok::<_, Infallible>(hello()));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
        tokio::spawn(connection);
    }
}

fn hello() -> Response<String> {
    let mut answer = Response::new(String::new());
    answer.headers_mut().extend(HEADERS.iter().cloned());
    answer
}
