//! Accounts that people make by themselves: by an invitation, by signing up.

mod by_mail;
mod names;
mod passkey;
mod sign_up;

use std::time::Duration;

use rocket::futures::future::join_all;
use rocket::http::Method;
use uuid::Uuid;
use vestibule::account::joining;
use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;
use vestibule::foundation::token::Token;
use vestibule::people::invitations::{self, NewInvitation, Refused};
use vestibule::people::users::Changes;

use crate::support::{Answer, Client, PASSWORD, TestApp};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const ORIGIN: &str = "https://auth.example.com";

fn one() -> NewInvitation {
    NewInvitation {
        id: Uuid::now_v7(),
        email: None,
        groups: Vec::new(),
        uses: 1,
        lifetime: 7 * DAY,
    }
}

/// The path that the link of an operator's invitation leads to.
async fn invited(app: &TestApp, new: NewInvitation) -> String {
    let token = Token::generate();
    let made = joining::invite(&app.app, &Actor::operator(), None, new, &token).await;
    made.expect("a database").expect("an invitation");
    path_of(&joining::link_to(&app.app, &token))
}

fn path_of(link: &str) -> String {
    link.trim().trim_start_matches(ORIGIN).to_owned()
}

/// The link that an admin's page shows once.
fn link_shown(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("id=\"link\">").expect("a link");
    let link = rest.split('<').next().expect("its end");
    path_of(&link.replace("&#x2f;", "/"))
}

async fn join(client: &mut Client, link: &str, username: &str) -> Answer {
    let fields = [("username", username), ("new_password", PASSWORD)];
    client.post(link, &fields).await
}

async fn count_users(app: &TestApp) -> usize {
    app.sql("SELECT username FROM users").await.len()
}

#[rocket::async_test]
async fn an_invited_person_makes_an_account_and_is_signed_in() {
    let app = TestApp::start().await;
    let new = NewInvitation {
        groups: vec!["Family".to_owned(), "media".to_owned()],
        email: Some("Bob@example.com".to_owned()),
        ..one()
    };
    let link = invited(&app, new).await;
    let mut bob = app.anonymous();
    assert!(bob.get(&link).await.body.contains("Bob@example.com"));
    let fields = [
        ("username", "Bob"),
        ("display_name", "Bob of the lantern"),
        ("new_password", PASSWORD),
    ];
    let made = bob.post(&link, &fields).await;
    assert_eq!((made.status, made.header("location")), (303, "/account"));
    assert_eq!(bob.session().await.status, 200);
    let user = app.user("bob").await;
    assert_eq!(user.display_name, "Bob of the lantern");
    assert_eq!(user.groups, ["family", "media"]);
    assert_eq!(
        (user.email.as_deref(), user.email_verified, user.admin),
        (Some("Bob@example.com"), false, false),
        "atk_23: a link that was handed over proves no address"
    );
    assert_eq!(app.anonymous().sign_in("bob", PASSWORD).await.status, 303);
}

#[rocket::async_test]
async fn inv_01_a_link_survives_being_opened_and_is_spent_by_the_account() {
    let app = TestApp::start().await;
    let link = invited(&app, one()).await;
    let before = app.dump().await;
    for method in [Method::Head, Method::Get] {
        for _ in 0..10 {
            let answer = app.anonymous().send(method, &link, &[], "").await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("referrer-policy"), "same-origin");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    }
    assert_eq!(app.dump().await, before, "opening changes nothing");
    assert_eq!(join(&mut app.anonymous(), &link, "bob").await.status, 303);
    assert_eq!(app.anonymous().get(&link).await.status, 404);
    assert_eq!(join(&mut app.anonymous(), &link, "eve").await.status, 404);
}

#[rocket::async_test]
async fn inv_01_of_fifty_who_come_with_one_link_at_once_one_gets_an_account() {
    let app = TestApp::start().await;
    let link = invited(&app, one()).await;
    let before = count_users(&app).await;
    let tries = (0..50).map(|n| {
        let mut client = app.anonymous().at(&format!("198.51.100.{n}"));
        let link = link.clone();
        async move { join(&mut client, &link, &format!("guest-{n}")).await.status }
    });
    let statuses = join_all(tries).await;
    assert_eq!(count_users(&app).await, before + 1, "{statuses:?}");
    let made = statuses.iter().filter(|status| **status == 303).count();
    assert_eq!(made, 1, "{statuses:?}");
    let others = statuses.iter().filter(|status| **status != 303);
    assert!(
        others.clone().all(|status| [404, 503].contains(status)),
        "{statuses:?}"
    );
}

#[rocket::async_test]
async fn inv_02_an_invitation_gives_its_groups_and_nothing_that_is_posted() {
    let app = TestApp::start().await;
    let new = NewInvitation {
        groups: vec!["family".to_owned()],
        ..one()
    };
    let link = invited(&app, new).await;
    let before = count_users(&app).await;
    for (name, value) in [
        ("admin", "on"),
        ("groups", "admins"),
        ("group", "admins"),
        ("email", "bob@example.com"),
        ("email_verified", "true"),
        ("id", "00000000-0000-7000-8000-000000000000"),
    ] {
        let fields = [
            ("username", "bob"),
            ("new_password", PASSWORD),
            (name, value),
        ];
        let answer = app.anonymous().post(&link, &fields).await;
        assert_eq!(answer.status, 422, "{name}");
    }
    assert_eq!(count_users(&app).await, before);
    assert_eq!(join(&mut app.anonymous(), &link, "bob").await.status, 303);
    let user = app.user("bob").await;
    assert_eq!(
        (user.groups, user.admin),
        (vec!["family".to_owned()], false)
    );
}

#[rocket::async_test]
async fn a_link_makes_as_many_accounts_as_it_has_uses() {
    let app = TestApp::start().await;
    let link = invited(&app, NewInvitation { uses: 3, ..one() }).await;
    for name in ["ann", "bob", "cid"] {
        assert_eq!(join(&mut app.anonymous(), &link, name).await.status, 303);
    }
    assert_eq!(join(&mut app.anonymous(), &link, "dan").await.status, 404);
}

#[rocket::async_test]
async fn a_link_ends_with_its_time_and_is_swept() {
    let app = TestApp::start().await;
    let link = invited(&app, one()).await;
    app.wait(7 * DAY - Duration::from_secs(1)).await;
    assert_eq!(app.anonymous().get(&link).await.status, 200);
    app.sweep().await;
    app.wait(Duration::from_secs(2)).await;
    assert_eq!(app.anonymous().get(&link).await.status, 404);
    assert_eq!(join(&mut app.anonymous(), &link, "bob").await.status, 404);
    app.sweep().await;
    let dump = app.dump().await;
    assert!(!dump.iter().any(|row| row.starts_with("invitation")));
}

#[rocket::async_test]
async fn a_group_that_was_deleted_meanwhile_is_given_to_nobody() {
    let app = TestApp::start().await;
    let new = NewInvitation {
        groups: vec!["family".to_owned(), "media".to_owned()],
        ..one()
    };
    let link = invited(&app, new).await;
    app.execute("DELETE FROM groups WHERE name = 'media'").await;
    assert_eq!(join(&mut app.anonymous(), &link, "bob").await.status, 303);
    assert_eq!(app.user("bob").await.groups, ["family"]);
    assert_eq!(app.sql("SELECT name FROM groups").await, ["family"]);
}

#[rocket::async_test]
async fn what_is_wrong_is_said_and_the_link_stays_good() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let link = invited(&app, one()).await;
    let before = count_users(&app).await;
    for (username, password, told) in [
        ("bob", "short", "At least 15 characters"),
        ("bob", "", "At least 15 characters"),
        ("no name!", PASSWORD, "A user name is"),
        ("", PASSWORD, "A user name is"),
        ("Alice", PASSWORD, "taken"),
    ] {
        let fields = [("username", username), ("new_password", password)];
        let answer = app.anonymous().post(&link, &fields).await;
        assert_eq!(answer.status, 422, "{username:?}");
        assert!(answer.body.contains(told), "{}", answer.body);
        assert!(!answer.body.contains(PASSWORD));
    }
    assert_eq!(app.anonymous().post(&link, &[]).await.status, 422);
    for other in ["/invitation/x", &format!("{link}x"), "/invitation/%00"] {
        assert_eq!(app.anonymous().get(other).await.status, 404, "{other}");
        assert_eq!(join(&mut app.anonymous(), other, "bob").await.status, 404);
    }
    assert_eq!(count_users(&app).await, before);
    assert_eq!(join(&mut app.anonymous(), &link, "bob").await.status, 303);
}

#[rocket::async_test]
async fn the_database_has_the_hash_of_a_link_alone_and_the_trail_who_came_by_it() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let shown = admin
        .post("/admin/invitations", &[("groups", "family")])
        .await;
    let link = link_shown(&shown);
    let token = link.trim_start_matches("/invitation/");
    assert!(!app.dump().await.join("\n").contains(token));
    join(&mut app.anonymous(), &link, "bob").await;
    assert!(!app.dump().await.join("\n").contains(token));
    let records = app
        .sql("SELECT event || ' ' || coalesce(username, '') || ' ' || actor || ' ' || detail FROM audit WHERE event LIKE 'invitation%' ORDER BY id")
        .await;
    assert_eq!(records.len(), 2, "{records:?}");
    assert!(records[0].starts_with("invitation_add  admin "));
    assert!(records[0].contains("family"), "{records:?}");
    assert!(records[1].starts_with("invitation_use bob bob invitation "));
    assert!(records[1].contains("by admin; groups family"));
}

#[rocket::async_test]
async fn an_admin_makes_lists_and_revokes_and_nobody_else_does() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let fields = [
        ("id", "01a20fa2-4735-76d8-8c61-04e427c8133d"),
        ("email", ""),
        ("groups", "family, media"),
        ("uses", "2"),
        ("expires", "30d"),
    ];
    let shown = admin.post("/admin/invitations", &fields).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert!(shown.body.contains("class=\"qr\""));
    let link = link_shown(&shown);
    let again = admin.post("/admin/invitations", &fields).await;
    assert_eq!(again.status, 303, "a form that is sent twice makes one");
    let list = admin.get("/admin/invitations").await;
    assert!(list.body.contains("family, media"), "{}", list.body);
    assert!(!list.body.contains(&link), "the link is shown once");
    let mut bob = app.signed_in("bob").await;
    let revoke = "/admin/invitations/01a20fa2-4735-76d8-8c61-04e427c8133d/revoke";
    assert_eq!(bob.get("/admin/invitations").await.status, 403);
    assert_eq!(bob.post("/admin/invitations", &fields).await.status, 403);
    assert_eq!(bob.post(revoke, &[]).await.status, 403);
    assert_eq!(app.anonymous().get(&link).await.status, 200);
    assert_eq!(admin.post(revoke, &[]).await.status, 303);
    assert_eq!(admin.post(revoke, &[]).await.status, 404);
    assert_eq!(app.anonymous().get(&link).await.status, 404);
    assert_eq!(join(&mut app.anonymous(), &link, "eve").await.status, 404);
}

#[rocket::async_test]
async fn an_admins_form_that_is_wrong_makes_no_invitation() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    for (fields, told) in [
        (vec![("uses", "0")], "1 to 10000"),
        (vec![("uses", "many")], "1 to 10000"),
        (vec![("uses", "10001")], "1 to 10000"),
        (
            vec![("uses", "2"), ("email", "bob@example.com")],
            "one account",
        ),
        (vec![("email", "bob")], "An email address has"),
        (vec![("groups", "a&b")], "A group name is"),
        (vec![("expires", "soon")], "like 7d"),
        (vec![("expires", "1s")], "like 7d"),
        (vec![("expires", "401d")], "like 7d"),
    ] {
        let answer = admin.post("/admin/invitations", &fields).await;
        assert_eq!(answer.status, 422, "{fields:?}");
        assert!(answer.body.contains(told), "{fields:?}: {}", answer.body);
    }
    let invitations = invitations::list(&app.app).await.expect("a database");
    assert_eq!(invitations, []);
}

#[rocket::async_test]
async fn atk_23_invitations_end_with_the_rights_of_their_maker() {
    let app = TestApp::start().await;
    app.admin().await;
    for ending in ["demoted", "disabled", "deleted"] {
        let mut maker = app.signed_in_admin("maker").await;
        let shown = maker.post("/admin/invitations", &[("uses", "2")]).await;
        let link = link_shown(&shown);
        assert_eq!(app.anonymous().get(&link).await.status, 200);
        let (app_of, by) = (&app.app, Actor::operator());
        let ended = match ending {
            "demoted" => {
                let admin = Some(false);
                let changes = Changes {
                    admin,
                    ..Changes::default()
                };
                lifecycle::change(app_of, &by, "maker", changes).await
            }
            "disabled" => lifecycle::disable(app_of, &by, "maker").await,
            _ => lifecycle::delete(app_of, &by, "maker").await,
        };
        ended.expect("a database").expect("a user");
        let joined = join(&mut app.anonymous(), &link, "bob").await;
        assert_eq!(joined.status, 404, "{ending}");
        if ending == "disabled" {
            lifecycle::enable(app_of, &by, "maker")
                .await
                .unwrap()
                .unwrap();
            assert_eq!(app.anonymous().get(&link).await.status, 404, "for good");
        }
        let admin = Some(true);
        let changes = Changes {
            admin,
            ..Changes::default()
        };
        let _ = lifecycle::change(app_of, &by, "maker", changes).await;
    }
}

#[rocket::async_test]
async fn atk_23_who_is_no_admin_any_more_makes_no_invitation() {
    let app = TestApp::start().await;
    let bob = app.user("bob").await;
    let token = Token::generate();
    let made = joining::invite(&app.app, &Actor::operator(), Some(&bob), one(), &token).await;
    assert_eq!(made.expect("a database"), Err(Refused::NoRight));
}

#[rocket::async_test]
async fn whoever_joins_in_a_browser_that_is_signed_in_changes_users_there() {
    let app = TestApp::start().await;
    let mut browser = app.signed_in("alice").await;
    let mut before = browser.clone();
    let link = invited(&app, one()).await;
    assert_eq!(join(&mut browser, &link, "bob").await.status, 303);
    assert!(browser.session().await.body.contains("\"bob\""));
    assert_eq!(
        before.session().await.status,
        401,
        "no session is left over"
    );
}

#[rocket::async_test]
async fn a_new_user_of_whom_two_factors_are_required_sets_one_up_first() {
    let app = TestApp::with("second_factor.required = \"all\"").await;
    let link = invited(&app, one()).await;
    let mut bob = app.anonymous();
    assert_eq!(join(&mut bob, &link, "bob").await.status, 303);
    let led = bob.get("/account").await;
    assert_eq!(led.status, 303);
    assert!(led.header("location").starts_with("/account/factors"));
}
