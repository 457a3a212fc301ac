use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};

use super::{ProofAgain, Reauthenticated, reauthenticate};
use crate::foundation::app::App;
use crate::login::destination::after_form;
use crate::login::pages::ReauthenticatePage;
use crate::login::routes::{HOME, cookie_for};
use crate::people::users::User;
use crate::sessions::CurrentSession;
use crate::web::{Answer, Failure, Posted, Refusal, Visit, Visitor, back_to, with_query};

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![form, post]
}

#[get("/reauthenticate?<rd>")]
async fn form(
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
        let code = match (filled(self.code), filled(self.recovery_code)) {
            (Some(_), Some(_)) => return None,
            (code, recovery_code) => code.or(recovery_code),
        };
        ProofAgain::of_one(filled(self.password), code, filled(self.assertion), visitor)
    }
}

#[post("/reauthenticate", data = "<form>")]
async fn post(
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
pub fn wrong_again(user: &User) -> &'static str {
    if user.has_second_factor() {
        "That code is not right, or it was used before. Wait for the next one."
    } else {
        "That is not your password."
    }
}
