//! What an application is told of a user: the same in id_token and userinfo.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::claim_rules::claims_for;
use super::clients::Client;
use super::grants::{Grant, Standing};
use super::{issuer, jwt, keys};
use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::error::Error;
use crate::people::users::User;
use crate::sessions::Methods;

const ID_TOKEN_LIFETIME: Duration = Duration::from_secs(600);

/// Every scope there is.
pub const SCOPES: [&str; 5] = ["openid", "profile", "email", "groups", "offline_access"];

/// Every claim there is.
pub const CLAIMS: [&str; 16] = [
    "sub",
    "iss",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "at_hash",
    "sid",
    "amr",
    "acr",
    "name",
    "preferred_username",
    "email",
    "email_verified",
    "groups",
];

pub const ONE_FACTOR: &str = "urn:vestibule:one";
pub const TWO_FACTORS: &str = "urn:vestibule:two";

pub struct Told;

impl Told {
    pub fn is_asked(scope: &str, word: &str) -> bool {
        scope.split(' ').any(|other| other == word)
    }

    /// The claims of a user by scope, and by the client's rules, which stand behind.
    pub fn of(client: &Client, user: &User, scope: &str) -> Map<String, Value> {
        let mut told = claims_for(&client.claims, &user.groups);
        told.extend(Self::by_scope(user, scope));
        told
    }

    fn by_scope(user: &User, scope: &str) -> Map<String, Value> {
        let mut told = Map::new();
        told.insert("sub".to_owned(), user.id.to_string().into());
        if Self::is_asked(scope, "profile") {
            told.insert("name".to_owned(), user.shown_name().into());
            told.insert(
                "preferred_username".to_owned(),
                user.username.as_str().into(),
            );
        }
        if let (true, Some(email)) = (Self::is_asked(scope, "email"), &user.email) {
            told.insert("email".to_owned(), email.as_str().into());
            told.insert("email_verified".to_owned(), user.email_verified.into());
        }
        if Self::is_asked(scope, "groups") {
            told.insert("groups".to_owned(), json!(user.groups));
        }
        told
    }
}

pub fn seconds(at: Timestamp) -> i64 {
    at.unix_micros().div_euclid(1_000_000)
}

/// The words of RFC 8176.
fn amr(methods: Methods) -> Vec<&'static str> {
    let mut words: Vec<&str> = methods
        .iter()
        .map(|method| match method {
            "password" => "pwd",
            "passkey" => "hwk",
            _ => "otp",
        })
        .collect();
    words.dedup();
    if methods.is_two_factor() {
        words.push("mfa");
    }
    words
}

fn acr(methods: Methods) -> &'static str {
    if methods.is_two_factor() {
        TWO_FACTORS
    } else {
        ONE_FACTOR
    }
}

pub async fn id_token(
    app: &App,
    standing: &Standing,
    scope: &str,
    access_token: &str,
) -> Result<String, Error> {
    let mut claims = of_id_token(app, standing, scope);
    claims.insert("at_hash".to_owned(), jwt::half_hash(access_token).into());
    let alg = standing.client.alg;
    keys::sign(app, alg, jwt::ID_TOKEN, Value::Object(claims)).await
}

/// All but what hangs on the access token that comes with it.
pub fn of_id_token(app: &App, standing: &Standing, scope: &str) -> Map<String, Value> {
    let Standing {
        grant,
        client,
        user,
        ..
    } = standing;
    let Grant { methods, .. } = *grant;
    let now = app.clock.now();
    let mut claims = if client.claims_in_id_token {
        Told::of(client, user, scope)
    } else {
        Told::by_scope(user, "")
    };
    let own = json!({
        "iss": issuer(app),
        "aud": client.id,
        "iat": seconds(now),
        "exp": seconds(now.plus(ID_TOKEN_LIFETIME)),
        "auth_time": seconds(grant.auth_time),
        "amr": amr(methods),
        "acr": acr(methods),
    });
    if let Value::Object(own) = own {
        claims.extend(own);
    }
    if let Some(nonce) = &grant.nonce {
        claims.insert("nonce".to_owned(), nonce.as_str().into());
    }
    if let Some(session) = grant.session_id {
        claims.insert("sid".to_owned(), session.to_string().into());
    }
    claims
}

/// The same whenever it is asked, whatever the id_token has.
pub fn of_userinfo(standing: &Standing, scope: &str) -> Map<String, Value> {
    Told::of(&standing.client, &standing.user, scope)
}
