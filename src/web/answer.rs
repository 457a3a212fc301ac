//! Answers: what handlers give back.

use std::borrow::Cow;
use std::io::Cursor;
use std::sync::Arc;

use hyper::header::{
    ALLOW, CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE,
};
use rocket::http::{Header, Status};
use rocket::response::{self, Responder, Response};
use rocket::{Request, serde::json};
use serde::Serialize;

use super::denials::count_denial;
use super::pages::{Page, Templates};
use super::{ErrorPage, Link, Refusal, headers, wants_json};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::person::Person;

/// A header of an answer.
pub(crate) type OwnHeader = (HeaderName, Cow<'static, str>);

pub(crate) const HTML: &str = "text/html; charset=utf-8";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
/// UTF-8 by its definition (RFC 8259, 8.1): it has no charset parameter.
pub(crate) const JSON: &str = "application/json";
pub(crate) const CSS: &str = "text/css; charset=utf-8";
pub(crate) const SCRIPT: &str = "text/javascript; charset=utf-8";
pub(crate) const SVG: &str = "image/svg+xml";

/// Of its own, most times.
const MOST_HEADERS: usize = 8;

/// A finished answer.
#[derive(Clone, Debug)]
pub struct Answer {
    status: Status,
    content_type: &'static str,
    body: String,
    headers: Vec<OwnHeader>,
}

impl Answer {
    /// A page; `viewer` is whom its top bar names.
    ///
    /// # Errors
    /// The template is at fault.
    pub fn page<P: Page>(
        app: &App,
        status: Status,
        page: &P,
        viewer: Option<&dyn Person>,
    ) -> Result<Self, Error> {
        let body = app.state::<Templates>().render(page, viewer)?;
        let answer = Self::new(status, HTML, body);
        if !page.asks_for_passkey() {
            return Ok(answer);
        }
        let headers = headers::OF_PASSKEY_PAGES.into_iter();
        Ok(headers.fold(answer, |answer, (name, value)| answer.header(name, value)))
    }

    /// To a path of this service, with GET.
    #[must_use]
    pub fn see_other(path: &str) -> Self {
        Self::text(Status::SeeOther, String::new()).header(LOCATION, path.to_owned())
    }

    #[must_use]
    pub fn json<T: Serialize>(status: Status, value: &T) -> Self {
        Self::new(status, JSON, json::to_string(value).unwrap_or_default())
    }

    #[must_use]
    pub fn text(status: Status, body: String) -> Self {
        Self::new(status, TEXT, body)
    }

    fn new(status: Status, content_type: &'static str, body: String) -> Self {
        Self {
            status,
            content_type,
            body,
            headers: Vec::with_capacity(MOST_HEADERS),
        }
    }

    #[must_use]
    pub fn content_type(self, content_type: &'static str) -> Self {
        Self {
            content_type,
            ..self
        }
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With a `Set-Cookie`.
    #[must_use]
    pub fn cookie(self, set_cookie: String) -> Self {
        self.header(SET_COOKIE, set_cookie)
    }

    /// A redirect that a window goes through without losing the page that opened it: there is nothing to
    /// see here, which that page could meddle with.
    #[must_use]
    pub fn keep_opener(self) -> Self {
        self.header(headers::OPENER_POLICY, "unsafe-none")
    }

    /// Status, headers and body, for an answer that Rocket does not send.
    pub(crate) fn into_parts(mut self) -> (Status, Vec<OwnHeader>, String) {
        self.headers.push((CONTENT_TYPE, self.content_type.into()));
        (self.status, self.headers, self.body)
    }

    /// Names the challenge of a 401 (RFC 9110, 11.6.1). Never Basic: browsers would ask by themselves.
    #[must_use]
    pub fn challenge(self) -> Self {
        self.header(WWW_AUTHENTICATE, "Vestibule")
    }
}

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let (status, headers, body) = self.into_parts();
        let mut response = Response::build();
        response
            .status(status)
            .sized_body(body.len(), Cursor::new(body));
        for (name, value) in headers {
            response.header_adjoin(Header::new(name.as_str().to_owned(), value));
        }
        response.ok()
    }
}

/// Why a handler gave no answer: a refusal that it tells, or something that broke.
#[derive(Debug)]
pub enum Failure {
    Refused(Box<Refusal>),
    /// With the way back, for another try.
    Broke(Error, Option<Box<Link>>),
}

impl Failure {
    /// With the way back, unless it says where to go by itself.
    #[must_use]
    pub fn back(self, href: &str, text: &str) -> Self {
        match self {
            Self::Refused(refusal) if refusal.link.is_none() => {
                Self::Refused(Box::new(refusal.link(href, text)))
            }
            Self::Broke(error, None) => Self::Broke(error, Some(Box::new(Link::new(href, text)))),
            told => told,
        }
    }

    /// What is told of it; what broke is logged.
    pub(crate) fn into_refusal(self, request: &Request<'_>) -> Refusal {
        match self {
            Self::Refused(refusal) => *refusal,
            Self::Broke(error, link) => {
                report(&error, request);
                Refusal {
                    link,
                    ..Refusal::of_status(error.status())
                }
            }
        }
    }
}

/// Logs what broke, and notes what it tells of the database.
pub(crate) fn report(error: &Error, request: &Request<'_>) {
    tracing::error!(path = %request.uri().path(), "{error}");
    if let Some(app) = request.rocket().state::<Arc<App>>() {
        app.note(error);
    }
}

/// So that a host's handler can hand it on with `?`; the host's own catcher answers.
impl<'r> Responder<'r, 'static> for Error {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        report(&self, request);
        Err(self.status())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Broke(error, None)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Broke(error.into(), None)
    }
}

impl<'r> Responder<'r, 'static> for Failure {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let refusal = self.into_refusal(request);
        count_denial(request, refusal.reason());
        refusal.respond_to(request)
    }
}

impl<'r> Responder<'r, 'static> for Refusal {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let app = request.rocket().state::<Arc<App>>();
        self.answer(app.map(Arc::as_ref), wants_json(request))
            .respond_to(request)
    }
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    error: &'a str,
    message: &'a str,
}

impl Refusal {
    fn as_json(&self) -> Answer {
        Answer::json(
            self.status,
            &ErrorJson {
                error: self.code,
                message: &self.message,
            },
        )
    }

    /// For a program, or as a page.
    pub(crate) fn answer(&self, app: Option<&App>, json: bool) -> Answer {
        let answer = if json {
            self.as_json()
        } else {
            self.as_page(app)
        };
        let answer = match self.status {
            // RFC 9110, 15.5.6: what is allowed is said.
            Status::MethodNotAllowed => answer.header(ALLOW, "GET, HEAD, POST"),
            _ => answer,
        };
        match self.retry_after {
            Some(wait) => answer.header(RETRY_AFTER, wait.as_secs().max(1).to_string()),
            None => answer,
        }
    }

    pub(crate) fn as_page(&self, app: Option<&App>) -> Answer {
        let page =
            app.and_then(|app| Answer::page(app, self.status, &ErrorPage::of(self), None).ok());
        page.unwrap_or_else(|| Answer::text(self.status, self.message.clone()))
    }
}
