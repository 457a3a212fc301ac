//! The admin's pages: by mouse, by keyboard, and to the eye.

use super::accessibility::{look, look_here};
use super::{Browser, Server, kept};
use crate::support::PASSWORD;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

const PEOPLE: &str = include_str!("people.sql");

/// 120 sessions of alice, a minute apart.
const MANY: &str = "
    WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 120)
    INSERT INTO sessions (token_hash, id, user_id, methods, remember, created_at, authenticated_at, last_seen_at,
                          idle_expires_at, expires_at, address, user_agent, device)
    SELECT randomblob(32), randomblob(16), users.id, 'password', 0, unixepoch() * 1000000, unixepoch() * 1000000,
           (unixepoch() - n * 60) * 1000000, (unixepoch() + 9000) * 1000000, (unixepoch() + 9000) * 1000000,
           '192.0.2.' || n, '', iif(n = 77, 'Firefox on Haiku', 'Chrome on Linux')
    FROM counted, users WHERE username = 'alice';
    INSERT OR IGNORE INTO devices SELECT DISTINCT device FROM sessions";

/// The password was checked too long ago.
const HOURS_GO_BY: &str = "UPDATE sessions SET authenticated_at = authenticated_at - 7200000000";

#[rocket::async_test]
async fn a_revoked_user_lands_on_the_sign_in_page_with_the_next_click() {
    let Some((server, keeper)) = kept().await else {
        return;
    };
    let alice = Browser::start().await.expect("a second browser");
    alice.sign_in(&server, "alice", PASSWORD, false).await;
    alice.arrives_at(&server.url("/account")).await;
    keeper.visit(&server.url("/admin/sessions?q=alice")).await;
    click(&keeper, "tbody .act button").await;
    keeper.find(".empty").await;
    click(&alice, "nav a[href='/account/sessions']").await;
    let sign_in = server.url("/login?rd=%2Faccount%2Fsessions");
    alice.arrives_at(&sign_in).await;
    keeper.reload().await;
    keeper.find(".empty").await;
}

#[rocket::async_test]
async fn the_pages_of_the_listing_hold_each_session_once() {
    let Some((server, keeper)) = kept().await else {
        return;
    };
    server.db(MANY).await;
    click(&keeper, "nav a[href='/admin']").await;
    click(&keeper, "nav a[href='/admin/sessions']").await;
    let mut seen = Vec::new();
    for shown in [50, 50, 21] {
        let heading = keeper.find("#list").await;
        assert_eq!(heading.text().await.unwrap(), "121 live sessions");
        let page = sessions_shown(&keeper).await;
        assert_eq!(page.len(), shown);
        seen.extend(page);
        if shown == 50 {
            let first = seen.last().expect("a session").clone();
            click(&keeper, "[rel=next]").await;
            keeper.leaves(&format!("form[action='{first}']")).await;
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 121);
    assert!(!keeper.has("[rel=next]").await, "there are no more");
    click(&keeper, ".pager a").await;
    keeper.find("[rel=next]").await;
    assert!(keeper.text().await.contains("This session"));
}

#[rocket::async_test]
async fn a_search_finds_a_device_among_many_and_can_be_cleared() {
    let Some((server, keeper)) = kept().await else {
        return;
    };
    server.db(MANY).await;
    keeper.visit(&server.url("/admin/sessions")).await;
    keeper.fill("q", "haiku").await;
    keeper.submit("/admin/sessions").await;
    keeper.leaves("[rel=next]").await;
    assert_eq!(sessions_shown(&keeper).await.len(), 1);
    assert!(keeper.text().await.contains("192.0.2.77"));
    click(&keeper, ".heading a[href^='/admin/sessions?state']").await;
    keeper.find("[rel=next]").await;
    keeper.fill("q", "192.0.2.11").await;
    keeper.submit("/admin/sessions").await;
    keeper.leaves("[rel=next]").await;
    // 192.0.2.11 and .110 to .119.
    assert_eq!(sessions_shown(&keeper).await.len(), 11);
    click(&keeper, ".states a[href*='state=ended']").await;
    keeper.find(".empty").await;
    click(&keeper, ".empty a").await;
    keeper.find("tbody tr:nth-child(11)").await;
}

#[rocket::async_test]
async fn a_session_is_revoked_by_keyboard_alone() {
    let Some((server, keeper)) = kept().await else {
        return;
    };
    server.db(MANY).await;
    keeper.visit(&server.url("/admin/sessions?q=haiku")).await;
    let mut stops = Vec::new();
    while !stops.last().is_some_and(|stop: &String| {
        stop.starts_with("Revoke session of alice: Firefox on Haiku, last seen ")
    }) {
        keeper.types(TAB).await;
        stops.push(
            keeper
                .focused()
                .await
                .prop("textContent")
                .await
                .unwrap()
                .unwrap(),
        );
        assert!(stops.len() < 40, "not among {stops:?}");
    }
    keeper.types(ENTER).await;
    keeper.find(".empty").await;
    keeper
        .visit(&server.url("/admin/sessions?q=haiku&state=ended"))
        .await;
    let row = keeper.find("tbody tr").await.text().await.unwrap();
    assert!(row.contains("Revoked by keeper"), "{row}");
}

#[rocket::async_test]
async fn a_change_that_needs_the_password_again_is_done_with_it() {
    let Some((server, keeper)) = kept().await else {
        return;
    };
    open_user(&keeper, &server, "alice").await;
    server.db(HOURS_GO_BY).await;
    keeper.fill("display_name", "Alice of the lantern").await;
    click(&keeper, "form:has([name=display_name]) button").await;
    keeper.find("[name=password_again]").await;
    keeper.types(&format!("not it{ENTER}")).await;
    keeper.find("[role=alert]").await;
    keeper.types(&format!("{PASSWORD}{ENTER}")).await;
    let field = keeper.find("[name=display_name]").await;
    assert_eq!(
        field.prop("value").await.unwrap().unwrap(),
        "Alice of the lantern"
    );
}

#[rocket::async_test]
async fn no_page_of_sessions_has_a_fault() {
    let Some((server, keeper)) = kept().await else {
        return;
    };
    let page = |query: &str| server.url(&format!("/admin/sessions{query}"));
    look(&keeper, "sessions none ended", &page("?state=ended")).await;
    server.db(PEOPLE).await;
    look(&keeper, "sessions live", &page("")).await;
    look(&keeper, "sessions by user", &page("?sort=user&limit=5")).await;
    look(&keeper, "sessions ended", &page("?state=ended")).await;
    look(&keeper, "sessions all", &page("?state=all")).await;
    look(
        &keeper,
        "sessions not found",
        &page("?q=nobody+of+that+name"),
    )
    .await;
    look(&keeper, "revoke everyone", &page("/revoke-everyone")).await;
    keeper.visit(&page("?q=priya")).await;
    server.db(HOURS_GO_BY).await;
    click(&keeper, "tbody .act button").await;
    keeper.find("[name=password_again]").await;
    look_here(&keeper, "password again").await;
    keeper.types(&format!("not it{ENTER}")).await;
    keeper.find("[role=alert]").await;
    look_here(&keeper, "password again refused").await;
}

#[rocket::async_test]
async fn an_ipv4_address_is_never_broken_in_two() {
    let Some((server, keeper)) = kept().await else {
        return;
    };
    server.db(PEOPLE).await;
    keeper.visit(&server.url("/admin/sessions?state=all")).await;
    for width in [360, 680, 965, 1100, 1280] {
        keeper.shows(width, "light").await;
        let lines = keeper
            .run(
                "const lines = cell => {
                     const range = document.createRange();
                     range.selectNodeContents(cell);
                     return new Set([...range.getClientRects()].map(box => box.top)).size;
                 };
                 const cells = [...document.querySelectorAll('tbody .address div')];
                 return cells.filter(cell => cell.textContent.includes('.')).map(lines)",
            )
            .await;
        assert_eq!(lines, serde_json::json!(vec![1; 13]), "at {width} px");
    }
}

#[rocket::async_test]
async fn no_page_of_users_has_a_fault() {
    let Some((server, keeper)) = kept().await else {
        return;
    };
    server.db(PEOPLE).await;
    look(&keeper, "users", &server.url("/admin/users")).await;
    look(&keeper, "users not found", &server.url("/admin/users?q=zz")).await;
    look(&keeper, "new user", &server.url("/admin/users/new")).await;
    keeper.fill("username", "no name!").await;
    click(&keeper, "main form button").await;
    keeper.find("[role=alert]").await;
    look_here(&keeper, "new user refused").await;
    open_user(&keeper, &server, "keeper").await;
    look_here(&keeper, "oneself").await;
    open_user(&keeper, &server, "amara").await;
    look_here(&keeper, "user").await;
    click(&keeper, "a[href$='/delete']").await;
    keeper.find("form[action$='/delete']").await;
    look_here(&keeper, "delete user").await;
    open_user(&keeper, &server, "amara").await;
    let meanwhile = [
        "user",
        "set",
        "amara",
        "--email",
        "amara@example.org",
        "--admin",
        "true",
    ];
    server.command(&meanwhile, "");
    keeper.fill("display_name", " of the long evenings").await;
    click(&keeper, "form:has([name=display_name]) button").await;
    keeper.find("#error").await;
    look_here(&keeper, "user changed meanwhile").await;
}

#[rocket::async_test]
async fn no_page_of_what_happened_has_a_fault() {
    let Some((server, keeper)) = kept().await else {
        return;
    };
    server.db(PEOPLE).await;
    look(&keeper, "overview", &server.url("/admin")).await;
    look(&keeper, "audit", &server.url("/admin/audit")).await;
    let none = server.url("/admin/audit?q=nobody+of+that+name");
    look(&keeper, "audit not found", &none).await;
    let applications = server.url("/admin/applications");
    look(&keeper, "applications", &applications).await;
}

#[rocket::async_test]
async fn no_page_of_sites_has_a_fault() {
    let Some((server, keeper)) = kept().await else {
        return;
    };
    look(&keeper, "no sites", &server.url("/admin/sites")).await;
    look(&keeper, "no rules", &server.url("/admin/rules")).await;
    add_sites(&server);
    look(&keeper, "sites", &server.url("/admin/sites")).await;
    look(&keeper, "rules", &server.url("/admin/rules")).await;
    open_site(&keeper, &server, "photos.localhost").await;
    look_here(&keeper, "site").await;
    keeper.fill("path", "no path").await;
    keeper.fill("who", "whoever").await;
    click(&keeper, "form[action$='/rules'] button").await;
    keeper.find("[role=alert]").await;
    look_here(&keeper, "rule refused").await;
    open_site(&keeper, &server, "photos.localhost").await;
    let meanwhile = [
        "rule",
        "add",
        "photos.localhost",
        "--path",
        "/new/*",
        "--who",
        "anyone",
        "--deny",
    ];
    server.command(&meanwhile, "");
    keeper.fill("at", "2").await;
    click(&keeper, "form[action$='/rules'] button").await;
    keeper.find("form[action$='/rules'] [name=version]").await;
    keeper.find("main h1 + #error").await;
    look_here(&keeper, "rules changed meanwhile").await;
    open_site(&keeper, &server, "*.example.localhost").await;
    look_here(&keeper, "site without rules").await;
    let page = |query: &str| server.url(&format!("/admin/explain{query}"));
    look(&keeper, "explain", &page("")).await;
    let url = "?url=http://photos.localhost/admin/users&user=alice&method=POST&from=10.0.0.7";
    look(&keeper, "explained", &page(url)).await;
    keeper.find("#told").await;
    look(
        &keeper,
        "explain unknown",
        &page("?url=http://nowhere.localhost/"),
    )
    .await;
    look(
        &keeper,
        "explain refused",
        &page("?url=nowhere&user=nobody"),
    )
    .await;
}

#[rocket::async_test]
async fn no_page_of_who_may_enter_an_application_has_a_fault() {
    let Some((server, keeper)) = kept().await else {
        return;
    };
    server.db(PEOPLE).await;
    let uri = "https://wiki.example.com/callback";
    server.command(&["client", "add", "Wiki", "--redirect-uri", uri], "");
    let page = |query: &str| server.url(&format!("/admin/explain/application{query}"));
    look(&keeper, "may enter", &page("")).await;
    look(
        &keeper,
        "may enter, told",
        &page("?client=wiki&user=keeper"),
    )
    .await;
    keeper.find("#told").await;
    look(
        &keeper,
        "may enter, unknown",
        &page("?client=wiki&user=nobody"),
    )
    .await;
}

#[rocket::async_test]
async fn no_page_of_the_doctor_has_a_fault() {
    let Some((server, keeper)) = kept().await else {
        return;
    };
    look(&keeper, "doctor", &server.url("/admin/doctor")).await;
    keeper.fill("url", "http://nowhere.test/").await;
    keeper.submit("/admin/doctor").await;
    keeper.find("#found").await;
    look_here(&keeper, "doctor with a finding").await;
}

fn add_sites(server: &Server) {
    let note = "The family's photographs, at home and away";
    server.command(
        &[
            "site",
            "add",
            "photos.localhost",
            "--default",
            "group:family",
            "--note",
            note,
        ],
        "",
    );
    server.command(&["site", "add", "*.example.localhost"], "");
    for rule in [
        &[
            "--path", "/share/*", "--method", "GET", "--who", "anyone", "--allow",
        ][..],
        &[
            "--path",
            "/admin/*",
            "--who",
            "group:keepers",
            "--allow",
            "--network",
            "192.168.0.0/16",
            "--network",
            "fd00::/8",
        ],
        &[
            "--path",
            "/api/v1/assets/originals/download-everything",
            "--who",
            "user:amara",
            "--deny",
        ],
    ] {
        server.command(&[&["rule", "add", "photos.localhost"], rule].concat(), "");
    }
}

async fn click(browser: &Browser, css: &str) {
    let element = browser.find(css).await;
    element.click().await.expect("a click");
}

async fn open_user(browser: &Browser, server: &Server, username: &str) {
    browser
        .visit(&server.url(&format!("/admin/users?q={username}")))
        .await;
    click(browser, "tbody th a").await;
    browser.find("[name=display_name]").await;
}

async fn open_site(browser: &Browser, server: &Server, host: &str) {
    browser.visit(&server.url("/admin/sites")).await;
    browser.follow(host).await;
    browser.find("form[action$='/rules']").await;
}

/// Where each row's form to revoke it goes.
async fn sessions_shown(browser: &Browser) -> Vec<String> {
    let forms = browser
        .run("return [...document.querySelectorAll('tbody form')].map(form => form.getAttribute('action'))")
        .await;
    serde_json::from_value(forms).expect("a list")
}
