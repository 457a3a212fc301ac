//! Signing up without an invitation, where no mail is sent.

use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;

use crate::support::{Answer, Client, PASSWORD, TestApp, refused_settings};

const OPEN: &str = "accounts.sign_up = \"open\"";
const APPROVAL: &str = "accounts.sign_up = \"approval\"";

async fn sign_up(client: &mut Client, username: &str) -> Answer {
    let fields = [("username", username), ("new_password", PASSWORD)];
    client.post("/sign-up", &fields).await
}

#[rocket::async_test]
async fn nobody_signs_up_unless_the_settings_say_so() {
    let app = TestApp::start().await;
    assert_eq!(app.anonymous().get("/sign-up").await.status, 404);
    assert_eq!(sign_up(&mut app.anonymous(), "bob").await.status, 404);
    let page = app.anonymous().get("/login").await;
    assert!(!page.body.contains("/sign-up"));
}

#[rocket::async_test]
async fn where_it_is_open_a_visitor_makes_an_account_and_is_signed_in() {
    let app = TestApp::with(OPEN).await;
    let mut bob = app.anonymous();
    assert!(bob.get("/login").await.body.contains("href=\"/sign-up\""));
    assert_eq!(bob.get("/sign-up").await.status, 200);
    let fields = [
        ("username", "bob"),
        ("new_password", PASSWORD),
        ("email", "bob@example.com"),
    ];
    let made = bob.post("/sign-up", &fields).await;
    assert_eq!((made.status, made.header("location")), (303, "/account"));
    assert_eq!(bob.session().await.status, 200);
    let user = app.user("bob").await;
    assert_eq!(user.email.as_deref(), Some("bob@example.com"));
    assert!(!user.email_verified && !user.admin && user.groups.is_empty());
    let records = app
        .sql("SELECT username FROM audit WHERE event = 'sign_up'")
        .await;
    assert_eq!(records, ["bob"]);
}

#[rocket::async_test]
async fn no_right_comes_with_a_form() {
    let app = TestApp::with(OPEN).await;
    for extra in [
        ("admin", "on"),
        ("groups", "admins"),
        ("display_names", "x"),
    ] {
        let fields = [("username", "bob"), ("new_password", PASSWORD), extra];
        let answer = app.anonymous().post("/sign-up", &fields).await;
        assert_eq!(answer.status, 422, "{extra:?}");
    }
    assert_eq!(app.sql("SELECT username FROM users").await, [""; 0]);
}

#[rocket::async_test]
async fn one_address_makes_few_accounts() {
    let app = TestApp::with(OPEN).await;
    let mut statuses = Vec::new();
    for n in 0..7 {
        let made = sign_up(&mut app.anonymous(), &format!("guest-{n}")).await;
        statuses.push(made.status);
    }
    assert_eq!(statuses, [303, 303, 303, 303, 303, 429, 429]);
    let mut elsewhere = app.anonymous().at("198.51.100.9");
    assert_eq!(sign_up(&mut elsewhere, "bob").await.status, 303);
}

#[rocket::async_test]
async fn an_admin_approves_whoever_waits() {
    let app = TestApp::with(APPROVAL).await;
    let mut admin = app.admin().await;
    assert!(!admin.get("/admin").await.body.contains("for your approval"));
    let mut bob = app.anonymous();
    let made = sign_up(&mut bob, "bob").await;
    assert_eq!(
        (made.status, made.header("location")),
        (303, "/sign-up?waiting")
    );
    assert!(bob.get("/sign-up?waiting").await.body.contains("approved"));
    assert_eq!(bob.session().await.status, 401);
    assert_eq!(bob.sign_in("bob", PASSWORD).await.status, 401);
    let overview = admin.get("/admin").await;
    assert!(
        overview.body.contains("1 new user waits"),
        "{}",
        overview.body
    );
    let users = admin.get("/admin/users").await;
    assert!(users.body.contains("Waiting for approval"));
    let path = format!("/admin/users/{}/enable", app.user("bob").await.id);
    assert_eq!(admin.post(&path, &[]).await.status, 303);
    assert_eq!(bob.sign_in("bob", PASSWORD).await.status, 303);
    assert!(
        bob.get("/account")
            .await
            .body
            .contains("approved your account")
    );
    assert!(!admin.get("/admin").await.body.contains("for your approval"));
    let users = admin.get("/admin/users").await;
    assert!(!users.body.contains("Waiting for approval"));
}

#[rocket::async_test]
async fn whoever_is_deleted_waits_no_more_and_being_disabled_is_no_waiting() {
    let app = TestApp::with(APPROVAL).await;
    let mut admin = app.admin().await;
    sign_up(&mut app.anonymous(), "bob").await;
    let deleted = lifecycle::delete(&app.app, &Actor::operator(), "bob").await;
    deleted.expect("a database").expect("a user");
    app.user("alice").await;
    let disabled = lifecycle::disable(&app.app, &Actor::operator(), "alice").await;
    disabled.expect("a database").expect("a user");
    assert!(!admin.get("/admin").await.body.contains("for your approval"));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    for (value, told) in [
        ("\"perhaps\"", "off, open, approval or a list"),
        ("true", "off, open, approval or a list"),
        ("[]", "lists no domain"),
        ("[\"example.com\"]", "needs mail.host"),
        ("[\"exa mple\"]", "is no domain"),
        ("[\"@example.com\"]", "is no domain"),
        ("[\"com\"]", "is no domain"),
    ] {
        let why = refused_settings(&format!("accounts.sign_up = {value}"));
        assert!(why.contains("accounts.sign_up"), "{value}: {why}");
        assert!(why.contains(told), "{value}: {why}");
    }
}
