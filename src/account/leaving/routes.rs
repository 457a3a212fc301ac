use hyper::header::CONTENT_DISPOSITION;
use rocket::http::Status;
use rocket::{Route, get, post, routes};

use super::pages::DataPage;
use super::{Asked, ask, cancel, data};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::login::{NoFields, Sensitive};
use crate::sessions::{CurrentSession, CurrentUser};
use crate::web::{Answer, Failure, Posted, Refusal, Visit};

const HERE: &str = "/account/data";

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![show, export, delete, keep]
}

#[get("/account/data")]
async fn show(
    app: &App,
    _visit: Visit,
    user: CurrentUser,
    current: CurrentSession,
) -> Result<Answer, Failure> {
    let page = DataPage::new(app, &current).await?;
    Ok(Answer::page(app, Status::Ok, &page, Some(&user.0))?)
}

/// A form, and no link: it asks for a proof of just now, for it is all that somebody has here.
#[post("/account/data/export", data = "<_form>")]
async fn export(
    app: &App,
    visit: Visit,
    user: CurrentUser,
    current: CurrentSession,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let data = data::of(app, &current).await?;
    let record = Record::of(Event::DataExport, &user.0).session(current.session.id);
    let actor = Actor::user(&user.0, visit.address);
    audit::commit(app.db.begin().await?, app.clock.now(), &actor, &[record]).await?;
    let name = "attachment; filename=\"vestibule-account.json\"";
    Ok(Answer::json(Status::Ok, &data).header(CONTENT_DISPOSITION, name))
}

#[post("/account/data/delete", data = "<_form>")]
async fn delete(
    app: &App,
    visit: Visit,
    user: CurrentUser,
    current: CurrentSession,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    match ask(app, &current, &visit.device()).await? {
        None => Err(Refusal::not_found().into()),
        Some(Asked::Done) => Ok(Answer::see_other(HERE)),
        Some(Asked::LastAdmin) => {
            let page = DataPage {
                last_admin: true,
                ..DataPage::new(app, &current).await?
            };
            Ok(Answer::page(app, Status::Conflict, &page, Some(&user.0))?)
        }
    }
}

#[post("/account/data/keep", data = "<_form>")]
async fn keep(
    app: &App,
    visit: Visit,
    _user: CurrentUser,
    current: CurrentSession,
    _form: Posted<NoFields>,
) -> Result<Answer, Failure> {
    cancel(app, &current, &visit.device()).await?;
    Ok(Answer::see_other(HERE))
}
