//! What the service keeps in memory of the database: that it is used, and that it is never older than
//! what was acknowledged.
use std::pin::pin;
use std::time::{Duration, Instant};

use rocket::futures::future::{Either, select};
use rocket::http::Method;
use rocket::tokio::task::yield_now;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;
use vestibule::foundation::db::ACKNOWLEDGE_AFTER;
use vestibule::people::users::Changes;
use vestibule::sessions::write_last_uses;
use vestibule::sites::policy;

use crate::support::proxy::{Person, rule};
use crate::support::{Client, PASSWORD, TestApp};

const TOKEN: &str = "metrics_token = \"a-token-for-metrics\"";

async fn started() -> TestApp {
    TestApp::with(TOKEN).await
}

/// How often the database was asked for a session, or was written to.
async fn count(app: &TestApp, operation: &str) -> u64 {
    let bearer = [("Authorization", "Bearer a-token-for-metrics")];
    let answer = app
        .anonymous()
        .send(Method::Get, "/metrics", &bearer, "")
        .await;
    let series = format!("vestibule_database_seconds_count{{operation=\"{operation}\"}} ");
    let count = answer
        .body
        .lines()
        .find_map(|line| line.strip_prefix(&series));
    count
        .and_then(|count| count.parse().ok())
        .unwrap_or_else(|| panic!("{}", answer.body))
}

/// Asks until the answer comes out of memory.
async fn warm(app: &TestApp, client: &mut Client) {
    let mut client = client.clone();
    until_warm(app, async || client.session().await.status).await;
}

/// The same at a protected site.
async fn warm_at_site(app: &TestApp, person: &Person, page: &str) {
    let mut there = person.there.clone();
    until_warm(app, async || there.ask("GET", page, &[]).await.status).await;
}

async fn until_warm(app: &TestApp, mut ask: impl AsyncFnMut() -> u16) {
    loop {
        let before = count(app, "look_up").await;
        assert_eq!(ask().await, 200);
        if count(app, "look_up").await == before {
            return;
        }
        yield_now().await;
    }
}

/// A change by nobody of us: with another connection, as sqlite3 or a script makes it.
async fn change_by_hand(app: &TestApp, statement: &'static str) {
    let options = SqliteConnectOptions::new().filename(app.folder.path().join("vestibule.db"));
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .expect("a database");
    sqlx::query(statement)
        .execute(&mut connection)
        .await
        .expect("a statement");
    connection.close().await.expect("a close");
}

#[rocket::async_test]
async fn a_session_is_read_once_while_nothing_changes() {
    let app = started().await;
    let mut alice = app.signed_in("alice").await;
    warm(&app, &mut alice).await;
}

#[rocket::async_test]
async fn a_change_by_hand_holds_as_soon_as_the_command_line_would_say_done() {
    let app = started().await;
    let mut alice = app.signed_in("alice").await;
    for _ in 0..5 {
        warm(&app, &mut alice).await;
        change_by_hand(&app, "UPDATE users SET disabled_at = 1").await;
        let changed = Instant::now();
        // Memory is wanted all the while.
        while changed.elapsed() < ACKNOWLEDGE_AFTER {
            alice.session().await;
        }
        assert_eq!(alice.session().await.status, 401);
        change_by_hand(&app, "UPDATE users SET disabled_at = NULL").await;
    }
}

#[rocket::async_test]
async fn a_protected_site_hears_of_a_sign_out_and_of_a_rule_at_once() {
    let app = started().await;
    let page = "https://app.example.com/page";
    let site = app.site("app.example.com", "signed-in", &[]).await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter(page).await;
    let mut bob = Person::signed_in(&app, "bob").await;
    bob.enter(page).await;
    warm_at_site(&app, &alice, page).await;
    warm_at_site(&app, &bob, page).await;
    // Her cookie is good for this host alone, in memory too.
    app.site("other.example.com", "signed-in", &[]).await;
    warm_at_site(&app, &alice, page).await;
    let elsewhere = alice
        .there
        .ask("GET", "https://other.example.com/", &[])
        .await;
    assert_eq!(elsewhere.status, 401);
    assert_eq!(alice.here.post("/logout", &[]).await.status, 303);
    assert_eq!(alice.there.ask("GET", page, &[]).await.status, 401);
    warm_at_site(&app, &bob, page).await;
    let actor = Actor::operator();
    let deny = policy::add_rule(
        &app.app,
        &actor,
        site.id,
        rule("deny /* for anyone"),
        None,
        None,
    );
    deny.await.expect("a database").expect("a rule");
    assert_eq!(bob.there.ask("GET", page, &[]).await.status, 403);
}

/// A secret of a protected host is no session token, though both are found in one memory.
#[rocket::async_test]
async fn a_secret_of_a_site_signs_nobody_in_at_the_sign_in_host() {
    let app = started().await;
    let page = "https://app.example.com/page";
    app.site("app.example.com", "signed-in", &[]).await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter(page).await;
    warm_at_site(&app, &alice, page).await;
    let mut thief = app.anonymous();
    let secret = alice.there.cookies["__Host-vestibule-site"].clone();
    thief.cookies.insert("__Host-vestibule".to_owned(), secret);
    assert_eq!(thief.session().await.status, 401);
    let mut visitor = app.anonymous();
    let token = alice.here.cookies["__Host-vestibule"].clone();
    visitor
        .cookies
        .insert("__Host-vestibule-site".to_owned(), token);
    assert_eq!(visitor.ask("GET", page, &[]).await.status, 401);
}

#[rocket::async_test]
async fn what_changes_no_session_leaves_memory_as_it_is() {
    let app = started().await;
    let mut alice = app.signed_in("alice").await;
    app.user("bob").await;
    warm(&app, &mut alice).await;
    let emptied = app.app.db.cache().times_cleared();
    app.sign_in_again("bob").await;
    let wrong = app.anonymous().sign_in("bob", "a wrong password").await;
    assert_eq!(wrong.status, 401);
    app.wait(Duration::from_secs(120)).await;
    assert_eq!(alice.session().await.status, 200);
    write_last_uses(&app.app).await.expect("a write");
    assert!(app.app.db.is_writable().await);
    app.sweep().await;
    assert_eq!(app.app.db.cache().times_cleared(), emptied);
}

#[rocket::async_test]
async fn a_sign_out_is_forgotten_alone() {
    let app = started().await;
    let mut alice = app.signed_in("alice").await;
    let mut bob = app.signed_in("bob").await;
    warm(&app, &mut alice).await;
    warm(&app, &mut bob).await;
    let emptied = app.app.db.cache().times_cleared();
    assert_eq!(alice.clone().post("/logout", &[]).await.status, 303);
    assert_eq!(alice.session().await.status, 401);
    assert_eq!(app.app.db.cache().times_cleared(), emptied);
}

#[rocket::async_test]
async fn a_use_that_was_written_is_not_noted_again() {
    let app = started().await;
    let mut alice = app.signed_in("alice").await;
    warm(&app, &mut alice).await;
    app.clock.advance(Duration::from_secs(120));
    warm(&app, &mut alice).await;
    write_last_uses(&app.app).await.expect("a write");
    let written = count(&app, "write").await;
    warm(&app, &mut alice).await;
    write_last_uses(&app.app).await.expect("a write");
    assert_eq!(count(&app, "write").await, written);
}

#[rocket::async_test]
async fn a_use_of_a_session_that_has_signed_out_is_not_written() {
    let app = started().await;
    let mut alice = app.signed_in("alice").await;
    app.clock.advance(Duration::from_secs(120));
    assert_eq!(alice.session().await.status, 200);
    assert_eq!(alice.post("/logout", &[]).await.status, 303);
    let written = count(&app, "write").await;
    write_last_uses(&app.app).await.expect("a write");
    assert_eq!(count(&app, "write").await, written);
}

/// Begins to disable a user, and gives up the wait at one moment after the other. Whatever came of it
/// is what the next request meets.
#[rocket::async_test]
async fn a_commit_that_nobody_waits_for_is_not_missed() {
    let app = started().await;
    app.user("alice").await;
    let began = Instant::now();
    let mut done_unseen = 0;
    let mut polls = 0;
    loop {
        let mut alice = app.many_signed_in("alice", 1).await.remove(0);
        warm(&app, &mut alice).await;
        let actor = Actor::operator();
        let finished = {
            let disabling = pin!(lifecycle::disable(&app.app, &actor, "alice"));
            matches!(
                select(disabling, pin!(some_turns(polls))).await,
                Either::Left(_)
            )
        };
        // Until nothing of it is under way.
        drop(app.app.db.begin().await.expect("a turn"));
        let disabled = app
            .sql("SELECT count(disabled_at) || '' FROM users WHERE username = 'alice'")
            .await;
        let disabled = disabled == ["1"];
        let expected = if disabled { 401 } else { 200 };
        assert_eq!(
            alice.session().await.status,
            expected,
            "after {polls} turns"
        );
        done_unseen += usize::from(disabled && !finished);
        if finished && done_unseen > 0 {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "no commit was given up while it happened"
        );
        let _ = lifecycle::enable(&app.app, &actor, "alice").await;
        polls = if finished { 0 } else { polls + 1 + polls / 8 };
    }
}

async fn some_turns(turns: usize) {
    for _ in 0..turns {
        yield_now().await;
    }
}

#[rocket::async_test]
async fn a_new_password_is_not_taken_for_a_change_of_another_user() {
    let app = started().await;
    let mut alice = app.signed_in("alice").await;
    warm(&app, &mut alice).await;
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", "a much better secret"),
    ];
    let mut other = app.sign_in_again("alice").await;
    assert_eq!(other.post("/account/password", &fields).await.status, 303);
    assert_eq!(alice.session().await.status, 401);
}

#[rocket::async_test]
async fn a_change_of_a_user_or_of_a_rule_is_forgotten_alone() {
    let app = started().await;
    let page = "https://app.example.com/page";
    let site = app.site("app.example.com", "signed-in", &[]).await;
    let mut alice = Person::signed_in(&app, "alice").await;
    alice.enter(page).await;
    app.user("bob").await;
    warm_at_site(&app, &alice, page).await;
    let cleared = app.app.db.cache().times_cleared();
    let changes = Changes {
        display_name: Some("Robert".to_owned()),
        add_groups: vec!["staff".to_owned()],
        ..Changes::default()
    };
    let actor = Actor::operator();
    let changed = lifecycle::change(&app.app, &actor, "bob", changes).await;
    changed.expect("a database").expect("a change");
    let rule = rule("allow /open for anyone");
    let added = policy::add_rule(&app.app, &actor, site.id, rule, None, None).await;
    added.expect("a database").expect("a rule");
    // For a moment, what is in memory is answered.
    app.app.db.ask().await.expect("a database");
    let asked = count(&app, "look_up").await;
    assert_eq!(alice.here.session().await.status, 200);
    assert_eq!(count(&app, "look_up").await, asked);
    assert_eq!(app.app.db.cache().times_cleared(), cleared);
}

#[rocket::async_test]
async fn a_changed_user_is_another_at_the_next_check() {
    let app = started().await;
    let mut alice = app.signed_in("alice").await;
    warm(&app, &mut alice).await;
    let changes = Changes {
        display_name: Some("Alice Liddell".to_owned()),
        ..Changes::default()
    };
    let changed = lifecycle::change(&app.app, &Actor::operator(), "alice", changes).await;
    changed.expect("a database").expect("a change");
    let answer = alice.session().await;
    assert!(answer.body.contains("Alice Liddell"), "{}", answer.body);
}

/// The control of what is held above: a change that no trigger tells of is not seen, unless the database happens to be
/// asked.
#[rocket::async_test]
async fn a_change_that_leaves_no_invalidation_is_missed() {
    let app = started().await;
    let mut alice = app.signed_in("alice").await;
    app.execute("DROP TRIGGER users_changed").await;
    let mut missed = 0;
    for _ in 0..20 {
        warm(&app, &mut alice).await;
        change_by_hand(&app, "UPDATE users SET disabled_at = 1").await;
        let changed = Instant::now();
        while changed.elapsed() < ACKNOWLEDGE_AFTER {
            alice.session().await;
        }
        missed += usize::from(alice.session().await.status == 200);
        change_by_hand(&app, "UPDATE users SET disabled_at = NULL").await;
        if missed > 0 {
            return;
        }
    }
    panic!("seen each time");
}

#[rocket::async_test]
async fn with_no_room_for_sessions_the_database_is_asked_each_time() {
    let app = TestApp::with(&format!("{TOKEN}\n[default.vestibule.cache]\nentries = 0")).await;
    let mut alice = app.signed_in("alice").await;
    let asked = count(&app, "look_up").await;
    for _ in 0..3 {
        assert_eq!(alice.session().await.status, 200);
    }
    assert_eq!(count(&app, "look_up").await, asked + 3);
}
