//! The code that comes by mail before a first factor is set up.

use super::{MINUTE, confirm, with_settings};
use crate::mail::server::{ALICE, MailServer};
use crate::support::{Answer, Authenticator, Client, TestApp};

const REQUIRED: &str = "second_factor.required = \"all\"\n";

async fn with_alice_who_needs_one(server: &MailServer) -> TestApp {
    with_settings(&format!("{REQUIRED}{}", server.settings())).await
}

async fn ask(client: &mut Client) -> Answer {
    client.post("/account/factors/send-code", &[]).await
}

pub async fn enter(client: &mut Client, code: &str) -> Answer {
    client
        .post("/account/factors/code", &[("code", code)])
        .await
}

pub fn code_in(mail: &str) -> String {
    let is_code = |line: &&str| line.trim().len() == 29 && line.matches('-').count() == 5;
    let found = mail.lines().find(is_code);
    found
        .unwrap_or_else(|| panic!("no code in {mail}"))
        .trim()
        .to_owned()
}

/// The code of the only mail that has arrived.
pub async fn mailed_code(app: &TestApp, server: &MailServer, client: &mut Client) -> String {
    assert_eq!(ask(client).await.status, 303);
    app.sweep().await;
    code_in(&server.arrived(1)[0])
}

/// Whether the page that sets up an authenticator app is there.
async fn is_let_on(client: &mut Client) -> bool {
    let page = client.get("/account/totp").await;
    let passkeys = client.get("/account/passkeys").await;
    assert_eq!(page.status, passkeys.status, "both factors are kept alike");
    page.status == 200
}

#[rocket::async_test]
async fn atk_01_a_first_factor_that_is_required_is_set_up_after_a_mailed_code() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice_who_needs_one(&server).await;
    let mut alice = app.sign_in_again("alice").await;
    let page = alice.get("/account/factors").await;
    assert!(page.body.contains(ALICE), "{}", page.body);
    assert!(!is_let_on(&mut alice).await);
    let forged = [("code", "123456")];
    let refused = alice.post("/account/totp", &forged).await;
    assert_eq!(refused.header("location"), "/account/factors");
    let assertion = [("assertion", "{}")];
    let refused = alice.post("/account/passkeys", &assertion).await;
    assert_eq!(refused.header("location"), "/account/factors");
    let code = mailed_code(&app, &server, &mut alice).await;
    assert!(!app.dump().await.join("\n").contains(&code));
    assert!(!is_let_on(&mut alice).await, "a mail alone lets nobody on");
    assert_eq!(enter(&mut alice, &code).await.status, 303);
    assert!(is_let_on(&mut alice).await);
    Authenticator::set_up(&app, &mut alice).await;
    assert_eq!(alice.session().await.status, 200);
}

#[rocket::async_test]
async fn atk_01_so_is_one_that_nobody_requires() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_settings(&server.settings()).await;
    let mut alice = app.sign_in_again("alice").await;
    assert!(!is_let_on(&mut alice).await);
    let code = mailed_code(&app, &server, &mut alice).await;
    enter(&mut alice, &code).await;
    assert!(is_let_on(&mut alice).await);
    Authenticator::set_up(&app, &mut alice).await;
}

#[rocket::async_test]
async fn atk_01_a_code_is_good_in_the_session_that_asked_for_it_alone() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice_who_needs_one(&server).await;
    app.add(vestibule::people::users::NewUser {
        username: "bob".to_owned(),
        email: Some("bob@example.com".to_owned()),
        ..Default::default()
    })
    .await;
    confirm(&app, "bob").await;
    let mut alice = app.sign_in_again("alice").await;
    let mut thief = app.sign_in_again("alice").await;
    let mut bob = app.sign_in_again("bob").await;
    let code = mailed_code(&app, &server, &mut alice).await;
    for other in [&mut thief, &mut bob] {
        assert_eq!(enter(other, &code).await.status, 422);
        assert!(!is_let_on(other).await);
    }
    assert_eq!(
        enter(&mut alice, &code).await.status,
        303,
        "it is good still"
    );
    assert!(is_let_on(&mut alice).await);
    assert!(!is_let_on(&mut thief).await);
}

#[rocket::async_test]
async fn a_code_works_once_and_not_for_long_and_no_other_does() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice_who_needs_one(&server).await;
    let mut alice = app.sign_in_again("alice").await;
    let code = mailed_code(&app, &server, &mut alice).await;
    for wrong in ["", "123456", "0000-0000-0000-0000-0000-0000"] {
        let answer = enter(&mut alice, wrong).await;
        assert_eq!(answer.status, 422, "{wrong}");
        assert!(answer.body.contains("not right"), "{}", answer.body);
    }
    app.wait(16 * MINUTE).await;
    assert_eq!(enter(&mut alice, &code).await.status, 422);
    ask(&mut alice).await;
    app.sweep().await;
    let mails = server.arrived(2);
    let newer = mails
        .iter()
        .map(|mail| code_in(mail))
        .find(|one| *one != code);
    let newer = newer.expect("another code");
    assert_eq!(enter(&mut alice, &newer.to_lowercase()).await.status, 303);
    app.wait(31 * MINUTE).await;
    assert!(!is_let_on(&mut alice).await, "what it proves ends");
    assert_eq!(enter(&mut alice, &newer).await.status, 422);
}

#[rocket::async_test]
async fn a_flood_of_requests_sends_few_codes() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_alice_who_needs_one(&server).await;
    let mut alice = app.sign_in_again("alice").await;
    for _ in 0..9 {
        assert_eq!(ask(&mut alice).await.status, 303);
    }
    app.sweep().await;
    assert_eq!(server.arrived(5).len(), 5);
}

/// The code that an admin's page shows for carol.
async fn code_of_an_admin(app: &TestApp) -> String {
    let page = format!("/admin/users/{}/enrolment-code", app.user("carol").await.id);
    let shown = app.admin().await.post(&page, &[]).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    shown
        .elements("<code class=\"secret\">", "</code>")
        .remove(0)
}

#[rocket::async_test]
async fn atk_01_whoever_has_no_address_needs_a_code_from_an_admin() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = TestApp::with(&server.settings()).await;
    let mut carol = app.signed_in("carol").await;
    let mut dave = app.signed_in("dave").await;
    assert!(!is_let_on(&mut carol).await);
    let page = carol.get("/account/factors").await;
    assert!(
        page.body.contains("ask the person who runs this site"),
        "{}",
        page.body
    );
    let code = code_of_an_admin(&app).await;
    assert!(!app.dump().await.join("\n").contains(&code));
    assert_eq!(enter(&mut dave, &code).await.status, 422);
    assert_eq!(enter(&mut carol, &code).await.status, 303);
    assert!(is_let_on(&mut carol).await);
    assert_eq!(enter(&mut dave, &code).await.status, 422, "it is used up");
    assert_eq!(server.mails().len(), 0);
}

#[rocket::async_test]
async fn a_code_from_an_admin_works_for_a_day() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = TestApp::with(&server.settings()).await;
    app.signed_in("carol").await;
    let code = code_of_an_admin(&app).await;
    app.wait(24 * 60 * MINUTE).await;
    let mut carol = app.sign_in_again("carol").await;
    assert_eq!(enter(&mut carol, &code).await.status, 422);
}

#[rocket::async_test]
async fn whoever_has_a_factor_is_asked_for_that_and_for_no_mail() {
    let Some(server) = MailServer::start() else {
        return;
    };
    let app = with_settings(&server.settings()).await;
    let mut alice = app.sign_in_again("alice").await;
    let code = mailed_code(&app, &server, &mut alice).await;
    enter(&mut alice, &code).await;
    Authenticator::set_up(&app, &mut alice).await;
    let app = app
        .restarted_with(&format!("{REQUIRED}{}", server.settings()))
        .await;
    alice.connect(&app);
    assert!(is_let_on(&mut alice).await);
}
