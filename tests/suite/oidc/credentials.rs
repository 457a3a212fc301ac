//! Credentials in the Authorization header, as applications are known to send them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use vestibule::oidc::clients::hash_of_secret;

use super::{error_of, post, register};
use crate::support::{Answer, TestApp};

/// Such as an imported client may have.
const SECRET: &str = "per%cent %41 +plus :colon: ü";

async fn ask(app: &TestApp, header: &str) -> Answer {
    let headers = [("Authorization", header)];
    post(app, "/oauth/introspect", &headers, &[("token", "x")]).await
}

fn percent(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn form(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn start() -> (TestApp, String) {
    let app = TestApp::start().await;
    let party = register(&app, "Imported", |client| {
        client.id = "an-id".to_owned();
        client.secret_hash = Some(hash_of_secret(SECRET));
    })
    .await;
    (app, party.id)
}

#[rocket::async_test]
async fn each_spelling_that_is_seen_in_the_field_is_taken() {
    let (app, id) = start().await;
    for spelled in [
        format!("{id}:{SECRET}"),
        format!("{}:{}", form(&id), form(SECRET)),
        format!("{}:{}", percent(&id), percent(SECRET)),
        format!("{id}:{}", percent(SECRET)),
    ] {
        for encoded in [STANDARD.encode(&spelled), STANDARD_NO_PAD.encode(&spelled)] {
            let answer = ask(&app, &format!("Basic {encoded}")).await;
            assert_eq!(answer.status, 200, "{spelled} {encoded}");
        }
    }
}

#[rocket::async_test]
async fn whatever_else_it_is_is_a_wrong_secret_and_said_to_be() {
    let (app, id) = start().await;
    let latin = [
        format!("{id}:{}", SECRET.replace('ü', "")).as_bytes(),
        &[0xfc],
    ]
    .concat();
    let sixteen: Vec<u8> = format!("{id}:{SECRET}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let right = format!("{id}:{SECRET}");
    let padded = STANDARD.encode(&right);
    // With bytes that the two alphabets write differently.
    let other = URL_SAFE.encode(format!("{id}:ÿ?>ÿ?>"));
    assert!(other.contains(['-', '_']));
    for (what, value) in [
        ("Latin-1", STANDARD.encode(latin)),
        ("UTF-16", STANDARD.encode(sixteen)),
        ("base64url", other),
        ("no base64", right.clone()),
        ("a blank in it", padded.replacen('a', "a ", 1)),
        ("too much padding", format!("{padded}==")),
        (
            "an escape of no UTF-8",
            STANDARD.encode(format!("{id}:%ff")),
        ),
        (
            "encoded twice",
            STANDARD.encode(format!("{id}:{}", percent(&percent(SECRET)))),
        ),
        (
            "both at once",
            STANDARD.encode(format!("{id}:per%cent %41 +plus :colon: %C3%BC")),
        ),
        ("an id alone", STANDARD.encode(&id)),
        ("nothing", String::new()),
    ] {
        let answer = ask(&app, &format!("Basic {value}")).await;
        let told = (answer.status, error_of(&answer));
        assert_eq!(told, (401, "invalid_client".to_owned()), "{what}");
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.starts_with("Basic") || value.is_empty(),
            "{what}: {challenge}"
        );
    }
    let both = [
        ("Authorization", &*format!("Basic {padded}")),
        ("Authorization", &*format!("Basic {padded}")),
    ];
    let answer = post(&app, "/oauth/introspect", &both, &[("token", "x")]).await;
    assert_eq!(answer.status, 401, "two headers are none");
}
