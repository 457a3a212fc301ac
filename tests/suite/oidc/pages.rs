//! The pages of applications: an admin's, and everybody's own.

use super::{CALLBACK, RelyingParty, register};
use crate::support::TestApp;

#[rocket::async_test]
async fn an_admin_adds_an_application_whose_secret_is_shown_once() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let form = [("name", "Wiki"), ("redirect_uri", CALLBACK)];
    let page = admin.post("/admin/applications", &form).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let secret = page.elements("<code>", "</code>").remove(0);
    let id = app.sql("SELECT id FROM clients").await.remove(0);
    let party = RelyingParty { id, secret };
    let mut browser = app.signed_in("alice").await;
    party.tokens(&app, &mut browser, &[]).await;
    let shown = admin
        .get(&format!("/admin/applications/{}", party.id))
        .await;
    assert!(shown.body.contains("Wiki") && !shown.body.contains(&party.secret));
    let listed = admin.get("/admin/applications").await;
    assert!(listed.unescaped().contains(CALLBACK));
    let taken = admin.post("/admin/applications", &form).await;
    assert_eq!(taken.status, 422);
    let bad = [
        ("name", "Bad"),
        ("redirect_uri", "http://app.example.com/cb"),
    ];
    assert_eq!(admin.post("/admin/applications", &bad).await.status, 422);
    let renewed = admin
        .post(
            &format!("/admin/applications/{}/rotate-secret", party.id),
            &[],
        )
        .await;
    let renewed = RelyingParty {
        id: party.id.clone(),
        secret: renewed.elements("<code>", "</code>").remove(0),
    };
    assert_eq!(
        party
            .ask(&app, "/oauth/introspect", &[("token", "x")])
            .await
            .status,
        401
    );
    assert!(!renewed.is_active(&app, "x").await);
    let removed = admin
        .post(&format!("/admin/applications/{}/remove", party.id), &[])
        .await;
    assert_eq!(removed.status, 303);
    assert!(app.sql("SELECT id FROM clients").await.is_empty());
    assert_eq!(browser.get("/admin/applications").await.status, 403);
}

#[rocket::async_test]
async fn one_sees_what_one_is_connected_to_and_disconnects_it() {
    let app = TestApp::start().await;
    let party = register(&app, "Grafana", |_| {}).await;
    let mut browser = app.signed_in("alice").await;
    let tokens = party.tokens(&app, &mut browser, &[]).await;
    let page = browser.get("/account/applications").await;
    assert!(page.body.contains("Grafana"));
    let mut bob = app.signed_in("bob").await;
    assert!(
        !bob.get("/account/applications")
            .await
            .body
            .contains("Grafana")
    );
    let fields = [("client_id", party.id.as_str())];
    bob.post("/account/applications/disconnect", &fields).await;
    assert!(party.is_active(&app, &tokens.access).await, "another's");
    let done = browser
        .post("/account/applications/disconnect", &fields)
        .await;
    assert_eq!(done.status, 303);
    assert!(!party.is_active(&app, &tokens.access).await);
    assert!(
        !browser
            .get("/account/applications")
            .await
            .body
            .contains("Grafana")
    );
}
