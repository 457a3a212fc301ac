use hyper::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use rocket::http::Status;
use rocket::{FromForm, Route, get, post, routes};
use serde_json::{Value, json};

use super::authorize::{Decision, Step, authorize};
use super::claims::{Told, seconds};
use super::client_auth::authenticate;
use super::grants::{self, Issued};
use super::pages::{ConsentPage, SignOutPage, shown_target};
use super::params::{Authorization, InBody, InQuery, Params};
use super::sign_out::{self, SignOut};
use super::token_error::TokenError;
use super::{discovery, issuer, keys};
use crate::foundation::app::App;
use crate::foundation::person::Person;
use crate::login::{self, leave_for};
use crate::sessions::{CurrentSession, Denied};
use crate::web::{Answer, Failure, Posted, Refusal, Visit};

#[must_use]
pub fn routes() -> Vec<Route> {
    routes![
        openid_configuration,
        authorization_server,
        public_keys,
        authorize_get,
        authorize_post,
        consent,
        token,
        userinfo_get,
        userinfo_post,
        revoke,
        introspect,
        sign_out_get,
        sign_out_post,
        sign_out_confirmed
    ]
}

/// 404 where the provider is switched off.
fn enabled(app: &App) -> Result<(), Failure> {
    if app.settings.oidc.enabled {
        Ok(())
    } else {
        Err(Refusal::not_found().into())
    }
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

type Session = Result<CurrentSession, Denied>;

/// Nobody is taken for signed out because the database does not answer.
fn known(session: Session) -> Result<Option<CurrentSession>, Failure> {
    match session {
        Ok(current) => Ok(Some(current)),
        Err(Denied::Unavailable) => Err(Refusal::unavailable().into()),
        Err(_) => Ok(None),
    }
}

#[get("/oauth/authorize")]
async fn authorize_get(
    app: &App,
    visit: Visit,
    query: InQuery,
    session: Session,
) -> Result<Answer, Failure> {
    enabled(app)?;
    let InQuery(params) = query;
    let current = known(session)?;
    match authorize(
        app,
        &params,
        current.as_ref(),
        &visit.device(),
        Decision::NotAsked,
    )
    .await?
    {
        Step::Stay(refusal) => Err(refusal.into()),
        Step::Leave(url) => Ok(Answer::see_other(&url).keep_opener()),
        Step::First(path) => Ok(Answer::see_other(&path)),
        Step::Ask(question) => {
            let user = current.as_ref().map(|current| &current.user as &dyn Person);
            Ok(Answer::page(
                app,
                Status::Ok,
                &ConsentPage::of(*question),
                user,
            )?)
        }
    }
}

/// A form of another site comes without our cookie; the same as GET has it.
#[post("/oauth/authorize", data = "<body>")]
fn authorize_post(app: &App, _visit: Visit, body: InBody) -> Result<Answer, Failure> {
    enabled(app)?;
    as_get("/oauth/authorize", body)
}

fn as_get(path: &str, body: InBody) -> Result<Answer, Failure> {
    let InBody(params) = body;
    if params.is_broken {
        return Err(Refusal::of_status(Status::BadRequest).into());
    }
    Ok(Answer::see_other(&format!(
        "{path}?{}",
        params.to_query(None)
    )))
}

#[derive(FromForm)]
struct ConsentForm {
    request: String,
    decision: String,
}

#[post("/oauth/consent", data = "<form>")]
async fn consent(
    app: &App,
    visit: Visit,
    current: CurrentSession,
    form: Posted<ConsentForm>,
) -> Result<Answer, Failure> {
    enabled(app)?;
    let Posted(form) = form;
    let params = Params::parse(form.request.as_bytes());
    let decision = match form.decision.as_str() {
        "allow" => Decision::Allowed,
        _ => Decision::Denied,
    };
    match authorize(app, &params, Some(&current), &visit.device(), decision).await? {
        Step::Leave(url) => leave(app, url),
        Step::First(path) => Ok(Answer::see_other(&path)),
        Step::Stay(refusal) => Err(refusal.into()),
        Step::Ask(_) => Err(Refusal::of_status(Status::BadRequest).into()),
    }
}

/// From a form: a page that leaves by itself.
fn leave(app: &App, url: String) -> Result<Answer, Failure> {
    let host = shown_target(&url);
    Ok(leave_for(app, url, &host)?)
}

/// What a program is told, be it what it asked for or what was wrong.
fn told(outcome: Result<Value, TokenError>) -> Answer {
    match outcome {
        Ok(value) => Answer::json(Status::Ok, &value),
        Err(error) => error.answer(),
    }
}

#[post("/oauth/token", data = "<body>")]
async fn token(
    app: &App,
    visit: Visit,
    authorization: Authorization<'_>,
    body: InBody,
) -> Result<Answer, Failure> {
    enabled(app)?;
    let InBody(params) = body;
    let client = match authenticate(app, &authorization, &params).await? {
        Ok(client) => client,
        Err(error) => return Ok(error.answer()),
    };
    let device = visit.device();
    let issued = match params.get("grant_type") {
        Some("authorization_code") => grants::exchange(app, &client, &params, &device).await?,
        Some("refresh_token") => grants::refresh(app, &client, &params, &device).await?,
        Some(_) => Err(TokenError::new(
            "unsupported_grant_type",
            "grant_type is authorization_code or refresh_token",
        )),
        None => Err(TokenError::missing("grant_type")),
    };
    let answer = told(issued.map(|issued| shown(&issued)));
    // Scripts of a public client ask from its own pages; nothing that a browser keeps for us counts here.
    Ok(if client.is_public() {
        for_all(answer)
    } else {
        answer
    })
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
) -> Result<Answer, Failure> {
    enabled(app)?;
    let token = match (authorization.of_scheme("bearer"), in_body) {
        (Some(token), None) | (None, Some(token)) => token,
        (Some(_), Some(_)) => {
            return Ok(TokenError::new("invalid_request", "the token is there twice").answer());
        }
        (None, None) => return Ok(TokenError::invalid_token().answer()),
    };
    let found = grants::find(app, token).await?;
    let found = found.filter(|(found, is_refresh)| !is_refresh && found.is_live(app));
    let Some((found, _)) = found else {
        return Ok(for_all(TokenError::invalid_token().answer()));
    };
    if !Told::is_asked(&found.scope, "openid") {
        return Ok(TokenError::insufficient_scope().answer());
    }
    let claims = Told::of(&found.standing.user, &found.scope);
    Ok(for_all(Answer::json(Status::Ok, &claims)))
}

#[get("/oauth/userinfo")]
async fn userinfo_get(
    app: &App,
    _visit: Visit,
    authorization: Authorization<'_>,
) -> Result<Answer, Failure> {
    userinfo(app, &authorization, None).await
}

#[post("/oauth/userinfo", data = "<body>")]
async fn userinfo_post(
    app: &App,
    _visit: Visit,
    authorization: Authorization<'_>,
    body: InBody,
) -> Result<Answer, Failure> {
    let InBody(params) = body;
    userinfo(app, &authorization, params.get("access_token")).await
}

#[post("/oauth/revoke", data = "<body>")]
async fn revoke(
    app: &App,
    _visit: Visit,
    authorization: Authorization<'_>,
    body: InBody,
) -> Result<Answer, Failure> {
    enabled(app)?;
    let InBody(params) = body;
    let client = match authenticate(app, &authorization, &params).await? {
        Ok(client) => client,
        Err(error) => return Ok(error.answer()),
    };
    match params.get("token") {
        Some(token) => grants::revoke(app, &client, token).await?,
        None => return Ok(TokenError::missing("token").answer()),
    }
    Ok(Answer::json(Status::Ok, &json!({})))
}

#[post("/oauth/introspect", data = "<body>")]
async fn introspect(
    app: &App,
    _visit: Visit,
    authorization: Authorization<'_>,
    body: InBody,
) -> Result<Answer, Failure> {
    enabled(app)?;
    let InBody(params) = body;
    let client = match authenticate(app, &authorization, &params).await? {
        Ok(client) if client.is_public() => return Ok(TokenError::invalid_client(false).answer()),
        Ok(client) => client,
        Err(error) => return Ok(error.answer()),
    };
    let Some(token) = params.get("token") else {
        return Ok(TokenError::missing("token").answer());
    };
    let found = grants::find(app, token).await?;
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

const SIGNED_OUT: &str = "/login?signed_out";

#[get("/oauth/logout")]
async fn sign_out_get(
    app: &App,
    visit: Visit,
    query: InQuery,
    session: Session,
) -> Result<Answer, Failure> {
    enabled(app)?;
    let InQuery(params) = query;
    let current = known(session)?;
    match sign_out::judge(app, &params, current.as_ref()).await? {
        SignOut::Stay(refusal) => Err(refusal.into()),
        SignOut::Ask => {
            let page = SignOutPage {
                request: params.to_query(None),
            };
            let user = current.as_ref().map(|current| &current.user as &dyn Person);
            Ok(Answer::page(app, Status::Ok, &page, user)?)
        }
        SignOut::Now(target) => {
            if let Some(current) = &current {
                login::sign_out(app, current, &visit.device()).await?;
            }
            let answer = Answer::see_other(target.as_deref().unwrap_or(SIGNED_OUT));
            Ok(login::forget_session(app, answer))
        }
    }
}

#[post("/oauth/logout", data = "<body>")]
fn sign_out_post(app: &App, _visit: Visit, body: InBody) -> Result<Answer, Failure> {
    enabled(app)?;
    as_get("/oauth/logout", body)
}

#[derive(FromForm)]
struct SignOutForm {
    request: String,
}

#[post("/oauth/sign-out", data = "<form>")]
async fn sign_out_confirmed(
    app: &App,
    visit: Visit,
    current: Session,
    form: Posted<SignOutForm>,
) -> Result<Answer, Failure> {
    enabled(app)?;
    let Posted(form) = form;
    if let Some(current) = known(current)? {
        login::sign_out(app, &current, &visit.device()).await?;
    }
    let params = Params::parse(form.request.as_bytes());
    let answer = match sign_out::target_of(app, &params).await? {
        Some(target) => leave(app, target)?,
        None => Answer::see_other(SIGNED_OUT),
    };
    Ok(login::forget_session(app, answer))
}
