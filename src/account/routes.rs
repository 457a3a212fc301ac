use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};
use serde::Serialize;

use super::{Changed, Launcher, Tile, change_password, leaving};
use crate::foundation::app::App;
use crate::foundation::audit;
use crate::foundation::clock::Timestamp;
use crate::foundation::error::Error;
use crate::login::{Destination, cookie_for};
use crate::people::notices::{self, Notice};
use crate::people::passwords::Password;
use crate::people::users::User;
use crate::sessions::{CurrentSession, CurrentUser, SteppedUp, device};
use crate::web::pages::{Page, Template, template};
use crate::web::{Answer, Failure, Posted, Refusal, Visit, with_query};

/// As many as a person looks through.
const SIGN_INS_SHOWN: u32 = 10;

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![show, password_form, password_change, well_known]
}

#[get("/account")]
async fn show(
    app: &App,
    visit: Visit,
    user: CurrentUser,
    current: CurrentSession,
) -> Result<Answer, Failure> {
    let sign_ins = audit::recent_sign_ins(app.db.reader(), user.id, SIGN_INS_SHOWN).await?;
    let page = AccountPage {
        tiles: app
            .state::<Box<dyn Launcher>>()
            .tiles(app, &current, &visit.device())
            .await?,
        notices: notices::unseen(app, user.id).await?,
        leaves: leaving::due(app, &current).await?,
        user: user.0.clone(),
        session: CurrentSessionView {
            created_at: current.session.created_at,
            expires_at: current.session.expires_at(),
            authenticated_at: current.session.authenticated_at,
            methods: current.session.methods.to_string(),
        },
        sign_ins: sign_ins
            .into_iter()
            .map(|sign_in| SignInView {
                at: sign_in.at,
                ok: sign_in.result == "ok",
                address: sign_in.address.unwrap_or_default(),
                device: sign_in
                    .user_agent
                    .as_deref()
                    .map(device::describe)
                    .unwrap_or_default(),
                this_session: sign_in.session_id == Some(current.session.id),
            })
            .collect(),
    };
    Ok(Answer::page(app, Status::Ok, &page, Some(&user.0))?)
}

/// Also for those who must change it before anything else, on their way to another page.
#[get("/account/password?<rd>&<flow>")]
fn password_form(
    app: &App,
    _visit: Visit,
    stepped_up: SteppedUp,
    rd: Option<String>,
    flow: Option<String>,
) -> Result<Answer, Failure> {
    let page = PasswordPage {
        rd,
        flow,
        ..PasswordPage::new(app, &stepped_up.0.user)
    };
    Ok(page.answer(app, Status::Ok, &stepped_up.0.user)?)
}

/// Where password managers look for the page (W3C, "A Well-Known URL for Changing Passwords").
#[get("/.well-known/change-password")]
fn well_known(_visit: Visit) -> Answer {
    Answer::see_other("/account/password")
}

#[derive(FromForm)]
struct PasswordForm {
    current_password: String,
    new_password: String,
    end_tokens: Option<String>,
    rd: Option<String>,
    flow: Option<String>,
}

#[post("/account/password", data = "<form>")]
async fn password_change(
    app: &App,
    visit: Visit,
    stepped_up: SteppedUp,
    form: Posted<PasswordForm>,
) -> Result<Answer, Failure> {
    let SteppedUp(current) = stepped_up;
    let Posted(form) = form;
    let way = [("rd", form.rd.as_deref()), ("flow", form.flow.as_deref())];
    let back = with_query("/account/password", &way);
    let answer = answer_password_change(app, &visit, &current, form).await;
    answer.map_err(|failure| failure.back(&back, "Back"))
}

async fn answer_password_change(
    app: &App,
    visit: &Visit,
    current: &CurrentSession,
    form: PasswordForm,
) -> Result<Answer, Failure> {
    let PasswordForm { rd, flow, .. } = form;
    let destination = Destination::find(app, rd.as_deref(), flow.as_deref()).await?;
    let again = |status: Status, error: String| {
        let page = PasswordPage {
            error: Some(error),
            rd,
            flow,
            ..PasswordPage::new(app, &current.user)
        };
        page.answer(app, status, &current.user)
    };
    let (old, new) = (
        Password::new(form.current_password),
        Password::new(form.new_password),
    );
    let end_tokens = form.end_tokens.as_deref() == Some("on");
    match change_password(app, current, &old, &new, end_tokens, &visit.device()).await? {
        Changed::Done(token) => {
            let answer = destination.continue_to(app, &token.hash()).await?;
            Ok(answer.cookie(cookie_for(app, &token, &current.session)))
        }
        Changed::WrongCurrent => Ok(again(
            Status::Forbidden,
            "That is not your current password.".to_owned(),
        )?),
        Changed::Weak(weakness) => Ok(again(Status::UnprocessableEntity, weakness.to_string())?),
        Changed::Throttled(wait) => Err(Refusal::throttled(wait).into()),
    }
}

#[derive(Serialize)]
pub struct AccountPage {
    /// What one may open.
    tiles: Vec<Tile>,
    notices: Vec<Notice>,
    /// When the account is going to be deleted.
    leaves: Option<Timestamp>,
    user: User,
    session: CurrentSessionView,
    sign_ins: Vec<SignInView>,
}

#[derive(Serialize)]
struct CurrentSessionView {
    created_at: Timestamp,
    expires_at: Timestamp,
    authenticated_at: Timestamp,
    methods: String,
}

#[derive(Serialize)]
struct SignInView {
    at: Timestamp,
    ok: bool,
    address: String,
    device: String,
    this_session: bool,
}

impl Page for AccountPage {
    const TEMPLATE: Template = template!("account/account.html");

    fn samples(text: &str) -> Vec<Self> {
        let at = Timestamp::parse("2026-03-01T08:15:00Z").expect("a time");
        let sign_in = |ok| SignInView {
            at,
            ok,
            address: text.to_owned(),
            device: text.to_owned(),
            this_session: ok,
        };
        let url = || text.to_owned();
        vec![Self {
            tiles: vec![
                Tile::new(text, url(), None),
                Tile::new(text, url(), Some(url())),
            ],
            notices: vec![Notice::sample(text)],
            leaves: Some(at),
            user: User::sample(text),
            session: CurrentSessionView {
                created_at: at,
                expires_at: at,
                authenticated_at: at,
                methods: text.to_owned(),
            },
            sign_ins: vec![sign_in(true), sign_in(false)],
        }]
    }
}

#[derive(Serialize)]
pub struct PasswordPage {
    rd: Option<String>,
    flow: Option<String>,
    error: Option<String>,
    min_length: usize,
    username: String,
    must_change: bool,
}

impl PasswordPage {
    fn new(app: &App, user: &User) -> Self {
        Self {
            rd: None,
            flow: None,
            error: None,
            min_length: app.settings.passwords.min_length,
            username: user.username.clone(),
            must_change: user.must_change_password,
        }
    }

    fn answer(&self, app: &App, status: Status, user: &User) -> Result<Answer, Error> {
        Answer::page(app, status, self, Some(user))
    }
}

impl Page for PasswordPage {
    const TEMPLATE: Template = template!("account/password.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |given: Option<&str>, must_change| Self {
            rd: given.map(str::to_owned),
            flow: given.map(str::to_owned),
            error: given.map(str::to_owned),
            min_length: 15,
            username: text.to_owned(),
            must_change,
        };
        vec![page(None, false), page(Some(text), true)]
    }
}
