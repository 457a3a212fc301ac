use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};

use super::pages::{AskPage, ChoosePage, DonePage};
use super::{Chosen, ask, choose, whose};
use crate::foundation::app::App;
use crate::people::passwords::Password;
use crate::web::{Answer, Failure, Posted, Refusal, Visit};

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![ask_form, ask_post, choose_form, choose_post]
}

#[get("/reset")]
fn ask_form(app: &App, _visit: Visit) -> Result<Answer, Failure> {
    Ok(Answer::page(app, Status::Ok, &AskPage::new(app), None)?)
}

#[derive(FromForm)]
struct AskForm {
    username: String,
}

#[post("/reset", data = "<form>")]
async fn ask_post(app: &App, visit: Visit, form: Posted<AskForm>) -> Result<Answer, Failure> {
    let Posted(form) = form;
    if !app.settings.mail.is_on() {
        return Err(Refusal::not_found().into());
    }
    // Longer than any name or address: nobody's.
    if form.username.len() > 254 {
        return Err(Refusal::of_status(Status::UnprocessableEntity).into());
    }
    match ask(app, &form.username, &visit.device()).await? {
        Some(wait) => Err(Failure::from(Refusal::throttled(wait)).back("/reset", "Back")),
        None => Ok(Answer::page(
            app,
            Status::Ok,
            &DonePage { set: false },
            None,
        )?),
    }
}

/// Opening the link changes nothing: mail servers and browsers open links, too.
#[get("/reset/<token>")]
async fn choose_form(app: &App, _visit: Visit, token: &str) -> Result<Answer, Failure> {
    match whose(app, token).await? {
        Some(user) => {
            let page = ChoosePage::new(app, token, &user);
            Ok(Answer::page(app, Status::Ok, &page, None)?)
        }
        None => no_link(app),
    }
}

#[derive(FromForm)]
struct ChooseForm {
    new_password: String,
}

#[post("/reset/<token>", data = "<form>")]
async fn choose_post(
    app: &App,
    visit: Visit,
    token: &str,
    form: Posted<ChooseForm>,
) -> Result<Answer, Failure> {
    let Posted(form) = form;
    let password = Password::new(form.new_password);
    match choose(app, token, &password, &visit.device()).await? {
        Chosen::Done => Ok(Answer::page(
            app,
            Status::Ok,
            &DonePage { set: true },
            None,
        )?),
        Chosen::NoLink => no_link(app),
        Chosen::Weak(weakness) => match whose(app, token).await? {
            Some(user) => {
                let page = ChoosePage {
                    error: Some(weakness.to_string()),
                    ..ChoosePage::new(app, token, &user)
                };
                Ok(Answer::page(app, Status::UnprocessableEntity, &page, None)?)
            }
            None => no_link(app),
        },
    }
}

fn no_link(app: &App) -> Result<Answer, Failure> {
    let page = AskPage {
        lost: true,
        ..AskPage::new(app)
    };
    Ok(Answer::page(app, Status::NotFound, &page, None)?)
}
