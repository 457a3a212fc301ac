//! Tokens that somebody made up, at each place that a JWT could be brought to.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Tokens, error_of, parameter, post, query, register, userinfo};
use crate::support::TestApp;

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn hs256(signed: &str, secret: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// What is made of a good token and its public key without the private one.
fn corpus(good: &str, jwk: &Value) -> Vec<(String, String)> {
    let [head, body, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts: {good}");
    };
    let kid = jwk["kid"].as_str().expect("a kid");
    let claims = super::claims(good);
    let changed = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        part(&claims)
    };
    let mut all = Vec::new();
    let mut add = |what: &str, token: String| all.push((what.to_owned(), token));
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let none = part(&json!({ "alg": alg, "kid": kid, "typ": "JWT" }));
        add("no algorithm, no signature", format!("{none}.{body}."));
        add("no algorithm", format!("{none}.{body}.{signature}"));
    }
    let n = jwk["n"].as_str().expect("a modulus");
    let keys = [
        n.as_bytes().to_vec(),
        URL_SAFE_NO_PAD.decode(n).expect("base64url"),
        jwk.to_string().into_bytes(),
        Vec::new(),
    ];
    for key in keys {
        let header = part(&json!({ "alg": "HS256", "kid": kid, "typ": "JWT" }));
        add(
            "the public key as a secret",
            hs256(&format!("{header}.{body}"), &key),
        );
    }
    for other in [
        "../../../../dev/null",
        "/dev/null",
        "' OR '1'='1",
        "x' UNION SELECT 'x",
        "",
        "\u{0}",
        "https://evil.example/key",
    ] {
        let header = part(&json!({ "alg": "HS256", "kid": other, "typ": "JWT" }));
        add(
            "a kid that leads elsewhere",
            hs256(&format!("{header}.{body}"), b""),
        );
    }
    for kid in [json!(null), json!(1), json!([kid]), json!({ "kid": kid })] {
        let header = part(&json!({ "alg": "RS256", "kid": kid, "typ": "JWT" }));
        add(
            "a kid of another type",
            format!("{header}.{body}.{signature}"),
        );
    }
    for (name, value) in [
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/chain")),
        ("jwk", jwk.clone()),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
    ] {
        let mut header = json!({ "alg": "RS256", "kid": kid, "typ": "JWT" });
        header[name] = value;
        add(name, format!("{}.{body}.{signature}", part(&header)));
    }
    for alg in [
        "RS384", "RS512", "PS256", "ES256", "rs256", "EdDSA", "RSA1_5",
    ] {
        let header = part(&json!({ "alg": alg, "kid": kid, "typ": "JWT" }));
        add("another algorithm", format!("{header}.{body}.{signature}"));
    }
    for (name, value) in [
        ("sub", json!("00000000-0000-0000-0000-000000000000")),
        ("iss", json!("https://evil.example")),
        ("iss", json!("https://auth.example.com/")),
        ("aud", json!("another")),
        ("aud", json!([claims["aud"], "another"])),
        ("exp", json!(9_999_999_999_u64)),
        ("nonce", json!("another")),
        ("sid", json!("another")),
    ] {
        add(
            "a changed claim",
            format!("{head}.{}.{signature}", changed(name, value)),
        );
    }
    let text = claims.to_string();
    let doubled = format!("{{\"sub\":\"mallory\",{}", &text[1..]);
    add(
        "a doubled claim",
        format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(doubled)),
    );
    let zeros = URL_SAFE_NO_PAD.encode([0; 256]);
    add("a signature of zeros", format!("{head}.{body}.{zeros}"));
    add("no signature", format!("{head}.{body}."));
    add(
        "half a signature",
        good[..good.len() - signature.len() / 2].to_owned(),
    );
    add("two parts", format!("{head}.{body}"));
    add("one part", head.to_owned());
    add("four parts", format!("{good}.{signature}"));
    add("padding", format!("{good}=="));
    add(
        "another alphabet",
        format!("{head}.{body}.{}+/", &signature[2..]),
    );
    add("a blank in it", format!("{head}.{body} .{signature}"));
    add("no header", format!(".{body}.{signature}"));
    add("no claims", format!("{head}..{signature}"));
    add(
        "a header that is a list",
        format!("{}.{body}.{signature}", part(&json!(["RS256"]))),
    );
    let deep = URL_SAFE_NO_PAD.encode("[".repeat(4_000));
    add("a deep header", format!("{deep}.{body}.{signature}"));
    add("huge", format!("{head}.{}.{signature}", "A".repeat(10_000)));
    all
}

#[rocket::async_test]
async fn oid_02_no_forged_token_is_taken_anywhere() {
    let app = TestApp::start().await;
    let party = register(&app, "Grafana", |_| {}).await;
    let mut browser = app.signed_in("alice").await;
    let good = party.tokens(&app, &mut browser, &[]).await;
    let silent = [
        ("id_token_hint", good.id_token.as_str()),
        ("prompt", "none"),
    ];
    party.code(&mut browser, &silent).await;
    let keys = app.anonymous().get("/oauth/keys").await.json();
    let keys = keys["keys"].as_array().expect("keys");
    let key = keys
        .iter()
        .find(|key| key["alg"] == "RS256")
        .expect("a key");
    let corpus = corpus(&good.id_token, key);
    assert!(corpus.len() >= 55, "{}", corpus.len());
    for (what, forged) in corpus {
        let hint = [("id_token_hint", forged.as_str()), ("prompt", "none")];
        let back = party.back(&mut browser, &hint).await;
        assert_eq!(
            parameter(&back, "error").as_deref(),
            Some("invalid_request"),
            "{what}"
        );
        assert_eq!(parameter(&back, "code"), None, "{what}");
        let way = format!("/oauth/logout?{}", query(&hint[..1]));
        assert_eq!(browser.get(&way).await.status, 400, "{what}");
        assert_eq!(userinfo(&app, &forged).await.status, 401, "{what}");
        assert!(!party.is_active(&app, &forged).await, "{what}");
        let refreshed = party.refresh(&app, &forged).await;
        assert_eq!(error_of(&refreshed), "invalid_grant", "{what}");
        let asserted = [
            ("grant_type", "refresh_token"),
            ("refresh_token", &good.refresh),
            ("client_id", &party.id),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &forged),
        ];
        assert_eq!(
            post(&app, "/oauth/token", &[], &asserted).await.status,
            401,
            "{what}"
        );
    }
    assert_eq!(browser.session().await.status, 200, "nobody was signed out");
    Tokens::of(&party.refresh(&app, &good.refresh).await);
}

#[rocket::async_test]
async fn oid_02_an_id_token_is_a_hint_of_its_own_client_and_no_access_token() {
    let app = TestApp::start().await;
    let party = register(&app, "Grafana", |_| {}).await;
    let other = register(&app, "Wiki", |_| {}).await;
    let mut browser = app.signed_in("alice").await;
    let tokens = other.tokens(&app, &mut browser, &[]).await;
    let hint = [
        ("id_token_hint", tokens.id_token.as_str()),
        ("prompt", "none"),
    ];
    let back = party.back(&mut browser, &hint).await;
    assert_eq!(
        parameter(&back, "error").as_deref(),
        Some("invalid_request")
    );
    let way = query(&[hint[0], ("client_id", &party.id)]);
    assert_eq!(
        browser.get(&format!("/oauth/logout?{way}")).await.status,
        400
    );
    assert_eq!(userinfo(&app, &tokens.id_token).await.status, 401);
    assert!(!other.is_active(&app, &tokens.id_token).await);
}
