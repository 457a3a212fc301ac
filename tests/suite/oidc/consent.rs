//! A user is asked, and nobody else answers.

use rocket::http::Method;
use vestibule::oidc::clients::Consent;

use super::{Tokens, parameter, register};
use crate::support::TestApp;

#[rocket::async_test]
async fn oid_12_consent_is_neither_skipped_nor_forged_nor_framed() {
    let app = TestApp::start().await;
    let party = register(&app, "Wiki", |client| client.consent = Consent::Once).await;
    let mut browser = app.signed_in("alice").await;
    let back = party.back(&mut browser, &[("prompt", "none")]).await;
    assert_eq!(
        parameter(&back, "error").as_deref(),
        Some("consent_required")
    );
    let page = browser.get(&party.way(&[])).await;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
    let request = page.field("request").replace("&amp;", "&");
    let body = super::query(&[("request", &request), ("decision", "allow")]);
    let foreign = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    let forged = browser
        .send(Method::Post, "/oauth/consent", &foreign, &body)
        .await;
    assert_eq!(forged.status, 403);
    assert!(app.sql("SELECT scope FROM grants").await.is_empty());
    let denied = browser
        .post(
            "/oauth/consent",
            &[("request", &request), ("decision", "deny")],
        )
        .await;
    assert!(
        denied.unescaped().contains("error=access_denied"),
        "{}",
        denied.body
    );
    let allowed = browser
        .post(
            "/oauth/consent",
            &[("request", &request), ("decision", "allow")],
        )
        .await;
    assert_eq!(allowed.status, 200, "a page that leaves by itself");
    let href = allowed.unescaped();
    let (_, rest) = href.split_once("code=").expect("a code");
    let code: String = rest.chars().take(43).collect();
    Tokens::of(&party.exchange(&app, &code).await);
    // Remembered for these scopes, not for more.
    party.code(&mut browser, &[("prompt", "none")]).await;
    let more = [
        ("prompt", "none"),
        ("scope", "openid profile email groups offline_access"),
    ];
    let back = party.back(&mut browser, &more).await;
    assert_eq!(
        parameter(&back, "error").as_deref(),
        Some("consent_required")
    );
    let silent = [("prompt", "consent")];
    assert_eq!(
        browser.get(&party.way(&silent)).await.status,
        200,
        "asked for"
    );
}

#[rocket::async_test]
async fn whoever_is_asked_sees_what_rules_tell_of_them() {
    let app = TestApp::start().await;
    let party = register(&app, "Wiki", |client| {
        client.consent = Consent::Once;
        let rules = [r#"roles=["<b>"]"#, r#"level="high"@staff"#];
        client.claims = rules.map(|rule| rule.parse().expect("a rule")).to_vec();
    })
    .await;
    let mut browser = app.signed_in("alice").await;
    let page = browser.get(&party.way(&[])).await.unescaped();
    assert!(page.contains("<li>roles: [\"&lt;b&gt;\"]</li>"), "{page}");
    assert!(!page.contains("level"), "alice is not one of them: {page}");
}

#[rocket::async_test]
async fn atk_11_a_public_client_on_the_machine_has_a_button_each_time() {
    let app = TestApp::start().await;
    let party = register(&app, "Tool", |client| {
        client.secret_hash = None;
        client.redirect_uris = vec![
            "http://127.0.0.1/cb".to_owned(),
            "com.example.tool:/cb".to_owned(),
        ];
    })
    .await;
    let mut browser = app.signed_in("alice").await;
    for uri in ["http://127.0.0.1:4711/cb", "com.example.tool:/cb"] {
        let silent = [("redirect_uri", uri), ("prompt", "none")];
        let back = party.back(&mut browser, &silent).await;
        assert_eq!(
            parameter(&back, "error").as_deref(),
            Some("interaction_required")
        );
        for _ in 0..2 {
            let page = browser.get(&party.way(&[("redirect_uri", uri)])).await;
            assert_eq!(page.status, 200);
            let request = page.field("request").replace("&amp;", "&");
            let allowed = browser
                .post(
                    "/oauth/consent",
                    &[("request", &request), ("decision", "allow")],
                )
                .await;
            assert!(
                allowed.unescaped().contains(&format!("{uri}?code=")),
                "{}",
                allowed.body
            );
        }
        let bare = [
            ("redirect_uri", uri),
            ("code_challenge", ""),
            ("code_challenge_method", ""),
        ];
        let back = party.back(&mut browser, &bare).await;
        assert_eq!(
            parameter(&back, "error").as_deref(),
            Some("invalid_request")
        );
    }
}
