//! Whether a user may enter an application, why, and what it would be told: judged by what judges browsers, and told by
//! what tells applications. Nothing is granted, and no token is made.

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::authorize::{Due, asks, due, granted, known_scopes};
use super::claims::{self, Told};
use super::clients::Client;
use super::grants::{Grant, Obstacle, Standing, obstacle};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::people::users::User;
use crate::sessions::Methods;

/// What most applications ask for.
pub const USUAL_SCOPE: &str = "openid profile email groups";

#[derive(Debug, Serialize)]
pub struct Explanation {
    pub decision: &'static str,
    pub because: String,
    /// What would be granted of the scope that was asked for.
    pub scope: String,
    /// Claims, as they would be now. Nothing is told of a user who may not enter.
    pub id_token: Map<String, Value>,
    pub userinfo: Map<String, Value>,
}

/// Explains what becomes of a user who is signed in by two factors or one; where that is not said, by as many as the user has.
///
/// # Errors
/// The database failed.
pub async fn explain(
    app: &App,
    client: &Client,
    user: &User,
    two_factors: Option<bool>,
    scope: &str,
) -> Result<Explanation, Error> {
    let methods = match two_factors.unwrap_or(user.has_second_factor()) {
        true => Methods::PASSWORD.and(Methods::TOTP),
        false => Methods::PASSWORD,
    };
    let scopes = known_scopes(scope);
    let redirect_uri = client.redirect_uris.first().map_or("", String::as_str);
    let asked = asks(app, client, redirect_uri, &scopes, &[], user.id).await?;
    let scope = granted(client, scopes, asked.is_some());
    let (decision, because) = match (
        obstacle(app, client, user, methods, false),
        due(app, user, methods, false, client.two_factors),
    ) {
        (Some(Obstacle::ClientDisabled), _) => ("deny", "the application is disabled".to_owned()),
        (Some(Obstacle::UserDisabled), _) => ("deny", "the user is disabled".to_owned()),
        (Some(Obstacle::NoMember), _) => ("deny", no_member(client, user)),
        (Some(Obstacle::OneFactor), _) | (_, Some(Due::TwoFactors)) => (
            "two factors first",
            "the application asks for two factors".to_owned(),
        ),
        (Some(Obstacle::LacksFactor), _) | (_, Some(Due::SecondFactor)) => {
            ("second factor first", lacking(user))
        }
        (None, Some(Due::NewPassword)) => (
            "new password first",
            "the password was given for one time".to_owned(),
        ),
        (None, None) => entering(client, user, asked),
    };
    // Once what is asked first is done.
    let then = match decision {
        "two factors first" | "second factor first" => methods.and(Methods::TOTP),
        _ => methods,
    };
    let standing = supposed(app, client, user, then, &scope);
    let tells = |is_told: bool, claims: Map<String, Value>| match is_told && decision != "deny" {
        true => claims,
        false => Map::new(),
    };
    let is_openid = Told::is_asked(&scope, "openid");
    Ok(Explanation {
        decision,
        because,
        id_token: tells(is_openid, claims::of_id_token(app, &standing, &scope)),
        userinfo: tells(is_openid, claims::of_userinfo(&standing, &scope)),
        scope,
    })
}

fn no_member(client: &Client, user: &User) -> String {
    let own = match user.groups.is_empty() {
        true => "in no group".to_owned(),
        false => format!("in {}", user.groups.join(", ")),
    };
    let asked = client.groups.join(" or ");
    format!("the application is for members of {asked}, and the user is {own}")
}

fn lacking(user: &User) -> String {
    match user.has_second_factor() {
        true => "the user has a second factor and has not shown it".to_owned(),
        false => "the settings ask this user for a second factor, to be set up first".to_owned(),
    }
}

fn entering(client: &Client, user: &User, asked: Option<&str>) -> (&'static str, String) {
    if asked.is_some() {
        let why = "the user is asked whether the application may know all that".to_owned();
        return ("enter, if the user agrees", why);
    }
    let own = client
        .groups
        .iter()
        .find(|group| user.groups.contains(group));
    let why = match own {
        Some(group) => format!("the user is in {group}"),
        None => "the application is for everyone".to_owned(),
    };
    ("enter", why)
}

/// The grant that a sign-in would make now.
fn supposed(app: &App, client: &Client, user: &User, methods: Methods, scope: &str) -> Standing {
    let now = app.clock.now();
    let grant = Grant {
        id: Uuid::nil(),
        session_id: None,
        offline: false,
        scope: scope.to_owned(),
        nonce: None,
        auth_time: now,
        methods,
        trusted: false,
        created_at: now,
    };
    Standing {
        grant,
        has_ended: false,
        session_lives: true,
        client: client.clone(),
        user: user.clone(),
    }
}
