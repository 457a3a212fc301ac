//! What becomes of a browser that an application sends: it goes back with a code or an error, or stays for a page of ours.

use std::time::Duration;

use rocket::http::Status;
use uuid::Uuid;

use super::claims::{SCOPES, TWO_FACTORS, Told};
use super::clients::{Client, Consent};
use super::grants::{self, Asked};
use super::params::Params;
use super::redirect_uri::is_local;
use super::{issuer, keys, learning, store};
use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::error::Error;
use crate::people::users::User;
use crate::sessions::{CurrentSession, Methods};
use crate::web::return_to::MOST_WAY_BYTES;
use crate::web::{Device, Refusal, with_query};

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

/// Longer than any user name or address of mail.
const MOST_HINT_BYTES: usize = 320;

/// What was asked for at that time; a proof from then on is new enough.
const SINCE: &str = "vestibule_since";

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

type Fault = (&'static str, String);

/// What is wrong with a request, in the words of RFC 6749 and OpenID Connect.
fn fault(client: &Client, params: &Params, redirect_uri: &str) -> Option<Fault> {
    let invalid = |text: &str| Some(("invalid_request", text.to_owned()));
    if let Some(name) = params.doubled() {
        return invalid(&format!("{name} is there twice"));
    }
    for (name, error) in [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ] {
        if params.get(name).is_some() {
            return Some((error, format!("{name} is not taken")));
        }
    }
    match params.get("response_type") {
        Some("code") => {}
        None => return invalid("response_type is missing"),
        Some(_) => {
            return Some((
                "unsupported_response_type",
                "response_type is code".to_owned(),
            ));
        }
    }
    if params
        .get("response_mode")
        .is_some_and(|mode| mode != "query")
    {
        return invalid("response_mode is query");
    }
    if params
        .get("max_age")
        .is_some_and(|age| age.parse::<u32>().is_err())
    {
        return invalid("max_age is a number of seconds");
    }
    let prompts = params.get("prompt").unwrap_or_default();
    if prompts.split_whitespace().count() > 1 && Told::is_asked(prompts, "none") {
        return invalid("prompt=none stands alone");
    }
    if params.get("nonce").is_some_and(|nonce| nonce.len() > 1_024) {
        return invalid("nonce is too long");
    }
    let is_challenge = |text: &str| {
        text.len() == 43
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    match (
        params.get("code_challenge"),
        params.get("code_challenge_method"),
    ) {
        (Some(challenge), Some("S256")) if is_challenge(challenge) => None,
        (Some(_), Some("S256")) => invalid("code_challenge is no SHA-256 in base64url"),
        (Some(_), _) => invalid("code_challenge_method is S256"),
        (None, Some(_)) => invalid("code_challenge is missing"),
        (None, None) if client.pkce || client.is_public() || is_local(redirect_uri) => {
            invalid("code_challenge is missing (PKCE)")
        }
        (None, None) if params.get("nonce").is_none() && params.get("state").is_none() => {
            invalid("without PKCE, nonce or state is needed")
        }
        (None, None) => None,
    }
}

/// A page of ours that comes first.
enum First {
    SignIn(String),
    More(String),
}

fn comes_first(
    app: &App,
    params: &Params,
    client: &Client,
    prompts: &[&str],
    hinted: Option<String>,
    current: Option<&CurrentSession>,
) -> Option<First> {
    let now = app.clock.now();
    let since = params.get(SINCE).and_then(|since| since.parse().ok());
    let since = since
        .map(Timestamp::from_micros)
        .filter(|since| *since <= now);
    let asked_at = since.unwrap_or(now).unix_micros().to_string();
    let again = format!(
        "/oauth/authorize?{}",
        params.to_query(Some((SINCE, &asked_at)))
    );
    let login = |name: &str| {
        with_query(
            "/login",
            &[
                ("rd", Some(&again)),
                (name, Some(if name == "factor" { "two" } else { "1" })),
            ],
        )
    };
    let Some(current) = current else {
        let hint = params
            .get("login_hint")
            .filter(|hint| hint.len() <= MOST_HINT_BYTES);
        let way = with_query("/login", &[("rd", Some(&again)), ("hint", hint)]);
        return Some(First::SignIn(way));
    };
    let (session, user) = (&current.session, &current.user);
    if hinted.is_some_and(|hinted| hinted != user.id.to_string()) {
        return Some(First::SignIn(login("switch")));
    }
    let is_anew = since.is_some_and(|since| session.authenticated_at >= since);
    let max_age = params
        .get("max_age")
        .and_then(|age| age.parse().ok())
        .map(Duration::from_secs);
    let is_old =
        max_age.is_some_and(|age| now > session.authenticated_at.plus(age) || age.is_zero());
    let wants_anew = prompts.contains(&"login") || prompts.contains(&"select_account");
    if (is_old || wants_anew) && !is_anew {
        return Some(First::SignIn(login("fresh")));
    }
    let two = client.two_factors
        || Told::is_asked(params.get("acr_values").unwrap_or_default(), TWO_FACTORS);
    let way = match due(app, user, session.methods, session.trusted, two)? {
        Due::TwoFactors => login("factor"),
        Due::SecondFactor | Due::NewPassword => with_query("/login", &[("rd", Some(&again))]),
    };
    Some(First::More(way))
}

/// What a user who is signed in does first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The application asks for two factors.
    TwoFactors,
    /// The user has a second factor, or has to set one up.
    SecondFactor,
    NewPassword,
}

pub(super) fn due(
    app: &App,
    user: &User,
    methods: Methods,
    trusted: bool,
    two: bool,
) -> Option<Due> {
    let required = &app.settings.second_factor.required;
    if two && !methods.is_two_factor() {
        Some(Due::TwoFactors)
    } else if methods.lack_second_factor(trusted, user, required) {
        Some(Due::SecondFactor)
    } else {
        user.must_change_password.then_some(Due::NewPassword)
    }
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
