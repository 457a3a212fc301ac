//! What becomes of a browser that an application sends: it goes back with a code or an error, or stays for a page of ours.

mod fault;
mod first;

use rocket::http::Status;
use uuid::Uuid;

use super::claims::{SCOPES, Told};
use super::clients::{Client, Consent};
use super::grants::{self, Asked};
use super::params::Params;
use super::redirect_uri::is_local;
use super::{issuer, keys, learning, store};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::sessions::CurrentSession;
use crate::web::return_to::MOST_WAY_BYTES;
use crate::web::{Device, Refusal};
use fault::fault;
use first::{First, comes_first};

pub(super) use first::{Due, due};

/// Where a browser goes next.
pub enum Step {
    /// Nowhere: it is not safe to send it to the application.
    Stay(Refusal),
    /// Back to the application, with a code or an error.
    Leave(String),
    /// To a page of ours that comes first.
    First(String),
    /// The user is asked.
    Ask(Box<Question>),
}

/// What a user is asked.
pub struct Question {
    pub client: Client,
    pub redirect_uri: String,
    pub scopes: Vec<&'static str>,
    /// The request as it is asked again with the answer.
    pub query: String,
}

/// What a user answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    NotAsked,
    Allowed,
    Denied,
}

/// An answer to the application.
struct Back<'a> {
    app: &'a App,
    redirect_uri: &'a str,
    state: Option<&'a str>,
}

impl Back<'_> {
    fn with(&self, pairs: &[(&str, &str)]) -> Step {
        let issuer = issuer(self.app);
        let pairs = pairs.iter().copied();
        let state = self.state.map(|state| ("state", state));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .extend_pairs(state)
            .append_pair("iss", &issuer)
            .finish();
        let joint = if self.redirect_uri.contains('?') {
            '&'
        } else {
            '?'
        };
        Step::Leave(format!("{}{joint}{query}", self.redirect_uri))
    }

    fn error(&self, error: &str, description: &str) -> Step {
        self.with(&[("error", error), ("error_description", description)])
    }
}

fn stay(title: &str, message: impl Into<String>) -> Step {
    Step::Stay(Refusal::new(
        Status::BadRequest,
        "invalid_request",
        title,
        message,
    ))
}

const FROM_APPLICATION: &str = "The application sent you here in a way that cannot be answered";

/// Judges a request of an application, and lets the browser go on with a code if nothing is in the way.
pub async fn authorize(
    app: &App,
    params: &Params,
    current: Option<&CurrentSession>,
    device: &Device,
    decision: Decision,
) -> Result<Step, Error> {
    if params.is_broken || params.is_doubled("client_id") || params.is_doubled("redirect_uri") {
        return Ok(stay(FROM_APPLICATION, "Its request cannot be read."));
    }
    let client = match params.get("client_id") {
        Some(id) => store::client(app.db.reader(), id).await?,
        None => None,
    };
    let Some(client) = client.filter(|client| client.disabled_at.is_none()) else {
        return Ok(stay(
            FROM_APPLICATION,
            "Its client_id is missing, or not known here.",
        ));
    };
    let Some(redirect_uri) = params.get("redirect_uri") else {
        return Ok(stay(FROM_APPLICATION, "Its redirect_uri is missing."));
    };
    if !client.has_redirect(redirect_uri) {
        learning::note(app, &client, current, redirect_uri).await?;
        let message = format!(
            "It wants you to come back to {redirect_uri}, and that address is not registered for {}. Its administrator adds it, exactly as it stands here.",
            client.name
        );
        return Ok(stay(FROM_APPLICATION, message));
    }
    let back = Back {
        app,
        redirect_uri,
        state: params.get("state").filter(|_| !params.is_doubled("state")),
    };
    if let Some((error, description)) = fault(&client, params, redirect_uri) {
        return Ok(back.error(error, &description));
    }
    let hinted = match params.get("id_token_hint") {
        None => None,
        Some(hint) => match hinted_user(app, &client, hint).await? {
            Some(user_id) => Some(user_id),
            None => {
                return Ok(back.error("invalid_request", "id_token_hint is none of this client"));
            }
        },
    };
    let prompts: Vec<&str> = params
        .get("prompt")
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let is_silent = prompts == ["none"];
    if let Some(first) = comes_first(app, params, &client, &prompts, hinted, current) {
        return Ok(match (is_silent, first) {
            (true, First::SignIn(_)) => {
                back.error("login_required", "nobody is signed in, or not anew")
            }
            (true, First::More(_)) => {
                back.error("interaction_required", "the user has something to do first")
            }
            (false, First::SignIn(path) | First::More(path)) if path.len() > MOST_WAY_BYTES => {
                back.error("invalid_request", "the request is too long")
            }
            (false, First::SignIn(path) | First::More(path)) => Step::First(path),
        });
    }
    let Some(current) = current else {
        return Ok(back.error("login_required", "nobody is signed in"));
    };
    let (session, user) = (&current.session, &current.user);
    if grants::obstacle(app, &client, user, session.methods, session.trusted).is_some() {
        return Ok(back.error("access_denied", "this user may not use the application"));
    }
    let scopes = known_scopes(params.get("scope").unwrap_or_default());
    let ask = asks(app, &client, redirect_uri, &scopes, &prompts, user.id).await?;
    match (decision, ask) {
        (Decision::Denied, _) => return Ok(back.error("access_denied", "the user said no")),
        (Decision::NotAsked, Some(error)) if is_silent => {
            return Ok(back.error(error, "the user has to be asked"));
        }
        (Decision::NotAsked, Some(_)) => {
            return Ok(Step::Ask(Box::new(Question {
                redirect_uri: redirect_uri.to_owned(),
                scopes,
                query: params.to_query(None),
                client,
            })));
        }
        (Decision::NotAsked, None) | (Decision::Allowed, _) => {}
    }
    let scope = granted(&client, scopes, decision == Decision::Allowed);
    let asked = Asked {
        client: &client,
        redirect_uri,
        offline: Told::is_asked(&scope, "offline_access"),
        scope,
        nonce: params.get("nonce"),
        challenge: params.get("code_challenge"),
        agreed: decision == Decision::Allowed,
    };
    match grants::start(app, current, device, &asked).await? {
        Some(code) => Ok(back.with(&[("code", &code.reveal())])),
        None => Ok(back.error("login_required", "the session ended just now")),
    }
}

pub(super) fn known_scopes(wanted: &str) -> Vec<&'static str> {
    let mut scopes = SCOPES.to_vec();
    scopes.retain(|scope| Told::is_asked(wanted, scope));
    scopes
}

/// What is granted of the scopes. To go on without a session takes an admin's word or the user's.
pub(super) fn granted(client: &Client, mut scopes: Vec<&str>, has_agreed: bool) -> String {
    let may_go_on = client.offline_access || has_agreed || client.consent != Consent::Never;
    scopes.retain(|scope| *scope != "offline_access" || may_go_on);
    scopes.join(" ")
}

/// The user that a hint names, if this client had it from here.
async fn hinted_user(app: &App, client: &Client, hint: &str) -> Result<Option<String>, Error> {
    let claims = keys::claims_of_id_token(app, hint).await?;
    let own = claims.filter(|claims| claims["aud"].as_str() == Some(&client.id));
    Ok(own.and_then(|claims| claims["sub"].as_str().map(str::to_owned)))
}

/// Whether the user has to be asked, and what is said if that cannot be.
pub(super) async fn asks(
    app: &App,
    client: &Client,
    redirect_uri: &str,
    scopes: &[&str],
    prompts: &[&str],
    user_id: Uuid,
) -> Result<Option<&'static str>, Error> {
    // Any program on the machine could have sent the browser, and could take the code.
    if client.is_public() && is_local(redirect_uri) {
        return Ok(Some("interaction_required"));
    }
    if prompts.contains(&"consent") {
        return Ok(Some("consent_required"));
    }
    let is_given = match client.consent {
        Consent::Never => true,
        Consent::Always => false,
        Consent::Once => {
            let given = store::consent(app.db.reader(), user_id, &client.id).await?;
            given.is_some_and(|given| scopes.iter().all(|scope| Told::is_asked(&given, scope)))
        }
    };
    Ok((!is_given).then_some("consent_required"))
}
