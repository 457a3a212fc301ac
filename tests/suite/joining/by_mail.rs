//! Invitations and sign-ups through a real mail server.

use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;
use vestibule::people::invitations::{self, NewInvitation};
use vestibule::people::users::{Changes, NewUser};

use super::{invited, join, one};
use crate::mail::server::{ALICE, MailServer, link_in};
use crate::support::{Answer, PASSWORD, TestApp};

fn for_alice() -> NewInvitation {
    NewInvitation {
        email: Some(ALICE.to_owned()),
        ..one()
    }
}

async fn signing_up(server: &MailServer, sign_up: &str) -> TestApp {
    let settings = format!("{}accounts.sign_up = {sign_up}", server.settings());
    TestApp::with(&settings).await
}

async fn ask(app: &TestApp, address: &str) -> Answer {
    app.anonymous()
        .post("/sign-up", &[("email", address)])
        .await
}

/// A user whose address is confirmed.
async fn confirmed(app: &TestApp, username: &str, address: &str) {
    app.add(NewUser {
        username: username.to_owned(),
        email: Some(address.to_owned()),
        ..NewUser::default()
    })
    .await;
    let changes = Changes {
        email_verified: Some(true),
        ..Changes::default()
    };
    let changed = lifecycle::change(&app.app, &Actor::operator(), username, changes).await;
    changed.expect("a database").expect("a user");
}

#[rocket::async_test]
async fn atk_23_the_link_that_was_mailed_proves_the_address_and_the_other_does_not() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = TestApp::with(&server.settings()).await;
    let handed_over = invited(&app, for_alice()).await;
    app.sweep().await;
    let mailed = link_in(&server.arrived(1)[0]);
    assert_ne!(mailed, handed_over);
    assert!(!app.dump().await.join("\n").contains(&mailed[12..]));
    for _ in 0..3 {
        assert_eq!(app.anonymous().get(&mailed).await.status, 200);
    }
    assert_eq!(
        join(&mut app.anonymous(), &mailed, "alice").await.status,
        303
    );
    let user = app.user("alice").await;
    assert_eq!(
        (user.email.as_deref(), user.email_verified),
        (Some(ALICE), true)
    );
    let other = join(&mut app.anonymous(), &handed_over, "eve").await;
    assert_eq!(other.status, 404, "both are of one invitation");
    let signed_in = app.anonymous().sign_in(ALICE, PASSWORD).await;
    assert_eq!(signed_in.status, 303, "a confirmed address signs in");
}

#[rocket::async_test]
async fn whoever_has_come_by_a_mailed_link_needs_no_code_before_a_first_factor() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let settings = format!("second_factor.required = \"all\"\n{}", server.settings());
    let app = TestApp::with(&settings).await;
    invited(&app, for_alice()).await;
    app.sweep().await;
    let link = link_in(&server.arrived(1)[0]);
    let mut alice = app.anonymous();
    assert_eq!(join(&mut alice, &link, "alice").await.status, 303);
    assert_eq!(alice.get("/account/totp").await.status, 200);
    let mut thief = app.sign_in_again("alice").await;
    assert_eq!(thief.get("/account/totp").await.status, 303);
}

#[rocket::async_test]
async fn a_proven_address_may_be_the_user_name() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = TestApp::with(&server.settings()).await;
    invited(&app, for_alice()).await;
    app.sweep().await;
    let link = link_in(&server.arrived(1)[0]);
    let other = join(&mut app.anonymous(), &link, "bob@example.com").await;
    assert_eq!(other.status, 422);
    assert_eq!(join(&mut app.anonymous(), &link, ALICE).await.status, 303);
}

#[rocket::async_test]
async fn an_invitation_that_is_revoked_before_its_mail_is_sent_brings_no_link() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = TestApp::with(&server.settings()).await;
    let new = for_alice();
    let id = new.id;
    invited(&app, new).await;
    let revoked = invitations::revoke(&app.app, &Actor::operator(), id).await;
    assert!(revoked.expect("a database"));
    ask(&app, "nobody").await;
    app.sweep().await;
    let waiting = app
        .sql("SELECT kind FROM mails WHERE sent_at IS NULL AND gave_up_at IS NULL")
        .await;
    assert_eq!(waiting, [""; 0]);
    assert_eq!(server.mails().len(), 0);
}

#[rocket::async_test]
async fn an_address_that_is_anothers_by_then_is_told_to_who_reads_its_mail() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = TestApp::with(&server.settings()).await;
    invited(&app, for_alice()).await;
    app.sweep().await;
    let link = link_in(&server.arrived(1)[0]);
    confirmed(&app, "alice", ALICE).await;
    let answer = join(&mut app.anonymous(), &link, "other").await;
    assert_eq!(answer.status, 422, "{}", answer.body);
    assert!(answer.body.contains("another user"), "{}", answer.body);
}

#[rocket::async_test]
async fn whoever_signs_up_proves_the_address_first_and_then_chooses_a_password() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = signing_up(&server, "[\"Example.com\"]").await;
    let elsewhere = ask(&app, "alice@example.org").await;
    assert_eq!(elsewhere.status, 422);
    assert!(elsewhere.body.contains("domain"), "{}", elsewhere.body);
    let asked = ask(&app, ALICE).await;
    assert_eq!(
        (asked.status, asked.header("location")),
        (303, "/sign-up?asked")
    );
    assert_eq!(app.sql("SELECT username FROM users").await, [""; 0]);
    assert!(!app.dump().await.join("\n").contains(ALICE), "it is sealed");
    app.sweep().await;
    let link = link_in(&server.arrived(1)[0]);
    assert_eq!(join(&mut app.anonymous(), &link, "alice").await.status, 303);
    let user = app.user("alice").await;
    assert!(user.email_verified && user.email.as_deref() == Some(ALICE));
    assert_eq!(join(&mut app.anonymous(), &link, "eve").await.status, 404);
    let listed = invitations::list(&app.app).await.expect("a database");
    assert_eq!(listed, [], "a sign-up is nobody's invitation");
}

#[rocket::async_test]
async fn the_answer_does_not_tell_whether_an_address_has_an_account() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = signing_up(&server, "\"open\"").await;
    confirmed(&app, "alice", ALICE).await;
    let known = ask(&app, "Alice@example.com").await;
    let unknown = ask(&app, "vestibule@example.com").await;
    let told = |answer: &Answer| (answer.status, answer.header("location").to_owned());
    assert_eq!(told(&known), told(&unknown));
    assert_eq!(known.body, unknown.body);
    let rows = app
        .sql("SELECT kind || recipient || coalesce(CAST(user_id AS TEXT), '') FROM mails")
        .await;
    assert_eq!(rows, ["sign_up", "sign_up"]);
    app.sweep().await;
    let mails = server.arrived(2);
    let to = |address: &str| {
        let found = mails
            .iter()
            .find(|mail| mail.contains(&format!("To: {address}")));
        found.unwrap_or_else(|| panic!("no mail to {address}: {mails:#?}"))
    };
    assert!(to(ALICE).contains("You have one already"));
    assert!(!to(ALICE).contains("/invitation/"));
    assert!(to("vestibule@example.com").contains("/invitation/"));
}

#[rocket::async_test]
async fn a_flood_of_sign_ups_sends_few_mails_to_one_address() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = signing_up(&server, "\"open\"").await;
    for n in 0..20 {
        let mut client = app.anonymous().at(&format!("198.51.100.{n}"));
        let address = if n % 2 == 0 {
            ALICE
        } else {
            "Alice@Example.com"
        };
        let asked = client.post("/sign-up", &[("email", address)]).await;
        assert_eq!(asked.status, 303, "the answer stays the same");
    }
    app.sweep().await;
    assert_eq!(server.arrived(5).len(), 5);
    let mut from_one = Vec::new();
    for _ in 0..7 {
        from_one.push(ask(&app, ALICE).await.status);
    }
    assert_eq!(from_one[5..], [429; 2]);
}

#[rocket::async_test]
async fn a_sign_up_by_mail_waits_for_approval_and_an_invitation_does_not() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = signing_up(&server, "\"approval\"").await;
    let link = invited(&app, one()).await;
    assert_eq!(
        join(&mut app.anonymous(), &link, "bob")
            .await
            .header("location"),
        "/account"
    );
    ask(&app, ALICE).await;
    app.sweep().await;
    let link = link_in(&server.arrived(1)[0]);
    let joined = join(&mut app.anonymous(), &link, "alice").await;
    assert_eq!(joined.header("location"), "/sign-up?waiting");
    assert_eq!(app.anonymous().sign_in("alice", PASSWORD).await.status, 401);
    let enabled = lifecycle::enable(&app.app, &Actor::operator(), "alice").await;
    enabled.expect("a database").expect("a user");
    app.sweep().await;
    let told = server.arrived(2);
    assert!(
        told.iter()
            .any(|mail| mail.contains("approved your account"))
    );
}

#[rocket::async_test]
async fn a_link_of_a_sign_up_is_no_good_once_nobody_signs_up_any_more() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = signing_up(&server, "\"open\"").await;
    ask(&app, ALICE).await;
    app.sweep().await;
    let link = link_in(&server.arrived(1)[0]);
    let app = app.restarted_with(&server.settings()).await;
    assert_eq!(app.anonymous().get(&link).await.status, 404);
    assert_eq!(join(&mut app.anonymous(), &link, "alice").await.status, 404);
}

#[rocket::async_test]
async fn a_password_that_comes_with_an_unproven_address_is_not_kept() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = signing_up(&server, "\"open\"").await;
    let fields = [
        ("email", ALICE),
        ("username", "mallory"),
        ("new_password", PASSWORD),
    ];
    let asked = app.anonymous().post("/sign-up", &fields).await;
    assert_eq!(asked.header("location"), "/sign-up?asked");
    app.sweep().await;
    let link = link_in(&server.arrived(1)[0]);
    let fields = [
        ("username", "alice"),
        ("new_password", "a password of her own"),
    ];
    assert_eq!(app.anonymous().post(&link, &fields).await.status, 303);
    assert_eq!(app.anonymous().sign_in("alice", PASSWORD).await.status, 401);
}
