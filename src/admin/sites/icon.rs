//! The forms that give a site an icon, and take it away.

use rocket::http::Status;
use rocket::post;

use super::pages::SitePage;
use super::rule_forms::RuleForm;
use super::{find, page_of};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::launcher::{self, Owner, Uploaded};
use crate::login::{NoFields, Sensitive};
use crate::sessions::Admin;
use crate::web::{Answer, Failure, Visit};

#[post("/admin/sites/<id>/icon", data = "<file>")]
pub(super) async fn upload(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    file: Uploaded,
) -> Result<Answer, Failure> {
    let site = find(app, id).await?;
    match file.0 {
        Ok(icon) => {
            let actor = Actor::user(&admin.0, visit.address);
            let name = site.host.to_string();
            launcher::set_icon(app, &actor, &Owner::Site(site.id), &name, Some(&icon)).await?;
            Ok(Answer::see_other(&page_of(site.id)))
        }
        Err(no_icon) => {
            let page = SitePage {
                icon_error: Some(no_icon.to_string()),
                ..SitePage::now(app, &site, RuleForm::default(), None).await?
            };
            Ok(page.answer(app, Status::UnprocessableEntity, &admin)?)
        }
    }
}

#[post("/admin/sites/<id>/icon/remove", data = "<_form>")]
pub(super) async fn remove(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let site = find(app, id).await?;
    let actor = Actor::user(&admin.0, visit.address);
    let name = site.host.to_string();
    launcher::set_icon(app, &actor, &Owner::Site(site.id), &name, None).await?;
    Ok(Answer::see_other(&page_of(site.id)))
}
