//! What every answer has, and what becomes of one that a guard stopped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use rocket::http::{Header, Method, Status};
use rocket::response::Responder;
use rocket::{Request, Response};

use super::denials::{Denied, Reason, count_denial};
use super::navigation::navigates;
use super::return_to::{MOST_WAY_BYTES, ReturnTo, with_query};
use super::{Answer, Refusal, wants_json};
use crate::foundation::app::App;

/// Nothing is loaded but our stylesheet and icon; nothing is framed, nothing runs but what is named.
macro_rules! policy {
    ($($scripts:literal)?) => {
        concat!("default-src 'none'; ", $($scripts,)? "style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'")
    };
}

/// What pages may ask of the device: nothing but what is named.
macro_rules! permissions {
    ($passkeys:literal) => {
        concat!("camera=(), geolocation=(), microphone=(), payment=(), usb=(), publickey-credentials-create=", $passkeys, ", publickey-credentials-get=", $passkeys)
    };
}

const POLICY: &str = policy!();

/// Headers of every answer. With `same-origin` browsers still send an Origin with our forms.
const HEADERS: [(HeaderName, &str); 8] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "same-origin"),
    (OPENER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (PERMISSIONS_POLICY, permissions!("()")),
    (VARY, "Cookie, Accept"),
];

/// What a page has in their place that asks for a passkey: our script runs there, and no other page's.
pub(crate) const OF_PASSKEY_PAGES: [(HeaderName, &str); 2] = [
    (CONTENT_SECURITY_POLICY, policy!("script-src 'self'; ")),
    (PERMISSIONS_POLICY, permissions!("(self)")),
];

/// What an icon that an admin gave has: opened by itself, it runs nothing and loads nothing. A new one has another address.
pub(crate) const OF_ICONS: [(HeaderName, &str); 2] = [
    (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    (CACHE_CONTROL, "private, max-age=31536000, immutable"),
];

/// A year, as browsers' preload lists ask for.
const ONE_YEAR: &str = "max-age=31536000";

/// Nothing of ours may be framed, but one page that says so itself.
const FRAME_ANCESTORS: &str = "frame-ancestors 'none'";

/// An answer that says nothing of caching is not cached.
const NOT_CACHED: (HeaderName, &str) = (CACHE_CONTROL, "no-store");

pub(crate) const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// The headers that give way to what an answer of ours says.
const GIVE_WAY: [HeaderName; 4] = [
    CACHE_CONTROL,
    CONTENT_SECURITY_POLICY,
    OPENER_POLICY,
    PERMISSIONS_POLICY,
];

/// The policy of a page that any site may frame. Browsers that know `frame-ancestors` heed no X-Frame-Options.
pub(crate) fn policy_of_framed_page() -> String {
    POLICY.replace(FRAME_ANCESTORS, "frame-ancestors *")
}

/// Whether a header of every answer gives way to what an answer says.
pub(crate) fn gives_way(name: &HeaderName) -> bool {
    GIVE_WAY.contains(name)
}

/// What a rocket manages all of whose answers are Vestibule's, not only those of its routes.
pub(crate) struct WholeSite;

/// What a rocket manages whose listener sets the headers of every answer itself, as the program's does.
pub(crate) struct SetByListener;

/// The headers of every answer; some give way to what an answer says ([`gives_way`]).
pub(crate) fn of_every_answer(app: &App) -> impl Iterator<Item = (HeaderName, &'static str)> {
    let hsts = (STRICT_TRANSPORT_SECURITY, ONE_YEAR);
    let hsts = app.settings.secure().then_some(hsts);
    HEADERS.into_iter().chain(hsts).chain([NOT_CACHED])
}

/// Sets the headers of one of Vestibule's answers, unless the listener does.
pub fn secure(app: &App, request: &Request<'_>, response: &mut Response<'_>) {
    let rocket = request.rocket();
    let is_ours = || {
        let is_whole = rocket.state::<WholeSite>().is_some();
        is_whole || ResponseExtras::of(request).is_ours.load(Ordering::Relaxed)
    };
    if rocket.state::<SetByListener>().is_some() || !is_ours() {
        return;
    }
    // A host sets headers, too. They count for caching, and on redirects, which show nothing.
    let is_redirect = response.status().class().is_redirection();
    let is_kept = |name: &_| *name == CACHE_CONTROL || is_redirect && *name == OPENER_POLICY;
    for (name, value) in of_every_answer(app) {
        let said = || response.headers().get(name.as_str());
        let is_our_own = OF_PASSKEY_PAGES
            .iter()
            .chain(&OF_ICONS)
            .any(|(other, value)| *other == name && said().eq([*value]));
        if !is_our_own && (!is_kept(&name) || said().next().is_none()) {
            response.set_raw_header(name.as_str().to_owned(), value);
        }
    }
    response.remove_header("Server");
}

/// What guards leave for the answer, which they cannot make by themselves.
#[derive(Default)]
pub(crate) struct ResponseExtras {
    /// Whether one of Vestibule's routes was reached, in a site that has others too.
    pub is_ours: AtomicBool,
    /// Why the last guard did not let the request through.
    pub denied: OnceLock<Denied>,
    pub refused: OnceLock<Refusal>,
    /// In a handler's place.
    pub answer: OnceLock<Answer>,
    /// For any answer.
    pub set_cookie: OnceLock<String>,
    /// What takes a doubled cookie away.
    pub expired: OnceLock<Vec<String>>,
}

impl ResponseExtras {
    pub fn of<'r>(request: &'r Request<'_>) -> &'r Self {
        request.local_cache(Self::default)
    }
}

/// Turns what a guard stopped into its answer: a browser without a session is sent to sign in and
/// back, anything else is told why.
///
/// A guard cannot answer by itself, and a catcher would be the host's. An answer that names its own
/// challenge is left alone.
pub fn answer_for_guards<'r>(request: &'r Request<'_>, response: &mut Response<'r>) {
    answer_for_denial(request, response);
    let expired = ResponseExtras::of(request).expired.get();
    for cookie in expired.into_iter().flatten() {
        // A sign-in sets a new one of the same name, which stays.
        let for_domain = cookie.contains("; Domain=");
        if for_domain || !response.headers().contains("Set-Cookie") {
            response.adjoin_raw_header("Set-Cookie", cookie.clone());
        }
    }
}

fn answer_for_denial<'r>(request: &'r Request<'_>, response: &mut Response<'r>) {
    let extras = ResponseExtras::of(request);
    if let Some(answer) = extras.answer.get()
        && let Ok(told) = answer.clone().respond_to(request)
    {
        *response = told;
        return;
    }
    let name = |cookie: &str| cookie.split('=').next().map(str::to_owned);
    let is_set = |set_cookie: &str| {
        let mut cookies = response.headers().get("Set-Cookie");
        cookies.any(|cookie| name(cookie) == name(set_cookie))
    };
    // The handler may have given the session another token after the guard did.
    if let Some(set_cookie) = extras.set_cookie.get().filter(|cookie| !is_set(cookie)) {
        response.adjoin_raw_header("Set-Cookie", set_cookie.clone());
    }
    if response.headers().contains("WWW-Authenticate") {
        return;
    }
    match (extras.denied.get().copied(), response.status()) {
        (Some(Denied::Unauthenticated), Status::Unauthorized) => {
            count_denial(request, Some(Reason::Unauthenticated));
            answer_unauthenticated(request, response)
        }
        (Some(Denied::PasswordChangeRequired), Status::Forbidden) => {
            count_denial(request, Some(Reason::PasswordChangeRequired));
            lead_to(request, response, "/account/password");
        }
        (Some(Denied::SecondFactorRequired), Status::Forbidden) => {
            count_denial(request, Some(Reason::SecondFactorRequired));
            lead_to(request, response, "/reauthenticate");
        }
        (Some(Denied::EnrolmentRequired), Status::Forbidden) => {
            count_denial(request, Some(Reason::SecondFactorRequired));
            lead_to(request, response, "/account/factors");
        }
        (Some(Denied::Forbidden), Status::Forbidden) => {
            tell(request, response, Refusal::of_status(Status::Forbidden));
        }
        (Some(Denied::CrossOrigin), Status::Forbidden) => {
            tell(request, response, Refusal::foreign_form());
        }
        (Some(Denied::Unavailable), Status::ServiceUnavailable) => {
            tell(request, response, Refusal::unavailable())
        }
        _ => tell_refused(request, response),
    }
}

/// Leads a browser to a page of ours that comes first, and back from there.
fn lead_to<'r>(request: &'r Request<'_>, response: &mut Response<'r>, path: &str) {
    if !navigates(request.headers()) {
        return tell(request, response, Refusal::of_status(Status::Forbidden));
    }
    // From there one comes to /account by oneself.
    let way = match request.uri().path().as_str() {
        "/account" => path.to_owned(),
        _ => way_from(request, path),
    };
    redirect(response, &way)
}

fn answer_unauthenticated<'r>(request: &'r Request<'_>, response: &mut Response<'r>) {
    if navigates(request.headers()) && !wants_json(request) {
        return redirect(response, &way_from(request, "/login"));
    }
    tell(request, response, Refusal::of_status(Status::Unauthorized));
    response.set_header(Header::new("WWW-Authenticate", "Vestibule"));
}

/// The address of a page of ours that leads back to where the browser is. A form cannot be sent again: its
/// way leads to the page that it was on, and says so.
fn way_from(request: &Request<'_>, path: &str) -> String {
    let method = request.method();
    let (rd, rm) = match method {
        Method::Get | Method::Head => (request.uri().to_string(), None),
        _ => (page_of_form(request), Some(method.as_str())),
    };
    let way = with_query(path, &[("rd", Some(&rd)), ("rm", rm)]);
    if way.len() > MOST_WAY_BYTES {
        return with_query(path, &[("rd", Some("/")), ("cut", Some("1"))]);
    }
    way
}

/// The page of this host that a form is on, as far as the browser says.
fn page_of_form(request: &Request<'_>) -> String {
    let app = request.rocket().state::<Arc<App>>();
    let referer = request.headers().get_one("referer");
    let page = app
        .zip(referer)
        .and_then(|(app, referer)| ReturnTo::parse(referer, app.settings.url()))
        .filter(|page| !page.as_str().starts_with("/.vestibule/"));
    page.map_or_else(|| "/".to_owned(), |page| page.as_str().to_owned())
}

fn tell_refused<'r>(request: &'r Request<'_>, response: &mut Response<'r>) {
    let refused = ResponseExtras::of(request).refused.get();
    if let Some(refusal) = refused.filter(|refusal| refusal.status == response.status()) {
        tell(request, response, refusal.clone());
    }
}

fn redirect(response: &mut Response<'_>, location: &str) {
    *response = Response::build()
        .status(Status::SeeOther)
        .raw_header("Location", location.to_owned())
        .finalize();
}

fn tell<'r>(request: &'r Request<'_>, response: &mut Response<'r>, refusal: Refusal) {
    count_denial(request, refusal.reason());
    if let Ok(told) = refusal.respond_to(request) {
        *response = told;
    }
}
