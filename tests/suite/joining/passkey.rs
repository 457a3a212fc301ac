//! A new account whose way in is a passkey: made before the account, kept with it or not at all.

use serde_json::Value;

use super::{count_users, invited, one};
use crate::support::passkey::{Passkey, asked};
use crate::support::{Answer, Client, TestApp};

/// The page that asks for the passkey of this account.
async fn ask(client: &mut Client, link: &str, username: &str) -> Answer {
    let fields = [
        ("username", username),
        ("display_name", "Zoe"),
        ("new_password", ""),
        ("passkey", "on"),
    ];
    client.post(link, &fields).await
}

/// What the form of that page sends.
async fn send(
    client: &mut Client,
    link: &str,
    page: &Answer,
    username: &str,
    answer: &str,
) -> Answer {
    let account = page.field("account");
    let fields = [
        ("username", username),
        ("display_name", "Zoe"),
        ("passkey", "on"),
        ("account", account.as_str()),
        ("assertion", answer),
    ];
    client.post(link, &fields).await
}

async fn audited(app: &TestApp) -> usize {
    app.sql("SELECT event FROM audit").await.len()
}

fn options(page: &Answer) -> Value {
    asked(page).expect("a page that asks for a passkey")
}

#[rocket::async_test]
async fn an_invited_person_chooses_a_passkey_in_place_of_a_password() {
    let app = TestApp::start().await;
    let link = invited(&app, one()).await;
    let mut zoe = app.anonymous();
    let page = ask(&mut zoe, &link, "zoe").await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(options(&page)["user"]["name"], "zoe");
    assert_eq!(options(&page)["user"]["displayName"], "Zoe");
    let mut passkey = Passkey::new();
    let answer = passkey.create(&options(&page));
    let made = send(&mut zoe, &link, &page, "zoe", &answer).await;
    assert_eq!(made.status, 200, "{}", made.body);
    assert_eq!(
        made.elements("<li><code>", "</code>").len(),
        10,
        "recovery codes"
    );
    assert_eq!(
        zoe.session().await.json()["session"]["methods"],
        serde_json::json!(["passkey"])
    );
    let mut elsewhere = app.anonymous();
    assert_eq!(elsewhere.sign_in_by(&mut passkey).await.status, 303);
    assert_eq!(app.anonymous().sign_in("zoe", "").await.status, 401);
    assert_eq!(
        app.anonymous().get(&link).await.status,
        404,
        "the link is spent"
    );
}

#[rocket::async_test]
async fn asking_for_a_passkey_makes_nothing() {
    let app = TestApp::start().await;
    let link = invited(&app, one()).await;
    let before = (count_users(&app).await, audited(&app).await);
    assert_eq!(ask(&mut app.anonymous(), &link, "zoe").await.status, 200);
    assert_eq!((count_users(&app).await, audited(&app).await), before);
    assert_eq!(app.anonymous().get(&link).await.status, 200);
}

#[rocket::async_test]
async fn a_name_that_is_taken_is_told_before_a_passkey_is_made() {
    let app = TestApp::start().await;
    app.signed_in("alice").await;
    let link = invited(&app, one()).await;
    for (name, said) in [("alice", "taken"), ("", "user name")] {
        let page = ask(&mut app.anonymous(), &link, name).await;
        assert_eq!(page.status, 422);
        assert!(page.body.contains(said), "{}", page.body);
        assert!(asked(&page).is_none());
    }
}

#[rocket::async_test]
async fn a_passkey_of_another_browser_or_account_makes_no_account() {
    let app = TestApp::start().await;
    let link = invited(&app, one()).await;
    let before = count_users(&app).await;
    let mut zoe = app.anonymous();
    let page = ask(&mut zoe, &link, "zoe").await;
    let answer = Passkey::new().create(&options(&page));
    let other = ask(&mut app.anonymous(), &link, "zoe").await;
    let mut stranger = app.anonymous();
    let refused = [
        send(&mut stranger, &link, &page, "zoe", &answer).await,
        send(&mut zoe, &link, &other, "zoe", &answer).await,
        send(&mut zoe, &link, &page, "zoe", "{}").await,
        send(&mut zoe, &link, &page, "zoe", "").await,
    ];
    for refused in refused {
        assert_eq!(refused.status, 422, "{}", refused.body);
        assert!(
            refused.body.contains("open for too long"),
            "{}",
            refused.body
        );
    }
    assert_eq!(count_users(&app).await, before);
    assert_eq!(
        app.anonymous().get(&link).await.status,
        200,
        "the link is good still"
    );
}

#[rocket::async_test]
async fn the_passkey_of_an_account_that_there_is_makes_no_other() {
    let app = TestApp::start().await;
    let mut alice = app.signed_in("alice").await;
    let link = invited(&app, one()).await;
    let page = alice.get("/account/passkeys").await;
    let answer = Passkey::new().create(&options(&page));
    let id = app.user("alice").await.id.to_string();
    let fields = [
        ("username", "zoe"),
        ("passkey", "on"),
        ("account", id.as_str()),
        ("assertion", answer.as_str()),
    ];
    assert_eq!(alice.post(&link, &fields).await.status, 422);
}

#[rocket::async_test]
async fn one_passkey_makes_one_account() {
    let app = TestApp::start().await;
    let link = invited(
        &app,
        vestibule::people::invitations::NewInvitation { uses: 2, ..one() },
    )
    .await;
    let mut zoe = app.anonymous();
    let page = ask(&mut zoe, &link, "zoe").await;
    let answer = Passkey::new().create(&options(&page));
    assert_eq!(
        send(&mut zoe, &link, &page, "zoe", &answer).await.status,
        200
    );
    let before = count_users(&app).await;
    let again = send(&mut zoe, &link, &page, "zoe-2", &answer).await;
    assert_eq!(again.status, 422, "{}", again.body);
    assert_eq!(count_users(&app).await, before);
}
