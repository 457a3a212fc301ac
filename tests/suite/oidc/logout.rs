//! The modules of the plans "RP-initiated logout" and "Back-channel".

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use super::{RelyingParty, Tokens, claims, parameter, query, register};
use crate::support::{Client, TestApp};

const BYE: &str = "https://app.example.com/bye";

async fn start() -> (TestApp, RelyingParty, Client, Tokens) {
    let app = TestApp::start().await;
    let party = register(&app, "Grafana", |_| {}).await;
    let mut browser = app.signed_in("alice").await;
    let tokens = party.tokens(&app, &mut browser, &[]).await;
    (app, party, browser, tokens)
}

fn way(pairs: &[(&str, &str)]) -> String {
    format!("/oauth/logout?{}", query(pairs))
}

#[rocket::async_test]
async fn rp_initiated() {
    let (app, party, mut browser, tokens) = start().await;
    // A hint may be as old as it likes.
    app.wait(Duration::from_secs(60 * 60)).await;
    let fields = [
        ("id_token_hint", tokens.id_token.as_str()),
        ("post_logout_redirect_uri", BYE),
        ("state", "a b"),
    ];
    let answer = browser.get(&way(&fields)).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let to = answer.header("location");
    assert!(to.starts_with(BYE), "{to}");
    assert_eq!(parameter(to, "state").as_deref(), Some("a b"));
    assert_eq!(browser.session().await.status, 401);
    assert!(!party.is_active(&app, &tokens.refresh).await);
}

#[rocket::async_test]
async fn bad_addresses_and_hints_stay_and_sign_nobody_out() {
    let (_app, party, mut browser, tokens) = start().await;
    let hint = tokens.id_token.as_str();
    let (head, signature) = hint.rsplit_once('.').expect("a token");
    let modified = format!("{head}.{}", signature.chars().rev().collect::<String>());
    for fields in [
        vec![
            ("id_token_hint", hint),
            ("post_logout_redirect_uri", "https://evil.example/"),
        ],
        vec![
            ("id_token_hint", hint),
            (
                "post_logout_redirect_uri",
                "https://app.example.com/bye?a=b",
            ),
        ],
        vec![
            ("id_token_hint", modified.as_str()),
            ("post_logout_redirect_uri", BYE),
        ],
        vec![
            ("id_token_hint", "x.y.z"),
            ("post_logout_redirect_uri", BYE),
        ],
        vec![("post_logout_redirect_uri", BYE)],
        vec![("id_token_hint", hint), ("client_id", "another")],
    ] {
        let answer = browser.get(&way(&fields)).await;
        assert_eq!(answer.status, 400, "{fields:?}");
        assert_eq!(browser.session().await.status, 200, "{fields:?}");
    }
    // Without a hint it is asked.
    for fields in [
        vec![],
        vec![("state", "x")],
        vec![
            ("client_id", party.id.as_str()),
            ("post_logout_redirect_uri", BYE),
        ],
    ] {
        let answer = browser.get(&way(&fields)).await;
        assert_eq!(answer.status, 200, "{fields:?}");
        assert_eq!(browser.session().await.status, 200, "{fields:?}");
    }
    let request = query(&[("client_id", &party.id), ("post_logout_redirect_uri", BYE)]);
    let answer = browser
        .post("/oauth/sign-out", &[("request", &request)])
        .await;
    assert!(answer.unescaped().contains(BYE), "{}", answer.body);
    assert_eq!(browser.session().await.status, 401);
}

#[rocket::async_test]
async fn oid_08_a_hint_of_another_session_asks() {
    let (app, _, _, tokens) = start().await;
    for mut browser in [app.signed_in("bob").await, app.sign_in_again("alice").await] {
        let answer = browser
            .get(&way(&[("id_token_hint", &tokens.id_token)]))
            .await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("Sign out here, too?"));
        assert_eq!(browser.session().await.status, 200);
    }
}

/// An application that is told of the end of sessions, and where it hears it.
async fn with_back_channel() -> (TestApp, RelyingParty, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let uri = format!("http://{}/out", listener.local_addr().expect("an address"));
    let app = TestApp::start().await;
    let register = register(&app, "Grafana", |client| {
        client.back_channel_uri = Some(uri)
    });
    let party = register.await;
    (app, party, listener)
}

/// Takes one request, answers with a status, and gives its body.
pub fn listen(listener: TcpListener, status: u16) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut reader = BufReader::new(stream.try_clone().expect("a clone"));
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a line");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        write!(
            stream,
            "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        .expect("an answer");
        String::from_utf8(body).expect("text")
    })
}

#[rocket::async_test]
async fn backchannel_rp_initiated_logout() {
    let (app, party, listener) = with_back_channel().await;
    let again = listener.try_clone().expect("a clone");
    let mut browser = app.signed_in("alice").await;
    let tokens = party.tokens(&app, &mut browser, &[]).await;
    browser.post("/logout", &[]).await;
    let refused = listen(listener, 503);
    app.sweep().await;
    let first = refused.join().expect("a request");
    assert_eq!(
        app.sql("SELECT client_id FROM sign_out_notices WHERE told_at IS NULL")
            .await
            .len(),
        1
    );
    app.wait(Duration::from_secs(5)).await;
    let taken = listen(again, 200);
    app.sweep().await;
    let second = taken.join().expect("a request");
    assert!(
        app.sql("SELECT client_id FROM sign_out_notices WHERE told_at IS NULL")
            .await
            .is_empty()
    );
    let token = |body: &str| parameter(&format!("?{body}"), "logout_token").expect("a token");
    let (one, two) = (claims(&token(&first)), claims(&token(&second)));
    assert_ne!(one["jti"], two["jti"], "each try has its own");
    assert_eq!(two["sub"], tokens.claims["sub"]);
    assert_eq!(two["sid"], tokens.claims["sid"]);
    assert_eq!(two["aud"], party.id);
    assert!(two["events"]["http://schemas.openid.net/event/backchannel-logout"].is_object());
    assert!(two.get("nonce").is_none());
}

#[rocket::async_test]
async fn atk_25_a_session_that_has_ended_names_whom_that_was_told_in_vain() {
    let (app, party, listener) = with_back_channel().await;
    let again = listener.try_clone().expect("a clone");
    let mut browser = app.signed_in("alice").await;
    party.tokens(&app, &mut browser, &[]).await;
    let mut admin = app.admin().await;
    browser.post("/logout", &[]).await;
    let refused = listen(listener, 503);
    app.sweep().await;
    refused.join().expect("a request");
    let ended = "/admin/sessions?state=ended";
    let page = admin.get(ended).await;
    assert!(
        page.body.contains("Not reached yet: Grafana"),
        "{}",
        page.body
    );
    app.wait(Duration::from_secs(5)).await;
    let taken = listen(again, 200);
    app.sweep().await;
    taken.join().expect("a request");
    assert!(!admin.get(ended).await.body.contains("Not reached"));
}

#[rocket::async_test]
async fn who_is_not_told_after_some_tries_is_named_to_the_doctor() {
    let (app, party, listener) = with_back_channel().await;
    let mut browser = app.signed_in("alice").await;
    party.tokens(&app, &mut browser, &[]).await;
    browser.post("/logout", &[]).await;
    let untold = async || vestibule::oidc::untold(&app.app).await.expect("a database");
    for (status, named) in [(404, 0), (500, 1), (200, 0)] {
        let told = listen(listener.try_clone().expect("a clone"), status);
        app.sweep().await;
        told.join().expect("a request");
        assert_eq!(untold().await.len(), named, "{status}");
        app.wait(Duration::from_secs(30)).await;
    }
}
