use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};

use super::pages::{AddressPage, LinkPage};
use super::{Named, Proven, name_address, prove, proven_by, undo};
use crate::foundation::app::App;
use crate::login::{NoFields, Sensitive};
use crate::people::links::{self, Purpose};
use crate::sessions::{CurrentSession, CurrentUser};
use crate::web::{Answer, Failure, Posted, Refusal, Visit};

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![form, name, verify_form, verify, undo_form, undo_post]
}

#[get("/account/email")]
fn form(app: &App, _visit: Visit, user: CurrentUser) -> Result<Answer, Failure> {
    let page = AddressPage::new(app, &user.0);
    Ok(Answer::page(app, Status::Ok, &page, Some(&user.0))?)
}

#[derive(FromForm)]
struct AddressForm {
    email: String,
}

#[post("/account/email", data = "<form>")]
async fn name(
    app: &App,
    visit: Visit,
    user: CurrentUser,
    current: CurrentSession,
    form: Sensitive<AddressForm>,
) -> Result<Answer, Failure> {
    if !app.settings.mail.is_on() {
        return Err(Refusal::not_found().into());
    }
    let Sensitive(form) = form;
    let page = AddressPage::new(app, &user.0);
    let (status, page) = match name_address(app, &current, &form.email, &visit.device()).await? {
        Named::Asked(address) => (
            Status::Ok,
            AddressPage {
                asked: Some(address),
                ..page
            },
        ),
        Named::Refused(error) => {
            let error = Some(error);
            (Status::UnprocessableEntity, AddressPage { error, ..page })
        }
    };
    Ok(Answer::page(app, status, &page, Some(&user.0))?)
}

/// Opening the link changes nothing; the button does, in the browser of the user who asked.
#[get("/verify/<token>")]
async fn verify_form(
    app: &App,
    _visit: Visit,
    user: CurrentUser,
    token: &str,
) -> Result<Answer, Failure> {
    let address = proven_by(app, &user.0, token).await?;
    let status = if address.is_some() {
        Status::Ok
    } else {
        Status::NotFound
    };
    let page = LinkPage::verify(token, &user.0, address);
    Ok(Answer::page(app, status, &page, Some(&user.0))?)
}

#[post("/verify/<token>", data = "<_form>")]
async fn verify(
    app: &App,
    visit: Visit,
    user: CurrentUser,
    current: CurrentSession,
    token: &str,
    _form: Posted<NoFields>,
) -> Result<Answer, Failure> {
    match prove(app, &current, token, &visit.device()).await? {
        Proven::Done => Ok(Answer::see_other("/account")),
        Proven::NoLink => {
            let page = LinkPage::verify(token, &user.0, None);
            Ok(Answer::page(app, Status::NotFound, &page, Some(&user.0))?)
        }
        Proven::Taken => {
            let page = AddressPage {
                error: Some("That address is another user's name or address here.".to_owned()),
                ..AddressPage::new(app, &user.0)
            };
            Ok(Answer::page(app, Status::Conflict, &page, Some(&user.0))?)
        }
    }
}

#[get("/undo/<token>")]
async fn undo_form(app: &App, _visit: Visit, token: &str) -> Result<Answer, Failure> {
    let is_good = links::look(app, Purpose::Undo, token).await?.is_some();
    let status = if is_good {
        Status::Ok
    } else {
        Status::NotFound
    };
    Ok(Answer::page(
        app,
        status,
        &LinkPage::undo(token, is_good),
        None,
    )?)
}

#[post("/undo/<token>", data = "<_form>")]
async fn undo_post(
    app: &App,
    visit: Visit,
    token: &str,
    _form: Posted<NoFields>,
) -> Result<Answer, Failure> {
    let is_done = undo(app, token, &visit.device()).await?;
    let (status, page) = if is_done {
        (Status::Ok, LinkPage::undone())
    } else {
        (Status::NotFound, LinkPage::undo(token, false))
    };
    Ok(Answer::page(app, status, &page, None)?)
}
