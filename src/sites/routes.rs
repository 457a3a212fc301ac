//! The endpoints that proxies ask. They take every method and say no unless everything is right.

use std::sync::Arc;

use rocket::data::Data;
use rocket::http::{Method, Status};
use rocket::response::Responder;
use rocket::route::{Handler, Outcome, Route};
use rocket::{Request, async_trait};

use super::answers::{allow, ask_to_sign_in, forbid, redirect_status, refuse, told, unknown_site};
use super::decision::{Asked, Decision, decide};
use super::enter::{self, enter};
use super::forwarded::{Dialect, Forwarded, carries_body};
use super::policy::{self, Policy};
use super::tickets::all_under;
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::metrics::{Reason, count_denial};
use crate::foundation::token::{Token, TokenHash};
use crate::sessions::{Row, kept_at_site, resume_at_site};
use crate::web::cookies::{DomainCookie, Found, HostCookie};
use crate::web::{Answer, Failure, is_navigation};

const EXT_AUTHZ: &str = "/api/authz/ext-authz";

/// Before all others, which Rocket looks at one after the other: nothing is asked for as often.
const FIRST: isize = -100;

#[must_use]
pub fn routes() -> Vec<Route> {
    let methods = [
        Method::Get,
        Method::Put,
        Method::Post,
        Method::Delete,
        Method::Options,
        Method::Head,
        Method::Trace,
        Method::Connect,
        Method::Patch,
    ];
    let endpoints = [
        ("/api/authz/forward-auth", Dialect::ForwardAuth),
        ("/api/authz/auth-request", Dialect::AuthRequest),
        ("/api/authz/ext-authz/<path..>", Dialect::ExtAuthz),
    ];
    let route = |(path, dialect)| {
        methods.map(|method| Route::ranked(FIRST, method, path, Endpoint(dialect)))
    };
    endpoints.map(route).concat()
}

#[derive(Clone, Copy, Debug)]
struct Endpoint(Dialect);

#[async_trait]
impl Handler for Endpoint {
    async fn handle<'r>(&self, request: &'r Request<'_>, mut data: Data<'r>) -> Outcome<'r> {
        let body = carries_body(request, &mut data).await;
        let answer = match request.rocket().state::<Arc<App>>() {
            Some(app) => answer(app, request, self.0, body)
                .await
                .unwrap_or_else(|error| {
                    let refusal = Failure::from(error).into_refusal(request);
                    count_denial(request, refusal.reason());
                    told(refusal.status, refusal.code)
                }),
            None => told(Status::ServiceUnavailable, "unavailable"),
        };
        match answer.respond_to(request) {
            Ok(response) => Outcome::Success(response),
            Err(status) => Outcome::Error(status),
        }
    }
}

/// Who asks at a protected host.
type Visitor = Option<Arc<Row>>;

/// What is seldom done is boxed, so that not every answer carries room for it.
async fn answer(
    app: &App,
    request: &Request<'_>,
    dialect: Dialect,
    body: bool,
) -> Result<Answer, Error> {
    let forwarded = match Forwarded::read(request, app, dialect, EXT_AUTHZ, body) {
        Ok(forwarded) => forwarded,
        Err(unusable) => {
            count_denial(request, Some(unusable.reason()));
            return Ok(refuse(app, dialect, unusable));
        }
    };
    let presented = secret(app, request, &forwarded);
    let presented = presented.map(|(secret, good_for)| (secret.hash(), good_for));
    let (policy, visitor) = match kept(app, presented.as_ref()) {
        Some(kept) => kept,
        None => Box::pin(look_up(app, presented)).await?,
    };
    let Some(site) = app.site_of(&policy, &forwarded.host) else {
        count_denial(request, Some(Reason::Host));
        return Ok(unknown_site(app, &forwarded.host));
    };
    if forwarded.path.starts_with("/.vestibule/") {
        return Box::pin(own_path(app, request, dialect, &forwarded)).await;
    }
    let asked = Asked {
        method: &forwarded.method,
        path: &forwarded.path,
        address: forwarded.address,
    };
    let user = visitor.as_ref().map(|row| &row.user);
    match decide(site, &asked, user) {
        Decision::Allow => Ok(allow(request, dialect, user)),
        Decision::SignIn => {
            count_denial(request, Some(Reason::Unauthenticated));
            Ok(ask_to_sign_in(app, request, dialect, &forwarded))
        }
        Decision::Forbid => {
            count_denial(request, Some(Reason::Forbidden));
            forbid(app, request, &forwarded, user)
        }
    }
}

/// The policy in force, and the user whose cookie of this host came with the request, if that user
/// may go on: both in one look-up.
async fn look_up(
    app: &App,
    presented: Option<(TokenHash, String)>,
) -> Result<(Arc<Policy>, Visitor), Error> {
    let Some((secret, good_for)) = presented else {
        return Ok((policy::current(app).await?, None));
    };
    let generation = app.db.memory().generation();
    let (version, found) = resume_at_site(app, &secret, &good_for).await?;
    let policy = policy::at(app, generation, version).await?;
    Ok((policy, found.filter(may_go_on)))
}

/// The same out of memory; `None`: the database has to be asked.
fn kept(app: &App, presented: Option<&(TokenHash, String)>) -> Option<(Arc<Policy>, Visitor)> {
    let kept = app.db.kept()?;
    let policy = policy::kept(&kept)?;
    let visitor = match presented {
        Some((secret, good_for)) => {
            Some(kept_at_site(app, &kept, secret, good_for)?).filter(may_go_on)
        }
        None => None,
    };
    Some((policy, visitor))
}

fn may_go_on(row: &Arc<Row>) -> bool {
    !row.user.must_change_password
}

/// The secret in the cookie of this host, and what it is good for. Where there is none, a script's
/// request may come with the one that hosts of a domain share.
fn secret(app: &App, request: &Request<'_>, forwarded: &Forwarded) -> Option<(Token, String)> {
    let cookies = || request.headers().get("cookie");
    let domain = app.settings.sites.domain_over(forwarded.host.name());
    let (found, good_for) = match (HostCookie::site(&app.settings).find(cookies()), domain) {
        (Found::Nothing, Some(domain)) if !is_navigation(request) => {
            (DomainCookie(domain).find(cookies()), all_under(domain))
        }
        (found, _) => (found, forwarded.host.to_string()),
    };
    match found {
        Found::One(value) => Token::parse(value).map(|secret| (secret, good_for)),
        Found::Nothing | Found::Several => None,
    }
}

/// Paths of ours at a protected host, before all rules.
async fn own_path(
    app: &App,
    request: &Request<'_>,
    dialect: Dialect,
    forwarded: &Forwarded,
) -> Result<Answer, Error> {
    if forwarded.path != enter::PATH || forwarded.method != "GET" {
        return Ok(told(Status::Forbidden, "not_here"));
    }
    let parameter = |name: &str| {
        let query = forwarded.query.as_deref().unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    let entered = enter(
        app,
        request,
        &forwarded.host,
        parameter("ticket").as_deref(),
        parameter("retry").is_some(),
    )
    .await?;
    let status = redirect_status(dialect, "GET");
    // nginx knows no other refusal.
    let answer = entered.answer(status, dialect == Dialect::AuthRequest);
    Ok(answer.unwrap_or_else(|refusal| match dialect {
        Dialect::AuthRequest => told(Status::Forbidden, refusal.code),
        _ => refusal.as_page(Some(app)),
    }))
}
