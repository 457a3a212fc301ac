//! A browser at a protected host: its cookies there, and its way to the sign-in page.

use std::time::Duration;

use super::host::Host;
use super::request::ProxyRequest;
use crate::foundation::app::App;
use crate::foundation::token::Token;
use crate::web::cookies::{Found, HostCookie};

/// Enough to sign in.
const FLOW_LIFETIME: Duration = Duration::from_secs(600);

/// The sign-in page's address for a browser that wants to come back to `rd`.
#[must_use]
pub fn sign_in_address(app: &App, rd: &str, method: &str, flow: &Token) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("rd", rd)
        .append_pair("rm", method)
        .append_pair("flow", &flow.hash().to_text());
    app.settings.link(&format!("/login?{}", query.finish()))
}

/// The flow that a browser has begun here, or a new one.
#[must_use]
pub fn flow(app: &App, request: &ProxyRequest) -> Token {
    presented(request, HostCookie::flow(&app.settings)).unwrap_or_else(Token::generate)
}

#[must_use]
pub fn flow_cookie(app: &App, flow: &Token) -> String {
    HostCookie::flow(&app.settings).issue(flow, Some(FLOW_LIFETIME))
}

/// What takes a protected host's cookies away where one is there twice: somebody planted the other.
#[must_use]
pub fn expire_planted(app: &App, request: &ProxyRequest, host: &Host) -> Vec<String> {
    [
        HostCookie::site(&app.settings),
        HostCookie::flow(&app.settings),
    ]
    .into_iter()
    .filter(|cookie| cookie.find(request.cookies()) == Found::Several)
    .flat_map(|cookie| cookie.expire_everywhere(host.name()))
    .collect()
}

/// The token in one of a protected host's cookies; none if it is missing, malformed or there twice.
#[must_use]
pub fn presented(request: &ProxyRequest, cookie: HostCookie) -> Option<Token> {
    match cookie.find(request.cookies()) {
        Found::One(value) => Token::parse(value),
        Found::Nothing | Found::Several => None,
    }
}
