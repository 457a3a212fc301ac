//! A browser at a protected host: its cookies there, and its way to the sign-in page.

use std::time::Duration;

use super::host::Host;
use super::request::ProxyRequest;
use crate::foundation::app::App;
use crate::foundation::token::Token;
use crate::web::cookies::{Found, HostCookie};
use crate::web::return_to::{MOST_WAY_BYTES, with_query};

/// Enough to sign in.
const FLOW_LIFETIME: Duration = Duration::from_secs(600);

/// What a visitor is to prove, beside who that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    pub second_factor: bool,
    /// A proof anew: the last one is too old for the site, or the site was not used for too long.
    pub fresh: bool,
}

/// The sign-in page's address for a browser that wants to come back to `rd` at `host`. One that would be too
/// long leads to the beginning of the site, and says so.
#[must_use]
pub fn sign_in_address(
    app: &App,
    host: &Host,
    rd: &str,
    method: &str,
    flow: &Token,
    due: Due,
) -> String {
    let flow = flow.hash().to_text();
    let way = |rd: &str, cut: Option<&str>| {
        let parameters = [
            ("rd", Some(rd)),
            ("rm", Some(method)),
            ("flow", Some(flow.as_str())),
            ("factor", due.second_factor.then_some("two")),
            ("fresh", due.fresh.then_some("1")),
            ("cut", cut),
        ];
        app.settings.link(&with_query("/login", &parameters))
    };
    let whole = way(rd, None);
    if whole.len() <= MOST_WAY_BYTES {
        whole
    } else {
        way(&home(app, host), Some("1"))
    }
}

/// The beginning of a site.
#[must_use]
pub fn home(app: &App, host: &Host) -> String {
    format!("{}://{host}/", app.settings.url().scheme())
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
