//! Each page, at the width of a phone and of a desk, in the light and in the dark.

use std::fs;
use std::path::PathBuf;

use super::{Browser, Server, required, signed_in, signed_up};
use crate::support::PASSWORD;

const WIDTHS: [u32; 2] = [360, 1280];
/// About where columns become cards.
const BETWEEN: [u32; 3] = [680, 965, 1100];
const SCHEMES: [&str; 2] = ["light", "dark"];

#[rocket::async_test]
async fn no_page_for_visitors_has_a_fault() {
    let Some((server, browser)) = signed_up().await else {
        return;
    };
    look(&browser, "sign in", &server.url("/login")).await;
    let setup = server.setup_link();
    look(&browser, "set up", &setup).await;
    look(&browser, "set up without a code", &server.url("/setup")).await;
    look(&browser, "sign out", &server.url("/logout")).await;
    let signed_out = server.url("/login?signed_out");
    look(&browser, "signed out", &signed_out).await;
    look(&browser, "not found", &server.url("/nowhere")).await;
    let elsewhere = server.url_by_another_name("/login");
    look(&browser, "another host", &elsewhere).await;
}

#[rocket::async_test]
async fn no_page_for_users_has_a_fault() {
    let Some((server, browser)) = signed_in(false).await else {
        return;
    };
    look(&browser, "account", &server.url("/account")).await;
    look(&browser, "password", &server.url("/account/password")).await;
    look(&browser, "devices", &server.url("/account/sessions")).await;
    look(&browser, "no tokens", &server.url("/account/tokens")).await;
    let token = ["token", "add", "alice", "--name", "calendar", "--all-sites"];
    server.command(&token, "");
    look(&browser, "tokens", &server.url("/account/tokens")).await;
    let applications = server.url("/account/applications");
    look(&browser, "applications", &applications).await;
    look(&browser, "notices", &server.url("/account/notices")).await;
    look(&browser, "data", &server.url("/account/data")).await;
    let no_good = server.url("/end-session/none");
    look(&browser, "a link that is no good", &no_good).await;
    let again = server.url("/reauthenticate");
    look(&browser, "reauthenticate", &again).await;
    look(&browser, "switch user", &server.url("/login?switch")).await;
    server.command(
        &["user", "set", "alice", "--must-change-password", "true"],
        "",
    );
    look(&browser, "must change", &server.url("/account/password")).await;
}

#[rocket::async_test]
async fn no_answer_to_a_wrong_form_has_a_fault() {
    let Some((server, browser)) = signed_in(false).await else {
        return;
    };
    browser.visit(&server.url("/reauthenticate")).await;
    browser.fill("password", "not it").await;
    browser.submit("/reauthenticate").await;
    browser.find("[role=alert]").await;
    look_here(&browser, "reauthenticate refused").await;
    browser.visit(&server.url("/account/password")).await;
    browser.fill("current_password", "not it").await;
    browser
        .fill("new_password", "a lantern over wet cobbles")
        .await;
    browser.submit("/account/password").await;
    browser.find("[role=alert]").await;
    look_here(&browser, "password refused").await;
    browser.visit(&server.setup_link()).await;
    browser.fill("username", "no name!").await;
    browser.fill("password", PASSWORD).await;
    browser.submit("/setup").await;
    browser.find("[role=alert]").await;
    look_here(&browser, "set up refused").await;
    sign_in_until_throttled(&browser, &server).await;
    look_here(&browser, "throttled").await;
}

async fn sign_in_until_throttled(browser: &Browser, server: &Server) {
    for attempt in 1.. {
        browser.visit(&server.url("/login?switch")).await;
        browser.fill("username", "bob").await;
        browser.fill("password", "not it").await;
        browser.submit("/login").await;
        browser.find("[role=alert], .status").await;
        if !browser.has("[role=alert]").await {
            return;
        }
        if attempt == 1 {
            look_here(browser, "sign in refused").await;
        }
        assert!(attempt < 10, "never throttled");
    }
}

pub async fn look(browser: &Browser, name: &str, url: &str) {
    browser.visit(url).await;
    look_here(browser, name).await;
}

/// At the page that is open: wide enough, and without a fault that axe knows of.
pub async fn look_here(browser: &Browser, name: &str) {
    browser.find("main h1").await;
    for width in BETWEEN {
        browser.shows(width, "light").await;
        assert_fits(browser, width, name).await;
    }
    for width in WIDTHS {
        for scheme in SCHEMES {
            browser.shows(width, scheme).await;
            let name = format!("{name} at {width} px in the {scheme}");
            keep_picture(browser, &name).await;
            assert_fits(browser, width, &name).await;
            let styled = browser.run("return document.styleSheets.length").await;
            assert_eq!(styled, 1, "{name}: its stylesheet");
            assert_eq!(faults(browser).await, "", "{name}");
        }
    }
}

/// There is nothing to scroll to at the side.
async fn assert_fits(browser: &Browser, width: u32, name: &str) {
    assert_eq!(browser.run("return innerWidth").await, width);
    let beyond =
        "const page = document.documentElement; return page.scrollWidth - page.clientWidth";
    assert_eq!(
        browser.run(beyond).await,
        0,
        "{name}: wider than {width} px"
    );
}

/// What axe finds, a line each.
async fn faults(browser: &Browser) -> String {
    let Some(axe) = axe() else {
        return String::new();
    };
    browser.run(&axe).await;
    let found = browser
        .run_async(
            "const done = arguments[arguments.length - 1];
             axe.run().then(({violations, passes}) => {
                 const line = fault => fault.id + ': ' + fault.nodes.map(node => node.html).join(', ');
                 done(passes.length ? violations.map(line).join('\\n') : 'axe looked at nothing');
             }, error => done(String(error)));",
        )
        .await;
    found.as_str().expect("a text").to_owned()
}

fn axe() -> Option<String> {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/browser/node_modules/axe-core/axe.min.js"
    );
    let axe = fs::read_to_string(file);
    required(axe.is_ok(), "axe-core");
    axe.ok()
}

/// With `TEST_PICTURES=FOLDER`, for people who want to look themselves.
async fn keep_picture(browser: &Browser, name: &str) {
    if let Some(folder) = std::env::var_os("TEST_PICTURES").map(PathBuf::from) {
        let file = folder.join(name.replace(' ', "-")).with_extension("png");
        fs::write(&file, browser.screenshot().await).expect("a picture");
    }
}
