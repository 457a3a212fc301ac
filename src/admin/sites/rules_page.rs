//! The rules of all sites, a page of lines at a time.

use serde::Serialize;
use uuid::Uuid;

use crate::admin::query::{self, Pager, Paging};
use crate::sites::policy::Policy;
use crate::sites::rules::Site;
use crate::web::Refusal;
use crate::web::pages::{Page, Template, template};

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
    let texts = rules.chain([site.terms.to_string()]);
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
