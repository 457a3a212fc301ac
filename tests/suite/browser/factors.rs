//! An authenticator app as a person sets it up: the picture is read by zbarimg, the codes are made by oathtool.

use std::process::Command;

use super::accessibility::{look, look_here};
use super::{Browser, Server, required, signed_in};
use crate::support::PASSWORD;

pub fn are_there() -> bool {
    let runs = |program: &str| Command::new(program).arg("--version").output().is_ok();
    required(runs("oathtool") && runs("zbarimg"), "oathtool and zbarimg")
}

/// What a phone's camera reads on the page that is open.
pub async fn read_picture(browser: &Browser) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let picture = folder.path().join("page.png");
    std::fs::write(&picture, browser.screenshot().await).expect("a file");
    let read = Command::new("zbarimg")
        .args(["--quiet", "--raw"])
        .arg(&picture)
        .output();
    let read = read.expect("zbarimg");
    String::from_utf8(read.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

/// The code that an app shows so many seconds from now.
fn code(secret: &str, ahead: i64) -> String {
    let made = Command::new("oathtool")
        .args([
            "--totp",
            "--base32",
            "--now",
            &format!("{ahead} seconds"),
            secret,
        ])
        .output()
        .expect("oathtool");
    assert!(made.status.success(), "{made:?}");
    String::from_utf8(made.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

fn secret_of(address: &str) -> String {
    let (_, rest) = address.split_once("secret=").expect("a secret");
    rest.split('&').next().expect("its end").to_owned()
}

/// Signs in with the password; the next page asks for a code.
async fn give_password(browser: &Browser, server: &Server) {
    browser.sign_in(server, "alice", PASSWORD, false).await;
    browser.arrives_at(&server.url("/login/code")).await;
}

#[rocket::async_test]
async fn an_app_is_set_up_from_the_picture_and_its_codes_and_a_recovery_code_sign_in() {
    let Some((server, browser)) = signed_in(false).await else {
        return;
    };
    if !are_there() {
        return;
    }
    browser.visit(&server.url("/account")).await;
    look(&browser, "factors, none", &server.url("/account/factors")).await;
    look(&browser, "authenticator app", &server.url("/account/totp")).await;
    browser.shows(1280, "dark").await;
    let address = read_picture(&browser).await;
    assert!(
        address.starts_with("otpauth://totp/localhost:alice?"),
        "{address}"
    );
    let secret = secret_of(&address);
    let typed = browser
        .find("#setup-key")
        .await
        .text()
        .await
        .expect("a text");
    assert_eq!(
        typed.replace(' ', ""),
        secret,
        "picture and text say the same"
    );

    browser.fill("code", "000000").await;
    browser.submit("/account/totp").await;
    browser.find("[role=alert]").await;
    look_here(&browser, "authenticator app refused").await;
    browser.fill("code", &code(&secret, -30)).await;
    browser.submit("/account/totp").await;
    browser.find(".codes").await;
    look_here(&browser, "recovery codes").await;
    let codes = browser.text().await;
    let recovery_code = codes
        .lines()
        .find(|line| line.len() == 29 && line.matches('-').count() == 5);
    let recovery_code = recovery_code.expect("a recovery code").to_owned();
    look(&browser, "factors", &server.url("/account/factors")).await;
    look(
        &browser,
        "recovery codes left",
        &server.url("/account/recovery-codes"),
    )
    .await;
    look(&browser, "account with notices", &server.url("/account")).await;

    browser.submit("/logout").await;
    give_password(&browser, &server).await;
    look_here(&browser, "second step").await;
    browser.fill("code", &code(&secret, 0)).await;
    browser.submit("/login/code").await;
    browser.arrives_at(&server.url("/account")).await;

    browser.submit("/logout").await;
    give_password(&browser, &server).await;
    browser
        .find("summary")
        .await
        .click()
        .await
        .expect("a click");
    browser.fill("recovery_code", &recovery_code).await;
    browser.types("\u{e007}").await;
    browser.arrives_at(&server.url("/account")).await;

    look(
        &browser,
        "reauthenticate by code",
        &server.url("/reauthenticate"),
    )
    .await;
}

#[rocket::async_test]
async fn the_second_step_needs_no_mouse() {
    let Some((server, browser)) = signed_in(false).await else {
        return;
    };
    if !are_there() {
        return;
    }
    browser.visit(&server.url("/account/totp")).await;
    let secret = browser
        .find("#setup-key")
        .await
        .text()
        .await
        .expect("a text");
    let secret = secret.replace(' ', "");
    browser.fill("code", &code(&secret, -30)).await;
    browser.submit("/account/totp").await;
    browser.find(".codes").await;
    browser.visit(&server.url("/account")).await;
    browser.submit("/logout").await;
    give_password(&browser, &server).await;
    browser
        .types(&format!("{}\u{e007}", code(&secret, 0)))
        .await;
    browser.arrives_at(&server.url("/account")).await;
}
