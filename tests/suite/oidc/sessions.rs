//! Which applications hang on a session.

use std::time::Duration;

use vestibule::sessions::listing::{self, Query, Sort, State};

use super::register;
use crate::support::TestApp;

/// The applications of each session, the oldest session first.
async fn applications(app: &TestApp) -> Vec<Vec<String>> {
    let query = Query {
        q: String::new(),
        user_id: None,
        state: State::All,
        sort: Sort::Started,
        after: None,
        limit: 50,
    };
    let page = listing::page(&app.app, &query).await.expect("a listing");
    let sessions = page.sessions.into_iter().rev();
    sessions.map(|found| found.applications).collect()
}

#[rocket::async_test]
async fn each_session_names_the_applications_that_were_entered_with_it() {
    let app = TestApp::start().await;
    let wiki = register(&app, "Wiki", |_| {}).await;
    let grafana = register(&app, "Grafana", |_| {}).await;
    let mut first = app.signed_in("alice").await;
    app.wait(Duration::from_secs(1)).await;
    let mut second = app.sign_in_again("alice").await;
    for party in [&wiki, &grafana, &wiki] {
        party.tokens(&app, &mut first, &[]).await;
    }
    assert_eq!(applications(&app).await, [vec!["Grafana", "Wiki"], vec![]]);
    let page = second.get("/account/sessions").await;
    assert_eq!(page.body.matches("Grafana, Wiki").count(), 1);
    let data = second.post("/account/data/export", &[]).await;
    assert!(data.body.contains("\"applications\""), "{}", data.body);
    assert!(data.body.contains("Grafana"), "{}", data.body);
    let mut admin = app.admin().await;
    let page = admin.get("/admin/sessions").await;
    assert!(page.body.contains("Applications: Grafana, Wiki"));
}

#[rocket::async_test]
async fn of_a_session_that_has_ended_only_those_are_named_that_go_on() {
    let app = TestApp::start().await;
    let wiki = register(&app, "Wiki", |_| {}).await;
    let photos = register(&app, "Photos", |client| client.offline_access = true).await;
    let mut alice = app.signed_in("alice").await;
    wiki.tokens(&app, &mut alice, &[]).await;
    let offline = [("scope", "openid offline_access")];
    let tokens = photos.tokens(&app, &mut alice, &offline).await;
    alice.post("/logout", &[]).await;
    assert_eq!(applications(&app).await, [["Photos"]]);
    assert!(photos.is_active(&app, &tokens.refresh).await);
}
