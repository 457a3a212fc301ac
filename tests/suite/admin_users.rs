//! Users in an admin's hands.

use std::time::Duration;

use rocket::http::Method;
use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;
use vestibule::people::users::{Changes, NewUser};

use crate::support::{Answer, Client, PASSWORD, TestApp};

async fn page_of(app: &TestApp, username: &str) -> String {
    format!("/admin/users/{}", app.user(username).await.id)
}

/// The one-time password that a page shows.
fn shown_password(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("<code").expect("a password is shown");
    let (_, rest) = rest.split_once('>').expect("a tag");
    rest.split('<').next().unwrap_or_default().trim().to_owned()
}

const FORM: [(&str, &str); 3] = [("display_name", ""), ("email", ""), ("groups", "")];

#[rocket::async_test]
async fn an_admin_adds_a_user_who_must_choose_a_password_at_the_first_sign_in() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let fields = [
        ("username", "Bob"),
        ("display_name", "Bob B"),
        ("email", "bob@example.com"),
        ("groups", "family, media"),
    ];
    let page = admin.post("/admin/users/new", &fields).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let password = shown_password(&page);
    let mut bob = app.anonymous();
    assert_eq!(bob.sign_in("bob", &password).await.status, 303);
    assert_eq!(
        bob.get("/account").await.header("location"),
        "/account/password"
    );
    assert_eq!(bob.session().await.status, 401);
    bob.post(
        "/account/password",
        &[
            ("current_password", &password),
            ("new_password", "a much better secret"),
        ],
    )
    .await;
    let session = bob.session().await.json();
    assert_eq!(
        session["user"]["groups"],
        serde_json::json!(["family", "media"])
    );
    assert_eq!(session["user"]["email"], "bob@example.com");
}

#[rocket::async_test]
async fn a_name_that_is_taken_or_no_name_is_told_and_what_was_typed_is_kept() {
    let app = TestApp::start().await;
    app.user("bob").await;
    let mut admin = app.admin().await;
    for name in ["bob", "BOB", "b b", "", "\u{202e}bob"] {
        let fields = [
            ("username", name),
            ("display_name", "Bob the Builder"),
            ("email", ""),
            ("groups", ""),
        ];
        let page = admin.post("/admin/users/new", &fields).await;
        assert_eq!(page.status, 422, "{name:?}");
        assert!(
            page.body.contains("Bob the Builder") && page.body.contains("role=\"alert\""),
            "{}",
            page.body
        );
    }
}

#[rocket::async_test]
async fn adm_03_a_one_time_password_is_shown_once_and_no_page_shows_a_secret() {
    let app = TestApp::start().await;
    app.user("bob").await;
    let mut admin = app.admin().await;
    let path = page_of(&app, "bob").await;
    let password = shown_password(&admin.post(&format!("{path}/password"), &[]).await);
    let page = admin.get(&path).await.body;
    assert!(!page.contains(&password) && !page.contains("$argon2id$"));
    assert!(
        app.anonymous().sign_in("bob", PASSWORD).await.status == 401,
        "the old one is gone"
    );
}

#[rocket::async_test]
async fn a_right_that_is_gained_is_not_there_before_the_next_sign_in() {
    let app = TestApp::start().await;
    let mut bob = app.signed_in("bob").await;
    let mut admin = app.admin().await;
    let answer = admin
        .post(
            &page_of(&app, "bob").await,
            &[&FORM[..], &[("admin", "on")]].concat(),
        )
        .await;
    assert_eq!(answer.status, 303);
    assert_eq!(bob.session().await.status, 401);
    assert_eq!(
        app.sign_in_again("bob")
            .await
            .get("/admin/users")
            .await
            .status,
        200
    );
}

#[rocket::async_test]
async fn adm_04_a_right_that_is_lost_is_gone_from_the_next_request_on() {
    let app = TestApp::start().await;
    let mut other = app.signed_in_admin("other").await;
    let mut admin = app.admin().await;
    assert_eq!(other.get("/admin/users").await.status, 200);
    admin.post(&page_of(&app, "other").await, &FORM).await;
    assert_eq!(other.get("/admin/users").await.status, 403);
}

#[rocket::async_test]
async fn adm_04_the_last_admin_is_neither_demoted_nor_disabled_nor_deleted() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let path = page_of(&app, "admin").await;
    for (action, fields) in [("", &FORM[..]), ("/disable", &[]), ("/delete", &[])] {
        let page = admin.post(&format!("{path}{action}"), fields).await;
        assert_eq!(page.status, 422, "{action}");
        assert!(page.body.contains("last admin"), "{action}: {}", page.body);
    }
    assert_eq!(admin.get("/admin/users").await.status, 200);
}

#[rocket::async_test]
async fn adm_04_two_admins_who_delete_each_other_at_once_leave_one() {
    let app = TestApp::start().await;
    for _ in 0..10 {
        let mut other = app.signed_in_admin("other").await;
        let mut admin = app.signed_in_admin("admin").await;
        let (others, admins) = (page_of(&app, "other").await, page_of(&app, "admin").await);
        let (others, admins) = (format!("{others}/delete"), format!("{admins}/delete"));
        rocket::tokio::join!(admin.post(&others, &[]), other.post(&admins, &[]));
        let left = app
            .sql("SELECT count(*) || '' FROM users WHERE admin AND disabled_at IS NULL")
            .await;
        assert_eq!(left, ["1"]);
    }
}

#[rocket::async_test]
async fn a_disabled_users_sessions_end_at_once_and_stay_dead_when_enabled_again() {
    let app = TestApp::start().await;
    let mut bob = app.signed_in("bob").await;
    let mut admin = app.admin().await;
    let path = page_of(&app, "bob").await;
    admin.post(&format!("{path}/disable"), &[]).await;
    assert_eq!(bob.session().await.status, 401);
    assert_eq!(app.anonymous().sign_in("bob", PASSWORD).await.status, 401);
    admin.post(&format!("{path}/enable"), &[]).await;
    assert_eq!(bob.session().await.status, 401);
    assert_eq!(app.anonymous().sign_in("bob", PASSWORD).await.status, 303);
}

#[rocket::async_test]
async fn a_user_who_is_deleted_while_signed_in_is_sent_to_sign_in() {
    let app = TestApp::start().await;
    let mut bob = app.signed_in("bob").await;
    let mut admin = app.admin().await;
    let path = page_of(&app, "bob").await;
    assert!(
        admin
            .get(&format!("{path}/delete"))
            .await
            .body
            .contains("bob")
    );
    assert_eq!(
        admin
            .post(&format!("{path}/delete"), &[])
            .await
            .header("location"),
        "/admin/users"
    );
    assert_eq!(
        bob.get("/account").await.header("location"),
        "/login?rd=%2Faccount"
    );
    let id = path.rsplit('/').next().expect("an id");
    let records = format!("/admin/audit?user={id}");
    assert_eq!(admin.get(&path).await.header("location"), records);
    assert_eq!(
        admin.post(&format!("{path}/disable"), &[]).await.status,
        404
    );
}

#[rocket::async_test]
async fn signing_a_user_out_everywhere_ends_that_users_sessions_alone() {
    let app = TestApp::start().await;
    let mut bobs = [app.signed_in("bob").await, app.sign_in_again("bob").await];
    let mut alice = app.signed_in("alice").await;
    let mut admin = app.admin().await;
    admin
        .post(
            &format!("{}/revoke-sessions", page_of(&app, "bob").await),
            &[],
        )
        .await;
    for bob in &mut bobs {
        assert_eq!(bob.session().await.status, 401);
    }
    assert_eq!(alice.session().await.status, 200);
}

#[rocket::async_test]
async fn adm_04_an_older_page_gives_no_right_back() {
    let app = TestApp::start().await;
    let mut first = app.admin().await;
    let mut second = app.signed_in_admin("second").await;
    let path = page_of(&app, "bob").await;
    let had = [
        ("display_name", ""),
        ("email", ""),
        ("groups", "staff"),
        ("admin", "on"),
    ];
    assert_eq!(first.post(&path, &had).await.status, 303);
    let older = second.get(&path).await.field("version");
    let taken = first.get(&path).await.field("version");
    let taken = [&FORM[..], &[("version", &taken)]].concat();
    assert_eq!(first.post(&path, &taken).await.status, 303);
    let wanted = [
        ("display_name", ""),
        ("email", "bob@example.com"),
        ("groups", "staff"),
        ("admin", "on"),
        ("version", &older),
    ];
    let before = app.dump().await;
    let conflict = second.post(&path, &wanted).await;
    assert_eq!(conflict.status, 409, "{}", conflict.body);
    for shown in ["bob@example.com", "staff", "Yes", "No", "None"] {
        assert!(conflict.body.contains(shown), "{shown}: {}", conflict.body);
    }
    assert_eq!(app.dump().await, before);
    let bob = app.user("bob").await;
    assert!(
        !bob.admin && bob.groups.is_empty() && bob.email.is_none(),
        "{bob:?}"
    );

    // On purpose, by the form of that page.
    let again = conflict.fields_of(&format!(
        "form class=\"choice\" method=\"post\" action=\"{path}\""
    ));
    let again: Vec<(&str, &str)> = again
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(second.post(&path, &again).await.status, 303);
    let bob = app.user("bob").await;
    assert!(bob.admin, "{bob:?}");
    assert_eq!(
        (bob.groups, bob.email.as_deref()),
        (vec!["staff".to_owned()], Some("bob@example.com"))
    );
}

#[rocket::async_test]
async fn a_save_that_is_sent_twice_is_no_conflict() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let path = page_of(&app, "bob").await;
    let version = admin.get(&path).await.field("version");
    let fields = [
        &FORM[1..],
        &[("display_name", "Bob"), ("version", &version)],
    ]
    .concat();
    for _ in 0..2 {
        assert_eq!(admin.post(&path, &fields).await.status, 303);
    }
}

#[rocket::async_test]
async fn a_form_without_a_version_says_outright_what_shall_be() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let path = page_of(&app, "bob").await;
    let page = admin.get(&path).await;
    assert!(!page.field("version").is_empty());
    for (name, version) in [("One", None), ("Two", Some(("version", "")))] {
        let mut fields = [&FORM[1..], &[("display_name", name)]].concat();
        fields.extend(version);
        assert_eq!(admin.post(&path, &fields).await.status, 303);
        assert_eq!(app.user("bob").await.display_name, name);
    }
}

#[rocket::async_test]
async fn csr_09_what_a_form_was_made_from_survives_the_password_page() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let path = page_of(&app, "bob").await;
    let older = admin.get(&path).await.field("version");
    let group = [("display_name", ""), ("email", ""), ("groups", "staff")];
    assert_eq!(admin.post(&path, &group).await.status, 303);
    app.wait(Duration::from_secs(16 * 60)).await;
    let stale = [&FORM[1..], &[("display_name", "Bob"), ("version", &older)]].concat();
    let asked = admin.post(&path, &stale).await;
    assert_eq!(asked.status, 403);
    assert_eq!(asked.field("version"), older);
    let sent = [&stale[..], &[("password_again", PASSWORD)]].concat();
    assert_eq!(admin.post(&path, &sent).await.status, 409);
    assert_eq!(app.user("bob").await.groups, ["staff"]);
}

#[rocket::async_test]
async fn users_are_found_by_name_display_name_and_mail_and_paged_by_name() {
    let app = TestApp::start().await;
    for (name, display) in [("alice", "Alice A"), ("bob", "Builder"), ("carol", "")] {
        app.add(NewUser {
            username: name.to_owned(),
            display_name: Some(display.to_owned()),
            ..NewUser::default()
        })
        .await;
    }
    let mut admin = app.admin().await;
    let names = |page: &Answer| -> Vec<&'static str> {
        ["alice", "bob", "carol"]
            .into_iter()
            .filter(|name| page.body.contains(name))
            .collect()
    };
    assert_eq!(names(&admin.get("/admin/users?q=build").await), ["bob"]);
    assert_eq!(names(&admin.get("/admin/users?q=bu").await), ["bob"]);
    assert_eq!(names(&admin.get("/admin/users?q=ui").await), [""; 0]);
    assert_eq!(names(&admin.get("/admin/users?q=%25").await), [""; 0]);
    let first = admin.get("/admin/users?limit=2&after=admin").await;
    assert_eq!(names(&first), ["alice", "bob"]);
    assert_eq!(
        names(&admin.get("/admin/users?limit=2&after=bob").await),
        ["carol"]
    );
}

#[rocket::async_test]
async fn adm_05_fields_that_the_form_does_not_have_are_refused_as_a_whole() {
    let app = TestApp::start().await;
    app.user("bob").await;
    let mut admin = app.admin().await;
    let path = page_of(&app, "bob").await;
    let forged = [
        &FORM[..],
        &[("must_change_password", "false"), ("user_id", "1")],
    ]
    .concat();
    assert_eq!(admin.post(&path, &forged).await.status, 422);
    let mut bob = app.sign_in_again("bob").await;
    let profile = [
        ("current_password", PASSWORD),
        ("new_password", "a much better secret"),
        ("is_admin", "1"),
    ];
    assert_eq!(bob.post("/account/password", &profile).await.status, 422);
    assert_eq!(bob.session().await.json()["user"]["admin"], false);
}

#[rocket::async_test]
async fn adm_01_admin_routes_are_for_admins_on_every_method() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let mut user = app.signed_in("bob").await;
    let mut visitor = app.anonymous();
    let id = app.user("bob").await.id.to_string();
    let routes: Vec<(Method, String)> = app
        .local
        .rocket()
        .routes()
        .filter(|route| route.uri.path().starts_with("/admin"))
        .map(|route| {
            (
                route.method,
                route
                    .uri
                    .path()
                    .replace("<id>", &id)
                    .replace("<token>", &id),
            )
        })
        .collect();
    assert!(routes.len() >= 14, "{routes:?}");
    for (method, path) in routes {
        let asked = async |client: &mut Client| match method {
            Method::Get => client.get(&path).await.status,
            _ => client.post(&path, &[]).await.status,
        };
        assert_eq!(
            asked(&mut visitor).await,
            303,
            "{method} {path}: a visitor is sent to sign in"
        );
        assert_eq!(asked(&mut user).await, 403, "{method} {path}");
        if method == Method::Get {
            // The id is a user's: no site and no application has it.
            let others = [
                format!("/admin/sites/{id}"),
                format!("/admin/applications/{id}"),
            ];
            let expected = match others.iter().any(|other| path.starts_with(other)) {
                true => 404,
                false => 200,
            };
            assert_eq!(asked(&mut admin).await, expected, "{method} {path}");
        }
        for other in [Method::Put, Method::Delete, Method::Patch] {
            let answer = user.send(other, &path, &[], "").await;
            assert!(answer.status >= 400, "{other} {path}: {}", answer.status);
        }
    }
}

#[rocket::async_test]
async fn csr_09_a_change_long_after_the_password_check_asks_for_it_and_loses_nothing() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    app.wait(Duration::from_secs(16 * 60)).await;
    let fields = [
        ("username", "bob"),
        ("display_name", "Bob \"B\""),
        ("email", ""),
        ("groups", ""),
    ];
    let asked = admin.post("/admin/users/new", &fields).await;
    assert_eq!(asked.status, 403);
    assert!(
        asked.body.contains("password_again") && asked.body.contains("Bob &quot;B&quot;"),
        "{}",
        asked.body
    );
    let old = admin.clone();
    let wrong = [&fields[..], &[("password_again", "not that one, no")]].concat();
    assert_eq!(admin.post("/admin/users/new", &wrong).await.status, 403);
    let right = [&fields[..], &[("password_again", PASSWORD)]].concat();
    let done = admin.post("/admin/users/new", &right).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert!(done.body.contains("Bob &quot;B&quot;"));
    assert_ne!(old.token(), admin.token(), "the session has a new secret");
    assert_eq!(
        admin
            .post(
                "/admin/users/new",
                &[
                    ("username", "carol"),
                    ("display_name", ""),
                    ("email", ""),
                    ("groups", "")
                ]
            )
            .await
            .status,
        200
    );
}

/// The newest detail of a kind of event, by what is stored.
async fn change_told(app: &TestApp) -> String {
    let query = "SELECT detail FROM audit WHERE event = 'user_change' ORDER BY id DESC LIMIT 1";
    app.sql(query).await.concat()
}

#[rocket::async_test]
async fn the_audit_says_what_was_changed_of_a_user_old_and_new() {
    let app = TestApp::start().await;
    app.add(NewUser {
        username: "bob".to_owned(),
        display_name: Some("Bob".to_owned()),
        groups: vec!["family".to_owned(), "media".to_owned()],
        ..NewUser::default()
    })
    .await;
    let page = page_of(&app, "bob").await;
    let mut admin = app.admin().await;
    let fields = [
        ("display_name", "Robert"),
        ("email", "bob@example.com"),
        ("groups", "media, staff"),
        ("admin", "on"),
    ];
    assert_eq!(admin.post(&page, &fields).await.status, 303);
    assert_eq!(
        change_told(&app).await,
        "admin: no → yes; groups added: staff; groups removed: family; \
         email: none → bob@example.com; display name: Bob → Robert"
    );
    assert_eq!(admin.post(&page, &fields).await.status, 303);
    assert_eq!(change_told(&app).await, "nothing changed");
    let body = admin.get(&page).await.body;
    assert!(body.contains("email: none → bob@example.com"), "{body}");
}

#[rocket::async_test]
async fn however_long_the_values_are_the_audit_tells_each_that_changed() {
    let app = TestApp::start().await;
    let bob = app.user("bob").await;
    let mut admin = app.admin().await;
    let page = format!("/admin/users/{}", bob.id);
    let groups = |letter: &str| {
        let names = (10..40).map(|number| format!("{letter}{number}").repeat(20));
        names.collect::<Vec<_>>().join(",")
    };
    for letter in ["a", "b"] {
        let email = format!("{}@example.com", letter.repeat(240));
        let fields = [
            ("display_name", &*letter.repeat(128)),
            ("email", &email),
            ("groups", &groups(letter)),
        ];
        assert_eq!(admin.post(&page, &fields).await.status, 303);
    }
    let told = change_told(&app).await;
    assert!(told.chars().count() <= 512, "{told}");
    for part in [
        "groups added: b10",
        "groups removed: a10",
        "email: aaa",
        "… → bbb",
        "display name: aaa",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[rocket::async_test]
async fn more_groups_than_proxies_hand_on_are_refused_when_they_are_added() {
    let app = TestApp::start().await;
    app.user("bob").await;
    let page = page_of(&app, "bob").await;
    let mut admin = app.admin().await;
    let groups = |count: usize| {
        let names = (0..count).map(|number| format!("{number:064}"));
        names.collect::<Vec<_>>().join(",")
    };
    let (most, too_many) = (groups(63), groups(64));
    let fields = |groups| [("display_name", ""), ("email", ""), ("groups", groups)];
    assert_eq!(admin.post(&page, &fields(most.as_str())).await.status, 303);
    let refused = admin.post(&page, &fields(too_many.as_str())).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.body.contains("4,096 characters"),
        "{}",
        refused.body
    );
    let count = "SELECT count(*) || '' FROM memberships";
    assert_eq!(app.sql(count).await, ["63"]);
    let new = [&fields(too_many.as_str())[..], &[("username", "eve")]].concat();
    assert_eq!(admin.post("/admin/users/new", &new).await.status, 422);
}

#[rocket::async_test]
async fn who_has_too_many_groups_from_before_can_be_changed_but_not_given_more() {
    let app = TestApp::start().await;
    app.user("bob").await;
    app.execute(
        "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 299)
         INSERT INTO groups SELECT substr('0000000000000000000000000000000000000000000000000000000000000000' || n, length(CAST(n AS TEXT)) + 1) FROM n",
    )
    .await;
    app.execute(
        "INSERT INTO memberships SELECT id, name FROM users, groups WHERE username = 'bob'",
    )
    .await;
    let change = async |changes| {
        lifecycle::change(&app.app, &Actor::operator(), "bob", changes)
            .await
            .expect("a database")
    };
    let more = Changes {
        add_groups: vec!["staff".to_owned()],
        ..Changes::default()
    };
    let refused = change(more).await.expect_err("no more");
    assert!(refused.to_string().contains("4,096"), "{refused}");
    let email = Changes {
        email: Some("bob@example.com".to_owned()),
        remove_groups: vec![format!("{:064}", 7)],
        ..Changes::default()
    };
    assert_eq!(change(email).await.expect("a change").groups.len(), 299);
}

#[rocket::async_test]
async fn a_broken_index_for_searches_keeps_users_from_changes_and_nobody_from_signing_in() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    let alice = page_of(&app, "alice").await;
    app.execute("DELETE FROM search_users_data WHERE id > 10")
        .await;
    let renamed = [("display_name", "Another"), ("email", ""), ("groups", "")];
    assert_eq!(admin.post(&alice, &renamed).await.status, 503);
    app.sign_in_again("alice").await;
    assert_eq!(app.app.db.failure(), None);
    // As the migration says.
    app.execute("INSERT INTO search_users (search_users) VALUES ('rebuild')")
        .await;
    assert_eq!(admin.post(&alice, &renamed).await.status, 303);
}

/// What the list of users would confirm.
async fn listed_unconfirmed(admin: &mut Client, q: &str) -> String {
    let page = admin.get(&format!("/admin/users?q={q}")).await;
    page.field_of("/admin/users/confirm-addresses", "users")
}

async fn with_address(app: &TestApp, name: &str, address: &str) {
    app.signed_in(name).await;
    let changes = Changes {
        email: Some(address.to_owned()),
        ..Changes::default()
    };
    let changed = lifecycle::change(&app.app, &Actor::operator(), name, changes).await;
    changed.expect("a database").expect("a good address");
}

#[rocket::async_test]
async fn an_admin_confirms_the_addresses_of_a_list_at_once() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    with_address(&app, "alice", "alice@corp.example").await;
    with_address(&app, "bob", "bob@corp.example").await;
    with_address(&app, "carol", "carol@example.net").await;
    let listed = listed_unconfirmed(&mut admin, "corp.example").await;
    let confirmed = admin
        .post("/admin/users/confirm-addresses", &[("users", &listed)])
        .await;
    assert_eq!(confirmed.header("location"), "/admin/users");
    for (name, is_confirmed) in [("alice", true), ("bob", true), ("carol", false)] {
        assert_eq!(app.user(name).await.email_verified, is_confirmed, "{name}");
    }
}

#[rocket::async_test]
async fn an_address_that_changed_since_it_was_seen_is_not_confirmed() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    with_address(&app, "alice", "alice@corp.example").await;
    with_address(&app, "bob", "bob@corp.example").await;
    let listed = listed_unconfirmed(&mut admin, "corp.example").await;
    with_address(&app, "alice", "eve@corp.example").await;
    let page = admin
        .post("/admin/users/confirm-addresses", &[("users", &listed)])
        .await;
    assert_eq!(page.status, 409);
    assert!(
        page.body.contains("alice was changed meanwhile"),
        "{}",
        page.body
    );
    assert!(!app.user("alice").await.email_verified);
    assert!(app.user("bob").await.email_verified);
}
