//! The session cookie: how it is set, and that nothing else is ever taken for it.

use rocket::http::Method;
use vestibule::people::users::NewUser;

use crate::support::{Client, PASSWORD, TestApp, Wire, logged, refused_settings};

const NAME: &str = "__Host-vestibule";

/// Whom the service takes the sender of this `Cookie` header for; empty for nobody.
async fn who(browser: &mut Client, cookie: &str) -> String {
    let answer = browser
        .send(Method::Get, "/api/session", &[("Cookie", cookie)], "")
        .await;
    match answer.status {
        200 => answer.json()["user"]["username"]
            .as_str()
            .expect("a name")
            .to_owned(),
        401 => String::new(),
        other => panic!("{cookie:?}: {other}"),
    }
}

/// The tokens of alice and of bob, who attacks.
async fn two_tokens(app: &TestApp) -> (String, String) {
    let alice = app.signed_in("alice").await.token();
    (alice, app.signed_in("bob").await.token())
}

/// A planted cookie whose name only resembles ours says nothing: neither beside ours nor alone.
async fn is_never_believed(lookalikes: &[String]) {
    let app = TestApp::start().await;
    let (alice, bob) = two_tokens(&app).await;
    let mut browser = app.anonymous();
    assert_eq!(who(&mut browser, &format!("{NAME}={alice}")).await, "alice");
    for name in lookalikes {
        let after = format!("{NAME}={alice}; {name}={bob}");
        let before = format!("{name}={bob}; {NAME}={alice}");
        assert_eq!(who(&mut browser, &after).await, "alice", "{after:?}");
        assert_eq!(who(&mut browser, &before).await, "alice", "{before:?}");
        assert_eq!(
            who(&mut browser, &format!("{name}={bob}")).await,
            "",
            "{name:?}"
        );
    }
}

#[rocket::async_test]
async fn coo_01_the_session_cookie_belongs_to_one_host() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let answer = app.anonymous().sign_in("alice", PASSWORD).await;
    let (pair, attributes) = answer
        .header("set-cookie")
        .split_once("; ")
        .expect("attributes");
    let (name, value) = pair.split_once('=').expect("a value");
    assert_eq!((name, value.len()), (NAME, 43));
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax; Secure");
}

#[rocket::async_test]
async fn coo_02_a_percent_encoded_name_is_never_taken_for_the_session_cookie() {
    let names = [
        "%5F%5FHost-vestibule",
        "%5f%5fHost-vestibule",
        "%5f_Host-vestibule",
        "_%5FHost-vestibule",
        "__Host%2Dvestibule",
        "__Host-%76estibule",
        "%5F%5F%48%6F%73%74%2D%76%65%73%74%69%62%75%6C%65",
        "__host-vestibule",
        "__HOST-VESTIBULE",
        "vestibule",
    ];
    is_never_believed(&names.map(str::to_owned)).await;
}

#[rocket::async_test]
async fn coo_03_a_name_beside_unicode_space_is_never_taken_for_the_session_cookie() {
    let spaces = "\u{2000}\u{a0}\u{85}\u{3000}\u{2028}\u{2029}\u{202f}\u{1680}\u{feff}\u{b}\u{c}";
    let names = spaces
        .chars()
        .flat_map(|space| [format!("{space}{NAME}"), format!("{NAME}{space}")]);
    is_never_believed(&names.collect::<Vec<_>>()).await;
}

#[rocket::async_test]
async fn coo_04_of_two_session_cookies_neither_is_believed_and_the_log_says_so() {
    let app = TestApp::start().await;
    let (alice, bob) = two_tokens(&app).await;
    let mut browser = app.anonymous();
    let (answer, log) = logged(who(&mut browser, &format!("{NAME}={alice}; {NAME}={bob}"))).await;
    assert_eq!(answer, "");
    assert!(log.contains("two session cookies"), "{log}");
    assert!(!log.contains(&alice) && !log.contains(&bob), "{log}");

    let (one, other) = (format!("{NAME}={alice}"), format!("{NAME}={bob}"));
    let headers = [("Cookie", one.as_str()), ("Cookie", &other)];
    let answer = browser
        .send(Method::Get, "/api/session", &headers, "")
        .await;
    assert_eq!(answer.status, 401, "in two headers");
}

#[rocket::async_test]
async fn coo_05_a_token_counts_in_the_cookie_only() {
    let app = TestApp::start().await;
    let token = app.signed_in("alice").await.token();
    let mut browser = app.anonymous();
    for field in ["sid", "session", "token", "vestibule", NAME] {
        let path = format!("/api/session?{field}={token}");
        assert_eq!(
            browser.send(Method::Get, &path, &[], "").await.status,
            401,
            "{path}"
        );
    }
    let bearer = format!("Bearer {token}");
    for (name, value) in [
        ("X-Session", token.as_str()),
        ("X-Session-Token", &token),
        ("Authorization", &bearer),
        (NAME, &token),
    ] {
        let answer = browser
            .send(Method::Get, "/api/session", &[(name, value)], "")
            .await;
        assert_eq!(answer.status, 401, "{name}");
    }
    let form = [("sid", token.as_str()), ("password", PASSWORD)];
    let answer = browser.post("/reauthenticate", &form).await;
    let sign_in = "/login?rd=%2F&rm=POST";
    assert_eq!((answer.status, answer.header("location")), (303, sign_in));
}

#[rocket::async_test]
async fn coo_06_no_cookie_is_larger_than_browsers_keep() {
    let app = TestApp::start().await;
    let (name, rd) = ("a".repeat(64), format!("/{}", "r".repeat(1_999)));
    app.add(NewUser {
        username: name.clone(),
        ..NewUser::default()
    })
    .await;
    let mut browser = app.anonymous();
    let rd = rd.as_str();
    let sign_in = [
        ("username", name.as_str()),
        ("password", PASSWORD),
        ("remember", "on"),
        ("rd", rd),
    ];
    let change = [
        ("current_password", PASSWORD),
        ("new_password", "a wholly different sentence"),
    ];
    let flows: [(&str, &[(&str, &str)]); 4] = [
        ("/login", &sign_in),
        ("/reauthenticate", &[("password", PASSWORD), ("rd", rd)]),
        ("/account/password", &change),
        ("/logout", &[("rd", rd)]),
    ];
    for (path, fields) in flows {
        let answer = browser.post(path, fields).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.body);
        let set_cookie = answer.header("set-cookie").split(';').next();
        let octets = set_cookie.expect("a cookie").len() - "=".len();
        assert!((NAME.len()..=4_096).contains(&octets), "{path}: {octets}");
    }
}

#[rocket::async_test]
async fn coo_07_sign_out_takes_away_the_cookie_that_sign_in_set() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let answer = browser.post("/logout", &[]).await;
    assert_eq!(
        answer.header("set-cookie"),
        "__Host-vestibule=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0"
    );
    assert!(browser.cookies.is_empty());
}

#[rocket::async_test]
async fn coo_08_plain_http_off_loopback_is_refused_unless_it_is_asked_for_and_warns_then() {
    let url = "public_url = \"http://192.168.1.5:8000\"";
    let faults = refused_settings(url);
    assert!(
        faults.contains("public_url") && faults.contains("insecure_http"),
        "{faults}"
    );

    let (app, log) = logged(TestApp::with(&format!("{url}\ninsecure_http = true"))).await;
    assert!(
        log.contains("WARN") && log.contains("insecure_http"),
        "{log}"
    );
    let (app, log) = logged(app.restarted()).await;
    assert!(
        log.contains("WARN") && log.contains("insecure_http"),
        "{log}"
    );

    app.user("alice").await;
    let headers = [
        ("Host", "192.168.1.5:8000"),
        ("Origin", "http://192.168.1.5:8000"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let body = "username=alice&password=correct+horse+battery";
    let answer = app
        .anonymous()
        .send(Method::Post, "/login", &headers, body)
        .await;
    let (name, rest) = answer
        .header("set-cookie")
        .split_once('=')
        .expect("a cookie");
    let (_, attributes) = rest.split_once("; ").expect("attributes");
    assert_eq!(
        (name, attributes),
        ("vestibule", "Path=/; HttpOnly; SameSite=Lax")
    );
}

#[rocket::async_test]
async fn coo_09_the_cookie_lasts_no_longer_than_its_session() {
    let app = TestApp::with("sessions.remember_max_lifetime = \"40d\"").await;
    app.user("alice").await;
    let mut browser = app.anonymous();
    let kept = [
        ("username", "alice"),
        ("password", PASSWORD),
        ("remember", "on"),
    ];
    let answer = browser.post("/login", &kept).await;
    assert!(
        answer.header("set-cookie").ends_with("; Max-Age=3456000"),
        "{answer:?}"
    );

    app.wait(std::time::Duration::from_secs(86_400)).await;
    let answer = browser
        .post("/reauthenticate", &[("password", PASSWORD)])
        .await;
    assert!(
        answer.header("set-cookie").ends_with("; Max-Age=3369600"),
        "{answer:?}"
    );
}

#[test]
fn coo_09_no_lifetime_is_longer_than_browsers_keep_a_cookie() {
    for key in [
        "max_lifetime",
        "remember_max_lifetime",
        "remember_idle_timeout",
    ] {
        let faults = refused_settings(&format!("sessions.{key} = \"401d\""));
        assert!(
            faults.contains(&format!("sessions.{key}: ")) && faults.contains("400d"),
            "{faults}"
        );
    }
}

#[rocket::async_test]
async fn fwd_02_a_malformed_token_is_nobodys() {
    let app = TestApp::start().await;
    let good = app.signed_in("alice").await.token();
    let flipped: String = good
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    let values = [
        String::new(),
        "a".to_owned(),
        "a".repeat(8_192),
        good.repeat(190),
        "\u{fffd}".repeat(43),
        "!".repeat(43),
        "\"".to_owned(),
        format!("\"{good}\""),
        "%00".to_owned(),
        format!("{good}%00"),
        "\0".to_owned(),
        format!("{good}\0"),
        good[..42].to_owned(),
        format!("{good}A"),
        format!("{good}="),
        format!("{good} {good}"),
        flipped,
    ];
    let mut browser = app.anonymous();
    assert_eq!(who(&mut browser, &format!("{NAME}={good}")).await, "alice");
    for value in values {
        assert_eq!(
            who(&mut browser, &format!("{NAME}={value}")).await,
            "",
            "{value:?}"
        );
    }
    // The last of 43 characters carries four bits and two that must be zero: one spelling only.
    let last = good.chars().last().expect("43 characters");
    for other in ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .chain(['-', '_'])
    {
        let value = format!("{}{other}", &good[..42]);
        let expected = if other == last { "alice" } else { "" };
        assert_eq!(
            who(&mut browser, &format!("{NAME}={value}")).await,
            expected,
            "{other}"
        );
    }
}

#[rocket::async_test]
async fn fwd_02_what_is_no_text_is_nobodys() {
    let app = TestApp::start().await;
    let good = app.signed_in("alice").await.token().into_bytes();
    let wire = Wire::of(&app).await;
    for (value, expected) in [
        (good.clone(), "HTTP/1.1 200 "),
        (vec![0xff; 43], "HTTP/1.1 401 "),
        ([&good[..42], b"\xff"].concat(), "HTTP/1.1 401 "),
        ([&good[..], b"\xc0\x80"].concat(), "HTTP/1.1 401 "),
        ([&good[..], b"\0"].concat(), "HTTP/1.1 400 "),
    ] {
        let head = b"GET /api/session HTTP/1.1\r\nHost: auth.example.com\r\nConnection: close\r\nCookie: __Host-vestibule=";
        let answer = wire
            .exchange(&[&head[..], &value, b"\r\n\r\n"].concat())
            .await;
        assert!(answer.starts_with(expected), "{value:?}: {answer}");
    }
}
