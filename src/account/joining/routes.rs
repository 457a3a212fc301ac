use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};

use super::join::ask_for_passkey;
use super::pages::{JoinPage, Step};
use super::{Asked, Joined, Newcomer, WayIn, ask, granted_by, join};
use crate::account::factors::RecoveryCodesPage;
use crate::foundation::app::App;
use crate::login::{Browser, cookie_for};
use crate::people::passwords::Password;
use crate::sessions::{CurrentSession, Denied};
use crate::web::{Answer, Failure, Posted, Refusal, Visit, Visitor};

const ACCOUNT: &str = "/account";
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

/// What makes an account.
#[derive(FromForm)]
struct AccountForm {
    username: Option<String>,
    display_name: Option<String>,
    new_password: Option<String>,
    /// A passkey is wanted in place of a password.
    passkey: Option<String>,
    /// The id that the account gets which the passkey was made for.
    account: Option<String>,
    assertion: Option<String>,
}

#[post("/invitation/<token>", data = "<form>")]
async fn invitation(
    app: &App,
    visit: Visit,
    visitor: Visitor,
    current: Result<CurrentSession, Denied>,
    token: &str,
    form: Posted<AccountForm>,
) -> Result<Answer, Failure> {
    let Posted(form) = form;
    let Some(granted) = granted_by(app, token).await? else {
        return no_link(app);
    };
    let page = JoinPage::by(app, token, granted);
    let browser = Browser::new(&visit, &current, None)?;
    make(app, Some(token), page, form, &visitor, &browser).await
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
    display_name: Option<String>,
    new_password: Option<String>,
    passkey: Option<String>,
    account: Option<String>,
    assertion: Option<String>,
}

#[post("/sign-up", data = "<form>")]
async fn sign_up(
    app: &App,
    visit: Visit,
    visitor: Visitor,
    current: Result<CurrentSession, Denied>,
    form: Posted<SignUpForm>,
) -> Result<Answer, Failure> {
    let Posted(form) = form;
    let page = JoinPage::new(app, first_step(app)?);
    if page.step == Step::Address {
        return ask_for_link(app, &visit, page, &form.email.unwrap_or_default()).await;
    }
    let page = JoinPage {
        email: form.email,
        ..page
    };
    let form = AccountForm {
        username: form.username,
        display_name: form.display_name,
        new_password: form.new_password,
        passkey: form.passkey,
        account: form.account,
        assertion: form.assertion,
    };
    let browser = Browser::new(&visit, &current, None)?;
    make(app, None, page, form, &visitor, &browser).await
}

/// Makes the account, or asks for the passkey that it is to be made with.
async fn make(
    app: &App,
    link: Option<&str>,
    page: JoinPage,
    form: AccountForm,
    visitor: &Visitor,
    browser: &Browser<'_>,
) -> Result<Answer, Failure> {
    let again = JoinPage {
        username: form.username.clone().unwrap_or_default(),
        display_name: form.display_name.clone().unwrap_or_default(),
        ..page
    };
    let newcomer = Newcomer {
        username: form.username.unwrap_or_default(),
        display_name: form.display_name,
        email: again.email.clone(),
    };
    let way_in = match (form.passkey, form.assertion) {
        (None, _) => WayIn::Password(Password::new(form.new_password.unwrap_or_default())),
        (Some(_), Some(answer)) => WayIn::Passkey {
            account: form
                .account
                .and_then(|id| id.parse().ok())
                .unwrap_or_default(),
            browser: visitor.hash(),
            answer,
        },
        (Some(_), None) => {
            let device = &browser.device;
            let asked = ask_for_passkey(app, link, newcomer, &visitor.hash(), device).await?;
            return match asked {
                Ok(asked) => Ok(visitor.page(app, Status::Ok, &again.asking(asked), None)?),
                Err(stopped) => answer(app, stopped, again),
            };
        }
    };
    let joined = join(app, link, newcomer, way_in, browser).await?;
    answer(app, joined, again)
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

fn answer(app: &App, joined: Joined, again: JoinPage) -> Result<Answer, Failure> {
    match joined {
        Joined::In(signed_in, codes) => {
            let answer = if codes.is_empty() {
                Answer::see_other(ACCOUNT)
            } else {
                let page = RecoveryCodesPage::shown(app, codes, ACCOUNT);
                Answer::page(app, Status::Ok, &page, Some(&signed_in.user))?
            };
            Ok(answer.cookie(cookie_for(app, &signed_in.token, &signed_in.session)))
        }
        Joined::Waiting => Ok(Answer::see_other(WAITING)),
        Joined::NoLink => no_link(app),
        Joined::Throttled(wait) => throttled(wait, &again.action),
        Joined::Refused(why) => refused(app, again, why.to_string()),
        Joined::NoPasskey(why) => refused(app, again, why.to_owned()),
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
