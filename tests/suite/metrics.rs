//! What Prometheus is told, and whom it is told to.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use rocket::http::Method;
use vestibule::people::passwords::Hasher;

use crate::support::{Answer, Client, PASSWORD, TestApp};

pub const TOKEN: &str = "metrics_token = \"a-token-for-metrics\"";
const BEARER: &str = "Bearer a-token-for-metrics";

pub async fn scrape(app: &TestApp) -> String {
    let answer = ask(&mut app.anonymous(), Some(BEARER)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

async fn ask(client: &mut Client, authorization: Option<&str>) -> Answer {
    // A scraper comes by another name than public_url's.
    let mut headers = vec![("Host", "127.0.0.1:8000")];
    headers.extend(authorization.map(|value| ("Authorization", value)));
    client.send(Method::Get, "/metrics", &headers, "").await
}

/// The value of one series.
pub fn value(text: &str, series: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("no {series} in {text}"))
}

fn denials(text: &str, reason: &str) -> f64 {
    value(
        text,
        &format!("vestibule_denials_total{{reason=\"{reason}\"}}"),
    )
}

#[rocket::async_test]
async fn without_a_token_in_the_settings_there_is_no_such_page() {
    let app = TestApp::start().await;
    assert_eq!(ask(&mut app.anonymous(), None).await.status, 404);
    assert_eq!(ask(&mut app.anonymous(), Some(BEARER)).await.status, 404);
    assert_eq!(ask(&mut app.anonymous(), Some("Bearer ")).await.status, 404);
}

#[rocket::async_test]
async fn only_the_token_opens_it() {
    let app = TestApp::with(TOKEN).await;
    for wrong in [
        None,
        Some(""),
        Some("Bearer"),
        Some("Bearer "),
        Some("Bearer a-token-for-metric"),
        Some("Bearer a-token-for-metricss"),
        Some("Bearer A-TOKEN-FOR-METRICS"),
        Some("Basic a-token-for-metrics"),
        Some("a-token-for-metrics"),
    ] {
        let answer = ask(&mut app.anonymous(), wrong).await;
        assert_eq!(answer.status, 401, "{wrong:?}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert!(!answer.body.contains("vestibule_"), "{}", answer.body);
    }
    let mut admin = app.admin().await;
    assert_eq!(ask(&mut admin, None).await.status, 401, "an admin's cookie");
    for right in [BEARER, "bearer a-token-for-metrics"] {
        let answer = ask(&mut app.anonymous(), Some(right)).await;
        assert_eq!(answer.status, 200);
        let kind = answer.header("content-type");
        assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[rocket::async_test]
async fn two_tokens_in_one_request_are_none() {
    let app = TestApp::with(TOKEN).await;
    let headers = [("Authorization", BEARER), ("Authorization", BEARER)];
    let answer = app
        .anonymous()
        .send(Method::Get, "/metrics", &headers, "")
        .await;
    assert_eq!(answer.status, 401);
}

/// (the reason, a request by its method, path and headers, its status)
type Denied<'a> = (&'a str, Method, &'a str, &'a [(&'a str, &'a str)], u16);

#[rocket::async_test]
async fn aud_07_each_denial_is_counted_once_by_its_reason() {
    let app = TestApp::with(TOKEN).await;
    let mut alice = app.signed_in("alice").await;
    let cookie = alice.token();
    let twice = format!("__Host-vestibule={cookie}; __Host-vestibule={cookie}");
    let form = "application/x-www-form-urlencoded";
    let before = scrape(&app).await;

    let foreign = [("Content-Type", form), ("Origin", "https://evil.example")];
    let other_host = [("Host", "evil.example")];
    let doubled = [("Cookie", twice.as_str())];
    let requests: [Denied; 5] = [
        ("csrf", Method::Post, "/logout", &foreign, 403),
        ("host", Method::Get, "/login", &other_host, 421),
        ("forbidden", Method::Get, "/admin", &[], 403),
        (
            "malformed",
            Method::Get,
            "/login",
            &[("Content-Type", form)],
            403,
        ),
        // The last: a browser forgets both.
        ("two_cookies", Method::Get, "/account", &doubled, 401),
    ];
    for (reason, method, path, headers, status) in requests {
        let answer = alice.send(method, path, headers, "").await;
        assert_eq!(answer.status, status, "{reason}: {}", answer.body);
    }
    let answer = app.anonymous().get("/account").await;
    assert_eq!(answer.status, 303, "sent to sign in");
    for tried in 0..6 {
        let status = app.anonymous().sign_in("bob", "not his").await.status;
        assert_eq!(status, if tried < 5 { 401 } else { 429 });
    }

    let after = scrape(&app).await;
    for reason in [
        "csrf",
        "host",
        "two_cookies",
        "forbidden",
        "malformed",
        "unauthenticated",
        "throttle",
    ] {
        let risen = denials(&after, reason) - denials(&before, reason);
        assert_eq!(risen, 1.0, "{reason}: {after}");
    }
    for reason in ["unavailable", "password_change_required"] {
        assert_eq!(denials(&after, reason), 0.0, "{reason}");
    }
}

#[rocket::async_test]
async fn aud_07_what_a_proxy_is_told_to_deny_is_counted() {
    let app = TestApp::with(TOKEN).await;
    app.site("app.example.com", "signed-in", &["deny /closed for anyone"])
        .await;
    let mut visitor = app.anonymous();
    for (url, reason) in [
        ("https://app.example.com/", "unauthenticated"),
        ("https://app.example.com/closed", "forbidden"),
        ("https://unknown.example.com/", "host"),
    ] {
        let before = scrape(&app).await;
        visitor.ask("GET", url, &[]).await;
        let after = scrape(&app).await;
        assert_eq!(
            denials(&after, reason) - denials(&before, reason),
            1.0,
            "{reason}"
        );
    }
}

#[rocket::async_test]
async fn aud_07_a_scraper_without_the_token_is_counted() {
    let app = TestApp::with(TOKEN).await;
    ask(&mut app.anonymous(), Some("Bearer wrong")).await;
    assert_eq!(denials(&scrape(&app).await, "unauthenticated"), 1.0);
}

#[rocket::async_test]
async fn what_nobody_is_denied_is_not_counted() {
    let app = TestApp::with(TOKEN).await;
    let mut browser = app.anonymous();
    for path in ["/login", "/", "/nothing-there", "/healthz"] {
        browser.get(path).await;
    }
    browser.session().await;
    let text = scrape(&app).await;
    let sum: f64 = text
        .lines()
        .filter(|line| line.starts_with("vestibule_denials_total"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert_eq!(sum, 0.0, "{text}");
}

#[rocket::async_test]
async fn aud_07_a_database_that_fails_is_counted_as_unavailable() {
    let app = TestApp::with(TOKEN).await;
    let mut alice = app.signed_in("alice").await;
    app.execute("ALTER TABLE memberships RENAME TO away").await;
    assert_eq!(alice.get("/account").await.status, 503);
    app.execute("ALTER TABLE away RENAME TO memberships").await;
    assert_eq!(denials(&scrape(&app).await, "unavailable"), 1.0);
}

#[rocket::async_test]
async fn sign_ins_are_counted_by_result() {
    let app = TestApp::with(TOKEN).await;
    app.signed_in("alice").await;
    for _ in 0..6 {
        app.anonymous().sign_in("bob", "not his").await;
    }
    let text = scrape(&app).await;
    let of = |result| {
        value(
            &text,
            &format!("vestibule_sign_ins_total{{result=\"{result}\"}}"),
        )
    };
    let counts = ["ok", "refused", "throttled", "failed"].map(of);
    assert_eq!(counts, [1.0, 5.0, 1.0, 0.0]);
}

#[rocket::async_test]
async fn sessions_and_hashes_are_told() {
    let app = TestApp::with(TOKEN).await;
    let mut alice = app.signed_in("alice").await;
    app.sign_in_again("alice").await;
    let text = scrape(&app).await;
    assert_eq!(value(&text, "vestibule_sessions_live"), 2.0);
    // One to make the user, one for each sign-in.
    assert_eq!(value(&text, "vestibule_password_hashes_total"), 3.0);
    assert_eq!(value(&text, "vestibule_password_hashes_queued"), 0.0);
    alice.post("/logout", &[]).await;
    assert_eq!(value(&scrape(&app).await, "vestibule_sessions_live"), 1.0);
}

#[rocket::async_test]
async fn hashes_that_wait_for_a_thread_are_told() {
    let app = TestApp::with(&format!("{TOKEN}\npasswords.hashing_threads = 1")).await;
    app.user("alice").await;
    let sign_in = || {
        let mut browser = app.anonymous();
        rocket::tokio::spawn(async move { browser.sign_in("alice", PASSWORD).await })
    };
    let computed = app.app.state::<Hasher>().computed();
    let mut tries = vec![sign_in()];
    while app.app.state::<Hasher>().computed() == computed {
        rocket::tokio::task::yield_now().await;
    }
    // The thread is busy with the first, so no more than these wait.
    tries.extend((0..3).map(|_| sign_in()));
    let mut most = 0.0;
    while tries.iter().any(|done| !done.is_finished()) {
        let queued = value(&scrape(&app).await, "vestibule_password_hashes_queued");
        most = f64::max(most, queued);
    }
    assert!((1.0..=3.0).contains(&most), "{most} waited");
}

#[rocket::async_test]
async fn the_databases_time_is_told_for_look_ups_and_writes() {
    let app = TestApp::with(TOKEN).await;
    let mut alice = app.signed_in("alice").await;
    let count = |text: &str, operation: &str| {
        value(
            text,
            &format!("vestibule_database_seconds_count{{operation=\"{operation}\"}}"),
        )
    };
    let before = scrape(&app).await;
    alice.get("/account").await;
    let between = scrape(&app).await;
    alice.post("/logout", &[]).await;
    let after = scrape(&app).await;
    assert_eq!(count(&between, "look_up") - count(&before, "look_up"), 1.0);
    assert_eq!(count(&between, "write") - count(&before, "write"), 0.0);
    assert_eq!(count(&after, "write") - count(&between, "write"), 1.0);
    let sum = "vestibule_database_seconds_sum{operation=\"write\"}";
    assert!(value(&after, sum) > value(&between, sum));
}

#[rocket::async_test]
async fn the_version_is_told() {
    let app = TestApp::with(TOKEN).await;
    let series = format!(
        "vestibule_build_info{{version=\"{}\"}}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(value(&scrape(&app).await, &series), 1.0);
}

#[rocket::async_test]
async fn a_token_is_hidden_wherever_settings_are_shown() {
    for arguments in [&["config", "show"][..], &["config", "show", "--json"]] {
        let output = vestibule(arguments, &[("VESTIBULE_METRICS_TOKEN", "0012345678")]);
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        assert!(
            told.contains("metrics_token") && told.contains("(hidden)"),
            "{told}"
        );
        assert!(!told.contains("12345678"), "{told}");
    }
    let app = TestApp::with(TOKEN).await;
    assert!(!format!("{:?}", app.app.settings).contains("a-token-for-metrics"));
}

#[test]
fn a_token_that_is_no_text_is_refused_without_being_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("Rocket.toml");
    for wrong in [
        "12345678",
        "[\"12345678\"]",
        "{ a = \"12345678\" }",
        "\"1234 5678\"",
        "\"\"",
    ] {
        let text = format!("[default.vestibule]\nmetrics_token = {wrong}\n");
        fs::write(&file, text).expect("a file");
        let file = file.to_str().expect("a path");
        let output = vestibule(&["--config", file, "config", "check"], &[]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{wrong}: {output:?}");
        assert!(told.contains("metrics_token"), "{wrong}: {told}");
        assert!(!told.contains("5678"), "{wrong}: {told}");
    }
}

#[rocket::async_test]
async fn a_token_can_come_from_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = token_file(folder.path(), "a-token-for-metrics\n", 0o640);
    let app = TestApp::with(&format!("metrics_token_file = \"{file}\"")).await;
    assert_eq!(ask(&mut app.anonymous(), Some(BEARER)).await.status, 200);
    assert_eq!(
        ask(&mut app.anonymous(), Some("Bearer x")).await.status,
        401
    );
}

#[test]
fn a_file_that_others_can_read_stops_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    for (file, why) in [
        (token_file(at, "a-token\n", 0o644), "others can read it"),
        (token_file(at, "", 0o600), "is empty"),
        (token_file(at, "\n", 0o600), "is empty"),
        (token_file(at, "a-token\n\n", 0o600), "holds something else"),
        (token_file(at, &"a".repeat(5_000), 0o600), "is longer"),
        (at.join("none").display().to_string(), "No such file"),
    ] {
        let given = [("VESTIBULE_METRICS_TOKEN_FILE", file.as_str())];
        let output = vestibule(&["serve"], &given);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{why}: {output:?}");
        assert!(told.contains("metrics_token_file"), "{told}");
        assert!(told.contains(why), "{why}: {told}");
        assert!(!told.contains("a-token"), "{told}");
    }
}

#[test]
fn a_token_and_a_file_of_one_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = token_file(folder.path(), "a-token", 0o600);
    let both = [
        ("VESTIBULE_METRICS_TOKEN", "another"),
        ("VESTIBULE_METRICS_TOKEN_FILE", file.as_str()),
    ];
    let output = vestibule(&["config", "check"], &both);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("metrics_token_file too"), "{told}");
}

/// A new file in `folder`; its address.
fn token_file(folder: &Path, text: &str, mode: u32) -> String {
    let file = folder.join(format!("{mode:o}-{}", text.len()));
    fs::write(&file, text).expect("a file");
    fs::set_permissions(&file, Permissions::from_mode(mode)).expect("its mode");
    file.display().to_string()
}

/// The binary in a folder of its own, with this environment and no other.
fn vestibule(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .current_dir(folder.path())
        .env_clear()
        .envs(environment.iter().copied())
        .args(arguments)
        .output()
        .expect("the binary runs")
}
