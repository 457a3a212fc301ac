//! Request guards: who asks.
//!
//! Each request looks its session up once, whatever number of guards ask.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use rocket::http::Status;
use rocket::outcome::{Outcome, try_outcome};
use rocket::request::{self, FromRequest};
use rocket::{Request, Rocket, Sentinel};

use super::{Session, resume};
use crate::foundation::app::App;
use crate::foundation::token::{Token, TokenHash};
use crate::people::users::User;
use crate::web::cookies::{Found, HostCookie};
use crate::web::denials::{Denied, Reason, count_denial};
use crate::web::{ResponseExtras, report};

/// The session that a request belongs to, with its user.
///
/// Fails for a visitor who is not signed in: a page then sends a browser to sign in and back, and
/// answers 401 to anything else. With `Option<CurrentSession>` a failing database reads as `None`;
/// with `Result<CurrentSession, Denied>` the two can be told apart.
///
/// A host's own 401 to a visitor who is not signed in becomes a way to sign in too, unless it names
/// its challenge in `WWW-Authenticate`.
#[derive(Clone)]
pub struct CurrentSession {
    pub session: Session,
    pub user: User,
    pub(crate) token_hash: TokenHash,
    pub(crate) app: Arc<App>,
}

/// The user who asks. Fails as [`CurrentSession`] does, and for a user who must choose another
/// password first.
#[derive(Clone, Debug)]
pub struct CurrentUser(pub User);

/// The user who asks, if that is an admin; 403 for any other user.
#[derive(Clone, Debug)]
pub struct Admin(pub User);

/// Who presented what; the same for all guards of a request.
enum Lookup {
    Nobody,
    Somebody(Box<CurrentSession>),
    Failed,
}

async fn look_up(request: &Request<'_>, app: &Arc<App>) -> Lookup {
    let Some(token) = presented(request, app) else {
        return Lookup::Nobody;
    };
    match resume(app, &token).await {
        Ok(None) => Lookup::Nobody,
        Ok(Some((session, user))) => Lookup::Somebody(Box::new(CurrentSession {
            session,
            user,
            token_hash: token.hash(),
            app: app.clone(),
        })),
        Err(error) => {
            report(&error, request);
            Lookup::Failed
        }
    }
}

/// The token in the request's session cookie; none if it is missing, malformed or there twice.
fn presented(request: &Request<'_>, app: &App) -> Option<Token> {
    match HostCookie::session(&app.settings).find(request.headers().get("cookie")) {
        Found::One(value) => Token::parse(value),
        Found::Nothing => None,
        Found::Several => {
            count_denial(request, Some(Reason::TwoCookies));
            tracing::warn!("two session cookies in one request: neither is believed");
            let host = app.settings.url().host_str().unwrap_or_default();
            let expired = HostCookie::session(&app.settings).expire_everywhere(host);
            let _ = ResponseExtras::of(request).expired.set(expired);
            None
        }
    }
}

fn deny<T>(request: &Request<'_>, status: Status, denied: Denied) -> request::Outcome<T, Denied> {
    let _ = ResponseExtras::of(request).denied.set(denied);
    Outcome::Error((status, denied))
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for CurrentSession {
    type Error = Denied;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Denied> {
        let Some(app) = request.rocket().state::<Arc<App>>() else {
            return deny(request, Status::ServiceUnavailable, Denied::Unavailable);
        };
        match request.local_cache_async(look_up(request, app)).await {
            Lookup::Somebody(current) => Outcome::Success((**current).clone()),
            Lookup::Nobody => deny(request, Status::Unauthorized, Denied::Unauthenticated),
            Lookup::Failed => deny(request, Status::ServiceUnavailable, Denied::Unavailable),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for CurrentUser {
    type Error = Denied;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Denied> {
        let current = try_outcome!(CurrentSession::from_request(request).await);
        if current.user.must_change_password {
            return deny(request, Status::Forbidden, Denied::PasswordChangeRequired);
        }
        Outcome::Success(Self(current.user))
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Admin {
    type Error = Denied;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Denied> {
        let CurrentUser(user) = try_outcome!(CurrentUser::from_request(request).await);
        if !user.admin {
            return deny(request, Status::Forbidden, Denied::Forbidden);
        }
        Outcome::Success(Self(user))
    }
}

impl Deref for CurrentUser {
    type Target = User;

    fn deref(&self) -> &User {
        &self.0
    }
}

impl Deref for Admin {
    type Target = User;

    fn deref(&self) -> &User {
        &self.0
    }
}

impl fmt::Debug for CurrentSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurrentSession")
            .field("session", &self.session)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Without the fairing there is no database to ask: better not to launch than to deny everyone.
fn lacks_fairing(rocket: &Rocket<rocket::Ignite>, guard: &str) -> bool {
    let lacks = rocket.state::<Arc<App>>().is_none();
    if lacks {
        tracing::error!(
            "a route asks for {guard}, which needs Vestibule: add .attach(Vestibule::fairing()) to the rocket"
        );
    }
    lacks
}

impl Sentinel for CurrentSession {
    fn abort(rocket: &Rocket<rocket::Ignite>) -> bool {
        lacks_fairing(rocket, "CurrentSession")
    }
}

impl Sentinel for CurrentUser {
    fn abort(rocket: &Rocket<rocket::Ignite>) -> bool {
        lacks_fairing(rocket, "CurrentUser")
    }
}

impl Sentinel for Admin {
    fn abort(rocket: &Rocket<rocket::Ignite>) -> bool {
        lacks_fairing(rocket, "Admin")
    }
}
