//! Clients whose secrets another program hashed.

use vestibule::foundation::audit::Actor;
use vestibule::oidc::clients::{self, Client as Registered};
use vestibule::oidc::imported::{Entry, import};

use super::{CALLBACK, RelyingParty, error_of, register};
use crate::support::{PASSWORD, TestApp};

/// Of everyone's password, with few rounds.
const PBKDF2: &str = "$pbkdf2-sha512$3100$ByCkVIqREmLs/R8DAECIcQ$SMMfmzaFoOXTydX/ywVzeyNE7W86iwR1k6Cg/86c7DWQyywHdlGGvBuopNrVlA2vLqLLeC1YdtZjkcBlR9ITDQ";
const BCRYPT: &str = "$2y$05$YkehZCN1s3MTlwZrhMi5uuQJkouOEkYV0WOQY8kF18vrFUCA/Ua9S";

async fn with(app: &TestApp, hash: &str) -> RelyingParty {
    let mut client = Registered::new("Wiki", vec![CALLBACK.to_owned()]);
    client.id = "wiki".to_owned();
    let entry = Entry {
        line: 1,
        client,
        hash: Some(hash.to_owned()),
    };
    let done = import(&app.app, &Actor::operator(), vec![entry], false).await;
    done.expect("a database").expect("a good client");
    RelyingParty {
        id: "wiki".to_owned(),
        secret: PASSWORD.to_owned(),
    }
}

async fn status(app: &TestApp, party: &RelyingParty, secret: &str) -> u16 {
    let fields = [("token", "x")];
    party
        .ask_with(app, "/oauth/introspect", secret, &fields)
        .await
        .status
}

#[rocket::async_test]
async fn atk_24_an_imported_secret_is_replaced_at_its_first_success() {
    for hash in [PBKDF2, BCRYPT] {
        let app = TestApp::start().await;
        let party = with(&app, hash).await;
        assert_eq!(status(&app, &party, "wrong").await, 401);
        let rows = "SELECT client_id FROM imported_secrets";
        assert_eq!(app.sql(rows).await, ["wiki"]);
        let mut alice = app.signed_in("alice").await;
        party.tokens(&app, &mut alice, &[]).await;
        assert!(app.sql(rows).await.is_empty());
        let client = clients::by_id(&app.app, "wiki").await.expect("a database");
        let own = Some(clients::hash_of_secret(PASSWORD));
        assert_eq!(client.expect("a client").secret_hash, own);
        assert_eq!(status(&app, &party, PASSWORD).await, 200);
        assert_eq!(status(&app, &party, "wrong").await, 401);
    }
}

#[rocket::async_test]
async fn atk_24_another_secret_ends_the_imported_one() {
    let app = TestApp::start().await;
    let party = with(&app, PBKDF2).await;
    let client = clients::by_id(&app.app, "wiki").await.expect("a database");
    let mut client = client.expect("a client");
    client.secret_hash = Some(clients::hash_of_secret("another"));
    let changed = clients::change(&app.app, &Actor::operator(), &client).await;
    changed.expect("a database").expect("a change");
    assert_eq!(status(&app, &party, PASSWORD).await, 401);
    assert_eq!(status(&app, &party, "another").await, 200);
}

#[rocket::async_test]
async fn atk_24_who_tries_wrong_secrets_is_slowed_down_and_others_are_not() {
    let app = TestApp::with("throttle.address_tries = 3").await;
    let party = with(&app, PBKDF2).await;
    let own = register(&app, "Own", |_| {}).await;
    for _ in 0..3 {
        assert_eq!(status(&app, &party, "wrong").await, 401);
    }
    let fields = [("token", "x")];
    let answer = party.ask(&app, "/oauth/introspect", &fields).await;
    assert_eq!(
        (answer.status, error_of(&answer).as_str()),
        (429, "invalid_client")
    );
    let seconds: u64 = answer.header("retry-after").parse().expect("a number");
    assert!((1..=15 * 60).contains(&seconds), "{seconds}");
    for _ in 0..9 {
        assert_eq!(status(&app, &own, "wrong").await, 401, "costs nothing");
    }
    assert_eq!(status(&app, &own, &own.secret).await, 200);
}
