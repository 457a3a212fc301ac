//! Passkeys at a real browser, whose device is a virtual one.

use serde_json::json;

use super::accessibility::look_here;
use super::{Browser, Server, signed_in};
use crate::support::PASSWORD;

/// Alice with a passkey, signed in; the device's name. Only the button asks for it.
async fn with_passkey() -> Option<(Server, Browser, String)> {
    let (server, browser) = signed_in(false).await?;
    browser.without_autofill().await;
    let device = make_passkey(&server, &browser).await;
    Some((server, browser, device))
}

async fn make_passkey(server: &Server, browser: &Browser) -> String {
    let device = browser.add_authenticator(true).await;
    browser.visit(&server.url("/account/passkeys")).await;
    press(browser).await;
    browser.reads("Recovery codes").await;
    browser.visit(&server.url("/account/passkeys")).await;
    browser.find(".devices h3").await;
    device
}

/// Presses the button of the passkey's form, once the script has shown it.
async fn press(browser: &Browser) {
    let button = browser.find("form:not([hidden]) [data-ask]").await;
    button.click().await.expect("a click");
}

async fn sign_out(server: &Server, browser: &Browser) {
    browser.visit(&server.url("/account/passkeys")).await;
    browser.submit("/logout").await;
    browser.arrives_at(&server.url("/login?signed_out")).await;
}

/// How the session was proven, as the service says.
async fn proven_by(server: &Server, browser: &Browser, methods: &str) {
    browser.visit(&server.url("/api/session")).await;
    browser.reads(&format!("\"methods\":[{methods}]")).await;
}

#[rocket::async_test]
async fn a_passkey_is_made_and_signs_in_by_the_button() {
    let Some((server, browser, device)) = with_passkey().await else {
        return;
    };
    assert_eq!(browser.passkeys(&device).await.len(), 1);
    assert!(
        browser.text().await.contains("Chrome on Linux"),
        "{}",
        browser.text().await
    );
    sign_out(&server, &browser).await;
    browser
        .visit(&server.url("/login?rd=/account/passkeys"))
        .await;
    press(&browser).await;
    browser.arrives_at(&server.url("/account/passkeys")).await;
    proven_by(&server, &browser, "\"passkey\"").await;
}

#[rocket::async_test]
async fn the_autofill_of_the_user_name_signs_in_by_a_passkey() {
    let Some((server, browser)) = signed_in(false).await else {
        return;
    };
    make_passkey(&server, &browser).await;
    browser.submit("/logout").await;
    // The device consents to whatever asks, so to what waits behind the field.
    browser.arrives_at(&server.url("/account")).await;
    proven_by(&server, &browser, "\"passkey\"").await;
}

#[rocket::async_test]
async fn kept_signed_in_is_heard_by_the_passkeys_button_too() {
    let Some((server, browser, _)) = with_passkey().await else {
        return;
    };
    sign_out(&server, &browser).await;
    let remember = browser.find("#remember").await;
    remember.click().await.expect("a click");
    press(&browser).await;
    browser.arrives_at(&server.url("/account")).await;
    let browser = browser.reopened().await;
    browser.visit(&server.url("/")).await;
    browser.arrives_at(&server.url("/account")).await;
}

#[rocket::async_test]
async fn a_device_that_does_not_recognise_its_person_signs_nobody_in() {
    let Some((server, browser, device)) = with_passkey().await else {
        return;
    };
    browser.recognises(&device, false).await;
    sign_out(&server, &browser).await;
    press(&browser).await;
    browser.sign_in(&server, "alice", PASSWORD, false).await;
    browser.arrives_at(&server.url("/login/code")).await;
    press(&browser).await;
    browser.visit(&server.url("/api/session")).await;
    browser.reads("unauthenticated").await;
}

#[rocket::async_test]
async fn a_passkey_is_the_second_step_after_a_password_and_the_proof_again() {
    let Some((server, browser, _)) = with_passkey().await else {
        return;
    };
    sign_out(&server, &browser).await;
    browser.sign_in(&server, "alice", PASSWORD, false).await;
    browser.arrives_at(&server.url("/login/code")).await;
    look_here(&browser, "second step by passkey").await;
    press(&browser).await;
    browser.arrives_at(&server.url("/account")).await;
    proven_by(&server, &browser, "\"password\",\"passkey\"").await;
    browser
        .visit(&server.url("/reauthenticate?rd=/account/sessions"))
        .await;
    look_here(&browser, "reauthenticate by passkey").await;
    press(&browser).await;
    browser.arrives_at(&server.url("/account/sessions")).await;
    // A change that asks once more, for an hour has passed.
    let an_hour_ago = "UPDATE sessions SET authenticated_at = authenticated_at - 3600000000";
    server.db(an_hour_ago).await;
    let add_again = "a[href^='/reauthenticate']";
    while !browser.has(add_again).await {
        browser.visit(&server.url("/account/passkeys")).await;
    }
    let delete = browser.find("form[action$='/delete'] button").await;
    delete.click().await.expect("a click");
    browser.reads("nothing has been changed yet").await;
    look_here(&browser, "sensitive by passkey").await;
    press(&browser).await;
    browser.reads("You have none yet.").await;
}

#[rocket::async_test]
async fn mfa_11_a_copy_of_a_passkey_that_counts_less_is_refused() {
    let Some((server, browser, device)) = with_passkey().await else {
        return;
    };
    let mut copy = browser.passkeys(&device).await.remove(0);
    sign_out(&server, &browser).await;
    press(&browser).await;
    browser.arrives_at(&server.url("/account")).await;
    sign_out(&server, &browser).await;
    browser.remove_passkeys(&device).await;
    copy["signCount"] = json!(0);
    browser.put_passkey(&device, copy).await;
    press(&browser).await;
    browser.reads("That passkey was not accepted.").await;
}

#[rocket::async_test]
async fn mfa_07_the_page_has_no_fault_with_passkeys_or_without() {
    let Some((server, browser)) = signed_in(false).await else {
        return;
    };
    browser.without_autofill().await;
    browser.visit(&server.url("/account/passkeys")).await;
    look_here(&browser, "passkeys none").await;
    make_passkey(&server, &browser).await;
    look_here(&browser, "passkeys").await;
    // The device has one of hers now.
    press(&browser).await;
    browser.reads("No passkey was made.").await;
    look_here(&browser, "passkeys trouble").await;
}

#[rocket::async_test]
async fn hdr_07_without_scripts_the_sign_in_page_is_as_it_was() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let browser = browser.without_scripts().await;
    let server = Server::start();
    server.command(&["user", "add", "alice", "--password-stdin"], PASSWORD);
    browser.visit(&server.url("/login")).await;
    let button = browser.find("form[data-options] [data-ask]").await;
    assert!(!button.is_displayed().await.expect("a page"));
    assert!(!browser.text().await.contains("passkey"));
    browser.sign_in(&server, "alice", PASSWORD, false).await;
    browser.arrives_at(&server.url("/account")).await;
    browser.visit(&server.url("/account/passkeys")).await;
    assert!(browser.text().await.contains("This needs JavaScript"));
}
