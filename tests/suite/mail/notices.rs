//! What people are mailed of their own accounts.

use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;
use vestibule::people::users::Changes;

use super::server::{ALICE, MailServer, link_in};
use super::{MINUTE, with_alice};
use crate::support::{Client, PASSWORD, TestApp};

/// Somebody who signs in as alice from a network that was not seen before, and the mail about it.
async fn stranger(app: &TestApp, server: &MailServer) -> (Client, String) {
    app.sign_in_again("alice").await;
    let mut stranger = app.anonymous().at("198.51.100.9");
    stranger.sign_in("alice", PASSWORD).await;
    app.sweep().await;
    (stranger, server.arrived(1).remove(0))
}

#[rocket::async_test]
async fn a_sign_in_from_a_new_device_is_told_and_the_very_first_is_none() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    app.sign_in_again("alice").await;
    let (_, mail) = stranger(&app, &server).await;
    assert_eq!(server.mails().len(), 1);
    assert!(mail.contains("198.51.100.9"), "{mail}");
}

#[rocket::async_test]
async fn the_link_of_a_new_device_ends_that_very_session_after_one_question() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let mut own = app.sign_in_again("alice").await;
    let (mut stranger, mail) = stranger(&app, &server).await;
    let link = link_in(&mail);
    let mut reader = app.anonymous();
    let question = reader.get(&link).await;
    assert!(question.body.contains("198.51.100.9"), "{}", question.body);
    assert_eq!(stranger.session().await.status, 200, "opening ends nothing");
    let ended = reader.post(&link, &[]).await;
    assert_eq!(ended.status, 200);
    assert_eq!(stranger.session().await.status, 401);
    assert_eq!(own.session().await.status, 200, "no other is ended");
    let again = reader.post(&link, &[]).await;
    assert_eq!(again.status, 200, "the same answer for who clicks twice");
    let records = "SELECT CAST(count(*) AS TEXT) FROM audit WHERE event = 'session_revoke'";
    assert_eq!(app.sql(records).await, ["1"]);
}

#[rocket::async_test]
async fn a_link_that_ends_a_session_is_good_for_a_week_and_for_nothing_else() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let (_, mail) = stranger(&app, &server).await;
    let link = link_in(&mail);
    let token = link.trim_start_matches("/end-session/");
    let mut reader = app.anonymous();
    for elsewhere in ["/reset/", "/undo/"] {
        let answer = reader.get(&format!("{elsewhere}{token}")).await;
        assert_eq!(answer.status, 404, "{elsewhere}");
    }
    app.wait(7 * 24 * 60 * MINUTE).await;
    assert_eq!(reader.get(&link).await.status, 404);
    assert_eq!(reader.post(&link, &[]).await.status, 404);
}

#[rocket::async_test]
async fn a_new_password_is_told_whoever_sets_it() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let mut alice = app.sign_in_again("alice").await;
    let form = [("current_password", PASSWORD), ("new_password", super::NEW)];
    assert_eq!(alice.post("/account/password", &form).await.status, 303);
    let password = vestibule::people::passwords::Password::new(PASSWORD.to_owned());
    let set = lifecycle::set_password(&app.app, &Actor::operator(), "alice", &password).await;
    set.expect("a database").expect("a user");
    app.sweep().await;
    let mails = server.arrived(2);
    assert!(mails[0].contains("Your password was changed."));
    assert!(mails[1].contains("An admin set a new password for you."));
}

#[rocket::async_test]
async fn what_an_admin_changes_is_told_and_a_new_address_at_the_old_one_too() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let change = async |changes: Changes| {
        let changed = lifecycle::change(&app.app, &Actor::operator(), "alice", changes).await;
        changed.expect("a database").expect("a user");
    };
    change(Changes {
        admin: Some(true),
        ..Changes::default()
    })
    .await;
    app.sweep().await;
    assert!(server.arrived(1)[0].contains("admin: no"));
    change(Changes {
        email: Some("vestibule@example.com".to_owned()),
        ..Changes::default()
    })
    .await;
    app.sweep().await;
    let mails = server.arrived(3);
    let to_old = mails[1..]
        .iter()
        .filter(|mail| mail.contains(&format!("To: {ALICE}")));
    assert_eq!(to_old.count(), 1);
}

#[rocket::async_test]
async fn what_is_ones_own_doing_and_opens_nothing_may_be_left_out_of_the_mail_and_nothing_else() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let mut alice = app.sign_in_again("alice").await;
    let page = alice.get("/account/notices").await;
    assert!(page.body.contains("An app token was revoked."));
    assert!(!page.body.contains("Your password was changed."));
    let refused = alice
        .post("/account/notices", &[("password_changed", "on")])
        .await;
    assert_eq!(refused.status, 422);
    let saved = alice
        .post("/account/notices", &[("device_trusted", "on")])
        .await;
    assert!(saved.body.contains("Saved."), "{}", saved.body);
    let muted = app.sql("SELECT kind FROM muted_notices").await;
    assert_eq!(muted, ["token_revoked"]);
}

#[rocket::async_test]
async fn somebody_who_does_much_is_mailed_twenty_times_an_hour_and_shown_all() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    for name in 0..25 {
        let changes = Changes {
            display_name: Some(format!("Alice {name}")),
            ..Changes::default()
        };
        let changed = lifecycle::change(&app.app, &Actor::operator(), "alice", changes).await;
        changed.expect("a database").expect("a user");
    }
    app.sweep().await;
    // Two senders at once, of which the server has one, may both see the last place.
    assert!((20..=21).contains(&server.arrived(20).len()));
    let told = app.sql("SELECT CAST(count(*) AS TEXT) FROM notices").await;
    assert_eq!(told, ["25"]);
}
