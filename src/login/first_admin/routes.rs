use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};
use serde::Serialize;

use super::{FirstAdmin, Outcome, is_open, make_first_admin};
use crate::foundation::app::App;
use crate::people::passwords::Password;
use crate::web::cookies::HostCookie;
use crate::web::pages::{Page, Template, template};
use crate::web::{Answer, Failure, Posted, Refusal, Visit, with_query};

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![form, make]
}

#[get("/setup?<code>")]
async fn form(app: &App, _visit: Visit, code: Option<&str>) -> Result<Answer, Failure> {
    if !is_open(app).await? {
        return Err(already_done().into());
    }
    let page = SetupPage::new(app, code.unwrap_or_default());
    Ok(Answer::page(app, Status::Ok, &page, None)?)
}

#[derive(FromForm)]
struct SetupForm {
    code: String,
    username: String,
    password: String,
}

#[post("/setup", data = "<form>")]
async fn make(app: &App, visit: Visit, form: Posted<SetupForm>) -> Result<Answer, Failure> {
    let Posted(form) = form;
    let back = with_query("/setup", &[("code", Some(&form.code))]);
    let answer = answer_setup(app, &visit, form).await;
    answer.map_err(|failure| failure.back(&back, "Back"))
}

async fn answer_setup(app: &App, visit: &Visit, form: SetupForm) -> Result<Answer, Failure> {
    let again = SetupPage {
        username: form.username.clone(),
        ..SetupPage::new(app, &form.code)
    };
    let first = FirstAdmin {
        code: form.code,
        username: form.username,
        password: Password::new(form.password),
    };
    let (status, error) = match make_first_admin(app, first, &visit.device()).await? {
        Outcome::Made(token) => {
            return Ok(Answer::see_other("/account").cookie(HostCookie::session(&app.settings).issue(&token, None)));
        }
        Outcome::Done => return Err(already_done().into()),
        Outcome::Throttled(wait) => return Err(Refusal::throttled(wait).into()),
        Outcome::WrongCode => (
            Status::Forbidden,
            "That set-up code is not good, or not any more. `vestibule setup link` makes a new one, as does a restart of the server.".to_owned(),
        ),
        Outcome::Refused(refused) => (Status::UnprocessableEntity, refused.to_string()),
    };
    Ok(Answer::page(
        app,
        status,
        &SetupPage {
            error: Some(error),
            ..again
        },
        None,
    )?)
}

fn already_done() -> Refusal {
    Refusal::new(
        Status::NotFound,
        "already_set_up",
        "Already set up",
        "There is an admin already. Sign in instead.",
    )
    .link("/login", "Sign in")
}

#[derive(Serialize)]
pub struct SetupPage {
    code: String,
    error: Option<String>,
    min_length: usize,
    username: String,
}

impl SetupPage {
    fn new(app: &App, code: &str) -> Self {
        Self {
            code: code.to_owned(),
            error: None,
            min_length: app.settings.passwords.min_length,
            username: String::new(),
        }
    }
}

impl Page for SetupPage {
    const TEMPLATE: Template = template!("setup/first_admin.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |error: Option<&str>, code: &str| Self {
            code: code.to_owned(),
            error: error.map(str::to_owned),
            min_length: 15,
            username: text.to_owned(),
        };
        vec![page(None, text), page(Some(text), "")]
    }
}
