//! What the pages of sites and rules show.

use rocket::http::Status;
use serde::Serialize;
use uuid::Uuid;

use super::{RuleForm, SiteForm};
use crate::admin::query::{self, Pager, Paging};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::version::Version;
use crate::people::users::{self, User};
use crate::sites::explain::Explanation;
use crate::sites::policy::{self, Policy};
use crate::sites::rules::{Fallback, Rule, Site, Who};
use crate::web::pages::{Page, Template, template};
use crate::web::{Answer, Refusal};

#[derive(Serialize)]
pub struct SiteView {
    pub id: Uuid,
    pub host: String,
    pub fallback: String,
    pub note: String,
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
            text: rule.to_string(),
        };
        Self {
            id: site.id,
            host: site.host.to_string(),
            fallback: site.fallback.to_string(),
            note: site.note.clone(),
            rules: site.rules.iter().map(rule).collect(),
            version: site.version(),
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
            text: text(),
        };
        Self {
            id: Uuid::nil(),
            host: text(),
            fallback: text(),
            note: text(),
            rules: vec![rule],
            version: version(),
            rules_version: version(),
        }
    }
}

/// What may stand in the fields of forms, as far as it is known.
#[derive(Default, Serialize)]
pub struct Suggestions {
    /// What may hold where no rule does.
    defaults: Vec<String>,
    /// Whom a rule may be for.
    who: Vec<String>,
    users: Vec<String>,
}

/// Of each kind: more than people look through, too few to make a page slow.
const MOST_SUGGESTED: u32 = 200;

impl Suggestions {
    pub async fn read(app: &App) -> Result<Self, Error> {
        let users = users::some_usernames(app.db.reader(), MOST_SUGGESTED).await?;
        let groups = users::some_groups(app.db.reader(), MOST_SUGGESTED).await?;
        Ok(Self::of(users, &groups))
    }

    fn of(users: Vec<String>, groups: &[String]) -> Self {
        let of_groups = || groups.iter().cloned().map(Who::Group);
        let of_users = users.iter().cloned().map(Who::User);
        let defaults = [Fallback::SignedIn, Fallback::Public, Fallback::Deny].into_iter();
        let defaults = defaults.chain(groups.iter().cloned().map(Fallback::Group));
        let who = [Who::Anyone, Who::SignedIn].into_iter();
        let who = who.chain(of_groups()).chain(of_users);
        Self {
            defaults: defaults.map(|default| default.to_string()).collect(),
            who: who.map(|who| who.to_string()).collect(),
            users,
        }
    }

    fn sample(text: &str) -> Self {
        Self::of(vec![text.to_owned()], &[text.to_owned()])
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
                site.note.to_lowercase(),
                site.fallback.to_string(),
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
            host: text.to_owned(),
            fallback: text.to_owned(),
            note: text.to_owned(),
        };
        let empty = |q: &str| Self {
            q: q.to_owned(),
            sites: Vec::new(),
            pager: Pager::default(),
            form: SiteForm::default(),
            suggestions: Suggestions::sample(text),
            error: None,
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

#[derive(Serialize)]
pub struct RulesPage {
    q: String,
    sites: Vec<RulesOfSite>,
    #[serde(flatten)]
    pager: Pager,
}

/// Rules of one site that stand on a page together.
#[derive(Serialize)]
struct RulesOfSite {
    id: Uuid,
    host: String,
    /// Each with its place, 1 for the first.
    rules: Vec<(usize, String)>,
    /// What holds where no rule does, if that is on the page.
    fallback: Option<String>,
    has_rules: bool,
}

/// A line of the page: a rule with its place, or after them what holds where none does.
struct RuleLine<'p> {
    site: &'p Site,
    host: String,
    place: usize,
    text: String,
}

impl RuleLine<'_> {
    fn is_fallback(&self) -> bool {
        self.place > self.site.rules.len()
    }

    fn cursor(&self) -> String {
        format!("{}/{}", self.host, self.place)
    }
}

impl RulesPage {
    /// # Errors
    /// The page's place is none.
    pub fn of(policy: &Policy, paging: &Paging<'_>) -> Result<Self, Refusal> {
        let q = paging.q.to_lowercase();
        let after = place_after(paging.after)?;
        let lines = policy.sites.iter().flat_map(lines_of).filter(|line| {
            let place = (line.host.as_str(), line.place);
            let later = after.is_none_or(|after| place > after);
            later && (line.host.contains(&q) || line.text.to_lowercase().contains(&q))
        });
        let mut lines: Vec<RuleLine<'_>> = lines.take(paging.wanted() as usize).collect();
        let pager = paging.cut(&mut lines, RuleLine::cursor);
        Ok(Self {
            q: paging.q.to_owned(),
            sites: by_site(lines),
            pager,
        })
    }
}

fn lines_of(site: &Site) -> impl Iterator<Item = RuleLine<'_>> {
    let rules = site.rules.iter().map(ToString::to_string);
    let texts = rules.chain([site.fallback.to_string()]);
    (1..).zip(texts).map(|(place, text)| RuleLine {
        site,
        host: site.host.to_string(),
        place,
        text,
    })
}

/// Reads a place in the list: a host, and a place among its rules.
fn place_after(text: &str) -> Result<Option<(&str, usize)>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let place = text
        .rsplit_once('/')
        .and_then(|(host, place)| Some((host, place.parse().ok()?)));
    place.map(Some).ok_or_else(|| query::bad("after"))
}

fn by_site(lines: Vec<RuleLine<'_>>) -> Vec<RulesOfSite> {
    let mut sites: Vec<RulesOfSite> = Vec::new();
    for line in lines {
        if sites.last().is_none_or(|last| last.id != line.site.id) {
            sites.push(RulesOfSite {
                id: line.site.id,
                host: line.host.clone(),
                rules: Vec::new(),
                fallback: None,
                has_rules: !line.site.rules.is_empty(),
            });
        }
        if let Some(site) = sites.last_mut() {
            if line.is_fallback() {
                site.fallback = Some(line.text);
            } else {
                site.rules.push((line.place, line.text));
            }
        }
    }
    sites
}

impl Page for RulesPage {
    const TEMPLATE: Template = template!("admin/rules.html");

    fn samples(text: &str) -> Vec<Self> {
        let site = RulesOfSite {
            id: Uuid::nil(),
            host: text.to_owned(),
            rules: vec![(7, text.to_owned())],
            fallback: Some(text.to_owned()),
            has_rules: true,
        };
        let page = |q: &str, sites, pager| Self {
            q: q.to_owned(),
            sites,
            pager,
        };
        vec![
            page("", Vec::new(), Pager::default()),
            page("", vec![site], Pager::sample(text)),
            page(text, Vec::new(), Pager::default()),
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
