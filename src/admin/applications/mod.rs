//! Applications that speak OpenID Connect: added, shown, changed, given a new secret, removed.

mod edit;
mod learning;
mod list;
mod page;

use rocket::http::Status;
use rocket::{get, post, routes};

use self::list::ApplicationsPage;
use self::page::ApplicationPage;
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::launcher::{self, Owner, Uploaded};
use crate::login::{NoFields, Sensitive};
use crate::oidc::clients::{self, Client};
use crate::sessions::{Admin, CurrentSession};
use crate::web::pages::PageKind;
use crate::web::{Answer, Failure, Refusal, Slice, Visit};

const HERE: &str = "/admin/applications";

#[must_use]
pub fn slice() -> Slice {
    let pages = vec![
        PageKind::of::<ApplicationsPage>(),
        PageKind::of::<ApplicationPage>(),
    ];
    let routes = routes![
        list::list,
        list::add,
        show,
        edit::change,
        learning::learn,
        learning::add,
        icon,
        remove_icon,
        rotate_secret,
        remove
    ];
    Slice::new(routes, pages)
}

fn page_of(id: &str) -> String {
    format!("{HERE}/{id}")
}

fn not_found() -> Failure {
    Refusal::not_found().link(HERE, "All applications").into()
}

async fn find(app: &App, id: &str) -> Result<Client, Failure> {
    clients::by_id(app, id).await?.ok_or_else(not_found)
}

#[get("/admin/applications/<id>")]
async fn show(
    app: &App,
    _visit: Visit,
    admin: Admin,
    current: CurrentSession,
    id: &str,
) -> Result<Answer, Failure> {
    let learning = crate::oidc::learning::of(app, id, current.session.id).await?;
    let page = ApplicationPage::of(app, find(app, id).await?).await?;
    Ok(page.with_learning(learning).answer(app, &admin.0)?)
}

#[post("/admin/applications/<id>/rotate-secret", data = "<_form>")]
async fn rotate_secret(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let mut client = find(app, id).await?;
    if client.is_public() {
        return Err(Refusal::of_status(Status::BadRequest)
            .link(HERE, "All applications")
            .into());
    }
    let secret = clients::new_secret().reveal();
    client.secret_hash = Some(clients::hash_of_secret(&secret));
    let actor = Actor::user(&admin.0, visit.address);
    match clients::change(app, &actor, &client).await? {
        Ok(_) => {
            let page = ApplicationPage::of(app, client)
                .await?
                .with_secret(Some(secret), None);
            Ok(page.answer(app, &admin.0)?)
        }
        Err(_) => Err(not_found()),
    }
}

#[post("/admin/applications/<id>/icon", data = "<file>")]
async fn icon(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    file: Uploaded,
) -> Result<Answer, Failure> {
    let client = find(app, id).await?;
    match file.0 {
        Ok(icon) => {
            let actor = Actor::user(&admin.0, visit.address);
            let owner = Owner::Client(client.id);
            launcher::set_icon(app, &actor, &owner, &client.name, Some(&icon)).await?;
            Ok(Answer::see_other(&page_of(id)))
        }
        Err(no_icon) => {
            let page = ApplicationPage::of(app, client).await?;
            let page = page.with_icon_error(no_icon.to_string());
            Ok(page.answer(app, &admin.0)?)
        }
    }
}

#[post("/admin/applications/<id>/icon/remove", data = "<_form>")]
async fn remove_icon(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let client = find(app, id).await?;
    let actor = Actor::user(&admin.0, visit.address);
    launcher::set_icon(app, &actor, &Owner::Client(client.id), &client.name, None).await?;
    Ok(Answer::see_other(&page_of(id)))
}

#[post("/admin/applications/<id>/remove", data = "<_form>")]
async fn remove(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let client = find(app, id).await?;
    clients::remove(app, &Actor::user(&admin.0, visit.address), &client).await?;
    Ok(Answer::see_other(HERE))
}
