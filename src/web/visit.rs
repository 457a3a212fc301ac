//! The guard that each route has: the request is meant for us, and this is where it comes from.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rocket::http::{Accept, MediaType, Method};
use rocket::outcome::Outcome;
use rocket::request::{self, FromRequest};
use rocket::{Ignite, Request, Rocket, Sentinel};

use super::cookies::{Found, HostCookie};
use super::navigation::{is_framed, navigates};
use super::{Refusal, ResponseExtras, origin, peer};
use crate::foundation::app::App;
use crate::foundation::token::Token;

/// A request that was meant for this service.
#[derive(Debug)]
pub struct Visit {
    pub address: IpAddr,
    pub user_agent: String,
}

impl Visit {
    #[must_use]
    pub fn device(&self) -> Device {
        Device {
            address: self.address,
            user_agent: self.user_agent.clone(),
        }
    }
}

/// From where a request comes.
#[derive(Clone, Debug)]
pub struct Device {
    pub address: IpAddr,
    pub user_agent: String,
}

/// Marks one of Vestibule's routes that is there under any Host.
#[derive(Debug)]
pub struct AnyHost;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for &'r App {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Refusal> {
        match request.rocket().state::<Arc<App>>() {
            Some(app) => Outcome::Success(app),
            None => Refusal::unavailable().stop(request),
        }
    }
}

impl Sentinel for &App {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        rocket.state::<Arc<App>>().is_none()
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for AnyHost {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Self::Error> {
        ResponseExtras::of(request)
            .is_ours
            .store(true, Ordering::Relaxed);
        Outcome::Success(Self)
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Visit {
    type Error = Refusal;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Refusal> {
        let Some(app) = request.rocket().state::<Arc<App>>() else {
            return Refusal::unavailable().stop(request);
        };
        ResponseExtras::of(request)
            .is_ours
            .store(true, Ordering::Relaxed);
        if !origin::is_for_us(request, app.settings.url()) {
            return Refusal::misdirected(app.settings.url()).stop(request);
        }
        // Rocket takes a form's `_method=get` for the method: a GET that carries a form is none.
        if matches!(request.method(), Method::Get | Method::Head)
            && request.content_type().is_some_and(|kind| kind.is_form())
        {
            return Refusal::method_override().stop(request);
        }
        Outcome::Success(Self {
            address: peer::client_address(request, &app.settings),
            user_agent: request
                .headers()
                .get_one("user-agent")
                .unwrap_or_default()
                .to_owned(),
        })
    }
}

/// The `Cookie` headers of a request, for cookies other than the session's.
#[derive(Debug)]
pub struct CookieHeaders<'r>(Vec<&'r str>);

impl<'r> CookieHeaders<'r> {
    pub(super) fn of(request: &'r Request<'_>) -> Self {
        Self(request.headers().get("cookie").collect())
    }

    /// The token in one of our cookies; none if it is missing, malformed or there twice.
    #[must_use]
    pub fn token(&self, cookie: HostCookie) -> Option<Token> {
        match cookie.find(self.0.iter().copied()) {
            Found::One(value) => Token::parse(value),
            Found::Nothing | Found::Several => None,
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for CookieHeaders<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Self::Error> {
        Outcome::Success(Self::of(request))
    }
}

/// How a page is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// A person opens it.
    pub as_page: bool,
    /// It is to be shown within another page.
    pub framed: bool,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Opened {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Self::Error> {
        Outcome::Success(Self {
            as_page: navigates(request.headers()),
            framed: is_framed(request.headers()),
        })
    }
}

/// Whether an error is better told in JSON than as a page.
pub(crate) fn wants_json(request: &Request<'_>) -> bool {
    request
        .accept()
        .map(Accept::preferred)
        .is_some_and(|accepted| accepted.media_type() == &MediaType::JSON)
        || request.uri().path().starts_with("/api/")
}
