//! What an application is given, and when it ends.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vestibule::foundation::audit::Actor;
use vestibule::oidc::keys;

use super::{
    CALLBACK, RelyingParty, Tokens, VERIFIER, error_of, parameter, post, register, userinfo,
};
use crate::support::{Client, TestApp};

async fn start() -> (TestApp, RelyingParty, Client) {
    let app = TestApp::start().await;
    let party = register(&app, "Grafana", |client| client.offline_access = true).await;
    let browser = app.signed_in("alice").await;
    (app, party, browser)
}

const OFFLINE: [(&str, &str); 1] = [("scope", "openid offline_access")];

#[rocket::async_test]
async fn oid_01_a_code_is_for_one_use_of_one_client_with_its_verifier() {
    let (app, party, mut browser) = start().await;
    let other = register(&app, "Other", |_| {}).await;
    let code = party.code(&mut browser, &[]).await;
    assert_eq!(
        error_of(&other.exchange(&app, &code).await),
        "invalid_grant"
    );
    for (uri, verifier) in [
        ("https://app.example.com/callback/", VERIFIER),
        ("", VERIFIER),
        (CALLBACK, ""),
        (
            CALLBACK,
            "another-verifier-of-forty-three-characters-or-more",
        ),
    ] {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", uri),
            ("code_verifier", verifier),
        ];
        let answer = party.ask(&app, "/oauth/token", &fields).await;
        assert_eq!(error_of(&answer), "invalid_grant", "{uri} {verifier}");
    }
    Tokens::of(&party.exchange(&app, &code).await);
    let late = party.code(&mut browser, &[]).await;
    app.wait(Duration::from_secs(60)).await;
    assert_eq!(
        error_of(&party.exchange(&app, &late).await),
        "invalid_grant"
    );
    for with in [
        [("code_challenge", ""), ("code_challenge_method", "")],
        [
            ("code_challenge", VERIFIER),
            ("code_challenge_method", "plain"),
        ],
        [("code_challenge", VERIFIER), ("code_challenge_method", "")],
    ] {
        let back = party.back(&mut browser, &with).await;
        assert_eq!(
            parameter(&back, "error").as_deref(),
            Some("invalid_request"),
            "{with:?}"
        );
    }
}

#[rocket::async_test]
async fn atk_11_a_client_that_sent_a_challenge_must_from_then_on() {
    let app = TestApp::start().await;
    let party = register(&app, "Old", |client| client.pkce = false).await;
    let mut browser = app.signed_in("alice").await;
    let bare = [("code_challenge", ""), ("code_challenge_method", "")];
    let code = party.code(&mut browser, &bare).await;
    let injected = party.exchange(&app, &code).await;
    assert_eq!(
        error_of(&injected),
        "invalid_grant",
        "a verifier without a challenge"
    );
    let nothing = [bare[0], bare[1], ("state", ""), ("nonce", "")];
    let back = party.back(&mut browser, &nothing).await;
    assert_eq!(
        parameter(&back, "error").as_deref(),
        Some("invalid_request")
    );
    party.code(&mut browser, &[]).await;
    let back = party.back(&mut browser, &bare).await;
    assert_eq!(
        parameter(&back, "error").as_deref(),
        Some("invalid_request")
    );
}

#[rocket::async_test]
async fn oid_05_a_wrong_secret_spends_nothing() {
    let (app, party, mut browser) = start().await;
    let code = party.code(&mut browser, &[]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let wrong = party.ask_with(&app, "/oauth/token", "wrong", &fields).await;
    assert_eq!(
        (wrong.status, error_of(&wrong).as_str()),
        (401, "invalid_client")
    );
    assert!(wrong.header("www-authenticate").starts_with("Basic"));
    let tokens = Tokens::of(&party.exchange(&app, &code).await);
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &tokens.refresh),
    ];
    assert_eq!(
        party
            .ask_with(&app, "/oauth/token", "wrong", &refresh)
            .await
            .status,
        401
    );
    Tokens::of(&party.refresh(&app, &tokens.refresh).await);
}

#[rocket::async_test]
async fn a_secret_in_the_header_may_be_encoded_or_not() {
    let app = TestApp::start().await;
    let secret = "a+b/c=%41:d";
    let party = register(&app, "Imported", |client| {
        client.secret_hash = Some(vestibule::oidc::clients::hash_of_secret(secret));
    })
    .await;
    let encoded = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC)
        .to_string();
    for (spelt, status) in [(secret, 200), (encoded.as_str(), 200), ("a b/c=A:d", 401)] {
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:{spelt}", party.id)));
        let answer = post(
            &app,
            "/oauth/introspect",
            &[("Authorization", &basic)],
            &[("token", "x")],
        )
        .await;
        assert_eq!(answer.status, status, "{spelt}");
    }
}

#[rocket::async_test]
async fn oid_06_everything_ends_with_the_session_but_what_is_offline() {
    let (app, party, mut browser) = start().await;
    let bound = party.tokens(&app, &mut browser, &[]).await;
    let code = party.code(&mut browser, &[]).await;
    let offline = party.tokens(&app, &mut browser, &OFFLINE).await;
    assert_eq!(browser.post("/logout", &[]).await.status, 303);
    assert!(!party.is_active(&app, &bound.access).await);
    assert!(!party.is_active(&app, &bound.refresh).await);
    assert_eq!(userinfo(&app, &bound.access).await.status, 401);
    assert_eq!(
        error_of(&party.refresh(&app, &bound.refresh).await),
        "invalid_grant"
    );
    assert_eq!(
        error_of(&party.exchange(&app, &code).await),
        "invalid_grant"
    );
    assert!(party.is_active(&app, &offline.access).await);
    let offline = Tokens::of(&party.refresh(&app, &offline.refresh).await);
    app.execute("UPDATE users SET disabled_at = 1 WHERE username = 'alice'")
        .await;
    assert!(!party.is_active(&app, &offline.access).await);
    assert_eq!(
        error_of(&party.refresh(&app, &offline.refresh).await),
        "invalid_grant"
    );
}

#[rocket::async_test]
async fn oid_06_a_session_that_is_over_by_time_has_no_tokens() {
    let (app, party, mut browser) = start().await;
    let tokens = party.tokens(&app, &mut browser, &[]).await;
    app.wait(Duration::from_secs(13 * 60 * 60)).await;
    assert!(!party.is_active(&app, &tokens.refresh).await);
}

#[rocket::async_test]
async fn atk_09_offline_grants_end_with_every_rescue() {
    use vestibule::sessions::{self, Which};
    let (app, party, mut browser) = start().await;
    let alice = app.user("alice").await;
    for rescue in 0..3 {
        let tokens = party.tokens(&app, &mut browser, &OFFLINE).await;
        match rescue {
            0 => {
                let which = Which::AllOf {
                    user_id: alice.id,
                    keep: None,
                };
                sessions::revoke(&app.app, &Actor::operator(), which)
                    .await
                    .expect("a database");
            }
            1 => {
                sessions::revoke_everyone(&app.app, &Actor::operator(), None)
                    .await
                    .expect("a database");
            }
            _ => {
                let current = browser.session().await.json();
                let id = current["session"]["id"].as_str().expect("an id");
                let id = id.parse().expect("an id");
                let which = Which::One { id, of: None };
                sessions::revoke(&app.app, &Actor::operator(), which)
                    .await
                    .expect("a database");
            }
        }
        assert!(!party.is_active(&app, &tokens.refresh).await, "{rescue}");
        browser = app.sign_in_again("alice").await;
    }
}

#[rocket::async_test]
async fn atk_08_oid_07_within_the_grace_all_get_the_same_successor_and_later_all_ends() {
    let (app, party, mut browser) = start().await;
    let first = party.tokens(&app, &mut browser, &[]).await;
    let (a, b) = rocket::futures::future::join(
        party.refresh(&app, &first.refresh),
        party.refresh(&app, &first.refresh),
    )
    .await;
    let (a, b) = (Tokens::of(&a), Tokens::of(&b));
    assert_eq!(a.refresh, b.refresh);
    app.wait(Duration::from_secs(29)).await;
    let c = Tokens::of(&party.refresh(&app, &first.refresh).await);
    assert_eq!(c.refresh, a.refresh);
    let next = Tokens::of(&party.refresh(&app, &a.refresh).await);
    app.wait(Duration::from_secs(2)).await;
    assert_eq!(
        error_of(&party.refresh(&app, &first.refresh).await),
        "invalid_grant"
    );
    for token in [&a.access, &next.access, &next.refresh] {
        assert!(!party.is_active(&app, token).await);
    }
    assert_eq!(
        app.sql("SELECT event FROM audit WHERE event = 'refresh_replayed'")
            .await
            .len(),
        1
    );
}

#[rocket::async_test]
async fn everything_is_judged_anew_at_each_refresh() {
    let app = TestApp::start().await;
    let party = register(&app, "Wiki", |client| {
        client.groups = vec!["staff".to_owned()]
    })
    .await;
    app.user("alice").await;
    let mut browser = app.signed_in("alice").await;
    let back = party.back(&mut browser, &[]).await;
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    app.execute("INSERT INTO groups VALUES ('staff')").await;
    app.execute("INSERT INTO memberships SELECT id, 'staff' FROM users")
        .await;
    let tokens = party.tokens(&app, &mut browser, &[]).await;
    assert_eq!(tokens.claims["groups"], serde_json::json!(["staff"]));
    app.execute("DELETE FROM groups").await;
    assert!(!party.is_active(&app, &tokens.access).await);
    assert_eq!(userinfo(&app, &tokens.access).await.status, 401);
    assert_eq!(
        error_of(&party.refresh(&app, &tokens.refresh).await),
        "invalid_grant"
    );
}

#[rocket::async_test]
async fn two_factors_are_asked_for_and_a_client_that_is_removed_has_nothing() {
    let app = TestApp::start().await;
    let party = register(&app, "Bank", |client| client.two_factors = true).await;
    let plain = register(&app, "Plain", |_| {}).await;
    let mut browser = app.signed_in("alice").await;
    let first = party.back(&mut browser, &[]).await;
    assert_eq!(
        parameter(&first, "factor").as_deref(),
        Some("two"),
        "{first}"
    );
    let back = party.back(&mut browser, &[("prompt", "none")]).await;
    assert_eq!(
        parameter(&back, "error").as_deref(),
        Some("interaction_required")
    );
    let first = plain
        .back(&mut browser, &[("acr_values", "urn:vestibule:two")])
        .await;
    assert_eq!(
        parameter(&first, "factor").as_deref(),
        Some("two"),
        "{first}"
    );
    let tokens = plain.tokens(&app, &mut browser, &[]).await;
    app.execute("DELETE FROM clients WHERE name = 'Plain'")
        .await;
    assert_eq!(userinfo(&app, &tokens.access).await.status, 401);
}

/// As Authlib does, which sends what it asked for at first.
#[rocket::async_test]
async fn a_refresh_that_asks_for_more_is_given_what_was_granted_and_for_less_less() {
    let app = TestApp::start().await;
    let party = register(&app, "Wiki", |_| {}).await;
    let mut browser = app.signed_in("alice").await;
    let wanted = [("scope", "openid profile offline_access")];
    let mut tokens = party.tokens(&app, &mut browser, &wanted).await;
    for (asked, status, given) in [
        ("openid profile offline_access", 200, "openid profile"),
        ("openid", 200, "openid"),
        ("email", 400, ""),
    ] {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", &tokens.refresh),
            ("scope", asked),
        ];
        let answer = party.ask(&app, "/oauth/token", &fields).await;
        assert_eq!(answer.status, status, "{asked}");
        if status == 200 {
            assert_eq!(answer.json()["scope"], given);
            tokens = Tokens::of(&answer);
        }
    }
}

#[rocket::async_test]
async fn revocation_is_for_the_own_tokens() {
    let (app, party, mut browser) = start().await;
    let other = register(&app, "Other", |_| {}).await;
    let tokens = party.tokens(&app, &mut browser, &[]).await;
    other
        .ask(&app, "/oauth/revoke", &[("token", &tokens.access)])
        .await;
    assert!(
        !other.is_active(&app, &tokens.access).await,
        "nothing is told of another's"
    );
    assert!(party.is_active(&app, &tokens.access).await);
    assert_eq!(
        party
            .ask(&app, "/oauth/revoke", &[("token", &tokens.access)])
            .await
            .status,
        200
    );
    assert!(!party.is_active(&app, &tokens.access).await);
    let next = Tokens::of(&party.refresh(&app, &tokens.refresh).await);
    party
        .ask(&app, "/oauth/revoke", &[("token", &next.refresh)])
        .await;
    assert!(!party.is_active(&app, &next.access).await, "the family");
}

#[rocket::async_test]
async fn oid_11_new_keys_are_published_before_they_sign_and_old_ones_stay() {
    let (app, party, mut browser) = start().await;
    let kid = |token: &str| {
        let header = token.split('.').next().unwrap_or_default();
        super::claims(&format!(".{header}."))["kid"].clone()
    };
    let published = async || {
        let keys = app.anonymous().get("/oauth/keys").await.json();
        let keys = keys["keys"].as_array().cloned().unwrap_or_default();
        keys.into_iter()
            .map(|key| key["kid"].clone())
            .collect::<Vec<_>>()
    };
    let before = kid(&party.tokens(&app, &mut browser, &[]).await.id_token);
    keys::rotate(&app.app, &Actor::operator(), false)
        .await
        .expect("new keys");
    let cached = published().await;
    assert_eq!(cached.len(), 4);
    assert_eq!(
        kid(&party.tokens(&app, &mut browser, &[]).await.id_token),
        before
    );
    app.wait(Duration::from_secs(48 * 60 * 60)).await;
    let mut browser = app.sign_in_again("alice").await;
    let after = kid(&party.tokens(&app, &mut browser, &[]).await.id_token);
    assert_ne!(after, before);
    assert!(cached.contains(&after), "yesterday's keys verify it");
    assert!(published().await.contains(&before));
    app.wait(Duration::from_secs(25 * 60 * 60)).await;
    assert_eq!(published().await.len(), 2);
    keys::rotate(&app.app, &Actor::operator(), true)
        .await
        .expect("new keys");
    let mut browser = app.sign_in_again("alice").await;
    let now = kid(&party.tokens(&app, &mut browser, &[]).await.id_token);
    assert_ne!(now, after);
}
