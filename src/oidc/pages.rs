use serde::Serialize;

use super::authorize::Question;
use crate::web::pages::{Page, Template, template};

/// Asks a user whether an application may know.
#[derive(Serialize)]
pub struct ConsentPage {
    application: String,
    /// Where the browser goes.
    target: String,
    told: Vec<&'static str>,
    request: String,
}

impl ConsentPage {
    pub fn of(question: Question) -> Self {
        Self {
            application: question.client.name,
            target: shown_target(&question.redirect_uri),
            told: question.scopes.into_iter().map(in_words).collect(),
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

fn in_words(scope: &str) -> &'static str {
    match scope {
        "openid" => "who you are here, by a number that stays the same",
        "profile" => "your name and user name",
        "email" => "your mail address",
        "groups" => "the groups that you are in",
        _ => "and may go on when you have signed out, until you disconnect it",
    }
}

impl Page for ConsentPage {
    const TEMPLATE: Template = template!("oidc/consent.html");

    fn samples(text: &str) -> Vec<Self> {
        vec![Self {
            application: text.to_owned(),
            target: text.to_owned(),
            told: super::claims::SCOPES.map(in_words).to_vec(),
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
