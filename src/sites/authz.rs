//! What proxies ask: the endpoints below `/api/authz/`, which say no unless everything is right.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use rocket::http::Status;

use super::answers::{
    allow, ask_to_sign_in, broken, error_json, forbid, has_too_many_cookies, refuse,
    refuse_cookies, refuse_two_users, unknown_site,
};
use super::credential::{self, Found};
use super::decision::{Asked, Decision, decide};
use super::enter;
use super::flow::Due;
use super::original_request::{Dialect, OriginalRequest};
use super::own_paths::{answer_asked, answer_passed_on, is_own_path};
use super::policy::{self, Policy};
use super::request::ProxyRequest;
use super::tickets::all_under;
use super::visitor::{self, Seen, Visitor, Who};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::token::{Token, TokenHash};
use crate::people::app_tokens;
use crate::sessions::{cached_at_site, resume_at_site};
use crate::web::Answer;
use crate::web::cookies::{self, DomainCookie, HostCookie};
use crate::web::denials::{Reason, count};
use crate::web::navigation::is_navigation;

const ENDPOINTS: &str = "/api/authz/";

/// Whether a path is one that proxies ask, of any method.
#[must_use]
pub fn is_for_proxies(path: &str) -> bool {
    path.starts_with(ENDPOINTS) || is_own_path(path)
}

/// Whether answering writes what must be finished, as a ticket that is spent.
#[must_use]
pub fn writes(request: &ProxyRequest) -> bool {
    let ticket = enter::PATH.as_bytes();
    let names_it = |target: &[u8]| target.windows(ticket.len()).any(|part| part == ticket);
    let original = ["x-forwarded-uri", "x-original-url"];
    let mut headers = request.headers().iter();
    names_it(request.path().as_bytes())
        || headers
            .any(|(name, value)| original.contains(&name.as_str()) && names_it(value.as_bytes()))
}

/// Answers a proxy; an unexpected state is denied. What is seldom done is boxed, here and in what it calls, so that
/// not every answer carries room for it.
pub async fn answer(app: &App, request: &ProxyRequest) -> Answer {
    let answered = match dialect(request.path()) {
        Some(dialect) => check(app, request, dialect).await,
        None if is_own_path(request.path()) => {
            return Box::pin(answer_passed_on(app, request)).await;
        }
        None => return error_json(Status::NotFound, "not_found"),
    };
    answered.unwrap_or_else(|error| {
        let refusal = broken(app, request, &error);
        error_json(refusal.status, refusal.code)
    })
}

fn dialect(path: &str) -> Option<Dialect> {
    match path.strip_prefix(ENDPOINTS)? {
        "forward-auth" => Some(Dialect::ForwardAuth),
        "auth-request" => Some(Dialect::AuthRequest),
        rest if rest == "ext-authz" || rest.starts_with("ext-authz/") => Some(Dialect::ExtAuthz),
        _ => None,
    }
}

async fn check(app: &App, request: &ProxyRequest, dialect: Dialect) -> Result<Answer, Error> {
    let original = match OriginalRequest::read(request, app, dialect) {
        Ok(original) => original,
        Err(unusable) => {
            count(app, unusable.reason());
            return Ok(refuse(app, dialect, unusable));
        }
    };
    let presented = Presented {
        secret: secret(app, request, &original).map(|(secret, good_for)| (secret.hash(), good_for)),
        credential: credential::find(request),
    };
    let (policy, seen) = match cached(app, &presented) {
        Some(cached) => cached,
        None => Box::pin(look_up(app, &presented)).await?,
    };
    let Some(site) = app.site_of(&policy, &original.host) else {
        count(app, Reason::Host);
        return Ok(unknown_site(app, &original.host));
    };
    if original.path.starts_with("/.vestibule/") {
        return Box::pin(answer_asked(app, request, dialect, &original)).await;
    }
    let in_background = is_in_background(request);
    let who = visitor::judge(
        app,
        site,
        &original,
        &presented.credential,
        &seen,
        in_background,
    );
    let mut due = Due {
        fresh: matches!(who, Who::Stale),
        ..Due::default()
    };
    let visitor = match who {
        Who::Somebody(visitor) => Some(visitor),
        Who::Nobody | Who::Stale => None,
        Who::Refused => {
            app.state::<WrongTokens>().0.inc();
            count(app, Reason::Unauthenticated);
            return Ok(ask_to_sign_in(app, request, dialect, &original, site, due));
        }
        Who::TwoUsers => {
            count(app, Reason::Malformed);
            return Ok(refuse_two_users(dialect));
        }
    };
    let visitor = visitor.as_ref();
    let asked = Asked {
        method: &original.method,
        path: &original.path,
        address: original.address,
    };
    match decide(site, &asked, visitor) {
        Decision::Allow if has_too_many_cookies(request, dialect) => {
            count(app, Reason::Malformed);
            Ok(refuse_cookies(app, request, &original))
        }
        Decision::Allow => Ok(allow(request, dialect, visitor)),
        Decision::SignIn => {
            count(app, Reason::Unauthenticated);
            Ok(ask_to_sign_in(app, request, dialect, &original, site, due))
        }
        // A program has no other factor to show.
        Decision::SecondFactor if visitor.is_some_and(Visitor::is_program) => {
            count(app, Reason::SecondFactorRequired);
            forbid(app, request, &original, visitor)
        }
        Decision::SecondFactor => {
            count(app, Reason::SecondFactorRequired);
            due.second_factor = true;
            Ok(ask_to_sign_in(app, request, dialect, &original, site, due))
        }
        Decision::Forbid => {
            count(app, Reason::Forbidden);
            forbid(app, request, &original, visitor)
        }
    }
}

/// A browser says of its requests whether a page is opened by them; who says nothing may be a person.
fn is_in_background(request: &ProxyRequest) -> bool {
    let mode = request.headers().get("sec-fetch-mode");
    mode.is_some_and(|mode| mode != "navigate")
}

/// What a request came with.
struct Presented {
    /// The secret of a cookie, and what that is good for.
    secret: Option<(TokenHash, String)>,
    credential: Found,
}

impl Presented {
    fn is_by_domain(&self) -> bool {
        let secret = self.secret.as_ref();
        secret.is_some_and(|(_, good_for)| good_for.starts_with('.'))
    }
}

/// Tokens that were presented and did not count.
#[derive(Debug, Default)]
pub(super) struct WrongTokens(pub Counter);

/// The policy in force, and what there is to what was presented.
async fn look_up(app: &App, presented: &Presented) -> Result<(Arc<Policy>, Seen), Error> {
    let generation = app.db.cache().generation();
    let mut version = None;
    let mut seen = Seen {
        by_domain: presented.is_by_domain(),
        ..Seen::default()
    };
    if let Some((secret, good_for)) = &presented.secret {
        let (seen_at, visit) = resume_at_site(app, secret, good_for).await?;
        (version, seen.visit) = (Some(seen_at), visit);
    }
    if let Some(credential) = presented.credential.credential() {
        let (seen_at, token) = app_tokens::resume(app, &credential.hash).await?;
        (version, seen.token) = (Some(seen_at), token);
    }
    let policy = match version {
        Some(version) => policy::at(app, generation, version).await?,
        None => policy::current(app).await?,
    };
    Ok((policy, seen))
}

/// The same out of memory; `None`: the database has to be asked.
fn cached(app: &App, presented: &Presented) -> Option<(Arc<Policy>, Seen)> {
    let snapshot = app.db.cached()?;
    let policy = policy::cached(&snapshot)?;
    let mut seen = Seen {
        by_domain: presented.is_by_domain(),
        ..Seen::default()
    };
    if let Some((secret, good_for)) = &presented.secret {
        seen.visit = Some(cached_at_site(app, &snapshot, secret, good_for)?);
    }
    if let Some(credential) = presented.credential.credential() {
        seen.token = Some(app_tokens::cached(&snapshot, &credential.hash)?);
    }
    Some((policy, seen))
}

/// The secret in the cookie of this host, and what it is good for. Where there is none, a script's
/// request may come with the one that hosts of a domain share.
fn secret(
    app: &App,
    request: &ProxyRequest,
    original: &OriginalRequest,
) -> Option<(Token, String)> {
    let domain = app.settings.sites.domain_over(original.host.name());
    let site_cookie = HostCookie::site(&app.settings).find(request.cookies());
    let (found, good_for) = match (site_cookie, domain) {
        (cookies::Found::Nothing, Some(domain)) if !is_navigation(request.headers()) => (
            DomainCookie(domain).find(request.cookies()),
            all_under(domain),
        ),
        (found, _) => (found, original.host.to_string()),
    };
    match found {
        cookies::Found::One(value) => Token::parse(value).map(|secret| (secret, good_for)),
        cookies::Found::Nothing | cookies::Found::Several => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, headers: &[(&str, &str)]) -> ProxyRequest {
        let mut request = hyper::Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let peer = std::net::Ipv4Addr::LOCALHOST.into();
        ProxyRequest::new(parts.method, parts.uri, parts.headers, peer, false)
    }

    #[test]
    fn a_question_about_a_ticket_is_finished_whatever_is_cut() {
        let ticket = "/.vestibule/enter?ticket=a";
        let url = "https://app.example.com/.vestibule/enter?ticket=a";
        for (target, headers) in [
            ("/api/authz/forward-auth", vec![("x-forwarded-uri", ticket)]),
            ("/api/authz/auth-request", vec![("x-original-url", url)]),
            ("/api/authz/ext-authz/.vestibule/enter?ticket=a", vec![]),
            (ticket, vec![]),
        ] {
            assert!(writes(&request(target, &headers)), "{target}");
        }
        let page = [("x-forwarded-uri", "/reports")];
        assert!(!writes(&request("/api/authz/forward-auth", &page)));
        assert!(!writes(&request("/api/authz/ext-authz/reports", &[])));
    }
}
