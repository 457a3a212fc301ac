use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};

use super::pages::{JoinPage, Step};
use super::{Asked, Joined, Newcomer, ask, granted_by, join};
use crate::foundation::app::App;
use crate::login::{Browser, cookie_for};
use crate::people::passwords::Password;
use crate::sessions::{CurrentSession, Denied};
use crate::web::{Answer, Failure, Posted, Refusal, Visit};

const SIGN_UP: &str = "/sign-up";
const ASKED: &str = "/sign-up?asked";
const WAITING: &str = "/sign-up?waiting";

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![invitation_form, invitation, sign_up_form, sign_up]
}

/// Opening the link changes nothing: mail servers and browsers open links, too.
#[get("/invitation/<token>")]
async fn invitation_form(app: &App, _visit: Visit, token: &str) -> Result<Answer, Failure> {
    match granted_by(app, token).await? {
        Some(granted) => {
            let page = JoinPage::by(app, token, granted);
            Ok(Answer::page(app, Status::Ok, &page, None)?)
        }
        None => no_link(app),
    }
}

#[derive(FromForm)]
struct InvitationForm {
    username: String,
    new_password: String,
    display_name: Option<String>,
}

#[post("/invitation/<token>", data = "<form>")]
async fn invitation(
    app: &App,
    visit: Visit,
    current: Result<CurrentSession, Denied>,
    token: &str,
    form: Posted<InvitationForm>,
) -> Result<Answer, Failure> {
    let Posted(form) = form;
    let Some(granted) = granted_by(app, token).await? else {
        return no_link(app);
    };
    let again = JoinPage {
        username: form.username.clone(),
        display_name: form.display_name.clone().unwrap_or_default(),
        ..JoinPage::by(app, token, granted)
    };
    let newcomer = Newcomer {
        username: form.username,
        display_name: form.display_name,
        email: None,
        password: Password::new(form.new_password),
    };
    let browser = Browser::new(&visit, &current, None)?;
    let back = format!("/invitation/{token}");
    let joined = join(app, Some(token), newcomer, &browser).await;
    answer(app, joined?, again, &back)
}

#[get("/sign-up?<asked>&<waiting>")]
fn sign_up_form(
    app: &App,
    _visit: Visit,
    asked: Option<&str>,
    waiting: Option<&str>,
) -> Result<Answer, Failure> {
    let first = first_step(app)?;
    let step = match (asked, waiting) {
        (Some(_), _) => Step::Asked,
        (_, Some(_)) => Step::Waiting,
        _ => first,
    };
    let page = JoinPage::new(app, step);
    Ok(Answer::page(app, Status::Ok, &page, None)?)
}

/// Where mail is sent, the address comes first, and name and password by the link: whoever asks here may not be who reads the
/// mail. They are not kept if they come along.
#[derive(FromForm)]
struct SignUpForm {
    email: Option<String>,
    username: Option<String>,
    new_password: Option<String>,
    display_name: Option<String>,
}

#[post("/sign-up", data = "<form>")]
async fn sign_up(
    app: &App,
    visit: Visit,
    current: Result<CurrentSession, Denied>,
    form: Posted<SignUpForm>,
) -> Result<Answer, Failure> {
    let Posted(form) = form;
    let page = JoinPage::new(app, first_step(app)?);
    if page.step == Step::Address {
        return ask_for_link(app, &visit, page, &form.email.unwrap_or_default()).await;
    }
    let again = JoinPage {
        email: form.email.clone(),
        username: form.username.clone().unwrap_or_default(),
        display_name: form.display_name.clone().unwrap_or_default(),
        ..page
    };
    let newcomer = Newcomer {
        username: form.username.unwrap_or_default(),
        display_name: form.display_name,
        email: form.email,
        password: Password::new(form.new_password.unwrap_or_default()),
    };
    let browser = Browser::new(&visit, &current, None)?;
    let joined = join(app, None, newcomer, &browser).await?;
    answer(app, joined, again, SIGN_UP)
}

/// What signing up begins with, where people may.
fn first_step(app: &App) -> Result<Step, Refusal> {
    match (
        app.settings.accounts.sign_up.is_on(),
        app.settings.mail.is_on(),
    ) {
        (false, _) => Err(Refusal::not_found()),
        (true, true) => Ok(Step::Address),
        (true, false) => Ok(Step::Account),
    }
}

async fn ask_for_link(
    app: &App,
    visit: &Visit,
    page: JoinPage,
    typed: &str,
) -> Result<Answer, Failure> {
    match ask(app, typed, &visit.device()).await? {
        Asked::Done => Ok(Answer::see_other(ASKED)),
        Asked::Throttled(wait) => throttled(wait, SIGN_UP),
        Asked::Refused(error) => {
            let email = Some(typed.to_owned());
            refused(app, JoinPage { email, ..page }, error)
        }
    }
}

fn answer(app: &App, joined: Joined, again: JoinPage, back: &str) -> Result<Answer, Failure> {
    match joined {
        Joined::In(signed_in) => {
            let cookie = cookie_for(app, &signed_in.token, &signed_in.session);
            Ok(Answer::see_other("/account").cookie(cookie))
        }
        Joined::Waiting => Ok(Answer::see_other(WAITING)),
        Joined::NoLink => no_link(app),
        Joined::Throttled(wait) => throttled(wait, back),
        Joined::Refused(why) => refused(app, again, why.to_string()),
    }
}

fn refused(app: &App, page: JoinPage, error: String) -> Result<Answer, Failure> {
    let error = Some(error);
    let page = JoinPage { error, ..page };
    Ok(Answer::page(app, Status::UnprocessableEntity, &page, None)?)
}

fn throttled(wait: std::time::Duration, back: &str) -> Result<Answer, Failure> {
    Err(Failure::from(Refusal::throttled(wait)).back(back, "Back"))
}

fn no_link(app: &App) -> Result<Answer, Failure> {
    let page = JoinPage::new(app, Step::Lost);
    Ok(Answer::page(app, Status::NotFound, &page, None)?)
}
