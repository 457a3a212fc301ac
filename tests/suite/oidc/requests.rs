//! Requests that are short of something or have too much, and clients that go in the middle of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vestibule::oidc::clients::Consent;

use super::{
    CALLBACK, RelyingParty, Tokens, VERIFIER, challenge, error_of, parameter, post, register,
    userinfo,
};
use crate::support::{Client, TestApp};

async fn start() -> (TestApp, RelyingParty, Client) {
    let app = TestApp::start().await;
    let party = register(&app, "Grafana", |_| {}).await;
    let browser = app.signed_in("alice").await;
    (app, party, browser)
}

#[rocket::async_test]
async fn every_answer_names_the_issuer_so_that_none_is_mixed_up() {
    let (_app, party, mut browser) = start().await;
    for with in [
        [("prompt", ""), ("scope", "openid")],
        [("prompt", "none login"), ("scope", "openid")],
        [("response_type", "token"), ("scope", "openid")],
        [("max_age", "-1"), ("scope", "openid")],
        [("request", "x"), ("scope", "openid")],
        [("id_token_hint", "x"), ("scope", "openid")],
    ] {
        let back = party.back(&mut browser, &with).await;
        let issuer = parameter(&back, "iss");
        assert_eq!(
            issuer.as_deref(),
            Some("https://auth.example.com"),
            "{with:?}"
        );
        assert_eq!(back.matches("iss=").count(), 1, "{back}");
    }
}

#[rocket::async_test]
async fn a_parameter_that_is_there_twice_is_refused_whatever_it_is() {
    let (app, party, mut browser) = start().await;
    for name in [
        "response_type",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "prompt",
        "max_age",
        "id_token_hint",
        "login_hint",
        "unknown",
    ] {
        let doubled = party.way(&[]) + &format!("&{name}=x&{name}=x");
        let answer = browser.get(&doubled).await;
        let error = parameter(answer.header("location"), "error");
        assert_eq!(error.as_deref(), Some("invalid_request"), "{name}");
    }
    for name in ["client_id", "redirect_uri"] {
        let answer = browser.get(&(party.way(&[]) + &format!("&{name}=x"))).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (400, ""),
            "{name}"
        );
    }
    assert!(app.sql("SELECT scope FROM grants").await.is_empty());
}

#[rocket::async_test]
async fn a_parameter_that_is_missing_too_long_or_in_another_encoding_is_refused() {
    let (app, party, mut browser) = start().await;
    let long = "x".repeat(1_025);
    for with in [
        ("response_type", ""),
        ("nonce", long.as_str()),
        ("max_age", "1e3"),
        ("response_mode", "form_post"),
    ] {
        let back = party.back(&mut browser, &[with]).await;
        assert_eq!(
            parameter(&back, "error").as_deref(),
            Some("invalid_request"),
            "{with:?}"
        );
    }
    for name in ["client_id", "redirect_uri"] {
        let answer = browser.get(&party.way(&[(name, "")])).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (400, ""),
            "{name}"
        );
    }
    for bytes in ["%ff", "%00", "%c0%af", "%ed%a0%80", "%e2%28%a1"] {
        for name in ["state", "unknown"] {
            let answer = browser
                .get(&(party.way(&[("state", "")]) + &format!("&{name}={bytes}")))
                .await;
            assert_eq!(
                (answer.status, answer.header("location")),
                (400, ""),
                "{name}={bytes}"
            );
        }
    }
    assert!(app.sql("SELECT scope FROM grants").await.is_empty());
}

#[rocket::async_test]
async fn userinfo_takes_a_token_that_is_there_once() {
    let (app, party, mut browser) = start().await;
    let token = party.tokens(&app, &mut browser, &[]).await.access;
    let bearer = format!("Bearer {token}");
    let field = ("access_token", token.as_str());
    for (headers, fields) in [
        (vec![("Authorization", bearer.as_str())], vec![field]),
        (vec![], vec![field, field]),
        (vec![], vec![field, ("access_token", "x")]),
    ] {
        let answer = post(&app, "/oauth/userinfo", &headers, &fields).await;
        assert_eq!(
            (answer.status, error_of(&answer).as_str()),
            (400, "invalid_request")
        );
    }
    let in_address = format!("/oauth/userinfo?access_token={token}");
    assert_eq!(
        app.anonymous().get(&in_address).await.status,
        401,
        "addresses are logged"
    );
}

#[rocket::async_test]
async fn a_code_of_another_browser_is_of_no_use_to_the_one_that_it_is_brought_to() {
    let (app, party, mut browser) = start().await;
    let mut mallory = app.signed_in("mallory").await;
    let other = "another-verifier-of-forty-three-characters-or-more";
    let stolen = party.code(&mut browser, &[]).await;
    let own = party
        .code(&mut mallory, &[("code_challenge", &challenge(other))])
        .await;
    // The application brings the verifier of the browser that the code came with.
    for (code, verifier) in [(&stolen, other), (&own, VERIFIER)] {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", verifier),
        ];
        let answer = party.ask(&app, "/oauth/token", &fields).await;
        assert_eq!(error_of(&answer), "invalid_grant", "{verifier}");
    }
}

#[rocket::async_test]
async fn a_client_that_is_disabled_on_the_way_gets_nothing_more() {
    let app = TestApp::start().await;
    let party = register(&app, "Wiki", |client| client.consent = Consent::Once).await;
    let plain = register(&app, "Grafana", |_| {}).await;
    let mut browser = app.signed_in("alice").await;
    let page = browser.get(&party.way(&[])).await;
    let code = plain.code(&mut browser, &[]).await;
    let tokens = plain.tokens(&app, &mut browser, &[]).await;
    app.execute("UPDATE clients SET disabled_at = 1").await;
    let request = page.field("request").replace("&amp;", "&");
    let allowed = [("request", request.as_str()), ("decision", "allow")];
    assert_eq!(browser.post("/oauth/consent", &allowed).await.status, 400);
    assert_eq!(
        browser.get(&plain.way(&[])).await.status,
        400,
        "no redirect on its behalf"
    );
    assert_eq!(plain.exchange(&app, &code).await.status, 401);
    assert_eq!(plain.refresh(&app, &tokens.refresh).await.status, 401);
    assert_eq!(userinfo(&app, &tokens.access).await.status, 401);
    app.execute("UPDATE clients SET disabled_at = NULL").await;
    Tokens::of(&plain.exchange(&app, &code).await);
}

#[rocket::async_test]
async fn a_header_that_cannot_be_read_proves_nothing() {
    let (app, party, mut browser) = start().await;
    let code = party.code(&mut browser, &[]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let good = STANDARD.encode(format!("{}:{}", party.id, party.secret));
    let encode = |text: &str| format!("Basic {}", STANDARD.encode(text));
    for header in [
        "Basic".to_owned(),
        "Basic ".to_owned(),
        "Basic %%%".to_owned(),
        format!("Bearer {good}"),
        format!("Basic {good}{good}"),
        encode(&party.id),
        encode(&format!("{}:", party.id)),
        encode(&format!(":{}", party.secret)),
        encode(&format!("{}:{} ", party.id, party.secret)),
        encode(&format!("{}: {}", party.id, party.secret)),
        encode(&format!("{}:{}\n", party.id, party.secret)),
        format!("Basic {}", STANDARD.encode([0xff, b':', 0xff])),
    ] {
        let answer = post(&app, "/oauth/token", &[("Authorization", &header)], &fields).await;
        assert_eq!(
            (answer.status, error_of(&answer).as_str()),
            (401, "invalid_client"),
            "{header}"
        );
    }
    let spelled = format!("bAsIc {good}");
    let answer = post(
        &app,
        "/oauth/token",
        &[("Authorization", &spelled)],
        &fields,
    )
    .await;
    Tokens::of(&answer);
}

#[rocket::async_test]
async fn login_hint_fills_in_the_user_name_and_nothing_else() {
    let (app, party, mut browser) = start().await;
    for (hint, shown) in [
        ("alice", "value=\"alice\""),
        ("\"><script>", "value=\"&quot;&gt;&lt;script&gt;\""),
    ] {
        let mut visitor = app.anonymous();
        let to = party.back(&mut visitor, &[("login_hint", hint)]).await;
        let page = visitor.get(&to).await;
        assert!(page.body.contains(shown), "{}", page.body);
    }
    let mut visitor = app.anonymous();
    let to = party
        .back(&mut visitor, &[("login_hint", &"x".repeat(321))])
        .await;
    assert_eq!(parameter(&to, "hint"), None, "no name is so long");
    party.code(&mut browser, &[("login_hint", "bob")]).await;
}
