//! What the pages of sites and rules show.

use rocket::http::Status;
use serde::Serialize;
use uuid::Uuid;

use super::rule_forms::RuleForm;
use super::site_forms::SiteForm;
use super::suggestions::Suggestions;
use crate::admin::query::{Pager, Paging};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::version::Version;
use crate::launcher::{Icons, Owner};
use crate::people::users::User;
use crate::sites::explain::Explanation;
use crate::sites::policy;
use crate::sites::rules::{Rule, Site};
use crate::sites::terms::{limit_text, switch_text};
use crate::web::Answer;
use crate::web::pages::{Page, Template, template};

#[derive(Serialize)]
pub struct SiteView {
    pub id: Uuid,
    pub host: String,
    pub fallback: String,
    pub name: String,
    pub note: String,
    pub factor: String,
    pub tokens: &'static str,
    pub idle: String,
    pub max_age: String,
    pub background: &'static str,
    /// All of what holds where no rule does.
    pub text: String,
    pub rules: Vec<RuleView>,
    pub version: Version,
    pub rules_version: Version,
}

#[derive(Serialize)]
pub struct RuleView {
    pub id: Uuid,
    pub effect: String,
    pub path: String,
    pub methods: String,
    pub networks: String,
    pub who: String,
    pub factor: String,
    /// All of it.
    pub text: String,
}

impl From<&Site> for SiteView {
    fn from(site: &Site) -> Self {
        let rule = |rule: &Rule| RuleView {
            id: rule.id,
            effect: rule.effect.to_string(),
            path: rule.path.to_string(),
            methods: rule.methods.join(", "),
            networks: rule
                .networks
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            who: rule.who.to_string(),
            factor: rule.factors.to_string(),
            text: rule.to_string(),
        };
        Self {
            id: site.id,
            host: site.host.to_string(),
            fallback: site.terms.fallback.to_string(),
            name: site.terms.name.clone(),
            note: site.terms.note.clone(),
            factor: site.terms.factors.to_string(),
            tokens: switch_text(site.terms.tokens),
            idle: limit_text(site.terms.idle),
            max_age: limit_text(site.terms.max_age),
            background: switch_text(site.terms.background),
            text: site.terms.to_string(),
            rules: site.rules.iter().map(rule).collect(),
            version: site.terms.version(),
            rules_version: site.rules_version(),
        }
    }
}

impl SiteView {
    pub fn sample(text: &str) -> Self {
        let version = || Version::sample(text);
        let text = || text.to_owned();
        let rule = RuleView {
            id: Uuid::nil(),
            effect: text(),
            path: text(),
            methods: text(),
            networks: text(),
            who: text(),
            factor: text(),
            text: text(),
        };
        Self {
            id: Uuid::nil(),
            host: text(),
            fallback: text(),
            name: text(),
            note: text(),
            factor: text(),
            tokens: "off",
            idle: text(),
            max_age: text(),
            background: "on",
            text: text(),
            rules: vec![rule],
            version: version(),
            rules_version: version(),
        }
    }
}

#[derive(Serialize)]
pub struct SitesPage {
    pub q: String,
    pub sites: Vec<SiteView>,
    #[serde(flatten)]
    pub pager: Pager,
    pub form: SiteForm,
    pub suggestions: Suggestions,
    pub error: Option<String>,
    /// Whether there is a page of the doctor.
    pub doctor: bool,
}

impl SitesPage {
    pub async fn now(
        app: &App,
        paging: &Paging<'_>,
        form: SiteForm,
        error: Option<String>,
    ) -> Result<Self, Error> {
        let policy = policy::current(app).await?;
        let q = paging.q.to_lowercase();
        let found = policy.sites.iter().filter(|site| {
            let texts = [
                site.host.to_string(),
                site.terms.note.to_lowercase(),
                site.terms.to_string(),
            ];
            texts[0].as_str() > paging.after && texts.iter().any(|text| text.contains(&q))
        });
        let mut sites: Vec<&Site> = found.take(paging.wanted() as usize).collect();
        let pager = paging.cut(&mut sites, |last| last.host.to_string());
        Ok(Self {
            q: paging.q.to_owned(),
            sites: sites.into_iter().map(SiteView::from).collect(),
            pager,
            form,
            suggestions: Suggestions::read(app).await?,
            error,
            doctor: cfg!(feature = "program"),
        })
    }

    pub fn answer(&self, app: &App, status: Status, admin: &User) -> Result<Answer, Error> {
        Answer::page(app, status, self, Some(admin))
    }
}

impl Page for SitesPage {
    const TEMPLATE: Template = template!("admin/sites.html");

    fn samples(text: &str) -> Vec<Self> {
        let form = SiteForm {
            host: Some(text.to_owned()),
            fallback: text.to_owned(),
            note: text.to_owned(),
            ..SiteForm::default()
        };
        let empty = |q: &str| Self {
            q: q.to_owned(),
            sites: Vec::new(),
            pager: Pager::default(),
            form: SiteForm::default(),
            suggestions: Suggestions::sample(text),
            error: None,
            doctor: true,
        };
        vec![
            empty(""),
            Self {
                sites: vec![SiteView::sample(text)],
                pager: Pager::sample(text),
                form,
                error: Some(text.to_owned()),
                ..empty("")
            },
            empty(text),
        ]
    }
}

/// `site` is what the layout calls this service; a page's own stands before it.
#[derive(Serialize)]
pub struct SitePage {
    pub protected: SiteView,
    pub form: RuleForm,
    pub suggestions: Suggestions,
    pub error: Option<String>,
    pub icon: Option<String>,
    pub icon_error: Option<String>,
}

impl SitePage {
    pub async fn now(
        app: &App,
        site: &Site,
        form: RuleForm,
        error: Option<String>,
    ) -> Result<Self, Error> {
        Ok(Self {
            protected: site.into(),
            form,
            suggestions: Suggestions::read(app).await?,
            error,
            icon: Icons::read(app).await?.of(&Owner::Site(site.id)),
            icon_error: None,
        })
    }

    pub fn answer(&self, app: &App, status: Status, admin: &User) -> Result<Answer, Error> {
        Answer::page(app, status, self, Some(admin))
    }
}

impl Page for SitePage {
    const TEMPLATE: Template = template!("admin/site.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |error: Option<&str>| Self {
            protected: SiteView::sample(text),
            form: RuleForm::default(),
            suggestions: Suggestions::sample(text),
            error: error.map(str::to_owned),
            icon: error.map(str::to_owned),
            icon_error: error.map(str::to_owned),
        };
        vec![page(None), page(Some(text))]
    }
}

#[derive(Serialize)]
pub struct ExplainQuery {
    pub url: String,
    pub user: String,
    pub method: String,
    pub from: String,
    /// `one` or `two`; as many as the user has, if empty.
    pub factor: String,
}

#[derive(Serialize)]
pub struct ExplainPage {
    pub query: ExplainQuery,
    pub suggestions: Suggestions,
    pub told: Option<Explanation>,
    pub error: Option<String>,
}

impl Page for ExplainPage {
    const TEMPLATE: Template = template!("admin/explain.html");

    fn samples(text: &str) -> Vec<Self> {
        let text = || text.to_owned();
        let query = || ExplainQuery {
            url: text(),
            user: text(),
            method: text(),
            from: text(),
            factor: text(),
        };
        let told = Explanation::sample(&text());
        vec![
            Self {
                query: query(),
                suggestions: Suggestions::sample(&text()),
                told: None,
                error: Some(text()),
            },
            Self {
                query: query(),
                suggestions: Suggestions::sample(&text()),
                told: Some(told),
                error: None,
            },
        ]
    }
}
