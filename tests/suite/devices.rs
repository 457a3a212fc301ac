//! One's own sessions, by device.

use std::time::Duration;

use crate::support::{Client, PASSWORD, TestApp};

async fn id_of(client: &mut Client) -> String {
    client.session().await.json()["session"]["id"]
        .as_str()
        .expect("a session id")
        .to_owned()
}

#[rocket::async_test]
async fn ses_10_a_user_sees_each_own_session_and_ends_one_of_them() {
    let app = TestApp::start().await;
    let mut here = app.signed_in("alice").await;
    let mut phone = app.sign_in_again("alice").await;
    let mut laptop = app.sign_in_again("alice").await;
    let page = here.get("/account/sessions").await.body;
    for text in [
        "Firefox on Linux",
        "203.0.113.7",
        "24 Nov 2026, 12:00:00 UTC",
        "This device",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(page.matches("/revoke\"").count(), 2);
    let answer = here
        .post(
            &format!("/account/sessions/{}/revoke", id_of(&mut phone).await),
            &[],
        )
        .await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/account/sessions")
    );
    assert_eq!(phone.session().await.status, 401);
    assert_eq!(
        (here.session().await.status, laptop.session().await.status),
        (200, 200)
    );
}

#[rocket::async_test]
async fn ses_10_long_after_the_password_check_it_is_asked_for_first() {
    let app = TestApp::start().await;
    let mut here = app.signed_in("alice").await;
    let mut phone = app.sign_in_again("alice").await;
    let path = format!("/account/sessions/{}/revoke", id_of(&mut phone).await);
    app.wait(Duration::from_secs(16 * 60)).await;
    assert_eq!(here.post(&path, &[]).await.status, 403);
    assert_eq!(phone.session().await.status, 200);
    assert_eq!(
        here.post(&path, &[("password_again", PASSWORD)])
            .await
            .status,
        303
    );
    assert_eq!(phone.session().await.status, 401);
}

#[rocket::async_test]
async fn all_other_devices_are_signed_out_and_this_one_stays() {
    let app = TestApp::start().await;
    let mut here = app.signed_in("alice").await;
    let mut others = [
        app.sign_in_again("alice").await,
        app.sign_in_again("alice").await,
    ];
    here.post("/account/sessions/revoke-others", &[]).await;
    for other in &mut others {
        assert_eq!(other.session().await.status, 401);
    }
    assert_eq!(here.session().await.status, 200);
}

#[rocket::async_test]
async fn ses_11_another_users_session_is_as_unknown_as_none() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let mut bob = app.signed_in("bob").await;
    let theirs = bob
        .post(
            &format!("/account/sessions/{}/revoke", id_of(&mut alice).await),
            &[],
        )
        .await;
    let nobodys = bob
        .post(
            "/account/sessions/01a20fa2-4735-76d8-8c61-04e427c8133d/revoke",
            &[],
        )
        .await;
    assert_eq!((theirs.status, &theirs.body), (404, &nobodys.body));
    assert_eq!(alice.session().await.status, 200);
    assert!(!bob.get("/account/sessions").await.body.contains("alice"));
}

#[rocket::async_test]
async fn recent_sign_ins_are_shown_failed_ones_too() {
    let app = TestApp::start().await;
    app.user("alice").await;
    app.anonymous()
        .at("198.51.100.9")
        .sign_in("alice", "not that password")
        .await;
    let page = app.sign_in_again("alice").await.get("/account").await.body;
    assert!(
        page.contains("198.51.100.9") && page.contains("203.0.113.7"),
        "{page}"
    );
}
