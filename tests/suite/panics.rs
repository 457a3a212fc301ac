//! A handler that panics harms nobody but the one who asked.

use std::sync::Arc;

use rocket::figment::Figment;
use rocket::figment::providers::{Format, Toml};
use rocket::http::Method;
use rocket::local::asynchronous::Client as Local;
use rocket::{get, routes};
use vestibule::foundation::app::App;
use vestibule::foundation::settings::Server;

use crate::support::{Client, TestApp};

#[get("/panic")]
async fn panic(app: &App) -> &'static str {
    let mut tx = app.db.begin().await.expect("a transaction");
    tx.query("DELETE FROM users")
        .execute()
        .await
        .expect("a statement");
    panic!("as the test wants it")
}

#[rocket::async_test]
async fn cfg_08_panics_within_transactions_are_answered_and_undone() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let rocket = vestibule::program::site::rocket(app.app.clone(), &Server::default());
    let local = Local::untracked(rocket.mount("/", routes![panic])).await;
    let mut client = Client::new(Arc::new(local.expect("a launched rocket")));
    for _ in 0..100 {
        let answer = client.send(Method::Get, "/panic", &[], "").await;
        assert_eq!(answer.status, 500);
        assert!(
            answer
                .header("content-security-policy")
                .contains("default-src 'none'")
        );
        assert!(
            !answer.body.contains("as the test wants it"),
            "{}",
            answer.body
        );
    }
    assert_eq!(alice.session().await.status, 200);
    app.sign_in_again("alice").await;
}

#[test]
fn cfg_08_a_panic_unwinds_and_unsafe_code_is_forbidden() {
    let manifest = Figment::from(Toml::string(include_str!("../../Cargo.toml")));
    let unsafe_code: String = manifest
        .extract_inner("lints.rust.unsafe_code")
        .expect("a lint");
    assert_eq!(unsafe_code, "forbid");
    for profile in ["release", "dev"] {
        let profile = manifest.focus(&format!("profile.{profile}"));
        assert!(!profile.contains("panic"), "unwinding is the default");
    }
}
