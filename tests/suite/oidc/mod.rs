//! OpenID Connect, seen by an application: modules are named after those of the conformance suite.

mod apache;
mod attacks;
mod basic;
mod claims;
mod clocks;
mod config;
mod consent;
mod credentials;
mod django;
mod explain;
mod forged;
mod imported;
mod learning;
mod logout;
mod metrics;
mod mix_up;
mod modules;
mod pages;
mod relying_parties;
mod requests;
mod scripts;
mod sessions;
mod templates;
mod tokens;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rocket::http::Method;
use serde_json::Value;
use sha2::{Digest, Sha256};
use vestibule::foundation::audit::Actor;
use vestibule::oidc::clients::{self, Client as Registered};

use crate::support::{Answer, Client, TestApp};

pub const CALLBACK: &str = "https://app.example.com/callback";
pub const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more";

/// An application with its settings.
pub struct RelyingParty {
    pub id: String,
    pub secret: String,
}

/// Answers of the token endpoint.
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    pub claims: Value,
    pub id_token: String,
}

pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

pub async fn register(
    app: &TestApp,
    name: &str,
    change: impl FnOnce(&mut Registered),
) -> RelyingParty {
    let secret = clients::new_secret().reveal();
    let mut client = Registered::new(name, vec![CALLBACK.to_owned()]);
    client.secret_hash = Some(clients::hash_of_secret(&secret));
    client.sign_out_uris = vec!["https://app.example.com/bye".to_owned()];
    change(&mut client);
    let added = clients::add(&app.app, &Actor::operator(), &client).await;
    added.expect("a database").expect("a good client");
    RelyingParty {
        id: client.id,
        secret,
    }
}

pub fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// The value of a parameter of an address.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(other, _)| other == name)
        .map(|(_, value)| value.into_owned())
}

impl RelyingParty {
    /// The way to the provider, with some parameters other than usual; an empty one is left out.
    pub fn way(&self, with: &[(&str, &str)]) -> String {
        let challenge = challenge(VERIFIER);
        let usual = [
            ("response_type", "code"),
            ("client_id", self.id.as_str()),
            ("redirect_uri", CALLBACK),
            ("scope", "openid profile email groups"),
            ("state", "a state"),
            ("nonce", "a nonce"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        let replaced = |name: &str| with.iter().any(|(other, _)| *other == name);
        let usual = usual.into_iter().filter(|(name, _)| !replaced(name));
        let all = usual
            .chain(with.iter().copied())
            .filter(|(_, value)| !value.is_empty());
        format!("/oauth/authorize?{}", query(&all.collect::<Vec<_>>()))
    }

    /// The address that a browser comes back to.
    pub async fn back(&self, browser: &mut Client, with: &[(&str, &str)]) -> String {
        let answer = browser.get(&self.way(with)).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        answer.header("location").to_owned()
    }

    pub async fn code(&self, browser: &mut Client, with: &[(&str, &str)]) -> String {
        let back = self.back(browser, with).await;
        parameter(&back, "code").unwrap_or_else(|| panic!("no code in {back}"))
    }

    /// Asks an endpoint for programs, with the secret in the header.
    pub async fn ask(&self, app: &TestApp, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.ask_with(app, path, &self.secret, fields).await
    }

    pub async fn ask_with(
        &self,
        app: &TestApp,
        path: &str,
        secret: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:{secret}", self.id)));
        post(app, path, &[("Authorization", &basic)], fields).await
    }

    pub async fn exchange(&self, app: &TestApp, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.ask(app, "/oauth/token", &fields).await
    }

    pub async fn refresh(&self, app: &TestApp, token: &str) -> Answer {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.ask(app, "/oauth/token", &fields).await
    }

    pub async fn tokens(
        &self,
        app: &TestApp,
        browser: &mut Client,
        with: &[(&str, &str)],
    ) -> Tokens {
        let code = self.code(browser, with).await;
        Tokens::of(&self.exchange(app, &code).await)
    }

    pub async fn is_active(&self, app: &TestApp, token: &str) -> bool {
        let answer = self
            .ask(app, "/oauth/introspect", &[("token", token)])
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["active"] == true
    }
}

impl Tokens {
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.body);
        let told = answer.json();
        let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        let id_token = text("id_token");
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
            claims: claims(&id_token),
            id_token,
        }
    }
}

/// Unverified.
pub fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap_or_default();
    let decoded = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    serde_json::from_slice(&decoded).unwrap_or_default()
}

pub async fn post(
    app: &TestApp,
    path: &str,
    headers: &[(&str, &str)],
    fields: &[(&str, &str)],
) -> Answer {
    let mut all = vec![("Content-Type", "application/x-www-form-urlencoded")];
    all.extend(headers);
    let mut program = app.anonymous();
    program.send(Method::Post, path, &all, query(fields)).await
}

pub async fn userinfo(app: &TestApp, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut program = app.anonymous();
    program
        .send(
            Method::Get,
            "/oauth/userinfo",
            &[("Authorization", &bearer)],
            "",
        )
        .await
}

/// The error that a browser or program is told.
pub fn error_of(answer: &Answer) -> String {
    answer.json()["error"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}
