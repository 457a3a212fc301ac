use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};

use super::pages::{EndSessionPage, NoticesPage};
use super::{end_session, look};
use crate::foundation::app::App;
use crate::login::NoFields;
use crate::people::notices;
use crate::sessions::CurrentUser;
use crate::web::{Answer, Failure, Posted, Refusal, Visit};

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![show, choose, seen, end_session_form, end_session_post]
}

#[get("/account/notices")]
async fn show(app: &App, _visit: Visit, user: CurrentUser) -> Result<Answer, Failure> {
    let page = NoticesPage::new(app, &user.0, false).await?;
    Ok(Answer::page(app, Status::Ok, &page, Some(&user.0))?)
}

/// A box for each kind that may be chosen, under its word.
#[derive(FromForm)]
struct ChoiceForm {
    device_trusted: Option<String>,
    token_revoked: Option<String>,
}

#[post("/account/notices", data = "<form>")]
async fn choose(
    app: &App,
    _visit: Visit,
    user: CurrentUser,
    form: Posted<ChoiceForm>,
) -> Result<Answer, Failure> {
    if !app.settings.mail.is_on() {
        return Err(Refusal::not_found().into());
    }
    let Posted(form) = form;
    let boxes = [
        ("device_trusted", form.device_trusted),
        ("token_revoked", form.token_revoked),
    ];
    let is_ticked = |choice: &Option<String>| choice.as_deref() == Some("on");
    let mailed = boxes.iter().filter(|(_, choice)| is_ticked(choice));
    let mailed: Vec<&str> = mailed.map(|(word, _)| *word).collect();
    notices::choose(app, user.id, &mailed).await?;
    let page = NoticesPage::new(app, &user.0, true).await?;
    Ok(Answer::page(app, Status::Ok, &page, Some(&user.0))?)
}

#[post("/account/notices/seen", data = "<_form>")]
async fn seen(
    app: &App,
    _visit: Visit,
    user: CurrentUser,
    _form: Posted<NoFields>,
) -> Result<Answer, Failure> {
    notices::mark_seen(app, user.id).await?;
    Ok(Answer::see_other("/account"))
}

/// Opening the link changes nothing: what looks through mails for harm opens it, too.
#[get("/end-session/<token>")]
async fn end_session_form(app: &App, _visit: Visit, token: &str) -> Result<Answer, Failure> {
    let (status, page) = match look(app, token).await? {
        Some((session, username)) => {
            let page = EndSessionPage::ask(token, &session, &username);
            (Status::Ok, page)
        }
        None => (Status::NotFound, EndSessionPage::no_good()),
    };
    Ok(Answer::page(app, status, &page, None)?)
}

#[post("/end-session/<token>", data = "<_form>")]
async fn end_session_post(
    app: &App,
    visit: Visit,
    token: &str,
    _form: Posted<NoFields>,
) -> Result<Answer, Failure> {
    let (status, page) = if end_session(app, token, &visit.device()).await? {
        (Status::Ok, EndSessionPage::ended())
    } else {
        (Status::NotFound, EndSessionPage::no_good())
    };
    Ok(Answer::page(app, status, &page, None)?)
}
