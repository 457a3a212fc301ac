//! What a request is for: a page that a person opens, or anything else.

use std::borrow::Cow;

/// Headers of a request, whichever library read them.
pub trait Headers {
    /// The first value of a header, by its name in lower case.
    fn first(&self, name: &str) -> Option<Cow<'_, str>>;
}

impl Headers for rocket::http::HeaderMap<'_> {
    fn first(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get_one(name).map(Cow::Borrowed)
    }
}

impl Headers for hyper::HeaderMap {
    fn first(&self, name: &str) -> Option<Cow<'_, str>> {
        let value = self.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()))
    }
}

/// Whether a browser opens this as a page, and not ahead of time.
pub fn navigates(headers: &impl Headers) -> bool {
    is_navigation(headers) && headers.first("sec-purpose").is_none()
}

/// Whether the page is to be shown within another, where no page of ours is shown.
pub fn is_framed(headers: &impl Headers) -> bool {
    let destination = headers.first("sec-fetch-dest").unwrap_or_default();
    ["iframe", "frame", "embed", "object", "fencedframe"].contains(&destination.as_ref())
}

/// Whether a program asks, which is better answered in JSON than with a page.
pub fn prefers_json(headers: &impl Headers) -> bool {
    let accept = headers.first("accept").unwrap_or_default();
    accept.starts_with("application/json")
}

/// Whether this is for a page. Browsers without Sec-Fetch headers are told by `Accept`.
pub fn is_navigation(headers: &impl Headers) -> bool {
    match headers.first("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => {
            let accept = headers.first("accept").unwrap_or_default();
            accept.contains("text/html") && headers.first("x-requested-with").is_none()
        }
    }
}
