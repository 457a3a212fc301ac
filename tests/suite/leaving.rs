//! One's own data as a file, and the end of one's own account.

use std::time::Duration;

use vestibule::people::users::NewUser;

use crate::support::{PASSWORD, TestApp};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const WITH_GRACE: &str = "accounts.delete_own = \"14d\"\n";

async fn users(app: &TestApp) -> Vec<String> {
    app.sql("SELECT username FROM users ORDER BY username")
        .await
}

#[rocket::async_test]
async fn what_is_kept_about_a_user_is_downloaded_without_what_is_secret() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    app.sign_in_again("alice").await;
    app.signed_in("bob").await;
    let page = alice.get("/account/tokens").await;
    let id = page.field_of("action=\"/account/tokens\"", "id");
    let token = [
        ("id", id.as_str()),
        ("name", "calendar"),
        ("all_sites", "on"),
    ];
    assert_eq!(alice.post("/account/tokens", &token).await.status, 200);
    let answer = alice.post("/account/data/export", &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(
        answer
            .header("content-disposition")
            .starts_with("attachment")
    );
    let data = answer.json();
    assert_eq!(data["account"]["username"], "alice");
    assert_eq!(data["sessions"].as_array().map(Vec::len), Some(2));
    assert_eq!(data["app_tokens"][0]["name"], "calendar");
    let records = data["records"].as_array().expect("records");
    assert!(records.iter().any(|record| record["event"] == "sign_in"));
    for secret in ["argon2", "vst_", "bob"] {
        assert!(!answer.body.contains(secret), "{secret}: {}", answer.body);
    }
    let exports = "SELECT username FROM audit WHERE event = 'data_export'";
    assert_eq!(app.sql(exports).await, ["alice"]);
}

#[rocket::async_test]
async fn a_copy_and_the_end_of_an_account_ask_for_a_proof_of_just_now() {
    let app = TestApp::with(WITH_GRACE).await;
    let mut alice = app.signed_in("alice").await;
    app.wait(Duration::from_secs(16 * 60)).await;
    for path in ["/account/data/export", "/account/data/delete"] {
        let asked = alice.post(path, &[]).await;
        assert_eq!(asked.status, 403, "{path}");
        assert!(asked.body.contains("password_again"), "{path}");
    }
    assert!(app.sql("SELECT 'one' FROM departures").await.is_empty());
}

#[rocket::async_test]
async fn an_account_is_deleted_once_its_grace_is_over_and_what_was_recorded_stays() {
    let app = TestApp::with(WITH_GRACE).await;
    app.user("root").await;
    let mut alice = app.signed_in("alice").await;
    assert_eq!(alice.post("/account/data/delete", &[]).await.status, 303);
    let account = alice.get("/account").await;
    assert!(account.body.contains("be deleted"), "{}", account.body);
    app.wait(13 * DAY).await;
    app.sweep().await;
    assert_eq!(users(&app).await, ["alice", "root"]);
    app.wait(2 * DAY).await;
    app.sweep().await;
    assert_eq!(users(&app).await, ["root"]);
    assert_eq!(app.anonymous().sign_in("alice", PASSWORD).await.status, 401);
    let trail =
        "SELECT event FROM audit WHERE username = 'alice' AND event LIKE '%de%' ORDER BY id";
    assert_eq!(app.sql(trail).await, ["departure_ask", "user_delete"]);
}

#[rocket::async_test]
async fn whoever_thinks_better_of_it_keeps_the_account() {
    let app = TestApp::with(WITH_GRACE).await;
    let mut alice = app.signed_in("alice").await;
    alice.post("/account/data/delete", &[]).await;
    app.wait(13 * DAY).await;
    let mut again = app.sign_in_again("alice").await;
    assert_eq!(again.post("/account/data/keep", &[]).await.status, 303);
    app.wait(2 * DAY).await;
    app.sweep().await;
    assert_eq!(users(&app).await, ["alice"]);
}

#[rocket::async_test]
async fn the_last_admin_stays_and_so_does_everybody_where_it_is_off() {
    let app = TestApp::with(WITH_GRACE).await;
    let mut admin = app.admin().await;
    let refused = admin.post("/account/data/delete", &[]).await;
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("last admin"), "{}", refused.body);
    app.add(NewUser {
        username: "other".to_owned(),
        admin: true,
        ..NewUser::default()
    })
    .await;
    assert_eq!(admin.post("/account/data/delete", &[]).await.status, 303);
    app.execute("DELETE FROM users WHERE username = 'other'")
        .await;
    app.wait(15 * DAY).await;
    app.sweep().await;
    assert_eq!(users(&app).await, ["admin"], "none would be left");

    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    assert_eq!(alice.post("/account/data/delete", &[]).await.status, 404);
    assert!(
        !alice
            .get("/account/data")
            .await
            .body
            .contains("/account/data/delete")
    );
}
