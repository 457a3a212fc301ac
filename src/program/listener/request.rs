//! One request: refused if no route should see it, else taken in and dispatched into Rocket.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, Version};
use rocket::futures::FutureExt;
use rocket::futures::future::{Either, ready};
use rocket::http::uri::Origin;
use rocket::http::{Header, Method as RocketMethod, Status};
use rocket::local::asynchronous::LocalRequest;
use rocket::tokio::sync::oneshot;
use rocket::tokio::time::timeout;

use super::Service;
use super::answer::Body;
use super::check::peer;
use super::refusals::is_for_a_program;
use crate::sites::authz::is_for_proxies;
use crate::web::peer::is_trusted;
use crate::web::{Refusal, return_to};

const MOST_TARGET_BYTES: usize = return_to::MOST_BYTES;

/// How much a head may be.
#[derive(Clone, Copy)]
pub(super) struct HeadLimits {
    /// Request line and headers together.
    pub bytes: usize,
    /// Name and value of one header.
    field: usize,
}

impl HeadLimits {
    const USUAL: Self = Self {
        bytes: 24 * 1_024,
        field: 8 * 1_024,
    };
    /// A proxy asks with all the cookies of an application, which may keep its state there: 32 KiB of
    /// them, and the rest.
    const OF_PROXIES: Self = Self {
        bytes: 48 * 1_024,
        field: 33 * 1_024,
    };
}

/// Twice the largest form; each route has limits of its own.
const MOST_BODY_BYTES: usize = 32 * 1_024;
/// The one form that brings a file along: twice the largest icon, so that whoever takes one that is too large is told so.
const MOST_ICON_BYTES: usize = 128 * 1_024;

fn most_body_bytes(path: &str) -> usize {
    match path.starts_with("/admin/") && path.ends_with("/icon") {
        true => MOST_ICON_BYTES,
        false => MOST_BODY_BYTES,
    }
}

const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// Fields that decide something: they are text, and those that browsers send once are there once.
const DECISIVE: [&str; 13] = [
    "host",
    "origin",
    "content-type",
    "authorization",
    "sec-fetch-site",
    "sec-fetch-mode",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-proto",
    "x-forwarded-uri",
    "x-original-method",
    "x-original-url",
];
const ONCE: [&str; 5] = [
    "origin",
    "content-type",
    "authorization",
    "sec-fetch-site",
    "sec-fetch-mode",
];

impl Service {
    /// The limits of a connection: hyper has one for all its requests, whatever they ask for.
    pub(super) fn head_limits(&self, remote: Option<SocketAddr>) -> HeadLimits {
        if is_trusted(peer(remote), &self.app.settings.trusted_proxies) {
            HeadLimits::OF_PROXIES
        } else {
            HeadLimits::USUAL
        }
    }

    /// No `async fn`, which keeps what it was given twice: every connection has room for this future, and each
    /// request moves it. What is larger than a check is boxed.
    pub(super) fn answer(
        self: &Arc<Self>,
        remote: Option<SocketAddr>,
        request: Request<Incoming>,
        is_late: bool,
    ) -> impl Future<Output = Response<Body>> + Send + use<> {
        let (head, body) = request.into_parts();
        let is_for_proxies = is_for_proxies(head.uri.path());
        let limits = if is_for_proxies {
            self.head_limits(remote)
        } else {
            HeadLimits::USUAL
        };
        let late = is_late.then(Refusal::unavailable);
        if let Some(refusal) = late.or_else(|| refusal(&head, limits)) {
            return Either::Right(ready(self.refuse(&head, &refusal)).boxed());
        }
        let service = self.clone();
        if is_for_proxies {
            let has_body = !body.is_end_stream();
            Either::Left(service.check(remote, head, has_body))
        } else {
            Either::Right(service.read_and_dispatch(remote, head, body).boxed())
        }
    }

    async fn read_and_dispatch(
        self: Arc<Self>,
        remote: Option<SocketAddr>,
        head: Parts,
        body: Incoming,
    ) -> Response<Body> {
        match read_body(body, most_body_bytes(head.uri.path())).await {
            Ok(body) => self.handle(remote, head, body).await,
            Err(refusal) => self.refuse(&head, &refusal),
        }
    }

    /// Any other request is handled to its end when its client goes: what it writes is whole, and
    /// what it was about to answer is true.
    async fn handle(
        self: Arc<Self>,
        remote: Option<SocketAddr>,
        head: Parts,
        body: Vec<u8>,
    ) -> Response<Body> {
        let (tell, told) = oneshot::channel();
        let json = is_for_a_program(&head);
        let service = self.clone();
        let handler = async move {
            match service.request(remote, &head, body) {
                Ok(request) => service.send(request.dispatch().await, tell).await,
                Err(_) => {
                    let _ =
                        tell.send(service.refuse(&head, &Refusal::of_status(Status::BadRequest)));
                }
            }
        };
        self.running.spawn(handler);
        told.await.unwrap_or_else(|_| {
            // It panicked outside of what Rocket catches, or its answer cannot be sent.
            self.tell(&Refusal::of_status(Status::InternalServerError), json)
        })
    }

    /// The request as Rocket takes it: the same as its own listener makes of it.
    fn request<'f>(
        &'f self,
        remote: Option<SocketAddr>,
        head: &'f Parts,
        body: Vec<u8>,
    ) -> Result<LocalRequest<'f>, rocket::http::uri::Error<'f>> {
        let raw = head
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let target = match readable(raw) {
            Cow::Borrowed(target) => Origin::parse(target)?,
            Cow::Owned(target) => Origin::parse_owned(target)?,
        };
        let method = match head.method {
            Method::HEAD => RocketMethod::Head,
            Method::POST => RocketMethod::Post,
            _ => RocketMethod::Get,
        };
        let mut request = self.client.req(method, "/");
        request.inner_mut().set_uri(target);
        for (name, value) in &head.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            request
                .inner_mut()
                .add_header(Header::new(name.as_str(), value));
        }
        if let Some(remote) = remote {
            request.set_remote(remote);
        }
        if !body.is_empty() {
            request.set_body(body);
        }
        Ok(request)
    }
}

/// The bytes of a head as it is written most times: `name: value`.
fn head_bytes(head: &Parts) -> usize {
    let target = head.uri.path_and_query().map_or(0, |it| it.as_str().len());
    let line = head.method.as_str().len() + target + "  HTTP/1.1\r\n".len();
    let fields = head.headers.iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    line + fields.sum::<usize>() + "\r\n".len()
}

/// What is wrong with a request, whatever it asks for.
fn refusal(head: &Parts, limits: HeadLimits) -> Option<Refusal> {
    let status = |status| Some(Refusal::of_status(status));
    let target = head
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    // Absolute and authority forms name a host of their own; `*` names no page.
    if head.uri.authority().is_some() || !target.starts_with('/') {
        return status(Status::BadRequest);
    }
    if target.len() > MOST_TARGET_BYTES {
        return status(Status::UriTooLong);
    }
    if head_bytes(head) > limits.bytes {
        return status(Status::RequestHeaderFieldsTooLarge);
    }
    // Only HTTP/1.0 knows requests without a Host (RFC 9112, 3.2).
    let hosts = head.headers.get_all(HOST).iter().count();
    if hosts > 1 || hosts == 0 && head.version != Version::HTTP_10 {
        return status(Status::BadRequest);
    }
    for (name, value) in &head.headers {
        if name.as_str().len() + value.len() > limits.field {
            return status(Status::RequestHeaderFieldsTooLarge);
        }
        let value = value.as_bytes();
        let is_text = value.is_ascii() || std::str::from_utf8(value).is_ok();
        if !is_text && DECISIVE.contains(&name.as_str()) {
            return status(Status::BadRequest);
        }
    }
    let is_doubled = |name: &&str| head.headers.get_all(*name).iter().nth(1).is_some();
    if head.headers.len() > head.headers.keys_len() && ONCE.iter().any(is_doubled) {
        return status(Status::BadRequest);
    }
    let is_known = [Method::GET, Method::HEAD, Method::POST].contains(&head.method);
    if !is_known && !is_for_proxies(head.uri.path()) {
        return status(Status::MethodNotAllowed);
    }
    None
}

/// The whole body, if it is short and arrives in time.
async fn read_body(body: Incoming, most: usize) -> Result<Vec<u8>, Refusal> {
    if body.is_end_stream() {
        return Ok(Vec::new());
    }
    if body.size_hint().lower() > most as u64 {
        return Err(Refusal::too_large());
    }
    match timeout(BODY_TIMEOUT, Limited::new(body, most).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes().into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::too_large()),
        Ok(Err(_)) => Err(Refusal::incomplete_body()),
        Err(_) => Err(Refusal::of_status(Status::RequestTimeout)),
    }
}

/// The target as Rocket's parser wants it, with the same meaning: what RFC 3986 has no place for, and
/// browsers send all the same, is percent-encoded.
fn readable(target: &str) -> Cow<'_, str> {
    let stands =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%[]".contains(&byte);
    let bytes = target.as_bytes();
    let is_escape = |at: usize| {
        let digits = bytes.get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let is_fine = |at: usize| stands(bytes[at]) && (bytes[at] != b'%' || is_escape(at));
    if (0..bytes.len()).all(is_fine) {
        return Cow::Borrowed(target);
    }
    let mut encoded = String::with_capacity(target.len() + 16);
    for (at, &byte) in bytes.iter().enumerate() {
        if is_fine(at) {
            encoded.push(byte.into());
        } else {
            encoded += percent_encoding::percent_encode_byte(byte);
        }
    }
    Cow::Owned(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_made_readable_without_another_meaning() {
        for (sent, read) in [
            ("/a?b=c&d[]=%7C", "/a?b=c&d[]=%7C"),
            ("/a|b{c}^`\\", "/a%7Cb%7Bc%7D%5E%60%5C"),
            ("/100%", "/100%25"),
            ("/%zz%2", "/%25zz%252"),
        ] {
            assert_eq!(readable(sent), read);
            let decode =
                |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
            assert_eq!(decode(sent), decode(read));
        }
    }
}
