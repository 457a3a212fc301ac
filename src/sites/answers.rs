//! What a proxy is told: let the request through, send its visitor to sign in, or neither.

use std::net::IpAddr;

use hyper::header::{AUTHORIZATION, COOKIE, HeaderName, LOCATION, WWW_AUTHENTICATE};
use rocket::http::Status;
use serde::Serialize;

use super::flow::{Due, expire_planted, flow, flow_cookie, home, sign_in_address};
use super::host::Host;
use super::original_request::{Dialect, OriginalRequest, Unusable};
use super::request::{ProxyRequest, text};
use super::routes::TOO_MANY_COOKIES;
use super::rules::Site;
use super::tickets::SiteAddress;
use super::visitor::Visitor;
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::log_limit::{LogLimiter, RateLimitedLog};
use crate::people::users::User;
use crate::web::cookies::without_ours;
use crate::web::denials::count;
use crate::web::navigation::{Headers as _, navigates};
use crate::web::pages::{Page, Template, template};
use crate::web::{Answer, Refusal};

/// Keeps denials from filling the log.
#[derive(Default)]
pub(super) struct DenialLog {
    untrusted_peers: LogLimiter,
    denials: RateLimitedLog,
}

/// Denials logged in a minute: enough to see what is wrong, too few to fill a disk.
const MOST_LOGGED: u32 = 60;

pub(super) fn refuse(app: &App, dialect: Dialect, unusable: Unusable) -> Answer {
    match unusable {
        Unusable::Untrusted(peer) => {
            name_untrusted(app, peer);
            error_json_about(Status::Forbidden, "untrusted_proxy", peer.to_string())
        }
        Unusable::Malformed { .. } => {
            if let Some(left_out) = admit(app) {
                tracing::info!(
                    left_out,
                    "denied: the proxy's request cannot be used: {unusable}"
                );
            }
            let status = if dialect == Dialect::AuthRequest {
                Status::Forbidden
            } else {
                Status::BadRequest
            };
            error_json_about(status, "malformed", unusable.to_string())
        }
    }
}

pub(super) fn name_untrusted(app: &App, peer: IpAddr) {
    let log = app.state::<DenialLog>();
    if log.untrusted_peers.is_due(app.clock.now()) {
        tracing::warn!(%peer, "forward auth was asked by an address that is no trusted proxy; if it is yours, add it to trusted_proxies");
    }
}

/// Whether to log a denial; with how many were left out before.
fn admit(app: &App) -> Option<u64> {
    let log = app.state::<DenialLog>();
    log.denials.admit(app.clock.now(), MOST_LOGGED)
}

/// Denied: no such site.
pub(super) fn unknown_site(app: &App, host: &Host) -> Answer {
    if let Some(left_out) = admit(app) {
        tracing::info!(%host, left_out, "denied: no such site");
    }
    error_json_about(Status::Forbidden, "unknown_site", host.to_string())
}

/// nginx hands on only a 401 and its Location.
pub(super) fn redirect_status(dialect: Dialect, method: &str) -> Status {
    match (dialect, method) {
        (Dialect::AuthRequest, _) => Status::Unauthorized,
        (_, "GET" | "HEAD") => Status::Found,
        _ => Status::SeeOther,
    }
}

/// Whether no browser asks. One that is challenged for Basic, for a page or within one, would ask its user.
fn is_program(request: &ProxyRequest) -> bool {
    let accept = request.headers().first("accept").unwrap_or_default();
    !request.headers().contains_key("sec-fetch-mode") && !accept.contains("text/html")
}

/// Programs that know of no app tokens ask for a name and a password at this (RFC 7617).
fn basic(host: &Host) -> String {
    format!("Basic realm=\"{host}\", charset=\"UTF-8\"")
}

/// A session and a token that stand for different users; nobody can say which is meant.
pub(super) fn refuse_two_users(dialect: Dialect) -> Answer {
    let status = match dialect {
        // nginx knows no other refusal.
        Dialect::AuthRequest => Status::Forbidden,
        Dialect::ForwardAuth | Dialect::ExtAuthz => Status::BadRequest,
    };
    error_json(status, "two_users")
}

const REMOTE_USER: HeaderName = HeaderName::from_static("remote-user");
const REMOTE_NAME: HeaderName = HeaderName::from_static("remote-name");
const REMOTE_EMAIL: HeaderName = HeaderName::from_static("remote-email");
const REMOTE_GROUPS: HeaderName = HeaderName::from_static("remote-groups");
const REMOTE_METHODS: HeaderName = HeaderName::from_static("remote-methods");
const TO_REMOVE: HeaderName = HeaderName::from_static("x-envoy-auth-headers-to-remove");

/// Every header that a proxy copies is there once, empty where there is nothing to say: one that is
/// missing would let the client's own through.
///
/// What a visitor proved stands in Remote-Methods: nginx and others know by it that the Authorization was a token of ours,
/// and is not the application's to see.
pub(super) fn allow(request: &ProxyRequest, dialect: Dialect, visitor: Option<&Visitor>) -> Answer {
    let user = visitor.map(|visitor| &*visitor.user);
    let methods = visitor.map(|visitor| visitor.methods.to_string());
    let is_token = visitor.is_some_and(Visitor::is_program);
    let told = |of: fn(&User) -> String| user.map(of).unwrap_or_default();
    let answer = Answer::text(Status::Ok, String::new())
        .header(REMOTE_USER, told(|user| user.username.clone()))
        .header(REMOTE_NAME, told(|user| user.shown_name().to_owned()))
        .header(
            REMOTE_EMAIL,
            told(|user| user.email.clone().unwrap_or_default()),
        )
        .header(REMOTE_GROUPS, told(|user| user.groups.join(",")))
        .header(REMOTE_METHODS, methods.unwrap_or_default())
        .header(COOKIE, without_ours(request.cookies()));
    match dialect {
        Dialect::ExtAuthz if is_token => answer.header(TO_REMOVE, REMOVED_BY_ENVOY_WITH_TOKEN),
        Dialect::ExtAuthz => answer.header(TO_REMOVE, REMOVED_BY_ENVOY),
        Dialect::ForwardAuth | Dialect::AuthRequest if is_token => answer,
        Dialect::ForwardAuth => hand_on_authorization(request, answer),
        Dialect::AuthRequest => answer,
    }
}

/// Traefik deletes what the answer does not tell again.
fn hand_on_authorization(request: &ProxyRequest, answer: Answer) -> Answer {
    let values = request.headers().get_all(AUTHORIZATION).into_iter();
    values.fold(answer, |answer, value| {
        answer.header(AUTHORIZATION, text(value).to_owned())
    })
}

/// The cookies that fit, with the rest of an answer, into the buffer of deploy/nginx; to more nginx says 500.
const MOST_FOR_NGINX: usize = 12 * 1_024;

/// Whether a request's cookies are more than its proxy can hand on.
pub(super) fn has_too_many_cookies(request: &ProxyRequest, dialect: Dialect) -> bool {
    dialect == Dialect::AuthRequest
        && request.cookies().map(str::len).sum::<usize>() > MOST_FOR_NGINX
}

/// 401, for where nginx is told 403 it asks for a page, and is allowed. A browser is sent to one that says why.
pub(super) fn refuse_cookies(
    app: &App,
    request: &ProxyRequest,
    original: &OriginalRequest,
) -> Answer {
    if let Some(left_out) = admit(app) {
        tracing::info!(host = %original.host, left_out, "denied: {COOKIES_TOO_LARGE}");
    }
    let status = Status::Unauthorized;
    let answer = if navigates(request.headers()) {
        let page = format!(
            "{}{}",
            home(app, &original.host),
            TOO_MANY_COOKIES.trim_start_matches('/')
        );
        Answer::text(status, String::new()).header(LOCATION, page)
    } else {
        error_json_about(status, "cookies_too_large", COOKIES_TOO_LARGE.to_owned())
    };
    answer.challenge()
}

const COOKIES_TOO_LARGE: &str =
    "the browser's cookies for this host are longer than the 12 KiB that nginx can hand on";

/// Other spellings that some application takes for the same.
const REMOVED_BY_ENVOY: &str = "remote_user,remote_name,remote_email,remote_groups,remote_methods,x-remote-user,x-remote-name,x-remote-email,x-remote-groups,x-remote-methods";
const REMOVED_BY_ENVOY_WITH_TOKEN: &str = "authorization,remote_user,remote_name,remote_email,remote_groups,remote_methods,x-remote-user,x-remote-name,x-remote-email,x-remote-groups,x-remote-methods";

pub(super) fn ask_to_sign_in(
    app: &App,
    request: &ProxyRequest,
    dialect: Dialect,
    original: &OriginalRequest,
    site: &Site,
    due: Due,
) -> Answer {
    if !navigates(request.headers()) {
        let answer = error_json(Status::Unauthorized, "unauthenticated");
        return if site.terms.tokens && is_program(request) {
            answer.header(WWW_AUTHENTICATE, basic(&original.host))
        } else {
            answer.challenge()
        };
    }
    let flow = flow(app, request);
    let rd = page_to_come_back_to(app, request, original);
    let status = redirect_status(dialect, &original.method);
    let location = sign_in_address(app, &original.host, &rd, &original.method, &flow, due);
    let answer = Answer::text(status, String::new())
        .header(LOCATION, location)
        .keep_opener();
    if dialect == Dialect::AuthRequest {
        // nginx hands on one cookie; planted ones go when a ticket is exchanged.
        return answer.cookie(flow_cookie(app, &flow)).challenge();
    }
    let planted = expire_planted(app, request, &original.host);
    planted
        .into_iter()
        .fold(answer, Answer::cookie)
        .cookie(flow_cookie(app, &flow))
}

/// What was asked for, if GET asks for it again. A form is not sent twice: back to the page that it was on.
fn page_to_come_back_to(app: &App, request: &ProxyRequest, original: &OriginalRequest) -> String {
    if matches!(original.method.as_str(), "GET" | "HEAD") {
        return original.url();
    }
    let referer = request.headers().first("referer").unwrap_or_default();
    SiteAddress::page_of(&referer, &original.host, original.scheme)
        .unwrap_or_else(|| home(app, &original.host))
}

pub(super) fn forbid(
    app: &App,
    request: &ProxyRequest,
    original: &OriginalRequest,
    visitor: Option<&Visitor>,
) -> Result<Answer, Error> {
    let user = visitor.map(|visitor| &visitor.user);
    if let Some(left_out) = admit(app) {
        tracing::info!(host = %original.host, method = original.method, user = user.map(|user| user.username.as_str()), left_out, "denied by the site's rules");
    }
    if !navigates(request.headers()) {
        return Ok(error_json(Status::Forbidden, "forbidden"));
    }
    let flow = flow(app, request);
    let page = ForbiddenPage {
        host: original.host.to_string(),
        username: user.map(|user| user.username.clone()),
        switch: sign_in_address(
            app,
            &original.host,
            &home(app, &original.host),
            "GET",
            &flow,
            Due::default(),
        ) + "&switch=1",
    };
    Ok(Answer::page(app, Status::Forbidden, &page, None)?.cookie(flow_cookie(app, &flow)))
}

#[derive(Serialize)]
struct ErrorJson {
    error: &'static str,
    /// For whoever sets up the proxy, and the doctor: what the proxy itself said or is.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
}

pub(super) fn error_json(status: Status, error: &'static str) -> Answer {
    Answer::json(status, &ErrorJson { error, about: None })
}

fn error_json_about(status: Status, error: &'static str, about: String) -> Answer {
    let about = Some(about);
    Answer::json(status, &ErrorJson { error, about })
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
    const TEMPLATE: Template = template!("forward_auth/forbidden.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |username| Self {
            host: text.to_owned(),
            username,
            switch: text.to_owned(),
        };
        vec![page(None), page(Some(text.to_owned()))]
    }
}

/// Logs what broke and counts the denial that follows.
pub fn broken(app: &App, request: &ProxyRequest, error: &Error) -> Refusal {
    tracing::error!(path = request.path(), "{error}");
    app.note(error);
    let refusal = Refusal::of_status(error.status());
    if let Some(reason) = refusal.reason() {
        count(app, reason);
    }
    refusal
}
