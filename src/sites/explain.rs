//! Why a request would be decided as it is: each rule in turn, and the one that settles it.

use serde::Serialize;

use super::decision::{Asked, Decision, Mismatch, Reason, judge, mismatch, readings};
use super::rules::Site;
use super::visitor::Visitor;
use super::{OriginalRequest, policy};
use crate::foundation::app::App;
use crate::foundation::error::Error;

/// A decision and how it came about.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// `allow`, `sign in`, `sign in with two factors` or `deny`.
    pub decision: &'static str,
    /// Pattern of the site, if the host belongs to one.
    pub site: Option<String>,
    /// The reading of the path that was judged the strictest.
    pub path: String,
    /// What each rule says of it, up to the one that settles it.
    pub steps: Vec<Step>,
    /// What settles it, in words.
    pub because: String,
}

/// One rule, and why it holds or not.
#[derive(Debug, Serialize)]
pub struct Step {
    pub rule: String,
    pub says: String,
}

/// Explains what the visitor would be answered.
///
/// # Errors
/// The database failed.
pub async fn explain(
    app: &App,
    request: &OriginalRequest,
    visitor: Option<&Visitor>,
) -> Result<Explanation, Error> {
    let policy = policy::current(app).await?;
    let asked = Asked {
        method: &request.method,
        path: &request.path,
        address: request.address,
    };
    let unsettled = |because: String, site: Option<String>| Explanation {
        decision: "deny",
        site,
        path: request.path.clone(),
        steps: Vec::new(),
        because,
    };
    let Some(site) = app.site_of(&policy, &request.host) else {
        return Ok(unsettled("no site has this host".to_owned(), None));
    };
    let Ok(readings) = readings(site, &request.path) else {
        return Ok(unsettled(unreadable(site), Some(site.host.to_string())));
    };
    let strictest = readings
        .iter()
        .max_by_key(|path| judge(site, &asked, path, visitor).0);
    let path = strictest.cloned().unwrap_or_default();
    let (decision, reason) = judge(site, &asked, &path, visitor);
    let mut because = match &reason {
        Reason::Rule(rule) => format!("the rule “{rule}” settles it"),
        Reason::OnlyFor(rule) => {
            format!("the rule “{rule}” allows it for others, and no later rule holds")
        }
        Reason::Fallback => format!("no rule holds, and the site's default is {}", site.terms),
    };
    if decision == Decision::SecondFactor {
        because += "; two factors are asked for";
    }
    Ok(Explanation {
        decision: match decision {
            Decision::Allow => "allow",
            Decision::SignIn => "sign in",
            Decision::SecondFactor => "sign in with two factors",
            Decision::Forbid => "deny",
        },
        site: Some(site.host.to_string()),
        steps: steps(site, &asked, &path, visitor, &reason),
        path,
        because,
    })
}

fn unreadable(site: &Site) -> String {
    let telling = site.rules.iter().find(|rule| !rule.path.is_for_all());
    let Some(rule) = telling else {
        return "the path holds control characters".to_owned();
    };
    format!(
        "applications read this path in ways of their own (a bad escape, bytes that are not UTF-8, or letters \
         that are not escaped), so that it is not known whether the rule “{rule}” is about it"
    )
}

fn steps(
    site: &Site,
    asked: &Asked<'_>,
    path: &str,
    visitor: Option<&Visitor>,
    reason: &Reason<'_>,
) -> Vec<Step> {
    let user = visitor.map(|visitor| &*visitor.user);
    let mut steps = Vec::new();
    for rule in &site.rules {
        let settles = matches!(reason, Reason::Rule(settling) if settling.id == rule.id);
        let says = match mismatch(rule, asked, path) {
            Some(Mismatch::Path) => "another path".to_owned(),
            Some(Mismatch::Method) => "another method".to_owned(),
            Some(Mismatch::Address) => "from another network".to_owned(),
            None if !rule.who.includes(user) => format!("for {} only", rule.who),
            None => "holds".to_owned(),
        };
        steps.push(Step {
            rule: rule.to_string(),
            says,
        });
        if settles {
            break;
        }
    }
    steps
}

impl Explanation {
    /// For the test that renders every page.
    pub(crate) fn sample(text: &str) -> Self {
        let text = || text.to_owned();
        Self {
            decision: "deny",
            site: Some(text()),
            path: text(),
            steps: vec![Step {
                rule: text(),
                says: text(),
            }],
            because: text(),
        }
    }
}
