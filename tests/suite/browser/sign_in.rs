use super::{Browser, Server, signed_in, signed_up};
use crate::support::PASSWORD;

const NEW_PASSWORD: &str = "a lantern over wet cobblestones";

#[rocket::async_test]
async fn the_printed_link_makes_the_first_admin_and_signs_in() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let server = Server::start();
    browser.visit(&server.setup_link()).await;
    browser.fill("username", "keeper").await;
    browser.fill("password", PASSWORD).await;
    browser.submit("/setup").await;
    browser.arrives_at(&server.url("/account")).await;
    assert!(browser.text().await.contains("keeper"));
}

#[rocket::async_test]
async fn a_restart_under_the_open_browser_leaves_it_signed_in() {
    let Some((mut server, browser)) = signed_in(false).await else {
        return;
    };
    server.restart();
    browser.reload().await;
    browser.arrives_at(&server.url("/account")).await;
    assert!(browser.has("time").await, "{}", browser.text().await);
}

#[rocket::async_test]
async fn kept_signed_in_outlives_the_browser_and_the_server() {
    let Some((mut server, browser)) = signed_in(true).await else {
        return;
    };
    let browser = browser.reopened().await;
    server.restart();
    browser.visit(&server.url("/")).await;
    browser.arrives_at(&server.url("/account")).await;
}

#[rocket::async_test]
async fn otherwise_the_session_ends_with_the_browser() {
    let Some((server, browser)) = signed_in(false).await else {
        return;
    };
    let browser = browser.reopened().await;
    browser.visit(&server.url("/")).await;
    browser.arrives_at(&server.url("/login")).await;
}

#[rocket::async_test]
async fn after_signing_out_the_back_button_shows_no_private_page() {
    let Some((server, browser)) = signed_in(false).await else {
        return;
    };
    assert!(browser.text().await.contains("Recent sign-ins"));
    browser.submit("/logout").await;
    browser.arrives_at(&server.url("/login?signed_out")).await;
    browser.back().await;
    browser
        .arrives_at(&server.url("/login?rd=%2Faccount"))
        .await;
    assert!(!browser.text().await.contains("alice"));
}

#[rocket::async_test]
async fn a_wrong_password_is_told_and_the_next_try_needs_no_mouse() {
    let Some((server, browser)) = signed_up().await else {
        return;
    };
    browser.sign_in(&server, "alice", "not it", false).await;
    let alert = browser.find("[role=alert]").await;
    assert_eq!(
        alert.text().await.unwrap(),
        "That user name and password do not belong together."
    );
    assert!(browser.title().await.starts_with("Error: "));
    browser.types("alice").await;
    browser.fill("password", PASSWORD).await;
    browser.types("\u{e007}").await;
    browser.arrives_at(&server.url("/account")).await;
}

#[rocket::async_test]
async fn reauthentication_leads_back_to_where_it_was_asked_for() {
    let Some((server, browser)) = signed_in(false).await else {
        return;
    };
    browser
        .visit(&server.url("/reauthenticate?rd=/account/password"))
        .await;
    browser.fill("password", PASSWORD).await;
    browser.submit("/reauthenticate").await;
    browser.arrives_at(&server.url("/account/password")).await;
}

#[rocket::async_test]
async fn a_changed_password_is_the_one_that_signs_in() {
    let Some((server, browser)) = signed_in(false).await else {
        return;
    };
    browser.visit(&server.url("/account/password")).await;
    browser.fill("current_password", PASSWORD).await;
    browser.fill("new_password", NEW_PASSWORD).await;
    browser.submit("/account/password").await;
    browser.arrives_at(&server.url("/account")).await;
    browser.submit("/logout").await;
    browser.arrives_at(&server.url("/login?signed_out")).await;
    browser.sign_in(&server, "alice", PASSWORD, false).await;
    browser.find("[role=alert]").await;
    browser.sign_in(&server, "alice", NEW_PASSWORD, false).await;
    browser.arrives_at(&server.url("/account")).await;
}

#[rocket::async_test]
async fn hdr_07_everything_works_with_scripts_off() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let browser = browser.without_scripts().await;
    let server = Server::start();
    let probe = "data:text/html,<title>off</title><script>document.title='on'</script>";
    browser.visit(probe).await;
    assert_eq!(browser.title().await, "off");
    server.command(&["user", "add", "alice", "--password-stdin"], PASSWORD);
    browser.sign_in(&server, "alice", PASSWORD, false).await;
    browser.arrives_at(&server.url("/account")).await;
    browser.submit("/logout").await;
    browser.arrives_at(&server.url("/login?signed_out")).await;
}
