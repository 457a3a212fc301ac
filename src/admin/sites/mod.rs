//! Protected sites and their rules, live from the next request on.

mod pages;
mod rules_page;
mod suggestions;

use std::net::IpAddr;

use rocket::http::Status;
use rocket::{FromForm, get, post, routes};
use serde::Serialize;
use uuid::Uuid;

use crate::admin::conflict::ConflictPage;
use crate::admin::query::{self, Paging};
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::error::Error;
use crate::foundation::version::Version;
use crate::login::{NoFields, Sensitive};
use crate::people::users::{self};
use crate::sessions::Admin;
use crate::sites::OriginalRequest;
use crate::sites::explain::{Explanation, explain};
use crate::sites::policy::{self, Refused};
use crate::sites::rules::{self, Fallback, Malformed, Rule, Site};
use crate::web::pages::PageKind;
use crate::web::{Answer, Failure, Refusal, Slice, Visit};

use pages::{ExplainPage, ExplainQuery, SitePage, SitesPage};
use rules_page::RulesPage;
use suggestions::Suggestions;

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
        add_rule,
        remove_rule,
        explain_request
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

#[derive(Clone, FromForm, Serialize)]
pub struct RuleForm {
    pub path: String,
    pub methods: String,
    pub networks: String,
    pub who: String,
    pub effect: String,
    pub at: String,
    #[serde(skip)]
    pub version: Option<Version>,
}

impl Default for RuleForm {
    fn default() -> Self {
        let empty = String::new;
        Self {
            path: "/*".to_owned(),
            methods: empty(),
            networks: empty(),
            who: "signed-in".to_owned(),
            effect: "allow".to_owned(),
            at: empty(),
            version: None,
        }
    }
}

impl RuleForm {
    fn rule(&self) -> Result<(Rule, Option<u32>), Malformed> {
        let words = |text: &str| {
            text.split([',', ' '])
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let place = Malformed("a place is a number, 1 for the first");
        let at = match self.at.as_str() {
            "" => None,
            text => Some(text.parse().ok().filter(|at| *at > 0).ok_or(place)?),
        };
        let rule = Rule {
            id: Uuid::now_v7(),
            path: self.path.parse()?,
            methods: words(&self.methods)
                .iter()
                .map(|method| rules::method(method))
                .collect::<Result<_, _>>()?,
            networks: words(&self.networks)
                .iter()
                .map(|network| rules::network(network))
                .collect::<Result<_, _>>()?,
            who: self.who.parse()?,
            effect: self.effect.parse()?,
        };
        Ok((rule, at))
    }

    fn conflict(&self, now: &Site, rule: &Rule) -> ConflictPage {
        let place = match self.at.as_str() {
            "" => "as the last".to_owned(),
            at => format!("as rule {at}"),
        };
        conflict_of_rules(now, &format!("Add {rule}, {place}"))
            .action(format!("{}/rules", page_of(now.id)), "Add it")
            .field("path", &self.path)
            .field("methods", &self.methods)
            .field("networks", &self.networks)
            .field("who", &self.who)
            .field("effect", &self.effect)
            .field("at", &self.at)
    }
}

#[post("/admin/sites/<id>/rules", data = "<form>")]
async fn add_rule(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    form: Sensitive<RuleForm>,
) -> Result<Answer, Failure> {
    let site = find(app, id).await?;
    let refused = match form.0.rule() {
        Ok((rule, at)) => {
            let actor = Actor::user(&admin.0, visit.address);
            let version = form.0.version.as_ref();
            match policy::add_rule(app, &actor, site.id, rule.clone(), at, version).await? {
                Ok(_) => return Ok(Answer::see_other(&page_of(site.id))),
                Err(Refused::Conflict(now)) => {
                    return Ok(form.0.conflict(&now, &rule).answer(app, &admin.0)?);
                }
                Err(refused) => refused.to_string(),
            }
        }
        Err(malformed) => sentence(&malformed),
    };
    Ok(SitePage::now(app, &site, form.0, Some(refused))
        .await?
        .answer(app, Status::UnprocessableEntity, &admin)?)
}

#[derive(FromForm)]
struct RemoveRuleForm {
    version: Option<Version>,
}

#[post("/admin/rules/<id>/delete", data = "<form>")]
async fn remove_rule(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    form: Sensitive<RemoveRuleForm>,
) -> Result<Answer, Failure> {
    let id = Uuid::try_parse(id).map_err(|_| Refusal::not_found())?;
    let actor = Actor::user(&admin.0, visit.address);
    match policy::remove_rule(app, &actor, id, form.0.version.as_ref()).await? {
        Ok(site) => Ok(Answer::see_other(&page_of(site))),
        Err(Refused::Conflict(now)) => {
            let rule = now.rules.iter().find(|rule| rule.id == id);
            let wanted = rule.map(|rule| format!("Remove {rule}"));
            Ok(conflict_of_rules(&now, &wanted.unwrap_or_default())
                .action(format!("/admin/rules/{id}/delete"), "Remove it")
                .answer(app, &admin.0)?)
        }
        Err(_) => Err(Refusal::not_found().into()),
    }
}

#[get("/admin/explain?<url>&<user>&<method>&<from>")]
async fn explain_request(
    app: &App,
    _visit: Visit,
    admin: Admin,
    url: Option<&str>,
    user: Option<&str>,
    method: Option<&str>,
    from: Option<&str>,
) -> Result<Answer, Failure> {
    let text = |parameter: Option<&str>| parameter.unwrap_or_default().trim().to_owned();
    let method = text(method);
    let asked = ExplainQuery {
        url: text(url),
        user: text(user),
        method: if method.is_empty() {
            "GET".to_owned()
        } else {
            method
        },
        from: text(from),
    };
    let address: Option<IpAddr> = query::parse_optional("from", Some(&asked.from))?;
    let (told, error) = if asked.url.is_empty() {
        (None, None)
    } else {
        told(app, &asked, address).await?
    };
    let status = if error.is_some() {
        Status::UnprocessableEntity
    } else {
        Status::Ok
    };
    Ok(Answer::page(
        app,
        status,
        &ExplainPage {
            suggestions: Suggestions::read(app).await?,
            query: asked,
            told,
            error,
        },
        Some(&admin.0),
    )?)
}

async fn told(
    app: &App,
    asked: &ExplainQuery,
    address: Option<IpAddr>,
) -> Result<(Option<Explanation>, Option<String>), Error> {
    let request = match OriginalRequest::of_url(app, &asked.url, &asked.method, address) {
        Ok(request) => request,
        Err(malformed) => return Ok((None, Some(sentence(&malformed)))),
    };
    let user = users::by_name(app.db.reader(), &asked.user).await?;
    if user.is_none() && !asked.user.is_empty() {
        return Ok((None, Some("There is no such user.".to_owned())));
    }
    Ok((Some(explain(app, &request, user.as_ref()).await?), None))
}

/// All rules, for what one of them does depends on those before it.
fn conflict_of_rules(now: &Site, wanted: &str) -> ConflictPage {
    let numbered = now.rules.iter().zip(1..);
    let rules = numbered.map(|(rule, at)| format!("{at}. {rule}"));
    ConflictPage::new(
        &format!("the rules of {}", now.host),
        page_of(now.id),
        now.rules_version(),
    )
    .compare_lists("Rules", rules.collect(), vec![wanted.to_owned()])
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
