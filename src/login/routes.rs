use hyper::header::HeaderName;
use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};

use super::destination::{Destination, Lost, after_form};
use super::pages::{ReauthenticatePage, SignInPage, SignOutPage};
use super::second_factor::Proof;
use super::{
    Browser, LoginForm, Outcome, ProofAgain, Reauthenticated, SignedIn, reauthenticate, sign_in,
    sign_out,
};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::person::Person;
use crate::foundation::token::Token;
use crate::people::passwords::Password;
use crate::people::users::User;
use crate::sessions::{CurrentSession, Denied, Session};
use crate::web::cookies::{DomainCookie, HostCookie};
use crate::web::{
    Answer, CookieHeaders, Failure, Opened, Posted, Refusal, SVG, Visit, Visitor, back_to,
    with_query,
};

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
        sign_out_form,
        sign_out_post,
        forget,
        reauthenticate_form,
        reauthenticate_post
    ]
}

#[get("/login?<rd>&<flow>&<rm>&<cut>&<switch>&<retry>&<signed_out>&<factor>&<fresh>")]
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

/// What the page that somebody is on the way to asks for beyond a session.
#[derive(Clone, Copy, Default)]
struct Wanted {
    two: bool,
    /// A proof of just now.
    fresh: bool,
}

/// A page of ours that comes before the one that somebody is on the way to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Password,
    Proof,
    Enrolment,
}

/// What comes first. Whoever has a second factor proves it before anything else.
fn comes_first(app: &App, session: &Session, user: &User, wanted: Wanted) -> Option<First> {
    let required = &app.settings.second_factor.required;
    let lacks_two = session.lacks_second_factor(user, required)
        || wanted.two && !session.methods.is_two_factor();
    if lacks_two && user.has_second_factor() {
        Some(First::Proof)
    } else if user.must_change_password {
        Some(First::Password)
    } else if lacks_two {
        Some(First::Enrolment)
    } else {
        wanted.fresh.then_some(First::Proof)
    }
}

impl First {
    /// The way there, which goes on from there.
    fn way(self, rd: Option<&str>, flow: Option<&str>) -> String {
        let way = [("rd", rd), ("flow", flow)];
        let path = match self {
            Self::Password => return with_query("/account/password", &way),
            Self::Proof => "/reauthenticate",
            Self::Enrolment => "/account/factors",
        };
        with_query(path, &[("rd", Some(&with_query("/login", &way)))])
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
    let answer = match current {
        // The session that the browser has would outlive its cookie.
        Err(Denied::Unavailable) => Err(Refusal::unavailable().into()),
        current => {
            let current = current.ok();
            let browser = Browser {
                device: visit.device(),
                current: current.as_ref().map(|current| &current.session),
                trusted: cookies.token(HostCookie::trusted(&app.settings)),
            };
            answer_sign_in(app, &browser, &visitor, form).await
        }
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

#[get("/reauthenticate?<rd>")]
async fn reauthenticate_form(
    app: &App,
    _visit: Visit,
    visitor: Visitor,
    current: CurrentSession,
    rd: Option<&str>,
) -> Result<Answer, Failure> {
    let user = &current.user;
    let page = ReauthenticatePage::new(app, &visitor, user, rd).await?;
    Ok(visitor.page(app, Status::Ok, &page, Some(user))?)
}

#[derive(FromForm)]
struct ReauthenticateForm {
    password: Option<String>,
    code: Option<String>,
    recovery_code: Option<String>,
    assertion: Option<String>,
    rd: Option<String>,
}

impl ReauthenticateForm {
    /// The one of them that was filled in. `None`: it cannot be right.
    fn proof(self, visitor: &Visitor) -> Option<ProofAgain> {
        let filled = |field: Option<String>| field.filter(|text| !text.is_empty());
        match (
            filled(self.password),
            filled(self.code),
            filled(self.recovery_code),
            filled(self.assertion),
        ) {
            (Some(password), None, None, None) => {
                Some(ProofAgain::Password(Password::new(password)))
            }
            (None, Some(code), None, None) | (None, None, Some(code), None) => {
                Proof::parse(code).map(ProofAgain::SecondFactor)
            }
            (None, None, None, Some(assertion)) => {
                Some(ProofAgain::Passkey(assertion, visitor.hash()))
            }
            _ => None,
        }
    }
}

#[post("/reauthenticate", data = "<form>")]
async fn reauthenticate_post(
    app: &App,
    visit: Visit,
    visitor: Visitor,
    current: CurrentSession,
    form: Posted<ReauthenticateForm>,
) -> Result<Answer, Failure> {
    let Posted(form) = form;
    let back = with_query("/reauthenticate", &[("rd", form.rd.as_deref())]);
    let answer = answer_reauthenticate(app, &visit, &visitor, &current, form).await;
    answer.map_err(|failure| failure.back(&back, "Back"))
}

async fn answer_reauthenticate(
    app: &App,
    visit: &Visit,
    visitor: &Visitor,
    current: &CurrentSession,
    form: ReauthenticateForm,
) -> Result<Answer, Failure> {
    let rd = form.rd.clone();
    let rd = rd.as_deref();
    let user = &current.user;
    let outcome = match form.proof(visitor) {
        Some(proof) => reauthenticate(app, current, proof, &visit.device()).await?,
        None => Reauthenticated::Wrong,
    };
    let wrong = match outcome {
        Reauthenticated::Done(token) => {
            let answer = after_form(app, &back_to(app, rd, HOME))?;
            return Ok(answer.cookie(cookie_for(app, &token, &current.session)));
        }
        Reauthenticated::Throttled(wait) => return Err(Refusal::throttled(wait).into()),
        Reauthenticated::Wrong => wrong_again(user),
        Reauthenticated::WrongPasskey(why) => why,
    };
    let page = ReauthenticatePage {
        error: Some(wrong.to_owned()),
        ..ReauthenticatePage::new(app, visitor, user, rd).await?
    };
    Ok(visitor.page(app, Status::Forbidden, &page, Some(user))?)
}

/// What is said of a proof that was not right.
pub(super) fn wrong_again(user: &User) -> &'static str {
    if user.has_second_factor() {
        "That code is not right, or it was used before. Wait for the next one."
    } else {
        "That is not your password."
    }
}

/// Kept over the browser's end only for "keep me signed in", and never longer than the session.
pub(crate) fn cookie_for(app: &App, token: &Token, session: &Session) -> String {
    let max_age = session
        .remember
        .then(|| session.max_expires_at.since(app.clock.now()));
    HostCookie::session(&app.settings).issue(token, max_age)
}
