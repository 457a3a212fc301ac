//! The session listing and what an admin does from it.

use crate::support::TestApp;

#[rocket::async_test]
async fn the_listing_shows_each_live_session() {
    let app = TestApp::start().await;
    app.signed_in("alice").await;
    let mut admin = app.admin().await;
    let page = admin.get("/admin/sessions").await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(
        page.body.contains("alice") && page.body.contains("Firefox on Linux"),
        "{}",
        page.body
    );
}
