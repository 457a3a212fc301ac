//! Protected sites and their rules, live from the next request on.

mod explain;
mod pages;
mod rule_forms;
mod rules_page;
mod suggestions;

use rocket::http::Status;
use rocket::{FromForm, get, post, routes};
use serde::Serialize;
use uuid::Uuid;

use crate::admin::conflict::ConflictPage;
use crate::admin::query::Paging;
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::version::Version;
use crate::login::{NoFields, Sensitive};
use crate::sessions::Admin;
use crate::sites::policy::{self, Refused};
use crate::sites::rules::{Fallback, Malformed, Site};
use crate::web::pages::PageKind;
use crate::web::{Answer, Failure, Refusal, Slice, Visit};

use pages::{ExplainPage, SitePage, SitesPage};
use rule_forms::RuleForm;
use rules_page::RulesPage;

const HERE: &str = "/admin/sites";
const ALL_RULES: &str = "/admin/rules";

#[must_use]
pub fn slice() -> Slice {
    let routes = routes![
        list,
        all_rules,
        add,
        show,
        change,
        remove,
        rule_forms::add_rule,
        rule_forms::remove_rule,
        explain::explain_request
    ];
    Slice::new(
        routes,
        vec![
            PageKind::of::<SitesPage>(),
            PageKind::of::<RulesPage>(),
            PageKind::of::<SitePage>(),
            PageKind::of::<ExplainPage>(),
        ],
    )
}

#[get("/admin/sites?<q>&<after>&<limit>")]
async fn list(
    app: &App,
    _visit: Visit,
    admin: Admin,
    q: Option<&str>,
    after: Option<&str>,
    limit: Option<&str>,
) -> Result<Answer, Failure> {
    let paging = Paging::parse(HERE, q, after, limit)?;
    Ok(SitesPage::now(app, &paging, SiteForm::default(), None)
        .await?
        .answer(app, Status::Ok, &admin)?)
}

#[get("/admin/rules?<q>&<after>&<limit>")]
async fn all_rules(
    app: &App,
    _visit: Visit,
    admin: Admin,
    q: Option<&str>,
    after: Option<&str>,
    limit: Option<&str>,
) -> Result<Answer, Failure> {
    let paging = Paging::parse(ALL_RULES, q, after, limit)?;
    let page = RulesPage::of(&*policy::current(app).await?, &paging)?;
    Ok(Answer::page(app, Status::Ok, &page, Some(&admin.0))?)
}

#[derive(Clone, Default, FromForm, Serialize)]
pub struct SiteForm {
    pub host: String,
    pub fallback: String,
    pub note: String,
}

#[post("/admin/sites/new", data = "<form>")]
async fn add(
    app: &App,
    visit: Visit,
    admin: Admin,
    form: Sensitive<SiteForm>,
) -> Result<Answer, Failure> {
    let Sensitive(form) = form;
    let refused = match fallback(&form.fallback) {
        Ok(fallback) => match policy::add_site(
            app,
            &Actor::user(&admin.0, visit.address),
            &form.host,
            fallback,
            &form.note,
        )
        .await?
        {
            Ok(site) => return Ok(Answer::see_other(&page_of(site.id))),
            Err(refused) => refused.to_string(),
        },
        Err(malformed) => sentence(&malformed),
    };
    Ok(
        SitesPage::now(app, &Paging::first(HERE), form, Some(refused))
            .await?
            .answer(app, Status::UnprocessableEntity, &admin)?,
    )
}

#[get("/admin/sites/<id>", rank = 2)]
async fn show(app: &App, _visit: Visit, admin: Admin, id: &str) -> Result<Answer, Failure> {
    let site = find(app, id).await?;
    Ok(SitePage::now(app, &site, RuleForm::default(), None)
        .await?
        .answer(app, Status::Ok, &admin)?)
}

#[derive(FromForm)]
struct ChangeForm {
    fallback: String,
    note: String,
    version: Option<Version>,
}

impl ChangeForm {
    fn conflict(&self, now: &Site) -> ConflictPage {
        ConflictPage::new(&now.host.to_string(), page_of(now.id), now.version())
            .compare("Default", &now.fallback.to_string(), &self.fallback)
            .compare("Note", &now.note, &self.note)
            .field("fallback", &self.fallback)
            .field("note", &self.note)
    }
}

#[post("/admin/sites/<id>", data = "<form>", rank = 2)]
async fn change(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    form: Sensitive<ChangeForm>,
) -> Result<Answer, Failure> {
    let site = find(app, id).await?;
    let refused = match fallback(&form.0.fallback) {
        Ok(fallback) => match policy::change_site(
            app,
            &Actor::user(&admin.0, visit.address),
            site.id,
            fallback,
            &form.0.note,
            form.0.version.as_ref(),
        )
        .await?
        {
            Ok(()) => return Ok(Answer::see_other(&page_of(site.id))),
            Err(Refused::Conflict(now)) => {
                return Ok(form.0.conflict(&now).answer(app, &admin.0)?);
            }
            Err(refused) => refused.to_string(),
        },
        Err(malformed) => sentence(&malformed),
    };
    Ok(
        SitePage::now(app, &site, RuleForm::default(), Some(refused))
            .await?
            .answer(app, Status::UnprocessableEntity, &admin)?,
    )
}

#[post("/admin/sites/<id>/delete", data = "<_form>")]
async fn remove(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    _form: Sensitive<NoFields>,
) -> Result<Answer, Failure> {
    let site = find(app, id).await?;
    match policy::remove_site(app, &Actor::user(&admin.0, visit.address), site.id).await? {
        Ok(()) => Ok(Answer::see_other(HERE)),
        Err(_) => Err(Refusal::not_found().into()),
    }
}

fn page_of(site: Uuid) -> String {
    format!("{HERE}/{site}")
}

async fn find(app: &App, id: &str) -> Result<Site, Failure> {
    let id = Uuid::try_parse(id).map_err(|_| Refusal::not_found())?;
    let policy = policy::current(app).await?;
    let site = policy.sites.iter().find(|site| site.id == id);
    Ok(site.cloned().ok_or_else(Refusal::not_found)?)
}

fn fallback(text: &str) -> Result<Fallback, Malformed> {
    if text.is_empty() {
        Ok(Fallback::SignedIn)
    } else {
        text.parse()
    }
}

/// `a path is written …` as people read it.
fn sentence(malformed: &Malformed) -> String {
    let text = malformed.to_string();
    let (first, rest) = text.split_at(1);
    format!("{}{rest}.", first.to_uppercase())
}
