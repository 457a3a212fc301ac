//! Three names of two root domains behind a real nginx with TLS, as a person's browser meets them.

use std::time::{Duration, SystemTime};

use super::Browser;
use crate::nginx::{House, Plan};
use crate::process::wait_for;
use crate::support::PASSWORD;

const APP: &str = "app.example.test";
const WIKI: &str = "wiki.other.test";

const SESSION: &str = "__Host-vestibule";
const SITE: &str = "__Host-vestibule-site";

/// Two sites for alice and everyone else who signs in, and her browser; `None` where a component
/// is missing.
async fn house() -> Option<(House, Browser)> {
    house_for("signed-in").await
}

/// The same with an app for fewer.
async fn house_for(app: &str) -> Option<(House, Browser)> {
    let house = House::build(Plan {
        sign_in: "auth.example.test",
        sites: &[APP, WIKI],
        tls: true,
        system_ca: false,
        trusted_proxies: r#"["127.0.0.1"]"#,
    })?;
    house.machine.add_user("alice", &[]);
    house.add_site(APP, app);
    house.add_site(WIKI, "signed-in");
    let browser = browser_of(&house).await?;
    Some((house, browser))
}

/// It finds the three names at nginx, and believes the test's certificate.
async fn browser_of(house: &House) -> Option<Browser> {
    let arguments = [
        "--host-resolver-rules=MAP *.test 127.0.0.1".to_owned(),
        format!(
            "--ignore-certificate-errors-spki-list={}",
            house.certificate.key_digest
        ),
    ];
    Browser::start_with(arguments.to_vec()).await
}

/// At the sign-in page, wherever it leads.
async fn sign_in_here(browser: &Browser, name: &str) {
    browser.fill("username", name).await;
    browser.fill("password", PASSWORD).await;
    browser.submit("/login").await;
}

async fn is_at_sign_in(browser: &Browser) {
    browser.find("form[action='/login']").await;
}

/// Signed in by way of the app.
async fn signed_in() -> Option<(House, Browser)> {
    let (house, browser) = house().await?;
    browser.visit(&house.at(APP, "/")).await;
    sign_in_here(&browser, "alice").await;
    browser.arrives_at(&house.at(APP, "/")).await;
    Some((house, browser))
}

#[rocket::async_test]
async fn one_sign_in_opens_every_site() {
    let Some((house, browser)) = house().await else {
        return;
    };
    browser.visit(&house.at(APP, "/page?x=1&y=%20")).await;
    is_at_sign_in(&browser).await;
    sign_in_here(&browser, "alice").await;
    browser.arrives_at(&house.at(APP, "/page?x=1&y=%20")).await;
    browser.reads("Remote-User: alice").await;
    browser.visit(&house.at(WIKI, "/start")).await;
    browser.arrives_at(&house.at(WIKI, "/start")).await;
    browser.reads("Remote-User: alice").await;
    browser.visit(&house.here("/account")).await;
    browser.reads("alice").await;
}

#[rocket::async_test]
async fn coo_10_no_cookie_of_vestibules_reaches_an_app() {
    let Some((house, browser)) = signed_in().await else {
        return;
    };
    let at_app = browser.cookie(SITE).await.expect("a cookie of the site");
    browser.plant("theme", "dark").await;
    browser.visit(&house.at(APP, "/again")).await;
    browser.reads("Cookie: theme=dark").await;
    browser.visit(&house.here("/account")).await;
    browser.reads("alice").await;
    let session = browser.cookie(SESSION).await.expect("a session's cookie");
    let sent = house.echo.heads();
    assert!(sent.contains("Remote-User: alice"), "{sent}");
    for secret in [&session, &at_app, "vestibule-"] {
        assert!(!sent.contains(secret), "{secret}: {sent}");
    }
}

#[rocket::async_test]
async fn coo_10_the_cookie_of_one_site_opens_no_other_host() {
    let Some((house, browser)) = signed_in().await else {
        return;
    };
    let stolen = browser.cookie(SITE).await.expect("a cookie of the site");
    // Away from the session's own cookie, which would open every site anew.
    browser.visit(&house.here("/account")).await;
    browser.forget_cookies().await;
    browser.plant(SESSION, &stolen).await;
    browser.visit(&house.here("/account")).await;
    is_at_sign_in(&browser).await;
    // A page of the wiki's host that needs no sign-in.
    browser.visit(&house.at(WIKI, "/.vestibule/none")).await;
    browser.plant(SITE, &stolen).await;
    browser.visit(&house.at(WIKI, "/")).await;
    is_at_sign_in(&browser).await;
    browser.visit(&house.at(APP, "/still")).await;
    browser.reads("Remote-User: alice").await;
}

#[rocket::async_test]
async fn signing_out_closes_every_site_at_the_next_request() {
    let Some((house, browser)) = signed_in().await else {
        return;
    };
    browser.visit(&house.at(WIKI, "/")).await;
    browser.reads("Remote-User: alice").await;
    browser.visit(&house.here("/account")).await;
    browser.submit("/logout").await;
    browser.arrives_at(&house.here("/login?signed_out")).await;
    for site in [APP, WIKI] {
        browser.visit(&house.at(site, "/")).await;
        is_at_sign_in(&browser).await;
        assert!(!browser.text().await.contains("Remote-User"));
    }
}

#[rocket::async_test]
async fn two_tabs_that_sign_in_at_once_both_arrive() {
    let Some((house, browser)) = house().await else {
        return;
    };
    // Time for a slow machine to fill all three.
    #[expect(
        clippy::disallowed_methods,
        reason = "the browser goes by the system's clock"
    )]
    let at = SystemTime::now() + Duration::from_secs(10);
    browser.visit(&house.at(APP, "/one")).await;
    fill_to_be_sent(at, &browser).await;
    let first = browser.new_tab().await;
    browser.visit(&house.at(APP, "/two")).await;
    fill_to_be_sent(at, &browser).await;
    let second = browser.new_tab().await;
    browser.visit(&house.at(WIKI, "/three")).await;
    fill_to_be_sent(at, &browser).await;
    browser.arrives_at(&house.at(WIKI, "/three")).await;
    browser.switch_to(second).await;
    browser.arrives_at(&house.at(APP, "/two")).await;
    browser.switch_to(first).await;
    browser.arrives_at(&house.at(APP, "/one")).await;
}

/// Sent by the page itself at a time when all tabs are ready.
async fn fill_to_be_sent(at: SystemTime, browser: &Browser) {
    is_at_sign_in(browser).await;
    browser.fill("username", "alice").await;
    browser.fill("password", PASSWORD).await;
    let at = at.duration_since(SystemTime::UNIX_EPOCH).expect("a time");
    let click = "document.querySelector(\"form[action='/login'] button\").click()";
    let script = format!("setTimeout(() => {click}, {} - Date.now())", at.as_millis());
    browser.run(&script).await;
}

#[rocket::async_test]
async fn a_user_who_is_not_let_in_is_told_and_can_be_another() {
    let Some((house, browser)) = house_for("group:staff").await else {
        return;
    };
    house.machine.add_user("bob", &["--group", "staff"]);
    browser.visit(&house.at(APP, "/")).await;
    sign_in_here(&browser, "alice").await;
    browser.arrives_at(&house.at(APP, "/")).await;
    browser.reads("You are signed in as alice").await;
    browser
        .find("a[href*='switch=1']")
        .await
        .click()
        .await
        .expect("a click");
    sign_in_here(&browser, "bob").await;
    browser.arrives_at(&house.at(APP, "/")).await;
    browser.reads("Remote-Groups: staff").await;
}

#[rocket::async_test]
async fn fwd_12_after_a_revoke_the_next_click_leads_to_sign_in() {
    let Some((house, browser)) = signed_in().await else {
        return;
    };
    browser.visit(&house.at(APP, "/open")).await;
    browser.reads("Remote-User: alice").await;
    let revoke = ["session", "revoke", "--user", "alice"];
    house.machine.cli(&revoke).done();
    browser.visit(&house.at(APP, "/next")).await;
    is_at_sign_in(&browser).await;
    assert!(!house.echo.heads().contains("GET /next"));
}

#[rocket::async_test]
async fn red_05_a_used_ticket_opens_nothing_here_or_in_another_browser() {
    let Some((house, browser)) = signed_in().await else {
        return;
    };
    let entrance = wait_for("the ticket in nginx's log", || {
        let log = house.log();
        let line = log
            .lines()
            .find(|line| line.contains("/.vestibule/enter"))?;
        Some(line.split('"').nth(1)?.split(' ').nth(1)?.to_owned())
    });
    let before = browser.cookie(SITE).await;
    browser.visit(&house.at(APP, &entrance)).await;
    browser.arrives_at(&house.at(APP, "/")).await;
    assert_eq!(browser.cookie(SITE).await, before, "the one it had");
    let Some(other) = browser_of(&house).await else {
        return;
    };
    other.visit(&house.at(APP, &entrance)).await;
    is_at_sign_in(&other).await;
    other
        .visit(&house.at(APP, &format!("{entrance}&retry=1")))
        .await;
    other.reads("The sign-in did not arrive here").await;
}

#[rocket::async_test]
async fn red_05_a_fresh_ticket_is_good_only_in_the_browser_that_asked_for_it() {
    let Some((house, victim)) = signed_in().await else {
        return;
    };
    house.machine.add_user("mallory", &[]);
    let Some(thief) = browser_of(&house).await else {
        return;
    };
    // The thief's own way to sign in, sent to alice as a link: its ticket is for the thief's flow.
    thief.visit(&house.at(WIKI, "/")).await;
    is_at_sign_in(&thief).await;
    let link = thief.address().await;
    victim.visit(&link).await;
    victim.arrives_at(&house.at(WIKI, "/")).await;
    victim.reads("Remote-User: alice").await;
    let tickets = || {
        let log = house.log();
        let entered = log
            .lines()
            .filter(|line| line.contains("/.vestibule/enter"));
        let entrances = entered.filter_map(|line| line.split('"').nth(1)?.split(' ').nth(1));
        entrances.map(str::to_owned).collect::<Vec<_>>()
    };
    let tickets = wait_for("both tickets in nginx's log", || {
        Some(tickets()).filter(|tickets| tickets.len() == 3)
    });
    assert!(tickets[2].ends_with("&retry=1"), "{tickets:?}");
    thief.visit(&house.at(WIKI, &tickets[1])).await;
    is_at_sign_in(&thief).await;
}

#[rocket::async_test]
async fn a_long_address_with_every_kind_of_character_comes_back() {
    let Some((house, browser)) = house().await else {
        return;
    };
    let path = format!("/page?q=\\d+|^{{}}`[]&rest={}", "%C3%A4-".repeat(700));
    browser.visit(&house.at(APP, &path)).await;
    sign_in_here(&browser, "alice").await;
    browser.arrives_at(&house.at(APP, &path)).await;
    browser.reads("Remote-User: alice").await;
    assert!(house.echo.heads().contains(&format!("GET {path} ")));
}

#[rocket::async_test]
async fn a_proxy_that_hides_where_forms_come_from_keeps_nobody_out() {
    let Some((mut house, browser)) = house().await else {
        return;
    };
    house.configure(|right| {
        let host = "proxy_set_header Host $host:$server_port;";
        let hidden = format!("{host} add_header Referrer-Policy no-referrer always;");
        right.replacen(host, &hidden, 1)
    });
    browser.visit(&house.at(APP, "/page")).await;
    sign_in_here(&browser, "alice").await;
    browser.arrives_at(&house.at(APP, "/page")).await;
}

#[rocket::async_test]
async fn twenty_five_tabs_at_once_all_arrive() {
    let Some((house, browser)) = house().await else {
        return;
    };
    browser.visit(&house.here("/login")).await;
    sign_in_here(&browser, "alice").await;
    browser.arrives_at(&house.here("/account")).await;
    let first = browser.tabs().await;
    for number in 0..25 {
        let page = house.at([APP, WIKI][number % 2], &format!("/tab/{number}"));
        browser
            .run(&format!("window.open({page:?}, '_blank', 'noopener')"))
            .await;
    }
    let tabs = browser.tabs().await;
    let opened = tabs.into_iter().filter(|tab| !first.contains(tab));
    let mut arrived = Vec::new();
    for tab in opened {
        browser.switch_to(tab).await;
        browser.reads("Remote-User: alice").await;
        arrived.push(browser.address().await);
    }
    let number = |address: &String| address.rsplit('/').next().map(str::to_owned);
    let mut numbers: Vec<_> = arrived.iter().filter_map(number).collect();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 25, "{arrived:?}");
}

#[rocket::async_test]
async fn a_window_that_a_page_opened_knows_it_after_a_way_over_the_sign_in_host() {
    let Some((house, browser)) = signed_in().await else {
        return;
    };
    let first = browser.tabs().await;
    let page = house.at(WIKI, "/window");
    browser.run(&format!("window.open({page:?})")).await;
    let opened = browser.tabs().await;
    let opened = opened.into_iter().find(|tab| !first.contains(tab));
    browser.switch_to(opened.expect("a window")).await;
    browser.reads("Remote-User: alice").await;
    browser.arrives_at(&page).await;
    assert_eq!(browser.run("return window.opener !== null").await, true);
}

/// Shows a page of the app's within the app's page, and waits until it says `text`.
async fn frame(browser: &Browser, path: &str, text: &str) {
    let frame = format!("document.body.innerHTML = '<iframe src={path:?}></iframe>'");
    browser.run(&frame).await;
    // What is of another origin, or blocked, has no document.
    browser
        .run_async(&format!(
            "const done = arguments[arguments.length - 1];
             const look = () => {{
                 const shown = document.querySelector('iframe').contentDocument?.body?.innerText ?? '';
                 if (shown.includes({text:?})) done(shown); else setTimeout(look, 50);
             }};
             look();"
        ))
        .await;
}

#[rocket::async_test]
async fn a_page_in_a_frame_goes_in_silently_where_the_session_lives() {
    let Some((house, browser)) = signed_in().await else {
        return;
    };
    browser.reads("Remote-User: alice").await;
    browser.forget_cookies().await;
    frame(&browser, "/inner", "Remote-User: alice").await;
    assert!(house.echo.heads().contains("GET /inner "));
}

#[rocket::async_test]
async fn a_page_in_a_frame_that_nobody_is_signed_in_for_leads_out_of_it() {
    let Some((house, browser)) = signed_in().await else {
        return;
    };
    browser.reads("Remote-User: alice").await;
    let revoke = ["session", "revoke", "--user", "alice"];
    house.machine.cli(&revoke).done();
    frame(&browser, "/inner?x=1", "Please sign in").await;
    browser
        .run("document.querySelector('iframe').contentDocument.querySelector('a[target=_top]').click()")
        .await;
    is_at_sign_in(&browser).await;
    sign_in_here(&browser, "alice").await;
    browser.arrives_at(&house.at(APP, "/inner?x=1")).await;
    browser.reads("Remote-User: alice").await;
}
