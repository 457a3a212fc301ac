//! Request guards: who asks.
//!
//! Each request looks its session up once, whatever number of guards ask. A request that changes
//! something is let through only from a page of this service or of the site that embeds it:
//! browsers send the session's cookie along with forms of siblings, and of other sites in some cases.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use rocket::http::{Method, Status};
use rocket::outcome::{Outcome, try_outcome};
use rocket::request::{self, FromRequest};
use rocket::{Request, Rocket, Sentinel};

use super::{Session, resume};
use crate::foundation::app::App;
use crate::foundation::settings::Required;
use crate::foundation::token::{Token, TokenHash};
use crate::people::users::User;
use crate::web::cookies::{Found, HostCookie};
use crate::web::denials::{Denied, Reason, count_denial};
use crate::web::origin::is_from_us;
use crate::web::{ResponseExtras, report};

/// The session that a request belongs to, with its user.
///
/// Fails for a visitor who is not signed in: a page then sends a browser to sign in and back, and
/// answers 401 to anything else. Fails with 403 where the method is any but GET, HEAD and OPTIONS and
/// the request comes from another origin than `public_url`; [`AnyOrigin`] takes it from everywhere.
///
/// With `Option<CurrentSession>` all of these read as `None`, and so does a failing database; with
/// `Result<CurrentSession, Denied>` they can be told apart.
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
/// password first, or prove or set up a second factor.
#[derive(Clone, Debug)]
pub struct CurrentUser(pub User);

/// The user who asks, if that is an admin; 403 for any other user. Fails as [`CurrentUser`] does, too.
#[derive(Clone, Debug)]
pub struct Admin(pub User);

/// The user who asks, in a session that was proven by two factors: a passkey, or a password and a code. A browser is led to
/// the second step, or to the page that sets one up. Fails as [`CurrentUser`] does, too. A trusted device does not count.
///
/// ```
/// # use rocket::get;
/// # use vestibule::TwoFactor;
/// #[get("/payroll")]
/// fn payroll(user: TwoFactor) -> String {
///     format!("for {}", user.username)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct TwoFactor(pub User);

/// A session with as many factors as its user has; that user may have to choose another password first.
#[derive(Clone, Debug)]
pub(crate) struct SteppedUp(pub CurrentSession);

/// The same, of a user whose password stays, and who may have to set up a second factor first.
#[derive(Clone, Debug)]
pub(crate) struct Enroller(pub CurrentSession);

/// A guard that takes changes from pages of any origin, for a route that is meant for them: one that
/// checks by itself who sent the request, for instance by a token in it.
///
/// ```
/// # use rocket::post;
/// # use vestibule::{AnyOrigin, CurrentUser};
/// #[post("/webhook")]
/// fn webhook(user: AnyOrigin<CurrentUser>) -> String {
///     format!("for {}", user.username)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct AnyOrigin<G>(pub G);

/// A guard, apart from where the request comes from.
#[rocket::async_trait]
pub trait Guard<'r>: Sized {
    /// For errors at the launch.
    const NAME: &'static str;

    async fn admit(request: &'r Request<'_>) -> request::Outcome<Self, Denied>;
}

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

/// Lets a change through only from a page of ours. Who is not admitted is told that first.
fn from_us<'r, G: Guard<'r>>(
    request: &'r Request<'_>,
    admitted: request::Outcome<G, Denied>,
) -> request::Outcome<G, Denied> {
    let changes = !matches!(
        request.method(),
        Method::Get | Method::Head | Method::Options
    );
    let app = request.rocket().state::<Arc<App>>();
    let is_from_us = || app.is_some_and(|app| is_from_us(request, app.settings.url()));
    if changes && admitted.is_success() && !is_from_us() {
        tracing::warn!(path = %request.uri().path(), "a change that another site asked for was refused");
        return deny(request, Status::Forbidden, Denied::CrossOrigin);
    }
    admitted
}

#[rocket::async_trait]
impl<'r> Guard<'r> for CurrentSession {
    const NAME: &'static str = "CurrentSession";

    async fn admit(request: &'r Request<'_>) -> request::Outcome<Self, Denied> {
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
impl<'r> Guard<'r> for CurrentUser {
    const NAME: &'static str = "CurrentUser";

    async fn admit(request: &'r Request<'_>) -> request::Outcome<Self, Denied> {
        let Enroller(current) = try_outcome!(Enroller::admit(request).await);
        let required = &current.app.settings.second_factor.required;
        if current.session.lacks_second_factor(&current.user, required) {
            return deny(request, Status::Forbidden, Denied::EnrolmentRequired);
        }
        Outcome::Success(Self(current.user))
    }
}

#[rocket::async_trait]
impl<'r> Guard<'r> for SteppedUp {
    const NAME: &'static str = "SteppedUp";

    async fn admit(request: &'r Request<'_>) -> request::Outcome<Self, Denied> {
        let current = try_outcome!(CurrentSession::admit(request).await);
        let (session, user) = (&current.session, &current.user);
        if user.has_second_factor() && session.lacks_second_factor(user, &Required::None) {
            return deny(request, Status::Forbidden, Denied::SecondFactorRequired);
        }
        Outcome::Success(Self(current))
    }
}

#[rocket::async_trait]
impl<'r> Guard<'r> for Enroller {
    const NAME: &'static str = "Enroller";

    async fn admit(request: &'r Request<'_>) -> request::Outcome<Self, Denied> {
        let SteppedUp(current) = try_outcome!(SteppedUp::admit(request).await);
        if current.user.must_change_password {
            return deny(request, Status::Forbidden, Denied::PasswordChangeRequired);
        }
        Outcome::Success(Self(current))
    }
}

#[rocket::async_trait]
impl<'r> Guard<'r> for TwoFactor {
    const NAME: &'static str = "TwoFactor";

    async fn admit(request: &'r Request<'_>) -> request::Outcome<Self, Denied> {
        let CurrentUser(user) = try_outcome!(CurrentUser::admit(request).await);
        let current = try_outcome!(CurrentSession::admit(request).await);
        if current.session.methods.is_two_factor() {
            return Outcome::Success(Self(user));
        }
        let denied = if user.has_second_factor() {
            Denied::SecondFactorRequired
        } else {
            Denied::EnrolmentRequired
        };
        deny(request, Status::Forbidden, denied)
    }
}

#[rocket::async_trait]
impl<'r> Guard<'r> for Admin {
    const NAME: &'static str = "Admin";

    async fn admit(request: &'r Request<'_>) -> request::Outcome<Self, Denied> {
        let CurrentUser(user) = try_outcome!(CurrentUser::admit(request).await);
        if !user.admin {
            return deny(request, Status::Forbidden, Denied::Forbidden);
        }
        Outcome::Success(Self(user))
    }
}

/// Each guard, as Rocket takes it.
macro_rules! guards {
    ($($guard:ty)*) => {$(
        #[rocket::async_trait]
        impl<'r> FromRequest<'r> for $guard {
            type Error = Denied;

            async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Denied> {
                from_us(request, Self::admit(request).await)
            }
        }

        impl Sentinel for $guard {
            fn abort(rocket: &Rocket<rocket::Ignite>) -> bool {
                lacks_fairing(rocket, Self::NAME)
            }
        }
    )*};
}

guards! { CurrentSession SteppedUp Enroller CurrentUser Admin TwoFactor }

#[rocket::async_trait]
impl<'r, G: Guard<'r>> FromRequest<'r> for AnyOrigin<G> {
    type Error = Denied;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, Denied> {
        G::admit(request).await.map(Self)
    }
}

impl<G: Sentinel> Sentinel for AnyOrigin<G> {
    fn abort(rocket: &Rocket<rocket::Ignite>) -> bool {
        G::abort(rocket)
    }
}

impl<G> Deref for AnyOrigin<G> {
    type Target = G;

    fn deref(&self) -> &G {
        &self.0
    }
}

impl Deref for CurrentUser {
    type Target = User;

    fn deref(&self) -> &User {
        &self.0
    }
}

impl Deref for TwoFactor {
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
