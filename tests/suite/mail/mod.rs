//! Mail: what is sent, to whom, through a real mail server; forgotten passwords and addresses.

pub mod enrolment;
mod faults;
pub mod faulty;
mod notices;
pub mod server;

use std::time::Duration;

use vestibule::account::{lifecycle, reset};
use vestibule::foundation::audit::Actor;
use vestibule::foundation::mail::counts;
use vestibule::people::passwords::Password;
use vestibule::people::users::{Changes, NewUser};

use crate::support::{Answer, Authenticator, Client, PASSWORD, TestApp, logged};
use server::{ALICE, MailServer, link_in};

const MINUTE: Duration = Duration::from_secs(60);
const NEW: &str = "a lantern over wet cobblestones";

/// A service that sends through this server, and alice, whose address is confirmed.
async fn with_alice(server: &MailServer) -> TestApp {
    with_settings(&server.settings()).await
}

async fn with_settings(settings: &str) -> TestApp {
    let app = TestApp::with(settings).await;
    app.add(NewUser {
        username: "alice".to_owned(),
        email: Some(ALICE.to_owned()),
        ..NewUser::default()
    })
    .await;
    confirm(&app, "alice").await;
    app
}

async fn confirm(app: &TestApp, username: &str) {
    let changes = Changes {
        email_verified: Some(true),
        ..Changes::default()
    };
    let changed = lifecycle::change(&app.app, &Actor::operator(), username, changes).await;
    changed.expect("a database").expect("a user");
}

async fn ask(client: &mut Client, typed: &str) -> Answer {
    client.post("/reset", &[("username", typed)]).await
}

/// The link of the only mail that has arrived.
async fn reset_link(app: &TestApp, server: &MailServer) -> String {
    ask(&mut app.anonymous(), "alice").await;
    app.sweep().await;
    link_in(server.arrived(1).last().expect("a mail"))
}

/// A link that an admin hands to alice.
async fn link_by_admin(app: &TestApp) -> String {
    let link = reset::link_for(&app.app, &Actor::operator(), "alice").await;
    let link = link.expect("a database").expect("a user");
    link.trim_start_matches("https://auth.example.com")
        .to_owned()
}

async fn choose(app: &TestApp, link: &str, password: &str) -> Answer {
    app.anonymous()
        .post(link, &[("new_password", password)])
        .await
}

#[rocket::async_test]
async fn rst_05_a_link_by_mail_sets_a_password_ends_all_sessions_and_signs_nobody_in() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let mut before = app.sign_in_again("alice").await;
    let link = reset_link(&app, &server).await;
    assert_eq!(before.session().await.status, 200, "asking changes nothing");
    let page = app.anonymous().get(&link).await;
    assert!(page.body.contains("alice"), "{}", page.body);
    let done = choose(&app, &link, NEW).await;
    assert_eq!(done.status, 200);
    assert_eq!(done.all("set-cookie").count(), 0, "nobody is signed in");
    assert_eq!(before.session().await.status, 401);
    assert_eq!(app.anonymous().sign_in("alice", PASSWORD).await.status, 401);
    assert_eq!(app.anonymous().sign_in("alice", NEW).await.status, 303);
    app.sweep().await;
    let mails = server.arrived(2);
    assert!(
        mails
            .iter()
            .any(|mail| mail.contains("A new password was set")),
        "the owner is told: {mails:#?}"
    );
}

#[rocket::async_test]
async fn rst_03_a_link_works_once_and_its_siblings_end_with_it() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    ask(&mut app.anonymous(), "alice").await;
    ask(&mut app.anonymous(), "alice").await;
    app.sweep().await;
    let links: Vec<String> = server.arrived(2).iter().map(|mail| link_in(mail)).collect();
    assert_ne!(links[0], links[1]);
    let dump = app.dump().await.join("\n");
    for link in &links {
        let token = link.trim_start_matches("/reset/");
        assert!(!dump.contains(token), "no token is in the database");
    }
    assert_eq!(choose(&app, &links[0], NEW).await.status, 200);
    for link in &links {
        assert_eq!(
            choose(&app, link, "yet another password of hers")
                .await
                .status,
            404
        );
    }
}

#[rocket::async_test]
async fn rst_03_a_link_is_good_for_half_an_hour() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let link = reset_link(&app, &server).await;
    app.wait(29 * MINUTE).await;
    assert_eq!(app.anonymous().get(&link).await.status, 200);
    app.wait(2 * MINUTE).await;
    assert_eq!(app.anonymous().get(&link).await.status, 404);
    assert_eq!(choose(&app, &link, NEW).await.status, 404);
}

#[rocket::async_test]
async fn rst_03_of_a_hundred_who_come_with_one_link_at_once_one_sets_the_password() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let link = reset_link(&app, &server).await;
    let tries = (0..100).map(|n| {
        let (app, link) = (&app, &link);
        async move {
            choose(app, link, &format!("a password of try number {n}"))
                .await
                .status
        }
    });
    let answers = rocket::futures::future::join_all(tries).await;
    assert_eq!(
        answers.iter().filter(|status| **status == 200).count(),
        1,
        "{answers:?}"
    );
    assert!(
        answers
            .iter()
            .all(|status| [200, 404, 503].contains(status)),
        "{answers:?}"
    );
}

#[rocket::async_test]
async fn rst_03_a_sign_in_ends_a_link() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let link = reset_link(&app, &server).await;
    app.sign_in_again("alice").await;
    assert_eq!(choose(&app, &link, NEW).await.status, 404);
}

#[rocket::async_test]
async fn rst_03_a_change_of_address_ends_a_link_and_a_change_of_name_does_not() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let link = reset_link(&app, &server).await;
    let change = async |changes| {
        let changed = lifecycle::change(&app.app, &Actor::operator(), "alice", changes).await;
        changed.expect("a database").expect("a user");
    };
    change(Changes {
        display_name: Some("Alice".to_owned()),
        email: Some(ALICE.to_owned()),
        ..Changes::default()
    })
    .await;
    assert_eq!(app.anonymous().get(&link).await.status, 200);
    change(Changes {
        email: Some("alice@example.net".to_owned()),
        ..Changes::default()
    })
    .await;
    assert_eq!(choose(&app, &link, NEW).await.status, 404);
}

#[rocket::async_test]
async fn rst_03_a_new_password_ends_a_link_whoever_sets_it() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let mut alice = app.sign_in_again("alice").await;
    let link = reset_link(&app, &server).await;
    let new = [("current_password", PASSWORD), ("new_password", NEW)];
    assert_eq!(alice.post("/account/password", &new).await.status, 303);
    assert_eq!(choose(&app, &link, PASSWORD).await.status, 404);
    let link = link_by_admin(&app).await;
    let password = Password::new("an operator chose this one".to_owned());
    let set = lifecycle::set_password(&app.app, &Actor::operator(), "alice", &password).await;
    set.expect("a database").expect("a user");
    assert_eq!(choose(&app, &link, PASSWORD).await.status, 404);
}

#[rocket::async_test]
async fn rst_07_opening_a_link_does_not_spend_it() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let link = reset_link(&app, &server).await;
    for method in [rocket::http::Method::Get, rocket::http::Method::Head] {
        for _ in 0..5 {
            let answer = app.anonymous().send(method, &link, &[], "").await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("referrer-policy"), "same-origin");
        }
    }
    assert_eq!(choose(&app, &link, NEW).await.status, 200);
}

#[rocket::async_test]
async fn rst_02_the_answer_tells_nothing_and_the_same_is_written_for_everybody() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let known = ask(&mut app.anonymous(), "alice").await;
    let unknown = ask(&mut app.anonymous(), "nobody").await;
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    let rows = app
        .sql("SELECT kind || recipient || coalesce(CAST(user_id AS TEXT), '') FROM mails")
        .await;
    assert_eq!(rows, ["reset", "reset"], "who it is for is looked up later");
    let dump = app.dump().await.join("\n");
    assert!(!dump.contains("nobody"), "what was typed is sealed");
    app.sweep().await;
    assert_eq!(server.arrived(1).len(), 1);
}

#[rocket::async_test]
async fn rst_04_mail_goes_to_the_stored_address_and_to_nobody_else() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    for typed in [
        "alıce@example.com",
        "alice@example.com,bob@example.com",
        "alice@example.com\r\nBcc: bob@example.com",
        "ａlice@example.com",
        "\"alice\"@example.com",
    ] {
        let answer = app.anonymous().post("/reset", &[("username", typed)]).await;
        assert!(
            [200, 422, 429].contains(&answer.status),
            "{typed:?}: {}",
            answer.status
        );
    }
    app.sweep().await;
    assert_eq!(server.mails().len(), 0);
    let mut elsewhere = app.anonymous().at("198.51.100.4");
    ask(&mut elsewhere, "Alice@Example.com").await;
    app.sweep().await;
    let mails = server.arrived(1);
    assert!(mails[0].contains(&format!("To: {ALICE}")), "{}", mails[0]);
    assert!(!mails[0].contains("bob@"));
}

#[rocket::async_test]
async fn rst_01_links_name_the_configured_address_whatever_the_request_says() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let headers = [
        ("X-Forwarded-Host", "evil.test"),
        ("X-Host", "evil.test"),
        ("Forwarded", "host=evil.test"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", crate::support::ORIGIN),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    let mut client = app.anonymous();
    client
        .send(
            rocket::http::Method::Post,
            "/reset",
            &headers,
            "username=alice",
        )
        .await;
    app.sweep().await;
    let mail = server.arrived(1).remove(0);
    assert!(mail.contains("https://auth.example.com/reset/"));
    assert!(!mail.contains("evil.test"), "{mail}");
}

#[rocket::async_test]
async fn rst_06_a_flood_of_requests_sends_few_mails() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let mut statuses = Vec::new();
    for n in 0..100 {
        let mut client = app.anonymous().at(&format!("198.51.100.{n}"));
        statuses.push(ask(&mut client, "alice").await.status);
    }
    assert!(
        statuses.iter().all(|status| *status == 200),
        "the answer stays the same"
    );
    app.sweep().await;
    assert_eq!(server.arrived(5).len(), 5);
    let mut one = app.anonymous().at("203.0.113.99");
    let mut from_one = Vec::new();
    for _ in 0..10 {
        from_one.push(ask(&mut one, "nobody").await.status);
    }
    assert_eq!(from_one[5..], [429; 5]);
}

#[rocket::async_test]
async fn mfa_08_a_reset_takes_no_second_factor_away() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let mut alice = app.sign_in_again("alice").await;
    let code = enrolment::mailed_code(&app, &server, &mut alice).await;
    enrolment::enter(&mut alice, &code).await;
    Authenticator::set_up(&app, &mut alice).await;
    ask(&mut app.anonymous(), "alice").await;
    app.sweep().await;
    let mails = server.arrived(3);
    let link = mails
        .iter()
        .find(|mail| mail.contains("/reset/"))
        .expect("a link");
    assert_eq!(choose(&app, &link_in(link), NEW).await.status, 200);
    let answer = app.anonymous().sign_in("alice", NEW).await;
    assert_eq!(answer.header("location"), "/login/code");
}

#[rocket::async_test]
async fn mfa_09_a_mail_goes_to_no_address_that_a_request_brings() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let fields = [("username", "alice"), ("email", "thief@example.com")];
    let answer = app.anonymous().post("/reset", &fields).await;
    assert_eq!(answer.status, 422, "the form has no such field");
    app.sweep().await;
    assert_eq!(server.mails().len(), 0);
}

#[rocket::async_test]
async fn an_admins_link_sets_a_password_where_there_is_no_mail() {
    let app = TestApp::start().await;
    app.user("alice").await;
    assert!(
        app.anonymous()
            .get("/reset")
            .await
            .body
            .contains("Ask the person who runs")
    );
    assert_eq!(ask(&mut app.anonymous(), "alice").await.status, 404);
    let link = link_by_admin(&app).await;
    assert_eq!(choose(&app, &link, NEW).await.status, 200);
    assert_eq!(app.anonymous().sign_in("alice", NEW).await.status, 303);
}

#[rocket::async_test]
async fn an_address_is_ones_own_once_the_link_there_is_opened_by_who_asked() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = TestApp::with(&server.settings()).await;
    let mut bob = app.signed_in("bob").await;
    let mut mallory = app.signed_in("mallory").await;
    let asked = bob.post("/account/email", &[("email", ALICE)]).await;
    assert_eq!(asked.status, 200, "{}", asked.body);
    assert_eq!(app.user("bob").await.email, None, "nothing is changed yet");
    app.sweep().await;
    let link = link_in(&server.arrived(1)[0]);
    assert_eq!(
        mallory.get(&link).await.status,
        404,
        "atk_12: another user's link"
    );
    assert_eq!(mallory.post(&link, &[]).await.status, 404);
    assert_eq!(bob.get(&link).await.status, 200);
    assert_eq!(bob.post(&link, &[]).await.status, 303);
    let user = app.user("bob").await;
    assert_eq!(
        (user.email.as_deref(), user.email_verified),
        (Some(ALICE), true)
    );
    assert_eq!(bob.post(&link, &[]).await.status, 404, "it works once");
    assert_eq!(
        app.anonymous()
            .sign_in("Alice@Example.com", PASSWORD)
            .await
            .status,
        303,
        "and signs in"
    );
}

#[rocket::async_test]
async fn atk_12_an_address_that_is_anothers_is_refused_and_an_unconfirmed_one_blocks_nobody() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    app.add(NewUser {
        username: "bob".to_owned(),
        email: Some(ALICE.to_owned()),
        ..NewUser::default()
    })
    .await;
    let signed_in = app.anonymous().sign_in(ALICE, PASSWORD).await;
    assert_eq!(signed_in.status, 303);
    let mut bob = app.sign_in_again("bob").await;
    bob.post("/account/email", &[("email", ALICE)]).await;
    app.sweep().await;
    let mails = server.arrived(1);
    let link = mails
        .iter()
        .find(|mail| mail.contains("/verify/"))
        .expect("a link");
    let taken = bob.post(&link_in(link), &[]).await;
    assert_eq!(taken.status, 409, "{}", taken.body);
    assert!(!app.user("bob").await.email_verified);
    let changes = Changes {
        email_verified: Some(true),
        ..Changes::default()
    };
    let refused = lifecycle::change(&app.app, &Actor::operator(), "bob", changes).await;
    assert!(refused.expect("a database").is_err(), "nor by an admin");
}

#[rocket::async_test]
async fn atk_23_a_change_of_address_is_told_to_the_old_one_and_taken_back_from_there() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let mut thief = app.sign_in_again("alice").await;
    thief
        .post("/account/email", &[("email", "vestibule@example.com")])
        .await;
    app.sweep().await;
    let link = link_in(&server.arrived(1)[0]);
    assert_eq!(thief.post(&link, &[]).await.status, 303);
    app.sweep().await;
    let mails = server.arrived(3);
    let told = mails
        .iter()
        .find(|mail| mail.contains("/undo/"))
        .expect("the old address is told");
    assert!(told.contains(&format!("To: {ALICE}")), "{told}");
    let undo = link_in(told);
    for _ in 0..3 {
        assert_eq!(
            app.anonymous().get(&undo).await.status,
            200,
            "opening it changes nothing"
        );
    }
    let done = app.anonymous().post(&undo, &[]).await;
    assert_eq!(done.status, 200);
    assert_eq!(done.all("set-cookie").count(), 0);
    let user = app.user("alice").await;
    assert_eq!(
        (user.email.as_deref(), user.email_verified),
        (Some(ALICE), true)
    );
    assert_eq!(thief.session().await.status, 401);
}

#[rocket::async_test]
async fn mails_are_plain_text_and_small_html_to_one_recipient_and_say_that_a_program_wrote_them() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_settings(&server.settings_at_once()).await;
    ask(&mut app.anonymous(), "alice").await;
    app.sweep().await;
    let mail = server.arrived(1).remove(0);
    for line in [
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        "multipart/alternative",
        "text/plain; charset=utf-8",
        "text/html; charset=utf-8",
        "Subject: A new password (auth.example.com)",
    ] {
        assert!(mail.contains(line), "{line} in {mail}");
    }
    let id = app
        .sql(
            "SELECT CAST(count(*) AS TEXT) FROM mails WHERE sent_at IS NOT NULL AND sealed IS NULL",
        )
        .await;
    assert_eq!(id, ["1"]);
    assert!(
        mail.contains("Message-ID: <") && mail.contains("@auth.example.com>"),
        "{mail}"
    );
    for refused in ["<img", "<script", "src="] {
        assert!(!mail.contains(refused), "{refused}");
    }
}

#[rocket::async_test]
async fn mai_02_a_server_that_is_down_fails_nothing_and_gets_the_mail_once_it_is_back() {
    let Some(mut server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    server.stop();
    let answer = ask(&mut app.anonymous(), "alice").await;
    assert_eq!(answer.status, 200);
    app.sweep().await;
    let waiting = counts(&app.app).await.expect("a database");
    assert_eq!(
        (waiting.waiting, waiting.failing, waiting.given_up),
        (1, 1, 0)
    );
    let mut admin = app.admin().await;
    let page = admin.get("/admin/mail").await;
    assert!(
        page.body.contains("could not reach localhost"),
        "{}",
        page.body
    );
    server.run();
    app.sweep().await;
    assert_eq!(server.mails().len(), 0, "not before its pause is over");
    app.wait(2 * MINUTE).await;
    app.sweep().await;
    assert_eq!(server.arrived(1).len(), 1);
    app.wait(60 * MINUTE).await;
    app.sweep().await;
    assert_eq!(server.mails().len(), 1, "it was sent once");
}

#[rocket::async_test]
async fn mai_02_a_mail_that_cannot_arrive_in_time_is_given_up() {
    let Some(mut server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    server.stop();
    ask(&mut app.anonymous(), "alice").await;
    for _ in 0..5 {
        app.sweep().await;
        app.wait(10 * MINUTE).await;
    }
    let over = counts(&app.app).await.expect("a database");
    assert_eq!((over.waiting, over.given_up), (0, 1));
}

#[rocket::async_test]
async fn mai_03_nothing_is_sent_to_a_server_that_cannot_be_trusted() {
    let Some(other_name) = MailServer::named("mail.example.org") else {
        return;
    };
    let app = with_alice(&other_name).await;
    ask(&mut app.anonymous(), "alice").await;
    app.sweep().await;
    assert_eq!(other_name.mails().len(), 0);
    let error = app.sql("SELECT last_error FROM mails").await.remove(0);
    assert!(error.contains("certificate"), "{error}");
    let Some(server) = MailServer::start() else {
        return;
    };
    let without_ca: String = server
        .settings()
        .lines()
        .filter(|line| !line.starts_with("mail.ca_file"))
        .map(|line| format!("{line}\n"))
        .collect();
    let app = with_settings(&without_ca).await;
    ask(&mut app.anonymous(), "alice").await;
    app.sweep().await;
    assert_eq!(server.mails().len(), 0);
    let wrong = server
        .settings()
        .replace("a password of the mail server", "not that password");
    let app = with_settings(&wrong).await;
    ask(&mut app.anonymous(), "alice").await;
    let ((), log) = logged(app.sweep()).await;
    let error = app.sql("SELECT last_error FROM mails").await.remove(0);
    assert!(error.contains("could not sign in"), "{error}");
    assert!(!log.contains("not that password") && !error.contains("not that password"));
}

#[rocket::async_test]
async fn mai_04_no_token_of_a_mail_is_in_the_log() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_settings(&format!("{}log_level = \"trace\"\n", server.settings())).await;
    let (link, log) = logged(reset_link(&app, &server)).await;
    let token = link.trim_start_matches("/reset/");
    assert!(!log.contains(token), "{log}");
}

#[rocket::async_test]
async fn mai_05_a_name_puts_no_header_into_a_mail() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice(&server).await;
    let mut tx = app.app.db.begin().await.expect("a transaction");
    tx.query("UPDATE users SET display_name = $1 WHERE username = 'alice'")
        .bind("x\r\nBcc: bob@example.com")
        .execute()
        .await
        .expect("a statement");
    tx.commit().await.expect("a commit");
    ask(&mut app.anonymous(), "alice").await;
    app.sweep().await;
    let mail = server.arrived(1).remove(0);
    let (head, _) = mail.split_once("\n\n").expect("a head");
    assert!(!head.contains("Bcc"), "{head}");
}

#[test]
fn settings_of_mail_that_would_tell_secrets_or_cannot_work_are_refused() {
    use crate::support::refused_settings;
    for (lines, word) in [
        (
            "mail.host = \"mail.example.com\"\nmail.tls = \"none\"",
            "in the clear",
        ),
        ("mail.username = \"a\"", "mail.host"),
        (
            "mail.host = \"localhost\"\nmail.password = \"a\"",
            "mail.username",
        ),
        (
            "mail.host = \"localhost\"\nmail.tls = \"maybe\"",
            "mail.tls",
        ),
    ] {
        let told = refused_settings(lines);
        assert!(told.contains(word), "{lines}: {told}");
    }
}
