//! Learning: an admin lets an application show its address, and adds it by hand.

use std::time::Duration;

use super::{CALLBACK, register};
use crate::support::{Client, TestApp};

const NEW: &str = "https://app.example.com/other";

/// The page that a refused address ends at.
async fn tries(browser: &mut Client, way: &str) {
    let refused = browser.get(way).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    assert!(
        !refused.body.contains("<form"),
        "it has no button: {}",
        refused.body
    );
}

#[rocket::async_test]
async fn atk_10_an_address_is_learned_in_the_admins_own_session_and_added_by_hand() {
    let app = TestApp::start().await;
    let party = register(&app, "Wiki", |_| {}).await;
    let (mut admin, mut alice) = (app.admin().await, app.signed_in("alice").await);
    let mut elsewhere = app.signed_in_admin("other").await;
    let page = format!("/admin/applications/{}", party.id);
    let way = party.way(&[("redirect_uri", NEW)]);
    tries(&mut admin, &way).await;
    assert!(
        !admin.get(&page).await.unescaped().contains(NEW),
        "not opened yet"
    );
    assert_eq!(admin.post(&format!("{page}/learn"), &[]).await.status, 303);
    tries(
        &mut alice,
        &party.way(&[("redirect_uri", "https://alice.example/cb")]),
    )
    .await;
    tries(
        &mut elsewhere,
        &party.way(&[("redirect_uri", "https://other.example/cb")]),
    )
    .await;
    tries(
        &mut app.anonymous(),
        &party.way(&[("redirect_uri", "https://none.example/cb")]),
    )
    .await;
    tries(&mut admin, &way).await;
    tries(&mut admin, &way).await;
    let shown = admin.get(&page).await.unescaped();
    assert_eq!(
        shown.matches(&format!("value=\"{NEW}\"")).count(),
        1,
        "{shown}"
    );
    for of_others in ["alice.example", "other.example", "none.example"] {
        assert!(!shown.contains(of_others), "{of_others}");
    }
    assert!(
        !elsewhere.get(&page).await.unescaped().contains(NEW),
        "another admin's"
    );
    assert_eq!(
        app.sql("SELECT uri FROM client_uris WHERE kind = 'sign-in'")
            .await,
        [CALLBACK]
    );
    let learned = format!("{page}/learned");
    for (browser, uri) in [
        (&mut admin, "https://evil.example/cb"),
        (&mut elsewhere, NEW),
    ] {
        assert_eq!(
            browser.post(&learned, &[("uri", uri)]).await.status,
            404,
            "{uri}"
        );
    }
    assert_eq!(alice.post(&learned, &[("uri", NEW)]).await.status, 403);
    assert_eq!(admin.post(&learned, &[("uri", NEW)]).await.status, 303);
    let uris = app
        .sql("SELECT uri FROM client_uris WHERE kind = 'sign-in' ORDER BY uri")
        .await;
    assert_eq!(uris, [CALLBACK, NEW]);
    assert!(
        !admin.get(&page).await.body.contains("/learned"),
        "nothing is left to add"
    );
    assert_eq!(alice.get(&way).await.status, 303);
}

#[rocket::async_test]
async fn atk_10_a_host_that_looks_like_another_is_shown_by_its_a_label() {
    let app = TestApp::start().await;
    let party = register(&app, "Wiki", |_| {}).await;
    let mut admin = app.admin().await;
    let page = format!("/admin/applications/{}", party.id);
    admin.post(&format!("{page}/learn"), &[]).await;
    // The first letter is Cyrillic; raw it is no address at all.
    tries(
        &mut admin,
        &party.way(&[("redirect_uri", "https://%D0%B0pp.example.com/cb")]),
    )
    .await;
    tries(
        &mut admin,
        &party.way(&[("redirect_uri", "https://\u{430}pp.example.com/cb")]),
    )
    .await;
    tries(
        &mut admin,
        &party.way(&[("redirect_uri", "javascript:alert(1)")]),
    )
    .await;
    let shown = admin.get(&page).await.unescaped();
    assert_eq!(shown.matches("/learned\"").count(), 1, "{shown}");
    assert!(shown.contains(">xn--pp-6kc.example.com<"), "{shown}");
}

#[rocket::async_test]
async fn atk_10_learning_is_over_after_ten_minutes_and_asks_for_the_password() {
    let app = TestApp::start().await;
    let party = register(&app, "Wiki", |_| {}).await;
    let mut admin = app.admin().await;
    let page = format!("/admin/applications/{}", party.id);
    admin.post(&format!("{page}/learn"), &[]).await;
    let way = party.way(&[("redirect_uri", NEW)]);
    tries(&mut admin, &way).await;
    app.wait(Duration::from_secs(601)).await;
    tries(
        &mut admin,
        &party.way(&[("redirect_uri", "https://late.example/cb")]),
    )
    .await;
    let shown = admin.get(&page).await.unescaped();
    assert!(
        !shown.contains(NEW) && !shown.contains("late.example"),
        "{shown}"
    );
    assert_eq!(
        admin
            .post(&format!("{page}/learned"), &[("uri", NEW)])
            .await
            .status,
        404
    );
    app.wait(Duration::from_secs(3_600)).await;
    assert_eq!(
        admin.post(&format!("{page}/learn"), &[]).await.status,
        403,
        "the password first"
    );
    app.sweep().await;
    assert!(app.sql("SELECT uri FROM tried_uris").await.is_empty());
}

#[rocket::async_test]
async fn atk_10_a_page_that_sends_the_admin_round_fills_no_list_without_end() {
    let app = TestApp::start().await;
    let party = register(&app, "Wiki", |_| {}).await;
    let mut admin = app.admin().await;
    let page = format!("/admin/applications/{}", party.id);
    admin.post(&format!("{page}/learn"), &[]).await;
    for number in 0..15 {
        let uri = format!("https://host{number}.example/cb");
        tries(&mut admin, &party.way(&[("redirect_uri", &uri)])).await;
    }
    assert_eq!(app.sql("SELECT uri FROM tried_uris").await.len(), 10);
}
