//! The method and target of a request as they came, where Rocket's own words for them fall short:
//! it knows nine methods, and its targets are those of RFC 3986.

use std::borrow::Cow;

use rocket::Request;

struct Raw {
    method: String,
    target: String,
}

pub(crate) struct Received;

impl Received {
    /// Keeps what came beside the request that Rocket was given in its place.
    pub fn keep(request: &Request<'_>, method: &str, target: &str) {
        request.local_cache(|| {
            Some(Raw {
                method: method.to_owned(),
                target: target.to_owned(),
            })
        });
    }

    pub fn method<'r>(request: &'r Request<'_>) -> &'r str {
        match request.local_cache(|| None::<Raw>) {
            Some(raw) => &raw.method,
            None => request.method().as_str(),
        }
    }

    /// Path and query.
    pub fn target<'r>(request: &'r Request<'_>) -> Cow<'r, str> {
        match request.local_cache(|| None::<Raw>) {
            Some(raw) => Cow::Borrowed(&raw.target),
            None => Cow::Owned(request.uri().to_string()),
        }
    }
}
