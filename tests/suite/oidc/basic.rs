//! The modules of the plan "Basic OP".

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::http::Method;

use super::{
    CALLBACK, RelyingParty, Tokens, VERIFIER, error_of, parameter, post, register, userinfo,
};
use crate::support::{Client, PASSWORD, TestApp};

async fn start() -> (TestApp, RelyingParty, Client) {
    let app = TestApp::start().await;
    let party = register(&app, "Grafana", |_| {}).await;
    let browser = app.signed_in("alice").await;
    (app, party, browser)
}

#[rocket::async_test]
async fn server() {
    let (app, party, mut browser) = start().await;
    let back = party.back(&mut browser, &[]).await;
    assert!(
        back.starts_with("https://app.example.com/callback?code="),
        "{back}"
    );
    assert_eq!(parameter(&back, "state").as_deref(), Some("a state"));
    assert_eq!(
        parameter(&back, "iss").as_deref(),
        Some("https://auth.example.com")
    );
    let code = parameter(&back, "code").expect("a code");
    let answer = party.exchange(&app, &code).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.json()["token_type"], "Bearer");
    let tokens = Tokens::of(&answer);
    let alice = app.user("alice").await;
    let now = app.clock.now().unix_micros() / 1_000_000;
    for (claim, value) in [
        ("iss", "https://auth.example.com".into()),
        ("sub", alice.id.to_string().into()),
        ("aud", party.id.as_str().into()),
        ("nonce", "a nonce".into()),
        ("iat", now.into()),
        ("exp", (now + 600).into()),
        ("auth_time", now.into()),
        ("acr", "urn:vestibule:one".into()),
        ("preferred_username", "alice".into()),
        ("groups", serde_json::json!([])),
        ("amr", serde_json::json!(["pwd"])),
    ] {
        assert_eq!(tokens.claims[claim], value, "{claim}");
    }
    assert!(party.is_active(&app, &tokens.access).await);
}

#[rocket::async_test]
async fn idtoken_signature() {
    let app = TestApp::start().await;
    let party = register(&app, "RSA", |_| {}).await;
    let curve = register(&app, "Curve", |client| {
        client.alg = vestibule::oidc::clients::Alg::Es256;
    })
    .await;
    let mut browser = app.signed_in("alice").await;
    let keys = app.anonymous().get("/oauth/keys").await.json();
    for (party, alg) in [(party, "RS256"), (curve, "ES256")] {
        let token = party.tokens(&app, &mut browser, &[]).await.id_token;
        let (signed, signature) = token.rsplit_once('.').expect("a token");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        let keys = keys["keys"].as_array().expect("keys");
        let key = keys.iter().find(|key| key["alg"] == alg).expect("a key");
        let number = |name: &str| {
            URL_SAFE_NO_PAD
                .decode(key[name].as_str().expect(name))
                .expect("base64url")
        };
        use aws_lc_rs::signature::{
            ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
            UnparsedPublicKey,
        };
        let verified = if alg == "RS256" {
            let (n, e) = (number("n"), number("e"));
            RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                signed.as_bytes(),
                &signature,
            )
        } else {
            let point = [vec![4], number("x"), number("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(signed.as_bytes(), &signature)
        };
        verified.expect("a good signature");
    }
}

#[rocket::async_test]
async fn response_type_missing() {
    let (_app, party, mut browser) = start().await;
    let back = party.back(&mut browser, &[("response_type", "")]).await;
    assert_eq!(
        parameter(&back, "error").as_deref(),
        Some("invalid_request")
    );
    assert_eq!(parameter(&back, "state").as_deref(), Some("a state"));
    assert_eq!(
        parameter(&back, "iss").as_deref(),
        Some("https://auth.example.com")
    );
    let back = party
        .back(&mut browser, &[("response_type", "token")])
        .await;
    assert_eq!(
        parameter(&back, "error").as_deref(),
        Some("unsupported_response_type")
    );
}

#[rocket::async_test]
async fn codereuse() {
    let (app, party, mut browser) = start().await;
    let code = party.code(&mut browser, &[]).await;
    let tokens = Tokens::of(&party.exchange(&app, &code).await);
    let again = party.exchange(&app, &code).await;
    assert_eq!(
        (again.status, error_of(&again).as_str()),
        (400, "invalid_grant")
    );
    assert!(
        !party.is_active(&app, &tokens.access).await,
        "what came of it has ended"
    );
    assert_eq!(userinfo(&app, &tokens.access).await.status, 401);
    assert_eq!(party.refresh(&app, &tokens.refresh).await.status, 400);
    let audited = app
        .sql("SELECT event FROM audit WHERE event = 'code_replayed'")
        .await;
    assert_eq!(audited.len(), 1);
}

#[rocket::async_test]
async fn oid_09_claims_are_the_same_in_id_token_and_userinfo_by_scope() {
    let (app, party, mut browser) = start().await;
    app.execute("UPDATE users SET email = 'alice@example.com'")
        .await;
    for (scope, names) in [
        ("openid", vec!["sub"]),
        ("openid profile", vec!["name", "preferred_username", "sub"]),
        ("openid email", vec!["email", "email_verified", "sub"]),
        ("openid groups", vec!["groups", "sub"]),
        ("openid address phone unknown", vec!["sub"]),
    ] {
        let tokens = party.tokens(&app, &mut browser, &[("scope", scope)]).await;
        let told = userinfo(&app, &tokens.access).await.json();
        let told = told.as_object().expect("claims");
        let mut found: Vec<&str> = told.keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, names, "{scope}");
        for (name, value) in told {
            assert_eq!(&tokens.claims[name], value, "{scope}: {name}");
        }
        if scope.contains("email") {
            assert_eq!(told["email_verified"], false, "nobody has confirmed it");
        }
        if scope.contains("groups") {
            assert!(told["groups"].is_array());
        }
    }
}

#[rocket::async_test]
async fn userinfo_get_post_header_and_post_body() {
    let (app, party, mut browser) = start().await;
    let tokens = party.tokens(&app, &mut browser, &[]).await;
    let bearer = format!("Bearer {}", tokens.access);
    let by_get = userinfo(&app, &tokens.access).await;
    assert_eq!(by_get.status, 200);
    let by_header = post(&app, "/oauth/userinfo", &[("Authorization", &bearer)], &[]).await;
    let by_body = post(
        &app,
        "/oauth/userinfo",
        &[],
        &[("access_token", &tokens.access)],
    )
    .await;
    assert_eq!(by_header.json(), by_get.json());
    assert_eq!(by_body.json(), by_get.json());
    let none = userinfo(&app, "x").await;
    assert_eq!(none.status, 401);
    assert!(none.header("www-authenticate").starts_with("Bearer"));
}

#[rocket::async_test]
async fn server_client_secret_post() {
    let (app, party, mut browser) = start().await;
    let code = party.code(&mut browser, &[]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("client_id", &party.id),
        ("client_secret", &party.secret),
    ];
    Tokens::of(&post(&app, "/oauth/token", &[], &fields).await);
}

#[rocket::async_test]
async fn prompt_none_not_logged_in() {
    let (app, party, _) = start().await;
    let back = party
        .back(&mut app.anonymous(), &[("prompt", "none")])
        .await;
    assert_eq!(parameter(&back, "error").as_deref(), Some("login_required"));
}

#[rocket::async_test]
async fn prompt_none_logged_in() {
    let (_app, party, mut browser) = start().await;
    party.code(&mut browser, &[("prompt", "none")]).await;
}

/// Goes through the page that asks for the password again, and gives the way on from there.
async fn proves_anew(app: &TestApp, browser: &mut Client, first: &str) -> String {
    assert!(first.starts_with("/login?"), "{first}");
    let asked = browser.get(first).await;
    let again = asked.header("location").to_owned();
    assert!(again.starts_with("/reauthenticate?"), "{again}");
    app.wait(Duration::from_secs(5)).await;
    let rd = parameter(&again, "rd").expect("a way back");
    let answer = browser
        .post("/reauthenticate", &[("password", PASSWORD), ("rd", &rd)])
        .await;
    // A page that leaves by itself, not a redirect: browsers hold those to form-action.
    assert_eq!(answer.status, 200, "{}", answer.body);
    let on = browser.get(&rd).await;
    on.header("location").to_owned()
}

#[rocket::async_test]
async fn prompt_login() {
    let (app, party, mut browser) = start().await;
    let before = party.tokens(&app, &mut browser, &[]).await.claims["auth_time"].as_i64();
    app.wait(Duration::from_secs(2)).await;
    let first = party.back(&mut browser, &[("prompt", "login")]).await;
    let on = proves_anew(&app, &mut browser, &first).await;
    let back = browser.get(&on).await.header("location").to_owned();
    let code = parameter(&back, "code").unwrap_or_else(|| panic!("{back}"));
    let tokens = Tokens::of(&party.exchange(&app, &code).await);
    assert!(tokens.claims["auth_time"].as_i64() > before);
}

#[rocket::async_test]
async fn max_age_1() {
    let (app, party, mut browser) = start().await;
    app.wait(Duration::from_secs(3)).await;
    let first = party.back(&mut browser, &[("max_age", "1")]).await;
    let on = proves_anew(&app, &mut browser, &first).await;
    let back = browser.get(&on).await.header("location").to_owned();
    assert!(parameter(&back, "code").is_some(), "{back}");
    let silent = [("max_age", "1"), ("prompt", "none")];
    app.wait(Duration::from_secs(3)).await;
    let back = party.back(&mut browser, &silent).await;
    assert_eq!(parameter(&back, "error").as_deref(), Some("login_required"));
}

#[rocket::async_test]
async fn max_age_10000() {
    let (app, party, mut browser) = start().await;
    app.wait(Duration::from_secs(60)).await;
    party.code(&mut browser, &[("max_age", "10000")]).await;
}

#[rocket::async_test]
async fn a_visitor_signs_in_and_goes_on_to_the_application() {
    let (app, party, _) = start().await;
    let mut browser = app.anonymous();
    let first = party.back(&mut browser, &[]).await;
    let rd = parameter(&first, "rd").expect("a way back");
    let fields = [("username", "alice"), ("password", PASSWORD), ("rd", &rd)];
    let answer = browser.post("/login", &fields).await;
    assert_eq!(
        answer.status, 200,
        "a page that leaves by itself: {}",
        answer.body
    );
    assert!(
        answer.body.contains("http-equiv=\"refresh\""),
        "{}",
        answer.body
    );
    let back = browser.get(&rd).await.header("location").to_owned();
    let code = parameter(&back, "code").unwrap_or_else(|| panic!("{back}"));
    Tokens::of(&party.exchange(&app, &code).await);
}

#[rocket::async_test]
async fn oid_04_ensure_post_request_succeeds() {
    let (app, party, mut browser) = start().await;
    let way = party.way(&[]);
    let (path, body) = way.split_once('?').expect("a query");
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", "https://app.example.com"),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    let grants = app.sql("SELECT scope FROM grants").await.len();
    let answer = browser.send(Method::Post, path, &headers, body).await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), way);
    assert_eq!(
        app.sql("SELECT scope FROM grants").await.len(),
        grants,
        "nothing was changed"
    );
}

#[rocket::async_test]
async fn ensure_registered_redirect_uri() {
    let (_app, party, mut browser) = start().await;
    let answer = browser
        .get(&party.way(&[("redirect_uri", "https://evil.example/cb")]))
        .await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("location"), "");
    assert!(answer.unescaped().contains("https://evil.example/cb"));
}

#[rocket::async_test]
async fn ensure_requests_with_more_or_less_succeed() {
    let (_app, party, mut browser) = start().await;
    for with in [
        [("extra", "foobar"), ("nonce", "")],
        [
            ("acr_values", "urn:mace:incommon:iap:silver"),
            ("display", "popup"),
        ],
        [("ui_locales", "de fr"), ("claims_locales", "se")],
        [("login_hint", "alice@example.com"), ("display", "page")],
    ] {
        party.code(&mut browser, &with).await;
    }
}

#[rocket::async_test]
async fn request_objects_are_rejected_as_unsupported() {
    let (_app, party, mut browser) = start().await;
    for (name, error) in [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ] {
        let back = party
            .back(&mut browser, &[(name, "https://x.example/")])
            .await;
        assert_eq!(parameter(&back, "error").as_deref(), Some(error));
    }
}

#[rocket::async_test]
async fn id_token_hint() {
    let (app, party, mut browser) = start().await;
    let mine = party.tokens(&app, &mut browser, &[]).await.id_token;
    party
        .code(
            &mut browser,
            &[("id_token_hint", &mine), ("prompt", "none")],
        )
        .await;
    let mut bob = app.signed_in("bob").await;
    let back = party
        .back(&mut bob, &[("id_token_hint", &mine), ("prompt", "none")])
        .await;
    assert_eq!(parameter(&back, "error").as_deref(), Some("login_required"));
}

#[rocket::async_test]
async fn refresh_token() {
    let (app, party, mut browser) = start().await;
    let tokens = party.tokens(&app, &mut browser, &[]).await;
    app.wait(Duration::from_secs(700)).await;
    assert_eq!(
        userinfo(&app, &tokens.access).await.status,
        401,
        "ten minutes"
    );
    let next = Tokens::of(&party.refresh(&app, &tokens.refresh).await);
    assert_eq!(next.claims["sub"], tokens.claims["sub"]);
    assert_eq!(next.claims["auth_time"], tokens.claims["auth_time"]);
    assert_ne!(next.refresh, tokens.refresh);
    assert_eq!(userinfo(&app, &next.access).await.status, 200);
}
