//! Which names people may choose by themselves.

use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;
use vestibule::people::users::{Changes, NewUser};

use super::{NewInvitation, invited, join, one};
use crate::support::TestApp;

#[rocket::async_test]
async fn atk_12_atk_13_a_name_that_means_somebody_else_cannot_be_chosen() {
    let app = TestApp::start().await;
    app.user("keeper").await;
    app.user("gone").await;
    let deleted = lifecycle::delete(&app.app, &Actor::operator(), "gone").await;
    deleted.expect("a database").expect("a user");
    app.site("app.example.com", "deny", &["allow /* for user:ruler"])
        .await;
    let link = invited(&app, NewInvitation { uses: 9, ..one() }).await;
    for (n, name) in ["gone", "ruler", "admin", "Root", "bob@corp.test", "KEEPER"]
        .into_iter()
        .enumerate()
    {
        let mut client = app.anonymous().at(&format!("198.51.100.{n}"));
        let answer = join(&mut client, &link, name).await;
        assert_eq!(answer.status, 422, "{name}");
        assert!(answer.body.contains("That user name is taken."), "{name}");
    }
    assert_eq!(
        join(&mut app.anonymous(), &link, "newcomer").await.status,
        303
    );
}

#[rocket::async_test]
async fn atk_12_a_name_that_is_anothers_confirmed_address_cannot_be_chosen() {
    let app = TestApp::start().await;
    app.add(NewUser {
        username: "alice".to_owned(),
        email: Some("Alice@example.com".to_owned()),
        ..NewUser::default()
    })
    .await;
    let changes = Changes {
        email_verified: Some(true),
        ..Changes::default()
    };
    let changed = lifecycle::change(&app.app, &Actor::operator(), "alice", changes).await;
    changed.expect("a database").expect("a user");
    let link = invited(&app, one()).await;
    let answer = join(&mut app.anonymous(), &link, "alice@example.com").await;
    assert_eq!(answer.status, 422);
}

#[rocket::async_test]
async fn whoever_tries_names_one_after_another_has_to_wait() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let link = invited(&app, NewInvitation { uses: 9, ..one() }).await;
    let mut statuses = Vec::new();
    for _ in 0..7 {
        statuses.push(join(&mut app.anonymous(), &link, "alice").await.status);
    }
    assert_eq!(statuses, [422, 422, 422, 422, 422, 429, 429]);
    let mut elsewhere = app.anonymous().at("198.51.100.9");
    assert_eq!(join(&mut elsewhere, &link, "bob").await.status, 303);
}

#[rocket::async_test]
async fn an_invitation_for_a_whole_office_is_not_throttled() {
    let app = TestApp::start().await;
    let link = invited(&app, NewInvitation { uses: 8, ..one() }).await;
    for n in 0..8 {
        let joined = join(&mut app.anonymous(), &link, &format!("worker-{n}")).await;
        assert_eq!(joined.status, 303, "{n}");
    }
}
