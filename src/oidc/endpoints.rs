//! Where programs come.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE,
};
use rocket::http::Status;
use rocket::{Responder, Route, get, options, post, routes};
use serde_json::{Value, json};

use super::claims::{Told, of_userinfo, seconds};
use super::client_auth::authenticate;
use super::clients::Client;
use super::grants::{self, Issued};
use super::params::{Authorization, InBody, Params};
use super::token_error::TokenError;
use super::{discovery, enabled, issuer, keys, metrics};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::web::{Answer, Device, Failure, Visit};

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![
        openid_configuration,
        authorization_server,
        public_keys,
        token_preflight,
        token,
        userinfo_preflight,
        userinfo_get,
        userinfo_post,
        revoke,
        introspect
    ]
}

/// For scripts of any site.
fn for_all(answer: Answer) -> Answer {
    answer.header(ACCESS_CONTROL_ALLOW_ORIGIN, "*")
}

fn discover(app: &App) -> Result<Answer, Failure> {
    enabled(app)?;
    Ok(for_all(Answer::json(Status::Ok, &discovery::document(app))))
}

#[get("/.well-known/openid-configuration")]
fn openid_configuration(app: &App, _visit: Visit) -> Result<Answer, Failure> {
    discover(app)
}

#[get("/.well-known/oauth-authorization-server")]
fn authorization_server(app: &App, _visit: Visit) -> Result<Answer, Failure> {
    discover(app)
}

#[get("/oauth/keys")]
async fn public_keys(app: &App, _visit: Visit) -> Result<Answer, Failure> {
    enabled(app)?;
    Ok(for_all(Answer::json(
        Status::Ok,
        &keys::published(app).await?,
    )))
}

/// Why a program is not told what it asks for.
#[derive(Responder)]
enum Untold {
    Error(TokenError),
    Failure(Failure),
}

impl From<TokenError> for Untold {
    fn from(error: TokenError) -> Self {
        Self::Error(error)
    }
}

impl From<Error> for Untold {
    fn from(error: Error) -> Self {
        Self::Failure(error.into())
    }
}

impl From<Failure> for Untold {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// The same, and for what they are refused with, so that they know why.
fn told_to_all(told: Result<Answer, Untold>) -> Result<Answer, Untold> {
    match told {
        Ok(answer) => Ok(for_all(answer)),
        Err(Untold::Error(error)) => Ok(for_all(error.answer())),
        Err(failure) => Err(failure),
    }
}

/// Whether a script may bring a token along, as browsers ask first.
fn preflight(app: &App) -> Result<Answer, Failure> {
    enabled(app)?;
    Ok(for_all(Answer::text(Status::NoContent, String::new()))
        .header(ACCESS_CONTROL_ALLOW_METHODS, "GET, POST")
        .header(ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type")
        .header(ACCESS_CONTROL_MAX_AGE, "86400"))
}

#[options("/oauth/token")]
fn token_preflight(app: &App, _visit: Visit) -> Result<Answer, Failure> {
    preflight(app)
}

#[options("/oauth/userinfo")]
fn userinfo_preflight(app: &App, _visit: Visit) -> Result<Answer, Failure> {
    preflight(app)
}

#[post("/oauth/token", data = "<body>")]
async fn token(
    app: &App,
    visit: Visit,
    authorization: Authorization<'_>,
    body: InBody,
) -> Result<Answer, Untold> {
    enabled(app)?;
    let InBody(params) = body;
    let client = authenticate(app, &authorization, &params, visit.address).await?;
    let client = client.inspect_err(|error| metrics::count_refused(app, error))?;
    let told = grant(app, &client, &params, &visit.device()).await;
    if let Err(Untold::Error(error)) = &told {
        metrics::count_refused(app, error);
    }
    // Scripts of a public client ask from its own pages; nothing that a browser keeps for us counts here.
    if client.is_public() {
        told_to_all(told)
    } else {
        told
    }
}

async fn grant(
    app: &App,
    client: &Client,
    params: &Params,
    device: &Device,
) -> Result<Answer, Untold> {
    let (grant_type, issued) = match params.required("grant_type")? {
        "authorization_code" => (
            "authorization_code",
            grants::exchange(app, client, params, device).await??,
        ),
        "refresh_token" => (
            "refresh_token",
            grants::refresh(app, client, params, device).await??,
        ),
        _ => return Err(TokenError::unsupported_grant_type().into()),
    };
    metrics::count_issued(app, client, grant_type);
    Ok(Answer::json(Status::Ok, &shown(&issued)))
}

fn shown(issued: &Issued) -> Value {
    let mut shown = json!({
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in.as_secs(),
        "refresh_token": issued.refresh_token,
        "scope": issued.scope,
    });
    if let Some(id_token) = &issued.id_token {
        shown["id_token"] = id_token.as_str().into();
    }
    shown
}

async fn userinfo(
    app: &App,
    authorization: &Authorization<'_>,
    in_body: Option<&str>,
) -> Result<Answer, Untold> {
    let token = match (authorization.of_scheme("bearer"), in_body) {
        (Some(token), None) | (None, Some(token)) => token,
        (Some(_), Some(_)) => {
            return Err(TokenError::new("invalid_request", "the token is there twice").into());
        }
        (None, None) => return Err(TokenError::invalid_token().into()),
    };
    let found = grants::find(app, token).await?;
    let found = found.filter(|(found, is_refresh)| !is_refresh && found.is_live(app));
    let (found, _) = found.ok_or_else(TokenError::invalid_token)?;
    if !Told::is_asked(&found.scope, "openid") {
        return Err(TokenError::insufficient_scope().into());
    }
    let claims = of_userinfo(&found.standing, &found.scope);
    Ok(Answer::json(Status::Ok, &claims))
}

#[get("/oauth/userinfo")]
async fn userinfo_get(
    app: &App,
    _visit: Visit,
    authorization: Authorization<'_>,
) -> Result<Answer, Untold> {
    enabled(app)?;
    told_to_all(userinfo(app, &authorization, None).await)
}

#[post("/oauth/userinfo", data = "<body>")]
async fn userinfo_post(
    app: &App,
    _visit: Visit,
    authorization: Authorization<'_>,
    body: InBody,
) -> Result<Answer, Untold> {
    enabled(app)?;
    let InBody(params) = body;
    if params.is_broken || params.doubled().is_some() {
        let error = TokenError::new("invalid_request", "the body is no form with each name once");
        return told_to_all(Err(error.into()));
    }
    told_to_all(userinfo(app, &authorization, params.get("access_token")).await)
}

#[post("/oauth/revoke", data = "<body>")]
async fn revoke(
    app: &App,
    visit: Visit,
    authorization: Authorization<'_>,
    body: InBody,
) -> Result<Answer, Untold> {
    enabled(app)?;
    let InBody(params) = body;
    let client = authenticate(app, &authorization, &params, visit.address).await??;
    grants::revoke(app, &client, params.required("token")?).await?;
    Ok(Answer::json(Status::Ok, &json!({})))
}

#[post("/oauth/introspect", data = "<body>")]
async fn introspect(
    app: &App,
    visit: Visit,
    authorization: Authorization<'_>,
    body: InBody,
) -> Result<Answer, Untold> {
    enabled(app)?;
    let InBody(params) = body;
    let client = authenticate(app, &authorization, &params, visit.address).await??;
    if client.is_public() {
        return Err(TokenError::invalid_client(false).into());
    }
    let found = grants::find(app, params.required("token")?).await?;
    let found = found.filter(|(found, is_refresh)| {
        let is_used = *is_refresh && found.used_at.is_some();
        found.standing.client.id == client.id && !is_used && found.is_live(app)
    });
    let Some((found, is_refresh)) = found else {
        return Ok(Answer::json(Status::Ok, &json!({ "active": false })));
    };
    let user = &found.standing.user;
    Ok(Answer::json(
        Status::Ok,
        &json!({
            "active": true,
            "iss": issuer(app),
            "aud": client.id,
            "client_id": client.id,
            "sub": user.id.to_string(),
            "username": user.username,
            "scope": found.scope,
            "token_type": if is_refresh { "refresh_token" } else { "Bearer" },
            "iat": seconds(found.issued_at),
            "exp": seconds(found.expires_at),
        }),
    ))
}
