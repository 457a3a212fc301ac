//! An invitation as a person follows it, from the picture to the account; signing up, and its approval.

use super::accessibility::{look, look_here};
use super::factors::{are_there, read_picture};
use super::{Browser, kept, signed_up};
use crate::mail::enrolment::code_in;
use crate::mail::server::{ALICE, MailServer};
use crate::support::PASSWORD;

/// Sends the form of the page that is open.
async fn press(browser: &Browser) {
    let button = browser.find("main form button").await;
    button.click().await.expect("a click");
}

#[rocket::async_test]
async fn an_invited_person_scans_the_picture_and_makes_an_account() {
    let Some((server, keeper)) = kept().await else {
        return;
    };
    if !are_there() {
        return;
    }
    let page = server.url("/admin/invitations");
    look(&keeper, "invitations, none", &page).await;
    keeper.fill("groups", "family, readers").await;
    keeper.fill("email", "zoe@example.com").await;
    keeper.submit("/admin/invitations").await;
    keeper.find("#link").await;
    look_here(&keeper, "invitation, once").await;
    keeper.shows(1280, "dark").await;
    let link = read_picture(&keeper).await;
    let typed = keeper.find("#link").await.text().await.expect("a text");
    assert_eq!(typed, link, "picture and text say the same");
    look(&keeper, "invitations", &page).await;

    let zoe = Browser::start().await.expect("a second browser");
    look(&zoe, "invitation", &link).await;
    zoe.fill("username", "no name!").await;
    zoe.fill("new_password", PASSWORD).await;
    press(&zoe).await;
    zoe.find("[role=alert]").await;
    look_here(&zoe, "invitation refused").await;
    zoe.run("document.querySelector('[name=username]').value = ''")
        .await;
    zoe.fill("username", "zoe").await;
    zoe.fill("new_password", PASSWORD).await;
    press(&zoe).await;
    zoe.arrives_at(&server.url("/account")).await;
    assert!(zoe.text().await.contains("family"));
    look(&zoe, "invitation, used", &link).await;
}

#[rocket::async_test]
async fn an_invited_person_makes_an_account_with_a_passkey() {
    let Some((server, keeper)) = kept().await else {
        return;
    };
    keeper.visit(&server.url("/admin/invitations")).await;
    keeper.submit("/admin/invitations").await;
    let link = keeper.find("#link").await.text().await.expect("a text");
    let zoe = Browser::start().await.expect("a second browser");
    let device = zoe.add_authenticator(true).await;
    zoe.visit(&link).await;
    zoe.fill("username", "zoe").await;
    let instead = zoe.find("button[name=passkey]").await;
    instead.click().await.expect("a click");
    zoe.find("form:not([hidden]) [data-ask]").await;
    look_here(&zoe, "invitation, passkey").await;
    let make = zoe.find("[data-ask]").await;
    make.click().await.expect("a click");
    zoe.find("li code").await;
    look_here(&zoe, "invitation, recovery codes").await;
    zoe.visit(&server.url("/account")).await;
    assert!(zoe.text().await.contains("zoe"));
    assert_eq!(zoe.passkeys(&device).await.len(), 1);
}

#[rocket::async_test]
async fn whoever_signs_up_waits_until_an_admin_approves() {
    let Some((mut server, keeper)) = kept().await else {
        return;
    };
    server.restart_with("accounts.sign_up = \"approval\"");
    let zoe = Browser::start().await.expect("a second browser");
    look(&zoe, "sign in, with sign-up", &server.url("/login")).await;
    zoe.follow("Make an account").await;
    zoe.arrives_at(&server.url("/sign-up")).await;
    look_here(&zoe, "sign up").await;
    zoe.fill("username", "zoe").await;
    zoe.fill("new_password", PASSWORD).await;
    zoe.submit("/sign-up").await;
    zoe.arrives_at(&server.url("/sign-up?waiting")).await;
    look_here(&zoe, "sign up, waiting").await;
    look(&keeper, "overview, waiting", &server.url("/admin")).await;
    look(&keeper, "users, waiting", &server.url("/admin/users")).await;
    let approve = keeper.find("form[action$='/enable'] button").await;
    approve.click().await.expect("a click");
    keeper.find("[name=display_name]").await;
    zoe.sign_in(&server, "zoe", PASSWORD, false).await;
    zoe.arrives_at(&server.url("/account")).await;
}

#[rocket::async_test]
async fn a_mailed_invitation_leads_to_an_account() {
    let Some((mut server, browser)) = signed_up().await else {
        return;
    };
    let Some(mails) = MailServer::start() else {
        return;
    };
    server.restart_with(&mails.settings());
    server.command(&["invite", "--email", ALICE], "");
    let mail = mails.arrived(1).remove(0);
    let is_link = |line: &&str| line.starts_with(&server.url("/invitation/"));
    let link = mail.lines().find(is_link).expect("a link").trim();
    browser.visit(link).await;
    browser.fill("username", "zoe").await;
    browser.fill("new_password", PASSWORD).await;
    press(&browser).await;
    browser.arrives_at(&server.url("/account")).await;
    let other = Browser::start().await.expect("a second browser");
    other.sign_in(&server, ALICE, PASSWORD, false).await;
    other.arrives_at(&server.url("/account")).await;
}

#[rocket::async_test]
async fn whoever_must_have_a_second_factor_enters_the_code_that_was_mailed() {
    let Some((mut server, browser)) = signed_up().await else {
        return;
    };
    let Some(mails) = MailServer::start() else {
        return;
    };
    let address = ["--email", ALICE, "--email-verified", "true"];
    server.command(&[&["user", "set", "alice"], &address[..]].concat(), "");
    let settings = format!("second_factor.required = \"all\"\n{}", mails.settings());
    server.restart_with(&settings);
    browser.sign_in(&server, "alice", PASSWORD, false).await;
    browser
        .find("form[action='/account/factors/send-code']")
        .await;
    look_here(&browser, "enrolment").await;
    browser.submit("/account/factors/send-code").await;
    browser.find("[name=code]").await;
    look_here(&browser, "enrolment, sent").await;
    browser.fill("code", "0000").await;
    browser.submit("/account/factors/code").await;
    browser.find("[role=alert]").await;
    look_here(&browser, "enrolment, refused").await;
    let code = code_in(&mails.arrived(1)[0]);
    browser.fill("code", &code).await;
    browser.submit("/account/factors/code").await;
    browser.find("a[href^='/account/totp']").await;
}
