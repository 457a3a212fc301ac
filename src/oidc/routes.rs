//! Where browsers come.

use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};

use super::authorize::{Decision, Step, authorize};
use super::enabled;
use super::pages::{ConsentPage, SignOutPage, shown_target};
use super::params::{InBody, InQuery, Params};
use super::sign_out::{self, SignOut};
use crate::foundation::app::App;
use crate::foundation::person::Person;
use crate::login::{self, leave_for};
use crate::sessions::{CurrentSession, Denied};
use crate::web::{Answer, Failure, Posted, Refusal, Visit};

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![
        authorize_get,
        authorize_post,
        consent,
        sign_out_get,
        sign_out_post,
        sign_out_confirmed
    ]
}

type Session = Result<CurrentSession, Denied>;

/// Nobody is taken for signed out because the database does not answer.
fn known(session: Session) -> Result<Option<CurrentSession>, Failure> {
    match session {
        Ok(current) => Ok(Some(current)),
        Err(Denied::Unavailable) => Err(Refusal::unavailable().into()),
        Err(_) => Ok(None),
    }
}

#[get("/oauth/authorize")]
async fn authorize_get(
    app: &App,
    visit: Visit,
    query: InQuery,
    session: Session,
) -> Result<Answer, Failure> {
    enabled(app)?;
    let InQuery(params) = query;
    let current = known(session)?;
    match authorize(
        app,
        &params,
        current.as_ref(),
        &visit.device(),
        Decision::NotAsked,
    )
    .await?
    {
        Step::Stay(refusal) => Err(refusal.into()),
        Step::Leave(url) => Ok(Answer::see_other(&url).keep_opener()),
        Step::First(path) => Ok(Answer::see_other(&path)),
        Step::Ask(question) => {
            // Nobody else is asked.
            let current = current.ok_or_else(Refusal::unavailable)?;
            let page = ConsentPage::of(*question, &current.user);
            Ok(Answer::page(app, Status::Ok, &page, Some(&current.user))?)
        }
    }
}

/// A form of another site comes without our cookie; the same as GET has it.
#[post("/oauth/authorize", data = "<body>")]
fn authorize_post(app: &App, _visit: Visit, body: InBody) -> Result<Answer, Failure> {
    enabled(app)?;
    as_get("/oauth/authorize", body)
}

fn as_get(path: &str, body: InBody) -> Result<Answer, Failure> {
    let InBody(params) = body;
    if params.is_broken {
        return Err(Refusal::of_status(Status::BadRequest).into());
    }
    Ok(Answer::see_other(&format!(
        "{path}?{}",
        params.to_query(None)
    )))
}

#[derive(FromForm)]
struct ConsentForm {
    request: String,
    decision: String,
}

#[post("/oauth/consent", data = "<form>")]
async fn consent(
    app: &App,
    visit: Visit,
    current: CurrentSession,
    form: Posted<ConsentForm>,
) -> Result<Answer, Failure> {
    enabled(app)?;
    let Posted(form) = form;
    let params = Params::parse(form.request.as_bytes());
    let decision = match form.decision.as_str() {
        "allow" => Decision::Allowed,
        _ => Decision::Denied,
    };
    match authorize(app, &params, Some(&current), &visit.device(), decision).await? {
        Step::Leave(url) => leave(app, url),
        Step::First(path) => Ok(Answer::see_other(&path)),
        Step::Stay(refusal) => Err(refusal.into()),
        Step::Ask(_) => Err(Refusal::of_status(Status::BadRequest).into()),
    }
}

/// From a form: a page that leaves by itself.
fn leave(app: &App, url: String) -> Result<Answer, Failure> {
    let host = shown_target(&url);
    Ok(leave_for(app, url, &host)?)
}

const SIGNED_OUT: &str = "/login?signed_out";

#[get("/oauth/logout")]
async fn sign_out_get(
    app: &App,
    visit: Visit,
    query: InQuery,
    session: Session,
) -> Result<Answer, Failure> {
    enabled(app)?;
    let InQuery(params) = query;
    let current = known(session)?;
    match sign_out::judge(app, &params, current.as_ref()).await? {
        SignOut::Stay(refusal) => Err(refusal.into()),
        SignOut::Ask => {
            let page = SignOutPage {
                request: params.to_query(None),
            };
            let user = current.as_ref().map(|current| &current.user as &dyn Person);
            Ok(Answer::page(app, Status::Ok, &page, user)?)
        }
        SignOut::Now(target) => {
            if let Some(current) = &current {
                login::sign_out(app, current, &visit.device()).await?;
            }
            let answer = Answer::see_other(target.as_deref().unwrap_or(SIGNED_OUT));
            Ok(login::forget_session(app, answer))
        }
    }
}

#[post("/oauth/logout", data = "<body>")]
fn sign_out_post(app: &App, _visit: Visit, body: InBody) -> Result<Answer, Failure> {
    enabled(app)?;
    as_get("/oauth/logout", body)
}

#[derive(FromForm)]
struct SignOutForm {
    request: String,
}

#[post("/oauth/sign-out", data = "<form>")]
async fn sign_out_confirmed(
    app: &App,
    visit: Visit,
    current: Session,
    form: Posted<SignOutForm>,
) -> Result<Answer, Failure> {
    enabled(app)?;
    let Posted(form) = form;
    if let Some(current) = known(current)? {
        login::sign_out(app, &current, &visit.device()).await?;
    }
    let params = Params::parse(form.request.as_bytes());
    let answer = match sign_out::target_of(app, &params).await? {
        Some(target) => leave(app, target)?,
        None => Answer::see_other(SIGNED_OUT),
    };
    Ok(login::forget_session(app, answer))
}
