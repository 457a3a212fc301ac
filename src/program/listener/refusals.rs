//! Refusals that are made before Rocket: with the headers and pages of all others.

use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONNECTION};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use rocket::http::Status;
use tokio_util::either::Either;

use super::answer::{Body, whole, with_common_headers};
use super::{Service, Stream};
use crate::foundation::app::App;
use crate::web::denials::count;
use crate::web::{OwnHeader, Refusal, headers};

impl Service {
    /// A refusal, as a page or for a program; then the connection is closed, for what is left of such
    /// a request is not read.
    pub(super) fn refuse(&self, head: &Parts, refusal: &Refusal) -> Response<Body> {
        self.tell(refusal, is_for_a_program(head))
    }

    pub(super) fn tell(&self, refusal: &Refusal, json: bool) -> Response<Body> {
        let plain = PlainRefusal::of(&self.app, refusal, json);
        let mut response = Response::new(whole(Bytes::from(plain.body)));
        *response.status_mut() = StatusCode::from_u16(plain.status.code).unwrap_or_default();
        let own = plain
            .headers
            .into_iter()
            .chain([(CONNECTION, "close".into())]);
        *response.headers_mut() =
            with_common_headers(&self.common, own).expect("a refusal's headers are constants");
        response
    }

    /// Tells a connection that there is no room, without reading what it asks. Whoever cannot take it
    /// in at once goes without.
    pub(super) fn reject(&self, stream: &Stream) {
        let page = as_bytes(&self.app, 503);
        let _ = match &stream.io {
            Either::Left(tcp) => tcp.try_write(&page),
            Either::Right(unix) => unix.try_write(&page),
        };
    }
}

pub(super) fn is_for_a_program(head: &Parts) -> bool {
    let accept = head.headers.get(ACCEPT);
    head.uri.path().starts_with("/api/")
        || accept.is_some_and(|accept| accept.as_bytes().starts_with(b"application/json"))
}

/// A whole page as it is sent, after which the connection is closed.
pub(super) fn as_bytes(app: &App, status: u16) -> Vec<u8> {
    let plain = PlainRefusal::of(app, &Refusal::of_status(Status::new(status)), false);
    let Status { code } = plain.status;
    let reason = plain.status.reason_lossy();
    let length = plain.body.len();
    let mut page =
        format!("HTTP/1.1 {code} {reason}\r\nconnection: close\r\ncontent-length: {length}\r\n");
    let common = headers::of_every_answer(app).map(|(name, value)| (name, value.into()));
    for (name, value) in plain.headers.into_iter().chain(common) {
        page += &format!("{name}: {value}\r\n");
    }
    page += "\r\n";
    page += &plain.body;
    page.into_bytes()
}

struct PlainRefusal {
    status: Status,
    /// Without those of every answer.
    headers: Vec<OwnHeader>,
    body: String,
}

impl PlainRefusal {
    fn of(app: &App, refusal: &Refusal, json: bool) -> Self {
        if let Some(reason) = refusal.reason() {
            count(app, reason);
        }
        let (status, headers, body) = refusal.answer(Some(app), json).into_parts();
        Self {
            status,
            headers,
            body,
        }
    }
}
