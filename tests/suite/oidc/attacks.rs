//! Requests that were forged or changed on the way.

use rocket::http::Method;

use super::{CALLBACK, register};
use crate::support::TestApp;

/// Two hundred addresses that are almost the registered one.
fn mutations() -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    // Each character left out, doubled, in the other case, escaped.
    for (place, c) in CALLBACK.char_indices() {
        let (before, after) = (&CALLBACK[..place], &CALLBACK[place + 1..]);
        all.push(format!("{before}{after}"));
        all.push(format!("{before}{c}{c}{after}"));
        all.push(format!("{before}{}{after}", c.to_ascii_uppercase()));
        all.push(format!("{before}%{:02x}{after}", u32::from(c)));
        all.push(format!("{before}.{after}"));
    }
    for end in [
        "/",
        "?",
        "?a=b",
        "#",
        "#a",
        "%00",
        "%20",
        "%0d%0a",
        "/..",
        "/../x",
        "/.",
        ";x",
        ":443",
        "\\",
        "@evil.example",
        ".",
        "&a=b",
        "%2f",
        "%2e%2e",
        "/%2e%2e/x",
    ] {
        all.push(format!("{CALLBACK}{end}"));
    }
    for other in [
        "https://evil.example/callback",
        "https://app.example.com.evil.example/callback",
        "https://app.example.com@evil.example/callback",
        "https://evil.example\\@app.example.com/callback",
        "https://evil.example/https://app.example.com/callback",
        "//app.example.com/callback",
        "https:app.example.com/callback",
        "https:/app.example.com/callback",
        "https:///app.example.com/callback",
        "https://app.example.com:443/callback",
        "https://app.example.com./callback",
        "https://user@app.example.com/callback",
        "https://app.example.com/x/../callback",
        "https://app.example.com//callback",
        "http://app.example.com/callback",
        "javascript:alert(1)//https://app.example.com/callback",
        "data:text/html,https://app.example.com/callback",
        " https://app.example.com/callback",
        "https://app.example.com/callback ",
        "https://аpp.example.com/callback",
        "https://xn--pp-7kc.example.com/callback",
        "https://sub.app.example.com/callback",
        "https://example.com/callback",
        "https://app.example.com",
        "https://app.example.com/",
        "/callback",
        "callback",
        "http://127.0.0.1/callback",
        "http://localhost/callback",
        "app.example:/callback",
        "https://app.example.com/Callback",
        "https://app.example.com/callback\thttps://evil.example",
        "https://*.example.com/callback",
        "https://app.example.com/*",
        "https://app%2eexample.com/callback",
        "https://[::1]/callback",
        "file:///callback",
        "about:blank",
        "blob:https://app.example.com/callback",
        "ftp://app.example.com/callback",
        "https://app.example.com/callback,https://evil.example/",
    ] {
        all.push(other.to_owned());
    }
    all.retain(|uri| uri != CALLBACK);
    all
}

#[rocket::async_test]
async fn oid_10_none_of_two_hundred_mutations_of_an_address_leaves() {
    let app = TestApp::start().await;
    let party = register(&app, "Grafana", |_| {}).await;
    let mut browser = app.signed_in("alice").await;
    let mutations = mutations();
    assert!(mutations.len() >= 200, "{}", mutations.len());
    for uri in mutations {
        let answer = browser.get(&party.way(&[("redirect_uri", &uri)])).await;
        assert_eq!(answer.status, 400, "{uri}");
        assert_eq!(answer.header("location"), "", "{uri}");
    }
    let doubled = format!(
        "{}&redirect_uri=https%3A%2F%2Fevil.example%2F",
        party.way(&[])
    );
    assert_eq!(browser.get(&doubled).await.status, 400);
    assert!(app.sql("SELECT scope FROM grants").await.is_empty());
}

#[rocket::async_test]
async fn what_is_no_form_is_told_in_the_words_of_the_rfc() {
    let app = TestApp::start().await;
    let party = register(&app, "Grafana", |_| {}).await;
    let form = "application/x-www-form-urlencoded";
    for (kind, body, status, error) in [
        (
            "application/json",
            "{\"grant_type\":\"authorization_code\"}",
            400,
            "invalid_request",
        ),
        (form, "grant_type=a&grant_type=b", 400, "invalid_request"),
        (form, "grant_type=%ff", 400, "invalid_request"),
        (form, "grant_type=%00", 400, "invalid_request"),
        (form, "grant_type=authorization_code", 401, "invalid_client"),
        (form, "client_id=nobody", 401, "invalid_client"),
        (form, "", 401, "invalid_client"),
    ] {
        let mut program = app.anonymous();
        let answer = program
            .send(
                Method::Post,
                "/oauth/token",
                &[("Content-Type", kind)],
                body,
            )
            .await;
        assert_eq!(
            (answer.status, super::error_of(&answer).as_str()),
            (status, error),
            "{body}"
        );
    }
    for (fields, error) in [
        (vec![], "invalid_request"),
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (
            vec![("grant_type", "authorization_code")],
            "invalid_request",
        ),
        (
            vec![("grant_type", "authorization_code"), ("code", "x")],
            "invalid_grant",
        ),
        (
            vec![("grant_type", "refresh_token"), ("refresh_token", "x")],
            "invalid_grant",
        ),
    ] {
        let answer = party.ask(&app, "/oauth/token", &fields).await;
        assert_eq!(
            (answer.status, super::error_of(&answer).as_str()),
            (400, error),
            "{fields:?}"
        );
    }
}
