//! Protected sites and their rules, live from the next request on.

mod explain;
mod icon;
mod pages;
mod rule_forms;
mod rules_page;
mod site_forms;
mod suggestions;

use rocket::http::Status;
use rocket::{get, routes};
use uuid::Uuid;

use crate::admin::query::Paging;
use crate::foundation::app::App;
use crate::sessions::Admin;
use crate::sites::policy;
use crate::sites::rules::{Malformed, Site};
use crate::web::pages::PageKind;
use crate::web::{Answer, Failure, Refusal, Slice, Visit};

use pages::{ExplainPage, SitePage, SitesPage};
use rule_forms::RuleForm;
use rules_page::RulesPage;
use site_forms::SiteForm;

const HERE: &str = "/admin/sites";
const ALL_RULES: &str = "/admin/rules";

#[must_use]
pub fn slice() -> Slice {
    let routes = routes![
        list,
        all_rules,
        site_forms::add,
        show,
        site_forms::change,
        site_forms::remove,
        icon::upload,
        icon::remove,
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

#[get("/admin/sites/<id>", rank = 2)]
async fn show(app: &App, _visit: Visit, admin: Admin, id: &str) -> Result<Answer, Failure> {
    let site = find(app, id).await?;
    Ok(SitePage::now(app, &site, RuleForm::default(), None)
        .await?
        .answer(app, Status::Ok, &admin)?)
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

/// `a path is written …` as people read it.
fn sentence(malformed: &Malformed) -> String {
    let text = malformed.to_string();
    let (first, rest) = text.split_at(1);
    format!("{}{rest}.", first.to_uppercase())
}
