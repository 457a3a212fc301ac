use serde::Serialize;

use super::authorize::Question;
use super::claim_rules::claims_for;
use crate::people::users::User;
use crate::web::pages::{Page, Template, template};

/// Asks a user whether an application may know.
#[derive(Serialize)]
pub struct ConsentPage {
    application: String,
    /// Where the browser goes.
    target: String,
    told: Vec<String>,
    goes_on: bool,
    request: String,
}

impl ConsentPage {
    /// `user` is who is asked.
    pub fn of(question: Question, user: &User) -> Self {
        let told = question.scopes.iter().filter_map(|scope| in_words(scope));
        let more = claims_for(&question.client.claims, &user.groups);
        let more = more
            .iter()
            .map(|(claim, value)| format!("{claim}: {value}"));
        Self {
            application: question.client.name,
            target: shown_target(&question.redirect_uri),
            told: told.map(str::to_owned).chain(more).collect(),
            goes_on: question.scopes.contains(&"offline_access"),
            request: question.query,
        }
    }
}

/// Host of an address, with its scheme if that is an application's own.
pub fn shown_target(uri: &str) -> String {
    let url = url::Url::parse(uri).ok();
    let host = url
        .as_ref()
        .and_then(|url| url.host_str().map(str::to_owned));
    match (url, host) {
        (Some(url), Some(host)) if ["https", "http"].contains(&url.scheme()) => host,
        (Some(url), _) => format!("{}: (a program on this device)", url.scheme()),
        (None, _) => uri.to_owned(),
    }
}

/// `None`: it tells nothing.
fn in_words(scope: &str) -> Option<&'static str> {
    Some(match scope {
        "openid" => "who you are here, by a number that stays the same",
        "profile" => "your name and user name",
        "email" => "your mail address",
        "groups" => "the groups that you are in",
        _ => return None,
    })
}

impl Page for ConsentPage {
    const TEMPLATE: Template = template!("oidc/consent.html");

    fn samples(text: &str) -> Vec<Self> {
        vec![Self {
            application: text.to_owned(),
            target: text.to_owned(),
            told: vec![text.to_owned(), text.to_owned()],
            goes_on: true,
            request: text.to_owned(),
        }]
    }
}

/// Asks whether one really wants to sign out.
#[derive(Serialize)]
pub struct SignOutPage {
    pub request: String,
}

impl Page for SignOutPage {
    const TEMPLATE: Template = template!("oidc/sign_out.html");

    fn samples(text: &str) -> Vec<Self> {
        vec![Self {
            request: text.to_owned(),
        }]
    }
}
