//! A request of a proxy, in plain HTTP types: as the program's listener reads it, and whoever has another.

use std::borrow::Cow;
use std::net::IpAddr;

use hyper::header::{
    CONTENT_LENGTH, COOKIE, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use hyper::{Method, Uri};

/// The head of a request, and who sent it.
#[derive(Clone, Debug)]
pub struct ProxyRequest {
    pub method: Method,
    /// Path and query, as they came.
    pub target: Uri,
    headers: HeaderMap,
    /// The other end of the socket.
    pub peer: IpAddr,
    has_body: bool,
}

impl ProxyRequest {
    /// `has_body` says that more follows than the head, whatever that says.
    #[must_use]
    pub fn new(
        method: Method,
        target: Uri,
        mut headers: HeaderMap,
        peer: IpAddr,
        has_body: bool,
    ) -> Self {
        let announces_body = |(name, value): (&HeaderName, &HeaderValue)| match *name {
            CONTENT_LENGTH => value != "0",
            TRANSFER_ENCODING => true,
            _ => false,
        };
        let is_announced = headers.iter().any(announces_body);
        make_text(&mut headers);
        Self {
            method,
            target,
            headers,
            peer: peer.to_canonical(),
            has_body: has_body || is_announced,
        }
    }

    #[must_use]
    pub fn path(&self) -> &str {
        self.target.path()
    }

    #[must_use]
    pub fn path_and_query(&self) -> &str {
        self.target
            .path_and_query()
            .map_or("/", |target| target.as_str())
    }

    /// Nothing that is asked about comes with a body.
    #[must_use]
    pub fn has_body(&self) -> bool {
        self.has_body
    }

    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The `Cookie` headers.
    pub fn cookies(&self) -> impl Iterator<Item = &str> {
        self.headers.get_all(COOKIE).into_iter().map(text)
    }
}

/// A value of a request.
pub fn text(value: &HeaderValue) -> &str {
    // It is text since `make_text`.
    std::str::from_utf8(value.as_bytes()).unwrap_or_default()
}

/// What is no text is replaced, so that what stands beside it is still read.
fn make_text(headers: &mut HeaderMap) {
    let is_ascii = |value: &&mut HeaderValue| value.as_bytes().is_ascii();
    for value in headers.values_mut().filter(|value| !is_ascii(value)) {
        let replaced = match String::from_utf8_lossy(value.as_bytes()) {
            Cow::Borrowed(_) => continue,
            Cow::Owned(text) => HeaderValue::from_bytes(text.as_bytes()),
        };
        *value = replaced.unwrap_or(HeaderValue::from_static(""));
    }
}
