//! The audit trail: one record for each thing that happened, and nothing in it that harms its reader.

use std::process::Command;

use vestibule::account::lifecycle;
use vestibule::foundation::audit::{Actor, Entry, Filter, list, sanitize};
use vestibule::people::passwords::Password;
use vestibule::people::users::Changes;

use crate::support::{PASSWORD, TestApp, logged};

const ANOTHER: &str = "another long password";

async fn records(app: &TestApp) -> Vec<Entry> {
    let filter = Filter {
        limit: 10_000,
        ..Filter::default()
    };
    let mut records = list(app.app.db.reader(), &filter)
        .await
        .expect("a database");
    records.reverse();
    records
}

/// event, result, source, user, actor, address of each record, oldest first.
async fn told(app: &TestApp) -> Vec<String> {
    let tell = |entry: Entry| {
        let user = entry.username.unwrap_or_default();
        let by = entry.actor.unwrap_or_default();
        let address = entry.address.unwrap_or_default();
        format!(
            "{} {} {} {user} by {by} {address}",
            entry.event, entry.result, entry.source
        )
    };
    records(app).await.into_iter().map(tell).collect()
}

#[rocket::async_test]
async fn aud_01_whatever_a_person_does_gives_one_record() {
    let app = TestApp::start().await;
    let code = app.setup_code().await;
    let mut root = app.anonymous();
    let wrong = [("code", "x"), ("username", "root"), ("password", PASSWORD)];
    root.post("/setup", &wrong).await;
    let right = [
        ("code", code.as_str()),
        ("username", "root"),
        ("password", PASSWORD),
    ];
    root.post("/setup", &right).await;
    root.get("/account").await;
    root.post("/reauthenticate", &[("password", "not that password")])
        .await;
    root.post("/reauthenticate", &[("password", PASSWORD)])
        .await;
    root.post(
        "/account/password",
        &[
            ("current_password", "not that password"),
            ("new_password", ANOTHER),
        ],
    )
    .await;
    root.post(
        "/account/password",
        &[("current_password", PASSWORD), ("new_password", ANOTHER)],
    )
    .await;
    root.post("/logout", &[]).await;
    root.post("/logout", &[]).await;
    root.sign_in("root", ANOTHER).await;
    root.sign_in("ROOT", "not that password").await;
    assert_eq!(
        told(&app).await,
        [
            "setup refused web  by visitor 203.0.113.7",
            "setup ok web root by root 203.0.113.7",
            "reauthenticate refused web root by visitor 203.0.113.7",
            "reauthenticate ok web root by root 203.0.113.7",
            "password_change refused web root by visitor 203.0.113.7",
            "password_change ok web root by root 203.0.113.7",
            "sign_out ok web root by root 203.0.113.7",
            "sign_in ok web root by root 203.0.113.7",
            "sign_in refused web root by visitor 203.0.113.7",
        ]
    );
}

#[rocket::async_test]
async fn aud_01_whatever_an_operator_does_gives_one_record() {
    let app = TestApp::start().await;
    app.admin().await;
    app.user("alice").await;
    let (app_, operator) = (&app.app, Actor::operator());
    let password = Password::new(ANOTHER.to_owned());
    let join = Changes {
        add_groups: vec!["staff".to_owned()],
        ..Changes::default()
    };
    let before = told(&app).await.len();
    let done = [
        lifecycle::change(app_, &operator, "alice", join).await,
        lifecycle::set_password(app_, &operator, "alice", &password).await,
        lifecycle::disable(app_, &operator, "alice").await,
        lifecycle::enable(app_, &operator, "alice").await,
        lifecycle::delete(app_, &operator, "alice").await,
        // Refused ones change nothing and tell nothing.
        lifecycle::delete(app_, &operator, "alice").await,
        lifecycle::disable(app_, &operator, "admin").await,
    ];
    let worked = done
        .into_iter()
        .filter(|done| matches!(done, Ok(Ok(_))))
        .count();
    assert_eq!(worked, 5);
    assert_eq!(
        told(&app).await[before..],
        [
            "user_change ok cli alice by command line ",
            "password_set ok cli alice by command line ",
            "user_disable ok cli alice by command line ",
            "user_enable ok cli alice by command line ",
            "user_delete ok cli alice by command line ",
        ]
    );
    let detail = app
        .sql("SELECT detail FROM audit WHERE event = 'user_change'")
        .await;
    assert_eq!(detail, ["groups added: staff"]);
}

#[rocket::async_test]
async fn aud_01_each_revoked_session_gives_one_record() {
    let app = TestApp::start().await;
    app.signed_in("alice").await;
    app.sign_in_again("alice").await;
    app.signed_in("bob").await;
    let revoke = Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args([
            "session",
            "revoke",
            "--user",
            "alice",
            "--database",
            "sqlite:vestibule.db",
        ])
        .current_dir(app.folder.path())
        .env_clear()
        .output()
        .expect("the binary runs");
    assert!(
        revoke.status.success(),
        "{}",
        String::from_utf8_lossy(&revoke.stderr)
    );
    let told: Vec<_> = records(&app)
        .await
        .into_iter()
        .filter(|entry| entry.event == "session_revoke")
        .collect();
    let mut ids: Vec<_> = told
        .iter()
        .map(|entry| entry.session_id.expect("whose").to_string())
        .collect();
    ids.sort();
    let query = "SELECT lower(substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-' || substr(h, 13, 4) || '-' || substr(h, 17, 4) || '-' || substr(h, 21))
                 FROM (SELECT hex(id) AS h FROM sessions WHERE end_reason = 'revoked' ORDER BY id)";
    assert_eq!(app.sql(query).await, ids);
    assert_eq!(ids.len(), 2);
    assert!(
        told.iter()
            .all(|entry| entry.username.as_deref() == Some("alice") && entry.source == "cli")
    );
}

#[rocket::async_test]
async fn aud_01_running_out_of_tries_gives_one_record() {
    let app = TestApp::start().await;
    app.user("alice").await;
    for _ in 0..8 {
        app.anonymous().sign_in("alice", "not that password").await;
    }
    let told = told(&app).await;
    let count = |event: &str| told.iter().filter(|line| line.starts_with(event)).count();
    assert_eq!(
        (count("sign_in refused"), count("throttle ok")),
        (5, 1),
        "{told:#?}"
    );
}

#[rocket::async_test]
async fn aud_01_a_record_has_its_time_in_utc_and_its_session() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let session = alice.session().await.json();
    let record = records(&app).await.pop().expect("a record");
    let record = serde_json::to_value(&record).expect("JSON");
    assert_eq!(record["at"], "2026-11-24T12:00:00Z");
    assert_eq!(record["event"], "sign_in");
    assert_eq!(record["session_id"], session["session"]["id"]);
    assert_eq!(record["user_id"], session["user"]["id"]);
    assert_eq!(record["address"], "203.0.113.7");
}

/// Nothing of a change without its record, whichever of the two cannot be written.
#[rocket::async_test]
async fn aud_02_a_change_and_its_record_are_there_together_or_not_at_all() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let state = async || {
        app.sql(
            "SELECT quote(password_hash) || quote(disabled_at) || (SELECT count(*) FROM audit) || (SELECT count(*) FROM sessions)
                    || (SELECT count(*) FROM sessions WHERE ended_at IS NULL) || (SELECT count(*) FROM throttle) FROM users",
        )
        .await
    };
    let before = state().await;
    app.execute(
        "CREATE TRIGGER no_record BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'broken'); END",
    )
    .await;
    let change = [("current_password", PASSWORD), ("new_password", ANOTHER)];
    for (path, fields) in [
        (
            "/login",
            [("username", "alice"), ("password", PASSWORD)].as_slice(),
        ),
        (
            "/login",
            &[("username", "alice"), ("password", "not that password")],
        ),
        ("/reauthenticate", &[("password", PASSWORD)]),
        ("/account/password", &change),
        ("/logout", &[]),
    ] {
        assert_eq!(alice.post(path, fields).await.status, 503, "{path}");
        assert_eq!(state().await, before, "{path}");
    }
    assert!(
        lifecycle::disable(&app.app, &Actor::operator(), "alice")
            .await
            .is_err()
    );
    assert!(
        lifecycle::delete(&app.app, &Actor::operator(), "alice")
            .await
            .is_err()
    );
    assert_eq!(state().await, before);
    app.execute("DROP TRIGGER no_record").await;
    app.execute("CREATE TRIGGER no_session BEFORE INSERT ON sessions BEGIN SELECT RAISE(ABORT, 'broken'); END").await;
    app.execute(
        "CREATE TRIGGER no_user BEFORE UPDATE ON users BEGIN SELECT RAISE(ABORT, 'broken'); END",
    )
    .await;
    assert_eq!(app.anonymous().sign_in("alice", PASSWORD).await.status, 503);
    assert_eq!(alice.post("/account/password", &change).await.status, 503);
    assert!(
        lifecycle::disable(&app.app, &Actor::operator(), "alice")
            .await
            .is_err()
    );
    assert_eq!(state().await, before);
    assert_eq!(alice.session().await.status, 200);
}

#[test]
fn aud_03_text_from_outside_is_one_line_of_bounded_length() {
    let tamed = sanitize(
        "a\nb\rc\u{1b}[2Jd\u{2028}e\u{2029}f\u{202e}g\u{85}h\u{9b}i\u{200b}j\u{0}k\u{7f}l\u{feff}m\u{2066}n",
    );
    assert!(
        tamed
            .chars()
            .all(|c| c.is_ascii_graphic() || c == '\u{fffd}'),
        "{tamed}"
    );
    assert!(
        tamed.starts_with("a\u{fffd}b\u{fffd}c\u{fffd}[2Jd\u{fffd}e"),
        "{tamed}"
    );
    assert_eq!(sanitize(&"ä".repeat(64 * 1024)).chars().count(), 512);
}

#[rocket::async_test]
async fn aud_03_nobody_writes_lines_of_their_own_into_records_and_log() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let forged = "zzq\nevent=\"sign_in\" result=\"ok\" user=\"zzq-root\"\r\u{1b}[2J\u{2028}";
    let ((), log) = logged(async {
        for name in [forged.to_owned(), format!("zzq{}", "x".repeat(15_000))] {
            app.anonymous().sign_in(&name, "not that password").await;
        }
        let mut client = app.anonymous();
        client.user_agent = format!("{forged}{}", "x".repeat(64 * 1024));
        client.sign_in("alice", PASSWORD).await;
    })
    .await;
    let shown = app.sql("SELECT user_agent FROM sessions").await.concat()
        + &app.sql("SELECT quote(username) || quote(actor) || quote(address) || quote(detail) FROM audit").await.concat();
    assert!(
        !shown.chars().any(|c| c.is_control() || c == '\u{2028}'),
        "{shown}"
    );
    assert!(shown.len() < 3_000, "{} bytes", shown.len());
    assert_eq!(
        app.sql("SELECT event FROM audit WHERE event = 'sign_in'")
            .await
            .len(),
        3,
        "one record a try"
    );
    assert!(
        log.contains("event=\"sign_in\""),
        "there is a log to look at"
    );
    assert!(
        !log.contains("zzq"),
        "what nobody is called is not repeated"
    );
    assert!(!log.contains('\u{1b}'));
}

#[rocket::async_test]
async fn aud_05_a_password_in_the_wrong_field_is_not_kept() {
    let app = TestApp::start().await;
    let canary = "canary-77c2-typed-too-early";
    let ((), log) = logged(async {
        app.anonymous().sign_in(canary, "x").await;
        app.anonymous().sign_in(&canary.to_uppercase(), "x").await;
    })
    .await;
    let names = app.sql("SELECT username FROM audit").await;
    assert!(
        names
            .iter()
            .all(|name| name.starts_with("unknown (") && name.len() == 18),
        "{names:?}"
    );
    assert!(log.contains("unknown ("), "there is a log to look at");
    assert!(!log.to_lowercase().contains(canary));
    let folder = app.folder.clone();
    app.app.close().await;
    for file in std::fs::read_dir(folder.path()).expect("a folder") {
        let path = file.expect("a file").path();
        let bytes = std::fs::read(&path).expect("a file").to_ascii_lowercase();
        let found = bytes
            .windows(canary.len())
            .any(|window| window == canary.as_bytes());
        assert!(!found, "{}", path.display());
    }
}
