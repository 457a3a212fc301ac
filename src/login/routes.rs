use hyper::header::HeaderName;
use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};

use super::destination::{Destination, Lost};
use super::pages::{ReauthenticatePage, SignInPage, SignOutPage};
use super::passkey::{self, Given};
use super::{LoginForm, Outcome, Reauthenticated, reauthenticate, sign_in, sign_out};
use crate::foundation::app::App;
use crate::foundation::person::Person;
use crate::foundation::token::Token;
use crate::people::passkeys::Refused;
use crate::people::passwords::Password;
use crate::people::users::User;
use crate::sessions::{CurrentSession, Denied, Session};
use crate::web::cookies::{DomainCookie, HostCookie};
use crate::web::{Answer, Browser, Failure, Opened, Posted, Refusal, SVG, Visit, back_to, with_query};

/// Where people are sent who asked for no other page.
const HOME: &str = "/account";

/// Where people are who have just signed out.
const SIGNED_OUT: &str = "/login?signed_out";

const WRONG: &str = "That user name and password do not belong together.";

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![
        sign_in_form,
        sign_in_post,
        passkey_post,
        sign_out_form,
        sign_out_post,
        forget,
        reauthenticate_form,
        reauthenticate_post
    ]
}

#[get("/login?<rd>&<flow>&<rm>&<cut>&<switch>&<retry>&<signed_out>")]
#[expect(
    clippy::too_many_arguments,
    reason = "the parameters of the page's address"
)]
async fn sign_in_form(
    app: &App,
    _visit: Visit,
    opened: Opened,
    browser: Browser,
    current: Option<CurrentSession>,
    rd: Option<&str>,
    flow: Option<&str>,
    rm: Option<&str>,
    cut: Option<&str>,
    switch: Option<&str>,
    retry: Option<&str>,
    signed_out: Option<&str>,
) -> Result<Answer, Failure> {
    let destination = Destination::find(app, rd, flow).await?;
    let lost = Lost::find(rm, cut);
    let goes_on = switch.is_none() && (opened.as_page || !destination.needs_ticket());
    let ready = current.as_ref().filter(|_| goes_on);
    let ready_user = ready.filter(|current| !current.user.must_change_password);
    if let (true, None, Some(out)) = (opened.framed, ready_user, destination.out_of_frame(app)) {
        return Ok(Answer::see_other(&out));
    }
    let Some(current) = ready else {
        let page = SignInPage {
            signed_out: signed_out.is_some(),
            lost: lost.map(Lost::text),
            ..SignInPage::new(rd, flow, &destination)
        };
        let page = page.with_passkey(app, &browser).await?;
        let user = current.as_ref().map(|current| &current.user as &dyn Person);
        return Ok(browser.page(app, Status::Ok, &page, user)?);
    };
    if current.user.must_change_password {
        return Ok(change_password_first(rd, flow));
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

/// The way goes on from there.
fn change_password_first(rd: Option<&str>, flow: Option<&str>) -> Answer {
    Answer::see_other(&with_query(
        "/account/password",
        &[("rd", rd), ("flow", flow)],
    ))
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
    browser: Browser,
    current: Result<CurrentSession, Denied>,
    form: Posted<SignInForm>,
) -> Result<Answer, Failure> {
    let Posted(form) = form;
    let way = [("rd", form.rd.as_deref()), ("flow", form.flow.as_deref())];
    let back = with_query("/login", &way);
    let answer = match current {
        // The session that the browser has would outlive its cookie.
        Err(Denied::Unavailable) => Err(Refusal::unavailable().into()),
        current => answer_sign_in(app, &visit, &browser, current.ok(), form).await,
    };
    answer.map_err(|failure| failure.back(&back, "Back to sign in"))
}

async fn answer_sign_in(
    app: &App,
    visit: &Visit,
    browser: &Browser,
    current: Option<CurrentSession>,
    form: SignInForm,
) -> Result<Answer, Failure> {
    let (rd, flow) = (form.rd.as_deref(), form.flow.as_deref());
    let destination = Destination::find(app, rd, flow).await?;
    let page = SignInPage::new(rd, flow, &destination);
    let login = LoginForm {
        username: form.username,
        password: Password::new(form.password),
        remember: form.remember.is_some_and(|remember| remember == "on"),
    };
    let current = current.as_ref().map(|current| &current.session);
    match sign_in(app, &login, &visit.device(), current).await? {
        Outcome::SignedIn(token, session, user) => {
            answer_signed_in(app, &destination, (rd, flow), &token, &session, &user).await
        }
        Outcome::Wrong => Ok(page.refused(app, browser, WRONG).await?),
        Outcome::Throttled(wait) => Err(Refusal::throttled(wait).into()),
    }
}

#[derive(FromForm)]
struct PasskeyForm {
    assertion: String,
    remember: Option<String>,
    rd: Option<String>,
    flow: Option<String>,
}

#[post("/login/passkey", data = "<form>")]
async fn passkey_post(
    app: &App,
    visit: Visit,
    browser: Browser,
    current: Result<CurrentSession, Denied>,
    form: Posted<PasskeyForm>,
) -> Result<Answer, Failure> {
    let Posted(form) = form;
    let way = [("rd", form.rd.as_deref()), ("flow", form.flow.as_deref())];
    let back = with_query("/login", &way);
    let answer = match current {
        Err(Denied::Unavailable) => Err(Refusal::unavailable().into()),
        current => answer_passkey(app, &visit, &browser, current.ok(), form).await,
    };
    answer.map_err(|failure| failure.back(&back, "Back to sign in"))
}

async fn answer_passkey(
    app: &App,
    visit: &Visit,
    browser: &Browser,
    current: Option<CurrentSession>,
    form: PasskeyForm,
) -> Result<Answer, Failure> {
    let (rd, flow) = (form.rd.as_deref(), form.flow.as_deref());
    let destination = Destination::find(app, rd, flow).await?;
    let given = Given {
        assertion: &form.assertion,
        browser: &browser.hash(),
        device: &visit.device(),
    };
    let remember = form.remember.is_some_and(|remember| remember == "on");
    let current = current.as_ref().map(|current| &current.session);
    match passkey::sign_in(app, given, remember, current).await? {
        passkey::Outcome::SignedIn(token, session, user) => {
            answer_signed_in(app, &destination, (rd, flow), &token, &session, &user).await
        }
        passkey::Outcome::Refused(Refused::Malformed) => Err(malformed_assertion().into()),
        passkey::Outcome::Refused(refused) => {
            let page = SignInPage::new(rd, flow, &destination);
            Ok(page.refused(app, browser, refused.text()).await?)
        }
        passkey::Outcome::Throttled(wait) => Err(Refusal::throttled(wait).into()),
    }
}

/// Where a browser goes that has just signed in, with its cookie.
async fn answer_signed_in(
    app: &App,
    destination: &Destination,
    (rd, flow): (Option<&str>, Option<&str>),
    token: &Token,
    session: &Session,
    user: &User,
) -> Result<Answer, Failure> {
    let answer = if user.must_change_password {
        change_password_first(rd, flow)
    } else {
        destination.continue_to(app, &token.hash()).await?
    };
    Ok(answer.cookie(cookie_for(app, token, session)))
}

/// What no browser makes of an authenticator's answer.
pub(crate) fn malformed_assertion() -> Refusal {
    Refusal::new(
        Status::UnprocessableEntity,
        "malformed_passkey",
        "That was no passkey",
        "What the browser sent of the passkey could not be read. Nothing was changed. Go back and try again.",
    )
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
    let answer = Answer::see_other(&back_to(app, form.rd.as_deref(), SIGNED_OUT))
        .cookie(HostCookie::session(&app.settings).expire())
        // Not "cookies": that empties the whole registrable domain. Not "cache": nothing personal is in
        // it, and Chromium goes through every file that it keeps of any site, 16 s for 320 MB.
        .header(HeaderName::from_static("clear-site-data"), "\"storage\"");
    let shared = app.settings.sites.cookie_domain.as_deref();
    Ok(shared.into_iter().fold(answer, |answer, domain| {
        answer.cookie(DomainCookie(domain).expire())
    }))
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

#[get("/reauthenticate?<rd>")]
fn reauthenticate_form(
    app: &App,
    _visit: Visit,
    current: CurrentSession,
    rd: Option<&str>,
) -> Result<Answer, Failure> {
    Ok(ReauthenticatePage::new(&current.user, rd).answer(app, Status::Ok, &current.user)?)
}

#[derive(FromForm)]
struct ReauthenticateForm {
    password: String,
    rd: Option<String>,
}

#[post("/reauthenticate", data = "<form>")]
async fn reauthenticate_post(
    app: &App,
    visit: Visit,
    current: CurrentSession,
    form: Posted<ReauthenticateForm>,
) -> Result<Answer, Failure> {
    let Posted(form) = form;
    let back = with_query("/reauthenticate", &[("rd", form.rd.as_deref())]);
    let answer = answer_reauthenticate(app, &visit, &current, form).await;
    answer.map_err(|failure| failure.back(&back, "Back"))
}

async fn answer_reauthenticate(
    app: &App,
    visit: &Visit,
    current: &CurrentSession,
    form: ReauthenticateForm,
) -> Result<Answer, Failure> {
    let rd = form.rd.as_deref();
    let password = Password::new(form.password);
    match reauthenticate(app, current, &password, &visit.device()).await? {
        Reauthenticated::Done(token) => Ok(Answer::see_other(&back_to(app, rd, HOME))
            .cookie(cookie_for(app, &token, &current.session))),
        Reauthenticated::Wrong => {
            let page = ReauthenticatePage {
                error: Some("That is not your password.".to_owned()),
                ..ReauthenticatePage::new(&current.user, rd)
            };
            Ok(page.answer(app, Status::Forbidden, &current.user)?)
        }
        Reauthenticated::Throttled(wait) => Err(Refusal::throttled(wait).into()),
    }
}

/// Kept over the browser's end only for "keep me signed in", and never longer than the session.
pub(crate) fn cookie_for(app: &App, token: &Token, session: &Session) -> String {
    let max_age = session
        .remember
        .then(|| session.max_expires_at.since(app.clock.now()));
    HostCookie::session(&app.settings).issue(token, max_age)
}
