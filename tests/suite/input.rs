//! Bad input: refused with a 4xx, never believed, never a failure of the server.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rocket::http::Method;
use rocket::http::uri::Origin;
use rocket::tokio::runtime::Runtime;
use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;
use vestibule::foundation::token::Token;
use vestibule::people::passwords::Password;
use vestibule::people::users::{self, Changes, NewUser};

use crate::support::{ORIGIN, PASSWORD, TestApp, is_for_proxies};

/// A request that somebody made up.
#[derive(Clone, Debug)]
struct MadeUp {
    method: Method,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    signed_in: bool,
}

fn text() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "\0",
        "\u{202e}",
        "\u{fffd}",
        "%",
        "%00",
        "%ff",
        "%c0%af",
        "{{7*7}}",
        "' OR 1=1 --",
        "[]",
        ".",
        "..",
        "//",
        "&",
        "=",
        ";",
        "😀",
    ]);
    prop_oneof![
        "\\PC{0,40}",
        "[a-z]{0,12}",
        prop::collection::vec(nasty, 0..6).prop_map(|parts| parts.concat()),
        "x{1000,3000}",
    ]
}

fn field() -> impl Strategy<Value = (String, String)> {
    let names = vec![
        "username",
        "password",
        "current_password",
        "new_password",
        "remember",
        "rd",
        "flow",
        "code",
        "_method",
    ];
    let name = prop_oneof![4 => prop::sample::select(names).prop_map(str::to_owned), 1 => text()];
    (name, text())
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let form = prop::collection::vec(field(), 0..8).prop_map(|fields| {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        form.into_bytes()
    });
    prop_oneof![3 => form, 1 => prop::collection::vec(any::<u8>(), 0..200), 1 => text().prop_map(String::into_bytes)]
}

fn target() -> impl Strategy<Value = String> {
    let paths = vec![
        "/",
        "/login",
        "/logout",
        "/setup",
        "/account",
        "/account/password",
        "/account/sessions",
        "/reauthenticate",
        "/api/session",
        "/healthz",
        "/readyz",
        "/admin/sessions",
        "/account/sessions/x/revoke",
    ];
    let query = prop::collection::vec(field(), 0..4).prop_map(|fields| {
        url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish()
    });
    let known =
        (prop::sample::select(paths), query).prop_map(|(path, query)| format!("{path}?{query}"));
    prop_oneof![4 => known, 1 => "/[!-~]{0,60}", 1 => text()]
}

/// What a server hands on: header values without control characters.
fn header() -> impl Strategy<Value = (String, String)> {
    let names = vec![
        "Host",
        "Cookie",
        "Origin",
        "Sec-Fetch-Site",
        "Sec-Fetch-Mode",
        "Content-Type",
        "Accept",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "User-Agent",
        "X-HTTP-Method-Override",
        "Range",
        "If-Modified-Since",
        "Authorization",
    ];
    let usual = vec![
        "auth.example.com",
        ORIGIN,
        "same-origin",
        "none",
        "navigate",
        "text/html",
        "application/json",
        "application/x-www-form-urlencoded",
        "__Host-vestibule=x",
        "*/*;q=2",
        "multipart/form-data; boundary=",
    ];
    let value = prop_oneof![2 => prop::sample::select(usual).prop_map(str::to_owned), 1 => text()];
    let clean = |value: String| {
        value
            .chars()
            .filter(|c| !c.is_control())
            .collect::<String>()
    };
    (
        prop::sample::select(names).prop_map(str::to_owned),
        value.prop_map(clean),
    )
}

fn made_up() -> impl Strategy<Value = MadeUp> {
    let methods = vec![
        Method::Get,
        Method::Post,
        Method::Post,
        Method::Head,
        Method::Put,
        Method::Delete,
        Method::Options,
        Method::Patch,
    ];
    let usual = vec![
        ("Host".to_owned(), "auth.example.com".to_owned()),
        ("Origin".to_owned(), ORIGIN.to_owned()),
        (
            "Content-Type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        ),
    ];
    let headers = (
        prop::sample::subsequence(usual, 0..=3),
        prop::collection::vec(header(), 0..5),
    )
        .prop_map(|(usual, more)| [usual, more].concat());
    (
        prop::sample::select(methods),
        target(),
        headers,
        body(),
        any::<bool>(),
    )
        .prop_map(|(method, target, headers, body, signed_in)| MadeUp {
            method,
            target,
            headers,
            body,
            signed_in,
        })
}

#[test]
fn inp_01_no_request_makes_the_server_fail() {
    let runtime = Runtime::new().expect("a runtime");
    let (app, alice) = runtime.block_on(async {
        let app = TestApp::start().await;
        let alice = app.signed_in("alice").await;
        (app, alice)
    });
    let cookie = (
        "Cookie".to_owned(),
        format!("__Host-vestibule={}", alice.token()),
    );
    let config = ProptestConfig {
        cases: 1_500,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(mut request in made_up())| {
        if request.signed_in {
            request.headers.push(cookie.clone());
        }
        let started = Instant::now();
        let sent = alice.send_only(request.method, &request.target, &request.headers, &request.body);
        let answer = runtime.block_on(sent);
        prop_assert!(answer.status < 500, "{}: {}", answer.status, answer.body);
        prop_assert!(started.elapsed() < Duration::from_secs(5));
        // A target that is none is answered before anything of ours runs.
        if Origin::parse(&request.target).is_ok() {
            prop_assert_ne!(answer.header("content-security-policy"), "");
        }
    });
    runtime.block_on(app.app.close());
}

/// The form limit is ours: 16 KiB. The limits of targets and headers are the listener's.
#[rocket::async_test]
async fn inp_02_a_form_is_16_kib_at_most() {
    let app = TestApp::start().await;
    let body = |length: usize| {
        let form = "username=alice&password=x&flow=";
        format!("{form}{}", "x".repeat(length - form.len()))
    };
    assert_eq!(
        app.anonymous()
            .post_body("/login", body(16 * 1024 - 1))
            .await
            .status,
        401
    );
    assert_eq!(
        app.anonymous()
            .post_body("/login", body(16 * 1024))
            .await
            .status,
        401
    );
    for length in [16 * 1024 + 1, 32 * 1024, 8 * 1024 * 1024] {
        let answer = app.anonymous().post_body("/login", body(length)).await;
        assert_eq!(answer.status, 413, "{length}");
        assert!(answer.body.contains("larger than any of this service"));
    }
}

#[rocket::async_test]
async fn inp_03_many_nested_and_doubled_fields_are_refused_as_a_whole_and_at_once() {
    let app = TestApp::start().await;
    let wanted = "username=alice&password=x";
    let many: String = (0..1_500).map(|n| format!("&a{n}=")).collect();
    for (body, status) in [
        (format!("{wanted}{}", "&a=b".repeat(10_000)), 413),
        (format!("{wanted}{many}"), 422),
        (format!("{wanted}{}", "&a=".repeat(4_000)), 422),
        (format!("{wanted}&a{}=x", "[b]".repeat(1_000)), 422),
        (format!("{wanted}&username{}=x", "[b]".repeat(1_000)), 422),
        (format!("{wanted}&a{}=x", ".b".repeat(1_000)), 422),
        (format!("{wanted}&username=bob"), 422),
        (format!("{wanted}&user%6eame=bob"), 422),
        (format!("{wanted}&unknown=x"), 422),
        (format!("{}{wanted}", "&".repeat(10_000)), 401),
    ] {
        let started = Instant::now();
        let answer = app.anonymous().post_body("/login", &body).await;
        assert_eq!(answer.status, status, "{}", &body[..100.min(body.len())]);
        assert!(
            started.elapsed() < Duration::from_secs(1),
            "{}",
            &body[..100.min(body.len())]
        );
    }
}

/// Names are ASCII, for which there is one normal form; what else names people has no characters
/// that hide or turn it.
#[rocket::async_test]
async fn inp_04_names_hold_no_characters_that_hide() {
    let app = TestApp::start().await;
    let operator = Actor::operator();
    let password = Password::new(PASSWORD.to_owned());
    for hidden in [
        "\0", "\n", "\u{7f}", "\u{202e}", "\u{200b}", "\u{2066}", "\u{feff}", "\u{2028}", "\u{85}",
    ] {
        let name = format!("al{hidden}ice");
        for new in [
            NewUser {
                username: name.clone(),
                ..NewUser::default()
            },
            NewUser {
                username: "bob".to_owned(),
                display_name: Some(name.clone()),
                ..NewUser::default()
            },
            NewUser {
                username: "bob".to_owned(),
                email: Some(format!("{name}@example.com")),
                ..NewUser::default()
            },
            NewUser {
                username: "bob".to_owned(),
                groups: vec![name.clone()],
                ..NewUser::default()
            },
        ] {
            let made = users::create(&app.app, &operator, new.clone(), &password)
                .await
                .expect("a database");
            assert!(matches!(made, Err(users::Refused::Invalid(_))), "{new:?}");
        }
        let answer = app.anonymous().sign_in(&name, PASSWORD).await;
        assert!(
            [400, 401, 429].contains(&answer.status),
            "{name:?}: {}",
            answer.status
        );
        assert!(!answer.body.contains(&name), "{name:?} is not shown");
    }
}

#[rocket::async_test]
async fn inp_04_text_that_is_not_utf_8_is_refused() {
    let app = TestApp::start().await;
    let forms: [&[u8]; 8] = [
        b"username=al%00ice&password=x",
        b"username=%ff&password=x",
        b"username=%c0%af&password=x",
        b"username=%ed%a0%80&password=x",
        b"username=%f4%90%80%80&password=x",
        b"username=\xff&password=x",
        b"username=alice&password=%c3",
        b"username=alice&password=x&%fe=x",
    ];
    for form in forms {
        let answer = app.anonymous().post_body("/login", form).await;
        assert_eq!(answer.status, 400, "{}", form.escape_ascii());
    }
}

const INJECTIONS: [&str; 12] = [
    "' OR '1'='1",
    "' OR 1=1 --",
    "alice'--",
    "alice' /*",
    "'; DROP TABLE users; --",
    "' UNION SELECT password_hash FROM users --",
    "alice' AND (SELECT count(*) FROM users) > 0 AND '1'='1",
    "\" OR \"\"=\"",
    "$1",
    "?1",
    "%' OR username LIKE '%",
    "alice\\' OR 1=1 --",
];

#[rocket::async_test]
async fn inp_05_sql_in_a_field_is_text() {
    let app = TestApp::with("throttle.address_tries = 10000\nthrottle.account_tries = 10000").await;
    let mut alice = app.signed_in("alice").await;
    let code = app.setup_code().await;
    for sql in INJECTIONS {
        let quoted: String = url::form_urlencoded::byte_serialize(sql.as_bytes()).collect();
        for fields in [
            [("username", sql), ("password", PASSWORD)],
            [("username", "alice"), ("password", sql)],
        ] {
            assert_eq!(
                app.anonymous().post("/login", &fields).await.status,
                401,
                "{sql}"
            );
        }
        let fields = [("code", sql), ("username", "root"), ("password", PASSWORD)];
        assert_eq!(
            app.anonymous().post("/setup", &fields).await.status,
            403,
            "{sql}"
        );
        let fields = [
            ("code", code.as_str()),
            ("username", sql),
            ("password", PASSWORD),
        ];
        assert_eq!(
            app.anonymous().post("/setup", &fields).await.status,
            422,
            "{sql}"
        );
        assert_eq!(
            alice
                .post("/reauthenticate", &[("password", sql)])
                .await
                .status,
            403,
            "{sql}"
        );
        let mut cookie = app.anonymous();
        cookie
            .cookies
            .insert("__Host-vestibule".to_owned(), sql.to_owned());
        assert_eq!(cookie.session().await.status, 401, "{sql}");
        assert_eq!(
            app.anonymous()
                .get(&format!("/login?rd={quoted}&flow={quoted}"))
                .await
                .status,
            200
        );
        let mut agent = app.anonymous().at(sql);
        agent.user_agent = sql.to_owned();
        assert_eq!(agent.sign_in("alice", PASSWORD).await.status, 303);
        assert!(
            app.sql("SELECT user_agent FROM sessions")
                .await
                .contains(&sql.to_owned()),
            "kept as text"
        );
        let changes = Changes {
            display_name: Some(sql.to_owned()),
            ..Changes::default()
        };
        let changed = lifecycle::change(&app.app, &Actor::operator(), "alice", changes).await;
        assert_eq!(
            changed.expect("a database").expect("a user").display_name,
            sql.trim()
        );
    }
    assert_eq!(app.sql("SELECT username FROM users").await, ["alice"]);
}

/// sqlx takes SQL that is not a constant only where `AssertSqlSafe` says so.
#[test]
fn inp_05_sql_is_put_together_of_constants_but_for_names_that_are_quoted() {
    fn places(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                places(&path, found);
            } else if path.ends_with("tests.rs") {
                // As what stands below `#[cfg(test)]` in other files.
            } else if let Ok(source) = std::fs::read_to_string(&path) {
                let product = source.split("#[cfg(test)]").next().unwrap_or_default();
                let calls = product.matches("AssertSqlSafe(").count();
                found.extend(std::iter::repeat_n(path.display().to_string(), calls));
            }
        }
    }
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    places(&source, &mut found);
    found.sort();
    let names: Vec<&str> = found
        .iter()
        .filter_map(|path| path.rsplit_once("/src/"))
        .map(|(_, name)| name)
        .collect();
    assert_eq!(
        names,
        [
            "foundation/db/ask.rs",
            "foundation/db/copy/end.rs",
            "foundation/db/copy/end.rs",
            "foundation/db/copy/end.rs",
            "foundation/db/postgres/status.rs",
            "foundation/db/sqlite/copy.rs"
        ],
        "each place is looked at by a person, then listed here"
    );
}

async fn asked_of(app: &TestApp, hosts: &[&str]) -> (u16, String) {
    let mut headers: Vec<_> = hosts
        .iter()
        .map(|host| ("Host".to_owned(), (*host).to_owned()))
        .collect();
    headers.push(("X-Forwarded-Host".to_owned(), "evil.example".to_owned()));
    headers.push(("Accept".to_owned(), "text/html".to_owned()));
    let answer = app
        .anonymous()
        .send_only(Method::Get, "/account", &headers, "")
        .await;
    let everything = format!("{:?}{}", answer.headers, answer.body);
    (answer.status, everything)
}

#[rocket::async_test]
async fn inp_06_a_request_names_this_host_and_no_other() {
    let app = TestApp::start().await;
    for hosts in [
        [].as_slice(),
        &["evil.example"],
        &["auth.example.com", "auth.example.com"],
        &["auth.example.com", "evil.example"],
        &["evil.example", "auth.example.com"],
        &["auth.example.com.."],
        &["auth.example.com.:8443"],
        &["auth.example.com:8443"],
        &["auth.example.com, evil.example"],
        &["auth.example.com@evil.example"],
        &["evil.example#auth.example.com"],
        &["sub.auth.example.com"],
        &["127.0.0.1"],
        &[""],
    ] {
        let (status, everything) = asked_of(&app, hosts).await;
        assert_eq!(status, 421, "{hosts:?}");
        assert!(!everything.contains("evil"), "{hosts:?}: {everything}");
    }
    for host in [
        "auth.example.com",
        "AUTH.example.COM",
        "auth.example.com:443",
        "auth.example.com.",
        "auth.example.com.:443",
    ] {
        let (status, everything) = asked_of(&app, &[host]).await;
        assert_eq!(status, 303, "{host}");
        assert!(!everything.contains("evil"), "{everything}");
    }
}

/// A secret is never compared to what is stored: its SHA-256 is looked up. What the time of that
/// look-up tells is of a hash, and nobody can choose a secret by the beginning of its hash; so a
/// measurement could only find what is of no use.
#[rocket::async_test]
async fn inp_07_a_session_is_found_by_the_hash_of_its_secret() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    // The SHA-256 of 32 zero bytes.
    app.execute("UPDATE sessions SET token_hash = unhex('66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925')").await;
    assert_eq!(alice.session().await.status, 401);
    alice
        .cookies
        .insert("__Host-vestibule".to_owned(), "A".repeat(43));
    assert_eq!(alice.session().await.status, 200);
}

#[rocket::async_test]
async fn inp_07_of_the_set_up_code_only_a_hash_is_kept() {
    let app = TestApp::start().await;
    let code = Token::parse(&app.setup_code().await).expect("a code");
    assert_eq!(format!("{code:?}"), "Token(…)");
    let kept = app.dump().await.join("\n");
    assert!(kept.contains("setup: "), "{kept}");
    assert!(!kept.contains(&code.reveal()), "{kept}");
}

#[rocket::async_test]
async fn inp_08_at_the_edges_of_time_people_sign_in_and_pages_are_shown() {
    for time in [
        "1970-01-01T00:00:00Z",
        "2038-01-19T03:14:07Z",
        "2106-02-07T06:28:15Z",
        "9999-12-31T23:59:59Z",
    ] {
        let app = TestApp::at(time, "").await;
        let mut alice = app.signed_in("alice").await;
        let session = alice.session().await;
        assert_eq!(session.json()["session"]["created_at"], time);
        for path in ["/account", "/account/password", "/reauthenticate"] {
            assert_eq!(alice.get(path).await.status, 200, "{time} {path}");
        }
        app.anonymous().sign_in("alice", "not that password").await;
        app.wait(Duration::from_secs(3_600)).await;
        assert_eq!(alice.session().await.status, 200, "{time}");
        app.wait(Duration::from_secs(400 * 24 * 3_600)).await;
        assert_eq!(alice.session().await.status, 401, "{time}");
        assert_eq!(
            app.restarted()
                .await
                .sign_in_again("alice")
                .await
                .session()
                .await
                .status,
            200
        );
    }
}

#[test]
fn inp_08_durations_and_numbers_at_their_edges_are_refused_by_name() {
    use rocket::figment::Figment;
    use rocket::figment::providers::{Format, Toml};
    let long = format!("\"{}s\"", i64::MAX);
    let longer = format!("\"{}s\"", u64::MAX);
    let longest = format!("\"{}d\"", u64::MAX);
    for key in [
        "sessions.idle_timeout",
        "sessions.max_lifetime",
        "sessions.remember_idle_timeout",
        "sessions.remember_max_lifetime",
        "sessions.reauthenticate_after",
        "throttle.account_interval",
        "throttle.address_interval",
        "sessions.max_per_user",
        "passwords.memory_kib",
        "passwords.iterations",
        "passwords.hashing_threads",
        "passwords.min_length",
        "throttle.account_tries",
    ] {
        for value in [
            "\"0s\"",
            "\"-1s\"",
            "\"\"",
            "-1",
            "0",
            &i64::MAX.to_string(),
            "1.5",
            "nan",
            &long,
            &longer,
            &longest,
        ] {
            let text = format!("[default.vestibule]\n{key} = {value}");
            let read = vestibule::Settings::of_host(&Figment::from(Toml::string(&text).nested()));
            let told = read
                .err()
                .unwrap_or_else(|| panic!("{key} = {value} is refused"))
                .to_string();
            let name = key.rsplit('.').next().expect("a key");
            assert!(told.contains(name), "{key} = {value}: {told}");
        }
    }
}

/// Every spelling that Rocket may take for a path of somebody who is signed in.
#[rocket::async_test]
async fn inp_09_no_spelling_of_a_path_goes_round_its_guard() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    for path in [
        "/account",
        "/account/password",
        "/reauthenticate",
        "/api/session",
        "/admin",
        "/admin/users",
    ] {
        let rest = &path[1..];
        let (first, last) = rest.split_at(1);
        let encoded = format!("%{:02x}", first.as_bytes()[0]);
        for trick in [
            format!("//{rest}"),
            format!("/{encoded}{last}"),
            format!("/%2f{rest}"),
            format!("/x/..{path}"),
            format!("/login/..{path}"),
            format!("/login/..%2f{rest}"),
            format!("/login/%2e%2e{path}"),
            format!("/./{rest}"),
            format!("{path}/"),
            format!("{path}/."),
            format!("{path}/.."),
            format!("{path}/..%2f"),
            format!("{path}//"),
            format!("{path}%2f"),
            format!("{path};x"),
            format!("{path}%00"),
            format!("{path}%20"),
            format!("{path}.html"),
            format!("{path}?x=/login"),
            format!("/{}", rest.to_uppercase()),
        ] {
            let answer = app.anonymous().get(&trick).await;
            let to_sign_in =
                answer.status == 303 && answer.header("location").starts_with("/login");
            let refused = [400, 401, 404].contains(&answer.status);
            assert!(
                to_sign_in || refused,
                "{trick}: {} {:?}",
                answer.status,
                answer.headers
            );
            assert!(!answer.body.contains("alice"));
        }
    }
    assert_eq!(
        alice.get("/account").await.status,
        200,
        "and the right one is found"
    );
}

/// Deny by default: a route that is not named here asks who is there.
#[rocket::async_test]
async fn inp_09_each_route_that_is_open_to_anyone_is_named() {
    const OPEN: &[&str] = &[
        "GET /metrics",
        "GET /",
        "GET /healthz",
        "GET /readyz",
        "GET /.well-known/change-password",
        "GET /login",
        "POST /login",
        "POST /login/passkey",
        "GET /logout",
        "POST /logout",
        "GET /setup",
        "POST /setup",
        "GET /reset",
        "POST /reset",
        "GET /reset/<token>",
        "POST /reset/<token>",
        "GET /invitation/<token>",
        "POST /invitation/<token>",
        "GET /sign-up",
        "POST /sign-up",
        "GET /undo/<token>",
        "POST /undo/<token>",
        "GET /end-session/<token>",
        "POST /end-session/<token>",
        // For applications, which prove themselves who they are, and for the browsers that they send.
        "GET /.well-known/openid-configuration",
        "GET /.well-known/oauth-authorization-server",
        "GET /oauth/keys",
        "GET /oauth/authorize",
        "POST /oauth/authorize",
        "OPTIONS /oauth/token",
        "POST /oauth/token",
        "OPTIONS /oauth/userinfo",
        "GET /oauth/userinfo",
        "POST /oauth/userinfo",
        "POST /oauth/revoke",
        "POST /oauth/introspect",
        "GET /oauth/logout",
        "POST /oauth/logout",
        "POST /oauth/sign-out",
    ];
    let app = TestApp::start().await;
    let mut asked = 0;
    let routes = app.local.rocket().routes();
    for route in routes.filter(|route| !is_for_proxies(route.uri.path())) {
        let path = route.uri.path();
        let name = format!("{} {path}", route.method);
        if OPEN.contains(&name.as_str()) {
            continue;
        }
        let filled: String = path
            .split('/')
            .map(|part| if part.starts_with('<') { "x" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let mut visitor = app.anonymous();
        let answer = match route.method {
            Method::Get => visitor.get(&filled).await,
            Method::Post => visitor.post(&filled, &[]).await,
            other => panic!("{name}: only GET and POST, not {other}"),
        };
        asked += 1;
        let denied = answer.status == 401
            || answer.status == 303 && answer.header("location").starts_with("/login");
        assert!(
            denied,
            "{name} is for those who are signed in, or is named here: {}",
            answer.status
        );
    }
    assert!(asked >= 6, "{asked} routes");
}
