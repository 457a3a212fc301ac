//! The forms with which an admin lets an application show its address, and adds it.

use rocket::{FromForm, post};

use super::page::ApplicationPage;
use super::{find, not_found, page_of};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::login::{NoFields, Sensitive};
use crate::oidc::learning;
use crate::sessions::{Admin, CurrentSession};
use crate::web::{Answer, Failure, Visit};

#[post("/admin/applications/<id>/learn", data = "<_form>")]
pub(super) async fn learn(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let client = find(app, id).await?;
    let actor = Actor::user(&admin.0, visit.address);
    learning::open(app, &actor, &client, current.session.id).await?;
    Ok(Answer::see_other(&format!("{}#learning", page_of(id))))
}

#[derive(FromForm)]
pub(super) struct AddForm {
    uri: String,
}

#[post("/admin/applications/<id>/learned", data = "<form>")]
pub(super) async fn add(
    app: &App,
    visit: Visit,
    admin: Admin,
    current: CurrentSession,
    id: &str,
    form: Sensitive<AddForm>,
) -> Result<Answer, Failure> {
    let Sensitive(form) = form;
    let actor = Actor::user(&admin.0, visit.address);
    let session = current.session.id;
    match learning::add(app, &actor, id, session, &form.uri).await? {
        Some(Ok(_)) => Ok(Answer::see_other(&format!("{}#learning", page_of(id)))),
        None => Err(not_found()),
        Some(Err(refused)) => {
            let client = find(app, id).await?;
            let page = ApplicationPage::of(app, client).await?;
            Ok(page.with_error(refused.to_string()).answer(app, &admin.0)?)
        }
    }
}
