//! The endpoints that proxies ask. They take every method and say no unless everything is right.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rocket::data::Data;
use rocket::http::{Method, Status};
use rocket::response::Responder;
use rocket::route::{Handler, Outcome, Route};
use rocket::{Request, async_trait};
use serde::Serialize;

use super::decision::{Asked, Decision, decide};
use super::enter::{self, enter, expire_planted, flow_cookie, presented, sign_in_address};
use super::forwarded::{Dialect, Forwarded, Unusable, carries_body};
use super::policy::{self, Policy};
use super::tickets::{MOST_RD_BYTES, all_under};
use crate::app::App;
use crate::error::Error;
use crate::http::cookies::{DomainCookie, Found, HostCookie, without_ours};
use crate::http::{Answer, Failure, is_navigation, navigates};
use crate::metrics::{Reason, count_denial};
use crate::pages::Page;
use crate::sessions::{Row, kept_at_site, resume_at_site};
use crate::token::{Token, TokenHash};
use crate::users::User;

const EXT_AUTHZ: &str = "/api/authz/ext-authz";

/// An untrusted peer is named in the log this often.
const NAME_PEER_EVERY: Duration = Duration::from_secs(60);

/// Denials logged in a minute: enough to see what is wrong, too few to fill a disk.
const MOST_LOGGED: u32 = 60;

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
        if let Some(left_out) = app.denials.tell(app.clock.now(), MOST_LOGGED) {
            tracing::info!(host = %forwarded.host, left_out, "denied: no such site");
        }
        let host = forwarded.host.to_string();
        return Ok(told_about(Status::Forbidden, "unknown_site", host));
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

fn refuse(app: &App, dialect: Dialect, unusable: Unusable) -> Answer {
    match unusable {
        Unusable::Untrusted(peer) => {
            name_untrusted(app, peer);
            told_about(Status::Forbidden, "untrusted_proxy", peer.to_string())
        }
        Unusable::Malformed(what) => {
            if let Some(left_out) = app.denials.tell(app.clock.now(), MOST_LOGGED) {
                tracing::info!(what, left_out, "denied: the proxy's request cannot be read");
            }
            let status = if dialect == Dialect::AuthRequest {
                Status::Forbidden
            } else {
                Status::BadRequest
            };
            told_about(status, "malformed", what.to_owned())
        }
    }
}

pub(super) fn name_untrusted(app: &App, peer: IpAddr) {
    if app.untrusted_peers.is_due(app.clock.now(), NAME_PEER_EVERY) {
        tracing::warn!(%peer, "forward auth was asked by an address that is no trusted proxy; if it is yours, add it to trusted_proxies");
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

/// nginx hands on only a 401 and its Location.
fn redirect_status(dialect: Dialect, method: &str) -> Status {
    match (dialect, method) {
        (Dialect::AuthRequest, _) => Status::Unauthorized,
        (_, "GET" | "HEAD") => Status::Found,
        _ => Status::SeeOther,
    }
}

/// Every header that a proxy copies is there once, empty where there is nothing to say: one that is
/// missing would let the client's own through.
fn allow(request: &Request<'_>, dialect: Dialect, user: Option<&User>) -> Answer {
    let text = |of: fn(&User) -> String| user.map(of).unwrap_or_default();
    let mut answer = Answer::text(Status::Ok, String::new())
        .header("Remote-User", text(|user| user.username.clone()))
        .header("Remote-Name", text(|user| user.shown_name().to_owned()))
        .header(
            "Remote-Email",
            text(|user| user.email.clone().unwrap_or_default()),
        )
        .header("Remote-Groups", text(|user| user.groups.join(",")))
        .header("Cookie", without_ours(request.headers().get("cookie")));
    if dialect == Dialect::ExtAuthz {
        answer = answer.header(
            "x-envoy-auth-headers-to-remove",
            REMOVED_BY_ENVOY.to_owned(),
        );
    }
    answer
}

/// Other spellings that some application takes for the same.
const REMOVED_BY_ENVOY: &str = "remote_user,remote_name,remote_email,remote_groups,x-remote-user,x-remote-name,x-remote-email,x-remote-groups";

fn ask_to_sign_in(
    app: &App,
    request: &Request<'_>,
    dialect: Dialect,
    forwarded: &Forwarded,
) -> Answer {
    if !navigates(request) {
        return told(Status::Unauthorized, "unauthenticated").challenge();
    }
    let flow = presented(request, HostCookie::flow(&app.settings)).unwrap_or_else(Token::generate);
    let url = forwarded.url();
    let rd = if url.len() > MOST_RD_BYTES {
        forwarded.home()
    } else {
        url
    };
    let status = redirect_status(dialect, &forwarded.method);
    let answer = Answer::text(status, String::new()).header(
        "Location",
        sign_in_address(app, &rd, &forwarded.method, &flow),
    );
    if dialect == Dialect::AuthRequest {
        // nginx hands on one cookie; planted ones go when a ticket is exchanged.
        return answer.cookie(flow_cookie(app, &flow)).challenge();
    }
    let planted = expire_planted(app, request, &forwarded.host);
    planted
        .into_iter()
        .fold(answer, Answer::cookie)
        .cookie(flow_cookie(app, &flow))
}

fn forbid(
    app: &App,
    request: &Request<'_>,
    forwarded: &Forwarded,
    user: Option<&User>,
) -> Result<Answer, Error> {
    if let Some(left_out) = app.denials.tell(app.clock.now(), MOST_LOGGED) {
        tracing::info!(host = %forwarded.host, method = forwarded.method, user = user.map(|user| user.username.as_str()), left_out, "denied by the site's rules");
    }
    if !navigates(request) {
        return Ok(told(Status::Forbidden, "forbidden"));
    }
    let flow = presented(request, HostCookie::flow(&app.settings)).unwrap_or_else(Token::generate);
    let page = ForbiddenPage {
        host: forwarded.host.to_string(),
        username: user.map(|user| user.username.clone()),
        switch: sign_in_address(app, &forwarded.home(), "GET", &flow) + "&switch=1",
    };
    Ok(Answer::page(app, Status::Forbidden, &page, None)?.cookie(flow_cookie(app, &flow)))
}

#[derive(Serialize)]
struct Told {
    error: &'static str,
    /// For whoever sets up the proxy, and the doctor: what the proxy itself said or is.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
}

fn told(status: Status, error: &'static str) -> Answer {
    Answer::json(status, &Told { error, about: None })
}

fn told_about(status: Status, error: &'static str, about: String) -> Answer {
    let about = Some(about);
    Answer::json(status, &Told { error, about })
}

/// A signed-in user who is not let in.
#[derive(Serialize)]
pub struct ForbiddenPage {
    host: String,
    username: Option<String>,
    /// Where to sign in as somebody else.
    switch: String,
}

impl Page for ForbiddenPage {
    const TEMPLATE: &'static str = "forward_auth/forbidden.html";

    fn samples(text: &str) -> Vec<Self> {
        let page = |username| Self {
            host: text.to_owned(),
            username,
            switch: text.to_owned(),
        };
        vec![page(None), page(Some(text.to_owned()))]
    }
}
