//! The ten steps that Vestibule exists for, one test each.

use crate::support::{PASSWORD, TestApp};

#[rocket::async_test]
async fn step_1_the_browser_posts_the_sign_in_form() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let mut browser = app.anonymous();
    let page = browser.get("/login").await;
    assert!(
        page.body.contains("<form") && page.body.contains("name=\"username\""),
        "{}",
        page.body
    );
    let answer = browser
        .post("/login", &[("username", "alice"), ("password", PASSWORD)])
        .await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/account")
    );
}

#[rocket::async_test]
async fn step_2_the_server_makes_a_fresh_session_secret() {
    let app = TestApp::start().await;
    let first = app.signed_in("alice").await;
    let second = app.sign_in_again("alice").await;
    assert_eq!(first.token().len(), 43);
    assert_ne!(first.token(), second.token());
}

#[rocket::async_test]
async fn step_3_it_checks_the_password() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let mut browser = app.anonymous();
    let answer = browser.sign_in("alice", "not that password").await;
    assert_eq!(answer.status, 401);
    assert_eq!(browser.token(), "");
}

#[rocket::async_test]
async fn step_4_it_stores_the_session_under_its_secrets_hash_alone() {
    let app = TestApp::start().await;
    let browser = app.signed_in("alice").await;
    let rows = app.sql("SELECT quote(s.token_hash) || hex(s.id) || s.methods || s.user_agent || s.address || s.data FROM sessions s").await;
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].contains(&browser.token()));
}

#[rocket::async_test]
async fn step_5_and_6_the_browser_keeps_the_cookie() {
    let app = TestApp::start().await;
    let browser = app.signed_in("alice").await;
    assert_eq!(
        browser.cookies.keys().collect::<Vec<_>>(),
        ["__Host-vestibule"]
    );
}

#[rocket::async_test]
async fn step_7_and_8_the_browser_asks_for_a_page_and_the_server_reads_the_cookie() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    assert_eq!(browser.get("/account").await.status, 200);
    browser.cookies.clear();
    let answer = browser.get("/account").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/login?rd=%2Faccount")
    );
}

#[rocket::async_test]
async fn step_9_and_10_it_finds_the_session_and_its_user_and_the_page_knows_who_asks() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    assert_eq!(browser.session().await.json()["user"]["username"], "alice");
    assert!(browser.get("/account").await.body.contains("alice"));
}

#[rocket::async_test]
async fn a_restart_between_step_6_and_7_changes_nothing_for_the_browser() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let before = browser.session().await;
    let app = app.restarted().await;
    let mut same = app.anonymous();
    same.cookies = browser.cookies;
    assert_eq!(same.session().await.json(), before.json());
}
