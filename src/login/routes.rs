use hyper::header::HeaderName;
use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};

use super::destination::{Destination, Lost};
use super::interstitial::{Wanted, comes_first};
use super::pages::{SignInPage, SignOutPage};
use super::{Browser, LoginForm, Outcome, SignedIn, sign_in, sign_out};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::person::Person;
use crate::foundation::token::Token;
use crate::people::passwords::Password;
use crate::sessions::{CurrentSession, Denied, Session};
use crate::web::cookies::{DomainCookie, HostCookie};
use crate::web::{
    Answer, CookieHeaders, Failure, Opened, Posted, Refusal, SVG, Visit, Visitor, back_to,
    with_query,
};

/// Where people are sent who asked for no other page.
pub(super) const HOME: &str = "/account";

/// Where people are who have just signed out.
const SIGNED_OUT: &str = "/login?signed_out";

const WRONG: &str = "That user name and password do not belong together.";

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![
        sign_in_form,
        sign_in_post,
        sign_out_form,
        sign_out_post,
        forget
    ]
}

#[get("/login?<rd>&<flow>&<rm>&<cut>&<switch>&<retry>&<signed_out>&<factor>&<fresh>&<hint>")]
#[expect(
    clippy::too_many_arguments,
    reason = "the parameters of the page's address"
)]
async fn sign_in_form(
    app: &App,
    _visit: Visit,
    opened: Opened,
    visitor: Visitor,
    current: Option<CurrentSession>,
    rd: Option<&str>,
    flow: Option<&str>,
    rm: Option<&str>,
    cut: Option<&str>,
    switch: Option<&str>,
    retry: Option<&str>,
    signed_out: Option<&str>,
    factor: Option<&str>,
    fresh: Option<&str>,
    hint: Option<&str>,
) -> Result<Answer, Failure> {
    let destination = Destination::find(app, rd, flow).await?;
    let lost = Lost::find(rm, cut);
    let goes_on = switch.is_none() && (opened.as_page || !destination.needs_ticket());
    let ready = current.as_ref().filter(|_| goes_on);
    let ready_user = ready.filter(|current| !current.user.must_change_password);
    let wanted = Wanted {
        two: factor == Some("two"),
        fresh: fresh.is_some(),
    };
    if let (true, None, Some(out)) = (opened.framed, ready_user, destination.out_of_frame(app)) {
        return Ok(Answer::see_other(&out));
    }
    let Some(current) = ready else {
        let page = SignInPage {
            signed_out: signed_out.is_some(),
            lost: lost.map(Lost::text),
            username: hint.map(str::to_owned),
            ..SignInPage::new(rd, flow, &destination)
        };
        let page = page.with_passkey(app, &visitor).await?;
        let user = current.as_ref().map(|current| &current.user as &dyn Person);
        return Ok(visitor.page(app, Status::Ok, &page, user)?);
    };
    if let Some(first) = comes_first(app, &current.session, &current.user, wanted) {
        return Ok(Answer::see_other(&first.way(rd, flow)));
    }
    match lost.filter(|_| destination.host().is_some() && !opened.framed) {
        Some(lost) => Ok(destination.stop(app, lost)?),
        None => {
            let session = &current.token_hash;
            Ok(destination
                .redirect_to(app, session, retry.is_some())
                .await?)
        }
    }
}

#[derive(FromForm)]
struct SignInForm {
    username: String,
    password: String,
    remember: Option<String>,
    rd: Option<String>,
    flow: Option<String>,
}

#[post("/login", data = "<form>")]
async fn sign_in_post(
    app: &App,
    visit: Visit,
    cookies: CookieHeaders<'_>,
    visitor: Visitor,
    current: Result<CurrentSession, Denied>,
    form: Posted<SignInForm>,
) -> Result<Answer, Failure> {
    let Posted(form) = form;
    let way = [("rd", form.rd.as_deref()), ("flow", form.flow.as_deref())];
    let back = with_query("/login", &way);
    let trusted = cookies.token(HostCookie::trusted(&app.settings));
    let answer = match Browser::new(&visit, &current, trusted) {
        Ok(browser) => answer_sign_in(app, &browser, &visitor, form).await,
        Err(refusal) => Err(refusal.into()),
    };
    answer.map_err(|failure| failure.back(&back, "Back to sign in"))
}

async fn answer_sign_in(
    app: &App,
    browser: &Browser<'_>,
    visitor: &Visitor,
    form: SignInForm,
) -> Result<Answer, Failure> {
    let login = LoginForm {
        username: form.username,
        password: Password::new(form.password),
        remember: form.remember.is_some_and(|remember| remember == "on"),
        rd: form.rd,
        flow: form.flow,
    };
    let way = (login.rd.as_deref(), login.flow.as_deref());
    match sign_in(app, &login, browser).await? {
        Outcome::SignedIn(signed_in) => Ok(answer_signed_in(app, &signed_in, way).await?),
        Outcome::SecondStep(token) => {
            let cookie = HostCookie::pending(&app.settings).issue(&token, None);
            Ok(Answer::see_other("/login/code").cookie(cookie))
        }
        Outcome::Wrong => {
            let page = SignInPage::new(way.0, way.1, &Destination::find(app, way.0, way.1).await?);
            Ok(page.refused(app, visitor, WRONG).await?)
        }
        Outcome::Throttled(wait) => Err(Refusal::throttled(wait).into()),
    }
}

/// Hands the browser its session, and sends it on to where `rd` and `flow` lead.
pub(super) async fn answer_signed_in(
    app: &App,
    signed_in: &SignedIn,
    (rd, flow): (Option<&str>, Option<&str>),
) -> Result<Answer, Error> {
    let SignedIn {
        token,
        session,
        user,
    } = signed_in;
    let answer = match comes_first(app, session, user, Wanted::default()) {
        Some(first) => Answer::see_other(&first.way(rd, flow)),
        None => {
            let destination = Destination::find(app, rd, flow).await?;
            destination.continue_to(app, &token.hash()).await?
        }
    };
    Ok(answer.cookie(cookie_for(app, token, session)))
}

#[get("/logout")]
fn sign_out_form(
    app: &App,
    _visit: Visit,
    current: Option<CurrentSession>,
) -> Result<Answer, Failure> {
    let user = current.map(|current| current.user);
    let user = user.as_ref().map(|user| user as &dyn Person);
    Ok(Answer::page(app, Status::Ok, &SignOutPage {}, user)?)
}

#[derive(FromForm)]
struct SignOutForm {
    rd: Option<String>,
}

#[post("/logout", data = "<form>")]
async fn sign_out_post(
    app: &App,
    visit: Visit,
    current: Result<CurrentSession, Denied>,
    form: Posted<SignOutForm>,
) -> Result<Answer, Failure> {
    match current {
        Ok(current) => sign_out(app, &current, &visit.device()).await?,
        // Whether the session ended is not known: the cookie stays, and the answer says so.
        Err(Denied::Unavailable) => return Err(Refusal::unavailable().into()),
        Err(_) => {}
    }
    let Posted(form) = form;
    let answer = Answer::see_other(&back_to(app, form.rd.as_deref(), SIGNED_OUT));
    Ok(forget_session(app, answer))
}

/// With what takes the session out of the browser.
pub(crate) fn forget_session(app: &App, answer: Answer) -> Answer {
    let answer = answer
        .cookie(HostCookie::session(&app.settings).expire())
        // Not "cookies": that empties the whole registrable domain. Not "cache": nothing personal is in
        // it, and Chromium goes through every file that it keeps of any site, 16 s for 320 MB.
        .header(HeaderName::from_static("clear-site-data"), "\"storage\"");
    let shared = app.settings.sites.cookie_domain.as_deref();
    shared.into_iter().fold(answer, |answer, domain| {
        answer.cookie(DomainCookie(domain).expire())
    })
}

/// An empty picture in the page that a sign-out leads to, so that Back shows no private page.
///
/// Chromium keeps a page that it leaves, `no-store` or not, and drops it when a cookie of its host
/// changes while it is kept. The change that the sign-out itself makes may come before that and be missed;
/// this one comes after, and leaves no cookie.
#[get("/.vestibule/forget.svg")]
fn forget(app: &App, _visit: Visit) -> Answer {
    let answer = Answer::text(
        Status::Ok,
        "<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_owned(),
    )
    .content_type(SVG);
    HostCookie::signed_out(&app.settings)
        .come_and_go()
        .into_iter()
        .fold(answer, Answer::cookie)
}

/// Kept over the browser's end only for "keep me signed in", and never longer than the session.
pub(crate) fn cookie_for(app: &App, token: &Token, session: &Session) -> String {
    let max_age = session
        .remember
        .then(|| session.max_expires_at.since(app.clock.now()));
    HostCookie::session(&app.settings).issue(token, max_age)
}
