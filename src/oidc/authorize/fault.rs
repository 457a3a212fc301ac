use crate::oidc::claims::Told;
use crate::oidc::clients::Client;
use crate::oidc::params::Params;
use crate::oidc::redirect_uri::is_local;

/// An error as the application is told it, and its description.
type Fault = (&'static str, String);

/// What is wrong with a request, in the words of RFC 6749 and OpenID Connect.
pub fn fault(client: &Client, params: &Params, redirect_uri: &str) -> Option<Fault> {
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
