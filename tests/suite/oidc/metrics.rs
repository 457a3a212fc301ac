//! What Prometheus is told of applications.

use std::net::TcpListener;
use std::time::Duration;

use super::logout::listen;
use super::{RelyingParty, register};
use crate::metrics::{TOKEN, scrape, value};
use crate::support::TestApp;

#[rocket::async_test]
async fn tokens_and_refusals_are_counted() {
    let app = TestApp::with(TOKEN).await;
    let party = register(&app, "Wiki \"old\"", |_| {}).await;
    let mut alice = app.signed_in("alice").await;
    let first = party.tokens(&app, &mut alice, &[]).await;
    party.tokens(&app, &mut alice, &[]).await;
    party.refresh(&app, &first.refresh).await;
    party.refresh(&app, "x").await;
    let stranger = RelyingParty {
        id: party.id,
        secret: "wrong".to_owned(),
    };
    stranger.refresh(&app, &first.refresh).await;
    stranger.exchange(&app, "x").await;
    let text = scrape(&app).await;
    let issued = |grant_type: &str| {
        let series = "vestibule_tokens_issued_total{client=\"Wiki \\\"old\\\"\",grant_type=";
        value(&text, &format!("{series}\"{grant_type}\"}}"))
    };
    assert_eq!(issued("authorization_code"), 2.0);
    assert_eq!(issued("refresh_token"), 1.0);
    let errors = ["invalid_client", "invalid_grant", "invalid_request"].map(|error| {
        let series = format!("vestibule_token_errors_total{{error=\"{error}\"}}");
        value(&text, &series)
    });
    assert_eq!(errors, [2.0, 1.0, 0.0]);
}

#[rocket::async_test]
async fn what_applications_are_told_of_an_end_is_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let uri = format!("http://{}/out", listener.local_addr().expect("an address"));
    let again = listener.try_clone().expect("a clone");
    let app = TestApp::with(TOKEN).await;
    let party = register(&app, "Grafana", |client| {
        client.back_channel_uri = Some(uri);
    })
    .await;
    let mut alice = app.signed_in("alice").await;
    party.tokens(&app, &mut alice, &[]).await;
    alice.post("/logout", &[]).await;
    for (listener, status) in [(listener, 503), (again, 200)] {
        let told = listen(listener, status);
        app.sweep().await;
        told.join().expect("a request");
        app.wait(Duration::from_secs(5)).await;
    }
    let text = scrape(&app).await;
    let results = ["taken", "failed", "given_up"].map(|result| {
        let series = format!("vestibule_sign_out_notices_total{{result=\"{result}\"}}");
        value(&text, &series)
    });
    assert_eq!(results, [1.0, 1.0, 0.0]);
}
