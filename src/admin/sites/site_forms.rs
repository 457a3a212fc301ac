//! The forms that add, change and remove a site.

use rocket::http::Status;
use rocket::{FromForm, post};
use serde::Serialize;

use super::pages::{SitePage, SitesPage};
use super::rule_forms::RuleForm;
use super::{HERE, find, page_of, sentence};
use crate::admin::conflict::ConflictPage;
use crate::admin::query::Paging;
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::version::Version;
use crate::login::{NoFields, Sensitive};
use crate::sessions::Admin;
use crate::sites::policy::{self, Refused};
use crate::sites::rules::{Fallback, Malformed, Site};
use crate::sites::terms::{Terms, limit, limit_text, switch, switch_text};
use crate::web::{Answer, Failure, Refusal, Visit};

/// Of a new site, and of one that is changed. What is not sent stays as it is.
#[derive(Clone, Default, FromForm, Serialize)]
pub struct SiteForm {
    /// Of a new one.
    pub host: Option<String>,
    pub fallback: String,
    pub name: Option<String>,
    pub note: String,
    /// `one` or `two`.
    pub factor: Option<String>,
    /// `on` or `off`, as is `background`.
    pub tokens: Option<String>,
    pub idle: Option<String>,
    pub max_age: Option<String>,
    pub background: Option<String>,
    #[serde(skip)]
    pub version: Option<Version>,
}

impl SiteForm {
    fn terms(&self, before: Terms) -> Result<Terms, Malformed> {
        let text = |field: &Option<String>, before: String| match field.as_deref() {
            Some(text) if !text.trim().is_empty() => text.trim().to_owned(),
            _ => before,
        };
        Ok(Terms {
            fallback: match self.fallback.as_str() {
                "" => Fallback::SignedIn,
                text => text.parse()?,
            },
            name: self.name.clone().unwrap_or(before.name),
            note: self.note.clone(),
            factors: text(&self.factor, before.factors.to_string()).parse()?,
            tokens: switch(&text(&self.tokens, switch_text(before.tokens).to_owned()))?,
            idle: limit(&text(&self.idle, limit_text(before.idle)))?,
            max_age: limit(&text(&self.max_age, limit_text(before.max_age)))?,
            background: switch(&text(
                &self.background,
                switch_text(before.background).to_owned(),
            ))?,
        })
    }

    fn conflict(&self, now: &Site, wanted: &Terms) -> ConflictPage {
        let stands = &now.terms;
        ConflictPage::new(&now.host.to_string(), page_of(now.id), stands.version())
            .compare("Default", &stands.to_string(), &wanted.to_string())
            .compare("Name", &stands.name, &wanted.name)
            .compare("Note", &stands.note, &self.note)
            .field("fallback", &wanted.fallback.to_string())
            .field("name", &wanted.name)
            .field("note", &self.note)
            .field("factor", &wanted.factors.to_string())
            .field("tokens", switch_text(wanted.tokens))
            .field("idle", &limit_text(wanted.idle))
            .field("max_age", &limit_text(wanted.max_age))
            .field("background", switch_text(wanted.background))
    }
}

#[post("/admin/sites/new", data = "<form>")]
pub(super) async fn add(
    app: &App,
    visit: Visit,
    admin: Admin,
    form: Sensitive<SiteForm>,
) -> Result<Answer, Failure> {
    let Sensitive(form) = form;
    let refused = match form.terms(Fallback::SignedIn.into()) {
        Ok(terms) => {
            let actor = Actor::user(&admin.0, visit.address);
            let host = form.host.as_deref().unwrap_or_default();
            match policy::add_site(app, &actor, host, terms).await? {
                Ok(site) => return Ok(Answer::see_other(&page_of(site.id))),
                Err(refused) => refused.to_string(),
            }
        }
        Err(malformed) => sentence(&malformed),
    };
    Ok(
        SitesPage::now(app, &Paging::first(HERE), form, Some(refused))
            .await?
            .answer(app, Status::UnprocessableEntity, &admin)?,
    )
}

#[post("/admin/sites/<id>", data = "<form>", rank = 2)]
pub(super) async fn change(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    form: Sensitive<SiteForm>,
) -> Result<Answer, Failure> {
    let site = find(app, id).await?;
    let Sensitive(form) = form;
    let refused = match form.terms(site.terms.clone()) {
        Ok(terms) => {
            let actor = Actor::user(&admin.0, visit.address);
            let version = form.version.as_ref();
            match policy::change_site(app, &actor, site.id, terms.clone(), version).await? {
                Ok(()) => return Ok(Answer::see_other(&page_of(site.id))),
                Err(Refused::Conflict(now)) => {
                    return Ok(form.conflict(&now, &terms).answer(app, &admin.0)?);
                }
                Err(refused) => refused.to_string(),
            }
        }
        Err(malformed) => sentence(&malformed),
    };
    Ok(
        SitePage::now(app, &site, RuleForm::default(), Some(refused))
            .await?
            .answer(app, Status::UnprocessableEntity, &admin)?,
    )
}

#[post("/admin/sites/<id>/delete", data = "<_form>")]
pub(super) async fn remove(
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
