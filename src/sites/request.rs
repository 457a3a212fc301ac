//! A request of a proxy, in plain HTTP types: as the program's listener reads it, and whoever has another.

use std::borrow::Cow;
use std::net::IpAddr;

use hyper::header::{CONTENT_LENGTH, COOKIE, HeaderMap, HeaderValue, TRANSFER_ENCODING};
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
        let is_announced = headers
            .get_all(CONTENT_LENGTH)
            .iter()
            .any(|length| length != "0")
            || headers.contains_key(TRANSFER_ENCODING);
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

    /// All values of a header, by its name in lower case.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let values = self.headers.get_all(name).into_iter();
        // Values are text since `make_text`.
        values.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
    }

    /// The `Cookie` headers.
    pub fn cookies(&self) -> impl Iterator<Item = &str> {
        self.all(COOKIE.as_str())
    }
}

/// What is no text is replaced, so that what stands beside it is still read.
fn make_text(headers: &mut HeaderMap) {
    for value in headers.values_mut() {
        let replaced = match String::from_utf8_lossy(value.as_bytes()) {
            Cow::Borrowed(_) => continue,
            Cow::Owned(text) => HeaderValue::from_bytes(text.as_bytes()),
        };
        *value = replaced.unwrap_or(HeaderValue::from_static(""));
    }
}
