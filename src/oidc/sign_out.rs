//! Sign-out that an application asks for (OpenID Connect RP-Initiated Logout 1.0).

use rocket::http::Status;

use super::clients::Client;
use super::params::Params;
use super::{keys, store};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::sessions::CurrentSession;
use crate::web::Refusal;

pub enum SignOut {
    /// It cannot be told where the browser belongs.
    Stay(Refusal),
    /// The user is asked first: whoever sent the browser is not known to act for this session.
    Ask,
    /// At once, and on to there.
    Now(Option<String>),
}

/// Judges a request. A hint may be as old as it likes, but it has to be ours.
pub async fn judge(
    app: &App,
    params: &Params,
    current: Option<&CurrentSession>,
) -> Result<SignOut, Error> {
    let stay = |message: &str| {
        let title = "The application sent you here in a way that cannot be answered";
        Ok(SignOut::Stay(Refusal::new(
            Status::BadRequest,
            "invalid_request",
            title,
            message,
        )))
    };
    if params.is_broken || params.doubled().is_some() {
        return stay("Its request cannot be read.");
    }
    let hint = match params.get("id_token_hint") {
        None => None,
        Some(text) => match keys::claims_of_id_token(app, text).await? {
            Some(claims) => Some(claims),
            None => return stay("Its id_token_hint is none of ours. You are still signed in."),
        },
    };
    let by_hint = hint.as_ref().and_then(|claims| claims["aud"].as_str());
    let client_id = match (by_hint, params.get("client_id")) {
        (Some(hinted), Some(named)) if hinted != named => {
            return stay(
                "Its client_id is another than in its id_token_hint. You are still signed in.",
            );
        }
        (hinted, named) => hinted.or(named),
    };
    let client: Option<Client> = match client_id {
        Some(id) => store::client(app.db.reader(), id).await?,
        None => None,
    };
    let target = match params.get("post_logout_redirect_uri") {
        None => None,
        Some(uri) => match &client {
            Some(client) if client.sign_out_uris.iter().any(|known| known == uri) => {
                Some(with_state(uri, params))
            }
            _ => {
                return stay(
                    "It wants you to go on to an address that is not registered for it. You are still signed in.",
                );
            }
        },
    };
    let Some(current) = current else {
        return Ok(SignOut::Now(target));
    };
    let is_of_session = hint.is_some_and(|claims| {
        claims["sid"].as_str() == Some(&current.session.id.to_string())
            && claims["sub"].as_str() == Some(&current.user.id.to_string())
    });
    Ok(if is_of_session {
        SignOut::Now(target)
    } else {
        SignOut::Ask
    })
}

/// Where the user goes who agreed to it.
pub async fn target_of(app: &App, params: &Params) -> Result<Option<String>, Error> {
    Ok(match judge(app, params, None).await? {
        SignOut::Now(target) => target,
        SignOut::Stay(_) | SignOut::Ask => None,
    })
}

fn with_state(uri: &str, params: &Params) -> String {
    let Some(state) = params.get("state") else {
        return uri.to_owned();
    };
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("state", state)
        .finish();
    let joint = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{joint}{query}")
}
