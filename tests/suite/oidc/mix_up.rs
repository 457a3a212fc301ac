//! What belongs to one application, browser or purpose, brought to another.

use std::net::TcpListener;

use vestibule::foundation::audit::Actor;
use vestibule::oidc::clients::{self, Consent};

use super::logout::listen;
use super::{CALLBACK, Tokens, VERIFIER, error_of, parameter, query, register, userinfo};
use crate::support::TestApp;

const ISSUER: &str = "https://auth.example.com";
const ELSEWHERE: &str = "https://other.example.com/callback";

/// RFC 9207: an application that uses two providers tells by it whose answer it is.
#[rocket::async_test]
async fn a_success_and_each_refusal_name_the_issuer_once_and_the_state_that_came() {
    let app = TestApp::start().await;
    let plain = register(&app, "Plain", |_| {}).await;
    let asking = register(&app, "Asking", |client| client.consent = Consent::Always).await;
    let closed = register(&app, "Closed", |client| {
        client.groups = vec!["staff".to_owned()]
    })
    .await;
    let mut alice = app.signed_in("alice").await;
    let mut nobody = app.anonymous();
    let silent = [("prompt", "none")];
    let back = [
        (plain.back(&mut alice, &[]).await, None),
        (
            plain.back(&mut alice, &[("response_type", "")]).await,
            Some("invalid_request"),
        ),
        (
            plain.back(&mut alice, &[("request_uri", "x")]).await,
            Some("request_uri_not_supported"),
        ),
        (
            plain.back(&mut nobody, &silent).await,
            Some("login_required"),
        ),
        (
            asking.back(&mut alice, &silent).await,
            Some("consent_required"),
        ),
        (closed.back(&mut alice, &[]).await, Some("access_denied")),
    ];
    for (back, error) in back {
        assert_eq!(parameter(&back, "iss").as_deref(), Some(ISSUER), "{back}");
        assert_eq!(back.matches("iss=").count(), 1, "{back}");
        assert_eq!(
            parameter(&back, "state").as_deref(),
            Some("a state"),
            "{back}"
        );
        assert_eq!(parameter(&back, "error").as_deref(), error, "{back}");
        assert_eq!(
            parameter(&back, "code").is_some(),
            error.is_none(),
            "{back}"
        );
    }
    let page = alice.get(&asking.way(&[])).await;
    let request = page.field("request").replace("&amp;", "&");
    for decision in ["deny", "allow"] {
        let fields = [("request", request.as_str()), ("decision", decision)];
        let left = alice.post("/oauth/consent", &fields).await.unescaped();
        let named = query(&[("iss", ISSUER)]);
        assert!(left.contains(&named), "{decision}: {left}");
    }
}

/// One that names another provider in its request gets our own name in the answer.
#[rocket::async_test]
async fn an_issuer_in_a_request_is_not_repeated() {
    let app = TestApp::start().await;
    let party = register(&app, "Grafana", |_| {}).await;
    let mut alice = app.signed_in("alice").await;
    let back = party
        .back(&mut alice, &[("iss", "https://evil.example")])
        .await;
    assert_eq!(back.matches("iss=").count(), 1, "{back}");
    assert_eq!(parameter(&back, "iss").as_deref(), Some(ISSUER));
}

#[rocket::async_test]
async fn an_address_of_another_client_leads_nowhere() {
    let app = TestApp::start().await;
    let wiki = register(&app, "Wiki", |_| {}).await;
    let other = register(&app, "Other", |client| {
        client.redirect_uris = vec![ELSEWHERE.to_owned()];
        client.sign_out_uris = vec!["https://other.example.com/bye".to_owned()];
    })
    .await;
    let mut alice = app.signed_in("alice").await;
    for (party, uri) in [(&wiki, ELSEWHERE), (&other, CALLBACK)] {
        for more in [("prompt", ""), ("prompt", "none"), ("response_type", "x")] {
            let answer = alice.get(&party.way(&[("redirect_uri", uri), more])).await;
            assert_eq!(
                (answer.status, answer.header("location")),
                (400, ""),
                "{uri} {more:?}"
            );
        }
    }
    let tokens = wiki.tokens(&app, &mut alice, &[]).await;
    let way = query(&[
        ("id_token_hint", &tokens.id_token),
        ("post_logout_redirect_uri", "https://other.example.com/bye"),
    ]);
    assert_eq!(alice.get(&format!("/oauth/logout?{way}")).await.status, 400);
    assert_eq!(alice.session().await.status, 200, "nobody was signed out");
}

#[rocket::async_test]
async fn what_one_client_got_is_of_no_use_to_another_and_stays_good_for_the_first() {
    let app = TestApp::start().await;
    let wiki = register(&app, "Wiki", |_| {}).await;
    let mallory = register(&app, "Mallory", |_| {}).await;
    let mut alice = app.signed_in("alice").await;
    let code = wiki.code(&mut alice, &[]).await;
    assert_eq!(
        error_of(&mallory.exchange(&app, &code).await),
        "invalid_grant"
    );
    let tokens = Tokens::of(&wiki.exchange(&app, &code).await);
    assert_eq!(
        error_of(&mallory.exchange(&app, &code).await),
        "invalid_grant"
    );
    assert!(
        wiki.is_active(&app, &tokens.access).await,
        "another's replay ends nothing"
    );
    assert_eq!(
        error_of(&mallory.refresh(&app, &tokens.refresh).await),
        "invalid_grant"
    );
    assert!(!mallory.is_active(&app, &tokens.access).await);
    Tokens::of(&wiki.refresh(&app, &tokens.refresh).await);
}

/// Without PKCE it is the nonce that tells an application whose code was brought to it.
#[rocket::async_test]
async fn a_code_that_was_brought_to_another_browser_has_the_nonce_of_its_own() {
    let app = TestApp::start().await;
    let party = register(&app, "Old", |client| client.pkce = false).await;
    let mut mallory = app.signed_in("mallory").await;
    let with = [
        ("code_challenge", ""),
        ("code_challenge_method", ""),
        ("nonce", "of mallory"),
    ];
    let injected = party.code(&mut mallory, &with).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", injected.as_str()),
        ("redirect_uri", CALLBACK),
    ];
    let guessed = [&fields[..], &[("code_verifier", VERIFIER)]].concat();
    let answer = party.ask(&app, "/oauth/token", &guessed).await;
    assert_eq!(
        error_of(&answer),
        "invalid_grant",
        "a verifier without a challenge"
    );
    let tokens = Tokens::of(&party.ask(&app, "/oauth/token", &fields).await);
    assert_eq!(tokens.claims["nonce"], "of mallory");
}

#[rocket::async_test]
async fn a_client_that_is_removed_on_the_way_gets_nothing_and_the_browser_stays() {
    let app = TestApp::start().await;
    let party = register(&app, "Asking", |client| client.consent = Consent::Once).await;
    let plain = register(&app, "Plain", |_| {}).await;
    let mut alice = app.signed_in("alice").await;
    let mut visitor = app.anonymous();
    let to_sign_in = plain.back(&mut visitor, &[]).await;
    let page = alice.get(&party.way(&[])).await;
    let request = page.field("request").replace("&amp;", "&");
    let code = plain.code(&mut alice, &[]).await;
    let tokens = plain.tokens(&app, &mut alice, &[]).await;
    for id in [&party.id, &plain.id] {
        let client = clients::by_id(&app.app, id).await.expect("a database");
        let client = client.expect("a client");
        let removed = clients::remove(&app.app, &Actor::operator(), &client).await;
        removed.expect("a database");
    }
    for decision in ["allow", "deny"] {
        let fields = [("request", request.as_str()), ("decision", decision)];
        let answer = alice.post("/oauth/consent", &fields).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (400, ""),
            "{decision}"
        );
    }
    assert_eq!(
        error_of(&plain.exchange(&app, &code).await),
        "invalid_client"
    );
    assert_eq!(
        error_of(&plain.refresh(&app, &tokens.refresh).await),
        "invalid_client"
    );
    assert_eq!(userinfo(&app, &tokens.access).await.status, 401);
    // Who was at the sign-in page comes back to one that says so.
    let again = parameter(&to_sign_in, "rd").expect("a way back");
    let answer = alice.get(&again).await;
    assert_eq!((answer.status, answer.header("location")), (400, ""));
    let hint = query(&[("id_token_hint", &tokens.id_token)]);
    let signed_out = alice.get(&format!("/oauth/logout?{hint}")).await;
    assert_eq!(signed_out.status, 303, "it was ours, and of this session");
    assert!(signed_out.header("location").starts_with("/login"));
}

/// Both are signed with the same key, for the same client.
#[rocket::async_test]
async fn oid_02_a_logout_token_is_no_id_token() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let uri = format!("http://{}/out", listener.local_addr().expect("an address"));
    let app = TestApp::start().await;
    let party = register(&app, "Grafana", |client| {
        client.back_channel_uri = Some(uri)
    })
    .await;
    let mut first = app.signed_in("alice").await;
    party.tokens(&app, &mut first, &[]).await;
    first.post("/logout", &[]).await;
    let told = listen(listener, 200);
    app.sweep().await;
    let body = format!("?{}", told.join().expect("a request"));
    let token = parameter(&body, "logout_token").expect("a token");
    let mut second = app.sign_in_again("alice").await;
    let hint = [("id_token_hint", token.as_str()), ("prompt", "none")];
    let back = party.back(&mut second, &hint).await;
    assert_eq!(
        parameter(&back, "error").as_deref(),
        Some("invalid_request")
    );
    let way = format!("/oauth/logout?{}", query(&hint[..1]));
    assert_eq!(second.get(&way).await.status, 400);
    assert_eq!(second.session().await.status, 200);
    assert_eq!(userinfo(&app, &token).await.status, 401);
    assert!(!party.is_active(&app, &token).await);
}
