//! What proxies ask: the endpoints below `/api/authz/`, which say no unless everything is right.

use std::sync::Arc;

use rocket::http::Status;

use super::answers::{
    allow, ask_to_sign_in, broken, error_json, forbid, has_too_many_cookies, refuse,
    refuse_cookies, unknown_site,
};
use super::decision::{Asked, Decision, decide};
use super::enter;
use super::original_request::{Dialect, OriginalRequest};
use super::own_paths::{answer_asked, answer_passed_on, is_own_path};
use super::policy::{self, Policy};
use super::request::ProxyRequest;
use super::tickets::all_under;
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::token::{Token, TokenHash};
use crate::people::users::User;
use crate::sessions::{cached_at_site, resume_at_site};
use crate::web::Answer;
use crate::web::cookies::{DomainCookie, Found, HostCookie};
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

/// Who asks at a protected host.
type Visitor = Option<Arc<User>>;

async fn check(app: &App, request: &ProxyRequest, dialect: Dialect) -> Result<Answer, Error> {
    let original = match OriginalRequest::read(request, app, dialect) {
        Ok(original) => original,
        Err(unusable) => {
            count(app, unusable.reason());
            return Ok(refuse(app, dialect, unusable));
        }
    };
    let presented = secret(app, request, &original);
    let presented = presented.map(|(secret, good_for)| (secret.hash(), good_for));
    let (policy, visitor) = match cached(app, presented.as_ref()) {
        Some(cached) => cached,
        None => Box::pin(look_up(app, presented)).await?,
    };
    let Some(site) = app.site_of(&policy, &original.host) else {
        count(app, Reason::Host);
        return Ok(unknown_site(app, &original.host));
    };
    if original.path.starts_with("/.vestibule/") {
        return Box::pin(answer_asked(app, request, dialect, &original)).await;
    }
    let asked = Asked {
        method: &original.method,
        path: &original.path,
        address: original.address,
    };
    let user = visitor.as_deref();
    match decide(site, &asked, user) {
        Decision::Allow if has_too_many_cookies(request, dialect) => {
            count(app, Reason::Malformed);
            Ok(refuse_cookies(app, request, &original))
        }
        Decision::Allow => Ok(allow(request, dialect, user)),
        Decision::SignIn => {
            count(app, Reason::Unauthenticated);
            Ok(ask_to_sign_in(app, request, dialect, &original))
        }
        Decision::Forbid => {
            count(app, Reason::Forbidden);
            forbid(app, request, &original, user)
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
    let generation = app.db.cache().generation();
    let (version, found) = resume_at_site(app, &secret, &good_for).await?;
    let policy = policy::at(app, generation, version).await?;
    Ok((policy, found.filter(may_go_on)))
}

/// The same out of memory; `None`: the database has to be asked.
fn cached(app: &App, presented: Option<&(TokenHash, String)>) -> Option<(Arc<Policy>, Visitor)> {
    let snapshot = app.db.cached()?;
    let policy = policy::cached(&snapshot)?;
    let visitor = match presented {
        Some((secret, good_for)) => {
            Some(cached_at_site(app, &snapshot, secret, good_for)?).filter(may_go_on)
        }
        None => None,
    };
    Some((policy, visitor))
}

fn may_go_on(user: &Arc<User>) -> bool {
    !user.must_change_password
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
        (Found::Nothing, Some(domain)) if !is_navigation(request.headers()) => (
            DomainCookie(domain).find(request.cookies()),
            all_under(domain),
        ),
        (found, _) => (found, original.host.to_string()),
    };
    match found {
        Found::One(value) => Token::parse(value).map(|secret| (secret, good_for)),
        Found::Nothing | Found::Several => None,
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
