//! What the server logs: one line for each thing that happened, and no secret.

use super::{Machine, Server};
use crate::support::PASSWORD;

/// Somebody signs in, mistypes, looks around, signs out.
fn an_ordinary_day(machine: &Machine) {
    let mut browser = machine.signed_in("alice");
    for path in [
        "/account",
        "/account/sessions",
        "/api/session",
        "/login",
        "/healthz",
        "/nowhere",
    ] {
        browser.get(path);
    }
    machine.anonymous().sign_in("alice", "not the password");
    browser.post("/logout", &[]);
}

fn log_of(machine: &Machine, day: impl FnOnce(&Server)) -> Vec<String> {
    machine.add_user("alice", &["--admin"]);
    let mut server = machine.start();
    day(&server);
    server.stop();
    // A first start says that it has made the key.
    let lines = server.err();
    let lines = lines.lines().filter(|line| !line.contains("made the key"));
    lines.map(str::to_owned).collect()
}

#[test]
fn one_line_is_logged_for_each_sign_in_and_none_for_an_ordinary_request() {
    let machine = Machine::new();
    let lines = log_of(&machine, |_| an_ordinary_day(&machine));
    let of = |words: &str| lines.iter().filter(|line| line.contains(words)).count();
    assert_eq!(
        of("event=\"sign_in\" result=\"ok\" user=\"alice\""),
        1,
        "{lines:#?}"
    );
    assert_eq!(
        of("event=\"sign_in\" result=\"refused\" user=\"alice\""),
        1,
        "{lines:#?}"
    );
    assert_eq!(
        of("event=\"sign_out\" result=\"ok\" user=\"alice\""),
        1,
        "{lines:#?}"
    );
    assert_eq!(of("stopped"), 1, "{lines:#?}");
    assert_eq!(lines.len(), 4, "{lines:#?}");
}

#[test]
fn json_logs_are_json_to_the_last_line() {
    let machine = Machine::new().set("VESTIBULE_LOG_FORMAT", "json");
    let lines = log_of(&machine, |_| an_ordinary_day(&machine));
    let lines: Vec<serde_json::Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert_eq!(lines.len(), 4);
    let sign_in = &lines[0];
    assert_eq!(
        (&sign_in["event"], &sign_in["user"]),
        (&"sign_in".into(), &"alice".into())
    );
    assert_eq!(
        (&sign_in["result"], &sign_in["address"]),
        (&"ok".into(), &"127.0.0.1".into())
    );
    assert!(
        sign_in["timestamp"]
            .as_str()
            .is_some_and(|time| time.ends_with('Z'))
    );
}

#[test]
fn a_quieter_level_leaves_out_what_went_well() {
    let machine = Machine::new().set("VESTIBULE_LOG_LEVEL", "warn");
    let lines = log_of(&machine, |_| an_ordinary_day(&machine));
    assert_eq!(lines, [""; 0]);
}

#[test]
fn aud_04_no_level_logs_a_password_a_cookie_or_a_code() {
    let machine = Machine::new()
        .set("VESTIBULE_LOG_LEVEL", "trace")
        .set("RUST_LOG", "trace");
    let mut server = machine.start();
    let code = server.setup_code();
    let mut owner = machine.anonymous();
    let mut secrets = vec!["canary".to_owned(), code.clone()];
    let first = [
        ("code", code.as_str()),
        ("username", "owner"),
        ("password", "canary in the coal mine"),
    ];
    assert_eq!(owner.post("/setup", &first).status, 303);
    secrets.push(owner.token().to_owned());
    assert_eq!(
        machine
            .anonymous()
            .sign_in("owner", "a wrong canary sang here")
            .status,
        401
    );
    assert_eq!(
        machine
            .anonymous()
            .sign_in("canary in the coal mine", PASSWORD)
            .status,
        401
    );
    assert_eq!(
        owner
            .post(
                "/reauthenticate",
                &[("password", "canary in the coal mine")]
            )
            .status,
        303
    );
    secrets.push(owner.token().to_owned());
    let change = [
        ("current_password", "canary in the coal mine"),
        ("new_password", "another canary in the mine"),
    ];
    assert_eq!(owner.post("/account/password", &change).status, 303);
    secrets.push(owner.token().to_owned());
    assert_eq!(owner.get("/account").status, 200);
    owner.get(&format!("/setup?code={code}"));
    owner.send(
        "POST",
        "/login",
        "Origin: https://evil.example\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        "username=owner&password=canary",
    );
    owner.send(
        "GET",
        "/api/session",
        "Cookie: vestibule=canary; vestibule=canary\r\n",
        "",
    );
    server.stop();
    let (out, err) = (server.out(), server.err());
    assert!(
        err.contains("password_change") && err.contains("two session cookies"),
        "there is a log to look through: {err}"
    );
    for secret in &secrets {
        assert!(
            !secret.is_empty() && !err.contains(secret.as_str()),
            "{secret} in {err}"
        );
    }
    // The link that the operator is given is the one place for the code.
    assert_eq!(out.matches(&code).count(), 1);
    assert!(!out.contains("canary"));
}
