//! Who asks at the endpoints for programs.

use std::net::IpAddr;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::clients::{AuthMethod, Client, hash_of_secret};
use super::imported;
use super::params::{Authorization, Params};
use super::store;
use super::token_error::TokenError;
use crate::foundation::app::App;
use crate::foundation::error::Error;

/// The client that asks, before anything that it brings is looked at.
pub async fn authenticate(
    app: &App,
    authorization: &Authorization<'_>,
    params: &Params,
    address: IpAddr,
) -> Result<Result<Client, TokenError>, Error> {
    if params.is_broken {
        return Ok(Err(TokenError::new(
            "invalid_request",
            "the body is no form in UTF-8",
        )));
    }
    if let Some(name) = params.doubled() {
        return Ok(Err(TokenError::new(
            "invalid_request",
            format!("{name} is there twice"),
        )));
    }
    let basic = authorization.of_scheme("basic");
    let in_body = params.get("client_secret");
    if basic.is_some() && in_body.is_some() {
        return Ok(Err(TokenError::new(
            "invalid_request",
            "a client proves who it is in one way",
        )));
    }
    let tries = match (basic, params.get("client_id")) {
        (Some(basic), _) => spellings(basic),
        (None, Some(id)) => vec![(id.to_owned(), in_body.unwrap_or_default().to_owned())],
        (None, None) => Vec::new(),
    };
    for (id, secret) in tries {
        let Some(client) = store::client(app.db.reader(), &id).await? else {
            continue;
        };
        let names_itself = params.get("client_id").is_none_or(|named| named == id);
        let by = match (basic, in_body) {
            (Some(_), _) => AuthMethod::Basic,
            (None, Some(_)) => AuthMethod::Post,
            (None, None) => AuthMethod::None,
        };
        if !names_itself || !may_prove(&client, by) {
            continue;
        }
        match is_proven(app, &client, &secret, address).await? {
            Ok(true) => return Ok(Ok(client)),
            Ok(false) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Err(TokenError::invalid_client(basic.is_some())))
}

fn may_prove(client: &Client, by: AuthMethod) -> bool {
    let is_allowed = client.auth_method.is_none_or(|method| method == by);
    let proves = by != AuthMethod::None;
    client.disabled_at.is_none()
        && proves != client.is_public()
        && (client.is_public() || is_allowed)
}

async fn is_proven(
    app: &App,
    client: &Client,
    secret: &str,
    address: IpAddr,
) -> Result<Result<bool, TokenError>, Error> {
    match &client.secret_hash {
        None => Ok(Ok(true)),
        Some(hash) if hash_of_secret(secret) == *hash => Ok(Ok(true)),
        Some(_) => imported::is_secret_of(app, client, secret, address).await,
    }
}

/// Some applications leave the padding away.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Encoded as RFC 6749, 2.3.1 asks, or as many applications send them. What is not UTF-8 is nobody's: which other encoding
/// it is in would be a guess.
fn spellings(basic: &str) -> Vec<(String, String)> {
    let decoded = BASE64.decode(basic).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((id, secret)) = text.as_deref().and_then(|text| text.split_once(':')) else {
        return Vec::new();
    };
    let form = |text: &str| {
        let text = text.replace('+', " ");
        let decoded = percent_encoding::percent_decode_str(&text).decode_utf8();
        decoded.map(std::borrow::Cow::into_owned).ok()
    };
    let raw = (id.to_owned(), secret.to_owned());
    let encoded = form(id).zip(form(secret)).filter(|encoded| *encoded != raw);
    encoded.into_iter().chain([raw]).collect()
}
