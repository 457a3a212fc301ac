//! The forms that add and remove the rules of a site.

use rocket::http::Status;
use rocket::{FromForm, post};
use serde::Serialize;
use uuid::Uuid;

use super::pages::SitePage;
use super::{find, page_of, sentence};
use crate::admin::conflict::ConflictPage;
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::version::Version;
use crate::login::Sensitive;
use crate::sessions::Admin;
use crate::sites::policy::{self, Refused};
use crate::sites::rules::{self, Malformed, Rule, Site};
use crate::web::{Answer, Failure, Refusal, Visit};

#[derive(Clone, FromForm, Serialize)]
pub struct RuleForm {
    pub path: String,
    pub methods: String,
    pub networks: String,
    pub who: String,
    pub effect: String,
    pub at: String,
    /// `one` or `two`.
    pub factor: Option<String>,
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
            factor: None,
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
            factors: self.factor().parse()?,
        };
        Ok((rule.checked()?, at))
    }

    fn factor(&self) -> &str {
        self.factor.as_deref().unwrap_or("one")
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
            .field("factor", self.factor())
    }
}

#[post("/admin/sites/<id>/rules", data = "<form>")]
pub(super) async fn add_rule(
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
pub(super) struct RemoveRuleForm {
    version: Option<Version>,
}

#[post("/admin/rules/<id>/delete", data = "<form>")]
pub(super) async fn remove_rule(
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
